/** What the daemon's main thread and the gateway's thread say to each other; both sides parse what they receive. */
import { z } from "zod";
import { GatewayRequest } from "../../core/gateway/requests.js";
import {
  CameraDescription,
  Diagnostics,
  EventLine,
  PolicyTelemetry,
  RecorderTelemetry,
  Refusal,
  RobotDescription,
  TeleopStatus,
} from "../../core/gateway/server.js";
import { AskedVelocity } from "../../core/gateway/steering.js";
import { DeviceName, PoseMessage } from "../../core/teleop/pose.js";
import { HAND_MODELS, HAND_SIDES } from "../../kinematics/allegro/hand.js";
import { ServoConfig } from "../servo/config.js";
import { TeleopConfig } from "../teleop/config.js";
import { GatewayConfig } from "./config.js";

/** Log lines of either side about messages that are none. */
export const MISFITS = { perS: 0.2, burst: 5 } as const;

/** How often the gateway's thread shows that it lives. */
export const ALIVE_MS = 1000;

/** What clients have sent, by what became of it. */
export const GatewayCounts = z.strictObject({
  poses: z.int().describe("That reached the parts"),
  droppedPoses: z.int().describe("Above the rate"),
  malformed: z.int(),
  refused: z.int().describe("Requests, and poses of observers"),
  closed: z.int().describe("Connections that were told to go"),
});
export type GatewayCounts = z.infer<typeof GatewayCounts>;

/** A ROS topic that a Foxglove client can have; its place in the list is its number in the ring. */
export const OfferedTopic = z.strictObject({
  topic: z.string(),
  type: z.string(),
  /** What who subscribes later still gets: nothing, the newest message, or that of each of several publishers. */
  latched: z.enum(["no", "newest", "each"]),
});
export type OfferedTopic = z.infer<typeof OfferedTopic>;

/** `workerData` of the gateway's thread. */
export const GatewaySetup = z.strictObject({
  cell: z.string(),
  software: z.string(),
  gateway: GatewayConfig,
  teleop: TeleopConfig,
  /** Folder for certificate and devices of this cell; private to this user. */
  stateFolder: z.string().min(1),
  calibrationFolder: z.string().min(1),
  /** Folder of the built pages. */
  pages: z.string().min(1),
  /** Servo socket of each robot. */
  sockets: z.record(z.string(), z.string()),
  /** What clients are told; limits and identity come from the servo. */
  robots: z.array(RobotDescription),
  /** Tool point of each arm in its flange frame [m]. */
  toolPointsM: z.record(z.string(), z.tuple([z.number(), z.number(), z.number()])),
  /** What each arm carries, and where it must not go: teleoperation leads it nowhere that the servo would stop it. */
  arms: z.record(
    z.string(),
    z.strictObject({
      gripper: z.enum(["xarm", "none"]),
      workspace: ServoConfig.shape.workspace,
      selfCollision: ServoConfig.shape.selfCollision,
    }),
  ),
  /** Which hand each of the robots is that are no arms. */
  hands: z.record(
    z.string(),
    z.strictObject({
      model: z.enum(HAND_MODELS),
      side: z.enum(HAND_SIDES),
      /** The arm that carries it; null for a hand on a stand. */
      mountedOn: z.string().nullable(),
    }),
  ),
  cameras: z.array(
    CameraDescription.extend({ frames: z.instanceof(SharedArrayBuffer), encoding: z.enum(["rgb8", "bgr8"]) }),
  ),
  hasPolicy: z.boolean(),
  hasRecorder: z.boolean(),
  hasLab: z.boolean(),
  /** Absolute path of the folder of episode sets; null in a cell that never records. */
  episodesFolder: z.string().nullable(),
  bundleFolders: z.array(z.string()),
  cellFile: z.string(),
  cellYaml: z.string(),
  /** Where message definitions are. */
  prefixes: z.array(z.string()),
  topics: z.array(OfferedTopic),
  /** Messages of `topics` while somebody watches them. */
  ring: z.instanceof(SharedArrayBuffer),
});
export type GatewaySetup = z.infer<typeof GatewaySetup>;

