/**
 * `policy.json` of a policy bundle: everything about a policy that people get wrong, written down and checked.
 * A bundle is a folder of data only: this manifest, ONNX files, goldens. The trainer writes it; the daemon refuses
 * whatever does not match.
 */
import { z } from "zod";
import { CAMERA_PARENTS } from "../core/cameraParent.js";
import { BundleHead, RelativeFile, Sha256 } from "./bundleHead.js";
import { Gate, LeftOut, Variant } from "./variants.js";

const Rgb = z.tuple([z.number(), z.number(), z.number()]);

/** What a policy moves, as joints of one vector: one device, or several whose joints follow one another in this order. */
export const POLICY_DEVICES = ["xarm7", "allegro", "xarm7-allegro"] as const;

/** Last number of a policy's output, behind its joints, where the policy closes and opens a gripper. */
export const GRIPPER_OUTPUT = "gripper";

/**
 * The gripper as part of an action: the opening between the finger pads to ask for, and not a change of it. An opening
 * that was lost, or comes twice, then leaves the fingers where they are wanted (decision 0055).
 */
export const GripperAction = z
  .strictObject({
    kind: z.literal("opening"),
    unit: z.literal("m"),
    minM: z.number().min(0).max(0.1).describe("Least opening that is ever asked for"),
    maxM: z.number().min(0).max(0.1).describe("Largest"),
    levelsM: z
      .array(z.number().min(0).max(0.1))
      .min(2)
      .readonly()
      .optional()
      .describe("Openings that the demonstrations knew, rising: the nearest one is asked for, none between"),
  })
  .refine(({ minM, maxM }) => minM < maxM, { path: ["maxM"], error: "must be above minM" })
  .refine(
    ({ minM, maxM, levelsM = [minM, maxM] }) =>
      levelsM.every((level, at) => level >= minM && level <= maxM && (at === 0 || level > levelsM[at - 1]!)),
    { path: ["levelsM"], error: "must rise from one to the next, between minM and maxM" },
  );
export type GripperAction = z.infer<typeof GripperAction>;

export const ImageInput = z.strictObject({
  role: z.string().describe("Camera role, e.g. wrist"),
  widthPx: z.int().positive(),
  heightPx: z.int().positive(),
  encoding: z.literal("rgb8").describe("Order after reading; bgr8 cameras are swapped before this point"),
  crop: z
    .strictObject({
      xPx: z.int().min(0),
      yPx: z.int().min(0),
      widthPx: z.int().positive(),
      heightPx: z.int().positive(),
    })
    .describe("Rectangle of the camera image that is kept; x right, y down"),
  resize: z.strictObject({
    widthPx: z.int().positive(),
    heightPx: z.int().positive(),
    kernel: z
      .enum(["bilinear", "bilinear-antialias"])
      .describe(
        "bilinear samples 2x2 at half-pixel centres as OpenCV does; antialias widens the triangle as PIL does",
      ),
  }),
  mean: Rgb.describe("Of RGB / 255"),
  std: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]),
  mount: z.strictObject({
    parentFrame: z
      .enum(CAMERA_PARENTS)
      .default("flange")
      .describe("Frame of the robot in which the camera was fixed at training"),
    positionM: Rgb.describe("Optical centre in that frame"),
    quatXyzw: z
      .tuple([z.number(), z.number(), z.number(), z.number()])
      .describe("Optical frame in that frame"),
    fovYDeg: z.number().positive(),
  }),
});

const Vit = z.strictObject({
  family: z.literal("vit").optional().describe("What is not said from here on is as in MVP's encoders"),
  patchPx: z.int().positive(),
  width: z.int().positive(),
  depth: z.int().positive(),
  heads: z.int().positive(),
  mlpRatio: z.int().positive().optional(),
  stem: z
    .array(z.int().positive())
    .optional()
    .describe("Channels of a convolutional stem; absent: patches are cut and projected"),
  activation: z.enum(["gelu", "quick-gelu"]).optional(),
  normEps: z.number().positive().optional(),
  preNorm: z.boolean().optional().describe("A norm before the first block, as in CLIP"),
});

const Cnn = z.strictObject({
  family: z.literal("cnn"),
  name: z.string().describe("Network and where its features are taken, e.g. efficientnet-lite0/stage7"),
  patchPx: z.int().positive().describe("Distance between places of its grid, in pixels of its input"),
  width: z.int().positive().describe("Channels at a place"),
});

/** Of all this the daemon needs patch and width; the rest is for people, and for a trainer that goes on from here. */
export const EncoderArchitecture = z.union([Cnn, Vit]);
export type EncoderArchitecture = z.infer<typeof EncoderArchitecture>;

