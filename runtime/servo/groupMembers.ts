/** What the parts of a group share: its members, their snapshots as one, and how a failure names its robot. */
import { asMonotonicNs, type MonotonicNs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { ServoClient, ServoSnapshot, ServoStateName } from "./api.js";

export interface Member {
  readonly client: ServoClient;
  /** Its joints in the group's vectors: from this one on, up to but without that one. */
  readonly firstJoint: number;
  readonly endJoint: number;
}

/** The newest of a group's commands that every robot has taken, and when the last of them sent it to its device. */
export interface Progress {
  readonly commandSeq: number;
  readonly commandWireNs: MonotonicNs;
}

export const NO_PROGRESS: Progress = { commandSeq: 0, commandWireNs: asMonotonicNs(0n) };

/** From what cannot move at all to what follows: a group is as ready as the least ready of its robots. */
const READINESS: readonly ServoStateName[] = [
  "disconnected",
  "faulted",
  "stopped",
  "stopping",
  "connected",
  "teaching",
  "holding",
  "following",
];

/** Vectors one after another; times of the oldest; counters that rise whenever one of the robots' does. */
export function joined(parts: readonly ServoSnapshot[], progress: Progress = NO_PROGRESS): ServoSnapshot {
  const vector = (of: (part: ServoSnapshot) => Float64Array) =>
    Float64Array.from(parts.flatMap((part) => [...of(part)]));
  const oldest = (of: (part: ServoSnapshot) => MonotonicNs) => inTime(parts.map(of))[0]!;
  const least = (of: (part: ServoSnapshot) => number) => Math.min(...parts.map(of));
  const finite = (of: (part: ServoSnapshot) => number) => parts.map(of).find(Number.isFinite) ?? Number.NaN;
  const [{ commander }] = parts as readonly [ServoSnapshot];
  return {
    tick: least((part) => part.tick),
    tickNs: oldest((part) => part.tickNs),
    state: READINESS[least((part) => READINESS.indexOf(part.state))]!,
    epoch: parts.reduce((sum, { epoch }) => sum + epoch, 0),
    commander: parts.every((part) => part.commander === commander) ? commander : "",
    stateNs: oldest((part) => part.stateNs),
    stateSequence: least((part) => part.stateSequence),
    positionRad: vector((part) => part.positionRad),
    velocityRadPerS: vector((part) => part.velocityRadPerS),
    effortNm: vector((part) => part.effortNm),
    requestedRad: vector((part) => part.requestedRad),
    limitedRad: vector((part) => part.limitedRad),
    sentRad: vector((part) => part.sentRad),
    reasons: parts.reduce((bits, { reasons }) => bits | reasons, 0),
    ...progress,
    gripperCommandM: finite((part) => part.gripperCommandM),
    gripperOpeningM: finite((part) => part.gripperOpeningM),
    // Clocks of several devices have no common reading.
    deviceTimeUs: 0,
    deviceErrorCode: parts.find(({ deviceErrorCode }) => deviceErrorCode !== 0)?.deviceErrorCode ?? 0,
  };
}

/** The same moments, the earliest first. */
export const inTime = (moments: readonly MonotonicNs[]): MonotonicNs[] =>
  [...moments].sort((a, b) => (a < b ? -1 : 1));

/** The failure as it came, with the robot's name before it. */
export function robotFailed({ info }: ServoClient, reason: unknown): CerebellumError {
  if (!(reason instanceof CerebellumError)) return leaseOver(info.robot, errorText(reason));
  const { code, happened, remedy } = reason;
  return new CerebellumError(code, `${info.robot}: ${happened}`, remedy, reason);
}

export const leaseOver = (robot: string, why: string): CerebellumError =>
  new CerebellumError(
    "LEASE_REFUSED",
    `${robot}: ${why}; the robots that move with it hold too`,
    "See `./cerebellum why`; start again when all of them are holding",
  );
