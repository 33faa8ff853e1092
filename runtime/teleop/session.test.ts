import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ServoInProcess } from "../../test/support/teleop/servoInProcess.js";
import { PERIOD_MS } from "../servo/testing.js";
import { TeleopConfig } from "./config.js";
import type { PulseName } from "./haptics.js";
import { type SessionInput, TeleopSession } from "./session.js";
import { FakeAlignment, FakeMapping, type PoseChanges, PoseSource, RAD_PER_M } from "./testing.js";

const config = TeleopConfig.parse({});
/** Poses come every third tick: 83 Hz. */
const TICKS_PER_POSE = 3;

let servo: ServoInProcess;
let session: TeleopSession;
let source: PoseSource;
let mapping: FakeMapping;
let alignment: FakeAlignment;
let pulses: PulseName[];
let inputs: SessionInput[];
let changes: number;

function send(poseChanges: PoseChanges = {}): void {
  const { clock } = servo.bench;
  session.receive(source.next(clock.nowMs(), poseChanges), clock.nowNs());
}

/** So many poses, with the ticks in between. */
async function poses(count: number, poseChanges: PoseChanges = {}, step?: () => void): Promise<void> {
  for (let i = 0; i < count; i++) {
    step?.();
    send(poseChanges);
    for (let tick = 0; tick < TICKS_PER_POSE; tick++) await servo.tick();
  }
}

async function engage(): Promise<void> {
  source.clutch = 0;
  await poses(2);
  source.clutch = 1;
  await poses(60, {}, () => {});
  expect(session.why).toBeUndefined();
  expect(session.state).toBe("engaged");
}

const moves = () => {
  source.atM = [source.atM[0] + 0.004, source.atM[1], source.atM[2]];
};

async function expectHold(code: string): Promise<void> {
  expect(session.state).toBe("latched");
  expect(session.why?.code).toBe(code);
  const commanded = servo.commands.length;
  await poses(60, {}, moves);
  expect(servo.commands.length).toBe(commanded);
  expect(standsStill()).toBe(true);
}

function standsStill(): boolean {
  const [before, last] = servo.bench.snapshots.slice(-2);
  return before!.sentRad.every((value, joint) => value === last!.sentRad[joint]);
}

beforeEach(async () => {
  servo = new ServoInProcess();
  await servo.bench.toHolding();
  source = new PoseSource();
  mapping = new FakeMapping();
  alignment = new FakeAlignment();
  pulses = [];
  inputs = [];
  changes = 0;
  session = new TeleopSession({
    clock: servo.bench.clock,
    config,
    robot: "arm",
    operator: "headset quest3",
    hand: "right",
    scales: { translationScale: 1, rotationScale: 1 },
    connect: () => servo.connect(),
    createMapping: () => mapping,
    alignment,
    onChange: () => void changes++,
    onPulse: (name) => void pulses.push(name),
    onInput: (input) => void inputs.push(input),
  });
  session.open();
  await servo.run(20);
});

afterEach(async () => {
  await session.close();
});

