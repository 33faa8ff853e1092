/**
 * What a person's hands do, in one form for every source: WebXR page, Vive bridge, ROS tracker, keyboard, SpaceMouse
 * or gamepad. The same JSON travels over the gateway's WebSocket and over MQTT. Positions [m], quaternions x y z w,
 * right-handed frames; which frame is said by `space`.
 */
import { z } from "zod";

/** Order of WebXR's 25 hand joints (W3C WebXR Hand Input, enum XRHandJoint). */
export const HAND_JOINTS = [
  "wrist",
  "thumb-metacarpal",
  "thumb-phalanx-proximal",
  "thumb-phalanx-distal",
  "thumb-tip",
  "index-finger-metacarpal",
  "index-finger-phalanx-proximal",
  "index-finger-phalanx-intermediate",
  "index-finger-phalanx-distal",
  "index-finger-tip",
  "middle-finger-metacarpal",
  "middle-finger-phalanx-proximal",
  "middle-finger-phalanx-intermediate",
  "middle-finger-phalanx-distal",
  "middle-finger-tip",
  "ring-finger-metacarpal",
  "ring-finger-phalanx-proximal",
  "ring-finger-phalanx-intermediate",
  "ring-finger-phalanx-distal",
  "ring-finger-tip",
  "pinky-finger-metacarpal",
  "pinky-finger-phalanx-proximal",
  "pinky-finger-phalanx-intermediate",
  "pinky-finger-phalanx-distal",
  "pinky-finger-tip",
] as const;
/** x y z [m], quaternion x y z w, radius [m], for each joint in the order of `HAND_JOINTS`. */
export const NUMBERS_PER_HAND_JOINT = 8;

/** Largest coordinate that a tracked hand can have [m]; larger ones are noise. */
export const TRACKED_RANGE_M = 10;
/** Of a source's clock: larger numbers are no milliseconds, and no longer tell them apart. */
const DEVICE_TIME_MS_MAX = 1e13;
/** A quaternion's norm may differ from 1 by so much; it is normalised after. */
export const QUATERNION_TOLERANCE = 0.01;

export const UnitQuaternion = z
  .tuple([z.number(), z.number(), z.number(), z.number()])
  .refine((q) => Math.abs(Math.hypot(...q) - 1) <= QUATERNION_TOLERANCE, {
    error: `must have norm 1 within ${QUATERNION_TOLERANCE}`,
  });

const Coordinate = z.number().min(-TRACKED_RANGE_M).max(TRACKED_RANGE_M);
export const TrackedPose = z.strictObject({
  positionM: z.tuple([Coordinate, Coordinate, Coordinate]),
  quatXyzw: UnitQuaternion,
});
export type TrackedPose = z.infer<typeof TrackedPose>;

export const POSE_SOURCES = ["webxr", "vive", "ros", "keyboard", "spacemouse", "gamepad"] as const;
export const PoseSource = z.enum(POSE_SOURCES);
export type PoseSource = z.infer<typeof PoseSource>;

/**
 * Frames that poses come in. `local-floor` (WebXR) and `openvr-standing` have x right, y up, z backwards; `ros` has
 * z up and an unknown heading; `base` is the robot's base frame already.
 */
export const POSE_SPACES = ["local-floor", "openvr-standing", "ros", "base"] as const;
export const PoseSpace = z.enum(POSE_SPACES);
export type PoseSpace = z.infer<typeof PoseSpace>;

const Share = z.number().min(0).max(1);
const Axis = z.number().min(-1).max(1);

export const HandPose = z.strictObject({
  hand: z.enum(["left", "right"]),
  mode: z.enum(["controller", "hand"]),
  tracked: z.boolean().describe("The source itself vouches for the pose"),
  pose: TrackedPose.nullable().describe("Grip pose of a controller, wrist of a hand, pose of a tracker"),
  clutch: Share.describe(
    "1 = held: the operator wants motion. Grip button, pinch, or a key. Counts as pressed only after it was seen open",
  ),
  gripper: Share.describe("0 = open, 1 = closed. Trigger, pinch of the second finger, or a key"),
  buttons: z.strictObject({ a: z.boolean(), b: z.boolean(), stick: z.boolean() }),
  stick: z.tuple([Axis, Axis]),
  joints: z
    .array(z.number().min(-TRACKED_RANGE_M).max(TRACKED_RANGE_M))
    .length(HAND_JOINTS.length * NUMBERS_PER_HAND_JOINT)
    .nullable()
    .describe("Hand joints in the same frame; see HAND_JOINTS and NUMBERS_PER_HAND_JOINT"),
});
export type HandPose = z.infer<typeof HandPose>;

/** Name of a device, as topics and files can have it. */
export const DeviceName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, { error: "must be lower case letters, digits, . _ or -" });

export const PoseMessage = z.strictObject({
  v: z.literal(1),
  source: PoseSource,
  device: DeviceName.describe("Which headset, tracker or keyboard"),
  session: z
    .string()
    .min(8)
    .max(64)
    .describe("Random; another one means that the source has started again: whatever was engaged ends"),
  seq: z.int().min(0).describe("Rises by one with each message of a session"),
  deviceTimeMs: z
    .number()
    .min(0)
    .max(DEVICE_TIME_MS_MAX)
    .describe("The source's own monotonic clock when the pose was measured"),
  space: PoseSpace,
  visibility: z
    .enum(["visible", "visible-blurred", "hidden"])
    .describe("WebXR's word for whether the person sees the scene; others say visible"),
  head: TrackedPose.nullable(),
  hands: z.array(HandPose).max(2),
});
export type PoseMessage = z.infer<typeof PoseMessage>;

/** Largest message: two hands with joints take about 7 kB. */
export const POSE_BYTES_MAX = 16_384;

export type ParsedPose =
  | { readonly ok: true; readonly message: PoseMessage }
  | { readonly ok: false; readonly why: string };

/** Parses a pose from text or from parsed JSON. Never throws; `why` says what was found and expected. */
export function parsePose(input: unknown): ParsedPose {
  let value = input;
  if (typeof input === "string") {
    if (input.length > POSE_BYTES_MAX)
      return { ok: false, why: `${input.length} bytes, at most ${POSE_BYTES_MAX} are expected` };
    try {
      value = JSON.parse(input);
    } catch {
      return { ok: false, why: "it is not JSON" };
    }
  }
  const result = PoseMessage.safeParse(value);
  if (result.success) return { ok: true, message: result.data };
  const [issue] = result.error.issues;
  return { ok: false, why: `${issue?.path.join(".") || "message"}: ${issue?.message ?? "not as expected"}` };
}
