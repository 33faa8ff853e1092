import { describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { REASON_BITS, type ServoStateName } from "./api.js";
import { LegServoConfig } from "./config.js";
import { FOUND_RAD, LegBench, SOFT } from "./legTesting.js";
import { LEG_TRIGGERS } from "./legTriggers.js";
import { peerOf, SUPERVISOR } from "./testing.js";
import { TRIGGER_NAMES, type TriggerName, type TriggerResponse } from "./triggers.js";

const policy = peerOf(1);
const STAND = LegServoConfig.parse({}).stand;
const STEP = STAND.poseRad.map((rad) => rad + 0.05);

interface Walking {
  readonly bench: LegBench;
  readonly epoch: number;
}
/** Follows a commander that has just asked for a target, good for 50 ms. */
async function walking(changes: Partial<LegServoConfig> = {}): Promise<Walking> {
  const bench = new LegBench(changes);
  await bench.toStanding();
  const epoch = bench.lease(policy);
  bench.command(policy, epoch, STEP);
  await bench.run(10);
  return { bench, epoch };
}
async function keepAsking({ bench, epoch }: Walking, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 20) {
    bench.command(policy, epoch, STEP);
    await bench.run(20);
  }
}

describe("a robot on legs that nobody commands", () => {
  it("is held where it was measured, then goes to its stand no faster than the cell says", async () => {
    const bench = new LegBench();
    await bench.servo.connect();
    await bench.run(2);
    await bench.servo.enable();
    await bench.run(400);
    const { told } = bench.driver;
    expect(told[0]!.positionRad).toEqual(FOUND_RAD);
    expect(told[0]!.stiffness).toEqual(STAND.stiffnessNmPerRad);
    expect(told[0]!.damping).toEqual(STAND.dampingNmSPerRad);
    for (const [before, after] of told.slice(1).map((one, at) => [told[at]!, one] as const)) {
      const seconds = (after.atMs - before.atMs) / 1000;
      after.positionRad.forEach((rad, joint) => {
        const step = Math.abs(rad - before.positionRad[joint]!);
        expect(step).toBeLessThanOrEqual(STAND.speedMaxRadPerS * seconds + 1e-12);
      });
    }
    expect(told.at(-1)!.positionRad).toEqual(STAND.poseRad);
    expect(told.at(-1)!.stiffness).toEqual(STAND.stiffnessNmPerRad);
    expect(bench.servo.state).toBe("holding");
  });

  it("leaves a joint as it was found, as far as the cell lets it, and goes to its pose with the rest", async () => {
    const asFoundRadMax = STAND.poseRad.map((_, joint) => (joint === 4 ? 0.15 : joint === 5 ? 0.01 : 0));
    const bench = new LegBench({ stand: { ...STAND, asFoundRadMax } });
    await bench.toStanding();
    await bench.run(200);
    const { positionRad } = bench.driver.told.at(-1)!;
    expect(positionRad[3]).toBe(STAND.poseRad[3]);
    expect(positionRad[4]).toBeCloseTo(FOUND_RAD[4]!, 12);
    expect(positionRad[5]).toBeCloseTo(STAND.poseRad[5]! + 0.01, 12);
  });

  it("keeps its balance by its stand's targets, within its limits, and only while nobody commands", async () => {
    const asked: number[] = [];
    const bench = new LegBench({}, (targetRad, base) => {
      asked.push(base.quatWorldBaseXyzw[0]!);
      targetRad[3]! += 0.05;
      targetRad[9] = 9;
    });
    bench.driver.base.quatWorldBaseXyzw.set([0.02, 0, 0, Math.sqrt(1 - 0.02 ** 2)]);
    await bench.toStanding();
    expect(asked.at(-1)).toBe(0.02);
    const { positionRad } = bench.driver.told.at(-1)!;
    expect(positionRad[3]).toBeCloseTo(STAND.poseRad[3]! + 0.05, 12);
    expect(positionRad[9]).toBeCloseTo(1.5 - bench.config.positionMarginRad, 12);
    expect(positionRad[0]).toBe(STAND.poseRad[0]);
    const epoch = bench.lease(policy);
    bench.command(policy, epoch, STEP);
    await bench.run(3);
    expect(bench.driver.told.at(-1)!.positionRad).toEqual(STEP);
  });

  it("shows its base in snapshots, and the most that its gains may be", async () => {
    const bench = new LegBench();
    await bench.toStanding();
    expect(bench.last!.base).toBe(bench.driver.base);
    expect(bench.servo.info().gainsMax).toEqual({
      stiffnessNmPerRad: bench.config.stiffnessMaxNmPerRad,
      dampingNmSPerRad: bench.config.dampingMaxNmSPerRad,
    });
  });

  it("has no teach mode, and says so", async () => {
    const bench = new LegBench();
    await bench.servo.connect();
    await expect(bench.servo.teach(true)).rejects.toThrow(/cannot be guided by hand/);
    expect(bench.servo.state).toBe("connected");
  });

  it("refuses a stand outside of its limits", () => {
    const poseRad = STAND.poseRad.with(3, 2);
    const make = () => new LegBench({ stand: { ...STAND, poseRad } });
    expect(make).toThrow(CerebellumError);
    expect(make).toThrow(/motor4 at 2 rad, outside of -1.490 to 1.490/);
  });
});

