/** How a person's hand leads the robot's. Why these defaults: docs/decisions/0031-retargeting.md. */
import { z } from "zod";

export const RETARGETING_OBJECTIVES = ["dexPilot", "vector"] as const;

export const RetargetingConfig = z.strictObject({
  objective: z
    .enum(RETARGETING_OBJECTIVES)
    .default("dexPilot")
    .describe(
      "dexPilot: tips from the wrist and from each other, pinches close. vector: tips from the wrist only",
    ),
  scale: z
    .number()
    .min(0.8)
    .max(2.5)
    .default(1.3)
    .describe("Metres of the robot's hand per metre of the person's; the hand's calibration finds it"),
  huberM: z
    .number()
    .min(1e-3)
    .max(0.2)
    .optional()
    .describe(
      "Errors beyond this count by their size, below by its square; 0.03 for dexPilot, 0.02 for vector",
    ),
  stillness: z
    .number()
    .min(1e-4)
    .max(0.1)
    .default(4e-3)
    .describe("Price of a joint's step since the last hand, per rad², against 1 for a tip's place"),
  posture: z
    .number()
    .min(0)
    .max(0.01)
    .default(1e-4)
    .describe(
      "Price of a joint's distance from the half-closed hand, per rad²; decides what tips leave open",
    ),
  smoothingS: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.03)
    .describe("Time constant of the low-pass on joint angles"),
  pinch: z
    .strictObject({
      closeBelowM: z
        .number()
        .min(0.005)
        .max(0.06)
        .default(0.03)
        .describe("Person's thumb to a fingertip: a pinch"),
      openAboveM: z.number().min(0.01).max(0.12).default(0.05).describe("And no longer one"),
      gapM: z
        .number()
        .min(0)
        .max(0.03)
        .default(0.012)
        .describe("Between robot's thumb and fingertip, from centre to centre; their balls touch at 0.024"),
      neighbourGapM: z
        .number()
        .min(0)
        .max(0.06)
        .default(0.03)
        .describe("Between two fingertips that pinch against the same thumb"),
      weight: z.number().min(1).max(1000).default(200).describe("Of a pinch, against 10 for a tip's place"),
      neighbourWeight: z.number().min(1).max(1000).default(400),
      rampS: z
        .number()
        .min(0)
        .max(1)
        .default(0.1)
        .describe("How long a pinch takes to get its weight, and to lose it"),
    })
    .refine((pinch) => pinch.openAboveM > pinch.closeBelowM, {
      path: ["openAboveM"],
      error: "must be above closeBelowM, or a pinch flickers",
    })
    .prefault({}),
});
export type RetargetingConfig = z.infer<typeof RetargetingConfig>;
