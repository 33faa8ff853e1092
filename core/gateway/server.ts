/**
 * What the gateway says to its clients: one JSON object per WebSocket text message; camera pictures are binary
 * messages (cameraFrame.ts). Times `...Ns` are decimal strings of nanoseconds, because JSON's numbers are too short.
 */
import { z } from "zod";
import { PoseSource, TrackedPose } from "../teleop/pose.js";
import { Role } from "./requests.js";
import { SteeringStatus } from "./steering.js";

const Numbers = z.array(z.number().nullable()).describe("null where a value is not finite");
const Opening = z.number().nullable().describe("Opening between the finger pads [m]");

export const Refusal = z.strictObject({ code: z.string(), happened: z.string(), remedy: z.string() });
export type Refusal = z.infer<typeof Refusal>;

export const RobotDescription = z.strictObject({
  robot: z.string(),
  device: z.string(),
  rateHz: z.number(),
  jointNames: z.array(z.string()),
  positionMinRad: z.array(z.number()),
  positionMaxRad: z.array(z.number()),
  velocityMaxRadPerS: z.array(z.number()),
  workspaceMinM: z.array(z.number()).length(3),
  workspaceMaxM: z.array(z.number()).length(3),
  tableM: z.number(),
  urdf: z.string().describe("Text of the robot's URDF; no meshes"),
  hasGripper: z.boolean(),
  /** Joints that belong together, in order: a hand's fingers. Absent where all are one chain. */
  jointGroups: z.array(z.strictObject({ name: z.string(), joints: z.int().positive() })).optional(),
  /** Of a robot that stands on nothing but its feet: its joints without a motor, in the order of its telemetry. */
  legs: z.strictObject({ passiveJointNames: z.array(z.string()) }).optional(),
  /** What carries the robot, and where; absent for one whose base is the world's origin. */
  mount: z
    .strictObject({
      robot: z.string().nullable().describe("The arm whose flange carries it; null for the world"),
      positionM: z.array(z.number()).length(3),
      quatXyzw: z.array(z.number()).length(4),
    })
    .optional(),
});
export type RobotDescription = z.infer<typeof RobotDescription>;

export const CameraDescription = z.strictObject({
  camera: z.string(),
  index: z.int().min(0).max(255).describe("In the header of its pictures"),
  widthPx: z.int(),
  heightPx: z.int(),
  ageMsMax: z.number(),
});
export type CameraDescription = z.infer<typeof CameraDescription>;

export const TELEOP_STATES = ["off", "ready", "engaging", "engaged", "latched"] as const;
/**
 * `off`: nobody has taken it; `ready`: taken, the clutch is open; `engaging`: the lease is asked for; `engaged`: the arm
 * follows; `latched`: it was ended by something other than the operator's hand, and the clutch must be released first.
 */
export const TeleopState = z.enum(TELEOP_STATES);
export type TeleopState = z.infer<typeof TeleopState>;

/** Durations [ms]; null while unknown. */
export const TeleopLatency = z.strictObject({
  /** From the source's own measurement to its arrival here, by the page's clock offset. */
  transportMs: z.number().nullable(),
  /** From arrival to the command's departure to the servo. */
  mappingMs: z.number().nullable(),
  /** From arrival to the first changed frame on the device's wire. */
  toWireMs: z.number().nullable(),
  toWireP50Ms: z.number().nullable(),
  toWireP99Ms: z.number().nullable(),
  /** What the filter and the motion limits add, as configured. */
  filterMs: z.number().nullable(),
  roundTripMs: z.number().nullable(),
});

/** How large the leading hand is, where fingers lead fingers. */
export const HandSizeStatus = z.strictObject({
  scale: z
    .number()
    .describe("Metres of the robot's hand per metre of the person's, from the next engagement on"),
  measuredEpochMs: z.number().nullable().describe("null: this person's hand was not measured"),
  /** null when no measurement runs. */
  measuring: z
    .strictObject({
      share: z.number().min(0).max(1).describe("Of its time; 0 until a hand is shown"),
      flatCount: z.int().min(0),
      bentCount: z.int().min(0),
      unseenCount: z.int().min(0),
      advice: z.string(),
    })
    .nullable(),
  problem: z.string().describe("Why the last measurement gave no size, with what to do; or empty"),
});
export type HandSizeStatus = z.infer<typeof HandSizeStatus>;

