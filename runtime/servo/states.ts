/**
 * The servo's states as one table: every state answers every event, with the next state or with `refused`. Rules that
 * the tests hold: only `following` passes commands; a stop request leads in one step from everywhere to a state that
 * passes none; nothing but a reset leaves `stopped` or `faulted`, also when the device was lost and has come back in
 * between; whoever comes from `disconnected` is `connected`: not enabled, and enabling it is explicit; an arm that was
 * free (`teaching`) is never enabled without going through `connected`.
 */
import { CerebellumError } from "../../core/errors.js";
import type { ServoStateName } from "./api.js";

export const SERVO_EVENTS = [
  /** The device answers and was checked. */
  "linkUp",
  "linkDown",
  /** The device streams, from its measured pose. */
  "enabled",
  "leaseGranted",
  "leaseEnded",
  "stopRequested",
  /** Deceleration has ended, or power is off. */
  "stopFinished",
  /** Asked for by a supervisor, after the device was read again. */
  "reset",
  "fault",
  /** Streaming ends so that the device can be set free. */
  "teachRequested",
  /** The device lets itself be moved by hand. */
  "teachStarted",
  /** The device holds again. */
  "teachEnded",
] as const;
export type ServoEventName = (typeof SERVO_EVENTS)[number];

/** Illegal in this state: nothing changes, and whoever asked is told. */
const refused = "refused" as const;

/** An event that leads to the same state is expected there and changes nothing. */
export const transitions: Record<ServoStateName, Record<ServoEventName, ServoStateName | typeof refused>> = {
  disconnected: {
    linkUp: "connected",
    linkDown: "disconnected",
    enabled: refused,
    leaseGranted: refused,
    leaseEnded: refused,
    stopRequested: "stopped",
    stopFinished: refused,
    reset: refused,
    fault: "faulted",
    teachRequested: refused,
    teachStarted: refused,
    teachEnded: refused,
  },
  connected: {
    linkUp: "connected",
    linkDown: "disconnected",
    enabled: "holding",
    leaseGranted: refused,
    leaseEnded: refused,
    stopRequested: "stopped",
    stopFinished: refused,
    reset: "connected",
    fault: "faulted",
    teachRequested: "connected",
    teachStarted: "teaching",
    teachEnded: refused,
  },
  holding: {
    linkUp: refused,
    linkDown: "disconnected",
    enabled: "holding",
    leaseGranted: "following",
    leaseEnded: "holding",
    stopRequested: "stopping",
    stopFinished: refused,
    reset: refused,
    fault: "faulted",
    teachRequested: "connected",
    teachStarted: refused,
    teachEnded: refused,
  },
  following: {
    linkUp: refused,
    linkDown: "disconnected",
    enabled: "following",
    leaseGranted: refused,
    leaseEnded: "holding",
    stopRequested: "stopping",
    stopFinished: refused,
    reset: refused,
    fault: "faulted",
    teachRequested: refused,
    teachStarted: refused,
    teachEnded: refused,
  },
  stopping: {
    linkUp: refused,
    // The arm can no longer be led to rest; the stop stays asked for.
    linkDown: "stopped",
    enabled: refused,
    leaseGranted: refused,
    leaseEnded: "stopping",
    stopRequested: "stopping",
    stopFinished: "stopped",
    reset: refused,
    fault: "faulted",
    teachRequested: refused,
    teachStarted: refused,
    teachEnded: refused,
  },
  stopped: {
    linkUp: "stopped",
    linkDown: "stopped",
    enabled: refused,
    leaseGranted: refused,
    leaseEnded: "stopped",
    stopRequested: "stopped",
    stopFinished: "stopped",
    reset: "connected",
    fault: "stopped",
    teachRequested: refused,
    teachStarted: refused,
    teachEnded: refused,
  },
  faulted: {
    linkUp: "faulted",
    linkDown: "faulted",
    enabled: refused,
    leaseGranted: refused,
    leaseEnded: "faulted",
    stopRequested: "faulted",
    stopFinished: "faulted",
    reset: "connected",
    fault: "faulted",
    teachRequested: refused,
    teachStarted: refused,
    teachEnded: refused,
  },
  teaching: {
    linkUp: refused,
    linkDown: "disconnected",
    enabled: refused,
    leaseGranted: refused,
    leaseEnded: refused,
    stopRequested: "stopped",
    stopFinished: refused,
    reset: refused,
    fault: "faulted",
    teachRequested: refused,
    teachStarted: refused,
    teachEnded: "connected",
  },
};

export const canAdvance = (state: ServoStateName, event: ServoEventName): boolean =>
  transitions[state][event] !== refused;

/** @throws CerebellumError ILLEGAL_TRANSITION */
export function advance(state: ServoStateName, event: ServoEventName): ServoStateName {
  const next = transitions[state][event];
  if (next !== refused) return next;
  const possible = SERVO_EVENTS.filter((other) => canAdvance(state, other));
  throw new CerebellumError(
    "ILLEGAL_TRANSITION",
    `Servo state ${state} refuses ${event}`,
    `Possible now: ${possible.join(", ")}`,
  );
}

/** Commands of the lease holder move the arm. */
export const passesCommands = (state: ServoStateName): boolean => state === "following";

/** Setpoints go to the device in every tick. */
export const streams = (state: ServoStateName): boolean =>
  state === "holding" || state === "following" || state === "stopping";
