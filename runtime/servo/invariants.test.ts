/**
 * Random sequences of everything that can happen to a servo, judged from outside: by what reached the device and by
 * what the snapshots say. `SERVO_SEQUENCES` sets how many; all 100,000 take some minutes.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StopCategory } from "../../drivers/contract.js";
import type { ServoSnapshot, ServoStateName } from "./api.js";
import { splineAccelerations } from "./splineAccelerations.js";
import { passesCommands, streams } from "./states.js";
import { HOME, PERIOD_MS, peerOf, ServoBench, SUPERVISOR } from "./testing.js";

const SEQUENCES = Number(process.env.SERVO_SEQUENCES ?? 3000);
const SEED = Number(process.env.SERVO_SEED ?? 20261127);
const LATCHED: readonly ServoStateName[] = ["stopped", "faulted"];
const SLACK = 1.002;
/** Only ever asked for by somebody who may not. */
const FORBIDDEN = HOME.map((value) => value - 0.123);

const SPOILT_STREAMS = ["", "", "", "", "jump", "far", "fast", "open", "gap", "notANumber"] as const;

type Action =
  | { readonly do: "connect" | "enable" | "reset" | "revoke" | "warn" | "staleEpoch" | "ghost" }
  | { readonly do: "lease" | "release" | "gone"; readonly peer: number }
  | {
      readonly do: "command";
      readonly peer: number;
      readonly joint: number;
      readonly byRad: number;
      readonly validMs: number;
    }
  | { readonly do: "malformed"; readonly peer: number; readonly kind: number }
  | {
      readonly do: "stream";
      readonly peer: number;
      readonly ticks: number;
      readonly validMs: number;
      readonly spoilt: (typeof SPOILT_STREAMS)[number];
    }
  | { readonly do: "staleStream" | "ghostStream" }
  | { readonly do: "stop"; readonly category: StopCategory }
  | { readonly do: "fault"; readonly kind: "device" | "link" }
  | { readonly do: "supervisor" | "reports" | "deviceFails"; readonly on: boolean }
  | { readonly do: "supervisorGone" | "moveByHand" }
  | { readonly do: "answer"; readonly answer: "sent" | "busy" | "notReady" | "refused" }
  | { readonly do: "run"; readonly ticks: number; readonly skipped: number };

