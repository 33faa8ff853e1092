/** The `robots.<name>.servo` section of a cell file: rates, limits and watchdogs of the servo process. */
import { z } from "zod";

const perJoint = (maximum: number, fallback: number, joints = 7) =>
  z.array(z.number().positive().max(maximum)).length(joints).default(Array(joints).fill(fallback));
const Point = z.tuple([z.number(), z.number(), z.number()]);

export const ServoConfig = z.strictObject({
  rateHz: z.number().min(100).max(250).default(250).describe("Rate of commands to the device"),
  velocityMaxRadPerS: perJoint(Math.PI, 1.0).describe("Base to tool; the device allows pi"),
  accelerationMaxRadPerS2: perJoint(20, 5).describe("Base to tool; the device allows 20"),
  jerkMaxRadPerS3: perJoint(500, 60).describe("Base to tool; the device allows 500"),
  toolSpeedMaxMPerS: z.number().positive().max(1.0).default(0.5).describe("Linear speed of the tool point"),
  positionMarginRad: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.02)
    .describe("Kept free before each position limit"),
  workspace: z
    .strictObject({
      minM: Point.default([-0.2, -0.6, 0.0]),
      maxM: Point.default([0.8, 0.6, 1.2]),
      tableM: z.number().default(0).describe("Height of the table plane in the base frame"),
      tableMarginM: z
        .number()
        .min(0)
        .max(0.2)
        .default(0.01)
        .describe("Least height above it of every part that moves, gripper included"),
    })
    .prefault({})
    .describe("Box for the tool point and the elbow, base frame"),
  selfCollision: z
    .strictObject({
      marginM: z
        .number()
        .min(0)
        .max(0.2)
        .default(0.02)
        .describe("Least distance between parts of the arm that are not neighbours"),
      attached: z
        .array(
          z.strictObject({
            name: z.string().min(1),
            fromM: Point,
            toM: Point,
            radiusM: z.number().positive().max(0.5),
          }),
        )
        .max(16)
        .default([])
        .describe("What else the flange carries, a camera for instance: capsules in the flange frame"),
    })
    .prefault({}),
  commandExpiryMsMax: z
    .number()
    .positive()
    .max(2000)
    .default(1000)
    .describe("Longest validity a command may ask for"),
  stateAgeMsMax: z.number().positive().max(1000).default(100).describe("Older device state means hold"),
  leaseSilenceMsMax: z
    .number()
    .positive()
    .max(5000)
    .default(1000)
    .describe("A commander silent for longer loses its lease"),
  supervisorSilenceMsMax: z
    .number()
    .positive()
    .max(5000)
    .default(1000)
    .describe("A lease ends when the daemon was silent for longer"),
  trackingErrorRadMax: z
    .number()
    .min(0.05)
    .max(1)
    .default(0.35)
    .describe("Largest distance of any joint from its setpoint; beyond it the arm stops"),
  teach: z
    .strictObject({
      velocityMaxRadPerS: z
        .number()
        .positive()
        .max(3)
        .default(1.5)
        .describe("A free arm that moves faster in any joint is stopped"),
      settleMs: z
        .number()
        .min(200)
        .max(3000)
        .default(700)
        .describe("After being set free the arm must stand by itself for so long"),
      settleRadMax: z
        .number()
        .positive()
        .max(0.2)
        .default(0.02)
        .describe("Moved farther meanwhile, it sinks: wrong load or mounting"),
      stillRadPerS: z
        .number()
        .positive()
        .max(0.2)
        .default(0.03)
        .describe("Slower in every joint counts as still"),
    })
    .prefault({})
    .describe("Kinesthetic teaching: the arm is moved by hand"),
  lateTicksMax: z.int().positive().max(100).default(25).describe("Consecutive missed ticks that mean a stop"),
  realtimePriority: z
    .int()
    .min(0)
    .max(98)
    .default(80)
    .describe("SCHED_FIFO priority where permitted; 0 = do not ask"),
  cpus: z
    .array(z.int().min(0).max(1023))
    .max(64)
    .default([])
    .describe("CPUs that the loop's thread may use, by number; none named = any"),
});
export type ServoConfig = z.infer<typeof ServoConfig>;

/** The same for a hand of sixteen joints: index, middle, ring, thumb. */
export const HandServoConfig = ServoConfig.extend({
  rateHz: z.number().min(100).max(500).default(333).describe("Rate of commands to the device"),
  velocityMaxRadPerS: perJoint(7, 3, 16).describe("Index, middle, ring, thumb; the device allows 7"),
  accelerationMaxRadPerS2: perJoint(200, 60, 16).describe("In the same order; the device allows 200"),
  jerkMaxRadPerS3: perJoint(20_000, 3000, 16).describe("In the same order; the device allows 20000"),
  trackingErrorRadMax: z
    .number()
    .min(0.05)
    .max(1)
    .default(1)
    .describe(
      "Largest distance of any joint from its setpoint; a hand that grips has it inside of the object",
    ),
});
