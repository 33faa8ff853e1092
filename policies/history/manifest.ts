/**
 * `policy.json` of a policy that sees no picture but what a robot on legs felt and did in its newest steps, and answers
 * joint targets with the gains to hold them by. One format for every network that takes such a history.
 */
import { z } from "zod";
import { BundleHead, RelativeFile, Sha256 } from "../bundleHead.js";
import { ARCHITECTURES, HISTORY_KINDS, type HistoryKind } from "./architecture.js";
import { LEGGED_DEVICES } from "./bodies.js";
import { ActionSlot, ObservationSlot } from "./slots.js";

const PerJoint = z.array(z.number()).min(1);
const Interval = z.tuple([z.number(), z.number()]);

/** Which velocities a walking policy takes. */
export const CommandRule = z.strictObject({
  cutoff: z
    .strictObject({
      forwardMPerS: z.number().min(0),
      leftMPerS: z.number().min(0),
      yawRateRadPerS: z.number().min(0),
    })
    .describe("What is asked for below is zero"),
  range: z.strictObject({ forwardMPerS: Interval, leftMPerS: Interval, yawRateRadPerS: Interval }),
  staleMs: z.number().positive().max(2000).default(500).describe("Older commands count as zero"),
});
export type CommandRule = z.infer<typeof CommandRule>;

export const HistoryManifest = z
  .strictObject({
    ...BundleHead.shape,
    kind: z.enum(HISTORY_KINDS),
    motion: z
      .enum(["allowed", "refused"])
      .describe("refused: the policy is computed, timed and compared, and never commands a robot"),
    motionReason: z.string().min(1).describe("Why it may, or may not"),
    robot: z.strictObject({
      device: z.enum(LEGGED_DEVICES),
      joints: z.array(z.string()).min(1).describe("Order of every joint vector of the manifest"),
      passiveJoints: z.array(z.string()),
    }),
    rateHz: z.number().positive().max(250),
    expiryMs: z
      .number()
      .positive()
      .max(200)
      .describe("Validity of one command from the state it was made from"),
    architecture: z.union([
      ARCHITECTURES["causal-transformer"],
      ARCHITECTURES.mlp,
      ARCHITECTURES.cnn,
      ARCHITECTURES.lstm,
    ]),
    parameters: z.int().positive().describe("Weights of the network"),
    model: z.discriminatedUnion("inference", [
      z.strictObject({
        inference: z.literal("full-window").describe("Every step computes the whole history anew"),
        file: RelativeFile.describe(
          "tokens float32 [1, steps, token] (, mask [1, steps]) -> action [1, action]",
        ),
      }),
      z.strictObject({
        inference: z
          .literal("cached-embedding")
          .describe("Each token is embedded once; what depends on its place in the window is computed anew"),
        embedFile: RelativeFile.describe("token float32 [1, token] -> embedded [1, width]"),
        embeddedWidth: z.int().positive(),
        file: RelativeFile.describe("embedded float32 [1, steps, width] (, mask) -> action [1, action]"),
      }),
    ]),
    observation: z.array(ObservationSlot).min(1).describe("In the network's order"),
    action: z.strictObject({
      slots: z.array(ActionSlot).min(1).describe("In the network's order"),
      fixed: z
        .array(
          z.strictObject({
            joint: z.string(),
            positionRad: z.number().optional(),
            stiffnessNmPerRad: z.number().min(0).optional(),
            dampingNmSPerRad: z.number().min(0).optional(),
          }),
        )
        .describe("What the network does not say, or must not"),
    }),
    history: z.strictObject({
      steps: z.int().min(1).max(256).describe("Tokens, the newest included"),
      token: z.literal("observation-then-previous-action"),
      previousAction: z
        .enum(["network-output", "clipped"])
        .describe("What of the step before stands in a token: before or after the slots' clip"),
      fill: z
        .enum(["first-observation", "zeros", "mask"])
        .describe(
          "Tokens before the first step: its observation with the default action, zeros, or zeros that a mask input tells",
        ),
      defaultAction: z.array(z.number()).min(1).describe("The action before the first step"),
    }),
    clock: z.strictObject({ periodS: z.number().positive().describe("Of the gait") }).optional(),
    command: CommandRule.optional(),
    start: z
      .strictObject({
        positionRad: PerJoint,
        stiffnessNmPerRad: PerJoint,
        dampingNmSPerRad: PerJoint,
        toleranceRad: z.number().positive().max(1).describe("How far a joint may be off when a run begins"),
        tiltRadMax: z.number().positive().max(1),
        blendMs: z.number().min(0).max(5000).describe("From this pose and these gains to the policy's own"),
      })
      .describe("How the robot stands when a run begins"),
    goldens: z.strictObject({
      file: RelativeFile,
      toleranceObservation: z.number().positive(),
      toleranceAction: z.number().positive(),
    }),
    provenance: z.strictObject({
      trainer: z.string(),
      weights: z.enum(["random", "constructed", "trained"]),
      seed: z.int().optional(),
      stateDictSha256: Sha256.optional(),
      trainingParityMaxAbs: z
        .number()
        .min(0)
        .describe("Largest difference between ONNX Runtime and PyTorch at export"),
      notes: z.string(),
    }),
  })
  .refine((m) => ARCHITECTURES[m.kind].safeParse(m.architecture).success, {
    path: ["architecture"],
    error: "must give the sizes that `kind` has",
  });
export type HistoryManifest = z.infer<typeof HistoryManifest>;
export type { HistoryKind };

const Vector3 = z.array(z.number()).length(3);

/** What one step of a robot on legs felt, as goldens and recordings write it down. */
export const RecordedReading = z.strictObject({
  timeS: z.number().describe("Since the run's first step"),
  positionRad: z.array(z.number()),
  velocityRadPerS: z.array(z.number()),
  passivePositionRad: z.array(z.number()),
  passiveVelocityRadPerS: z.array(z.number()),
  quatWorldBaseXyzw: z.array(z.number()).length(4),
  linearVelocityBaseMPerS: Vector3,
  angularVelocityBaseRadPerS: Vector3,
  command: Vector3.describe("Forward m/s, left m/s, yaw rad/s, as asked for"),
});
export type RecordedReading = z.infer<typeof RecordedReading>;

/** Runs of consecutive steps with what the trainer made of them, replayed at load through the real code. */
export const HistoryGoldens = z.strictObject({
  cases: z
    .array(
      z.strictObject({
        steps: z
          .array(
            z.strictObject({
              reading: RecordedReading,
              observation: z.array(z.number()),
              output: z.array(z.number()).describe("Of the network"),
              positionRad: z.array(z.number()),
              stiffnessNmPerRad: z.array(z.number()),
              dampingNmSPerRad: z.array(z.number()),
            }),
          )
          .min(2),
      }),
    )
    .min(1),
});
export type HistoryGoldens = z.infer<typeof HistoryGoldens>;
