/**
 * One round on the fast rig: bring the arm into a state, kill a process, watch the arm come to rest, start the process
 * again, and see that nothing moves until it is enabled, leased and commanded afresh.
 */
import { sleepMs } from "../../../core/clock.js";
import type { ArmRig } from "../../../launch/rig/armRig.js";
import { HOME_RAD, toHolding } from "../../../launch/rig/cruise.js";
import type { WireFrame } from "../../../launch/rig/wire.js";
import { systemClock } from "../../../launch/systemClock.js";
import { reasonNames } from "../../../runtime/servo/link/schema.js";
import type { KillPlan, Moment } from "./plan.js";
import {
  judgeFresh,
  judgeLimits,
  judgeRest,
  judgeStanding,
  measureStreams,
  REST_MS_MAX,
} from "./wireJudge.js";

export interface KillOutcome {
  readonly round: number;
  readonly victim: string;
  readonly moment: string;
  readonly restMs: number;
  /** Largest distance of a stream's first setpoint from the arm [rad]. */
  readonly startDistanceRad: number;
  /** Silences of the wire within a stream, after which it went on from rest: an overloaded machine. */
  readonly interruptions: number;
  readonly seconds: number;
  /** Why earlier attempts at this round could not be carried out. */
  readonly disturbed?: readonly string[];
  readonly violations: readonly string[];
  /** Of a round with a violation: when the kill came, and all frames since the round began. */
  readonly evidence?: { readonly killedNs: string; readonly frames: readonly (string | number)[][] };
}

const MAY_MOVE: Record<Moment, boolean> = {
  starting: false,
  enabling: false,
  holding: false,
  following: true,
  stopping: true,
  resetting: false,
};
const MOVING_MS = 400;
const GHOST_MS = 40;
const FAR_RAD = 0.8;
const HOME_NEAR_RAD = 0.05;
const STALE_RAD = 0.01;
const FRESH_RAD = 0.12;
const FRESH_MOVED_RAD = 0.03;
const VALID_MS = 500;
const EVERY_MS = 25;
const LATCHED = "the servo process was killed";

export async function runFastRound(rig: ArmRig, plan: KillPlan): Promise<KillOutcome> {
  try {
    return await carryOut(rig, plan);
  } catch (thrown) {
    throw new Error(`${String(thrown)} ${await describe(rig)}`, { cause: thrown });
  }
}

/** What a person needs who asks why a round could not be carried out. */
async function describe(rig: ArmRig): Promise<string> {
  const latest = rig.observer?.latest();
  if (latest === undefined) return "(no servo is connected)";
  const { tick, state, epoch, commander, positionRad, requestedRad, sentRad, reasons, deviceErrorCode } =
    latest;
  const { refusedCommands, triggers, driver } = await rig.observer!.statistics();
  return JSON.stringify({
    ...{ tick, state, epoch, commander, reasons: reasonNames(reasons), deviceErrorCode },
    ...{ positionRad: [...positionRad], requestedRad: [...requestedRad], sentRad: [...sentRad] },
    ...{ refusedCommands, triggers, driver },
  });
}