export const PolicyManifest = z
  .strictObject({
    ...BundleHead.shape,
    kind: z.literal("bc-mlp"),
    robot: z.strictObject({
      device: z.enum(POLICY_DEVICES).describe("Several devices joined by - have their joints in this order"),
      joints: z
        .array(z.string())
        .min(1)
        .describe(
          "Order of every joint vector below; of several devices each name begins with its device and /",
        ),
    }),
    rateHz: z.number().positive().max(250),
    expiryMs: z.number().positive().max(2000).describe("Validity of one action from its start"),
    image: ImageInput,
    proprioception: z
      .array(
        z.strictObject({
          name: z.string(),
          unit: z.enum(["rad", "m", "none"]),
          source: z.enum(["joint-position", "gripper-opening", "zero"]),
        }),
      )
      .min(1)
      .describe("Elements of the state input, in order"),
    encoder: z.strictObject({
      architecture: EncoderArchitecture,
      input: z.literal("image").describe("float32 [1, 3, height, width], normalised"),
      output: z
        .literal("tokens")
        .describe(
          "float32 [1, 1 + patches, width]: a token for the whole picture, then the places row by row",
        ),
      feature: z
        .enum(["class-token", "patch-tokens"])
        .describe("What the controller receives: [1, width] or [1, patches, width]"),
      pretraining: z.enum(["mae", "none", "supervised", "clip", "contrastive"]),
    }),
    controller: z.strictObject({
      featureInput: z.literal("feature"),
      stateInput: z.literal("state").describe("float32 [1, proprioception]"),
      output: z
        .literal("action")
        .describe("float32 [1, joints], with `action.gripper` [1, joints + 1]: the opening [m] comes last"),
      hidden: z.array(z.int().positive()).min(1),
    }),
    action: z.strictObject({
      kind: z
        .literal("delta-joint-position")
        .describe("target = joint position measured at the image's time + action"),
      unit: z.literal("rad"),
      clipRad: z
        .union([z.number().positive().max(0.5), z.array(z.number().positive().max(1)).min(1)])
        .describe("Per step: one for every joint, or one for each of them (a finger may go further)"),
      gripper: GripperAction.optional().describe("Absent: the gripper stays as the start asks for it"),
    }),
    start: z.strictObject({
      positionRad: z.array(z.number()).min(1),
      gripperOpeningM: z.number().min(0).max(0.1).optional().describe("Absent without a gripper"),
    }),
    variants: z.array(Variant).min(1).describe("The first that passes the gate is used"),
    gate: Gate,
    leftOut: z
      .array(LeftOut)
      .optional()
      .describe("Precisions that were measured and are not in this bundle, and why"),
    goldens: z.strictObject({
      file: RelativeFile,
      toleranceImage: z.number().positive(),
      toleranceAction: z.number().positive(),
    }),
    provenance: z.strictObject({
      trainer: z.string(),
      code: z.string().optional().describe("Version of the repository that trained and exported"),
      dataset: z.strictObject({
        episodes: z.int().positive(),
        frames: z.int().positive(),
        sha256: Sha256,
        recordings: z
          .array(z.strictObject({ name: z.string(), uuid: z.uuid(), sha256: Sha256 }))
          .optional()
          .describe("Episodes that were trained on, as files"),
        recordedWith: z.array(z.string()).optional().describe("Versions of the software that recorded them"),
        calibration: z
          .array(z.record(z.string(), z.unknown()))
          .optional()
          .describe("The calibrations that they were recorded with, each once, as the episodes say"),
      }),
      trainingParityMaxAbs: z
        .number()
        .min(0)
        .describe("Largest difference between ONNX Runtime and PyTorch at export"),
      notes: z.string(),
    }),
  })
  .refine((m) => m.start.positionRad.length === m.robot.joints.length, {
    path: ["start", "positionRad"],
    error: "must have one number per joint",
  })
  .refine((m) => new Set(m.robot.joints).size === m.robot.joints.length, {
    path: ["robot", "joints"],
    error: "must not name a joint twice",
  })
  .refine(
    ({ action, robot }) =>
      typeof action.clipRad === "number" || action.clipRad.length === robot.joints.length,
    { path: ["action", "clipRad"], error: "must be one number, or one per joint" },
  )
  .refine(({ action, robot }) => action.gripper === undefined || robot.device === "xarm7", {
    path: ["action", "gripper"],
    error: "must be absent: only an arm with a gripper (device xarm7) has one",
  })
  .refine(({ action, start }) => action.gripper === undefined || start.gripperOpeningM !== undefined, {
    path: ["start", "gripperOpeningM"],
    error: "must say how a policy that moves the gripper wants to find it",
  })
  .refine(
    (m) =>
      m.image.crop.xPx + m.image.crop.widthPx <= m.image.widthPx &&
      m.image.crop.yPx + m.image.crop.heightPx <= m.image.heightPx,
    {
      path: ["image", "crop"],
      error: "must lie inside the image",
    },
  );
export type PolicyManifest = z.infer<typeof PolicyManifest>;

/** Names of a policy's output, one for each number of it. */
export const outputNames = ({
  robot,
  action,
}: Pick<PolicyManifest, "robot" | "action">): readonly string[] =>
  action.gripper === undefined ? robot.joints : [...robot.joints, GRIPPER_OUTPUT];

/** `goldens` file: inputs with what the trainer computed for them, replayed at load through the real pipeline. */
export const Goldens = z.strictObject({
  cases: z
    .array(
      z.strictObject({
        image: RelativeFile.describe("PNG, RGB, of the camera's size"),
        state: z.array(z.number()),
        preprocessed: z
          .strictObject({ indices: z.array(z.int().min(0)).min(16), values: z.array(z.number()).min(16) })
          .describe("Samples of the flattened [3, height, width] tensor"),
        action: z.array(z.number()),
      }),
    )
    .min(2),
});
export type Goldens = z.infer<typeof Goldens>;
