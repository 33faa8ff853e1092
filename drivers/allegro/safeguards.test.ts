/** Safeguards of the driver that only show in unlucky moments: each was once taken out, and nothing else noticed. */
import { afterEach, describe, expect, it } from "vitest";
import { asMonotonicNs, type Clock } from "../../core/clock.js";
import { SimClock } from "../../core/simClock.js";
import { AllegroConfig } from "./config.js";
import { AllegroDriver } from "./driver.js";
import { HandState } from "./handState.js";
import { limitsOf } from "./limits.js";
import { LIMP } from "./limp.js";
import { countsOfRad, FINGER_INDICES, systemOn } from "./protocol/index.js";
import { FakeGuardian, FakeHand, type FakeHandOptions } from "./testing.js";

const PERIOD_MS = 3;
const HOME_RAD = [
  0, -0.17, 0.79, 0.79, 0, -0.17, 0.79, 0.79, 0.09, -0.09, 0.87, 0.79, 1.05, 0.44, 0.26, 0.79,
];
const V5 = { model: "v5a", hardware: 0x0500, serial: "AHAR0001", answersInfo: false } as const;
const BASE = { can: { slcan: { path: "/dev/null" } }, model: "v4", side: "right" } as const;
const never = new AbortController().signal;
const ON = systemOn().id;

/** Simulated time, and a process that the system does not run for a while. */
class HeldClock implements Clock {
  readonly sim = new SimClock();
  heldMs = 0;
  nowNs = () => asMonotonicNs(this.sim.nowNs());
  nowMs = () => this.sim.nowMs() + this.heldMs;
  epochNs = () => this.sim.epochNs();
  sleepUntil: Clock["sleepUntil"] = (dueNs, signal) => this.sim.sleepUntil(dueNs, signal);
}

class Rig {
  readonly clock = new HeldClock();
  readonly hand: FakeHand;
  readonly guardian = new FakeGuardian();
  readonly driver: AllegroDriver;
  readonly codes: string[] = [];

  constructor(options: Partial<FakeHandOptions> = {}, configured: Record<string, unknown> = {}) {
    this.hand = new FakeHand(this.clock, options);
    this.hand.positionRad.set(HOME_RAD);
    rigs.push(this);
    this.driver = new AllegroDriver(AllegroConfig.parse({ ...BASE, ...configured }), {
      clock: this.clock,
      openBus: this.hand.open,
      guardian: this.guardian,
    });
    this.driver.onFault(({ code }) => void this.codes.push(code));
  }

  /** What became of it, and after how long [ms]. */
  async settle(work: Promise<unknown>): Promise<{ code: string; ms: number }> {
    let code: string | undefined;
    work.then(
      () => {
        code = "done";
      },
      (thrown) => {
        code = (thrown as { code?: string }).code ?? String(thrown);
      },
    );
    let ms = 0;
    for (; code === undefined && ms < 5000; ms++) await this.clock.sim.advance(1);
    return { code: code ?? "never", ms };
  }

  async start(): Promise<void> {
    expect((await this.settle(this.driver.configure(never))).code).toBe("done");
    expect((await this.settle(this.driver.activate(never))).code).toBe("done");
  }

  expectLimp(): void {
    expect(this.hand.written.slice(-LIMP.length)).toEqual([...LIMP]);
    expect(this.hand.isOn).toBe(false);
    expect([...this.hand.command]).toEqual(Array(16).fill(0));
  }
}

const rigs: Rig[] = [];
afterEach(() => {
  for (const { hand } of rigs.splice(0)) hand.end();
});

