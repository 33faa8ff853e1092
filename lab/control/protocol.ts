/**
 * The lab's control socket: how a test, an evaluation or a scripted expert arranges the simulated world and asks for
 * its ground truth. One JSON object a line, one answer a line, in order. No real robot has this.
 */
import { z } from "zod";
import { HandFault } from "../allegro/handFaults.js";
import { DigitFault } from "../digit/digitFaults.js";
import { DigitSceneNameSchema } from "../digit/setup.js";

const Point = z.tuple([z.number(), z.number(), z.number()]);

export const LabRequest = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("truth") }),
  z.strictObject({
    do: z.literal("scene"),
    seed: z
      .int()
      .min(0)
      .describe("Lighting, textures, camera jitter, distractors and, unless given, the block's place"),
    blockM: z
      .tuple([z.number(), z.number()])
      .optional()
      .describe("x, y of the red block's centre, or of whatever is there instead, base frame"),
    object: z
      .string()
      .min(1)
      .optional()
      .describe("Name of the fruit, where one lies there; lab/world/fruits.ts"),
    light: z.enum(["training", "changed"]).default("training"),
  }),
  z.strictObject({ do: z.literal("handTruth") }),
  z.strictObject({
    do: z.literal("handScene"),
    seed: z
      .int()
      .min(0)
      .describe("Lighting, textures, camera jitter and, unless given, the object and its place"),
    object: z.string().min(1).optional().describe("Name of the object on the palm; lab/world/handObjects.ts"),
    placeM: z.tuple([z.number(), z.number()]).optional().describe("y, z of the object's centre, palm frame"),
    yawRad: z.number().optional().describe("About the palm's x axis"),
    light: z.enum(["training", "changed"]).default("training"),
  }),
  z.strictObject({
    do: z.literal("pose"),
    positionRad: z
      .array(z.number())
      .length(7)
      .describe("Teleports the simulated arm; only while it is not enabled"),
  }),
  z.strictObject({
    do: z.literal("handPose"),
    positionRad: z
      .array(z.number())
      .length(16)
      .describe("Teleports the simulated hand's joints, wire order; only while its servo is off"),
  }),
  z.strictObject({
    do: z.literal("push"),
    on: z
      .enum(["tool", "object"])
      .default("tool")
      .describe("The arm's tool point, or the object on the palm"),
    forceN: Point.describe("Of a person's hand, base frame"),
    ms: z.number().positive().max(60_000).describe("Simulated time"),
  }),
  z.strictObject({ do: z.literal("armFault"), errorCode: z.int().min(0).max(255) }),
  z.strictObject({
    do: z.literal("handFault"),
    fault: HandFault.describe(
      "What goes wrong on the hand, its bus or its adapter; lab/allegro/handFaults.ts",
    ),
  }),
  z.strictObject({ do: z.literal("handStatus") }),
  z.strictObject({
    do: z.literal("handWire"),
    since: z.int().min(0).default(0).describe("Index of the first frame wanted"),
    clear: z.boolean().default(false).describe("Forget frames and figures after the answer"),
  }),
  z.strictObject({ do: z.literal("digitTruth") }),
  z.strictObject({
    do: z.literal("digitScene"),
    scene: DigitSceneNameSchema.describe(
      "People carry the robot there and put it on its feet; lab/digit/scenes.ts",
    ),
  }),
  z.strictObject({
    do: z.literal("digitFault"),
    fault: DigitFault.describe(
      "What goes wrong on the robot, its network or its interfaces; lab/digit/digitFaults.ts",
    ),
  }),
  z.strictObject({ do: z.literal("digitStatus") }),
  z.strictObject({
    do: z.literal("digitWire"),
    since: z.int().min(0).default(0).describe("Index of the first command wanted"),
    records: z.boolean().default(false).describe("Every command, not only what the motors got"),
    clear: z.boolean().default(false).describe("Forget commands and figures after the answer"),
  }),
  z.strictObject({ do: z.literal("camera"), action: z.enum(["run", "freeze", "drop", "stop"]) }),
  z.strictObject({
    do: z.literal("snapshot"),
    camera: z
      .string()
      .min(1)
      .describe("Name of one of the cell's cameras, or `scene`: a view of the whole cell"),
    file: z.string().min(1).describe("PNG to write"),
  }),
  z.strictObject({
    do: z.literal("step"),
    ms: z.number().positive().max(60_000).describe("Lock-step labs only: moves simulated time on"),
  }),
  z.strictObject({ do: z.literal("ports") }),
  z.strictObject({
    do: z.literal("wire"),
    since: z.int().min(0).default(0).describe("Index of the first frame wanted"),
    form: z.enum(["records", "times"]).default("records"),
    clear: z.boolean().default(false).describe("Forget frames and figures after the answer"),
  }),
]);
export type LabRequest = z.infer<typeof LabRequest>;