describe("a session", () => {
  it("has the lease only while the clutch is held", async () => {
    await poses(5);
    expect(servo.bench.last).toMatchObject({ state: "holding", commander: "" });
    await engage();
    expect(servo.bench.last).toMatchObject({ state: "following", commander: "teleop headset quest3" });
    source.clutch = 0;
    await poses(1);
    expect(servo.bench.last).toMatchObject({ state: "holding", commander: "" });
    expect(session.state).toBe("ready");
  });

  it("begins each engagement with the setpoint that the arm stands at, to the last bit", async () => {
    await engage();
    await poses(40, {}, moves);
    source.clutch = 0;
    await poses(3, {}, moves);
    await engage();
    const firsts = servo.commands.filter(({ seq }) => seq === 1);
    expect(firsts).toHaveLength(2);
    for (const { positionRad, sentRad } of firsts) expect(positionRad).toEqual(sentRad);
  });

  it("waits until the arm stands when the clutch is pressed again while it brakes", async () => {
    await engage();
    await poses(30, {}, moves);
    source.clutch = 0;
    await poses(1);
    source.clutch = 1;
    await poses(2);
    expect(session.state).toBe("engaging");
    expect(standsStill()).toBe(false);
    await poses(60);
    expect(session.state).toBe("engaged");
    const [, again] = servo.commands.filter(({ seq }) => seq === 1);
    expect(again!.positionRad).toEqual(again!.sentRad);
  });

  it("sends each pose on at once, good for as long as the deadman waits", async () => {
    await engage();
    const { clock } = servo.bench;
    const before = servo.commands.length;
    moves();
    send();
    expect(servo.commands.length).toBe(before + 1);
    const { expiresMs, atMs } = servo.commands.at(-1)!;
    expect(atMs).toBe(clock.nowMs());
    expect(expiresMs - atMs).toBeCloseTo(config.deadman.poseAgeMsMax, 3);
  });

  it("follows the hand", async () => {
    await engage();
    const from = servo.bench.last.sentRad[0]!;
    await poses(25, {}, moves);
    await poses(60);
    expect(servo.bench.last.sentRad[0]! - from).toBeCloseTo(0.2, 3);
    expect(session.status()).toMatchObject({
      state: "engaged",
      source: "webxr",
      device: "quest3",
      operator: "headset quest3",
      alignment: "recentred",
      lost: 0,
    });
    expect(session.status().rateHz).toBeGreaterThan(70);
  });

  it("moves the gripper only while engaged, and only when it is to change", async () => {
    source.changes = { hand: { gripper: 1 } };
    await poses(20);
    expect(servo.grippersM).toEqual([]);
    await engage();
    expect(servo.grippersM).toEqual([0]);
    source.changes = { hand: { gripper: 0.5 } };
    await poses(5);
    expect(servo.grippersM).toEqual([0, 0.04]);
    // The last tenths of a millimetre hold a thin thing.
    source.changes = { hand: { gripper: 0.996 } };
    await poses(5);
    source.changes = { hand: { gripper: 1 } };
    await poses(5);
    expect(servo.grippersM.slice(2)).toEqual([expect.closeTo(0.00032), 0]);
    source.clutch = 0;
    source.changes = { hand: { gripper: 0 } };
    await poses(5);
    expect(servo.grippersM).toHaveLength(4);
  });

  it("knows how long a pose takes to the wire", async () => {
    await engage();
    await poses(80, {}, moves);
    const { toWireMs, toWireP50Ms, toWireP99Ms, mappingMs, filterMs } = session.status().latency;
    for (const figure of [toWireMs, toWireP50Ms, toWireP99Ms]) {
      expect(figure).toBeGreaterThan(0);
      expect(figure).toBeLessThanOrEqual(PERIOD_MS + 0.001);
    }
    expect(mappingMs).toBe(0);
    expect(filterMs).toBe(12);
  });

  it("gives a pulse when it engages and latches, and at a limit now and then", async () => {
    await engage();
    mapping.limitedBy = ["reach"];
    await poses(90);
    mapping.limitedBy = [];
    await poses(1, { hand: { tracked: false } });
    expect(pulses[0]).toBe("engaged");
    expect(pulses.at(-1)).toBe("latched");
    const limits = pulses.filter((name) => name === "limit").length;
    // 90 poses are 1.08 s.
    expect(limits).toBe(4);
  });

  it("scales from the next engagement on", async () => {
    await engage();
    session.scale({ translationScale: 0.5, rotationScale: 1 });
    expect(mapping.translationScale).toBe(1);
    await engage();
    expect(mapping.translationScale).toBe(0.5);
    expect(session.status().translationScale).toBe(0.5);
  });

  it("tells the mapping how far the servo has come, as long as it is known", async () => {
    await engage();
    await poses(20, {}, moves);
    const { sentRad } = servo.bench.last;
    send();
    expect(mapping.sentRad).toEqual([...sentRad]);
    await servo.bench.clock.advance(60);
    send();
    expect(session.state).toBe("engaged");
    expect(mapping.sentRad).toBeUndefined();
  });

  it("passes on what the operator should know of the arm, while it leads", async () => {
    mapping.warning = "The elbow is turned over";
    await poses(2);
    expect(session.status().warning).toBe("");
    await engage();
    expect(session.status().warning).toBe("The elbow is turned over");
    source.clutch = 0;
    await poses(2);
    expect(session.status().warning).toBe("");
  });

  it("leads by the frame of its engage until the clutch opens, whatever is calibrated meanwhile", async () => {
    await engage();
    await poses(10, {}, moves);
    const before = servo.commands.at(-1)!.positionRad[0]!;
    alignment.isReversed = true;
    await poses(10, {}, moves);
    expect(session.state).toBe("engaged");
    expect(servo.commands.at(-1)!.positionRad[0]! - before).toBeCloseTo(10 * 0.004 * RAD_PER_M, 9);
    await engage();
    const again = servo.commands.at(-1)!.positionRad[0]!;
    await poses(10, {}, moves);
    expect(servo.commands.at(-1)!.positionRad[0]! - again).toBeCloseTo(-10 * 0.004 * RAD_PER_M, 9);
  });

  it("tells what became of every pose", async () => {
    await engage();
    const { state, commandSeq, step, message } = inputs.at(-1)!;
    expect({ state, seq: message.seq }).toEqual({ state: "engaged", seq: source.seq });
    expect(commandSeq).toBe(servo.commands.at(-1)!.seq);
    expect([...step!.targetRad]).toEqual(servo.commands.at(-1)!.positionRad);
    expect(inputs[0]).toMatchObject({ state: "ready", commandSeq: 0, step: undefined });
    expect(inputs.length).toBe(source.seq);
    expect(changes).toBeGreaterThan(2);
  });
});

