/** The `teleop` section of a cell file: how a person's hand becomes motion of the tool. */
import { z } from "zod";
import { DeviceName } from "../../core/teleop/pose.js";
import { TaskName } from "../../episodes/format.js";
import { RetargetingConfig } from "../../kinematics/allegro/retargetingConfig.js";

export const DeadmanConfig = z.strictObject({
  poseAgeMsMax: z
    .number()
    .min(20)
    .max(250)
    .default(100)
    .describe("Without a newer pose for so long the arm holds, latched"),
  frozenMsMax: z
    .number()
    .min(50)
    .max(1000)
    .default(250)
    .describe(
      "A pose that stays the same to the last bit for so long is a dead tracker; 0 motion of a hand never is",
    ),
  jumpMMax: z
    .number()
    .min(0.02)
    .max(0.5)
    .default(0.1)
    .describe("Farther between two poses: the tracker has jumped"),
  jumpRadMax: z.number().min(0.1).max(Math.PI).default(0.52),
  clutchOn: z.number().min(0.5).max(1).default(0.8),
  clutchOff: z.number().min(0).max(0.8).default(0.6),
});
export type DeadmanConfig = z.infer<typeof DeadmanConfig>;

export const MappingConfig = z.strictObject({
  translationScale: z
    .number()
    .min(0.1)
    .max(2)
    .default(1)
    .describe("Metres of the tool per metre of the hand"),
  rotationScale: z.number().min(0).max(2).default(1),
  filter: z
    .strictObject({
      minCutoffHz: z
        .number()
        .min(0.5)
        .max(30)
        .default(6)
        .describe("One-Euro filter: cutoff for a still hand. Lower = calmer, and later by 160 ms / this"),
      beta: z
        .number()
        .min(0)
        .max(50)
        .default(20)
        .describe("One-Euro filter: how far a faster hand opens it [Hz s/m]; nothing at rest"),
    })
    .prefault({}),
  leadMs: z
    .number()
    .min(0)
    .max(150)
    .default(30)
    .describe(
      "Feed-forward: the target is moved on by the hand's speed for so long. Less late by as much; beyond about 30 ms a sudden stop overshoots, by 3 mm for each 10 ms at 0.3 m/s",
    ),
  leashM: z
    .number()
    .min(0.01)
    .max(0.3)
    .default(0.08)
    .describe(
      "The wanted tool point is never farther from the commanded one; the clutch's origin moves along",
    ),
  leashRad: z.number().min(0.05).max(1.5).default(0.5),
  linearSpeedMaxMPerS: z.number().positive().max(1).default(0.4),
  angularSpeedMaxRadPerS: z.number().positive().max(3).default(1.5),
  jointSpeedShare: z.number().positive().max(1).default(0.9).describe("Of the servo's own velocity limits"),
  jointMarginRad: z.number().min(0).max(0.5).default(0.05).describe("Kept free before each position limit"),
  damping: z.number().positive().max(0.5).default(0.05),
  elbowGain: z
    .number()
    .min(0)
    .max(5)
    .default(1)
    .describe("How fast the null space goes to its posture [1/s]"),
  postureRad: z
    .array(z.number())
    .length(7)
    .optional()
    .describe("Preferred posture; the one at each engage when absent"),
  gripper: z
    .strictObject({
      control: z.enum(["trigger", "button"]).default("trigger").describe("button = each press toggles"),
      openM: z.number().min(0).max(0.1).default(0.08),
      closedM: z.number().min(0).max(0.1).default(0),
    })
    .prefault({}),
});
export type MappingConfig = z.infer<typeof MappingConfig>;

export const FingersConfig = z.strictObject({
  retargeting: RetargetingConfig.prefault({}),
  catchUpRadPerS: z
    .number()
    .min(0.1)
    .max(3)
    .default(1)
    .describe(
      "A joint's speed from where it stands at each engagement to where the person's fingers want it",
    ),
  jointSpeedShare: z.number().positive().max(1).default(0.9).describe("Of the servo's own velocity limits"),
});
export type FingersConfig = z.infer<typeof FingersConfig>;

export const TeleopConfig = z.strictObject({
  hand: z.enum(["left", "right"]).default("right"),
  defaultTask: TaskName.default("demonstrations").describe(
    "Set that the headset and the console record into",
  ),
  deadman: DeadmanConfig.prefault({}),
  mapping: MappingConfig.prefault({}),
  fingers: FingersConfig.prefault({}).describe("How tracked fingers lead those of a robot's hand"),
  rosSources: z
    .array(
      z.strictObject({
        device: DeviceName,
        poseTopic: z.string().regex(/^\//).describe("geometry_msgs/PoseStamped"),
        joyTopic: z.string().regex(/^\//).describe("sensor_msgs/Joy: whose buttons are clutch and gripper"),
        clutchButton: z.int().min(0).max(31).default(0),
        gripperButton: z.int().min(0).max(31).default(1),
        hand: z.enum(["left", "right"]).default("right"),
      }),
    )
    .max(4)
    .superRefine((sources, context) => {
      const names = sources.map(({ device }) => device);
      for (const [index, name] of names.entries())
        if (names.indexOf(name) !== index)
          context.addIssue({
            code: "custom",
            path: [index, "device"],
            message: `${name} names another tracker already; give each a name of its own`,
          });
    })
    .default([])
    .describe("Trackers whose poses come over ROS, for instance of libsurvive"),
});
export type TeleopConfig = z.infer<typeof TeleopConfig>;
