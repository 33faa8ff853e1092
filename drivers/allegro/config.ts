/** The `robots.<name>.allegro` section of a cell file. */
import { z } from "zod";
import { isGeometryKnown } from "../../kinematics/allegro/geometry.js";
import { HAND_JOINT_COUNT, HAND_MODELS, HAND_SIDES, type HandModel } from "../../kinematics/allegro/hand.js";
import { CanConfig } from "../can/config.js";
import { GAIN_SETS, type GainSetName, gainSetsOf, type PdGains } from "./protocol/index.js";

const perJoint = (value: z.ZodNumber) => z.array(value).length(HAND_JOINT_COUNT);

/** The softer of the vendor's sets for V4; the only one there is for V5. */
const OWN_GAINS: Readonly<Record<HandModel, GainSetName>> = {
  v4: "v4VelocitySaturated",
  v5a: "v5Probed",
  v5b: "v5Probed",
};

const Gains = z.strictObject({
  kp: perJoint(z.number().min(0).max(10)).describe("Torque for 1 rad, wire order"),
  kd: perJoint(z.number().min(0).max(1)).describe("Torque for 1 rad/s, wire order"),
  errorMaxRad: z
    .number()
    .positive()
    .max(3)
    .optional()
    .describe("A greater position error counts as this one"),
  velocityMaxRadPerS: z
    .number()
    .positive()
    .max(20)
    .optional()
    .describe("The position error pulls no harder than damping holds back at this speed"),
});

const Gravity = z.strictObject({
  palmQuatXyzw: z
    .tuple([z.number(), z.number(), z.number(), z.number()])
    .refine((q) => Math.abs(Math.hypot(...q) - 1) < 1e-3, { error: "must be a unit quaternion" })
    .describe(
      "Attitude of the palm's frame in a frame whose z points up; on a stand the same as mount.quatXyzw. It is fixed: " +
        "leave gravity out where the palm turns",
    ),
  share: z
    .number()
    .min(0)
    .max(1.5)
    .default(1)
    .describe("Of the weight in the vendor's unit of torque; what a count of PWM gives is not published"),
});

export const AllegroConfig = z
  .strictObject({
    can: CanConfig,
    model: z
      .enum(HAND_MODELS)
      .describe("v4, v5a (non-geared) or v5b (geared, Plus): limits, units and gains hang on it"),
    side: z.enum(HAND_SIDES),
    periodMs: z.int().min(2).max(20).default(3).describe("Period of the hand's position frames; 3 = 333 Hz"),
    silentPeriodsMax: z
      .number()
      .min(2)
      .max(10)
      .default(2)
      .describe("A finger silent for longer stops the hand; more than 2 only for a lab on a loaded computer"),
    gains: z
      .union([z.enum(Object.keys(GAIN_SETS) as [GainSetName, ...GainSetName[]]), Gains])
      .optional()
      .describe("A named set, or gains of your own; the model's own set when absent"),
    gravity: Gravity.optional().describe(
      "Adds the torque that holds the fingers' own weight; none when absent",
    ),
    torqueShareMax: z
      .union([z.number().positive().max(1), perJoint(z.number().min(0).max(1))])
      .default(1)
      .describe("Share of the model's command limits that may be used, for all joints or for each"),
    positionMinRad: perJoint(z.number())
      .optional()
      .describe("Narrower than the hand's own, never wider; for a hand whose limits are not known, its own"),
    positionMaxRad: perJoint(z.number()).optional(),
    velocityMaxRadPerS: perJoint(z.number().positive().max(7)).optional(),
    temperatureWarnC: z.number().min(30).max(80).default(60),
    temperatureStopC: z.number().min(30).max(80).default(70).describe("From here on the hand is stopped"),
    answerTimeoutMs: z
      .number()
      .min(50)
      .max(5000)
      .default(500)
      .describe("For information, serial number and positions"),
    stallMsMax: z
      .number()
      .min(30)
      .max(200)
      .default(75)
      .describe("Longer without computing time, the driver stops the hand and the guardian does so for it"),
    expectSerial: z.string().optional().describe("Refuse any other hand"),
    expectFirmware: z.int().min(0).max(65535).optional().describe("Refuse another firmware version"),
  })
  .refine((config) => config.temperatureWarnC < config.temperatureStopC, {
    path: ["temperatureWarnC"],
    error: "must lie below temperatureStopC",
  })
  .superRefine(({ model, side, gravity }, context) => {
    if (gravity === undefined || isGeometryKnown(model, side)) return;
    context.addIssue({
      code: "custom",
      path: ["gravity"],
      message: `must be left out: the geometry of a ${side} ${model} is not known`,
    });
  })
  .superRefine(({ model, gains }, context) => {
    if (typeof gains !== "string" || gainSetsOf(model).includes(gains)) return;
    const known = gainSetsOf(model).join(", ");
    context.addIssue({
      code: "custom",
      path: ["gains"],
      message: `is not for ${model}, which has: ${known}`,
    });
  });
export type AllegroConfig = z.infer<typeof AllegroConfig>;

export function gainsOf(model: HandModel, gains: AllegroConfig["gains"]): PdGains {
  if (typeof gains !== "object") return GAIN_SETS[gains ?? OWN_GAINS[model]];
  const { errorMaxRad, velocityMaxRadPerS, ...own } = gains;
  return {
    ...own,
    ...(errorMaxRad === undefined ? {} : { errorMaxRad }),
    ...(velocityMaxRadPerS === undefined ? {} : { velocityMaxRadPerS }),
  };
}
