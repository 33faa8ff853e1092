/** A policy without pictures on a robot on legs, in simulated time: pace, command, start, refusals, replay. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { addNs, msToNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { createFloatingBase, type FloatingBase } from "../../core/floatingBase.js";
import { SimClock } from "../../core/simClock.js";
import { BODIES } from "../../policies/history/bodies.js";
import type { HistoryPipeline } from "../../policies/history/pipeline.js";
import { openHistoryPolicy } from "../../policies/history/verify.js";
import { FakeServo } from "../../test/support/policy/fakes.js";
import { firstDifference } from "../../test/support/policy/historyReplay.js";
import type { ServoSnapshot } from "../servo/api.js";
import { HistoryRunner, type HistoryRunnerOptions } from "./historyRunner.js";
import type { StepRecord } from "./steps.js";
import { VelocityMailbox } from "./velocity.js";

const bundle = (name: string) => fileURLToPath(new URL(`../../policies/bundles/${name}`, import.meta.url));
const { joints, passiveJoints } = BODIES.digit;

/** Stands where it is told, and reports every tick that a test makes. */
class FakeLegs extends FakeServo {
  override readonly info = {
    robot: "digit",
    device: "digit",
    rateHz: 1000,
    limits: { ...new FakeServo(new SimClock()).info.limits, jointNames: [...joints] },
    identity: undefined,
    realtimePriority: 0,
    processId: 1,
    supervisorSilenceMsMax: 1000,
  };
  tick = 0;
  base: FloatingBase | undefined = createFloatingBase(passiveJoints.length);
  stateAgeMs = 1;
  sentRad: number[] = [];

  override latest(): ServoSnapshot {
    const newest = super.latest();
    return {
      ...newest,
      tick: this.tick,
      stateNs: addNs(newest.tickNs, -msToNs(this.stateAgeMs)),
      velocityRadPerS: new Float64Array(joints.length),
      sentRad: Float64Array.from(this.sentRad),
      base: this.base,
    };
  }
}

let stand: HistoryPipeline;
let random: HistoryPipeline;
beforeAll(async () => {
  [stand, random] = (
    await Promise.all(["digit-stand", "digit-random"].map((name) => openHistoryPolicy(bundle(name))))
  ).map(({ pipeline }) => pipeline) as [HistoryPipeline, HistoryPipeline];
});
afterAll(async () => {
  await stand.release();
  await random.release();
});

let clock: SimClock;
let servo: FakeLegs;
let records: StepRecord[];
let stop: AbortController;
let velocity: VelocityMailbox;
let run: { runner: HistoryRunner; result: string; text: string };

beforeEach(() => {
  clock = new SimClock();
  servo = new FakeLegs(clock);
  servo.follows = false;
  const { start } = stand.manifest;
  servo.positionRad = start.positionRad.map((rad) => rad + 0.01);
  servo.sentRad = start.positionRad.map((rad) => rad + 0.02);
  records = [];
  stop = new AbortController();
  velocity = new VelocityMailbox();
});

/** Inference runs on its own: real turns of the event loop are let by until nothing is under way. */
const settle = async () => {
  for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve));
};

async function start(change: Partial<HistoryRunnerOptions> = {}) {
  const runner = new HistoryRunner({
    clock,
    servo,
    actor: stand,
    manifest: stand.manifest,
    velocity,
    name: "policy",
    onStep: (record) => records.push(record),
    ...change,
  });
  run = { runner, result: "", text: "" };
  void runner.run(stop.signal).then(
    () => (run.result = "stopped"),
    (thrown: unknown) => {
      run.result = thrown instanceof CerebellumError ? thrown.code : String(thrown);
      run.text = String(thrown);
    },
  );
  await settle();
}

/** Twenty ticks, of which the last one's snapshot comes. */
async function period(ticks = 20, change: () => void = () => {}) {
  await clock.advance(ticks);
  servo.tick += ticks;
  change();
  servo.publish();
  await settle();
}

