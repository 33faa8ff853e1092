/**
 * The states of a teleoperation session as one table: every state answers every event. Rules that the tests hold: only
 * `granted` leads to `engaged`, and only from `engaging`; whatever leaves `engaging` or `engaged` otherwise lets the
 * robot go; a failure there latches; out of `latched` lead only an open clutch and giving teleoperation back.
 */
import type { TeleopState } from "../../core/gateway/server.js";

export const DEADMAN_EVENTS = [
  /** Somebody has become the operator. */
  "taken",
  /** The operator has given it back, or has gone. */
  "given",
  /** The clutch was seen open, then held, both in poses without any trouble. */
  "pressed",
  /** The clutch was seen open in a pose without any trouble. */
  "released",
  /** The lease is ours and the arm stands. */
  "granted",
  /** A condition does not hold: see deadmanFailures.ts. */
  "failed",
] as const;
export type DeadmanEvent = (typeof DEADMAN_EVENTS)[number];

/** What the session does on the way: ask for the lease, or give it back at once, also one that is still to come. */
export type DeadmanAction = "acquire" | "letGo" | "nothing";

export interface DeadmanStep {
  readonly to: TeleopState;
  readonly does: DeadmanAction;
}

const to = (state: TeleopState, does: DeadmanAction = "nothing"): DeadmanStep => ({ to: state, does });

export const deadmanTransitions: Record<TeleopState, Record<DeadmanEvent, DeadmanStep>> = {
  off: {
    taken: to("ready"),
    given: to("off"),
    pressed: to("off"),
    released: to("off"),
    granted: to("off", "letGo"),
    failed: to("off"),
  },
  ready: {
    taken: to("ready"),
    given: to("off"),
    pressed: to("engaging", "acquire"),
    released: to("ready"),
    granted: to("ready", "letGo"),
    // The clutch is held, and what it asks for cannot be: another press must ask again.
    failed: to("latched"),
  },
  engaging: {
    taken: to("engaging"),
    given: to("off", "letGo"),
    pressed: to("engaging"),
    released: to("ready", "letGo"),
    granted: to("engaged"),
    failed: to("latched", "letGo"),
  },
  engaged: {
    taken: to("engaged"),
    given: to("off", "letGo"),
    pressed: to("engaged"),
    released: to("ready", "letGo"),
    granted: to("engaged"),
    failed: to("latched", "letGo"),
  },
  latched: {
    taken: to("latched"),
    given: to("off"),
    pressed: to("latched"),
    released: to("ready"),
    granted: to("latched", "letGo"),
    failed: to("latched"),
  },
};

/** The arm follows the hand. */
export const followsHand = (state: TeleopState): boolean => state === "engaged";

/** The clutch holds or asks for the robot: whatever fails now latches. */
export const wantsRobot = (state: TeleopState): boolean => state === "engaging" || state === "engaged";
