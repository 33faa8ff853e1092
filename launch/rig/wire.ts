/**
 * What the emulated controller's own log says about a stop: when the first braking setpoint or stop frame came, and
 * when the setpoint stood. The emulator is the witness: nothing here asks the servo.
 */
import type { Answer } from "./jsonChild.js";

/** A motion or stop frame as it came over the command port; bit fields as in the vendor's protocol. */
export interface WireFrame {
  readonly index: number;
  /** Monotonic, when the emulator took it from its socket. */
  readonly atNs: bigint;
  readonly kind: "motion" | "stop";
  readonly client: number;
  readonly stateByte: number;
  /** Seven angles [rad]; undefined for anything but a joint setpoint. */
  readonly positionRad: readonly number[] | undefined;
}

export function framesOf(answer: Answer): WireFrame[] {
  return (answer.records as (Omit<WireFrame, "atNs"> & { atNs: string })[]).map((record) => ({
    ...record,
    atNs: BigInt(record.atNs),
  }));
}

/**
 * How much a step may differ by rounding alone [rad]: both ends are float32, and angles of the rig stay below 2 rad,
 * where neighbours lie 1.2e-7 apart.
 */
export const STEP_ROUNDING_RAD = 2.5e-7;
/** Steps that must be equal before a trigger counts as pulled in mid-cruise. */
const CRUISE_STEPS = 8;

export interface StopJudgement {
  /** From the trigger to the first braking setpoint or stop frame, whichever came first; NaN when neither came. */
  readonly reactionMs: number;
  readonly reaction: "braking" | "stop" | "none";
  /** From the trigger to the last setpoint that still moved; 0 when none did. */
  readonly restMs: number;
  /** From the trigger to the last setpoint of all; 0 when none came. */
  readonly lastSetpointMs: number;
  readonly cruiseStepRad: number;
}

/** @returns undefined when the arm did not cruise at constant speed before the trigger */
export function judgeStop(frames: readonly WireFrame[], triggerNs: bigint): StopJudgement | undefined {
  const setpoints = frames.filter(({ positionRad }) => positionRad !== undefined);
  const after = setpoints.findIndex(({ atNs }) => atNs > triggerNs);
  const first = after < 0 ? setpoints.length : after;
  if (first <= CRUISE_STEPS) return undefined;
  const steps = setpoints.map((setpoint, i) => (i === 0 ? Number.NaN : stepRad(setpoints[i - 1]!, setpoint)));
  const cruise = steps.slice(first - CRUISE_STEPS, first).sort((one, other) => one - other);
  if (cruise.at(-1)! - cruise[0]! > 2 * STEP_ROUNDING_RAD || cruise[0]! < 20 * STEP_ROUNDING_RAD)
    return undefined;
  const cruiseStepRad = cruise[CRUISE_STEPS / 2]!;

  const sinceMs = (atNs: bigint) => Number(atNs - triggerNs) / 1e6;
  const braking = setpoints.find((_, i) => i >= first && steps[i]! < cruiseStepRad - STEP_ROUNDING_RAD);
  const stop = frames.find(({ kind, atNs }) => kind === "stop" && atNs > triggerNs);
  const reaction =
    braking !== undefined && !(stop !== undefined && stop.atNs < braking.atNs) ? braking : stop;
  const moving = setpoints.findLast((_, i) => i >= first && steps[i]! > STEP_ROUNDING_RAD);
  const last = after < 0 ? undefined : setpoints.at(-1);
  return {
    reactionMs: reaction === undefined ? Number.NaN : sinceMs(reaction.atNs),
    reaction: reaction === undefined ? "none" : reaction === stop ? "stop" : "braking",
    restMs: moving === undefined ? 0 : sinceMs(moving.atNs),
    lastSetpointMs: last === undefined ? 0 : sinceMs(last.atNs),
    cruiseStepRad,
  };
}

/** Largest movement of a joint between two setpoints. */
export function stepRad(one: WireFrame, next: WireFrame): number {
  let most = 0;
  for (const [joint, value] of next.positionRad!.entries())
    most = Math.max(most, Math.abs(value - one.positionRad![joint]!));
  return most;
}
