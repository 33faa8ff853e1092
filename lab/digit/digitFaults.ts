/**
 * What goes wrong on a Digit, on its network and in its interfaces, as data: conditions that last for a while and events
 * that happen once. The robot, its streams and the network ask which conditions hold; nothing of a fault is anywhere else.
 */
import { z } from "zod";
import { MOTORS } from "../../drivers/digit/protocol/joints.js";
import { ActiveFaults } from "../faults/activeFaults.js";
import { faultSchema, type ValuesOf } from "../faults/faultSchema.js";

const Share = z.number().gt(0).max(1).default(1).describe("Of the datagrams that it could befall");
const Milliseconds = z.number().gt(0).max(60_000);
const Side = z.enum(["observations", "commands", "both"]).default("both").describe("As the robot sees them");
const Motor = z.enum(MOTORS as [string, ...string[]]);
const Factor = z.number().min(0).max(100).optional();

export const OPERATION_MODES = ["disabled", "damping", "locomotion", "joint", "low-level-api"] as const;
export type OperationMode = (typeof OPERATION_MODES)[number];

/** How the robot lays out its observations; all but the first are what another firmware could do as rightly. */
export const LAYOUTS = [
  "plain",
  "singlePrecision",
  "otherOrder",
  "padded",
  "withUnknownFields",
  "withUnknownChunks",
  "lowerCase",
  "compressed",
] as const;
export type Layout = (typeof LAYOUTS)[number];

const FRAMES = {
  linearVelocity: z.enum(["world", "heading", "base"]),
  angularVelocity: z.enum(["base", "world"]),
  imu: z.enum(["mount", "base"]),
} as const;

/** Frames of what the robot tells of its base; public software does not agree on them. */
export const Conventions = z.strictObject({
  linearVelocity: FRAMES.linearVelocity.default("world"),
  angularVelocity: FRAMES.angularVelocity.default("base"),
  imu: FRAMES.imu.default("mount"),
});
export type Conventions = z.infer<typeof Conventions>;

/** What lasts. Every one may end by itself after `forMs`. */
const CONDITIONS = {
  loses: z.strictObject({ side: Side, share: Share }).describe("Datagrams do not arrive"),
  delays: z.strictObject({ side: Side, ms: Milliseconds }).describe("Datagrams arrive later"),
  reorders: z.strictObject({ side: Side, share: Share }).describe("A datagram arrives after its successor"),
  repeats: z.strictObject({ side: Side, times: z.int().min(1).max(8) }).describe("Datagrams arrive again"),
  garbles: z
    .strictObject({ side: Side, share: Share })
    .describe("One byte of a datagram is another: its checksum does not fit"),
  cuts: z
    .strictObject({ side: Side, bytes: z.int().min(0).max(400), share: Share })
    .describe("Only so many bytes of a datagram arrive"),
  blocksFragments: z
    .strictObject({})
    .describe("Whatever does not fit one packet of 1500 bytes is lost, both ways, as behind some firewalls"),
  strangers: z
    .strictObject({})
    .describe("Another robot's observations come to the same port, one with each of ours"),
  stopsDescribing: z.strictObject({}).describe("Observations come, their description does not"),
  laysOut: z
    .strictObject({ as: z.enum(LAYOUTS) })
    .describe("Observations have another layout, which is described"),
  misses: z
    .strictObject({ fields: z.array(z.string().min(1)).min(1) })
    .describe("The description does not have these fields; names as on the wire"),
  claims: z
    .strictObject({
      torque: Factor,
      damping: Factor,
      velocity: Factor,
      asSinglePrecision: z.boolean().default(false),
      nothing: z.boolean().default(false).describe("No limits are told at all"),
    })
    .describe("Motor limits are told as so many times what they are"),
  missizes: z
    .strictObject({ bytes: z.int().min(-50).max(50) })
    .describe("Observations are not as long as described"),
  freezes: z.strictObject({}).describe("The same observation is sent again and again"),
  timeStandsStill: z.strictObject({}).describe("Observations are new, their time is not"),
  reads: z
    .strictObject({ field: z.string().min(1), as: z.union([z.number(), z.enum(["nan", "infinity"])]) })
    .describe("A field of the observations has this value"),
  stretchesQuaternion: z.strictObject({ factor: z.number() }).describe("The base's quaternion is no unit"),
  swapsLegs: z
    .strictObject({})
    .describe("Left leg's readings come as the right leg's, and the other way round"),
  turnsFrames: z
    .strictObject({
      linearVelocity: FRAMES.linearVelocity.optional(),
      angularVelocity: FRAMES.angularVelocity.optional(),
      imu: FRAMES.imu.optional(),
    })
    .describe("Base and inertial sensor are told in other frames"),
  tellsError: z
    .strictObject({})
    .describe("The error flag is up; after the told delay the robot ends low-level control by itself"),
  batteryIs: z.strictObject({ percent: z.int().min(0).max(100) }),
  weakens: z
    .strictObject({ motors: z.array(Motor).min(1), share: z.number().min(0).max(1) })
    .describe("These motors give that share of what they are told"),
  isDeaf: z.strictObject({}).describe("Commands reach the robot's network, and not its control program"),
  hangs: z
    .strictObject({})
    .describe("The control program stands still; the motors are without power meanwhile"),
  emergencyStop: z.strictObject({}).describe("The button is pressed: motors without power, mode disabled"),
  jsonRefuses: z.strictObject({}).describe("The JSON port takes no connection"),
  jsonIsSilent: z
    .strictObject({})
    .describe("JSON connections stand, and nothing is said or answered on them"),
  jsonBabbles: z.strictObject({}).describe("What is no JSON comes before every message"),
  jsonWarns: z.strictObject({}).describe("A warning with the same number comes before every reply"),
  privilegeIsTaken: z.strictObject({}).describe("Another client with a higher priority has the privilege"),
  refusesMode: z.strictObject({ info: z.string().default("mode is not available") }),
  slowsMode: z.strictObject({ ms: Milliseconds }).describe("Entering a mode takes so long"),
} as const;

