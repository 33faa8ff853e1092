/**
 * The wire of a servo process: every message, its number, its direction and its fields, in this one file.
 *
 * A frame is a u32 length of what follows, a version byte, a type byte, then the fields in the order written here.
 * Types and field orders are fixed within a version; any change of them raises `PROTOCOL_VERSION`. Both ends come from
 * one installation, so a peer of another version is refused, with both numbers in the text.
 */
import { z } from "zod";
import { REASON_BITS, SERVO_STATES, type ServoInfo, type ServoRole, type ServoStatistics } from "../api.js";
import { SETPOINTS_MAX } from "../setpointQueue.js";
import { TRIGGER_NAMES } from "../triggers.js";
import {
  choice,
  type Field,
  f64,
  flag,
  json,
  monotonicNs,
  numbers,
  optional,
  record,
  text,
  u16,
  u32,
  vector,
  vectors,
} from "./fields.js";

export const PROTOCOL_VERSION = 9;
/** Largest value of a frame's length word. */
export const FRAME_BYTES_MAX = 65_536;
/** Length word, version and type. */
export const HEADER_BYTES = 6;
/** Longest name of a client or of a lease holder. */
export const NAME_BYTES_MAX = 64;

const ROLES = ["observer", "commander", "supervisor"] as const satisfies readonly ServoRole[];
const EVENT_KINDS = ["state", "stop", "fault", "lease", "refused", "watchdog", "overrun"] as const;
const STOP_CATEGORIES = [0, 1, 2] as const;

const Numbers = z.array(z.number());
const Counts = z.record(z.string(), z.number());

const Info = z
  .strictObject({
    robot: z.string(),
    device: z.string(),
    rateHz: z.number().positive(),
    limits: z.strictObject({
      jointNames: z.array(z.string()),
      positionMinRad: Numbers,
      positionMaxRad: Numbers,
      velocityMaxRadPerS: Numbers,
      accelerationMaxRadPerS2: Numbers,
      jerkMaxRadPerS3: Numbers,
      toolSpeedMaxMPerS: z.number(),
    }),
    identity: z.strictObject({ model: z.string(), serial: z.string(), firmware: z.string() }).optional(),
    realtimePriority: z.int().min(0),
    processId: z.int().positive(),
    supervisorSilenceMsMax: z.number().positive(),
    gainsMax: z.strictObject({ stiffnessNmPerRad: Numbers, dampingNmSPerRad: Numbers }).exactOptional(),
  })
  // JSON drops an undefined identity; readers find the key all the same.
  .transform((info): ServoInfo => ({ ...info, identity: info.identity }));

const Statistics: z.ZodType<ServoStatistics> = z.strictObject({
  ticks: z.int().min(0),
  missed: Counts,
  latenessUs: z.strictObject({ p50: z.number(), p99: z.number(), p999: z.number(), max: z.number() }),
  latenessSumUs: z.number(),
  gridShiftMs: z.number(),
  bucketsUs: Numbers,
  counts: Numbers,
  memory: z.strictObject({
    rssBytes: z.number(),
    heapUsedBytes: z.number(),
    collections: z.number(),
    collectionMs: z.number(),
  }),
  refusedCommands: Counts,
  triggers: Counts,
  driver: Counts,
  reportToCommandUs: z
    .strictObject({
      count: z.int().min(0),
      p50: z.number(),
      p99: z.number(),
      p999: z.number(),
      max: z.number(),
    })
    .exactOptional(),
});

const Fault = z
  .strictObject({
    code: z.string(),
    deviceCode: z.number(),
    kind: z.enum(["device", "link"]),
    severity: z.enum(["warning", "stop", "power"]),
    cause: z.string(),
    remedy: z.string(),
  })
  .nullable();

export const NO_STATISTICS: ServoStatistics = {
  ticks: 0,
  missed: {},
  latenessUs: { p50: 0, p99: 0, p999: 0, max: 0 },
  latenessSumUs: 0,
  gridShiftMs: 0,
  bucketsUs: [],
  counts: [],
  memory: { rssBytes: 0, heapUsedBytes: 0, collections: 0, collectionMs: 0 },
  refusedCommands: {},
  triggers: {},
  driver: {},
};

const NO_INFO: ServoInfo = {
  robot: "",
  device: "",
  rateHz: 1,
  limits: {
    jointNames: [],
    positionMinRad: [],
    positionMaxRad: [],
    velocityMaxRadPerS: [],
    accelerationMaxRadPerS2: [],
    jerkMaxRadPerS3: [],
    toolSpeedMaxMPerS: 0,
  },
  identity: undefined,
  realtimePriority: 0,
  processId: 1,
  supervisorSilenceMsMax: 1000,
};

const name = text(NAME_BYTES_MAX);
const sentence = text(2048);
const code = text(64);

/** `FloatingBase`, in its order. */
const floatingBase = record({
  quatWorldBaseXyzw: numbers(4),
  translationWorldM: numbers(3),
  linearVelocityBaseMPerS: numbers(3),
  angularVelocityBaseRadPerS: numbers(3),
  specificForceBaseMPerS2: numbers(3),
  passivePositionRad: vector,
  passiveVelocityRadPerS: vector,
});

