/** How fast a walking robot is asked to go: as a page says it, and as the daemon tells of it. */
import { z } from "zod";
import type { VelocityCommand } from "../floatingBase.js";

/** Faster than any robot on legs; what a policy takes is its own bundle's affair. */
const SPEED_MAX = 10;
const Speed = z.number().min(-SPEED_MAX).max(SPEED_MAX);

/** In the robot's heading frame: forward and to the left [m/s], turning to the left [rad/s]. */
export const AskedVelocity = z.strictObject({
  forwardMPerS: Speed,
  leftMPerS: Speed,
  yawRateRadPerS: Speed,
}) satisfies z.ZodType<VelocityCommand>;

export const VELOCITY_FIELDS = [
  "forwardMPerS",
  "leftMPerS",
  "yawRateRadPerS",
] as const satisfies readonly (keyof VelocityCommand)[];

const Interval = z.tuple([z.number(), z.number()]);

/** Of a policy that takes a velocity. */
export const SteeringStatus = z.strictObject({
  robot: z.string(),
  cutoff: AskedVelocity.describe("What is asked for below is zero"),
  range: z.strictObject({ forwardMPerS: Interval, leftMPerS: Interval, yawRateRadPerS: Interval }),
  by: z.string().describe("Who asks for it now: a console's name, `ROS`, or nobody"),
  given: AskedVelocity.describe("What the policy is given now, within its range and cut-offs"),
});
export type SteeringStatus = z.infer<typeof SteeringStatus>;