describe("a step of a robot on legs", () => {
  it("is commanded from each snapshot, with gains, valid for a fixed time from its tick", async () => {
    await start();
    for (let step = 0; step < 3; step++) await period();
    expect(servo.commands).toHaveLength(3);
    const { expiryMs } = stand.manifest;
    const [first, , third] = servo.commands;
    expect(Number(third!.expiresNs - first!.expiresNs) / 1e6).toBe(40);
    expect(Number(first!.expiresNs - first!.atNs) / 1e6).toBe(expiryMs);
    expect(first!.inputAgeMs).toBe(1);
    expect(Array.from(first!.gains!.stiffnessNmPerRad)).toEqual(stand.manifest.start.stiffnessNmPerRad);
    expect(run.runner.statistics()).toMatchObject({ steps: 2, commands: 2, skippedSteps: 0 });
  });

  it("begins with what the servo held and comes to the policy's own in its time", async () => {
    await start();
    const { blendMs, positionRad } = stand.manifest.start;
    const steps = blendMs / 20;
    for (let step = 0; step <= steps; step++) await period();
    const joint = 3;
    const at = (step: number) => servo.commands[step]!.positionRad[joint]!;
    expect(at(0)).toBe(servo.sentRad[joint]);
    expect(at(steps / 2)).toBeCloseTo(positionRad[joint]! + 0.01, 9);
    expect(at(steps)).toBeCloseTo(positionRad[joint]!, 9);
  });

  it("counts the steps that were missed, and its clock goes on by the ticks", async () => {
    await start({ manifest: { ...random.manifest, motion: "allowed" }, actor: random });
    await period();
    await period(60);
    await period();
    stop.abort();
    await settle();
    expect(records.map(({ skippedSteps }) => skippedSteps)).toEqual([0, 2, 0]);
    expect(records.map(({ reading }) => reading!.timeS)).toEqual([0, 0.06, 0.08]);
    expect(run.result).toBe("stopped");
    expect(servo.releasedCount).toBe(1);
  });

  it("learns when its command left for the device", async () => {
    await start();
    await period();
    await period();
    expect(records[0]).toMatchObject({ commandSeq: 1, stateAgeMs: 1, stateToWireMs: 3 });
  });

  it("walks as it was asked to for as long as that counts", async () => {
    await start({ manifest: { ...random.manifest, motion: "allowed" }, actor: random });
    const ask = () => velocity.put({ forwardMPerS: 0.5, leftMPerS: 0.05, yawRateRadPerS: -2 }, clock.nowNs());
    await period(20, ask);
    for (let step = 0; step < 26; step++) await period();
    stop.abort();
    await settle();
    const slots = random.manifest.observation.map(({ source }) => source);
    const asked = records.map(({ reading }) => reading!.command);
    expect(slots.lastIndexOf("velocity-command")).toBe(65);
    expect(asked[0]).toEqual([0.5, 0.05, -2]);
    expect(asked[25]).toEqual([0.5, 0.05, -2]);
    expect(asked[26]).toEqual([0, 0, 0]);
  });

  it.each<[string, () => void, string]>([
    ["the state is old", () => (servo.stateAgeMs = stand.manifest.expiryMs + 1), "stateOld"],
    ["the servo lets go", () => (servo.state = "stopped"), "servoNotReady"],
    ["the base is not known", () => (servo.base = undefined), "noJointState"],
  ])("gives no command while %s", async (_, change, refusal) => {
    await start();
    await period();
    await period(20, change);
    expect(servo.commands).toHaveLength(1);
    expect(records.at(-1)).toMatchObject({ refusal });
  });

  it("gives no command once it was cancelled, or when the actor took longer than the expiry", async () => {
    let cancelled = false;
    const slow = {
      reset: () => stand.reset(),
      step: async (reading: Parameters<HistoryPipeline["step"]>[0]) => {
        if (servo.tick > 40)
          await clock.sleepUntil(addNs(clock.nowNs(), msToNs(stand.manifest.expiryMs + 1)));
        return stand.step(reading);
      },
    };
    await start({ cancelled: () => cancelled, actor: slow });
    await period();
    cancelled = true;
    await period();
    cancelled = false;
    await period();
    await clock.advance(stand.manifest.expiryMs + 10);
    await settle();
    expect(records.map(({ refusal }) => refusal)).toEqual([undefined, "cancelled", "expired"]);
    expect(servo.commands).toHaveLength(1);
  });
});

describe("a run on legs", () => {
  it("is refused for a policy that may not move a robot, before it asks for the robot", async () => {
    await start({ manifest: random.manifest, actor: random });
    expect(run.result).toBe("COMMAND_REFUSED");
    expect(run.text).toMatch(/digit-random is refused for motion: Its weights are random/);
    expect(servo.releasedCount).toBe(0);
  });

  it.each<[string, () => void, RegExp]>([
    [
      "a joint is off, naming the furthest",
      () => {
        servo.positionRad[3] = 0.9;
        servo.positionRad[7]! += 0.3;
      },
      /left_knee is at 0\.900 rad, expected 0\.\d+ within 0\.2/,
    ],
    [
      "it leans",
      () => servo.base!.quatWorldBaseXyzw.set([0, Math.sin(0.2), 0, Math.cos(0.2)]),
      /leans 0\.40 rad/,
    ],
    ["it does not stand", () => (servo.state = "connected"), /it is connected and does not stand/],
  ])("does not begin when %s", async (_, change, text) => {
    change();
    await start();
    await period();
    expect(run.result).toBe("NOT_ENABLED");
    expect(run.text).toMatch(text);
    expect(servo.commands).toHaveLength(0);
    expect(servo.releasedCount).toBe(1);
  });

  it("ends when the servo falls silent, and when the lease is lost", async () => {
    await start();
    await period();
    await clock.advance(20);
    await settle();
    await clock.advance(501);
    await settle();
    expect(run.result).toBe("LINK_SILENT");
    await start();
    servo.leaseLost.abort();
    await settle();
    expect(run.result).toBe("LEASE_REFUSED");
  });

  it("ends on a number that is none, naming the slot", async () => {
    await start();
    await period();
    servo.positionRad[4] = Number.NaN;
    await period();
    expect(run.result).toBe("POLICY_INPUT_INVALID");
    expect(run.text).toMatch(/left_toe_A/);
  });

  it("needs a servo whose rate is a multiple of its own", async () => {
    const manifest = { ...stand.manifest, rateHz: 48 };
    expect(() => new HistoryRunner({ clock, servo, actor: stand, manifest, velocity, name: "" })).toThrow(
      /48 Hz, which is no whole part of the servo's 1000 Hz/,
    );
  });
});

