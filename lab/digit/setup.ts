/** What an emulated Digit is started with, as plain values. */
import { z } from "zod";
import { Conventions } from "./digitFaults.js";
import { DIGIT_SCENE_NAMES, type DigitSceneName } from "./scenes.js";

const Port = z.int().min(0).max(65535);
export const DigitSceneNameSchema = z.enum(DIGIT_SCENE_NAMES as [DigitSceneName, ...DigitSceneName[]]);

export const DigitPortsSchema = z.strictObject({
  command: Port.describe("0 takes any free port"),
  observation: Port.min(1).describe("Of the client, to which observations go"),
  json: Port.describe("0 takes any free port"),
});

/** The `lab.digit` section of a cell file. */
export const DigitLabConfig = z.strictObject({
  scene: DigitSceneNameSchema.default("flat").describe("Ground and load"),
  body: z
    .enum(["mujoco", "ideal"])
    .default("mujoco")
    .describe("ideal = hangs from a gantry, each joint for itself; for tests of the wire"),
  frames: Conventions.prefault({}).describe("In which the robot tells of its base and inertial sensor"),
});
export type DigitLabConfig = z.infer<typeof DigitLabConfig>;

export const DigitDeviceSetup = DigitLabConfig.extend({
  host: z.string().min(1).default("127.0.0.1"),
  ports: DigitPortsSchema,
  seed: z.int().describe("Of the chance in faults"),
});
export type DigitDeviceSetup = z.infer<typeof DigitDeviceSetup>;