export const TELEOP_LEADS = ["tool", "fingers", "toolAndFingers"] as const;

export const TeleopStatus = z.strictObject({
  state: TeleopState,
  robot: z.string(),
  operator: z.string().describe("Name of the client that has taken it, or empty"),
  source: PoseSource.nullable(),
  device: z.string(),
  hand: z.enum(["left", "right"]).describe("Which hand leads"),
  leads: z
    .enum(TELEOP_LEADS)
    .describe("What of the robot; where fingers are led, the clutch is the other hand's pinch or grip"),
  carriesHand: z.boolean().describe("Whether fingers could be led beside the tool, see `takeTeleop`"),
  /** Why it is latched or refused, with the remedy; null when nothing is wrong. */
  why: Refusal.nullable(),
  /** Words for what holds the motion back right now, e.g. "joint 4 limit", "reach", "singularity", "tool speed". */
  limitedBy: z.array(z.string()),
  warning: z.string().describe("What the operator should know of the arm that is led, or empty"),
  rateHz: z.number().nullable().describe("Poses a second, over the last second"),
  lost: z.int().min(0).describe("Numbers missing in the sequence since it was taken"),
  poseAgeMs: z.number().nullable(),
  target: TrackedPose.nullable().describe("Where the operator wants the tool point, base frame"),
  leashM: z
    .number()
    .nullable()
    .describe(
      "From the wanted tool point to the commanded one; of the worst fingertip where only fingers are led",
    ),
  translationScale: z.number(),
  rotationScale: z.number(),
  alignment: z
    .enum(["none", "recentred", "calibrated", "base", "unneeded"])
    .describe("How the source's frame is known"),
  handSize: HandSizeStatus.nullable().describe("null where no fingers are led"),
  latency: TeleopLatency,
  recording: z.string().describe("Episode that is being recorded, or empty"),
});
export type TeleopStatus = z.infer<typeof TeleopStatus>;

/** While nobody has taken it. */
export const NO_TELEOP: TeleopStatus = {
  state: "off",
  robot: "",
  operator: "",
  source: null,
  device: "",
  hand: "right",
  leads: "tool",
  carriesHand: false,
  why: null,
  limitedBy: [],
  warning: "",
  rateHz: null,
  lost: 0,
  poseAgeMs: null,
  target: null,
  leashM: null,
  translationScale: 1,
  rotationScale: 1,
  alignment: "none",
  handSize: null,
  latency: {
    transportMs: null,
    mappingMs: null,
    toWireMs: null,
    toWireP50Ms: null,
    toWireP99Ms: null,
    filterMs: null,
    roundTripMs: null,
  },
  recording: "",
};

/** Where a robot on legs is, by its own odometry, and how its joints without a motor stand. */
export const BaseTelemetry = z.strictObject({
  positionM: z.tuple([z.number(), z.number(), z.number()]).describe("In the world, which drifts"),
  quatXyzw: z.tuple([z.number(), z.number(), z.number(), z.number()]),
  passiveRad: Numbers,
});
export type BaseTelemetry = z.infer<typeof BaseTelemetry>;

export const RobotTelemetry = z.strictObject({
  state: z.string(),
  epoch: z.int(),
  commander: z.string(),
  positionRad: Numbers,
  velocityRadPerS: Numbers,
  effortNm: Numbers,
  requestedRad: Numbers,
  limitedRad: Numbers,
  sentRad: Numbers,
  reasons: z.int(),
  gripperOpeningM: Opening,
  gripperCommandM: Opening,
  tool: TrackedPose.nullable().describe("Measured tool point and flange rotation, base frame"),
  base: BaseTelemetry.nullable().describe("null for what is fixed to something, and while nothing is known"),
  stateAgeMs: z.number(),
  deviceErrorCode: z.int(),
  latenessUs: z
    .strictObject({ p50: z.number(), p99: z.number(), p999: z.number(), max: z.number() })
    .nullable(),
});
export type RobotTelemetry = z.infer<typeof RobotTelemetry>;