describe("a robot on legs that is commanded", () => {
  it("is told target and gains in each tick, as they are", async () => {
    const { bench } = await walking();
    const told = bench.driver.told.slice(-10);
    expect(told.map(({ positionRad }) => positionRad)).toEqual(Array(10).fill(STEP));
    expect(told[0]!.stiffness).toEqual(SOFT.stiffnessNmPerRad);
    expect(told[0]!.damping).toEqual(SOFT.dampingNmSPerRad);
    expect(bench.last!.commandSeq).toBe(1);
    expect(Array.from(bench.last!.requestedRad)).toEqual(STEP);
  });

  it("is told at once, between two ticks, and the next snapshot says when that was", async () => {
    const { bench, epoch } = await walking();
    const count = bench.driver.told.length;
    const other = STEP.map((rad) => rad - 0.02);
    await bench.clock.advance(0.4);
    const [cameMs, cameNs] = [bench.clock.nowMs(), bench.clock.nowNs()];
    bench.command(policy, epoch, other);
    expect(bench.driver.told.slice(count)).toMatchObject([{ atMs: cameMs, positionRad: other }]);
    await bench.clock.advance(0.6);
    bench.tick();
    expect(bench.driver.told.slice(count)).toMatchObject([{ positionRad: other }, { positionRad: other }]);
    expect(bench.last!.commandSeq).toBe(2);
    expect(bench.last!.commandWireNs).toBe(cameNs);
  });

  it("is told once between two ticks, whoever asks more often: the newest waits for the tick", async () => {
    const { bench, epoch } = await walking();
    const count = bench.driver.told.length;
    const asked = [0.01, 0.02, 0.03].map((stepRad) => STEP.map((rad) => rad - stepRad));
    for (const positionRad of asked) bench.command(policy, epoch, positionRad);
    expect(bench.driver.told.slice(count).map(({ positionRad }) => positionRad)).toEqual([asked[0]]);
    await bench.run(1);
    expect(bench.driver.told.slice(count).map(({ positionRad }) => positionRad)).toEqual([
      asked[0],
      asked[2],
    ]);
    expect(bench.last!.commandSeq).toBe(4);
  });

  it("is told nothing between two ticks that no tick would tell it, and is damped at once", async () => {
    const { bench, epoch } = await walking();
    const count = bench.driver.told.length;
    const gains = { ...SOFT, stiffnessNmPerRad: bench.config.stiffnessMaxNmPerRad };
    bench.command(policy, epoch, Array(20).fill(1.4), { gains });
    expect(bench.driver.told.length).toBe(count);
    expect(bench.driver.calls).toContain("stopNow 2");
    expect(bench.events.some(({ trigger }) => trigger === "commandMalformed")).toBe(true);
  });

  it("is told nothing while it is not obeying, whatever comes between two ticks", async () => {
    const { bench, epoch } = await walking();
    void bench.servo.stop(2, "a test");
    const count = bench.driver.told.length;
    bench.command(policy, epoch, STEP);
    expect(bench.driver.told.length).toBe(count);
  });

  it("takes a newer command in place of the older one, which no longer expires", async () => {
    const moving = await walking();
    await keepAsking(moving, 200);
    expect(moving.bench.servo.state).toBe("following");
    expect(moving.bench.last!.reasons).toBe(0);
  });

  it("is told no target after it has expired", async () => {
    const { bench } = await walking();
    const commandedMs = bench.driver.told.at(-10)!.atMs - 1;
    await bench.run(60);
    expect(bench.driver.told.at(-1)!.atMs).toBeLessThan(commandedMs + 50);
    expect(bench.driver.calls.slice(-2)).toEqual(["stopNow 2", "deactivate 2"]);
    expect(bench.last!.reasons & REASON_BITS.commandExpired).toBeGreaterThan(0);
  });

  it("has targets cut to its limits and gains to the cell's, and the reasons say so", async () => {
    const { bench, epoch } = await walking();
    const far = STEP.with(2, 1.6);
    const gains = { stiffnessNmPerRad: Array(20).fill(10), dampingNmSPerRad: Array(20).fill(65) };
    bench.command(policy, epoch, far, { gains });
    await bench.run(1);
    const told = bench.driver.told.at(-1)!;
    expect(told.positionRad[2]).toBeCloseTo(1.5 - bench.config.positionMarginRad);
    expect(told.damping).toEqual(bench.config.dampingMaxNmSPerRad);
    expect(bench.last!.reasons).toBe(REASON_BITS.positionLimit | REASON_BITS.gains);
    expect(bench.last!.requestedRad[2]).toBe(1.6);
    expect(bench.last!.sentRad[2]).toBe(told.positionRad[2]);
  });

  it("is not moved by a command without gains, nor by setpoints, and is told why", async () => {
    const bench = new LegBench();
    await bench.toStanding();
    const epoch = bench.lease(policy);
    const stampNs = bench.clock.nowNs();
    const positionRad = Float64Array.from(STEP);
    const command = { epoch, seq: 1, stampNs, expiresNs: stampNs, speedScale: 1, inputAgeMs: 0, positionRad };
    bench.servo.command(policy, command);
    const accelerationRadPerS2 = new Float64Array(20);
    const batch = {
      epoch,
      firstIndex: 0,
      firstSeq: 2,
      stampNs,
      expiresNs: stampNs,
      isLast: true,
      positionRad,
    };
    bench.servo.setpoints(policy, { ...batch, accelerationRadPerS2 });
    await bench.run(5);
    expect(bench.servo.statistics().refusedCommands.gainsMissing).toBe(2);
    expect(bench.servo.state).toBe("following");
    expect(bench.driver.told.at(-1)!.positionRad).toEqual(STAND.poseRad);
  });

  it("goes back to its stand from what it was told, when it is given back upright and still", async () => {
    const { bench, epoch } = await walking();
    bench.servo.releaseLease(policy, epoch);
    expect(bench.servo.state).toBe("holding");
    await bench.run(1);
    expect(bench.driver.told.at(-1)).toMatchObject({ positionRad: STEP, stiffness: SOFT.stiffnessNmPerRad });
    await bench.run(500);
    expect(bench.driver.told.at(-1)).toMatchObject({
      positionRad: STAND.poseRad,
      stiffness: STAND.stiffnessNmPerRad,
    });
  });

  it.each<[string, RegExp, (bench: LegBench) => void]>([
    [
      "leans",
      /leans by 0\.20 rad/,
      ({ driver }) => driver.base.quatWorldBaseXyzw.set([0, Math.sin(0.1), 0, Math.cos(0.1)]),
    ],
    ["walks", /moves at 0\.40 m\/s/, ({ driver }) => void (driver.base.linearVelocityBaseMPerS[0] = 0.4)],
    [
      "turns",
      /turns at 0\.60 rad\/s/,
      ({ driver }) => void (driver.base.angularVelocityBaseRadPerS[2] = 0.6),
    ],
    ["swings a joint", /moves a joint at 2\.00 rad\/s/, ({ driver }) => driver.turnByHand(2)],
    [
      "does not know",
      /moves at NaN/,
      ({ driver }) => void (driver.base.linearVelocityBaseMPerS[1] = Number.NaN),
    ],
  ])("is damped when it is given back while it %s", async (_what, text, make) => {
    const { bench, epoch } = await walking();
    make(bench);
    bench.servo.releaseLease(policy, epoch);
    await bench.run(1);
    expect(bench.servo.state).toBe("stopped");
    expect(bench.events.find(({ trigger }) => trigger === "commanderGone")!.text).toMatch(text);
  });
});

