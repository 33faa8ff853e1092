/**
 * When a finger counts as silent, in simulated time: a hand whose frames stop is limp in time whatever the moment, and a
 * process or a kernel that is late takes no frame for missing.
 */
import { afterEach, describe, expect, it } from "vitest";
import { asMonotonicNs, type Clock, msToMonotonicNs } from "../../core/clock.js";
import { SimClock } from "../../core/simClock.js";
import type { CanBusListener, OpenCanBus } from "../can/bus.js";
import type { CanFrame } from "../can/frame.js";
import { AllegroConfig } from "./config.js";
import { AllegroDriver } from "./driver.js";
import { FINGER_INDICES, type FingerIndex } from "./protocol/index.js";
import { FakeGuardian, FakeHand } from "./testing.js";

const HOME_RAD = [
  0, -0.17, 0.79, 0.79, 0, -0.17, 0.79, 0.79, 0.09, -0.09, 0.87, 0.79, 1.05, 0.44, 0.26, 0.79,
];
const never = new AbortController().signal;
const SYSTEM_OFF = 0x104;
const TORQUE_OF_THUMB = 0x18c;
/** Of simulated time [ms]. */
const GRAIN_MS = 0.25;

/** A process that the system keeps from running, on a kernel that keeps what has come: the hand goes on meanwhile. */
class LateHost implements Clock {
  readonly sim = new SimClock();
  readonly hand: FakeHand;
  /** When a servo off left, and when torques did [ms]. */
  readonly offMs: number[] = [];
  readonly torqueMs: number[] = [];
  /** The kernel tells nobody of new frames until then; asked, it hands them over. */
  kernelLateUntilMs = 0;
  /** What a write to the port takes. */
  writeMs = 0;
  /** What the process does first when it runs again. */
  readsFirst = false;
  #spentMs = 0;
  #heldUntilMs = 0;
  #inbox: CanFrame[] = [];
  #listener: CanBusListener | undefined;

  constructor(periodMs: number) {
    this.hand = new FakeHand(this.sim);
    this.hand.positionRad.set(HOME_RAD);
    this.hand.periodMs = periodMs;
  }

  nowNs = () => asMonotonicNs(this.sim.nowNs());
  nowMs = () => this.sim.nowMs() + this.#spentMs;
  epochNs = () => this.sim.epochNs();

