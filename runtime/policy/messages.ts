/** What the daemon's main thread and a policy worker say to each other; both sides parse what they receive. */
import { z } from "zod";
import { CAMERA_PARENTS } from "../../core/cameraParent.js";
import { CommandRule } from "../../policies/history/manifest.js";
import { Failure } from "../failure.js";
import type { StepRecord, StepStatistics } from "./steps.js";

const Shared = z.instanceof(SharedArrayBuffer);

/** `workerData` of a policy worker. */
export const WorkerSetup = z.strictObject({
  /** Name under which the policy holds the servo's lease. */
  name: z.string().min(1),
  /** Of the servo that it moves, or of several whose joints follow one another in this order. */
  socketPaths: z.array(z.string().min(1)).min(1),
  bundleDirectory: z.string().min(1),
  /** Left out of a cell without a camera for its policy. */
  view: z
    .strictObject({
      frames: Shared,
      format: z.strictObject({
        widthPx: z.int().positive(),
        heightPx: z.int().positive(),
        encoding: z.enum(["rgb8", "bgr8"]),
      }),
      camera: z.strictObject({
        fovYDeg: z.number(),
        parentFrame: z.enum(CAMERA_PARENTS),
        positionM: z.array(z.number()).length(3),
        quatXyzw: z.array(z.number()).length(4),
      }),
    })
    .optional(),
  /** One Int32; 1 holds back every command at once, even while the worker's thread computes. */
  cancel: Shared,
  frameAgeMsMax: z.number().positive(),
  approachSpeedScale: z.number().positive().max(1),
  intraOpThreads: z.int().positive(),
});
export type WorkerSetup = z.infer<typeof WorkerSetup>;

export const ToWorker = z.discriminatedUnion("kind", [
  z.strictObject({ requestId: z.int(), kind: z.enum(["start", "stop", "close"]) }),
  /** Of a walking robot; nobody answers it. */
  z.strictObject({
    kind: z.literal("velocity"),
    forwardMPerS: z.number(),
    leftMPerS: z.number(),
    yawRateRadPerS: z.number(),
  }),
]);
export type ToWorker = z.infer<typeof ToWorker>;

export const WorkerReady = z.strictObject({
  kind: z.literal("ready"),
  policy: z.string(),
  task: z.string(),
  precision: z.enum(["fp32", "int8"]),
  rejected: z.array(z.strictObject({ precision: z.string(), reason: z.string() })),
  rateHz: z.number(),
  /** Identity of the bundle, and of what computes it (policies/engine.ts): both belong into an episode. */
  manifestSha256: z.string(),
  engine: z.record(z.string(), z.string()),
  loadMs: z.number(),
  /** Velocities that it takes; null for a policy that takes none. */
  command: CommandRule.nullable(),
});
export type WorkerReady = z.infer<typeof WorkerReady>;

const Phase = z.enum(["ready", "approaching", "running", "failed"]);
export type WorkerPhase = z.infer<typeof Phase>;

export const FromWorker = z.discriminatedUnion("kind", [
  WorkerReady,
  z.strictObject({ kind: z.literal("unusable"), failure: Failure }),
  z.strictObject({ kind: z.literal("answer"), requestId: z.int(), failure: Failure.optional() }),
  z.strictObject({ kind: z.literal("phase"), phase: Phase, failure: Failure.optional() }),
  z.strictObject({
    kind: z.literal("step"),
    /** Made by this program's own runner a thread away: its form is its type's. */
    record: z.custom<StepRecord>((value) => typeof value === "object" && value !== null && "step" in value),
    statistics: z.custom<StepStatistics>((value) => typeof value === "object" && value !== null),
  }),
]);
export type FromWorker = z.infer<typeof FromWorker>;