/** What sets each trigger off; those that a robot on legs does not have are not here. */
const FIRE: Partial<Record<TriggerName, (walking: Walking) => Promise<void> | void>> = {
  commandExpired: ({ bench }) => bench.run(60),
  commandMalformed: ({ bench, epoch }) => bench.command(policy, epoch, Array(20).fill(Number.NaN)),
  deviceStateOld: async (moving) => {
    moving.bench.driver.reports = false;
    await keepAsking(moving, 40);
  },
  leaseSilent: async ({ bench, epoch }) => {
    bench.command(policy, epoch, STEP, { validMs: 100 });
    await bench.run(80);
  },
  commanderGone: ({ bench }) => bench.servo.gone(policy),
  leaseRevoked: ({ bench }) => bench.servo.revokeLease(SUPERVISOR, "test"),
  supervisorSilent: async (moving) => {
    moving.bench.supervised = false;
    await keepAsking(moving, 120);
  },
  supervisorGone: ({ bench }) => {
    bench.supervised = false;
    bench.servo.gone(SUPERVISOR);
  },
  loopLate: ({ bench }) => bench.run(1, 40),
  deviceBusy: async (moving) => {
    moving.bench.driver.answer = "busy";
    await keepAsking(moving, 40);
  },
  deviceNotReady: async (moving) => {
    moving.bench.driver.answer = "notReady";
    await keepAsking(moving, 40);
  },
  trackingError: async ({ bench, epoch }) => {
    const gains = { ...SOFT, stiffnessNmPerRad: Array(20).fill(450) };
    bench.command(policy, epoch, STEP, { gains, validMs: 100 });
    await bench.run(1);
    bench.driver.isBlocked = true;
    bench.driver.moveByHand(1.2);
    await bench.run(32);
  },
  blackBoxFailed: async ({ bench }) => {
    bench.blackBox.failure = "the disk is full";
    await bench.run(1);
  },
  deviceFault: ({ bench }) => bench.driver.fault("DIGIT_ERROR"),
  linkLost: ({ bench }) => bench.driver.fault("LINK", "stop", "link"),
  stopRequested: ({ bench }) => void bench.servo.stop(2, "test"),
  processEnds: ({ bench }) => void bench.servo.close(),
};
const ENDS: Partial<Record<TriggerResponse, ServoStateName>> = {
  stop: "stopped",
  fault: "faulted",
  disconnect: "disconnected",
};

