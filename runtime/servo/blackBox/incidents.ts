/**
 * Finds in a session what people ask about: each stop, fault, lost link, ended lease, hold, and the death of the
 * process itself. What only follows on a stop belongs to that stop; a hold that passed is told apart from one that lasts.
 */

import { triggersOf } from "../legTriggers.js";
import { streams } from "../states.js";
import { TRIGGERS, type TriggerName, type TriggerResponse } from "../triggers.js";
import type { IncidentKind } from "./explanation.js";
import type { Session } from "./reader.js";
import type { LoggedEvent } from "./session.js";

export interface FoundIncident {
  readonly session: Session;
  readonly kind: IncidentKind;
  readonly atMs: number;
  /** None for a death. */
  readonly event: LoggedEvent | undefined;
  readonly repeatedCount: number;
  /** When a command moved the arm again, or the arm was enabled again after a stop. */
  readonly goneOnMs: number | undefined;
}

const KINDS: Record<TriggerResponse, IncidentKind> = {
  hold: "hold",
  endLease: "leaseEnd",
  stop: "stop",
  fault: "fault",
  disconnect: "linkLoss",
};
const REPEATS_WITHIN_MS = 2000;

/** Of a trigger that this version does not know: the most cautious reading. */
const responseTo = (trigger: string, { info }: Session): TriggerResponse =>
  trigger in TRIGGERS ? triggersOf(info.isOnLegs === true)[trigger as TriggerName].response : "stop";

/** One trigger and its repetitions. */
interface Group {
  readonly kind: IncidentKind;
  readonly event: LoggedEvent;
  lastMs: number;
  repeatedCount: number;
}

/** @param isRunning whether the session's process is still there; @returns oldest first */
export function findIncidents(session: Session, isRunning: boolean): FoundIncident[] {
  const groups: Group[] = [];
  for (const event of session.events) {
    if (event.trigger === undefined) continue;
    const kind = KINDS[responseTo(event.trigger, session)];
    const last = groups.at(-1);
    if (last !== undefined && repeats(last, event, kind, session)) {
      last.repeatedCount++;
      last.lastMs = event.atMs;
    } else groups.push({ kind, event, lastMs: event.atMs, repeatedCount: 0 });
  }
  const found: FoundIncident[] = groups.map(({ kind, event, lastMs, repeatedCount }) => ({
    session,
    kind,
    atMs: event.atMs,
    event,
    repeatedCount,
    goneOnMs: goneOn(session, kind, lastMs),
  }));
  return [...found, ...death(session, isRunning)];
}

/** The record ends while the arm was enabled, and nobody said why. */
function death(session: Session, isRunning: boolean): FoundIncident[] {
  const { ticks } = session;
  if (session.ended || isRunning || ticks.length === 0 || !streams(ticks.state(ticks.length - 1))) return [];
  const atMs = session.lastMs;
  return [{ session, kind: "death", atMs, event: undefined, repeatedCount: 0, goneOnMs: undefined }];
}

const isPassing = (kind: IncidentKind): boolean => kind === "hold" || kind === "leaseEnd";

function repeats(last: Group, event: LoggedEvent, kind: IncidentKind, { ticks }: Session): boolean {
  if (isPassing(kind))
    return last.event.trigger === event.trigger && event.atMs - last.lastMs < REPEATS_WITHIN_MS;
  const before = ticks.firstFrom(event.atMs) - 1;
  if (isPassing(last.kind) || before < 0) return false;
  // Until the next tick the rows still show the state before the first trigger.
  if (ticks.atMs(before) <= last.event.atMs) return true;
  const state = ticks.state(before);
  return state === "stopping" || !(streams(state) || state === "connected");
}

/** The first moment after `atMs` at which nothing of the incident was left. */
function goneOn({ ticks }: Session, kind: IncidentKind, atMs: number): number | undefined {
  let wasHeld = false;
  for (let index = ticks.firstFrom(atMs); index < ticks.length; index++) {
    const state = ticks.state(index);
    const moves = isPassing(kind) ? ticks.isCommanded(index) : state === "holding" || state === "following";
    wasHeld ||= !moves;
    if (moves && wasHeld) return ticks.atMs(index);
  }
  return undefined;
}
