/** Robots in memory that are at once where a setpoint puts them: for measuring the servo without any device or socket. */
import type { ArmLimits, DeviceIdentity } from "../../core/arm.js";
import type { Clock } from "../../core/clock.js";
import { createFloatingBase } from "../../core/floatingBase.js";
import type { ArmDriver, ArmDriverCounters, ArmState, LeggedDriver } from "../../drivers/contract.js";
import { limitsOfGeneration } from "../../drivers/xarm7/limits.js";
import { DIGIT_MOTORS, DIGIT_PASSIVE_JOINTS } from "../../kinematics/digit/motors.js";

/** An xArm7. */
export class MemoryArm implements ArmDriver {
  readonly stopMeanings = { 0: "stands", 1: "stands", 2: "stands" } as const;
  readonly limits: ArmLimits;
  readonly #clock: Clock;
  readonly #state: ArmState;
  readonly #counters = { sent: 0, replied: 0, unanswered: 0, reports: 0, corrupt: 0, reconnects: 0 };

  constructor(clock: Clock, positionRad: readonly number[], limits = limitsOfGeneration(0)) {
    this.#clock = clock;
    this.limits = limits;
    this.#state = {
      sequence: 0,
      receivedMs: 0,
      deviceTimeUs: 0,
      positionRad: Float64Array.from(positionRad),
      velocityRadPerS: new Float64Array(positionRad.length),
      effortNm: new Float64Array(positionRad.length),
      toolPoseBase: new Float64Array(6),
      ready: false,
      errorCode: 0,
      warningCode: 0,
      deviceMode: 0,
      deviceState: 0,
      gripper: undefined,
    };
  }

  async configure(): Promise<DeviceIdentity> {
    return { model: "memory", serial: "none", firmware: "none" };
  }

  async activate(): Promise<void> {
    this.#report();
    this.#state.ready = true;
  }

  async deactivate(): Promise<void> {
    this.#state.ready = false;
  }

  state(): ArmState {
    return this.#state;
  }

  command(positionRad: ArrayLike<number>): "sent" | "notReady" {
    if (!this.#state.ready) return "notReady";
    this.#state.positionRad.set(positionRad);
    this.#counters.sent++;
    this.#report();
    return "sent";
  }

  stopNow(): boolean {
    this.#state.ready = false;
    return true;
  }

  setGripper(): void {}

  async setTeachMode(): Promise<void> {}

  counters(): ArmDriverCounters {
    return this.#counters;
  }

  /** It has no faults to tell. */
  onFault(): () => void {
    return () => {};
  }

  async close(): Promise<void> {}

  #report(): void {
    this.#state.sequence++;
    this.#state.receivedMs = this.#clock.nowMs();
    this.#counters.reports++;
  }
}

/** A Digit; what its motors are told of gains makes no difference. */
export class MemoryLegs extends MemoryArm implements LeggedDriver {
  constructor(clock: Clock, positionRad: readonly number[]) {
    super(clock, positionRad, {
      jointNames: DIGIT_MOTORS.map(({ name }) => name),
      positionMinRad: DIGIT_MOTORS.map(({ positionMinRad }) => positionMinRad),
      positionMaxRad: DIGIT_MOTORS.map(({ positionMaxRad }) => positionMaxRad),
      velocityMaxRadPerS: DIGIT_MOTORS.map((motor) => motor.announcedVelocityMaxRadPerS),
      accelerationMaxRadPerS2: DIGIT_MOTORS.map(() => Number.MAX_VALUE),
      jerkMaxRadPerS3: DIGIT_MOTORS.map(() => Number.MAX_VALUE),
      toolSpeedMaxMPerS: Number.MAX_VALUE,
    });
    Object.assign(this.state(), { base: createFloatingBase(DIGIT_PASSIVE_JOINTS.length) });
  }

  commandImpedance(positionRad: ArrayLike<number>): "sent" | "notReady" {
    return this.command(positionRad);
  }
}