/** What happens once. */
const EVENTS = {
  restarts: z
    .strictObject({})
    .describe(
      "The control program starts anew: other ports, time from zero, mode disabled, connections gone",
    ),
  changesPort: z.strictObject({}).describe("Observations come from another source port from now on"),
  setsMode: z
    .strictObject({ mode: z.enum(OPERATION_MODES) })
    .describe("Somebody else changes the operation mode"),
  jsonCloses: z.strictObject({}).describe("All JSON connections are closed"),
  timeJumps: z.strictObject({ s: z.number() }).describe("The robot's time is another from now on"),
  jumps: z
    .strictObject({ motor: Motor, rad: z.number().min(-3).max(3) })
    .describe("An encoder has another zero from now on"),
  pushes: z
    .strictObject({ forceN: z.tuple([z.number(), z.number(), z.number()]), ms: Milliseconds })
    .describe("Somebody pushes the torso, world frame"),
  pulls: z
    .strictObject({
      anchorM: z.tuple([z.number(), z.number(), z.number()]).describe("World frame"),
      lengthM: z.number().positive(),
      stiffnessNPerM: z.number().positive(),
      forceMaxN: z.number().positive(),
      ms: Milliseconds,
    })
    .describe("A rope from the torso to a point of the world"),
  standsUp: z.strictObject({}).describe("People put the robot on its feet, under its own controller"),
  ends: z
    .strictObject({ what: z.array(z.enum(conditionNames())).min(1) })
    .describe("Conditions that are over"),
} as const;

export type Conditions = ValuesOf<typeof CONDITIONS>;
export type ConditionName = keyof Conditions;
export type Events = ValuesOf<typeof EVENTS>;
export type EventName = keyof Events;

function conditionNames(): [ConditionName, ...ConditionName[]] {
  return Object.keys(CONDITIONS) as [ConditionName, ...ConditionName[]];
}
export const CONDITION_NAMES: readonly ConditionName[] = conditionNames();
export const EVENT_NAMES = Object.keys(EVENTS) as EventName[];

export const DigitFault = faultSchema(CONDITIONS, EVENTS);
export type DigitFault = z.infer<typeof DigitFault>;

/** The conditions that hold now. */
export class DigitFaults extends ActiveFaults<Conditions> {}
