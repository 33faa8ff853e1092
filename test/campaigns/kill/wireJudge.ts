/** Judges a round of the kill campaign by the emulated controller's log; the servo is not asked. */
import { STEP_ROUNDING_RAD, stepRad, type WireFrame } from "../../../launch/rig/wire.js";

/** Braking from full speed within the default limits takes 283 ms; the system's end of a process comes on top. */
export const REST_MS_MAX = 420;
/** Two and a half periods at 250 Hz. */
const SILENT_MS = 10;
/** The first setpoint after enabling may lie this far from the measured position. */
export const START_RAD_MAX = 0.05;
/** A setpoint may leave the way to its target by rounding and by what the limiter bends. */
const OFF_WAY_RAD = 2e-3;
const REST_RAD = 1e-6;

const setpointsOf = (frames: readonly WireFrame[]) =>
  frames.filter(
    (frame): frame is WireFrame & { positionRad: readonly number[] } => frame.positionRad !== undefined,
  );

/** Enabling takes longer than this, and begins a stream of its own at the measured pose. */
const NEW_STREAM_NS = 80_000_000n;
const beginsStream = (before: WireFrame, next: WireFrame): boolean =>
  before.client !== next.client || next.atNs - before.atNs > NEW_STREAM_NS;

/** From the kill to the last setpoint that moved; 0 when none did. @param mayMove a live commander moved the arm */
export function judgeRest(
  frames: readonly WireFrame[],
  killedNs: bigint,
  mayMove: boolean,
): { restMs: number; violation?: string } {
  const setpoints = setpointsOf(frames);
  let restMs = 0;
  let silentMs = 0;
  let silentBeforeRestMs = 0;
  for (const [i, frame] of setpoints.entries()) {
    const before = setpoints[i - 1];
    if (frame.atNs <= killedNs || before === undefined || before.client !== frame.client) continue;
    // An overloaded machine stretches a motion by its silences, during which the arm stands.
    const gapMs = Number(frame.atNs - (before.atNs > killedNs ? before.atNs : killedNs)) / 1e6;
    if (gapMs > SILENT_MS) silentMs += gapMs;
    if (beginsStream(before, frame) || stepRad(before, frame) <= STEP_ROUNDING_RAD) continue;
    restMs = Number(frame.atNs - killedNs) / 1e6;
    silentBeforeRestMs = silentMs;
  }
  if (restMs - silentBeforeRestMs > REST_MS_MAX)
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

/** From setpoint to setpoint over the nominal period; magnitudes, the largest of each joint. */
export interface StreamFigures {
  readonly velocityRadPerS: readonly number[];
  readonly accelerationRadPerS2: readonly number[];
  readonly jerkRadPerS3: readonly number[];
  /** Silences within a stream after which it began anew from rest. */
  readonly interruptions: number;
}

/** The servo takes an arm that got no setpoint for five periods as standing at the last one, as it does. */
const INTERRUPTED_PERIODS = 4.5;
const LATE_PERIODS = 2.5;
const RECENT_FRAMES = 4;
/**
 * After such a silence, frames that had waited for the controller arrive at once, and only then the first one that was
 * made after it. These are judged by their step alone. [ms]
 */
const BURST_MS_MAX = 2;
const JOINTS = 7;

export function measureStreams(frames: readonly WireFrame[], periodMs: number): StreamFigures {
  const periodS = periodMs / 1000;
  const most = { velocity: zeros(), acceleration: zeros(), jerk: zeros() };
  let interruptions = 0;
  let before: WireFrame | undefined;
  let velocity: number[] | undefined;
  let acceleration: number[] | undefined;
  let resumes = false;
  const gapsMs: number[] = [];
  for (const frame of setpointsOf(frames)) {
    const isNew = before === undefined || beginsStream(before, frame);
    const afterMs = before?.client === frame.client ? Number(frame.atNs - before.atNs) / 1e6 : 0;
    gapsMs.push(afterMs);
    if (gapsMs.length > RECENT_FRAMES) gapsMs.shift();
    // When the controller itself was late, the silence lies before the frames that waited: what is seen of it after
    // them is a setpoint that stands.
    const moved = velocity?.some((value) => Math.abs(value) * periodS > REST_RAD) === true;
    const stands = !isNew && moved && stepRad(before!, frame) <= REST_RAD;
    const standsAfterGap = stands && Math.max(...gapsMs) > LATE_PERIODS * periodMs;
    const interrupted = afterMs > INTERRUPTED_PERIODS * periodMs || standsAfterGap;
    if (interrupted) interruptions++;
    const isJudged = !resumes && !interrupted;
    const nextVelocity = isNew
      ? undefined
      : frame.positionRad.map((value, joint) => (value - before!.positionRad![joint]!) / periodS);
    const nextAcceleration = isJudged ? difference(nextVelocity, velocity, periodS) : undefined;
    raise(most.velocity, nextVelocity);
    raise(most.acceleration, nextAcceleration);
    raise(most.jerk, difference(nextAcceleration, acceleration, periodS));
    resumes = interrupted || (resumes && afterMs < BURST_MS_MAX);
    velocity = resumes ? undefined : nextVelocity;
    acceleration = nextAcceleration;
    before = frame;
  }
  return {
    velocityRadPerS: most.velocity,
    accelerationRadPerS2: most.acceleration,
    jerkRadPerS3: most.jerk,
    interruptions,
  };
}

const zeros = () => Array<number>(JOINTS).fill(0);

const difference = (next: number[] | undefined, before: number[] | undefined, periodS: number) =>
  next && before && next.map((value, joint) => (value - before[joint]!) / periodS);

function raise(largest: number[], values: readonly number[] | undefined): void {
  for (const [joint, value] of values?.entries() ?? [])
    largest[joint] = Math.max(largest[joint]!, Math.abs(value));
}

export function judgeLimits(figures: StreamFigures, startDistanceRad: number, limits: LimitsOf): string[] {
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
  if (startDistanceRad > START_RAD_MAX)
    found.push(`a stream began ${startDistanceRad.toFixed(4)} rad from the arm (limit ${START_RAD_MAX})`);
  return found;
}