describe.each(Object.entries(FIRE))("%s, while a robot on legs walks", (name, fire) => {
  it("does what the table says at once, lets nothing run after it, and is latched", async () => {
    const limits = { leaseSilenceMsMax: 60, supervisorSilenceMsMax: 80, torqueDemandMaxNm: 500 };
    const moving = await walking(limits);
    const { bench } = moving;
    // The short limits on silence are for their own triggers; commands keep the others heard.
    await fire(moving);
    await bench.run(1);
    const trigger = name as TriggerName;
    expect(bench.servo.statistics().triggers[trigger]).toBe(1);
    expect(bench.servo.state).toBe(ENDS[LEG_TRIGGERS[trigger].response]);
    expect(
      bench.driver.calls.some((call) => /^(stopNow|deactivate) 2$/.test(call)) || name === "linkLost",
    ).toBe(true);
    const sent = bench.driver.sent.length;
    bench.command(policy, moving.epoch, STEP);
    await bench.run(5);
    expect(bench.driver.sent.length).toBe(sent);
    expect(() => bench.lease(policy)).toThrow(/The servo is/);
  });
});

it("says for every trigger what a robot on legs does, never that it holds", () => {
  for (const name of TRIGGER_NAMES) {
    const { response } = LEG_TRIGGERS[name];
    if (FIRE[name] !== undefined) expect(["stop", "fault", "disconnect"], name).toContain(response);
  }
});

it.each([0, 1, 2] as const)(
  "a stop of category %d reaches the device at once and is not led to rest",
  async (category) => {
    const { bench } = await walking();
    await bench.servo.stop(category, "test");
    expect(bench.driver.calls.slice(-2)).toEqual([`stopNow ${category}`, `deactivate ${category}`]);
    expect(bench.servo.state).toBe("stopped");
  },
);

it("stands again only after a reset and an enabling", async () => {
  const { bench } = await walking();
  await bench.servo.stop(2, "test");
  await expect(bench.servo.enable()).rejects.toThrow(/The servo is stopped/);
  await bench.servo.reset();
  await bench.servo.enable();
  const told = bench.driver.told.length;
  await bench.run(1);
  expect(bench.driver.told[told]!.positionRad).toEqual(STEP);
});
