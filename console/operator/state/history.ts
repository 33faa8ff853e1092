/**
 * The last half minute of every number that is plotted, in typed arrays that are made once: a page that is open for a
 * day holds no more than one that is open for a minute.
 */
import type { Telemetry } from "../../../core/gateway/server.js";

export const HISTORY_S = 30;
/** Samples kept: half a minute at the highest rate that the gateway sends. */
export const HISTORY_SAMPLES = 1024;

/** Telemetry comes at least five times a second: after such a pause something was missed. */
const GAP_S = 1;

export const JOINT_SERIES = [
  "requestedRad",
  "limitedRad",
  "sentRad",
  "positionRad",
  "velocityRadPerS",
  "effortNm",
] as const;
export type JointSeries = (typeof JOINT_SERIES)[number];

export const jointKey = (robot: string, series: JointSeries, joint: number) => `${robot}/${series}/${joint}`;
export const robotKey = (robot: string, what: "latenessP50Us" | "latenessP99Us" | "stateAgeMs") =>
  `${robot}/${what}`;
export const cameraKey = (camera: string) => `camera/${camera}`;

export class History {
  /** Seconds since the first sample; NaN where there is none yet. */
  readonly #timeS = new Float64Array(HISTORY_SAMPLES).fill(Number.NaN);
  readonly #series = new Map<string, Float64Array>();
  #next = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @param atS monotonic [s] of the page */
  add(atS: number, telemetry: Telemetry): void {
    const beforeS = this.#timeS[(this.#next + HISTORY_SAMPLES - 1) % HISTORY_SAMPLES]!;
    if (atS - beforeS > GAP_S) this.#step((beforeS + atS) / 2);
    const at = this.#step(atS);
    for (const [robot, state] of Object.entries(telemetry.robots)) {
      for (const series of JOINT_SERIES)
        for (const [joint, value] of state[series].entries())
          this.#put(jointKey(robot, series, joint), at, value);
      this.#put(robotKey(robot, "stateAgeMs"), at, state.stateAgeMs);
      this.#put(robotKey(robot, "latenessP50Us"), at, state.latenessUs?.p50);
      this.#put(robotKey(robot, "latenessP99Us"), at, state.latenessUs?.p99);
    }
    for (const [camera, { ageMs }] of Object.entries(telemetry.cameras))
      this.#put(cameraKey(camera), at, ageMs);
  }

  /** As it is now, and stays. */
  copy(): History {
    const copy = new History();
    copy.#timeS.set(this.#timeS);
    for (const [key, values] of this.#series) copy.#series.set(key, values.slice());
    copy.#next = this.#next;
    copy.#count = this.#count;
    return copy;
  }

  /**
   * Times and one row per key, oldest first, as plots want them: [time, row, row, ...]. Writes into `out` and gives
   * views of it; a key that was never seen is a row of NaN.
   * @param nowS times come out relative to it: -30..0
   */
  read(keys: readonly string[], nowS: number, out: Float64Array[]): Float64Array[] {
    while (out.length < keys.length + 1) out.push(new Float64Array(HISTORY_SAMPLES));
    const first = (this.#next - this.#count + HISTORY_SAMPLES) % HISTORY_SAMPLES;
    let from = 0;
    while (from < this.#count && this.#timeS[(first + from) % HISTORY_SAMPLES]! < nowS - HISTORY_S) from++;
    const length = this.#count - from;
    for (let row = 0; row <= keys.length; row++) {
      const values = row === 0 ? this.#timeS : this.#series.get(keys[row - 1]!);
      const target = out[row]!;
      for (let index = 0; index < length; index++) {
        const at = (first + from + index) % HISTORY_SAMPLES;
        target[index] = values === undefined ? Number.NaN : values[at]! - (row === 0 ? nowS : 0);
      }
    }
    return out.slice(0, keys.length + 1).map((row) => row.subarray(0, length));
  }

  /** A new sample, of which nothing is known yet. */
  #step(atS: number): number {
    const at = this.#next;
    this.#timeS[at] = atS;
    for (const values of this.#series.values()) values[at] = Number.NaN;
    this.#next = (at + 1) % HISTORY_SAMPLES;
    this.#count = Math.min(HISTORY_SAMPLES, this.#count + 1);
    return at;
  }

  #put(key: string, at: number, value: number | null | undefined): void {
    let values = this.#series.get(key);
    if (values === undefined) {
      values = new Float64Array(HISTORY_SAMPLES).fill(Number.NaN);
      this.#series.set(key, values);
    }
    values[at] = value ?? Number.NaN;
  }
}