export const PolicyTelemetry = z.strictObject({
  phase: z.string(),
  policy: z.string(),
  task: z.string(),
  failure: Refusal.nullable(),
  commands: z.int(),
  refusals: z.record(z.string(), z.int()),
  /** Median and 99th percentile of each part of a step [ms]: age, preprocess, encode, control, send, imageToWire, ... */
  partsMs: z.record(z.string(), z.strictObject({ p50: z.number().nullable(), p99: z.number().nullable() })),
  steering: SteeringStatus.nullable().describe("null for a policy that takes no velocity"),
});
export type PolicyTelemetry = z.infer<typeof PolicyTelemetry>;

export const RecorderTelemetry = z.strictObject({
  state: z.string(),
  task: z.string(),
  episode: z.string(),
  seconds: z.number(),
  bytes: z.number(),
  dropped: z.int(),
  lostBefore: z.int(),
  diskFreeBytes: z.number(),
  message: z.string(),
  lastOutcome: z.string().describe("Of the newest finished episode, or empty"),
  lastFlags: z.array(z.string()),
});
export type RecorderTelemetry = z.infer<typeof RecorderTelemetry>;

export const Telemetry = z.strictObject({
  kind: z.literal("telemetry"),
  epochMs: z.number(),
  robots: z.record(z.string(), RobotTelemetry),
  policy: PolicyTelemetry.nullable(),
  recorder: RecorderTelemetry.nullable(),
  cameras: z.record(
    z.string(),
    z.strictObject({ ageMs: z.number().nullable(), rateHz: z.number().nullable(), skipped: z.int() }),
  ),
  /** Whether a mind of the daemon's own moves the robot: what `up` does in the lab. */
  activity: z.string(),
});
export type Telemetry = z.infer<typeof Telemetry>;

export const EventLine = z.strictObject({
  kind: z.literal("event"),
  id: z.int().min(0).describe("Rises; a client that connects gets the newest hundred"),
  epochMs: z.number(),
  level: z.enum(["info", "warn", "error"]),
  source: z.string(),
  text: z.string(),
  remedy: z.string(),
});
export type EventLine = z.infer<typeof EventLine>;

/** The daemon's diagnostics, once a second. */
export const Diagnostics = z.strictObject({
  kind: z.literal("diagnostics"),
  items: z.array(
    z.strictObject({
      name: z.string(),
      level: z.enum(["ok", "warn", "error", "stale"]),
      message: z.string(),
      values: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
    }),
  ),
});
export type Diagnostics = z.infer<typeof Diagnostics>;

export const ServerMessage = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("welcome"),
    protocol: z.int(),
    client: z.string().describe("Name of this connection, shown to others"),
    role: Role,
    cell: z.string(),
    software: z.string(),
    serverTimeMs: z.number().describe("The daemon's monotonic clock"),
    robots: z.array(RobotDescription),
    cameras: z.array(CameraDescription),
    hasPolicy: z.boolean(),
    hasRecorder: z.boolean(),
    hasLab: z.boolean(),
    defaultTask: z.string(),
  }),
  /** Nothing more follows; the connection is closed by the gateway. */
  z.strictObject({ kind: z.literal("refused"), ...Refusal.shape }),
  Telemetry,
  z.strictObject({ kind: z.literal("teleop"), status: TeleopStatus }),
  EventLine,
  Diagnostics,
  z.strictObject({
    kind: z.literal("answer"),
    id: z.int(),
    ok: z.literal(true),
    message: z.string(),
    /** Of a library, calibration or pairing request; library.ts has its schemas. */
    data: z.unknown().optional(),
  }),
  z.strictObject({ kind: z.literal("refusal"), id: z.int(), ok: z.literal(false), ...Refusal.shape }),
  z.strictObject({
    kind: z.literal("pong"),
    id: z.int(),
    clientTimeMs: z.number(),
    serverTimeMs: z.number(),
  }),
  z.strictObject({
    kind: z.literal("haptic"),
    hand: z.enum(["left", "right"]),
    strength: z.number().min(0).max(1),
    durationMs: z.number().positive().max(1000),
    why: z.string(),
  }),
]);
export type ServerMessage = z.infer<typeof ServerMessage>;