export const LabTruth = z.strictObject({
  simulatedS: z.number(),
  atNs: z.string().describe("Monotonic nanoseconds"),
  blockM: Point.describe(
    "Centre of the red block or of a fruit, or half way up the free edge of a fridge's door; base frame",
  ),
  blockYawRad: z
    .number()
    .describe("How far the red block, fruit or fridge is turned about the base's z axis"),
  othersM: z.array(Point).describe("Centres of the other boxes that lie in the cell, base frame"),
  toolM: Point.describe("Tool point, base frame"),
  distanceM: z.number(),
  positionRad: z.array(z.number()).length(7),
  lagRad: z.number().describe("Of the joint that is farthest from its setpoint"),
  fridge: z
    .strictObject({
      placeM: z.tuple([z.number(), z.number()]).describe("Middle of its footprint, base frame"),
      yawRad: z.number().describe("Heading of its front"),
      doorRad: z.number().describe("How far its door is open"),
    })
    .optional(),
  fruit: z
    .strictObject({
      name: z.string(),
      widthM: z.number().describe("Across it where fingers take it"),
      heightM: z.number().describe("Of that place above the table, as it lies"),
      isLong: z.boolean().describe("Longer than wide: fingers close across it"),
    })
    .optional(),
});
export type LabTruth = z.infer<typeof LabTruth>;

/** Of a hand and the object on its palm. */
export const LabHandTruth = z.strictObject({
  simulatedS: z.number(),
  atNs: z.string().describe("Monotonic nanoseconds"),
  object: z.string().describe("Its name"),
  centreM: Point.describe("Of the object, palm frame"),
  topM: Point.describe("Middle of the object's upper side as it lies now, palm frame"),
  quatXyzw: z.tuple([z.number(), z.number(), z.number(), z.number()]).describe("Object in the palm frame"),
  tipsM: z.array(Point).length(4).describe("Fingertips: index, middle, ring, thumb; palm frame"),
  positionRad: z.array(z.number()).length(16).describe("Joint angles, wire order"),
});
export type LabHandTruth = z.infer<typeof LabHandTruth>;

export const LabAnswer = z.union([
  z.strictObject({
    ok: z.literal(true),
    truth: LabTruth.optional(),
    handTruth: LabHandTruth.optional(),
    ports: z.record(z.string(), z.int()).optional(),
    wire: z
      .record(z.string(), z.unknown())
      .optional()
      .describe("Motion and stop frames that the emulated controller received; lab/xarm7/wireReport.ts"),
    hand: z
      .record(z.string(), z.unknown())
      .optional()
      .describe("Of the emulated hand, what was asked for; lab/allegro/handReport.ts"),
    digit: z
      .record(z.string(), z.unknown())
      .optional()
      .describe("Of the emulated Digit, what was asked for; lab/digit/report.ts"),
  }),
  z.strictObject({ ok: z.literal(false), error: z.string(), remedy: z.string() }),
]);
export type LabAnswer = z.infer<typeof LabAnswer>;
