/**
 * A motion is made through a real servo process into the emulated controller, recorded from its snapshots, and replayed.
 * The witness is the controller's own log: the angle bytes of every setpoint, in both runs, one after the other.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addNs, asEpochNs, msToNs } from "../../core/clock.js";
import type { ServoTick } from "../../episodes/messages.js";
import { TOOL_POINT_FLANGE_M } from "../../kinematics/xarm7.js";
import { xarm7Body } from "../../kinematics/xarm7Collision.js";
import type { EmulatorPorts } from "../../lab/xarm7/emulator.js";
import { makeThisThreadEager } from "../../launch/realtime.js";
import { systemClock } from "../../launch/systemClock.js";
import { recorded } from "../../test/support/replay/motionTicks.js";
import { angleBytes, largestStepRad, sameStretch } from "../../test/support/replay/wireRows.js";
import { HOME_RAD, JsonProcess, keepOwnTime, ServoRig, until } from "../../test/support/servoRig.js";
import { type Lease, REASON_BITS, type ServoClient, type ServoSnapshot } from "../servo/api.js";
import { ServoConfig } from "../servo/config.js";
import { planReplay, type ReplayPlan } from "./plan.js";
import { type ReplayOutcome, runReplay } from "./replayer.js";

/** Five ticks in a row that leave nothing let the arm come to rest in the middle: then it is all done again. */
const ATTEMPTS = 5;
const config = ServoConfig.parse({});

