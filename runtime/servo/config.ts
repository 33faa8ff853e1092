/** The `robots.<name>.servo` section of a cell file: rates, limits and watchdogs of the servo process. */
import { z } from "zod";
import { DIGIT_STAND } from "../../kinematics/digit/motors.js";

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

const LEG_JOINTS = 20;
/** Left leg 6, right leg 6, left arm 4, right arm 4: the same for both sides. */
const bothSides = (leg: readonly number[], arm: readonly number[]) => [...leg, ...leg, ...arm, ...arm];
const perMotor = (maximum: number, fallback: readonly number[]) =>
  z
    .array(z.number().min(0).max(maximum))
    .length(LEG_JOINTS)
    .default([...fallback]);

/** Of a robot on legs with twenty motors: left leg, right leg, left arm, right arm. */
export const LegServoConfig = z.strictObject({
  rateHz: z.number().min(500).max(1000).default(1000).describe("Rate of commands to the device"),
  positionMarginRad: z
    .number()
    .min(0)
    .max(0.2)
    .default(0.01)
    .describe("Kept free before each position limit; targets beyond are cut to it"),
  stiffnessMaxNmPerRad: perMotor(4000, Array(LEG_JOINTS).fill(2500)).describe(
    "Stiffer commands are cut to it",
  ),
  dampingMaxNmSPerRad: perMotor(70, bothSides([60, 26, 38, 38, 28, 28], [60, 60, 26, 60])).describe(
    "Commands with more damping are cut to it; the device announces what it allows",
  ),
  torqueDemandMaxNm: z
    .number()
    .positive()
    .max(2000)
    .default(1000)
    .describe(
      "A target that asks a motor for more (stiffness times distance) ends in damping; the strongest gives 231",
    ),
  commandExpiryMsMax: z
    .number()
    .positive()
    .max(200)
    .default(100)
    .describe("Longest validity a command may ask for"),
  stateAgeMsMax: z.number().positive().max(100).default(20).describe("Older device state means damping"),
  leaseSilenceMsMax: ServoConfig.shape.leaseSilenceMsMax.describe(
    "A commander silent for longer means damping",
  ),
  supervisorSilenceMsMax: ServoConfig.shape.supervisorSilenceMsMax.describe(
    "The daemon silent for longer, while somebody commands, means damping",
  ),
  lateTicksMax: z
    .int()
    .positive()
    .max(100)
    .default(40)
    .describe("Consecutive missed ticks that mean damping; the device itself waits 50 ms"),
  stand: z
    .strictObject({
      poseRad: z
        .array(z.number().min(-Math.PI).max(Math.PI))
        .length(LEG_JOINTS)
        .default([...DIGIT_STAND.positionRad])
        .describe("Where an enabled robot stands that nobody commands"),
      asFoundRadMax: perMotor(0.3, bothSides([0, 0, 0, 0, 0.15, 0.15], [0, 0, 0, 0])).describe(
        "Up to so far from the pose a joint stays where it was found: soles lie on a slope as they lay",
      ),
      stiffnessNmPerRad: perMotor(4000, DIGIT_STAND.stiffnessNmPerRad),
      dampingNmSPerRad: perMotor(70, DIGIT_STAND.dampingNmSPerRad),
      stiffenMs: z
        .number()
        .min(20)
        .max(10_000)
        .default(200)
        .describe(
          "Time in which the gains of a commander who gives the robot back become those of the stand",
        ),
      speedMaxRadPerS: z
        .number()
        .positive()
        .max(1)
        .default(0.3)
        .describe("No joint's target goes faster from where it was measured to the pose"),
    })
    .prefault({}),
  release: z
    .strictObject({
      tiltRadMax: z.number().positive().max(0.3).default(0.15),
      speedMaxMPerS: z.number().positive().max(0.5).default(0.2),
      turnRateMaxRadPerS: z.number().positive().max(1).default(0.5),
      jointSpeedMaxRadPerS: z.number().positive().max(3).default(1.5),
    })
    .prefault({})
    .describe("Whoever gives the lease back leaves a robot that stands, if it is at most this; else damping"),
  realtimePriority: ServoConfig.shape.realtimePriority,
  cpus: ServoConfig.shape.cpus,
});
export type LegServoConfig = z.infer<typeof LegServoConfig>;

/** What every servo needs to know, whatever it drives. */
export type CommonServoConfig = Pick<
  ServoConfig & LegServoConfig,
  | "rateHz"
  | "positionMarginRad"
  | "commandExpiryMsMax"
  | "stateAgeMsMax"
  | "leaseSilenceMsMax"
  | "supervisorSilenceMsMax"
  | "lateTicksMax"
  | "realtimePriority"
  | "cpus"
>;
