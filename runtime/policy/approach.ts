/** The guarded way to a start pose: slow, streamed with short expiry, bounded in time, ended only by measurement. */
import { addNs, type Clock, type MonotonicNs, msToNs, nsToMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { Lease, ServoClient, ServoSnapshot } from "../servo/api.js";

export interface ApproachPlan {
  readonly positionRad: readonly number[];
  /** Sent once when the robot has a gripper. */
  readonly gripperOpeningM?: number | undefined;
  /** Share of the velocity, acceleration and jerk limits, 0 < scale <= 1. */
  readonly speedScale: number;
}

const PERIOD_MS = 50;
const EXPIRY_MS = 250;
/**
 * Arrived: every joint's setpoint this near, and the joint itself too and this slow, for this long. A finger is held by a
 * spring and sags some hundredths of a radian, more where it touches something: how far its setpoint is decides.
 */
interface Arrival {
  readonly toleranceRad: number;
  readonly speedMaxRadPerS: number;
}
const SETPOINT_TOLERANCE_RAD = 0.02;
const STIFF: Arrival = { toleranceRad: 0.02, speedMaxRadPerS: 0.02 };
const COMPLIANT: ReadonlyMap<string, Arrival> = new Map([
  ["allegro", { toleranceRad: 0.2, speedMaxRadPerS: 0.1 }],
]);
const SETTLE_MS = 200;
/** Bound on the whole approach: twice the time at full scaled speed, plus this. */
const TIME_RESERVE_MS = 6000;
const FIRST_STATE_MS = 1000;

/**
 * Returns when the robot stands at the pose, or when `ended` aborts or `cancelled` says so.
 *
 * @throws TIMED_OUT when it does not arrive, naming the joint that is furthest off; LINK_SILENT without a state
 */
export async function approachPose(
  clock: Clock,
  servo: ServoClient,
  lease: Lease,
  plan: ApproachPlan,
  ended: AbortSignal,
  cancelled: () => boolean = () => false,
): Promise<void> {
  const first = await firstSnapshot(clock, servo, ended);
  if (first === undefined) return;
  if (plan.gripperOpeningM !== undefined && Number.isFinite(first.gripperOpeningM)) {
    lease.gripper(plan.gripperOpeningM);
  }
  const arrivals = arrivalsOf(servo);
  const startNs = clock.nowNs();
  const limitMs = timeLimitMs(servo, first, plan);
  let dueNs: MonotonicNs = startNs;
  let settledSinceNs: MonotonicNs | undefined;
  while (!ended.aborted) {
    const nowNs = clock.nowNs();
    const snapshot = servo.latest() ?? first;
    if (isSettled(snapshot, plan, arrivals)) {
      settledSinceNs ??= nowNs;
      if (nsToMs(nowNs - settledSinceNs) >= SETTLE_MS) return;
    } else settledSinceNs = undefined;
    if (nsToMs(nowNs - startNs) > limitMs) throw notArrived(servo, snapshot, plan, arrivals, limitMs);
    if (cancelled()) return;
    lease.command({
      positionRad: plan.positionRad,
      expiresNs: addNs(nowNs, msToNs(EXPIRY_MS)),
      speedScale: plan.speedScale,
    });
    dueNs = addNs(dueNs, msToNs(PERIOD_MS));
    if (dueNs < nowNs) dueNs = nowNs;
    await clock.sleepUntil(dueNs, ended);
  }
}

async function firstSnapshot(clock: Clock, servo: ServoClient, ended: AbortSignal) {
  const limitNs = addNs(clock.nowNs(), msToNs(FIRST_STATE_MS));
  for (;;) {
    const snapshot = servo.latest();
    if (snapshot !== undefined || ended.aborted) return snapshot;
    if (clock.nowNs() >= limitNs) {
      throw new CerebellumError(
        "LINK_SILENT",
        `Servo of ${servo.info.robot} sent no state for ${FIRST_STATE_MS} ms`,
        "Check with `./cerebellum status` that the robot is connected",
      );
    }
    await clock.sleepUntil(addNs(clock.nowNs(), msToNs(10)), ended);
  }
}

function timeLimitMs(servo: ServoClient, from: ServoSnapshot, plan: ApproachPlan): number {
  const { velocityMaxRadPerS } = servo.info.limits;
  const travelS = plan.positionRad.map(
    (target, joint) =>
      Math.abs(target - from.positionRad[joint]!) / (velocityMaxRadPerS[joint]! * plan.speedScale),
  );
  return TIME_RESERVE_MS + 2000 * Math.max(...travelS);
}

/** One for each joint. */
function arrivalsOf({ info }: ServoClient): Arrival[] {
  return (info.members ?? [info]).flatMap(({ device, limits }) =>
    limits.jointNames.map(() => COMPLIANT.get(device) ?? STIFF),
  );
}

function isSettled(snapshot: ServoSnapshot, plan: ApproachPlan, arrivals: readonly Arrival[]): boolean {
  return plan.positionRad.every((target, joint) => {
    const { toleranceRad, speedMaxRadPerS } = arrivals[joint]!;
    return (
      Math.abs(target - snapshot.sentRad[joint]!) <= SETPOINT_TOLERANCE_RAD &&
      Math.abs(target - snapshot.positionRad[joint]!) <= toleranceRad &&
      Math.abs(snapshot.velocityRadPerS[joint]!) <= speedMaxRadPerS
    );
  });
}

function notArrived(
  servo: ServoClient,
  snapshot: ServoSnapshot,
  plan: ApproachPlan,
  arrivals: readonly Arrival[],
  limitMs: number,
): CerebellumError {
  const offRad = plan.positionRad.map((target, joint) => Math.abs(target - snapshot.positionRad[joint]!));
  const beyond = offRad.map((off, joint) => off / arrivals[joint]!.toleranceRad);
  const worst = beyond.indexOf(Math.max(...beyond));
  return new CerebellumError(
    "TIMED_OUT",
    `${servo.info.robot} did not reach the start pose in ${(limitMs / 1000).toFixed(1)} s: ` +
      `${servo.info.limits.jointNames[worst]} is ${offRad[worst]!.toFixed(3)} rad off (tolerance ${arrivals[worst]!.toleranceRad})`,
    "See `./cerebellum status` for what limits the motion; clear the way or start from a nearer pose",
  );
}
