import { beforeEach, describe, expect, it } from "vitest";
import { addNs, measureMapping, msToNs, toEpochNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { SimClock } from "../../core/simClock.js";
import { FakeFrames, FakeServo } from "../../test/support/policy/fakes.js";
import type { Actor, Observation } from "./actor.js";
import { PolicyRunner, type RunnerOptions, type RunPhase } from "./runner.js";
import type { StepRecord } from "./steps.js";

let clock: SimClock;
let servo: FakeServo;
let frames: FakeFrames;
let records: StepRecord[];
let phases: RunPhase[];
let stop: AbortController;
let action: (observation: Observation) => number[] | Promise<number[]>;
const actor: Actor = {
  act: (observation) => action(observation),
  parts: { preprocessMs: 1, encodeMs: 2, controlMs: 3 },
};

beforeEach(() => {
  clock = new SimClock();
  servo = new FakeServo(clock);
  frames = new FakeFrames(clock, measureMapping(clock));
  [records, phases] = [[], []];
  stop = new AbortController();
  action = () => [0.01, -0.02];
});

/** Moves time on, letting everything that is due before and after run. */
async function pass(ms: number) {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  await clock.advance(ms);
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

/** Starts a run; `result` turns into what it ended with: "stopped" or the error's code. */
async function start(change: Partial<RunnerOptions> = {}) {
  const runner = new PolicyRunner({
    clock,
    servo,
    frames,
    actor,
    mapping: measureMapping(clock),
    name: "policy",
    rateHz: 5,
    expiryMs: 500,
    bounds: { clipRad: 0.15 },
    frameAgeMsMax: 150,
    onStep: (record) => records.push(record),
    onPhase: (phase) => phases.push(phase),
    ...change,
  });
  const run = { runner, result: "" };
  void runner.run(stop.signal).then(
    () => (run.result = "stopped"),
    (error: unknown) => (run.result = error instanceof CerebellumError ? error.code : String(error)),
  );
  await pass(0);
  return run;
}

/** One policy period with a fresh frame taken `ageMs` before the next step. */
async function period(ageMs = 60) {
  await pass(200 - ageMs);
  frames.push();
  await pass(ageMs);
  servo.publish();
}

describe("a policy step", () => {
  it("adds the action to the positions measured at the image's time, not to the newest", async () => {
    const t0 = clock.nowNs();
    servo.follows = false;
    servo.history = (atNs) => [Number(atNs - t0) / 1e9, 7];
    frames.push();
    await start();
    await period(60);
    expect(servo.commands).toHaveLength(2);
    expect(servo.commands[1]!.positionRad[0]).toBeCloseTo(0.14 + 0.01, 9);
    expect(servo.commands[1]!.positionRad[1]).toBeCloseTo(7 - 0.02, 9);
  });

  it("expires its command a fixed time after the step began, even when the actor was slow", async () => {
    action = async () => {
      await clock.sleepUntil(addNs(clock.nowNs(), msToNs(90)));
      return [0, 0];
    };
    frames.push();
    await start();
    await pass(100);
    servo.publish();
    const [command] = servo.commands;
    expect(Number(command!.expiresNs - records[0]!.startNs) / 1e6).toBe(500);
    expect(Number(command!.atNs - records[0]!.startNs) / 1e6).toBeCloseTo(90, 5);
  });

  it("sends nothing when the actor took longer than the expiry", async () => {
    action = async () => {
      await clock.sleepUntil(addNs(clock.nowNs(), msToNs(501)));
      return [0, 0];
    };
    frames.push();
    await start();
    await pass(502);
    expect(servo.commands).toHaveLength(0);
    expect(records[0]).toMatchObject({ refusal: "expired" });
  });

  it("keeps its grid: late steps skip places and never shift the rest", async () => {
    const t0 = clock.nowNs();
    let slow = true;
    action = async () => {
      frames.push();
      if (slow) await clock.sleepUntil(addNs(clock.nowNs(), msToNs(450)));
      slow = false;
      return [0, 0];
    };
    frames.push();
    await start();
    await pass(1000);
    const places = records.map((record) => Math.round(Number(record.dueNs - t0) / 1e6));
    expect(places.slice(0, 3)).toEqual([0, 600, 800]);
    expect(records[1]!.skippedSteps).toBe(2);
    expect(records[2]!.skippedSteps).toBe(0);
  });

  it("clips each joint and counts it", async () => {
    action = () => [0.5, -0.01];
    frames.push();
    await start();
    await pass(1);
    servo.publish();
    expect([...(servo.commands[0]!.positionRad as number[])]).toEqual([0.15, -0.01]);
    expect(records[0]).toMatchObject({
      clippedCount: 1,
      outputRad: [0.5, -0.01],
      actionRad: [0.15, -0.01],
      gripperOpeningM: 0.08,
    });
  });

  it("keeps what the actor answered to the last bit, though the actor uses its memory again", async () => {
    const memory = new Float32Array(2);
    let value = 0;
    action = () => {
      memory.fill((value += 0.013));
      return memory as unknown as number[];
    };
    frames.push();
    await start();
    await period();
    await period();
    expect(records[0]!.outputRad).toEqual([Math.fround(0.013), Math.fround(0.013)]);
    expect(records[1]!.outputRad).toEqual([Math.fround(0.026), Math.fround(0.026)]);
  });

  it("learns from the servo when its command left for the device", async () => {
    frames.push();
    await pass(40);
    const { runner } = await start();
    await pass(1);
    servo.publish();
    expect(records[0]!.imageToWireMs).toBeCloseTo(42, 5);
    expect(records[0]).toMatchObject({ imageAgeMs: 40, queueMs: 40, encodeMs: 2, commandSeq: 1 });
    expect(runner.statistics().parts.imageToWire.maxMs).toBeCloseTo(42, 5);
  });
});

describe("a policy that moves the gripper", () => {
  const bounds = {
    clipRad: 0.15,
    gripper: { kind: "opening", unit: "m", minM: 0, maxM: 0.08 },
  } as const;

  it("asks for its opening with the same expiry as its joints, and only when it is news", async () => {
    let openingM = 0.05;
    action = () => [0.01, -0.02, openingM];
    frames.push();
    await start({ bounds });
    await period();
    expect(servo.openingsM).toEqual([0.05]);
    expect(servo.openingExpiresNs).toEqual([servo.commands[0]!.expiresNs]);
    openingM = 0.0505;
    await period();
    expect(servo.openingsM).toEqual([0.05]);
    openingM = -0.2;
    await period();
    expect(servo.openingsM).toEqual([0.05, 0]);
    expect(records.at(-1)).toMatchObject({
      gripperOutputM: -0.2,
      gripperTargetM: 0,
      outputRad: [0.01, -0.02],
    });
  });

  it("asks again when the servo has not taken an opening", async () => {
    servo.takesOpenings = false;
    action = () => [0, 0, 0.05];
    frames.push();
    await start({ bounds });
    await period();
    await period();
    expect(servo.openingsM.length).toBeGreaterThan(1);
  });

  it("moves nothing while the gripper's opening is not known", async () => {
    servo.gripperOpeningM = Number.NaN;
    action = () => [0.01, -0.02, 0.05];
    frames.push();
    const { runner } = await start({ bounds });
    await period();
    expect(servo.commands).toHaveLength(0);
    expect(servo.openingsM).toEqual([]);
    expect(runner.statistics().refusals).toEqual({ noGripper: 2 });
  });

  it.each([
    ["came too late", 501, {}, "expired"],
    ["is held back", 1, { cancelled: () => true }, "cancelled"],
  ] as const)("asks for no opening when its step %s", async (_, ms, change, refusal) => {
    action = async () => {
      await clock.sleepUntil(addNs(clock.nowNs(), msToNs(ms)));
      return [0, 0, 0.02];
    };
    frames.push();
    await start({ bounds, ...change });
    await pass(ms + 1);
    expect(servo.openingsM).toEqual([]);
    expect(records[0]).toMatchObject({ refusal, gripperTargetM: 0.02 });
  });

  it("ends with an opening that is no number; neither arm nor gripper is told anything", async () => {
    action = () => [0, 0, Number.NaN];
    frames.push();
    const run = await start({ bounds });
    await pass(1);
    expect(run.result).toBe("POLICY_OUTPUT_INVALID");
    expect(servo.commands).toHaveLength(0);
    expect(servo.openingsM).toEqual([]);
    expect(servo.releasedCount).toBe(1);
  });
});

describe("a frame in doubt gives no command", () => {
  const refusalOf = () => records.at(-1)?.refusal;

  it("none yet", async () => {
    await start();
    await pass(1);
    expect(refusalOf()).toBe("noFrame");
    expect(servo.commands).toHaveLength(0);
  });

  it("too old by its stamp, though received just now", async () => {
    frames.push({ stampNs: toEpochNs(measureMapping(clock), addNs(clock.nowNs(), -msToNs(151))) });
    await start();
    expect(refusalOf()).toBe("staleFrame");
  });

  it("old by its arrival, though its stamp is new", async () => {
    frames.push({ receivedNs: addNs(clock.nowNs(), -msToNs(151)) });
    await start();
    expect(refusalOf()).toBe("staleFrame");
  });

  it("stamped in the future", async () => {
    frames.push({ stampNs: toEpochNs(measureMapping(clock), addNs(clock.nowNs(), msToNs(50))) });
    await start();
    expect(refusalOf()).toBe("futureFrame");
  });

  it("the same frame again", async () => {
    frames.push();
    await start({ frameAgeMsMax: 1000 });
    await pass(200);
    expect(refusalOf()).toBe("repeatedFrame");
    expect(servo.commands).toHaveLength(1);
  });

  it("the same stamp or the same pixels under a new number", async () => {
    const { stampNs, pixels } = frames.push();
    await start({ frameAgeMsMax: 1000 });
    await pass(199);
    frames.push({ stampNs });
    await pass(1);
    expect(refusalOf()).toBe("repeatedFrame");
    await pass(199);
    frames.push({ pixels: Uint8Array.from(frames.newest()!.pixels) });
    await pass(1);
    expect(refusalOf()).toBe("repeatedFrame");
    await pass(199);
    frames.push({ pixels: Uint8Array.from(pixels) });
    await pass(1);
    expect(servo.commands).toHaveLength(2);
  });

  it("a number that went backwards, once; after that the new count is believed", async () => {
    frames.push({ sequence: 1000 });
    await start();
    await pass(199);
    frames.push({ sequence: 1 });
    await pass(1);
    expect(refusalOf()).toBe("backwardsFrame");
    await period();
    await pass(1);
    expect(servo.commands).toHaveLength(2);
  });

  it("then goes on by itself, with every refusal counted by its reason", async () => {
    const { runner } = await start();
    await pass(400);
    await period();
    await period();
    const { refusals, commands } = runner.statistics();
    expect(refusals).toEqual({ noFrame: 3 });
    expect(commands).toBe(2);
  });
});

describe("a robot in doubt gets no command", () => {
  it("without a position for the image's time", async () => {
    servo.history = () => undefined;
    frames.push();
    await start();
    await pass(1);
    expect(records[0]?.refusal).toBe("noJointState");
    expect(servo.commands).toHaveLength(0);
  });

  it("while the servo is not ready", async () => {
    servo.state = "stopping";
    frames.push();
    await start();
    await pass(1);
    expect(records[0]?.refusal).toBe("servoNotReady");
  });
});

describe("the end of a run", () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY])("an action of %d stops the policy", async (bad) => {
    frames.push();
    const run = await start();
    action = () => [0, bad];
    await period();
    expect(run.result).toBe("POLICY_OUTPUT_INVALID");
    expect(servo.commands).toHaveLength(1);
    expect(servo.releasedCount).toBe(1);
    await period();
    expect(servo.commands).toHaveLength(1);
  });

  it("a stop during the inference keeps its command back", async () => {
    let cancelled = false;
    action = () => {
      cancelled = true;
      return [0, 0];
    };
    frames.push();
    await start({ cancelled: () => cancelled });
    await pass(1);
    expect(servo.commands).toHaveLength(0);
    expect(records[0]?.refusal).toBe("cancelled");
  });

  it("a stop gives the lease back and sends nothing more", async () => {
    frames.push();
    const run = await start();
    await pass(100);
    stop.abort();
    await period();
    expect(run.result).toBe("stopped");
    expect(servo.commands).toHaveLength(1);
    expect(servo.releasedCount).toBe(1);
  });

  it("a lost lease or a closed link ends it with the reason", async () => {
    frames.push();
    const first = await start();
    servo.leaseLost.abort();
    await pass(1);
    expect(first.result).toBe("LEASE_REFUSED");
    const second = await start();
    await servo.close();
    await pass(1);
    expect(second.result).toBe("LINK_CLOSED");
  });

  it("a refused lease never moves the robot", async () => {
    servo.refuseLease = new CerebellumError("LEASE_REFUSED", "teleop commands", "Stop it first");
    const run = await start();
    expect(run.result).toBe("LEASE_REFUSED");
    expect(phases).toEqual([]);
  });
});