export const ToGateway = z.discriminatedUnion("kind", [
  /** A few times a second: what only the main thread knows. */
  z.strictObject({
    kind: z.literal("state"),
    policy: PolicyTelemetry.nullable(),
    recorder: RecorderTelemetry.nullable(),
    activity: z.string(),
    /** As they come over ROS: age of the newest frame now, and frames a second. */
    cameras: z.record(z.string(), z.strictObject({ ageMs: z.number().nullable(), rateHz: z.number() })),
    /** Once a second; absent in between. */
    diagnostics: Diagnostics.shape.items.optional(),
  }),
  z.strictObject({ kind: z.literal("answer"), requestId: z.int(), ok: z.literal(true), message: z.string() }),
  z.strictObject({ kind: z.literal("refusal"), requestId: z.int(), ...Refusal.shape }),
  z.strictObject({ kind: z.literal("event"), event: EventLine.omit({ kind: true, id: true }) }),
  /** A pose that came over ROS. */
  z.strictObject({ kind: z.literal("pose"), pose: PoseMessage, receivedNs: z.bigint() }),
  z.strictObject({ kind: z.literal("malformedPose"), device: DeviceName, why: z.string() }),
  /** Makes a code for `./cerebellum pair`. */
  z.strictObject({ kind: z.literal("pair"), requestId: z.int(), role: z.enum(["observer", "operator"]) }),
  z.strictObject({ kind: z.literal("close") }),
]);
export type ToGateway = z.infer<typeof ToGateway>;

export const FromGateway = z.discriminatedUnion("kind", [
  /** How it is reached; said again when addresses or certificate have changed. */
  z.strictObject({
    kind: z.literal("ready"),
    port: z.int(),
    addresses: z.array(z.string()),
    fingerprint: z.string().nullable(),
    certificateDaysLeft: z.number().nullable(),
  }),
  z.strictObject({ kind: z.literal("unusable"), failure: Refusal }),
  /** Every `ALIVE_MS`: it has not hung. */
  z.strictObject({ kind: z.literal("alive"), counts: GatewayCounts }),
  /** Of the control group, on behalf of a client. */
  z.strictObject({
    kind: z.literal("request"),
    requestId: z.int(),
    client: z.string(),
    request: GatewayRequest,
  }),
  /**
   * Stops have gone to the servos already; this is for the policy and for whatever else moves robots. Said at once, and
   * once more when a robot could not be stopped.
   */
  z.strictObject({
    kind: z.literal("stopped"),
    category: z.union([z.literal(0), z.literal(1), z.literal(2)]),
    reason: z.string(),
    /** Robots that the gateway could not stop, and why. */
    failures: z.array(z.string()),
  }),
  /** On change, and a few times a second while it is taken: what the daemon does by itself waits meanwhile. */
  z.strictObject({ kind: z.literal("teleop"), status: TeleopStatus }),
  /** Of the one client that steers; the last one of a hold has let go. */
  z.strictObject({
    kind: z.literal("velocity"),
    robot: z.string(),
    client: z.string(),
    isHeld: z.boolean(),
    velocity: AskedVelocity,
  }),
  /** A message of ours for the recording, as CDR. */
  z.strictObject({
    kind: z.literal("record"),
    topic: z.string(),
    receivedNs: z.bigint(),
    cdr: z.instanceof(Uint8Array),
  }),
  /** Cameras whose frames are wanted, and numbers of topics whose messages are; what is absent stays as it was. */
  z.strictObject({
    kind: z.literal("watch"),
    cameras: z.array(z.strictObject({ camera: z.string(), rateHz: z.number().positive() })).optional(),
    topics: z.array(z.int()).optional(),
  }),
  z.strictObject({ kind: z.literal("paired"), requestId: z.int(), pairing: z.unknown() }),
  z.strictObject({
    kind: z.literal("log"),
    level: z.enum(["info", "warn", "error"]),
    event: z.string(),
    text: z.string(),
  }),
  z.strictObject({
    kind: z.literal("clients"),
    clients: z.array(z.strictObject({ name: z.string(), role: z.string(), kind: z.string() })),
  }),
]);
export type FromGateway = z.infer<typeof FromGateway>;