  async sleepUntil(dueNs: Parameters<Clock["sleepUntil"]>[0], signal?: AbortSignal): Promise<void> {
    await this.sim.sleepUntil(dueNs, signal);
    while (this.isHeld && signal?.aborted !== true)
      await this.sim.sleepUntil(msToMonotonicNs(this.#heldUntilMs), signal);
  }

  /** The process does nothing for so long. */
  hold(ms: number): void {
    if (this.readsFirst)
      void this.sim.sleepUntil(msToMonotonicNs(this.nowMs() + ms)).then(() => this.#deliver());
    this.#heldUntilMs = this.nowMs() + ms;
  }

  readonly openBus: OpenCanBus = async (listener, signal) => {
    this.#listener = listener;
    const bus = await this.hand.open(
      {
        onFrame: (frame) => void this.#inbox.push({ ...frame, data: frame.data.slice() }),
        onPause: () => void this.#tell(),
        onState: (state, why) => listener.onState(state, why),
      },
      signal,
    );
    return {
      name: bus.name,
      get state() {
        return bus.state;
      },
      write: (frames) => {
        for (const { id } of frames) {
          if (id === SYSTEM_OFF) this.offMs.push(this.nowMs());
          if (id === TORQUE_OF_THUMB) this.torqueMs.push(this.nowMs());
        }
        this.#spentMs += this.writeMs;
        return bus.write(frames);
      },
      readNow: () => this.#deliver(),
      statistics: () => bus.statistics(),
      close: () => bus.close(),
    };
  };

  get isHeld(): boolean {
    return this.sim.nowMs() < this.#heldUntilMs;
  }

  /** As the event loop does: after the timers of a process that was held up. */
  async #tell(): Promise<void> {
    const freeMs = Math.max(this.#heldUntilMs, this.kernelLateUntilMs);
    if (this.nowMs() < freeMs) await this.sim.sleepUntil(msToMonotonicNs(freeMs + 0.1));
    this.#deliver();
  }

  #deliver(): void {
    const frames = this.#inbox;
    this.#inbox = [];
    if (frames.length === 0) return;
    for (const frame of frames) this.#listener?.onFrame(frame);
    this.#listener?.onPause?.(this.nowMs());
  }
}

async function powered(periodMs = 3, options: Record<string, unknown> = {}) {
  const host = new LateHost(periodMs);
  hosts.push(host);
  const config = AllegroConfig.parse({
    can: { slcan: { path: "/dev/null" } },
    model: "v4",
    side: "right",
    periodMs,
    ...options,
  });
  const driver = new AllegroDriver(config, {
    clock: host,
    openBus: host.openBus,
    guardian: new FakeGuardian(),
  });
  const codes: string[] = [];
  driver.onFault(({ code }) => void codes.push(code));
  await settled(host, driver.configure(never));
  const enable = async () => {
    host.hand.silentFingers.clear();
    await settled(host, driver.activate(never));
    codes.length = 0;
    host.offMs.length = 0;
  };
  await enable();
  let commandMs = 0;
  /** Commands seldom, so that the driver's own timer has to notice. */
  const run = async (ms: number) => {
    for (let passedMs = 0; passedMs < ms; passedMs += GRAIN_MS) {
      if (!host.isHeld && host.nowMs() - commandMs > 100) {
        commandMs = host.nowMs();
        driver.command(Float64Array.from(HOME_RAD));
      }
      await host.sim.advance(GRAIN_MS);
    }
  };
  return { host, driver, codes, enable, run };
}

async function settled<T>({ sim }: LateHost, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const watched = promise.finally(() => {
    isSettled = true;
  });
  watched.catch(() => {});
  for (let ms = 0; ms < 2000 && !isSettled; ms++) await sim.advance(1);
  return await watched;
}

const hosts: LateHost[] = [];
afterEach(() => {
  for (const { hand } of hosts.splice(0)) hand.end();
});

/** All sets of fingers but the empty one. */
const GROUPS = Array.from({ length: 15 }, (_, index) =>
  FINGER_INDICES.filter((finger) => ((index + 1) >> finger) & 1),
);

describe("a finger that sends no more", () => {
  it.each([2, 3, 20])(
    "makes the hand limp within two periods of %s ms of its first missing frame",
    async (periodMs) => {
      const { host, codes, enable, run } = await powered(periodMs);
      const lateMs: number[] = [];
      for (const fingers of GROUPS)
        for (let phaseMs = 0; phaseMs < periodMs / 2; phaseMs += Math.max(GRAIN_MS, periodMs / 12)) {
          // The looks of the driver's timer move against the hand's frames.
          host.hold(phaseMs);
          await run(2 * periodMs);
          const before = host.torqueMs.length;
          while (host.torqueMs.length === before) await run(GRAIN_MS);
          const lastMs = host.torqueMs.at(-1)!;
          for (const finger of fingers) host.hand.silentFingers.add(finger);
          await run(6 * periodMs);
          expect(codes).toHaveLength(1);
          expect(codes[0]).toMatch(/FINGER_SILENT/);
          lateMs.push(host.offMs[0]! - lastMs);
          await enable();
        }
      expect(Math.min(...lateMs)).toBeGreaterThanOrEqual(2 * periodMs);
      // Due one period after the last.
      expect(Math.max(...lateMs) - periodMs).toBeLessThanOrEqual(2 * periodMs);
    },
  );

  it("may leave out one frame", async () => {
    const { host, codes, run } = await powered();
    for (const finger of FINGER_INDICES) {
      host.hand.silentFingers.add(finger);
      await run(3);
      host.hand.silentFingers.clear();
      await run(9);
    }
    expect(codes).toEqual([]);
  });
});

describe("a process that is held up", () => {
  it.each([
    ["reads", true],
    ["looks at the time", false],
  ])("for any time below its limit takes no frame for missing when it first %s", async (_, readsFirst) => {
    const { host, codes, run } = await powered();
    host.readsFirst = readsFirst;
    for (let heldMs = 0.5; heldMs < 75; heldMs += heldMs < 12 ? 0.75 : 7)
      for (let phaseMs = 0; phaseMs < 3; phaseMs += 0.75) {
        host.hold(heldMs);
        await run(heldMs + 12 + phaseMs);
        expect(codes, `after ${heldMs} ms`).toEqual([]);
      }
    host.hold(80);
    await run(90);
    expect(codes).toEqual(["ALLEGRO_LATE"]);
  });

  it("answers what it reads together with one piece", async () => {
    const { host, codes, run } = await powered();
    await run(12);
    host.torqueMs.length = 0;
    host.hold(30);
    await run(33);
    expect(host.torqueMs.length).toBeLessThanOrEqual(3);
    expect(codes).toEqual([]);
  });

  it.each(FINGER_INDICES)("finds finger %s lost with what it reads first", async (finger: FingerIndex) => {
    const { host, codes, run } = await powered();
    await run(12);
    host.hand.silentFingers.add(finger);
    host.hold(30);
    await run(29.5);
    expect(codes).toEqual([]);
    await run(2.5);
    expect(codes[0]).toMatch(/FINGER_SILENT/);
    expect(codes).toHaveLength(1);
  });

  it("finds all of them silent within three periods of its own", async () => {
    const { host, codes, run } = await powered();
    for (const finger of FINGER_INDICES) host.hand.silentFingers.add(finger);
    host.hold(30);
    await run(30 + 9);
    expect(codes).toHaveLength(1);
  });
});

describe("the time from a report to its command", () => {
  it("counts once for each piece of torques, to its end", async () => {
    const { host, driver, run } = await powered();
    const { reportToCommand } = driver;
    await run(30);
    expect(reportToCommand.added).toBe(driver.counters().sent);
    expect(reportToCommand.maxUs).toBe(0);
    host.writeMs = 0.2;
    await run(300);
    expect(reportToCommand.added).toBe(driver.counters().sent);
    expect(reportToCommand.maxUs).toBeCloseTo(200, 3);
    expect(reportToCommand.percentileUs(0.5)).toBeGreaterThan(190);
  });
});

describe("a kernel that is late", () => {
  it("is asked before a finger is called silent, and torque goes on", async () => {
    const { host, codes, run } = await powered();
    for (let phaseMs = 0; phaseMs < 3; phaseMs += GRAIN_MS) {
      await run(12 + phaseMs);
      host.kernelLateUntilMs = host.nowMs() + 40;
      host.torqueMs.length = 0;
      await run(40);
      expect(codes).toEqual([]);
      expect(host.torqueMs.length).toBeGreaterThanOrEqual(4);
    }
  });

  it("hides no lost finger", async () => {
    const { host, codes, run } = await powered();
    await run(12);
    host.kernelLateUntilMs = host.nowMs() + 1000;
    host.hand.silentFingers.add(2);
    await run(9);
    expect(codes).toEqual(["ALLEGRO_FINGER_SILENT_RING"]);
  });
});