const peer = fc.integer({ min: 1, max: 2 });
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("run" as const),
      ticks: fc.integer({ min: 1, max: 40 }),
      skipped: fc.constantFrom(0, 0, 0, 0, 1, 5, 30),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Action>(
      { do: "connect" },
      { do: "enable" },
      { do: "enable" },
      { do: "reset" },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("lease" as const, "lease" as const, "release" as const, "gone" as const),
      peer,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("command" as const),
      peer,
      joint: fc.integer({ min: 0, max: 6 }),
      byRad: fc.double({ min: -0.8, max: 0.8, noNaN: true }),
      validMs: fc.integer({ min: -10, max: 900 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("stream" as const),
      peer,
      ticks: fc.integer({ min: 1, max: 200 }),
      validMs: fc.integer({ min: -10, max: 900 }),
      spoilt: fc.constantFrom(...SPOILT_STREAMS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("malformed" as const),
      peer,
      kind: fc.integer({ min: 0, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("stop" as const),
      category: fc.constantFrom<StopCategory>(0, 1, 2),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("fault" as const),
      kind: fc.constantFrom("device" as const, "link" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("supervisor" as const, "reports" as const, "deviceFails" as const),
      on: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("answer" as const),
      answer: fc.constantFrom(
        "sent" as const,
        "sent" as const,
        "busy" as const,
        "notReady" as const,
        "refused" as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Action>(
      { do: "revoke" },
      { do: "warn" },
      { do: "staleEpoch" },
      { do: "ghost" },
      { do: "staleStream" },
      { do: "ghostStream" },
      { do: "supervisorGone" },
      { do: "moveByHand" },
    ),
  },
);
/** Half of the sequences begin with an arm that already follows. */
const sequence = fc.record({
  follows: fc.boolean(),
  actions: fc.array(action, { minLength: 4, maxLength: 14 }),
});

class Rig {
  readonly bench = new ServoBench({ supervisorSilenceMsMax: 150, leaseSilenceMsMax: 400, lateTicksMax: 10 });
  /** Until when [ms] a target may be pursued, by epoch: given by the holder of the lease, in its epoch. */
  readonly authorised = new Map<number, Map<string, number>>();
  #epoch = 0;

  async follow(): Promise<void> {
    await this.bench.toHolding();
    this.#epoch = this.bench.lease(peerOf(1));
    await this.bench.run(PERIOD_MS);
    this.#command(1, 0, 0.5, 500);
    await this.bench.run(40);
  }

  async perform(action: Action): Promise<void> {
    const { servo, driver } = this.bench;
    switch (action.do) {
      case "connect":
        if (servo.state === "disconnected") this.#later(servo.connect());
        break;
      case "enable":
        this.#later(servo.enable());
        break;
      case "reset":
        this.#later(servo.reset());
        break;
      case "stop": {
        const before = servo.epoch;
        this.#later(servo.stop(action.category, "a test wants it"));
        expect(["stopping", ...LATCHED]).toContain(servo.state);
        expect(servo.epoch).toBeGreaterThan(before);
        break;
      }
      case "lease":
        try {
          this.#epoch = this.bench.lease(peerOf(action.peer));
          expect(this.bench.supervised || servo.state === "following").toBe(true);
        } catch (refused) {
          expect(refused).toMatchObject({ code: "LEASE_REFUSED" });
        }
        break;
      case "release":
        servo.releaseLease(peerOf(action.peer), this.#epoch);
        break;
      case "gone":
        servo.gone(peerOf(action.peer));
        break;
      case "revoke":
        servo.revokeLease(SUPERVISOR, "a test wants it");
        break;
      case "command":
        this.#command(action.peer, action.joint, action.byRad, action.validMs);
        break;
      case "malformed": {
        const spoilt = [[Number.NaN], Array(7).fill(Number.POSITIVE_INFINITY), [], Array(8).fill(0)];
        this.bench.command(peerOf(action.peer), this.#epoch, spoilt[action.kind]!);
        break;
      }
      case "stream":
        this.#stream(action.peer, action.ticks, action.validMs, action.spoilt);
        break;
      case "staleStream":
        this.bench.setpoints(peerOf(1), Math.max(0, this.#epoch - 1), standing(FORBIDDEN));
        break;
      case "ghostStream":
        this.bench.setpoints(peerOf(7), this.#epoch, standing(FORBIDDEN));
        break;
      case "staleEpoch":
        this.bench.command(peerOf(1), Math.max(0, this.#epoch - 1), FORBIDDEN);
        break;
      case "ghost":
        this.bench.command(peerOf(7), this.#epoch, FORBIDDEN);
        break;
      case "fault":
        driver.fault(action.kind === "link" ? "FAKE_GONE" : "FAKE_FAULT", "stop", action.kind);
        break;
      case "warn":
        driver.fault("FAKE_WARM", "warning");
        break;
      case "supervisor":
        this.bench.supervised = action.on;
        break;
      case "supervisorGone":
        this.bench.supervised = false;
        servo.gone(SUPERVISOR);
        break;
      case "reports":
        driver.reports = action.on;
        break;
      case "deviceFails":
        driver.failWith = action.on ? new Error("a test wants it") : undefined;
        break;
      case "answer":
        driver.answer = action.answer;
        break;
      case "moveByHand":
        if (!streams(servo.state)) driver.moveByHand(0.3);
        break;
      case "run":
        await this.bench.run(action.ticks * PERIOD_MS, action.skipped);
    }
    await this.bench.run(PERIOD_MS);
  }

  /** A row of setpoints from where the arm is, there and back, or something that must not pass. */
  #stream(peerId: number, ticks: number, validMs: number, spoilt: (typeof SPOILT_STREAMS)[number]): void {
    const { servo, snapshots } = this.bench;
    const last = snapshots.at(-1);
    const fromRad = last === undefined ? HOME : [...last.sentRad];
    const row = setpointRow(fromRad, ticks, spoilt);
    const isHolder = last?.commander === peerOf(peerId).name && last.epoch === this.#epoch;
    if (isHolder && servo.epoch === this.#epoch && validMs > 0) {
      const setpoints = this.authorised.get(this.#epoch) ?? new Map<string, number>();
      for (let tick = 0; tick < ticks; tick++)
        setpoints.set(row.positionRad.slice(7 * tick, 7 * tick + 7).join(), this.bench.nowMs + validMs);
      this.authorised.set(this.#epoch, setpoints);
    }
    this.bench.setpoints(peerOf(peerId), this.#epoch, { ...row, validMs });
  }

  async settle(): Promise<void> {
    await this.bench.run(20 * PERIOD_MS);
  }

  #command(peerId: number, joint: number, byRad: number, validMs: number): void {
    const target = HOME.map((value, i) => (i === joint ? value + byRad : value));
    const { servo, snapshots } = this.bench;
    const last = snapshots.at(-1);
    const isHolder = last?.commander === peerOf(peerId).name && last.epoch === this.#epoch;
    if (isHolder && servo.epoch === this.#epoch && validMs > 0) {
      const targets = this.authorised.get(this.#epoch) ?? new Map<string, number>();
      this.authorised.set(this.#epoch, targets.set(target.join(), this.bench.nowMs + validMs));
    }
    this.bench.command(peerOf(peerId), this.#epoch, target, validMs);
  }

  /** What is refused is an answer, not a failure of the test. */
  #later(work: Promise<unknown>): void {
    work.catch(() => {});
  }
}

const standing = (positionRad: readonly number[]) => ({
  positionRad,
  accelerationRadPerS2: Array(7).fill(0),
});

/** A good way of so many ticks that begins and ends at rest, until it is spoilt. */
function setpointRow(fromRad: readonly number[], ticks: number, spoilt: (typeof SPOILT_STREAMS)[number]) {
  const wayRad = Math.min(0.2, 4e-6 * ticks ** 3) * (spoilt === "fast" ? 30 : 1);
  const positionRad = Array.from({ length: ticks * 7 }, (_, i) => {
    const share = ticks === 1 ? 0 : Math.floor(i / 7) / (ticks - 1);
    const way = share ** 3 * (10 - 15 * share + 6 * share * share);
    return fromRad[i % 7]! + wayRad * way + (spoilt === "far" ? 0.5 : 0);
  });
  const accelerationRadPerS2 = splineAccelerations(positionRad, 7, PERIOD_MS / 1000);
  const middle = 7 * Math.floor(ticks / 2);
  if (spoilt === "jump") positionRad[middle]! += 0.01;
  if (spoilt === "notANumber") positionRad[middle] = Number.NaN;
  return {
    positionRad,
    accelerationRadPerS2,
    firstIndex: spoilt === "gap" ? 3 : 0,
    isLast: spoilt !== "open",
  };
}

/** An expectation for each of what a thousand lives have sent takes longer than they do: one for what is not so. */
function hold(isSo: boolean, what: string): void {
  if (!isSo) expect.fail(what);
}

const speedOf = (one: readonly number[], other: readonly number[]) =>
  Math.max(...one.map((value, joint) => Math.abs(value - other[joint]!))) / (PERIOD_MS / 1000);

/** Setpoints that reached the device, with what the servo said of the tick in which they left. */
function judgeMotion(bench: ServoBench): void {
  const { driver, config, snapshots } = bench;
  const byMs = new Map(snapshots.map((snapshot) => [Number(snapshot.tickNs) / 1e6, snapshot]));
  const velocityMax = Math.max(...config.velocityMaxRadPerS);
  const accelerationMax = Math.max(...config.accelerationMaxRadPerS2);
  let enabledEpoch = -1;
  for (const [index, { atMs, positionRad, measuredRad, activation }] of driver.sent.entries()) {
    const snapshot = byMs.get(atMs);
    hold(snapshot !== undefined, `a setpoint left between ticks at ${atMs} ms`);
    const before = driver.sent[index - 1];
    if (before === undefined || before.activation !== activation) {
      // The first setpoint after enabling is the measured pose, and nothing streams that was not enabled.
      expect(activation).toBeGreaterThan(enabledEpoch);
      enabledEpoch = activation;
      expect(positionRad).toEqual(measuredRad);
      continue;
    }
    const speed = speedOf(positionRad, before.positionRad);
    hold(speed <= velocityMax * SLACK, `${speed} rad/s, of ${velocityMax}`);
    const earlier = driver.sent[index - 2];
    const wasSpeed =
      earlier?.activation === activation ? speedOf(before.positionRad, earlier.positionRad) : 0;
    const accelerates = speed - wasSpeed > 1e-9;
    if (accelerates) {
      const gain = speed - wasSpeed;
      hold(gain <= accelerationMax * (PERIOD_MS / 1000) * SLACK + 1e-9, `${gain} rad/s faster in a tick`);
      if (wasSpeed === 0) hold(passesCommands(snapshot!.state), "motion begins without a lease");
    }
  }
}

function judgeStates({ bench, authorised }: Rig): void {
  let before: ServoSnapshot | undefined;
  for (const snapshot of bench.snapshots) {
    if (before !== undefined) {
      hold(snapshot.epoch >= before.epoch, `epoch ${snapshot.epoch} after ${before.epoch}`);
      const sequenceRose = snapshot.commandSeq > before.commandSeq && snapshot.epoch === before.epoch;
      if (sequenceRose) hold(passesCommands(snapshot.state), `a command was taken while ${snapshot.state}`);
      if (!streams(snapshot.state)) hold(snapshot.commander === "", `a commander while ${snapshot.state}`);
      const pursues = snapshot.requestedRad.some((value, joint) => value !== snapshot.sentRad[joint]);
      if (pursues && streams(snapshot.state)) {
        const expiresMs = authorised.get(snapshot.epoch)?.get(snapshot.requestedRad.join()) ?? -1;
        const nowMs = Number(snapshot.tickNs) / 1e6;
        hold(expiresMs > nowMs, `followed at ${nowMs} ms what was good until ${expiresMs}`);
      }
    }
    before = snapshot;
  }
  // Every way out of a latch is a reset, and it has read the device and asserted its limits on the way.
  for (const { text } of bench.events.filter(({ kind }) => kind === "state"))
    for (const latched of LATCHED)
      if (text.startsWith(`${latched} -> `)) expect(text).toBe(`${latched} -> connected: reset`);
  const resets = bench.events.filter(({ text }) => text.endsWith("-> connected: reset")).length;
  const reads = bench.driver.calls.filter((call) => call === "configure").length;
  expect(reads).toBeGreaterThanOrEqual(resets);
}

describe("whatever happens", () => {
  it(`no motion without enable, lease and fresh epoch; no way around a latch (${SEQUENCES} sequences)`, {
    timeout: 1_200_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(sequence, async ({ follows, actions }) => {
        const rig = new Rig();
        if (follows) await rig.follow();
        for (const next of actions) await rig.perform(next);
        await rig.settle();
        judgeMotion(rig.bench);
        judgeStates(rig);
      }),
      { numRuns: SEQUENCES, seed: SEED },
    );
  });
});