describe("recorded steps", () => {
  it("computed anew from what they say they were given are the same bits; one bit off is named", async () => {
    await start({ manifest: { ...random.manifest, motion: "allowed" }, actor: random });
    for (let step = 0; step < 24; step++) {
      await period(step === 9 ? 40 : 20, () => {
        servo.positionRad = servo.positionRad.map((rad, joint) => rad + 0.003 * Math.sin(step + joint));
        servo.base!.angularVelocityBaseRadPerS[1] = 0.1 * Math.cos(step);
      });
    }
    stop.abort();
    await settle();
    // As they come back from a file.
    const kept = JSON.parse(
      JSON.stringify(records, (_, value) => (typeof value === "bigint" ? `${value}` : value)),
    );
    expect(kept).toHaveLength(24);
    expect(await firstDifference(random, kept)).toBeUndefined();
    kept[17].outputRad[22] = Math.fround(kept[17].outputRad[22] * (1 + 2 ** -23));
    expect(await firstDifference(random, kept)).toMatchObject({ step: 17, slot: "stiffness:left_hip_pitch" });
    kept[5].reading.positionRad[3] += 1e-4;
    expect(await firstDifference(random, kept)).toMatchObject({ step: 5 });
  });
});

describe("a rehearsal", () => {
  /** What `random` does, and when it rehearses after the newest tick [ms]. */
  class Rehearsing {
    readonly atMs: number[] = [];
    tickMs = 0;
    reset = () => random.reset();
    step = (reading: Parameters<HistoryPipeline["step"]>[0]) => random.step(reading);
    rehearse = () => {
      this.atMs.push(clock.nowMs() - this.tickMs);
      return random.rehearse();
    };
  }
  const manifest = () => ({ ...random.manifest, motion: "allowed" as const });
  const outputs = () => records.map(({ outputRad }) => outputRad);

  async function steps(actor: Pick<HistoryPipeline, "reset" | "step"> & { tickMs?: number }, count: number) {
    records = [];
    random.reset();
    await start({ actor, manifest: manifest() });
    for (let step = 0; step < count; step++) {
      servo.positionRad[3] = random.manifest.start.positionRad[3]! + 0.02 * Math.sin(step);
      await period(20, () => (actor.tickMs = clock.nowMs()));
    }
    stop.abort();
    await settle();
    stop = new AbortController();
    return outputs();
  }

  it("comes shortly before each snapshot is due, and changes no bit of any answer", async () => {
    const actor = new Rehearsing();
    const rehearsed = await steps(actor, 20);
    expect(actor.atMs.length).toBeGreaterThanOrEqual(18);
    for (const afterMs of actor.atMs) expect(afterMs).toBeCloseTo(16.5, 6);
    const plain = await steps({ reset: () => random.reset(), step: (reading) => random.step(reading) }, 20);
    expect(rehearsed).toHaveLength(20);
    expect(rehearsed).toEqual(plain);
  });

  it("is left out when the next snapshot has come already, or is due at once", async () => {
    const actor = new Rehearsing();
    let pass = () => {};
    const slow = {
      reset: actor.reset,
      rehearse: actor.rehearse,
      step: async (reading: Parameters<HistoryPipeline["step"]>[0]) => {
        await new Promise<void>((resolve) => {
          pass = resolve;
        });
        return random.step(reading);
      },
    };
    await start({ actor: slow, manifest: manifest() });
    await period();
    await clock.advance(18);
    pass();
    await settle();
    expect(servo.commands).toHaveLength(1);
    expect(actor.atMs).toEqual([]);
    await clock.advance(2);
    servo.tick += 20;
    servo.publish();
    await settle();
    await period();
    pass();
    await settle();
    expect(actor.atMs).toEqual([]);
  });
});
