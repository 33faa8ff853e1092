/**
 * What became of one trial of a Digit in the lab: watched a step at a time, told as one row. A row is a line of JSON or of
 * CSV, with the same names; whoever runs trials writes them to a file.
 */
import { z } from "zod";
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import { type DigitTruth, tiltRad } from "./body.js";

/** A robot that leans farther or whose base is nearer to its feet has fallen. */
export const FALLEN = { tiltRad: 0.8, heightM: 0.6 } as const;

export const DigitResult = z.strictObject({
  scene: z.string().describe("Name of ground and load"),
  controller: z.string().describe("Who moved the motors: a stand, a bundle"),
  seed: z.int(),
  durationS: z.number().positive().describe("Simulated time that was asked for"),
  pushForceN: z.number().nonnegative().describe("Size of the push on the torso; 0 = none"),
  pushDurationS: z.number().nonnegative(),
  pushTowardsDeg: z.number().describe("0 = forward, 90 = to the left, in the world as it was at the start"),
  cableForceMaxN: z.number().nonnegative().describe("Of the cable that pulled; 0 = none"),
  kneeStrength: z.number().min(0).max(1).describe("Share of their torque that both knees gave at the end"),
  outcome: z.enum(["stood", "fell"]),
  fellAtS: z.number().nullable().describe("From the start; null = it stood"),
  heightMinM: z.number().describe("Of the base over the lower sole"),
  tiltMaxRad: z.number().nonnegative(),
  driftM: z.number().nonnegative().describe("Of the base from where it began, along the ground, at the end"),
  torqueShareMax: z
    .number()
    .nonnegative()
    .describe("Largest torque of any motor by what that motor can give"),
});
export type DigitResult = z.infer<typeof DigitResult>;
/** What is known before a trial. */
export type DigitTrial = Pick<
  DigitResult,
  | "scene"
  | "controller"
  | "seed"
  | "durationS"
  | "pushForceN"
  | "pushDurationS"
  | "pushTowardsDeg"
  | "cableForceMaxN"
>;

export const CALM_TRIAL = { seed: 0, pushForceN: 0, pushDurationS: 0, pushTowardsDeg: 0, cableForceMaxN: 0 };

/** The part of a body that a trial is judged by. */
export interface Watched {
  readonly truth: DigitTruth;
  /** Middles of the soles in the world, left then right [m]. */
  readonly solesM: ArrayLike<number>;
  readonly motorStrength: ArrayLike<number>;
}

const KNEES = DIGIT_MOTORS.flatMap(({ name }, motor) => (name.endsWith("knee") ? [motor] : []));

export class TrialWatch {
  readonly #body: Watched;
  readonly #startM: readonly [number, number];
  #timeS = 0;
  #fellAtS: number | null = null;
  #heightMinM = Number.POSITIVE_INFINITY;
  #tiltMaxRad = 0;
  #torqueShareMax = 0;

  constructor(body: Watched) {
    this.#body = body;
    this.#startM = [body.truth.positionWorldM[0]!, body.truth.positionWorldM[1]!];
  }

  get hasFallen(): boolean {
    return this.#fellAtS !== null;
  }

  /** After each step of the body. */
  observe(dtS: number): void {
    const { truth, solesM } = this.#body;
    this.#timeS += dtS;
    const tilt = tiltRad(truth);
    const heightM = truth.positionWorldM[2]! - Math.min(solesM[2]!, solesM[5]!);
    this.#tiltMaxRad = Math.max(this.#tiltMaxRad, tilt);
    this.#heightMinM = Math.min(this.#heightMinM, heightM);
    for (let motor = 0; motor < DIGIT_MOTORS.length; motor++) {
      const share = Math.abs(truth.torqueNm[motor]!) / DIGIT_MOTORS[motor]!.torqueMaxNm;
      if (share > this.#torqueShareMax) this.#torqueShareMax = share;
    }
    if (this.#fellAtS === null && (tilt > FALLEN.tiltRad || heightM < FALLEN.heightM)) {
      this.#fellAtS = this.#timeS;
    }
  }

  result(trial: DigitTrial): DigitResult {
    const { truth, motorStrength } = this.#body;
    const [x, y] = this.#startM;
    return {
      ...trial,
      kneeStrength: Math.min(...KNEES.map((knee) => motorStrength[knee]!)),
      outcome: this.#fellAtS === null ? "stood" : "fell",
      fellAtS: this.#fellAtS,
      heightMinM: this.#heightMinM,
      tiltMaxRad: this.#tiltMaxRad,
      driftM: Math.hypot(truth.positionWorldM[0]! - x, truth.positionWorldM[1]! - y),
      torqueShareMax: this.#torqueShareMax,
    };
  }
}

const COLUMNS = Object.keys(DigitResult.shape) as (keyof DigitResult)[];
/** First line of a CSV file. */
export const RESULT_CSV_HEADER = COLUMNS.join(",");

/** Numbers to six digits; what stands in quotes may hold a comma. */
export const resultCsvRow = (result: DigitResult): string =>
  COLUMNS.map((column) => {
    const value = result[column];
    if (value === null) return "";
    if (typeof value === "number") return String(Number(value.toPrecision(6)));
    return /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  }).join(",");

export const resultJsonRow = (result: DigitResult): string => JSON.stringify(result);
