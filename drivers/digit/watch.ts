/**
 * What each observation of a driven Digit is watched for, as one table: a measure, its limit, and for how long it must last.
 * The first row that holds ends in damping. Nothing here allocates until something is wrong.
 */
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import type { DigitConfig } from "./config.js";
import type { DigitFaultName } from "./faults.js";
import { tiltRad } from "./frames.js";
import { type DigitLimits, type DigitObservation, MOTORS, OBSERVATION_FIELDS } from "./protocol/index.js";
import { stretchInWords } from "./rods.js";
import { SPEED_SHARE_MAX } from "./slip.js";

/** Measured beyond the announced limit by so much is a trip; the drives cut commands at it themselves. */
const TORQUE_SHARE_MAX = 1.25;
/** Beyond the mechanical range, for encoders and stops that give a little [rad]. */
const RANGE_SLACK_RAD = 0.1;
/** A position that has gone so much farther than its speed says has slipped; the fastest motor's may lag by 17 ms [rad]. */
export const SLIP_RAD_MAX = 0.15;
/** Rods that seem longer or shorter by more: 0.06 rad of a knee, 0.1 rad of a toe [m]. In the lab a fall shows 0.1 mm. */
export const ROD_STRETCH_M_MAX = 0.006;
const QUATERNION_SLACK = 0.01;
const BATTERY_LOW_PERCENT = 20;
const BATTERY_EMPTY_PERCENT = 5;

export interface Watched {
  readonly observation: DigitObservation;
  /** As converted: unit or not. */
  readonly quatWorldBaseXyzw: ArrayLike<number>;
  readonly limits: DigitLimits;
  readonly config: DigitConfig;
  /** For how long `time` has stood still, on this computer's clock [ms]. */
  readonly standstillMs: number;
  /** Of the base over the feet [m]; NaN when unknown. */
  readonly heightM: number;
  /** Of each motor: how much farther its position has gone than its speed says [rad]. */
  readonly slipRad: Float64Array;
  /** How much too long each rod of the legs would have to be [m]; NaN when unknown. */
  readonly rodStretchM: Float64Array;
}

interface WatchRow {
  readonly fault: DigitFaultName;
  /** Consecutive milliseconds for which it must hold. */
  readonly forMs: number;
  /** False also for whatever is no number: those have their own row, the first. */
  readonly isBad: (watched: Watched) => boolean;
  readonly found: (watched: Watched) => string;
}

const firstBad = (watched: Watched, isBad: (watched: Watched, motor: number) => boolean): number => {
  for (let motor = 0; motor < MOTORS.length; motor++) if (isBad(watched, motor)) return motor;
  return -1;
};
const tooStrong = ({ observation, limits }: Watched, motor: number) =>
  Math.abs(observation.motorTorqueNm[motor]!) > TORQUE_SHARE_MAX * limits.torqueNm[motor]!;
const tooFast = ({ observation, limits }: Watched, motor: number) =>
  Math.abs(observation.motorVelocityRadPerS[motor]!) > SPEED_SHARE_MAX * limits.velocityRadPerS[motor]!;
const tooFar = ({ observation }: Watched, motor: number) => {
  const rad = observation.motorPositionRad[motor]!;
  const { positionMinRad, positionMaxRad } = DIGIT_MOTORS[motor]!;
  return rad < positionMinRad - RANGE_SLACK_RAD || rad > positionMaxRad + RANGE_SLACK_RAD;
};
const hasSlipped = ({ slipRad }: Watched, motor: number) => Math.abs(slipRad[motor]!) > SLIP_RAD_MAX;
const firstStretched = ({ rodStretchM }: Watched): number => {
  for (let rod = 0; rod < rodStretchM.length; rod++)
    if (Math.abs(rodStretchM[rod]!) > ROD_STRETCH_M_MAX) return rod;
  return -1;
};
const motorFound =
  (
    isBad: (watched: Watched, motor: number) => boolean,
    values: (o: DigitObservation) => Float64Array,
    unit: string,
  ) =>
  (watched: Watched) => {
    const motor = firstBad(watched, isBad);
    return `${MOTORS[motor]} is at ${values(watched.observation)[motor]!.toFixed(2)} ${unit}`;
  };