describe("the guarded approach", () => {
  const approach = { positionRad: [0.5, -0.3], gripperOpeningM: 0.07, speedScale: 0.3 };

  it("streams the slow target with short expiry until the robot has settled there, then runs", async () => {
    servo.follows = false;
    frames.push();
    await start({ approach });
    await pass(500);
    expect(phases).toEqual(["approaching"]);
    expect(servo.commands.length).toBeGreaterThanOrEqual(10);
    for (const command of servo.commands) {
      expect(command).toMatchObject({ positionRad: [0.5, -0.3], speedScale: 0.3 });
      expect(Number(command.expiresNs - command.atNs) / 1e6).toBe(250);
    }
    servo.positionRad = [0.49, -0.3];
    servo.velocityRadPerS = [0.1, 0];
    await pass(500);
    expect(phases).toEqual(["approaching"]);
    servo.velocityRadPerS = [0.001, 0];
    await pass(150);
    expect(phases).toEqual(["approaching"]);
    await pass(150);
    expect(phases).toEqual(["approaching", "running"]);
    expect(servo.openingsM).toEqual([0.07]);
  });

  it("gives up in bounded time and names the joint", async () => {
    servo.follows = false;
    const run = await start({ approach });
    await pass(6000 + 2000 * (0.5 / 0.3) - 100);
    expect(run.result).toBe("");
    await pass(300);
    expect(run.result).toBe("TIMED_OUT");
    expect(servo.releasedCount).toBe(1);
  });

  it.each([
    ["a finger that sags has arrived when its setpoint has", "allegro", [0.4, -0.2], "running"],
    ["an arm that is as far off has not", "xarm7", [0.4, -0.2], "approaching"],
    ["nor has a finger that something holds back", "allegro", [0.29, -0.3], "approaching"],
  ])("%s", async (_what, device, positionRad, phase) => {
    servo.info.device = device;
    servo.follows = false;
    servo.positionRad = [0, 0];
    await start({ approach });
    await pass(500);
    expect(phases).toEqual(["approaching"]);
    servo.positionRad = positionRad;
    await pass(500);
    expect(phases.at(-1)).toBe(phase);
  });

  it("stops at once when told to", async () => {
    servo.follows = false;
    const run = await start({ approach });
    await pass(120);
    const sent = servo.commands.length;
    stop.abort();
    await pass(1000);
    expect(run.result).toBe("stopped");
    expect(servo.commands).toHaveLength(sent);
  });

  it("ends within 100 ms of a step of the system's clock, and gives the lease back", async () => {
    const run = await start();
    for (let step = 0; step < 3; step++) await period();
    expect(servo.commands.length).toBeGreaterThan(0);
    clock.stepEpoch(50);
    await pass(100);
    expect(run.result).toBe("CLOCK_STEPPED");
    expect(servo.releasedCount).toBe(1);
    const after = servo.commands.length;
    await pass(1000);
    expect(servo.commands.length).toBe(after);
  });
});
