/** From a record to an explanation: pure, so that every sentence of it can be tested against a made-up record. */
import { triggersOf } from "../legTriggers.js";
import type { Trigger, TriggerName } from "../triggers.js";
import { commandOf, errorAfter, limiterOf, orNull, poseAt, timingOf } from "./evidence.js";
import type { Explanation, Incident } from "./explanation.js";
import { PROCESS_KIND } from "./format.js";
import { type FoundIncident, findIncidents } from "./incidents.js";
import type { BlackBoxRecord, Session } from "./reader.js";

/** The asking process's own time, and what it knows of others. */
export interface Asking {
  readonly nowMs: number;
  readonly epochMs: number;
  readonly bootId: string;
  readonly folder: string;
  readonly robot: string;
  /** Whether this process of the present boot is still a servo process. */
  readonly isAlive: (processId: number) => boolean;
}

/** A living process writes ten times a second. */
const SILENT_MS = 2000;
const CHAIN_BEFORE_MS = 10_000;
const CHAIN_AFTER_MS = 10_000;
const CHAIN_BEFORE_MAX = 6;
const CHAIN_AFTER_MAX = 8;
const SINCE_MAX = 5;

const DEATH_REMEDIES = [
  "Look at the arm",
  "See the daemon's log, and the kernel's (`journalctl -k`) for a process ended for lack of memory",
  "If the daemon has ended too, start it again; then `./cerebellum reset` and `./cerebellum enable`",
];
const deathCause = (sameBoot: boolean): string =>
  `The servo process ended without a word: ${sameBoot ? "it was killed or it crashed" : "this computer went down"}. ` +
  "Nothing commands the arm from then on; it is left to its own controller";

export function explain(record: BlackBoxRecord, asking: Asking, count = 1): Explanation {
  const newest = record.sessions.at(-1);
  const isRunning = (session: Session) =>
    session === newest &&
    !session.ended &&
    session.info.bootId === asking.bootId &&
    asking.isAlive(session.info.processId);
  const found = record.sessions
    .flatMap((session) => findIncidents(session, isRunning(session)))
    .map((incident) => ({ incident, epochMs: epochOf(incident.session, incident.atMs, asking) }))
    .sort((a, b) => b.epochMs - a.epochMs);
  const passed = found.filter(({ incident }) => incident.kind === "hold" && incident.goneOnMs !== undefined);
  const lasting = found.filter((one) => !passed.includes(one));
  const first = lasting.filter(({ incident }) => !wasLatched(incident));
  const answers = first.length > 0 ? first : lasting;
  const since = lasting.filter((one) => !answers.includes(one) && one.epochMs > (answers[0]?.epochMs ?? 0));
  const byTrigger: Record<string, number> = {};
  for (const { incident } of passed) {
    const name = incident.event?.trigger ?? "";
    byTrigger[name] = (byTrigger[name] ?? 0) + 1 + incident.repeatedCount;
  }
  return {
    schema: "cerebellum/why@1",
    robot: newest?.info.robot ?? asking.robot,
    device: newest?.info.device ?? null,
    jointNames: newest?.info.jointNames ?? [],
    incidents: answers.slice(0, count).map(({ incident }) => describe(incident, record, asking)),
    since: since.slice(0, SINCE_MAX).map(({ incident, epochMs }) => ({
      trigger: incident.event?.trigger ?? null,
      happened: happenedIn(incident),
      agoS: (asking.epochMs - epochMs) / 1000,
    })),
    now: present(newest, newest !== undefined && isRunning(newest), asking),
    passedHolds: { count: Object.values(byTrigger).reduce((sum, one) => sum + one, 0), byTrigger },
    record: summary(record, asking),
  };
}

/** It stood still already, so this is not why. */
function wasLatched({ kind, session: { ticks }, atMs }: FoundIncident): boolean {
  const before = ticks.firstFrom(atMs) - 1;
  if (kind === "death" || before < 0) return false;
  const state = ticks.state(before);
  return state === "stopped" || state === "faulted";
}

/** Within one boot the monotonic clock is right even when the wall clock was set meanwhile. */
const epochOf = (session: Session, atMs: number, asking: Asking): number =>
  session.info.bootId === asking.bootId
    ? asking.epochMs - (asking.nowMs - atMs)
    : atMs + session.epochOffsetMs;

function present(session: Session | undefined, isRunning: boolean, asking: Asking): Explanation["now"] {
  if (session === undefined)
    return { process: "none", processId: null, state: null, deviceErrorCode: 0, lastWrittenAgoS: null };
  const agoMs = asking.epochMs - epochOf(session, session.lastMs, asking);
  const last = session.ticks.at(session.ticks.length - 1);
  return {
    process: isRunning ? (agoMs > SILENT_MS ? "silent" : "running") : session.ended ? "ended" : "died",
    processId: session.info.processId,
    state: last?.state ?? null,
    deviceErrorCode: last?.deviceErrorCode ?? 0,
    lastWrittenAgoS: agoMs / 1000,
  };
}

