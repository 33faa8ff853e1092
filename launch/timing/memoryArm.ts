/** An xArm7 in memory that is at once where a setpoint puts it: for measuring the servo without any device or socket. */
import type { ArmLimits, DeviceIdentity } from "../../core/arm.js";
import type { Clock } from "../../core/clock.js";
import type { ArmDriver, ArmDriverCounters, ArmState } from "../../drivers/contract.js";
import { limitsOfGeneration } from "../../drivers/xarm7/limits.js";

const JOINTS = 7;

export class MemoryArm implements ArmDriver {
  readonly stopMeanings = { 0: "stands", 1: "stands", 2: "stands" } as const;
  readonly limits: ArmLimits = limitsOfGeneration(0);
  readonly #clock: Clock;
  readonly #state: ArmState;
  readonly #counters = { sent: 0, replied: 0, unanswered: 0, reports: 0, corrupt: 0, reconnects: 0 };

  constructor(clock: Clock, positionRad: readonly number[]) {
    this.#clock = clock;
    this.#state = {
      sequence: 0,
      receivedMs: 0,
      deviceTimeUs: 0,
      positionRad: Float64Array.from(positionRad),
      velocityRadPerS: new Float64Array(JOINTS),
      effortNm: new Float64Array(JOINTS),
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

  command(positionRad: Float64Array): "sent" | "notReady" {
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