describe("an adapter that takes nothing", () => {
  it("is not brought up behind: the hand may still be powered", async () => {
    const rig = new Rig();
    await rig.start();
    rig.hand.takes = false;
    rig.driver.stopNow(0);
    expect((await rig.settle(rig.driver.configure(never))).code).toBe("DEVICE_UNREACHABLE");
    expect(rig.hand.isOn).toBe(true);
    rig.hand.takes = true;
    await rig.clock.sim.advance(2 * PERIOD_MS);
    rig.expectLimp();
  });

  it("is waited for at bring-up, and refused when it is to power the hand", async () => {
    const rig = new Rig();
    rig.hand.takes = false;
    const configuring = rig.settle(rig.driver.configure(never));
    await rig.clock.sim.advance(50);
    rig.hand.takes = true;
    expect((await configuring).code).toBe("done");
    rig.hand.takes = false;
    expect((await rig.settle(rig.driver.activate(never))).code).toBe("DEVICE_REFUSED");
  });

  it.each(["deactivate", "close"] as const)("is waited for a little at %s", async (way) => {
    const rig = new Rig();
    await rig.start();
    rig.hand.takes = false;
    const ending = rig.settle(way === "close" ? rig.driver.close() : rig.driver.deactivate(1));
    await rig.clock.sim.advance(30);
    rig.hand.takes = true;
    await ending;
    rig.expectLimp();
    expect(rig.guardian.words.at(-1)).toBe(way === "close" ? "dismiss" : "rest");
  });
});

describe("bring-up", () => {
  it("takes the torque first that somebody has left in the hand", async () => {
    const rig = new Rig();
    rig.hand.isOn = true;
    rig.hand.command.fill(200);
    await rig.settle(rig.driver.configure(never));
    expect(rig.hand.written.slice(0, LIMP.length)).toEqual([...LIMP]);
    expect([...rig.hand.command]).toEqual(Array(16).fill(0));
  });

  it("ends at once when the bus goes or nobody wants it any more, and not at its deadline", async () => {
    for (const [end, code] of [
      [(rig: Rig) => rig.hand.setBus("lost", "unplugged"), "LINK_CLOSED"],
      [(_: Rig, aborter: AbortController) => aborter.abort(), "TIMED_OUT"],
    ] as const) {
      const rig = new Rig({ answersSerial: false });
      const aborter = new AbortController();
      const configuring = rig.settle(rig.driver.configure(aborter.signal));
      await rig.clock.sim.advance(60);
      end(rig, aborter);
      const { code: found, ms } = await configuring;
      expect(found).toBe(code);
      expect(ms).toBeLessThan(80);
    }
  });

  it("needs a serial number: without one nobody knows which hand comes back", async () => {
    const rig = new Rig({ answersSerial: false });
    expect((await rig.settle(rig.driver.configure(never))).code).toBe("LINK_SILENT");
    expect(rig.hand.written.map(({ id }) => id)).not.toContain(ON);
  });

  it("refuses two hands of different numbers that answer", async () => {
    const rig = new Rig();
    const send = rig.hand.send.bind(rig.hand);
    rig.hand.send = (frame) => {
      send(frame);
      if (frame.id === 0x200) send({ ...frame, id: 0x201 });
    };
    expect((await rig.settle(rig.driver.configure(never))).code).toBe("DEVICE_MISMATCH");
  });
});

