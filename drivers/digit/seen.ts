/** What Digit's observations say, in our frames: the driver's state, and what its watch looks at. Updated in place. */
import { createFloatingBase, type FloatingBase } from "../../core/floatingBase.js";
import type { ArmState } from "../contract.js";
import type { DigitConfig } from "./config.js";
import { readBase } from "./frames.js";
import { heightOverFeetM } from "./height.js";
import {
  type DigitLimits,
  type DigitObservation,
  MOTOR_COUNT,
  PASSIVE_JOINT_COUNT,
} from "./protocol/index.js";
import { RODS, readStretches } from "./rods.js";
import { MotorSlip } from "./slip.js";
import type { Watched } from "./watch.js";

/** Height and rods need both legs' kinematics, and nobody falls far within this time [ms]. */
const LEGS_EVERY_MS = 4;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

export class DigitSeen {
  readonly base: FloatingBase = createFloatingBase(PASSIVE_JOINT_COUNT);
  readonly state: ArmState = createState(this.base);
  readonly watched: Watched;
  readonly #watched: Mutable<Watched>;
  readonly #config: DigitConfig;
  #newestS = Number.NEGATIVE_INFINITY;
  #advancedMs = 0;
  readonly #slip = new MotorSlip();
  readonly #stretchM = new Float64Array(RODS.length);
  #legsMs = Number.NEGATIVE_INFINITY;

  constructor(config: DigitConfig, observation: DigitObservation) {
    this.#config = config;
    this.#watched = {
      observation,
      quatWorldBaseXyzw: this.base.quatWorldBaseXyzw,
      limits: NO_LIMITS,
      config,
      standstillMs: 0,
      heightM: Number.NaN,
      slipRad: this.#slip.slipRad,
      rodStretchM: this.#stretchM,
    };
    this.watched = this.#watched;
  }

  /** A robot that was started anew counts its time from zero. */
  startAnew(limits: DigitLimits): void {
    this.#watched.limits = limits;
    this.#newestS = Number.NEGATIVE_INFINITY;
    this.#slip.reset();
  }

  /** What encoders did before it is driven is the self-check's. */
  forgetSlip(): void {
    this.#slip.reset();
  }

  take(observation: DigitObservation, receivedMs: number): void {
    const { state } = this;
    state.sequence++;
    state.receivedMs = receivedMs;
    state.deviceTimeUs = observation.timeS * 1e6;
    state.positionRad.set(observation.motorPositionRad);
    state.velocityRadPerS.set(observation.motorVelocityRadPerS);
    state.effortNm.set(observation.motorTorqueNm);
    state.errorCode = observation.error ? 1 : 0;
    readBase(observation, this.#config.frames, this.base);
    // A time that goes back stands still until it has come beyond where it was: the robot's program was started anew.
    if (observation.timeS > this.#newestS) {
      this.#newestS = observation.timeS;
      this.#advancedMs = receivedMs;
    }
    this.#watched.standstillMs = receivedMs - this.#advancedMs;
    this.#slip.take(observation, this.#watched.limits);
    if (receivedMs - this.#legsMs < LEGS_EVERY_MS) return;
    this.#legsMs = receivedMs;
    this.#watched.heightM = heightOverFeetM(observation, this.base.quatWorldBaseXyzw);
    readStretches(observation, this.#stretchM);
  }
}

const NO_LIMITS: DigitLimits = {
  torqueNm: new Float64Array(MOTOR_COUNT),
  dampingNmSPerRad: new Float64Array(MOTOR_COUNT),
  velocityRadPerS: new Float64Array(MOTOR_COUNT),
  errorShutdownDelayS: undefined,
  missing: [],
};

const createState = (base: FloatingBase): ArmState => ({
  sequence: 0,
  receivedMs: Number.NEGATIVE_INFINITY,
  deviceTimeUs: 0,
  positionRad: new Float64Array(MOTOR_COUNT),
  velocityRadPerS: new Float64Array(MOTOR_COUNT),
  effortNm: new Float64Array(MOTOR_COUNT),
  toolPoseBase: new Float64Array(6),
  ready: false,
  errorCode: 0,
  warningCode: 0,
  deviceMode: 0,
  deviceState: 0,
  gripper: undefined,
  base,
});
