/** How a tracker's frame lies to the robot's base frame: what teleoperation needs to turn a hand's motion into the tool's. */
import { z } from "zod";
import { DeviceName, PoseSpace, UnitQuaternion } from "../core/teleop/pose.js";

/**
 * Why a frame in this space is not worth measuring; absent where it lies the same after a restart. A headset's floor turns
 * whenever it is put on, or its view recentred.
 */
export const UNMEASURED: Readonly<Partial<Record<PoseSpace, { happened: string; remedy: string }>>> = {
  "local-floor": {
    happened: "its frame has another heading after each start",
    remedy: "Do not calibrate a headset, recentre it: face along the robot's x axis and hold B",
  },
  base: {
    happened: "its poses are in the robot's base frame already",
    remedy: "Drive as it is; only trackers are calibrated",
  },
};

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