describe("what ends an engagement in mid-motion: hold, say why, need a fresh press", () => {
  const ends: Readonly<
    Record<string, { readonly code: string; readonly happens: () => Promise<void> | void }>
  > = {
    "no more poses": { code: "POSE_OLD", happens: () => servo.run(config.deadman.poseAgeMsMax + 16) },
    "a tracker that teleports": { code: "POSE_JUMP", happens: () => poses(1, { atM: [1, 1, 1] }) },
    "a controller that falls asleep": {
      code: "HAND_GONE",
      happens: () => poses(1, { hand: { hand: "left" } }),
    },
    "a hidden tab": { code: "NOT_VISIBLE", happens: () => poses(1, { visibility: "hidden" }) },
    "a reloaded page": { code: "SESSION_CHANGED", happens: () => poses(1, { session: "session-2", seq: 1 }) },
    "a clock that jumps": { code: "DEVICE_CLOCK", happens: () => poses(1, { deviceTimeMs: 1 }) },
    "a pose that is no number": { code: "MALFORMED", happens: () => poses(1, { atM: [Number.NaN, 1, 0] }) },
    "a message that is no pose": { code: "MALFORMED", happens: () => session.malformed("it is not JSON") },
    "a stop": {
      code: "LEASE_LOST",
      happens: () => {
        void servo.bench.servo.stop(2, "a test wants it");
        return servo.run(12);
      },
    },
    "a lease that is revoked": {
      code: "LEASE_LOST",
      happens: () => {
        servo.bench.servo.revokeLease({ id: 1000, name: "daemon", role: "supervisor" }, "a test");
        return servo.run(12);
      },
    },
    "a servo process that ends": {
      code: "SERVO_GONE",
      happens: () => {
        servo.drop();
        return servo.run(12);
      },
    },
    "a device that faults": {
      code: "LEASE_LOST",
      happens: () => {
        servo.bench.driver.fault("FAKE_FAULT");
        return servo.run(12);
      },
    },
    "a supervisor that is silent": {
      code: "LEASE_LOST",
      happens: async () => {
        servo.bench.supervised = false;
        await poses(120, {}, moves);
        servo.bench.supervised = true;
      },
    },
    "a mapping that fails": {
      code: "MAPPING_FAILED",
      happens: () => {
        mapping.step = () => {
          throw new Error("no way");
        };
        return poses(1);
      },
    },
  };

  it.each(Object.entries(ends))("%s", async (_, { code, happens }) => {
    await engage();
    await poses(20, {}, moves);
    expect(standsStill()).toBe(false);
    await happens();
    await expectHold(code);
    expect(pulses.at(-1)).toBe("latched");
  });

  it("a servo that is back after its end is found again, and asks for enabling", async () => {
    await engage();
    servo.isDown = true;
    servo.drop();
    await poses(60, {}, moves);
    expect(session.why?.code).toBe("SERVO_GONE");
    servo.isDown = false;
    await servo.run(600);
    await engage();
  });

  it("a servo that says nothing any more", async () => {
    await engage();
    const { clock } = servo.bench;
    for (let i = 0; i < 30; i++) {
      send();
      await clock.advance(12);
    }
    expect(session.why?.code).toBe("SERVO_SILENT");
  });
});

