/**
 * A trajectory_msgs/JointTrajectory from outside: checked as a whole before anything moves, then sampled. Pure logic;
 * `trajectoryInput.ts` executes it.
 */
import { z } from "zod";

const Duration = z.object({ sec: z.number(), nanosec: z.number() });
const Numbers = z.preprocess(
  (value) => (ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value),
  z.array(z.number().or(z.nan())),
);

/** The message as the ROS client delivers it; unknown fields (accelerations, effort) are ignored. */
export const TrajectoryMessage = z.object({
  header: z.object({ stamp: Duration }),
  joint_names: z.array(z.string()),
  points: z.array(z.object({ positions: Numbers, time_from_start: Duration })).max(10_000),
});
export type TrajectoryMessage = z.infer<typeof TrajectoryMessage>;

export interface TrajectoryRules {
  readonly jointNames: readonly string[];
  readonly positionMinRad: readonly number[];
  readonly positionMaxRad: readonly number[];
  readonly velocityMaxRadPerS: readonly number[];
  /** How far a first point at time 0 may lie from where the arm is. */
  readonly startToleranceRad: number;
  readonly durationMaxS: number;
}

export interface TrajectoryPlan {
  /** Rising, the first is 0 and belongs to the start pose. */
  readonly timesS: readonly number[];
  readonly pointsRad: readonly Float64Array[];
  readonly durationS: number;
}

export type PlanResult =
  | { readonly ok: true; readonly plan: TrajectoryPlan }
  | { readonly ok: false; readonly reason: string };

/** Slack on the speed check for times and angles that were rounded by the sender. */
const SPEED_SLACK = 1.02;

/**
 * Checks a trajectory that begins at `startRad` now. Joints may come in any order but must be exactly the arm's.
 * Refuses, naming point, joint, found and allowed.
 */
export function planTrajectory(
  message: TrajectoryMessage,
  startRad: ArrayLike<number>,
  rules: TrajectoryRules,
): PlanResult {
  const { jointNames } = rules;
  const order = jointNames.map((name) => message.joint_names.indexOf(name));
  if (order.includes(-1) || message.joint_names.length !== jointNames.length) {
    return refuse(`joints are [${message.joint_names.join(", ")}], expected [${jointNames.join(", ")}]`);
  }
  const timesS = [0];
  const pointsRad = [Float64Array.from({ length: jointNames.length }, (_, joint) => startRad[joint]!)];
  for (const [index, point] of message.points.entries()) {
    if (point.positions.length !== jointNames.length) {
      return refuse(`point ${index} has ${point.positions.length} positions, expected ${jointNames.length}`);
    }
    const timeS = point.time_from_start.sec + point.time_from_start.nanosec / 1e9;
    const beforeS = timesS.at(-1)!;
    if (!Number.isFinite(timeS) || timeS < 0 || (index > 0 && timeS <= beforeS)) {
      return refuse(`point ${index} is at ${timeS} s, expected after ${beforeS} s`);
    }
    if (timeS > rules.durationMaxS) {
      return refuse(`point ${index} is at ${timeS} s, the longest accepted is ${rules.durationMaxS} s`);
    }
    const targetRad = Float64Array.from(order, (source) => point.positions[source]!);
    const problem = checkPoint(index, targetRad, pointsRad.at(-1)!, timeS - beforeS, rules);
    if (problem !== undefined) return refuse(problem);
    if (timeS === 0) pointsRad[0] = targetRad;
    else {
      timesS.push(timeS);
      pointsRad.push(targetRad);
    }
  }
  return { ok: true, plan: { timesS, pointsRad, durationS: timesS.at(-1)! } };
}

/** Writes the position at `timeS` into `out` [rad]: linear between points, the ends held beyond. */
export function samplePlan(plan: TrajectoryPlan, timeS: number, out: Float64Array): void {
  const { timesS, pointsRad } = plan;
  let next = timesS.findIndex((time) => time > timeS);
  if (next === 0) next = 1;
  if (next === -1 || timesS.length === 1) {
    out.set(pointsRad.at(-1)!);
    return;
  }
  const share = Math.max(0, timeS - timesS[next - 1]!) / (timesS[next]! - timesS[next - 1]!);
  const [from, to] = [pointsRad[next - 1]!, pointsRad[next]!];
  for (let joint = 0; joint < out.length; joint++)
    out[joint] = from[joint]! + share * (to[joint]! - from[joint]!);
}

const refuse = (reason: string): PlanResult => ({ ok: false, reason });

function checkPoint(
  index: number,
  targetRad: Float64Array,
  fromRad: Float64Array,
  spanS: number,
  rules: TrajectoryRules,
): string | undefined {
  for (const [joint, name] of rules.jointNames.entries()) {
    const position = targetRad[joint]!;
    const [low, high] = [rules.positionMinRad[joint]!, rules.positionMaxRad[joint]!];
    if (!Number.isFinite(position)) return `point ${index} has ${name} at ${position}`;
    if (position < low || position > high) {
      return `point ${index} has ${name} at ${position} rad, allowed ${low} to ${high}`;
    }
    const distanceRad = Math.abs(position - fromRad[joint]!);
    if (spanS === 0) {
      if (distanceRad > rules.startToleranceRad) {
        return (
          `the first point, at 0 s, is ${distanceRad.toFixed(3)} rad from where ${name} is, ` +
          `allowed ${rules.startToleranceRad}; give it a later time`
        );
      }
      continue;
    }
    const speed = distanceRad / spanS;
    if (speed > rules.velocityMaxRadPerS[joint]! * SPEED_SLACK) {
      return (
        `point ${index} needs ${name} at ${speed.toFixed(2)} rad/s, ` +
        `allowed ${rules.velocityMaxRadPerS[joint]}; give it more time`
      );
    }
  }
  return undefined;
}