describe("a replay into the emulated controller", () => {
  let emulator: JsonProcess;
  let rig: ServoRig;
  let supervisor: ServoClient;

  beforeEach(async () => {
    emulator = new JsonProcess("xarm7EmulatorMain.js", [
      JSON.stringify({ positionRad: HOME_RAD, setpointPeriodMs: 4 }),
    ]);
    const { ports } = (await emulator.read()) as { ports: EmulatorPorts };
    keepOwnTime(emulator);
    makeThisThreadEager();
    rig = new ServoRig(ports);
    await rig.start();
    supervisor = await rig.connectSupervisor();
    await supervisor.enable();
    await rig.inState("holding");
  });
  afterEach(async () => {
    await rig.close();
    emulator.process.kill("SIGKILL");
  });

  const wire = async () => {
    const { records, dropped } = (await emulator.ask({ do: "log", form: "records", since: 0 })) as {
      records: Parameters<typeof angleBytes>[0];
      dropped: number;
    };
    expect(dropped).toBe(0);
    return angleBytes(records);
  };
  const command = (lease: Lease, positionRad: readonly number[], validMs = 400) =>
    lease.command({ positionRad, expiresNs: addNs(systemClock.nowNs(), msToNs(validMs)) });

  /** Lets an observer see everything while `work` commands the arm, then waits until it stands. */
  async function watch(work: (lease: Lease) => Promise<void>) {
    await emulator.ask({ do: "clearLog" });
    const observer = await rig.connect("observer");
    const seen: ServoSnapshot[] = [];
    observer.onSnapshot((snapshot) => void seen.push(snapshot));
    await until("rest before it", () => seen.length > 10);
    const commander = await rig.connect("commander", "demonstrator");
    const lease = await commander.acquireLease("demonstrator");
    await work(lease);
    lease.release();
    await until("rest", () => rig.standsStill());
    const ticks = seen.map(tickOfSnapshot);
    await observer.close();
    await commander.close();
    return { ticks, frames: await wire() };
  }

  const target = () => ({
    model: supervisor.info.identity!.model,
    rateHz: 250,
    limits: {
      ...supervisor.info.limits,
      workspace: config.workspace,
      selfCollisionMarginM: config.selfCollision.marginM,
    },
    body: xarm7Body({ gripper: "xarm", toolPointM: TOOL_POINT_FLANGE_M, attached: [] }),
  });

  async function replay(plan: ReplayPlan, during: () => Promise<void> = async () => {}) {
    await emulator.ask({ do: "clearLog" });
    const commander = await rig.connect("commander", "replay");
    const lease = await commander.acquireLease("replay");
    const running = runReplay(systemClock, commander, lease, plan, {
      approachSpeedScale: 0.6,
      expiryMsMax: config.commandExpiryMsMax,
      ended: new AbortController().signal,
      onStart: during,
    });
    const outcome = await running;
    await until("rest", () => rig.standsStill());
    await commander.close();
    return { outcome, frames: await wire() };
  }

  /** Records `work` and replays it until neither was torn apart by a machine that was too busy. */
  async function recordAndReplay(work: (lease: Lease) => Promise<void>) {
    const troubles: string[] = [];
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const made = await watch(work);
      const motion = recorded(made.ticks, { model: supervisor.info.identity!.model });
      let plan: ReplayPlan;
      try {
        plan = planReplay(motion, target(), 1);
      } catch (thrown) {
        troubles.push(String(thrown));
        continue;
      }
      // Somewhere else in between, so that the way to the start is a real one.
      await watch(async (lease) => {
        for (let i = 0; i < 5; i++) {
          command(
            lease,
            HOME_RAD.map((value) => value + 0.25),
          );
          await sleep(200);
        }
      });
      const { outcome, frames } = await replay(plan);
      if (outcome.stoppedBecause === undefined && plan.isExact) return { plan, made, outcome, frames };
      troubles.push(`${outcome.stoppedBecause}; ${plan.remarks.join("; ")}`);
    }
    throw new Error(`no whole replay in ${ATTEMPTS} attempts:\n${troubles.join("\n")}`);
  }

  const expectSame = (plan: ReplayPlan, made: readonly string[], again: readonly string[]) => {
    const place = sameStretch(made, again, plan.ticks);
    expect(place, "the recorded angle bytes, all of them in order, in the replay's frames").toBeDefined();
    // Nothing moved after the stream, and all of the recorded motion is in it.
    expect(largestStepRad(again.slice(place!.inFrames + plan.ticks - 1))).toBeLessThan(1e-9);
    expect(largestStepRad(made.slice(place!.inWanted + plan.ticks - 1))).toBeLessThan(1e-9);
    expect(new Set(made).size).toBeGreaterThan(200);
  };
  const expectPassed = ({ passed, ticks, verified, differing }: ReplayOutcome, plan: ReplayPlan) => {
    expect({ passed, ticks, differing }).toEqual({ passed: plan.ticks, ticks: plan.ticks, differing: 0 });
    expect(verified).toBeGreaterThan(0.8 * ticks);
  };

  it("puts the same angle bytes on the wire, frame by frame", async () => {
    const { plan, made, outcome, frames } = await recordAndReplay(async (lease) => {
      for (let step = 1; step <= 6; step++) {
        command(
          lease,
          HOME_RAD.map((value, joint) => value + 0.05 * step * (joint % 2 ? 1 : -1)),
        );
        await sleep(200);
      }
      await sleep(700);
    });
    expectPassed(outcome, plan);
    expectSame(plan, made.frames, frames);
  }, 120_000);

  it("does so where the limits had bent the motion, and with the gripper's moves", async () => {
    const { plan, made, outcome, frames } = await recordAndReplay(async (lease) => {
      // Through the table, beyond a joint's limit, then a command that expires on the way.
      command(lease, [0.4, 0.9, 0, 0.9, 0, 1.2, 0]);
      await sleep(350);
      lease.gripper(0.02);
      for (let i = 0; i < 3; i++) {
        command(lease, [-0.9, -0.3, 0, 0.3, 0, 3.3, 1.5]);
        await sleep(300);
      }
      lease.gripper(0.07);
      command(lease, [...HOME_RAD], 250);
      await sleep(1200);
    });
    const reasons = made.ticks.reduce((all, tick) => all | tick.reasons, 0);
    for (const reason of ["positionLimit", "tablePlane", "commandExpired"] as const)
      expect(reasons & REASON_BITS[reason], reason).toBeGreaterThan(0);
    expectPassed(outcome, plan);
    expectSame(plan, made.frames, frames);
    expect(plan.openings.map(({ openingM }) => openingM)).toEqual(
      Number.isNaN(made.ticks[0]!.gripperCommandM) ? [0.02, 0.07] : [0.02, 0.07],
    );
  }, 180_000);

  it("is ended by a stop, and says so", async () => {
    const made = await watch(async (lease) => {
      for (let step = 1; step <= 5; step++) {
        command(
          lease,
          HOME_RAD.map((value) => value + 0.06 * step),
        );
        await sleep(200);
      }
      await sleep(500);
    });
    const plan = planReplay(recorded(made.ticks, { model: supervisor.info.identity!.model }), target(), 0.5);
    let stopped: Promise<void> | undefined;
    const { outcome, frames } = await replay(plan, async () => {
      stopped = sleep(700).then(() => supervisor.stop(2, "a test wants it"));
    });
    await stopped;
    expect(outcome.stoppedBecause).toMatch(/a test wants it/);
    expect(outcome.passed).toBeLessThan(plan.ticks);
    expect(supervisor.latest()!.state).toBe("stopped");
    const atStop = frames.length;
    await sleep(300);
    expect((await wire()).length).toBe(atStop);
  }, 120_000);
});

const tickOfSnapshot = (snapshot: ServoSnapshot): ServoTick => ({
  ...snapshot,
  stampNs: asEpochNs(snapshot.tickNs),
  stateStampNs: asEpochNs(snapshot.stateNs),
});
