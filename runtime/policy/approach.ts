/** The guarded way to a start pose: slow, streamed with short expiry, bounded in time, ended only by measurement. */
import { addNs, type Clock, type MonotonicNs, msToNs, nsToMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { Lease, ServoClient, ServoSnapshot } from "../servo/api.js";

export interface ApproachPlan {
  readonly positionRad: readonly number[];
  /** Sent once when the robot has a gripper. */
  readonly gripperOpeningM?: number;
  /** Share of the velocity, acceleration and jerk limits, 0 < scale <= 1. */
  readonly speedScale: number;
}

const PERIOD_MS = 50;
const EXPIRY_MS = 250;
/** Arrived: every joint this near and this slow for this long. */
const TOLERANCE_RAD = 0.02;
const SPEED_MAX_RAD_PER_S = 0.02;
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
  const startNs = clock.nowNs();
  const limitMs = timeLimitMs(servo, first, plan);
  let dueNs: MonotonicNs = startNs;
  let settledSinceNs: MonotonicNs | undefined;
  while (!ended.aborted) {
    const nowNs = clock.nowNs();
    const snapshot = servo.latest() ?? first;
    if (isSettled(snapshot, plan)) {
      settledSinceNs ??= nowNs;
      if (nsToMs(nowNs - settledSinceNs) >= SETTLE_MS) return;
    } else settledSinceNs = undefined;
    if (nsToMs(nowNs - startNs) > limitMs) throw notArrived(servo, snapshot, plan, limitMs);
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

function isSettled(snapshot: ServoSnapshot, plan: ApproachPlan): boolean {
  return plan.positionRad.every(
    (target, joint) =>
      Math.abs(target - snapshot.positionRad[joint]!) <= TOLERANCE_RAD &&
      Math.abs(snapshot.velocityRadPerS[joint]!) <= SPEED_MAX_RAD_PER_S,
  );
}

function notArrived(
  servo: ServoClient,
  snapshot: ServoSnapshot,
  plan: ApproachPlan,
  limitMs: number,
): CerebellumError {
  const offRad = plan.positionRad.map((target, joint) => Math.abs(target - snapshot.positionRad[joint]!));
  const worst = offRad.indexOf(Math.max(...offRad));
  return new CerebellumError(
    "TIMED_OUT",
    `${servo.info.robot} did not reach the start pose in ${(limitMs / 1000).toFixed(1)} s: ` +
      `${servo.info.limits.jointNames[worst]} is ${offRad[worst]!.toFixed(3)} rad off (tolerance ${TOLERANCE_RAD})`,
    "See `./cerebellum status` for what limits the motion; clear the way or start from a nearer pose",
  );
}
