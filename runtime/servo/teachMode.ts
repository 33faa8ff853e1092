/**
 * The way into teach mode and out of it. In: nobody commands, the arm stands, somebody could stop it, the device is asked
 * to set it free. Out: the arm stands still, the device is asked to hold it; enabling it is a separate act.
 */
import type { Clock } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { ArmDriver } from "../../drivers/contract.js";
import type { ServoStateName } from "./api.js";
import type { ServoConfig } from "./config.js";
import type { DeviceSession } from "./device.js";
import { canAdvance, type ServoEventName, streams } from "./states.js";
import { Teaching } from "./teaching.js";
import type { TriggerName } from "./triggers.js";

export interface TeachModeParts {
  readonly config: ServoConfig;
  readonly driver: ArmDriver;
  readonly device: DeviceSession;
  readonly clock: Clock;
  readonly state: () => ServoStateName;
  readonly advance: (event: ServoEventName, why: string) => void;
  readonly atRest: () => boolean;
  readonly supervisorSilentMs: () => number;
  /** Nothing that was given before may run after. */
  readonly raiseEpoch: () => void;
  readonly stop: (trigger: TriggerName, reason: string) => void;
}

export class TeachMode {
  readonly #parts: TeachModeParts;
  readonly #teaching: Teaching;

  constructor(parts: TeachModeParts) {
    this.#parts = parts;
    this.#teaching = new Teaching(parts.config, parts.driver.limits.jointNames.length);
  }

  /** @throws CerebellumError COMMAND_REFUSED with what is against it, or the driver's reason: the arm is held then */
  async start(): Promise<void> {
    const { device, driver, clock, state, advance } = this.#parts;
    if (state() === "teaching") return;
    const standRad = new Float64Array(driver.limits.jointNames.length);
    this.#refuseStart();
    const streamed = streams(state());
    this.#parts.raiseEpoch();
    advance("teachRequested", "teach mode was asked for");
    try {
      if (streamed) await device.leave(2);
      this.#refuseWhenLost();
      // An arm with a wrong load sinks before the device says that it is free.
      standRad.set(driver.state().positionRad);
      await device.setTeachMode(true);
      this.#refuseWhenLost();
    } catch (error) {
      await device.leave(2);
      throw error;
    }
    this.#teaching.begin(standRad, clock.nowMs());
    advance("teachStarted", "the arm is free");
  }

  /** @throws CerebellumError COMMAND_REFUSED while the arm is moved, or the driver's reason */
  async end(): Promise<void> {
    const { device, clock, state, advance } = this.#parts;
    if (!canAdvance(state(), "teachEnded")) throw refused(`The servo is ${state()}`, "The arm is not free");
    // The tick may have been late: what it has seen does not say how the arm is now.
    if (this.#moves() || !this.#teaching.isStill(clock.nowMs()))
      throw refused("The arm is being moved", "Let it stand, keep a hand on it, and end teach mode again");
    await device.setTeachMode(false);
    if (canAdvance(state(), "teachEnded")) advance("teachEnded", "the device holds the arm");
  }

  /** Every tick of an arm that is free. */
  tick(nowMs: number): void {
    const { driver, supervisorSilentMs, stop } = this.#parts;
    const verdict = this.#teaching.watch(driver.state(), supervisorSilentMs(), nowMs);
    if (verdict !== undefined) stop(verdict.trigger, verdict.reason);
  }

  /** A stop or a lost link meanwhile. */
  #refuseWhenLost(): void {
    const { state } = this.#parts;
    if (!canAdvance(state(), "teachStarted")) throw refused(`The servo is ${state()} by now`, "Try again");
  }

  /** By the newest report. @throws CerebellumError COMMAND_REFUSED when that is old */
  #moves(): boolean {
    const { config, driver, clock } = this.#parts;
    const { receivedMs, velocityRadPerS } = driver.state();
    const ageMs = clock.nowMs() - receivedMs;
    if (!(ageMs <= config.stateAgeMsMax))
      throw refused(
        `The state of the arm is ${ageMs.toFixed(0)} ms old (limit ${config.stateAgeMsMax} ms)`,
        "Check the report ports of the device",
      );
    return !velocityRadPerS.every((speed) => Math.abs(speed) <= config.teach.stillRadPerS);
  }

  #refuseStart(): void {
    const { config, state, atRest, supervisorSilentMs } = this.#parts;
    if (!canAdvance(state(), "teachRequested"))
      throw refused(
        `The servo is ${state()}; the arm is set free only while nobody commands it`,
        state() === "following" ? "End the policy or teleoperation first" : "Reset the robot first",
      );
    if (this.#moves() || (streams(state()) && !atRest()))
      throw refused("The arm still moves", "Wait until it stands");
    if (supervisorSilentMs() > config.supervisorSilenceMsMax)
      throw refused("No supervisor is connected, so nobody could stop the arm", "Start the daemon");
  }
}

const refused = (happened: string, remedy: string) =>
  new CerebellumError("COMMAND_REFUSED", happened, remedy);