function summary(record: BlackBoxRecord, asking: Asking): Explanation["record"] {
  const oldest = record.sessions[0];
  return {
    folder: asking.folder,
    sessionCount: record.sessions.length,
    tickCount: record.sessions.reduce((sum, { ticks }) => sum + ticks.length, 0),
    reachesBackS:
      oldest === undefined ? null : (asking.epochMs - epochOf(oldest, oldest.firstMs, asking)) / 1000,
    filesRead: record.filesRead,
    filesSkipped: record.filesSkipped.map((skipped) => ({ ...skipped })),
    damagedChunks: record.damagedChunks,
    tornBytes: record.tornBytes,
    lostRows: record.sessions.reduce(
      (sum, { ticks }) => sum + (ticks.at(ticks.length - 1)?.lostRows ?? 0),
      0,
    ),
  };
}

function describe(incident: FoundIncident, record: BlackBoxRecord, asking: Asking): Incident {
  const { session, kind, atMs, event } = incident;
  const { ticks } = session;
  const before = ticks.at(ticks.firstFrom(atMs + (kind === "death" ? 0.001 : 0)) - 1);
  const triggers = triggersOf(session.info.isOnLegs === true);
  const known = event?.trigger === undefined ? undefined : triggers[event.trigger as TriggerName];
  const { cause, remedies } = reasonFor(incident, known, asking);
  const atEpochMs = epochOf(session, atMs, asking);
  const timing = timingOf(incident);
  return {
    kind,
    trigger: event?.trigger ?? null,
    happened: happenedIn(incident),
    cause,
    remedies,
    atEpochMs,
    agoS: (asking.epochMs - atEpochMs) / 1000,
    repeatedCount: incident.repeatedCount,
    stateBefore: before?.state ?? null,
    fault: event?.fault === undefined ? null : faultOf(event.fault),
    ...chainOf(record, atEpochMs, asking),
    command: commandOf(before, session),
    limiter: limiterOf(session, atMs),
    device:
      before === undefined
        ? null
        : {
            errorCode: errorAfter(session, atMs) || before.deviceErrorCode,
            stateAgeMs: orNull(before.stateAgeMs),
          },
    timing,
    pose: poseAt(session, atMs + (timing.restMs ?? 0)),
    goneOnAfterMs:
      incident.goneOnMs === undefined
        ? laterSessionAfterMs(record, session, atEpochMs, asking)
        : incident.goneOnMs - atMs,
  };
}

/** Until a process that was started later had the arm enabled. */
function laterSessionAfterMs(
  { sessions }: BlackBoxRecord,
  session: Session,
  atEpochMs: number,
  asking: Asking,
): number | null {
  for (const later of sessions.slice(sessions.indexOf(session) + 1)) {
    for (let index = 0; index < later.ticks.length; index++) {
      const state = later.ticks.state(index);
      if (state === "holding" || state === "following")
        return epochOf(later, later.ticks.atMs(index), asking) - atEpochMs;
    }
  }
  return null;
}

/** Puts the value that was in force beside each setting that a text names. */
const withLimits = (text: string, { info }: Session): string =>
  text.replace(/`servo\.(\w+)`/g, (name, key: string) => {
    const value = info.servo[key];
    return typeof value === "number" ? `${name} (${value})` : name;
  });

const PROCESS_END_MS = 100;

/** The servo's words; at its process's end, also what the process said. */
function happenedIn({ event, session, atMs }: FoundIncident): string {
  const end = session.events.findLast(
    (one) => one.kind === PROCESS_KIND && one.atMs <= atMs && one.atMs > atMs - PROCESS_END_MS,
  );
  const own = event?.text ?? "the record ends";
  return end === undefined ? own : `${own} (${end.text})`;
}

function reasonFor({ event, session }: FoundIncident, known: Trigger | undefined, asking: Asking) {
  if (event === undefined)
    return { cause: deathCause(session.info.bootId === asking.bootId), remedies: [...DEATH_REMEDIES] };
  const general = known?.remedy ?? "`./cerebellum reset`, then `./cerebellum enable`";
  if (event.fault !== undefined) return { cause: event.fault.cause, remedies: [event.fault.remedy, general] };
  return {
    cause: withLimits(known?.cause ?? `A trigger that this version does not know: ${event.trigger}`, session),
    remedies: [general],
  };
}

const faultOf = ({ code, deviceCode, severity, cause, remedy }: NonNullable<Incident["fault"]>) => ({
  code,
  deviceCode,
  severity,
  cause,
  remedy,
});

/** Events around it, of whatever session: a process that was started again tells so in its own. */
function chainOf(record: BlackBoxRecord, atEpochMs: number, asking: Asking) {
  const near = record.sessions
    .flatMap((session) =>
      session.events.map((event) => ({
        sinceTriggerMs: epochOf(session, event.atMs, asking) - atEpochMs,
        kind: event.kind,
        trigger: event.trigger ?? null,
        text: event.text,
      })),
    )
    .filter(({ sinceTriggerMs: ms }) => ms >= -CHAIN_BEFORE_MS && ms <= CHAIN_AFTER_MS)
    .sort((a, b) => a.sinceTriggerMs - b.sinceTriggerMs);
  // Missed ticks have their count of their own, and would push the rest out.
  const telling = near.filter(({ kind }) => kind !== "overrun");
  const before = telling.filter(({ sinceTriggerMs }) => sinceTriggerMs < 0).slice(-CHAIN_BEFORE_MAX);
  const after = telling.filter(({ sinceTriggerMs }) => sinceTriggerMs >= 0).slice(0, CHAIN_AFTER_MAX);
  const chain = [...before, ...after];
  return { chain, chainLeftOutCount: near.length - chain.length };
}
