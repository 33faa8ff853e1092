/** How a tracker's frame lies to the robot's base frame: what teleoperation needs to turn a hand's motion into the tool's. */
import { z } from "zod";
import { DeviceName, PoseSpace, UnitQuaternion } from "../core/teleop/pose.js";

export const TrackerFrame = z.strictObject({
  schema: z.literal("cerebellum/tracker-frame@1"),
  device: DeviceName,
  space: PoseSpace,
  /** Rotation x y z w that turns directions of the tracker's frame into the robot's base frame. */
  quatBaseTracker: UnitQuaternion,
  /** Largest angle between a stroke and the axis that it was to follow, after the fit [deg]. */
  residualDeg: z.number().min(0),
  /** Angle between the tracker's vertical and the base's z axis [deg]. */
  tiltDeg: z.number().min(0),
  strokesM: z
    .array(z.tuple([z.number(), z.number(), z.number()]))
    .describe("Measured strokes, tracker frame"),
  createdEpochMs: z.number(),
  robot: z.string(),
});
export type TrackerFrame = z.infer<typeof TrackerFrame>;

/** Frames in force, newest per device. */
export interface TrackerFrames {
  /** Undefined for a device that was never calibrated. */
  frameOf(device: string): { readonly frame: TrackerFrame; readonly sha256: string } | undefined;
}