describe("powering", () => {
  it("does not believe an earlier answer, nor a bus that is gone", async () => {
    const rig = new Rig();
    await rig.settle(rig.driver.configure(never));
    rig.hand.answersInfo = false;
    expect((await rig.settle(rig.driver.activate(never))).code).toBe("LINK_SILENT");
    expect(rig.hand.written.map(({ id }) => id)).not.toContain(ON);
    rig.hand.setBus("busOff");
    const { code, ms } = await rig.settle(rig.driver.activate(never));
    expect(code).toBe("LINK_CLOSED");
    expect(ms).toBeLessThan(5);
  });

  it("ends with whatever goes wrong meanwhile", async () => {
    const rig = new Rig();
    await rig.settle(rig.driver.configure(never));
    const activating = rig.settle(rig.driver.activate(never));
    await rig.clock.sim.advance(20);
    rig.hand.send({ ...LIMP[0]!, data: Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0]) });
    expect((await activating).code).not.toBe("done");
    rig.expectLimp();
    expect(rig.codes).toEqual(["ALLEGRO_SECOND_COMMANDER"]);
  });

  it("is never completed after a stop, in whichever millisecond it comes", async () => {
    for (let afterMs = 0; afterMs < 90; afterMs++) {
      const rig = new Rig(V5, { model: "v5a" });
      await rig.settle(rig.driver.configure(never));
      // The hand's periods and the driver's looks fall together in other ways.
      if (afterMs >= 45) await rig.clock.sim.advance(1);
      const activating = rig.settle(rig.driver.activate(never));
      for (let ms = 0; ms < afterMs % 45; ms++) await rig.clock.sim.advance(1);
      rig.driver.stopNow(0);
      await activating;
      await rig.clock.sim.advance(20);
      rig.expectLimp();
      expect(rig.driver.state().ready).toBe(false);
    }
  });

  it("beats from the moment the hand is on: a driver that hangs before it leads is missed, too", async () => {
    const rig = new Rig();
    await rig.settle(rig.driver.configure(never));
    const activating = rig.settle(rig.driver.activate(never));
    let beatsWhileOn = 0;
    while (!rig.driver.state().ready) {
      await rig.clock.sim.advance(1);
      if (rig.hand.isOn && !rig.driver.state().ready)
        beatsWhileOn = rig.guardian.words.filter((word) => word === "beat").length;
    }
    await activating;
    expect(beatsWhileOn).toBeGreaterThan(1);
  });
});

describe("the gate for targets", () => {
  it("ends at the limits, however small the steps that lead there", async () => {
    const rig = new Rig();
    await rig.start();
    const { positionMinRad, positionMaxRad } = rig.driver.limits;
    for (const [joint, endRad] of [
      [1, positionMinRad[1]!],
      [2, positionMaxRad[2]!],
    ] as const) {
      const target = Float64Array.from(HOME_RAD);
      const stepRad = Math.sign(endRad - HOME_RAD[joint]!) * 0.01;
      let answer = "";
      for (let steps = 0; steps < 200 && answer !== "refused"; steps++) {
        target[joint]! += stepRad;
        answer = rig.driver.command(target);
        await rig.clock.sim.advance(PERIOD_MS);
      }
      expect(answer).toBe("refused");
      expect(Math.abs(target[joint]! - endRad)).toBeLessThan(0.0101);
      for (let back = 0; back < 200; back++) {
        const left = HOME_RAD[joint]! - target[joint]!;
        target[joint]! += Math.sign(left) * Math.min(0.01, Math.abs(left));
        rig.driver.command(target);
        await rig.clock.sim.advance(PERIOD_MS);
      }
    }
  });

  it("begins anew with each activation: first step, limits, and what has been told", async () => {
    const rig = new Rig();
    rig.hand.positionRad[3] = -0.3;
    await rig.start();
    const here = Float64Array.from(rig.driver.state().positionRad);
    const with3 = (rad: number) => here.with(3, rad);
    expect(rig.driver.command(with3(-0.34)), "further out than it stands").toBe("refused");
    expect(rig.driver.command(with3(-0.28)), "back inside").toBe("sent");
    rig.hand.positionRad[5]! += 0.5;
    await rig.clock.sim.advance(PERIOD_MS);
    rig.hand.positionRad[5]! -= 0.5;
    rig.hand.positionRad[3] = -0.2;
    expect((await rig.settle(rig.driver.activate(never))).code).toBe("done");
    expect(rig.driver.command(with3(-0.24)), "outside of the limits").toBe("refused");
    expect(rig.driver.command(with3(-0.2).with(1, here[1]! + 0.06)), "a first step").toBe("refused");
    expect(rig.driver.command(with3(-0.2))).toBe("sent");
    rig.hand.positionRad[5]! += 0.5;
    await rig.clock.sim.advance(PERIOD_MS);
    expect(rig.codes).toEqual(["ALLEGRO_POSITION_JUMP", "ALLEGRO_POSITION_JUMP"]);
  });

  it("allows no leap after a pause of the commander", async () => {
    const rig = new Rig();
    await rig.start();
    expect(rig.driver.command(Float64Array.from(HOME_RAD))).toBe("sent");
    await rig.clock.sim.advance(200);
    expect(rig.driver.command(Float64Array.from(HOME_RAD.with(2, 1.7)))).toBe("refused");
    expect(rig.driver.command(Float64Array.from(HOME_RAD.with(2, 1.4)))).toBe("sent");
  });

  it("refuses too many joints as it does too few", async () => {
    const rig = new Rig();
    await rig.start();
    expect(rig.driver.command(Float64Array.from([...HOME_RAD, 0]))).toBe("refused");
  });
});

