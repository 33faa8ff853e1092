/**
 * Places of a policy's observation and action, and what can stand in each. A slot says by name what it holds, in which
 * unit and frame; nothing is told by its place. Two vectors that hold the same numbers in another order are the most
 * frequent reason why a walking policy falls within seconds.
 */
import { z } from "zod";
import { BODIES, type LeggedDevice } from "./bodies.js";

interface Source {
  /** What `of` may be: names given here, or those of the robot's joints. */
  readonly of: readonly string[] | "joint";
  /** Of each `of`, or one for all. */
  readonly unit: string | Readonly<Record<string, string>>;
  /** Frames that it can be expressed in; none where that means nothing. */
  readonly frames: readonly string[];
}

const AXES = ["x", "y", "z"] as const;

/**
 * base: torso, x forward, y left, z up. heading: z up, x where the torso faces on the ground. world: z up, where the
 * robot's own estimator began.
 */
export const SOURCES = {
  "base-linear-velocity": { of: AXES, unit: "m/s", frames: ["base", "heading", "world"] },
  "base-angular-velocity": { of: AXES, unit: "rad/s", frames: ["base", "heading", "world"] },
  /** Direction in which things fall, of length one: 0 0 -1 for a robot that stands upright. */
  "projected-gravity": { of: AXES, unit: "none", frames: ["base"] },
  "joint-position": { of: "joint", unit: "rad", frames: [] },
  "joint-velocity": { of: "joint", unit: "rad/s", frames: [] },
  /** Of the gait's phase, which is 0 in a run's first step. */
  clock: { of: ["sin", "cos"], unit: "none", frames: [] },
  "velocity-command": {
    of: ["forward", "left", "yaw"],
    unit: { forward: "m/s", left: "m/s", yaw: "rad/s" },
    frames: ["heading"],
  },
} as const satisfies Record<string, Source>;
export type SourceName = keyof typeof SOURCES;

export const QUANTITIES = { position: "rad", stiffness: "N·m/rad", damping: "N·m·s/rad" } as const;
export type Quantity = keyof typeof QUANTITIES;

const Interval = z
  .tuple([z.number(), z.number()])
  .refine(([low, high]) => low < high, { error: "must have its lower bound first" });

export const ObservationSlot = z.strictObject({
  source: z.enum(Object.keys(SOURCES) as [SourceName, ...SourceName[]]),
  of: z.string().describe("Axis, joint or component"),
  unit: z.string(),
  frame: z.string().optional(),
  offset: z.number().default(0).describe("In the slot's unit: the mean, where training normalised"),
  scale: z.number().describe("The network gets scale (value - offset), clipped"),
  clip: Interval,
  delaySteps: z.int().min(0).max(8).default(0).describe("How many policy steps ago the value was measured"),
});
export type ObservationSlot = z.infer<typeof ObservationSlot>;

export const ActionSlot = z.strictObject({
  quantity: z.enum(Object.keys(QUANTITIES) as [Quantity, ...Quantity[]]),
  joint: z.string(),
  unit: z.string(),
  offset: z.number().describe("In the slot's unit"),
  scale: z.number().describe("What is commanded: offset + scale (output, clipped), within the range"),
  clip: Interval.describe("Of the network's output"),
  range: Interval.describe("Of what is commanded"),
  overwritten: z
    .boolean()
    .default(false)
    .describe("The output is part of the history and nothing else: `fixed` says what the joint gets"),
});
export type ActionSlot = z.infer<typeof ActionSlot>;

/** What the exporter writes into the model's file: manifest and network are then compared slot by slot. */
export const observationId = ({
  source,
  of,
  frame,
}: Pick<ObservationSlot, "source" | "of" | "frame">): string =>
  frame === undefined ? `${source}:${of}` : `${source}:${of}@${frame}`;
export const actionId = ({ quantity, joint }: Pick<ActionSlot, "quantity" | "joint">): string =>
  `${quantity}:${joint}`;

/** What is wrong with a slot by itself, or undefined. */
export function observationProblem(slot: ObservationSlot, device: LeggedDevice): string | undefined {
  const source: Source = SOURCES[slot.source];
  const { joints, passiveJoints } = BODIES[device];
  const choices = source.of === "joint" ? [...joints, ...passiveJoints] : source.of;
  if (!choices.includes(slot.of)) return `is of ${slot.of}, which is none of ${choices.join(", ")}`;
  const unit = typeof source.unit === "string" ? source.unit : source.unit[slot.of];
  if (slot.unit !== unit) return `is in ${slot.unit}, expected ${unit}`;
  if (source.frames.length === 0 ? slot.frame !== undefined : !source.frames.includes(slot.frame ?? "")) {
    return `has frame ${slot.frame ?? "none"}, expected ${source.frames.join(", ") || "none"}`;
  }
  return undefined;
}

export function actionProblem(slot: ActionSlot, device: LeggedDevice): string | undefined {
  const { joints } = BODIES[device];
  if (!joints.includes(slot.joint)) return `is of ${slot.joint}, which is none of ${joints.join(", ")}`;
  const unit = QUANTITIES[slot.quantity];
  return slot.unit === unit ? undefined : `is in ${slot.unit}, expected ${unit}`;
}
