/** What the rows around an incident show: the command, the limiter's share, the device, the way to rest. */
import { REASON_BITS } from "../api.js";
import { reasonNames } from "../link/schema.js";
import type { Incident } from "./explanation.js";
import type { FoundIncident } from "./incidents.js";
import type { Session } from "./reader.js";
import type { LoggedTick } from "./ticks.js";

const LOOK_BACK_MS = 1000;
const REST_WITHIN_MS = 5000;
/** Setpoints are exact; a measured joint is at rest below this. */
const REST_TICKS = 5;
const REST_RAD_PER_S = 0.01;
/** Bits that say that a tick held, and bits that say what the limiter did. */
const DOUBTS =
  REASON_BITS.commandExpired | REASON_BITS.stateStale | REASON_BITS.leaseLost | REASON_BITS.commandMalformed;
const LIMITS = ~(DOUBTS | REASON_BITS.deviceNotReady);

/** JSON has no NaN. */
export const orNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
const orNulls = (values: readonly number[]): (number | null)[] => values.map(orNull);

export function commandOf(before: LoggedTick | undefined, session: Session): Incident["command"] {
  if (before === undefined || !Number.isFinite(before.commandAgeMs)) return null;
  return {
    commander: session.commanderNames.get(before.commander) || "somebody unnamed",
    seq: before.commandSeq,
    ageMs: orNull(before.commandAgeMs),
    inputAgeMs: orNull(before.inputAgeMs),
    targetRad: orNulls(before.requestedRad),
    sentRad: orNulls(before.sentRad),
    measuredRad: orNulls(before.positionRad),
  };
}

export function limiterOf({ ticks }: Session, atMs: number): Incident["limiter"] {
  const end = ticks.firstFrom(atMs);
  const start = ticks.firstFrom(atMs - LOOK_BACK_MS);
  const ticksByReason: Record<string, number> = {};
  let changedTickCount = 0;
  for (let index = start; index < end; index++) {
    const limits = ticks.reasons(index) & LIMITS;
    if (limits !== 0) changedTickCount++;
    for (const name of reasonNames(limits)) ticksByReason[name] = (ticksByReason[name] ?? 0) + 1;
  }
  const first = ticks.at(start);
  const last = ticks.at(end - 1);
  const missed =
    first === undefined || last === undefined || start >= end
      ? 0
      : last.tick - first.tick - (end - 1 - start) - (last.lostRows - first.lostRows);
  return {
    tickCount: end - start,
    changedTickCount,
    ticksByReason,
    missedTickCount: Math.max(0, missed),
  };
}

/** The device's code may come a report later than its consequences. */
export function errorAfter({ ticks }: Session, atMs: number): number {
  const end = Math.min(ticks.length, ticks.firstFrom(atMs + LOOK_BACK_MS));
  for (let index = ticks.firstFrom(atMs); index < end; index++) {
    const code = ticks.at(index)!.deviceErrorCode;
    if (code !== 0) return code;
  }
  return 0;
}

export function timingOf({ session: { ticks }, kind, atMs }: FoundIncident): Incident["timing"] {
  if (kind === "death") return { firstTickMs: null, restMs: null, restIsMeasured: false };
  const isHold = kind === "hold" || kind === "leaseEnd";
  const first = ticks.firstFrom(atMs);
  const end = Math.min(ticks.length, ticks.firstFrom(atMs + REST_WITHIN_MS));
  let acted: number | undefined;
  for (let index = first; index < end && acted === undefined; index++) {
    const state = ticks.state(index);
    const acts = isHold
      ? (ticks.reasons(index) & DOUBTS) !== 0
      : state !== "following" && state !== "holding";
    if (acts) acted = index;
  }
  // A device that ended the motion itself leads the arm to rest; else the servo's setpoints do.
  const restIsMeasured = kind === "fault" || kind === "linkLoss";
  const rest = acted === undefined ? undefined : restFrom(acted);
  return {
    firstTickMs: acted === undefined ? null : ticks.atMs(acted) - atMs,
    restMs: rest === undefined ? null : ticks.atMs(rest) - atMs,
    restIsMeasured,
  };

  function restFrom(from: number): number | undefined {
    let still = 0;
    for (let index = from; index < end; index++) {
      const tick = ticks.at(index)!;
      if (!restIsMeasured && tick.state === "stopped") return index;
      const next = ticks.at(index + 1);
      const stands = restIsMeasured
        ? tick.stateAgeMs < LOOK_BACK_MS / 2 &&
          tick.velocityRadPerS.every((velocity) => Math.abs(velocity) < REST_RAD_PER_S)
        : next === undefined || tick.sentRad.every((value, joint) => value === next.sentRad[joint]);
      still = stands ? still + 1 : 0;
      if (still >= REST_TICKS) return index - REST_TICKS + 1;
    }
    return undefined;
  }
}

export function poseAt({ ticks }: Session, atMs: number): Incident["pose"] {
  const tick = ticks.at(Math.min(ticks.firstFrom(atMs), ticks.length - 1));
  if (tick === undefined) return null;
  return { positionRad: orNulls(tick.positionRad), gripperOpeningM: orNull(tick.gripperOpeningM) };
}