export const WATCH_ROWS: readonly WatchRow[] = [
  {
    fault: "NOT_FINITE",
    forMs: 0,
    isBad: ({ observation }) => {
      const { values } = observation;
      for (let place = 0; place < values.length; place++) if (!Number.isFinite(values[place]!)) return true;
      return false;
    },
    found: ({ observation }) => {
      const place = observation.values.findIndex((value) => !Number.isFinite(value));
      return [...OBSERVATION_FIELDS].reverse().find(({ at }) => at <= place)?.name ?? "";
    },
  },
  {
    fault: "QUATERNION",
    forMs: 0,
    isBad: ({ quatWorldBaseXyzw }) => Math.abs(normOf(quatWorldBaseXyzw) - 1) > QUATERNION_SLACK,
    found: ({ quatWorldBaseXyzw }) => `its length is ${normOf(quatWorldBaseXyzw).toFixed(3)}`,
  },
  {
    fault: "OBSERVATION_FROZEN",
    forMs: 0,
    isBad: ({ standstillMs, config }) => standstillMs > config.observationAgeMsMax,
    found: ({ standstillMs }) => `${standstillMs.toFixed(0)} ms`,
  },
  {
    fault: "ERROR_FLAG",
    forMs: 0,
    isBad: ({ observation }) => observation.error,
    found: ({ limits }) =>
      limits.errorShutdownDelayS === undefined
        ? "it does not say how soon it acts"
        : `it acts by itself after ${limits.errorShutdownDelayS} s`,
  },
  {
    fault: "ENCODER",
    forMs: 0,
    isBad: (watched) => firstBad(watched, hasSlipped) >= 0,
    found: (watched) => {
      const motor = firstBad(watched, hasSlipped);
      const offRad = watched.slipRad[motor]!;
      return `${MOTORS[motor]} has gone ${offRad.toFixed(2)} rad farther than its speed says`;
    },
  },
  {
    fault: "ENCODER",
    forMs: 20,
    isBad: (watched) => firstStretched(watched) >= 0,
    found: (watched) => {
      const rod = firstStretched(watched);
      return stretchInWords(rod, watched.rodStretchM[rod]!);
    },
  },
  {
    fault: "FALLEN",
    forMs: 10,
    isBad: ({ quatWorldBaseXyzw, config }) => tiltRad(quatWorldBaseXyzw) > config.tiltRadMax,
    found: ({ quatWorldBaseXyzw, config }) =>
      `leans by ${tiltRad(quatWorldBaseXyzw).toFixed(2)} rad (limit ${config.tiltRadMax} rad)`,
  },
  {
    fault: "FALLEN",
    forMs: 20,
    isBad: ({ heightM, config }) => heightM < config.heightMMin,
    found: ({ heightM, config }) =>
      `is ${heightM.toFixed(2)} m over the lower foot (limit ${config.heightMMin} m)`,
  },
  {
    fault: "TORQUE",
    forMs: 20,
    isBad: (watched) => firstBad(watched, tooStrong) >= 0,
    found: motorFound(tooStrong, ({ motorTorqueNm }) => motorTorqueNm, "Nm"),
  },
  {
    fault: "SPEED",
    forMs: 10,
    isBad: (watched) => firstBad(watched, tooFast) >= 0,
    found: motorFound(tooFast, ({ motorVelocityRadPerS }) => motorVelocityRadPerS, "rad/s"),
  },
  {
    fault: "POSITION",
    forMs: 10,
    isBad: (watched) => firstBad(watched, tooFar) >= 0,
    found: motorFound(tooFar, ({ motorPositionRad }) => motorPositionRad, "rad"),
  },
  {
    fault: "BATTERY_EMPTY",
    forMs: 200,
    isBad: ({ observation }) => observation.batteryPercent <= BATTERY_EMPTY_PERCENT,
    found: ({ observation }) => `${observation.batteryPercent} %`,
  },
  {
    fault: "BATTERY_LOW",
    forMs: 200,
    isBad: ({ observation }) => observation.batteryPercent <= BATTERY_LOW_PERCENT,
    found: ({ observation }) => `${observation.batteryPercent} %`,
  },
];

const normOf = (quat: ArrayLike<number>): number => Math.hypot(quat[0]!, quat[1]!, quat[2]!, quat[3]!);

export class DigitWatch {
  /** Since when each row holds without a break; NaN when it does not. */
  readonly #sinceMs = new Float64Array(WATCH_ROWS.length).fill(Number.NaN);
  readonly #told = new Uint8Array(WATCH_ROWS.length);

  reset(): void {
    this.#sinceMs.fill(Number.NaN);
    this.#told.fill(0);
  }

  /** @param tell called once for each row that has come to hold for long enough */
  look(watched: Watched, nowMs: number, tell: (fault: DigitFaultName, found: string) => void): void {
    for (let place = 0; place < WATCH_ROWS.length; place++) {
      const row = WATCH_ROWS[place]!;
      if (!row.isBad(watched)) {
        this.#sinceMs[place] = Number.NaN;
        continue;
      }
      if (Number.isNaN(this.#sinceMs[place]!)) this.#sinceMs[place] = nowMs;
      if (this.#told[place] === 1 || nowMs - this.#sinceMs[place]! < row.forMs) continue;
      this.#told[place] = 1;
      tell(row.fault, row.found(watched));
    }
  }
}
