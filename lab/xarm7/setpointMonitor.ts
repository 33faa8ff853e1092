/**
 * Watches the setpoints that the controller accepts, as an instrument on the wire: how large the steps between them
 * are, what velocity, acceleration and jerk they mean, and how far from the arm a stream begins.
 *
 * Differences are taken from setpoint to setpoint over the nominal period, not over the times of arrival: those
 * jitter, and a setpoint that did not leave is sent again by its owner. After a pause, acceleration and jerk begin anew:
 * the arm has stopped at its last target. Where setpoints arrive together, or this process was late itself, a pause of
 * the sender cannot be ruled out, so there they begin anew, too. Angles come as float32, so near 1 rad an acceleration is known to 0.02 rad/s² and a jerk to
 * 8 rad/s³ at 250 Hz; near 3 rad to twice that.
 */
import { type MonotonicNs, msToNs } from "../../core/clock.js";
import { JOINT_COUNT } from "../../drivers/xarm7/protocol/index.js";

/** A stream that was silent for so many periods has ended: the arm stands at its last target. */
const PAUSE_PERIODS = 3.5;
/** Two setpoints that come within this share of a period have waited somewhere. */
const TOGETHER_SHARE = 0.25;
const STARTS_MAX = 256;

/** The first setpoint after a connection, or after the arm was made ready. */
export interface StreamStart {
  readonly atNs: MonotonicNs;
  readonly client: number;
  /** Largest distance of a joint from where the arm really is [rad]. */
  readonly distanceRad: number;
}

/** Since the last `clear`. Arrays have one number per joint, base to tool; magnitudes. */
export interface SetpointFigures {
  /** Setpoints that the controller took, and those that it refused (not ready, or not a number). */
  accepted: number;
  refused: number;
  /** Silences within a stream, longer than `PAUSE_PERIODS` periods. */
  pauses: number;
  /** Largest difference of two neighbours [rad], pauses included. */
  readonly stepRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  readonly accelerationRadPerS2: Float64Array;
  readonly jerkRadPerS3: Float64Array;
  /** Largest of all starts [rad]; 0 without one. */
  startDistanceRad: number;
  /** The newest, at most 256. */
  readonly starts: readonly StreamStart[];
  readonly firstNs: MonotonicNs | undefined;
  readonly lastNs: MonotonicNs | undefined;
}

const perJoint = (): Float64Array => new Float64Array(JOINT_COUNT);

export class SetpointMonitor {
  readonly #periodS: number;
  readonly #pauseNs: bigint;
  readonly #togetherNs: bigint;
  #figures = emptyFigures();
  #starts: StreamStart[] = [];
  #stream = "";
  /** How many derivatives of the setpoint before this one are known: 0 none, 1 its place, 2 velocity, 3 acceleration. */
  #known = 0;
  #lastNs: MonotonicNs | undefined;
  /** The newest setpoint's time of arrival is not to be trusted. */
  #isBlurred = false;
  #blurredUntilNs = 0n;
  readonly #lastRad = perJoint();
  readonly #velocity = perJoint();
  readonly #acceleration = perJoint();

  /** @param periodMs nominal time between two setpoints of the client [ms] */
  constructor(periodMs: number) {
    this.#periodS = periodMs / 1000;
    this.#pauseNs = msToNs(PAUSE_PERIODS * periodMs);
    this.#togetherNs = msToNs(TOGETHER_SHARE * periodMs);
  }

  /** Live numbers; copy what outlives the next setpoint. */
  get figures(): SetpointFigures {
    return { ...this.#figures, starts: this.#starts };
  }

  /** Forgets the figures, not the stream: the next setpoint is still compared with the one before. */
  clear(): void {
    this.#figures = emptyFigures();
    this.#starts = [];
  }

  /** This process was late: what arrives until then has waited for it. */
  late(untilNs: MonotonicNs): void {
    this.#blurredUntilNs = untilNs;
  }

  refused(): void {
    this.#figures.refused++;
  }

  /**
   * @param readyCount how often the arm was made ready so far: a new number begins a new stream
   * @param targetRad the setpoint [rad]
   * @param standingRad where the arm really is [rad]
   */
  accepted(
    atNs: MonotonicNs,
    client: number,
    readyCount: number,
    targetRad: ArrayLike<number>,
    standingRad: ArrayLike<number>,
  ): void {
    const figures = this.#figures;
    figures.accepted++;
    figures.firstNs ??= atNs;
    figures.lastNs = atNs;
    const stream = `${client}:${readyCount}`;
    const gapNs = this.#lastNs === undefined ? 0n : atNs - this.#lastNs;
    const isBlurred = atNs < this.#blurredUntilNs || gapNs < this.#togetherNs;
    if (stream !== this.#stream) this.#start(stream, { atNs, client }, targetRad, standingRad);
    else if (gapNs > this.#pauseNs) figures.pauses++;
    // After the first of several that have waited, too, the sender may have paused.
    if (gapNs > this.#pauseNs || isBlurred || this.#isBlurred) this.#known = Math.min(this.#known, 1);
    this.#isBlurred = isBlurred;
    for (let joint = 0; joint < JOINT_COUNT; joint++) this.#differentiate(joint, targetRad[joint]!);
    this.#known = Math.min(3, this.#known + 1);
    this.#lastNs = atNs;
  }

  #start(
    stream: string,
    of: { readonly atNs: MonotonicNs; readonly client: number },
    targetRad: ArrayLike<number>,
    standingRad: ArrayLike<number>,
  ): void {
    let distanceRad = 0;
    for (let joint = 0; joint < JOINT_COUNT; joint++)
      distanceRad = Math.max(distanceRad, Math.abs(targetRad[joint]! - standingRad[joint]!));
    this.#stream = stream;
    this.#known = 0;
    this.#figures.startDistanceRad = Math.max(this.#figures.startDistanceRad, distanceRad);
    if (this.#starts.length >= STARTS_MAX) this.#starts.shift();
    this.#starts.push({ ...of, distanceRad });
  }

  #differentiate(joint: number, targetRad: number): void {
    const { stepRad, velocityRadPerS, accelerationRadPerS2, jerkRadPerS3 } = this.#figures;
    const step = targetRad - this.#lastRad[joint]!;
    const velocity = step / this.#periodS;
    const acceleration = (velocity - this.#velocity[joint]!) / this.#periodS;
    if (this.#known >= 1) {
      raise(stepRad, joint, step);
      raise(velocityRadPerS, joint, velocity);
    }
    if (this.#known >= 2) raise(accelerationRadPerS2, joint, acceleration);
    if (this.#known >= 3)
      raise(jerkRadPerS3, joint, (acceleration - this.#acceleration[joint]!) / this.#periodS);
    this.#lastRad[joint] = targetRad;
    this.#velocity[joint] = velocity;
    this.#acceleration[joint] = acceleration;
  }
}

function raise(largest: Float64Array, joint: number, value: number): void {
  largest[joint] = Math.max(largest[joint]!, Math.abs(value));
}

const emptyFigures = () => ({
  accepted: 0,
  refused: 0,
  pauses: 0,
  stepRad: perJoint(),
  velocityRadPerS: perJoint(),
  accelerationRadPerS2: perJoint(),
  jerkRadPerS3: perJoint(),
  startDistanceRad: 0,
  firstNs: undefined as MonotonicNs | undefined,
  lastNs: undefined as MonotonicNs | undefined,
});