describe("a press that cannot be", () => {
  async function pressed(): Promise<void> {
    source.clutch = 0;
    await poses(2);
    source.clutch = 1;
    await poses(4);
  }

  it("says so while the robot is not enabled, with the remedy", async () => {
    void servo.bench.servo.stop(2, "a test");
    await servo.run(12);
    await pressed();
    expect(session.why).toMatchObject({
      code: "ROBOT_NOT_READY",
      happened: expect.stringContaining("stopped"),
      remedy: expect.stringMatching(/[Rr]eset/),
    });
    await servo.bench.servo.reset();
    await servo.run(8);
    await pressed();
    expect(session.why).toMatchObject({ code: "ROBOT_NOT_READY", remedy: expect.stringMatching(/^Enable/) });
    await servo.recover();
    await servo.run(8);
    await engage();
  });

  it("says so while somebody else commands the robot", async () => {
    const other = { id: 77, name: "policy", role: "commander" } as const;
    servo.bench.lease(other);
    await servo.run(8);
    await pressed();
    expect(session.why).toMatchObject({ code: "LEASE_REFUSED", happened: expect.stringContaining("policy") });
    servo.bench.servo.gone(other);
    await servo.run(8);
    await engage();
  });

  it("says so while the frame is not known", async () => {
    alignment.isKnown = false;
    await pressed();
    expect(session.why).toMatchObject({
      code: "NOT_ALIGNED",
      remedy: expect.stringContaining("recentre (B)"),
    });
    expect(session.recentre()).toBeUndefined();
    await engage();
    // Turning the way in which the hand leads is nothing to do while it leads.
    expect(session.recentre()).toMatchObject({ code: "TELEOP_REFUSED" });
    expect(alignment.recentred).toBe(1);
  });

  it("that is let go before the lease comes leaves nothing behind", async () => {
    source.clutch = 0;
    send();
    source.clutch = 1;
    send();
    expect(session.state).toBe("engaging");
    source.clutch = 0;
    send();
    await servo.run(40);
    expect(servo.bench.last).toMatchObject({ state: "holding", commander: "" });
    expect(servo.commands).toEqual([]);
  });
});

describe("giving back in mid-motion", () => {
  it("lets the arm brake and belong to nobody", async () => {
    await engage();
    await poses(20, {}, moves);
    await session.close();
    expect(session.state).toBe("off");
    await poses(60, {}, moves);
    expect(standsStill()).toBe(true);
    expect(servo.bench.last).toMatchObject({ state: "holding", commander: "" });
  });
});