async function carryOut(rig: ArmRig, plan: KillPlan): Promise<KillOutcome> {
  const startNs = systemClock.nowNs();
  const violations: string[] = [];
  const note = (violation: string | undefined) =>
    void (violation !== undefined && violations.push(violation));
  const prepared = await prepare(rig, plan);
  await sleepMs(systemClock, plan.delayMs);

  // The kill.
  const victim = plan.victim === "servo" ? rig.servo! : await rig.needClient(plan.victim);
  const killedNs = victim.kill("SIGKILL");
  await victim.exited;
  await prepared.pending;
  await sleepMs(systemClock, prepared.mayMove ? REST_MS_MAX : 60);
  const rest = judgeRest(await rig.frames(), killedNs, prepared.mayMove);
  note(rest.violation);

  // Back again: nothing may move by itself, whatever old commands come.
  if (plan.victim === "servo") {
    await rig.endClients();
    await rig.needServo(LATCHED);
  }
  const from = await nextIndex(rig);
  // Where nothing was pursued, the stale command asks for what is away from home, so that rounds do not wander off.
  const standsAtRad = rig.observer!.latest()!.positionRad;
  const staleRad =
    prepared.targetRad ??
    HOME_RAD.map((value, joint) => (joint === 0 ? 2 * standsAtRad[0]! + STALE_RAD : value));
  await ghost(rig, prepared.epoch, staleRad);
  note(judgeStanding(await rig.frames(from), "after the restart, before it was enabled"));
  const standing = (await rig.emulator.ask({ do: "status" })) as unknown as { setpointRad: number[] };

  // Enabling from the measured pose, then one fresh command the other way.
  const enableFrom = await nextIndex(rig);
  await toHolding(rig);
  note(judgeStanding(await rig.frames(enableFrom), "while it was enabled"));
  const startRad = [...rig.observer!.latest()!.positionRad];
  const away = Math.max(...startRad.map((value, joint) => Math.abs(value - standing.setpointRad[joint]!)));
  if (away > 0.01) violations.push(`the arm was ${away.toFixed(4)} rad from where it had come to rest`);
  const commander = await rig.needClient("commander");
  if (rig.state !== "following") await commander.ask({ do: "lease" });
  else violations.push("a lease outlived the kill");
  const freshFrom = await nextIndex(rig);
  const direction = staleRad[0]! > startRad[0]! ? -1 : 1;
  const freshRad = startRad.map((value, joint) => (joint === 0 ? value + direction * FRESH_RAD : value));
  await follow(rig, freshRad, 1);
  const moved = () => Math.abs(rig.observer!.latest()!.sentRad[0]! - startRad[0]!) > FRESH_MOVED_RAD;
  await rig.until("motion after the fresh command", moved);
  note(judgeFresh(await rig.frames(freshFrom), startRad, freshRad));

  const { setpoints } = (await rig.emulator.ask({ do: "status" })) as unknown as Monitored;
  const streams = measureStreams(await rig.frames(), rig.periodMs);
  violations.push(...judgeLimits(streams, setpoints.startDistanceRad, rig.observer!.info.limits));
  await commander.ask({ do: "release" });
  return {
    round: plan.round,
    victim: plan.victim,
    moment: plan.moment,
    restMs: rest.restMs,
    startDistanceRad: setpoints.startDistanceRad,
    interruptions: streams.interruptions,
    seconds: Number(systemClock.nowNs() - startNs) / 1e9,
    violations,
    ...(violations.length === 0
      ? {}
      : { evidence: { killedNs: String(killedNs), frames: evidenceOf(await rig.frames()) } }),
  };
}

/** Time, kind, client and angles, compact enough to be kept. */
export const evidenceOf = (frames: readonly WireFrame[]): (string | number)[][] =>
  frames.map(({ atNs, kind, client, positionRad }) => [String(atNs), kind, client, ...(positionRad ?? [])]);

/** What the emulator's own monitor says. */
interface Monitored {
  readonly setpoints: { readonly startDistanceRad: number };
}

interface Prepared {
  readonly mayMove: boolean;
  /** A request whose answer the kill may have cut off. */
  readonly pending: Promise<unknown>;
  /** What a commander pursued when the kill came. */
  readonly targetRad?: readonly number[];
  readonly epoch: number;
}

