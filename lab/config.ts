/** The `lab` section of a cell file: the simulated world behind the cell's own device addresses. */
import { z } from "zod";
import { DigitLabConfig } from "./digit/setup.js";
import { TABLE_NAMES } from "./world/scene.js";

export const LabConfig = z.strictObject({
  world: z
    .enum([...TABLE_NAMES, "palm", "ground"])
    .default("reach-block")
    .describe(
      "A table with blocks, a fridge or a fruit, an object on a hand's palm, or the ground that a Digit stands on",
    ),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(1),
  clock: z.enum(["paced", "lockstep"]).default("paced"),
  physicsStepMs: z
    .number()
    .min(0.5)
    .max(5)
    .default(2)
    .describe("Never more than 1 with a hand, whose fingers are light"),
  randomise: z
    .strictObject({
      lighting: z.boolean().default(true),
      textures: z.boolean().default(true),
      shadows: z.boolean().default(true),
      cameraJitter: z.boolean().default(true),
      noise: z.boolean().default(true),
      distractorsMax: z.int().min(0).max(5).default(2),
    })
    .prefault({}),
  publishCameras: z
    .boolean()
    .default(true)
    .describe("false when real cameras publish the cell's topics beside a simulated arm"),
  handSerial: z.string().length(8).optional().describe("The lab's own for the hand's model when absent"),
  digit: DigitLabConfig.prefault({}).describe("Of the world ground"),
  armSerial: z.string().default("XS1305LAB00001"),
  armVersion: z.string().default("7,7,XS1305,AC1304,v2.7.1").describe("Answer to the arm's version request"),
});
export type LabConfig = z.infer<typeof LabConfig>;
