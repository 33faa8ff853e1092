/**
 * The precisions of one policy: what was measured of each against fp32 on recorded frames, and the gate that decides
 * which of them may move a robot. The trainer measures; the daemon applies the gate again, and to its goldens too.
 */
import { z } from "zod";
import { RelativeFile } from "./bundleHead.js";

const PRECISIONS = ["fp32", "int8"] as const;
const Cosine = z.number().max(1.000001);

export const Measured = z.strictObject({
  frames: z.int().positive().describe("Recorded frames that fp32 and this precision both answered"),
  datasetSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe("Of the recordings that the frames are from"),
  featureCosineMean: Cosine,
  featureCosineMin: Cosine,
  actionErrorShare: z
    .number()
    .min(0)
    .describe(
      "Largest difference of an element of the action, as a share of its clip; of a gripper, of its way",
    ),
  actionErrorMaxRad: z.number().min(0).describe("Of joints, as the two below"),
  actionErrorRmsRad: z.number().min(0),
  actionRmsRad: z.number().min(0).describe("Of fp32's own answers to these frames, for comparison"),
  outlierRatio: z
    .number()
    .min(0)
    .describe(
      "Largest activation over that of the median channel, at the input of any matrix product of the encoder",
    ),
  productsQuantised: z.int().min(0),
  productsKept: z
    .array(z.string())
    .describe("Matrix products left in fp32 because a few channels of their input outshine all others"),
});

export const Variant = z.strictObject({
  precision: z.enum(PRECISIONS),
  encoderFile: RelativeFile,
  controllerFile: RelativeFile,
  fusedFile: RelativeFile.optional().describe(
    "Both in one graph, image and state to action, for other programs; the daemon runs the two",
  ),
  featureCosineMean: Cosine.describe("Against fp32 on recorded frames; 1 for fp32"),
  featureCosineMin: Cosine,
  measured: Measured.optional(),
});
export type Variant = z.infer<typeof Variant>;

export const Gate = z.strictObject({
  featureCosineMean: z.number(),
  featureCosineMin: z.number(),
  actionErrorShare: z
    .number()
    .positive()
    .max(0.5)
    .optional()
    .describe(
      "How far an action may be from fp32's, as a share of its clip; goldens of other precisions are held to it too",
    ),
});
export type Gate = z.infer<typeof Gate>;

export const LeftOut = z.strictObject({
  precision: z.enum(PRECISIONS),
  reason: z.string().describe("What was found and what the gate expects"),
  measured: Measured.optional(),
});

/** Whether all that was measured of a variant is good enough. What was not measured is not held against it. */
export function passesGate({ featureCosineMean, featureCosineMin, measured }: Variant, gate: Gate): boolean {
  const errorShare = measured?.actionErrorShare ?? 0;
  return (
    featureCosineMean >= gate.featureCosineMean &&
    featureCosineMin >= gate.featureCosineMin &&
    errorShare <= (gate.actionErrorShare ?? Number.POSITIVE_INFINITY)
  );
}
