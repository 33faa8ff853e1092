/** What a command must be before it may move anything. Ownership is judged before content. */
import type { BodyOf } from "./link/schema.js";

export const REFUSALS = [
  "noLease",
  "wrongEpoch",
  "notFollowing",
  "outOfOrder",
  "wrongLength",
  "notFinite",
  "badScale",
  "expired",
  "expiryTooLong",
  "stateStale",
  "driverRefused",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Whoever holds the lease and sends such a command is not to be trusted: what it asked for before ends, too. */
export const MALFORMED: ReadonlySet<Refusal> = new Set([
  "wrongLength",
  "notFinite",
  "badScale",
  "expiryTooLong",
]);

export interface GateContext {
  readonly isHolder: boolean;
  readonly follows: boolean;
  readonly epoch: number;
  readonly lastSeq: number;
  readonly jointCount: number;
  readonly nowMs: number;
  readonly expiryMsMax: number;
  readonly stateIsFresh: boolean;
}

/** Why the command may not be pursued, or undefined. */
export function refusalOf(command: BodyOf<"command">, context: GateContext): Refusal | undefined {
  if (!context.isHolder) return "noLease";
  if (command.epoch !== context.epoch) return "wrongEpoch";
  if (!context.follows) return "notFollowing";
  if (command.seq <= context.lastSeq) return "outOfOrder";
  if (command.positionRad.length !== context.jointCount) return "wrongLength";
  if (!command.positionRad.every(Number.isFinite)) return "notFinite";
  if (!(command.speedScale > 0 && command.speedScale <= 1)) return "badScale";
  const leftMs = Number(command.expiresNs) / 1e6 - context.nowMs;
  if (!(leftMs > 0)) return "expired";
  if (leftMs > context.expiryMsMax) return "expiryTooLong";
  if (!context.stateIsFresh) return "stateStale";
  return undefined;
}
