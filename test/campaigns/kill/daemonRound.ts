/** One round against a whole daemon with its policy: the same judges as on the fast rig, on the lab's controller. */
import { sleepMs } from "../../../core/clock.js";
import { Random } from "../../../lab/world/random.js";
import { systemClock } from "../../../launch/systemClock.js";
import { ServoConfig } from "../../../runtime/servo/config.js";
import type { DaemonRig } from "./daemonRig.js";
import { evidenceOf, type KillOutcome } from "./fastRound.js";
import { judgeLimits, judgeRest, judgeStanding, measureStreams, REST_MS_MAX } from "./wireJudge.js";

const VICTIMS = ["daemon", "daemon", "daemon", "daemon", "daemonStalled", "servoOfDaemon"] as const;
const MOMENTS = ["starting", "enabling", "approaching", "running", "running", "stopping"] as const;
const DELAY_MS_MAX: Record<(typeof MOMENTS)[number], number> = {
  starting: 4000,
  enabling: 300,
  approaching: 1500,
  running: 2500,
  stopping: 180,
};
/** A stalled daemon is noticed by its silence, or its policy's commands expire before; then the arm brakes. */
const STALL_MS = ServoConfig.parse({}).supervisorSilenceMsMax;
const STANDING_MS = 300;
const AWAY_RAD_MAX = 0.02;
const SERVO_BACK_MS = 4000;

export async function runDaemonRound(rig: DaemonRig, seed: number, round: number): Promise<KillOutcome> {
  const random = new Random(seed).fork(`daemon ${round}`);
  const victim = random.pick(VICTIMS);
  const moment = random.pick(MOMENTS);
  const delayMs = random.uniform(0, DELAY_MS_MAX[moment]);
  const startNs = systemClock.nowNs();
  const violations: string[] = [];
  const note = (violation: string | undefined) =>
    void (violation !== undefined && violations.push(violation));

  await rig.wire(0, true);
  const pending = await prepare(rig, moment, random);
  await sleepMs(systemClock, delayMs);
  const mayMove = moment !== "starting" && moment !== "enabling";

  let killedNs: bigint;
  if (victim === "servoOfDaemon" && moment !== "starting") {
    const processId = await rig.servoProcessId();
    killedNs = systemClock.nowNs();
    process.kill(processId, "SIGKILL");
  } else if (victim === "daemonStalled") {
    killedNs = systemClock.nowNs();
    rig.up!.process.kill("SIGSTOP");
    await sleepMs(systemClock, STALL_MS + REST_MS_MAX);
    const { restMs } = judgeRest((await rig.wire(0)).frames, killedNs, true);
    if (restMs > STALL_MS + REST_MS_MAX)
      violations.push(`the arm moved ${restMs.toFixed(0)} ms into the stall`);
    // From here on nothing may move at all.
    killedNs = systemClock.nowNs();
    await rig.killUp();
  } else killedNs = await rig.killUp();
  await Promise.all(pending);
  await sleepMs(systemClock, REST_MS_MAX + 80);
  const { frames, nextIndex } = await rig.wire(0);
  const rest = judgeRest(frames, killedNs, mayMove && victim !== "daemonStalled");
  note(rest.violation);
  const restRad = await rig.armRad();

  await comeBack(rig);
  await sleepMs(systemClock, STANDING_MS);
  note(judgeStanding((await rig.wire(nextIndex)).frames, "after the restart, before it was enabled"));
  const state = await rig.state();
  if (state === "holding" || state === "following")
    violations.push(`the arm is ${state} without being enabled`);
  const { nextIndex: beforeEnable } = await rig.wire(nextIndex);
  if (state === "stopped" || state === "faulted") await rig.ask({ do: "reset" });
  await rig.ask({ do: "enable" });
  await sleepMs(systemClock, STANDING_MS);
  const enabled = await rig.wire(beforeEnable);
  note(judgeStanding(enabled.frames, "while it was enabled"));
  const awayRad = Math.max(...(await rig.armRad()).map((value, joint) => Math.abs(value - restRad[joint]!)));
  if (awayRad > AWAY_RAD_MAX)
    violations.push(`the arm stands ${awayRad.toFixed(4)} rad from where it came to rest`);
  const all = (await rig.wire(0)).frames;
  const streams = measureStreams(all, 1000 / LIMITS.rateHz);
  const { startDistanceRad } = enabled.setpoints;
  violations.push(...judgeLimits(streams, startDistanceRad, LIMITS));
  return {
    round,
    victim,
    moment,
    restMs: rest.restMs,
    startDistanceRad,
    interruptions: streams.interruptions,
    seconds: Number(systemClock.nowNs() - startNs) / 1e9,
    violations,
    ...(violations.length === 0 ? {} : { evidence: { killedNs: String(killedNs), frames: evidenceOf(all) } }),
  };
}

const LIMITS = ServoConfig.parse({});

/** Up again: by the daemon's own means where only its servo process died, else by starting a daemon. */
async function comeBack(rig: DaemonRig): Promise<void> {
  if (rig.up !== undefined) {
    const isBack = async () => ["stopped", "connected"].includes(await rig.state().catch(() => "unknown"));
    try {
      await rig.until("the servo process is back", isBack, SERVO_BACK_MS);
      return;
    } catch {
      await rig.killUp();
    }
  }
  await rig.needUp();
}

/** @returns what the kill may cut off */
async function prepare(
  rig: DaemonRig,
  moment: (typeof MOMENTS)[number],
  random: Random,
): Promise<Promise<unknown>[]> {
  const lost = () => undefined;
  if (moment === "starting") {
    await rig.needUp();
    await rig.killUp();
    rig.spawnUp();
    return [];
  }
  await rig.needUp();
  const state = await rig.state();
  if (state === "stopped" || state === "faulted") await rig.ask({ do: "reset" });
  if (moment === "enabling") return [rig.ask({ do: "enable" }).catch(lost)];
  await rig.ask({ do: "enable" });
  await rig.newScene(random);
  await rig.ask({ do: "startPolicy" });
  if (moment === "approaching") return [];
  await rig.until("the policy runs", async () => (await rig.policyPhase()) === "running", 15_000);
  if (moment === "running") return [];
  await sleepMs(systemClock, random.uniform(200, 1500));
  const category = random.pick([0, 1, 2] as const);
  return [rig.ask({ do: "stop", category, reason: "kill campaign" }).catch(lost)];
}