/** Keeps `number`, `from` and the field types literal. */
const message = <const N extends number, const D extends "client" | "servo", F extends Fields>(
  number: N,
  from: D,
  fields: F,
) => ({ number, from, fields });
type Fields = Readonly<Record<string, Field<unknown>>>;

export const MESSAGES = {
  /** First frame of a client. One snapshot in `snapshotEveryTicks` ticks is sent to it; 0 means none. */
  hello: message(1, "client", { role: choice(ROLES), name, snapshotEveryTicks: u16 }),
  heartbeat: message(2, "client", {}),
  leaseRequest: message(3, "client", { requestId: u32, name }),
  leaseRelease: message(4, "client", { epoch: u32 }),
  command: message(5, "client", {
    epoch: u32,
    seq: u32,
    stampNs: monotonicNs,
    expiresNs: monotonicNs,
    speedScale: f64,
    inputAgeMs: f64,
    positionRad: vector,
  }),
  gripper: message(6, "client", { epoch: u32, expiresNs: monotonicNs, openingM: f64 }),
  enable: message(7, "client", { requestId: u32 }),
  stop: message(8, "client", { requestId: u32, category: choice(STOP_CATEGORIES), reason: sentence }),
  reset: message(9, "client", { requestId: u32 }),
  statisticsRequest: message(10, "client", { requestId: u32 }),
  leaseRevoke: message(11, "client", { requestId: u32, reason: sentence }),
  /** Setpoints for the ticks to come, appended to a queue; see `SetpointBatch`. */
  setpoints: message(12, "client", {
    epoch: u32,
    firstIndex: u32,
    firstSeq: u32,
    stampNs: monotonicNs,
    expiresNs: monotonicNs,
    isLast: flag,
    positionRad: vectors(SETPOINTS_MAX),
    accelerationRadPerS2: vectors(SETPOINTS_MAX),
  }),
  teach: message(13, "client", { requestId: u32, on: flag }),
  /** A command with gains, for a robot on legs. */
  impedance: message(14, "client", {
    epoch: u32,
    seq: u32,
    stampNs: monotonicNs,
    expiresNs: monotonicNs,
    speedScale: f64,
    inputAgeMs: f64,
    positionRad: vector,
    stiffnessNmPerRad: vector,
    dampingNmSPerRad: vector,
  }),

  /** Answer to hello; sent again whenever the device's identity or limits became known. */
  info: message(65, "servo", { info: json(Info, NO_INFO) }),
  snapshot: message(66, "servo", {
    tick: f64,
    tickNs: monotonicNs,
    state: choice(SERVO_STATES),
    epoch: u32,
    commander: name,
    stateNs: monotonicNs,
    stateSequence: f64,
    positionRad: vector,
    velocityRadPerS: vector,
    effortNm: vector,
    requestedRad: vector,
    limitedRad: vector,
    sentRad: vector,
    reasons: u32,
    commandSeq: u32,
    commandWireNs: monotonicNs,
    gripperCommandM: f64,
    gripperOpeningM: f64,
    deviceTimeUs: f64,
    deviceErrorCode: u32,
    base: optional(floatingBase),
  }),
  event: message(67, "servo", {
    atNs: monotonicNs,
    kind: choice(EVENT_KINDS),
    text: sentence,
    trigger: choice(["", ...TRIGGER_NAMES]),
    fault: json(Fault, null),
  }),
  leaseGranted: message(68, "servo", { requestId: u32, epoch: u32, silenceMsMax: f64 }),
  leaseLost: message(69, "servo", { epoch: u32, reason: sentence }),
  /** Ends a request: `ok`, or the error's three parts. */
  result: message(70, "servo", { requestId: u32, ok: flag, code, happened: sentence, remedy: sentence }),
  statistics: message(71, "servo", { requestId: u32, statistics: json(Statistics, NO_STATISTICS) }),
} as const;

export type MessageName = keyof typeof MESSAGES;
type FieldValue<T> = T extends Field<infer V> ? V : never;
type OptionalKey<F> = { [K in keyof F]: undefined extends FieldValue<F[K]> ? K : never }[keyof F];
type FieldValues<F> = { readonly [K in Exclude<keyof F, OptionalKey<F>>]: FieldValue<F[K]> } & {
  readonly [K in OptionalKey<F>]?: FieldValue<F[K]>;
};
/** The fields of one message, without its name. */
export type BodyOf<N extends MessageName> = FieldValues<(typeof MESSAGES)[N]["fields"]>;
/** A command, with gains or without. */
export type CommandBody = BodyOf<"command"> | BodyOf<"impedance">;
type Named<N extends MessageName> = N extends MessageName ? { readonly type: N } & BodyOf<N> : never;
type NamesFrom<D> = {
  [N in MessageName]: (typeof MESSAGES)[N]["from"] extends D ? N : never;
}[MessageName];
export type ClientMessage = Named<NamesFrom<"client">>;
export type ServoMessage = Named<NamesFrom<"servo">>;

/** Names of the bits set in `ServoSnapshot.reasons`. */
export const reasonNames = (reasons: number): string[] =>
  Object.entries(REASON_BITS)
    .filter(([, bit]) => (reasons & bit) !== 0)
    .map(([reason]) => reason);