async function prepare(rig: ArmRig, plan: KillPlan): Promise<Prepared> {
  const { moment } = plan;
  const idle = { mayMove: MAY_MOVE[moment], pending: Promise.resolve(), epoch: 1 };
  if (moment === "starting") return { ...idle, ...(await prepareStart(rig, plan)) };
  const observer = await toHolding(rig);
  if (Math.abs(observer.latest()!.positionRad[0]!) > FAR_RAD) await goHome(rig);
  await atRest(rig);
  const supervisor = await rig.needClient("supervisor");
  if (moment === "holding") return { ...idle, epoch: observer.latest()!.epoch };
  const lost = () => undefined;
  if (moment === "enabling" || moment === "resetting") {
    await observer.stop(plan.stopCategory, "kill campaign");
    if (moment === "enabling") await supervisor.ask({ do: "reset" });
    const epoch = observer.latest()!.epoch;
    return {
      ...idle,
      epoch,
      pending: supervisor.ask({ do: moment === "enabling" ? "enable" : "reset" }).catch(lost),
    };
  }
  const commander = await rig.needClient("commander");
  if (rig.state !== "following") await commander.ask({ do: "lease" });
  const standsRad = [...observer.latest()!.positionRad];
  // Back towards home when far from it, so that rounds stay where the workspace allows them.
  const away = standsRad[0]! > 0.3 ? -1 : standsRad[0]! < -0.3 ? 1 : Math.sign(plan.reachRad[0]);
  const targetRad = [...HOME_RAD] as number[];
  targetRad[0] = standsRad[0]! + away * Math.abs(plan.reachRad[0]);
  targetRad[3] = HOME_RAD[3] + plan.reachRad[1];
  await follow(rig, targetRad, plan.speedScale);
  const moving = { mayMove: true, targetRad, epoch: observer.latest()!.epoch };
  if (moment === "following") return { ...moving, pending: Promise.resolve() };
  await sleepMs(systemClock, MOVING_MS);
  return { ...moving, pending: observer.stop(plan.stopCategory, "kill campaign").catch(lost) };
}

/** Rounds may wander; the workspace ends somewhere. */
async function goHome(rig: ArmRig): Promise<void> {
  const commander = await rig.needClient("commander");
  await commander.ask({ do: "lease" });
  await follow(rig, HOME_RAD, 1);
  await rig.until("the arm at home", () => Math.abs(rig.observer!.latest()!.sentRad[0]!) < HOME_NEAR_RAD);
  await commander.ask({ do: "release" });
}

/** A process that is killed while it starts: the servo anew, or a client that has only just been started. */
async function prepareStart(rig: ArmRig, { victim }: KillPlan): Promise<Partial<Prepared>> {
  if (victim === "servo") {
    const observer = await toHolding(rig);
    await atRest(rig);
    const epoch = observer.latest()!.epoch;
    const old = rig.servo!;
    old.kill("SIGKILL");
    await old.exited;
    await rig.endClients();
    rig.spawnServo(LATCHED);
    return { epoch };
  }
  await toHolding(rig);
  await atRest(rig);
  await rig.client(victim)?.end();
  void rig.needClient(victim).catch(() => {});
  return {};
}

/** What the round before had asked for has ended; from here on the log holds this round alone. */
async function atRest(rig: ArmRig): Promise<void> {
  const sent = () => [...rig.observer!.latest()!.sentRad].join();
  for (let before = ""; before !== sent(); await sleepMs(systemClock, 20)) before = sent();
  await rig.emulator.ask({ do: "clearLog" });
}

/** Commands of an epoch that is over, from a commander without a lease: they must move nothing. */
async function ghost(rig: ArmRig, epoch: number, targetRad: readonly number[]): Promise<void> {
  const commander = await rig.needClient("commander");
  const common = { do: "follow", targetRad: [...targetRad], speedScale: 1, validMs: VALID_MS, everyMs: 5 };
  await commander.ask({ ...common, epoch });
  await sleepMs(systemClock, GHOST_MS);
  await commander.ask({ do: "quiet" });
}

const follow = async (rig: ArmRig, targetRad: readonly number[], speedScale: number) => {
  const commander = await rig.needClient("commander");
  await commander.ask({
    do: "follow",
    targetRad: [...targetRad],
    speedScale,
    validMs: VALID_MS,
    everyMs: EVERY_MS,
  });
};

async function nextIndex(rig: ArmRig): Promise<number> {
  return Number(
    (await rig.emulator.ask({ do: "log", form: "times", since: Number.MAX_SAFE_INTEGER })).nextIndex,
  );
}
