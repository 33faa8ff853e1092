/** What a command must be before it may move anything. Ownership is judged before content. */
import type { BodyOf, CommandBody } from "./link/schema.js";
import { SETPOINTS_MAX, type SetpointQueue } from "./setpointQueue.js";

export const REFUSALS = [
  "noLease",
  "wrongEpoch",
  "notFollowing",
  "outOfOrder",
  "wrongLength",
  "notFinite",
  "badScale",
  "gainsMissing",
  "gainsNotTaken",
  "gainsNegative",
  "expired",
  "expiryTooLong",
  "streamGap",
  "streamEnded",
  "queueFull",
  "stateStale",
  "driverRefused",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Whoever holds the lease and sends such a command is not to be trusted: what it asked for before ends, too. */
export const MALFORMED: ReadonlySet<Refusal> = new Set([
  "wrongLength",
  "notFinite",
  "badScale",
  "gainsNegative",
  "expiryTooLong",
  "streamGap",
  "queueFull",
]);

/** Sequence numbers have 32 bits on the wire. */
const SEQ_MAX = 0xffff_ffff;

export interface GateContext {
  readonly isHolder: boolean;
  readonly follows: boolean;
  readonly epoch: number;
  readonly lastSeq: number;
  readonly jointCount: number;
  readonly nowMs: number;
  readonly expiryMsMax: number;
  /** A robot on legs is commanded with gains, any other without. */
  readonly takesGains: boolean;
  readonly stateIsFresh: boolean;
}

/** Why the command may not be pursued, or undefined. */
export function refusalOf(command: CommandBody, context: GateContext): Refusal | undefined {
  if (!context.isHolder) return "noLease";
  if (command.epoch !== context.epoch) return "wrongEpoch";
  if (!context.follows) return "notFollowing";
  if (command.seq <= context.lastSeq) return "outOfOrder";
  if (command.positionRad.length !== context.jointCount) return "wrongLength";
  if (!command.positionRad.every(Number.isFinite)) return "notFinite";
  if (!(command.speedScale > 0 && command.speedScale <= 1)) return "badScale";
  return refusalOfGains(command, context) ?? refusalOfTime(command.expiresNs, context);
}

/** The same for setpoints, which must continue the stream that is under way, or begin one. */
export function refusalOfSetpoints(
  batch: BodyOf<"setpoints">,
  context: GateContext,
  queue: SetpointQueue,
): Refusal | undefined {
  if (!context.isHolder) return "noLease";
  if (batch.epoch !== context.epoch) return "wrongEpoch";
  if (!context.follows) return "notFollowing";
  if (context.takesGains) return "gainsMissing";
  const ticks = batch.positionRad.length / context.jointCount;
  if (!Number.isInteger(ticks) || ticks < 1 || ticks > SETPOINTS_MAX) return "wrongLength";
  if (batch.accelerationRadPerS2.length !== batch.positionRad.length) return "wrongLength";
  if (!batch.positionRad.every(Number.isFinite)) return "notFinite";
  if (!batch.accelerationRadPerS2.every(Number.isFinite)) return "notFinite";
  if (batch.firstSeq <= context.lastSeq || batch.firstSeq + ticks - 1 > SEQ_MAX) return "outOfOrder";
  if (batch.firstIndex !== 0) {
    // What was still under way when its stream was dropped: expected, and never to run.
    if (!queue.isLive) return "streamEnded";
    if (queue.isWhole || batch.firstIndex !== queue.nextIndex) return "streamGap";
    if (batch.firstSeq !== context.lastSeq + 1) return "streamGap";
  }
  const waiting = batch.firstIndex === 0 ? 0 : queue.count;
  if (waiting + ticks > queue.capacity) return "queueFull";
  return refusalOfTime(batch.expiresNs, context);
}

/** Gains beyond what the cell allows are cut to it, later; below nothing they are no gains. */
function refusalOfGains(command: CommandBody, context: GateContext): Refusal | undefined {
  if (!("stiffnessNmPerRad" in command)) return context.takesGains ? "gainsMissing" : undefined;
  if (!context.takesGains) return "gainsNotTaken";
  for (const gains of [command.stiffnessNmPerRad, command.dampingNmSPerRad]) {
    if (gains.length !== context.jointCount) return "wrongLength";
    if (!gains.every(Number.isFinite)) return "notFinite";
    if (!gains.every((gain) => gain >= 0)) return "gainsNegative";
  }
  return undefined;
}

function refusalOfTime(expiresNs: bigint, context: GateContext): Refusal | undefined {
  const leftMs = Number(expiresNs) / 1e6 - context.nowMs;
  if (!(leftMs > 0)) return "expired";
  if (leftMs > context.expiryMsMax) return "expiryTooLong";
  if (!context.stateIsFresh) return "stateStale";
  return undefined;
}
