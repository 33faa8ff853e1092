/** The `policy` section of a cell file. */
import { z } from "zod";
import { CAMERA_PARENTS } from "../../core/cameraParent.js";

export const PolicyConfig = z.strictObject({
  bundle: z.string().min(1).describe("Folder of the policy bundle, relative to the repository or absolute"),
  robot: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(2).max(4)])
    .describe("Name of the robot it moves; a list where one policy moves several, in its joints' order"),
  camera: z
    .string()
    .min(1)
    .optional()
    .describe("Name of the camera that fills the bundle's image role; a robot on legs needs none"),
  autostart: z
    .boolean()
    .default(false)
    .describe("Approach the start pose and run as soon as everything is ready"),
  frameAgeMsMax: z
    .number()
    .positive()
    .max(2000)
    .default(150)
    .describe("Older frames give no action: the arm holds"),
  approachSpeedScale: z
    .number()
    .positive()
    .max(0.5)
    .default(0.3)
    .describe("Share of the limits used on the way to the start pose"),
  intraOpThreads: z.int().min(1).max(8).default(1),
});
export type PolicyConfig = z.infer<typeof PolicyConfig>;

/** Robots that a policy moves, in the order of its joints. */
export const policyRobots = ({ robot }: Pick<PolicyConfig, "robot">): readonly [string, ...string[]] =>
  typeof robot === "string" ? [robot] : (robot as [string, ...string[]]);

/** The camera of a policy that sees pictures; "", which no camera is called, where the cell names none. */
export const pictureCamera = ({ camera = "" }: Pick<PolicyConfig, "camera">): string => camera;

/** The `cameras.<name>` section. Frames follow realsense2_camera: the optical frame has z forward, x right, y down. */
export const CameraConfig = z.strictObject({
  topic: z
    .string()
    .regex(/^\/[a-z0-9_/]+$/i)
    .describe("Namespace of the camera; color/image_raw etc. lie below it"),
  widthPx: z.int().min(16).max(4096).default(640),
  heightPx: z.int().min(16).max(4096).default(480),
  encoding: z.enum(["rgb8", "bgr8"]).default("rgb8"),
  rateHz: z.number().positive().max(120).default(30),
  fovYDeg: z
    .number()
    .min(5)
    .max(120)
    .default(42)
    .describe("Vertical field of view of the colour image; used by the lab"),
  mount: z.strictObject({
    robot: z.string().min(1),
    parentFrame: z
      .enum(CAMERA_PARENTS)
      .default("flange")
      .describe("Frame of that robot in which the camera is fixed: an arm's flange or base, a hand's palm"),
    positionM: z.tuple([z.number(), z.number(), z.number()]).describe("Colour optical centre in that frame"),
    quatXyzw: z
      .tuple([z.number(), z.number(), z.number(), z.number()])
      .refine((q) => Math.abs(Math.hypot(...q) - 1) < 1e-3, { error: "must be a unit quaternion" })
      .describe("Rotation of the optical frame (z forward, x right, y down) in that frame"),
  }),
});
export type CameraConfig = z.infer<typeof CameraConfig>;
