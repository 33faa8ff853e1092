/**
 * The servo's states as one table. Rules that the test holds: only `following` passes commands; a stop request leads
 * in one step to a state that commands no motion; nothing leaves `stopped` or `faulted` but a reset or the loss of the
 * device. Losing the device ends every latch, because a device that comes back is `connected`: not enabled, and
 * enabling it is explicit.
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
] as const;
export type ServoEventName = (typeof SERVO_EVENTS)[number];

/** An event without an entry is illegal in that state; one that leads to the same state is expected and changes nothing. */
export const transitions: Record<ServoStateName, Partial<Record<ServoEventName, ServoStateName>>> = {
  disconnected: {
    linkUp: "connected",
    linkDown: "disconnected",
    stopRequested: "stopped",
    fault: "faulted",
  },
  connected: {
    linkDown: "disconnected",
    enabled: "holding",
    stopRequested: "stopped",
    fault: "faulted",
    reset: "connected",
  },
  holding: {
    linkDown: "disconnected",
    leaseGranted: "following",
    stopRequested: "stopping",
    fault: "faulted",
  },
  following: {
    linkDown: "disconnected",
    leaseEnded: "holding",
    stopRequested: "stopping",
    fault: "faulted",
  },
  stopping: {
    linkDown: "disconnected",
    stopRequested: "stopping",
    stopFinished: "stopped",
    fault: "faulted",
  },
  stopped: {
    linkUp: "stopped",
    linkDown: "disconnected",
    stopRequested: "stopped",
    stopFinished: "stopped",
    reset: "connected",
    fault: "stopped",
  },
  faulted: {
    linkUp: "faulted",
    linkDown: "disconnected",
    stopRequested: "faulted",
    stopFinished: "faulted",
    reset: "connected",
    fault: "faulted",
  },
};

export const canAdvance = (state: ServoStateName, event: ServoEventName): boolean =>
  transitions[state][event] !== undefined;

/** @throws CerebellumError ILLEGAL_TRANSITION */
export function advance(state: ServoStateName, event: ServoEventName): ServoStateName {
  const next = transitions[state][event];
  if (next !== undefined) return next;
  throw new CerebellumError(
    "ILLEGAL_TRANSITION",
    `Servo state ${state} has no ${event}`,
    `Possible now: ${Object.keys(transitions[state]).join(", ")}`,
  );
}

/** Commands of the lease holder move the arm. */
export const passesCommands = (state: ServoStateName): boolean => state === "following";

/** Setpoints go to the device in every tick. */
export const streams = (state: ServoStateName): boolean =>
  state === "holding" || state === "following" || state === "stopping";
