/** Judges a round of the kill campaign by the emulated controller's log; the servo is not asked. */
import { STEP_ROUNDING_RAD, stepRad, type WireFrame } from "../../../launch/rig/wire.js";

/** Braking from full speed within the default limits takes 283 ms; the system's end of a process comes on top. */
export const REST_MS_MAX = 420;
/** The first setpoint after enabling may lie this far from the measured position. */
export const START_RAD_MAX = 0.05;
/** A setpoint may leave the way to its target by rounding and by what the limiter bends. */
const OFF_WAY_RAD = 2e-3;
const REST_RAD = 1e-6;

const setpointsOf = (frames: readonly WireFrame[]) =>
  frames.filter(
    (frame): frame is WireFrame & { positionRad: readonly number[] } => frame.positionRad !== undefined,
  );

/** From the kill to the last setpoint that moved; 0 when none did. @param mayMove a live commander moved the arm */
export function judgeRest(
  frames: readonly WireFrame[],
  killedNs: bigint,
  mayMove: boolean,
): { restMs: number; violation?: string } {
  const setpoints = setpointsOf(frames);
  let restMs = 0;
  for (let i = 1; i < setpoints.length; i++) {
    const frame = setpoints[i]!;
    if (
      frame.atNs > killedNs &&
      frame.client === setpoints[i - 1]!.client &&
      stepRad(setpoints[i - 1]!, frame) > STEP_ROUNDING_RAD
    )
      restMs = Number(frame.atNs - killedNs) / 1e6;
  }
  if (restMs > REST_MS_MAX)
    return { restMs, violation: `setpoints moved until ${restMs.toFixed(1)} ms after the kill` };
  if (!mayMove && restMs > 0)
    return {
      restMs,
      violation: `setpoints moved ${restMs.toFixed(1)} ms after the kill, and did not before`,
    };
  return { restMs };
}

/** Every setpoint of these frames stands where the first one does. */
export function judgeStanding(frames: readonly WireFrame[], when: string): string | undefined {
  const setpoints = setpointsOf(frames);
  const moved = setpoints.find((frame) => stepRad(setpoints[0]!, frame) > REST_RAD);
  return moved && `a setpoint moved by ${stepRad(setpoints[0]!, moved).toExponential(2)} rad ${when}`;
}

/** Setpoints after a fresh command lie between where the arm stood and the fresh target, and come nearer to it. */
export function judgeFresh(
  frames: readonly WireFrame[],
  startRad: readonly number[],
  targetRad: readonly number[],
): string | undefined {
  const setpoints = setpointsOf(frames);
  if (setpoints.length === 0) return "no setpoint came after the fresh command";
  for (const { positionRad, index } of setpoints)
    for (const [joint, value] of positionRad.entries()) {
      const low = Math.min(startRad[joint]!, targetRad[joint]!) - OFF_WAY_RAD;
      const high = Math.max(startRad[joint]!, targetRad[joint]!) + OFF_WAY_RAD;
      if (value < low || value > high)
        return `setpoint ${index}: joint ${joint + 1} at ${value.toFixed(4)} rad, between ${startRad[joint]!.toFixed(4)} and ${targetRad[joint]!.toFixed(4)} expected`;
    }
  const first = Math.abs(setpoints.at(-1)!.positionRad[0]! - startRad[0]!);
  return first > 1e-3 ? undefined : "the arm did not follow the fresh command";
}

/** How much float32 angles alone can seem to differ: see the emulator's setpoint monitor. */
const ROUNDING = { velocity: 1e-4, acceleration: 0.05, jerk: 20 } as const;

export interface LimitsOf {
  readonly velocityMaxRadPerS: readonly number[];
  readonly accelerationMaxRadPerS2: readonly number[];
  readonly jerkMaxRadPerS3: readonly number[];
}

export interface MonitorFigures {
  readonly accepted: number;
  readonly startDistanceRad: number;
  readonly velocityRadPerS: readonly number[];
  readonly accelerationRadPerS2: readonly number[];
  readonly jerkRadPerS3: readonly number[];
}

export function judgeLimits(figures: MonitorFigures, limits: LimitsOf): string[] {
  const found: string[] = [];
  const check = (what: string, values: readonly number[], most: readonly number[], slack: number) => {
    for (const [joint, value] of values.entries())
      if (value > most[joint]! + slack)
        found.push(`joint ${joint + 1}: ${what} ${value.toFixed(3)} (limit ${most[joint]!})`);
  };
  check("velocity rad/s", figures.velocityRadPerS, limits.velocityMaxRadPerS, ROUNDING.velocity);
  check(
    "acceleration rad/s2",
    figures.accelerationRadPerS2,
    limits.accelerationMaxRadPerS2,
    ROUNDING.acceleration,
  );
  check("jerk rad/s3", figures.jerkRadPerS3, limits.jerkMaxRadPerS3, ROUNDING.jerk);
  if (figures.startDistanceRad > START_RAD_MAX)
    found.push(
      `a stream began ${figures.startDistanceRad.toFixed(4)} rad from the arm (limit ${START_RAD_MAX})`,
    );
  return found;
}