it("after a pause beyond its limit no torque leaves, also when frames are read before the time", async () => {
  const rig = new Rig();
  await rig.start();
  rig.driver.command(Float64Array.from(HOME_RAD.with(1, -0.15)));
  await rig.clock.sim.advance(4 * PERIOD_MS);
  rig.hand.written.length = 0;
  rig.clock.heldMs += 90;
  for (const finger of FINGER_INDICES) rig.hand.sendPose(finger);
  expect(rig.hand.written).toEqual([...LIMP]);
  expect(rig.codes).toEqual(["ALLEGRO_LATE"]);
});

describe("position sets", () => {
  const counts = (rad: number) => new Int16Array(16).fill(countsOfRad("v4", rad));
  /** One period, frames 0.13 ms apart as on the bus. @returns when each set was complete [finger] */
  const period = (state: HandState, startMs: number, rad: number, lost: readonly number[] = []) =>
    FINGER_INDICES.filter((finger) => !lost.includes(finger)).filter((finger) =>
      state.take(finger, counts(rad), startMs + 0.13 * finger),
    );

  it.each(FINGER_INDICES)("are of one period again after the frame of finger %i was lost", (finger) => {
    const state = new HandState("v4", PERIOD_MS);
    for (let n = 0; n < 5; n++) period(state, n * PERIOD_MS, 0);
    period(state, 5 * PERIOD_MS, 0, [finger]);
    period(state, 6 * PERIOD_MS, 0);
    for (let n = 7; n < 12; n++) {
      expect(period(state, n * PERIOD_MS, 0.01 * n)).toEqual([3]);
      for (const rad of state.state.positionRad) expect(rad).toBeCloseTo(0.01 * n, 3);
    }
  });

  it("a lost one is no faster motion", () => {
    const state = new HandState("v4", PERIOD_MS);
    const speed = 0.02 / 0.003;
    for (let n = 0; n < 60; n++) {
      period(state, n * PERIOD_MS, 0.02 * n, n === 50 ? [1] : []);
      if (n > 40) expect(state.state.velocityRadPerS[0]).toBeCloseTo(speed, 0);
    }
  });
});

describe("the cell file's limits", () => {
  const own = (change: Record<string, unknown>) => limitsOf(AllegroConfig.parse({ ...BASE, ...change }));
  const known = own({});

  it("narrow the hand's own and never widen them", () => {
    const wide = own({
      positionMinRad: Array(16).fill(-9),
      positionMaxRad: Array(16).fill(9),
      velocityMaxRadPerS: Array(16).fill(7),
    });
    expect(wide.positionMinRad).toEqual(known.positionMinRad);
    expect(wide.positionMaxRad).toEqual(known.positionMaxRad);
    const narrow = own({
      positionMaxRad: known.positionMaxRad.map((rad) => rad - 0.1),
      velocityMaxRadPerS: Array(16).fill(2),
    });
    expect(narrow.positionMaxRad[5]).toBeCloseTo(known.positionMaxRad[5]! - 0.1, 9);
    expect(narrow.velocityMaxRadPerS).toEqual(Array(16).fill(2));
    expect(() => AllegroConfig.parse({ ...BASE, velocityMaxRadPerS: Array(16).fill(8) })).toThrow();
  });

  it("leave each joint some room", () => {
    expect(() => own({ positionMinRad: [...known.positionMaxRad] })).toThrow(/no room/);
  });
});
