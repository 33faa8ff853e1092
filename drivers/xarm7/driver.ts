/**
 * The xArm7 as an ArmDriver. One command connection, one fast and one normal report connection; no loop but a slow
 * housekeeper (report age, gripper). A fault, a stop or a lost connection ends readiness at once, and only an explicit
 * `activate` brings it back: the connection is restored in the background, motion never.
 */
import type { ArmLimits, DeviceIdentity } from "../../core/arm.js";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { ArmDriver, ArmDriverCounters, ArmState, Fault, StopCategory } from "../contract.js";
import { ask, assertSettings, clearErrors, enterMode, executes, throwIfAborted } from "./bringUp.js";
import type { XArm7Config } from "./config.js";
import { ArmConnection } from "./connection.js";
import {
  errorFault,
  gripperFault,
  gripperSilentFault,
  jointFault,
  linkClosedFault,
  modeChangedFault,
  reportSilentFault,
  statusSilentFault,
  warningFault,
} from "./faults.js";
import { GRIPPER_FAILURES_MAX, GripperClient } from "./gripperClient.js";
import { COMMAND_SILENCE_MS, pollUntil } from "./link.js";
import {
  ALL_AXES,
  createReport,
  JOINT_COUNT,
  MODE,
  readReport,
  SET_STATE,
  STATE,
  STATE_BYTE,
} from "./protocol/index.js";

/** While active, an older report is a fault of its own. The servo holds much earlier. */
const REPORT_SILENCE_MS_MAX = 250;
/** The same for the 5 Hz report, which alone tells warnings and motor bits; longer than the renewal of its connection. */
const STATUS_SILENCE_MS_MAX = 1500;
const HOUSEKEEPING_MS = 100;
/** The first setpoint after activation must lie this near to the measured position [rad]. */
const FIRST_STEP_RAD_MAX = 0.05;
/** A later setpoint may differ from the one before by the joint speed times the time between, with this much jitter. */
const STEP_JITTER_S = 0.01;
const STEP_GAP_S_MAX = 0.1;
const STATUS_MS_MAX = 300;
const STOP_MS_MAX = COMMAND_SILENCE_MS + 50;
const DETAIL_MS_MAX = 1000;

/** The controller closes the brakes when the motors lose their power; none of these replaces its emergency stop. */
const STOP_MEANINGS: Readonly<Record<StopCategory, string>> = {
  0: "the controller's stop (state 4), and motors off at once: the brakes close in motion",
  1: "setpoints decelerate to rest, the controller's stop (state 4), then motors off: the brakes close",
  2: "setpoints decelerate to rest, then the controller's stop (state 4): the motors hold",
};

type Phase = "closed" | "configured" | "activating" | "active" | "teach" | "faulted";

export class XArm7Driver implements ArmDriver {
  readonly stopMeanings = STOP_MEANINGS;
  readonly #clock: Clock;
  readonly #arm: ArmConnection;
  readonly #gripper: GripperClient | undefined;
  readonly #listeners = new Set<(fault: Fault) => void>();
  /** Codes of faults told since the last activation or recovery. */
  readonly #told = new Set<string>();
  readonly #lastSentRad = new Float64Array(JOINT_COUNT);
  #lastSentMs = 0;
  #sentSinceActivation = false;
  #phase: Phase = "closed";
  #end: AbortController | undefined;
  /** Ends the activation under way when a stop comes. */
  #changing: AbortController | undefined;

  constructor(config: XArm7Config, clock: Clock) {
    this.#clock = clock;
    this.#arm = new ArmConnection(config, clock, {
      onServoReply: (stateByte) => this.#onServoReply(stateByte),
      onLost: (reason) => this.#onLost(reason),
      onRestored: () => this.#told.delete("XARM_LINK_CLOSED"),
      onFast: () => this.#onFast(),
      onNormal: () => this.#onNormal(),
    });
    if (config.gripper === "xarm")
      this.#gripper = new GripperClient(
        (name, values, timeoutMs) => ask(this.#arm.bench, name, values, timeoutMs),
        clock,
        config.gripperSpeedRPerMin,
      );
  }

  get limits(): ArmLimits {
    return this.#arm.limits;
  }

  state(): ArmState {
    return this.#arm.reports.state;
  }

  /** May be called again after a fault or a lost connection: it then reads the device anew. */
  async configure(signal: AbortSignal): Promise<DeviceIdentity> {
    if (this.#phase === "activating" || this.#phase === "active" || this.#phase === "teach")
      throw illegal("configure", this.#phase);
    try {
      await this.#arm.connect(signal);
      await this.#arm.openReports(signal);
      await assertSettings(this.#arm.bench, signal);
      await this.#gripper?.check(signal);
      this.#arm.reports.state.gripper = this.#gripper?.state;
    } catch (thrown) {
      if (this.#phase === "closed") this.#arm.close();
      throw thrown;
    }
    this.#phase = "configured";
    this.#told.clear();
    if (this.#end === undefined) {
      this.#end = new AbortController();
      void this.#housekeep(this.#end.signal);
    }
    return this.#arm.identity as DeviceIdentity;
  }

  async activate(signal: AbortSignal): Promise<void> {
    if (this.#phase !== "configured" && this.#phase !== "faulted") throw illegal("activate", this.#phase);
    const { bench, firmware } = this.#arm;
    await this.#change("active", signal, [
      (wanted) => clearErrors(bench, wanted),
      (wanted) => assertSettings(bench, wanted),
      async () => this.#gripper?.enable(),
      (wanted) => enterMode(bench, MODE.servo, firmware, wanted),
      () => this.#latchPosition(),
    ]);
  }

  async deactivate(category: StopCategory): Promise<void> {
    this.#endMotion();
    if (this.#phase !== "closed" && this.#phase !== "faulted") this.#phase = "configured";
    if (!this.#arm.link.isOpen) return;
    try {
      if (category !== 0) {
        // Without an answer the connection ends, and with it what waits in it: nothing of it may arrive later.
        await ask(this.#arm.bench, "setState", [SET_STATE.stop], STOP_MS_MAX);
        const isStopped = async () =>
          (await ask(this.#arm.bench, "getState", [], STATUS_MS_MAX)).values[0] === STATE.stopped
            ? true
            : undefined;
        await pollUntil(this.#clock, isStopped, 20, 500, new AbortController().signal);
      }
      if (category !== 2) await ask(this.#arm.bench, "motionEnable", [ALL_AXES, 0]);
    } catch {
      // Best effort: the connection's own loss is told as a fault.
    }
  }

  command(positionRad: Float64Array): "sent" | "notReady" | "busy" | "refused" {
    if (!this.#arm.reports.state.ready) return "notReady";
    const nowMs = this.#clock.nowMs();
    if (!this.#isAllowed(positionRad, nowMs)) return "refused";
    const written = this.#arm.link.sendServo(positionRad);
    if (written === "closed") return "notReady";
    if (written === "busy") return "busy";
    this.#lastSentRad.set(positionRad);
    this.#lastSentMs = nowMs;
    this.#sentSinceActivation = true;
    return "sent";
  }

  /**
   * The vendor's stop (state 4) goes out at once for every category: it is the fastest that the wire offers and keeps
   * the motors holding. Category 0 takes the power away as well; `deactivate(1)` does so after standstill.
   */
  stopNow(category: StopCategory): boolean {
    this.#endMotion();
    const written = this.#arm.link.sendNow("setState", [SET_STATE.stop]);
    if (category === 0) this.#arm.link.sendNow("motionEnable", [ALL_AXES, 0]);
    return written;
  }

  /** Ignored unless active: a target from before must not move the fingers when the arm is enabled. */
  setGripper(openingM: number): void {
    if (this.#phase === "active") this.#gripper?.setTarget(openingM);
  }

  async setTeachMode(on: boolean, signal: AbortSignal): Promise<void> {
    if (this.#phase !== "configured" && this.#phase !== "teach" && this.#phase !== "faulted")
      throw illegal("change teach mode", this.#phase);
    if (on === (this.#phase === "teach")) return;
    const { bench, firmware } = this.#arm;
    // With a wrong load the free arm would sink or rise: errors and settings come first here, too.
    await this.#change(on ? "teach" : "configured", signal, [
      async (wanted) => (on ? clearErrors(bench, wanted) : undefined),
      async (wanted) => (on ? assertSettings(bench, wanted) : undefined),
      (wanted) => enterMode(bench, on ? MODE.teach : MODE.position, firmware, wanted),
    ]);
  }

  counters(): ArmDriverCounters {
    return this.#arm.counters();
  }

  onFault(listener: (fault: Fault) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#phase === "active" || this.#phase === "teach") await this.deactivate(2);
    this.#phase = "closed";
    this.#arm.reports.state.ready = false;
    this.#end?.abort();
    this.#end = undefined;
    this.#arm.close();
  }

  /** Runs the steps to another phase. A stop or an abort ends them before the next request, and the arm is stopped. */
  async #change(
    next: Phase,
    signal: AbortSignal,
    steps: readonly ((wanted: AbortSignal) => Promise<void>)[],
  ): Promise<void> {
    const stopped = new AbortController();
    const wanted = AbortSignal.any([signal, stopped.signal]);
    this.#changing = stopped;
    this.#phase = "activating";
    try {
      for (const step of steps) {
        await step(wanted);
        throwIfAborted(wanted);
      }
    } catch (thrown) {
      // A change that failed half way never leaves an arm that would follow.
      this.#arm.link.sendNow("setState", [SET_STATE.stop]);
      if (this.#phase === "activating") this.#phase = "faulted";
      if (!stopped.signal.aborted || !this.#arm.link.isOpen) throw thrown;
      throw new CerebellumError(
        "COMMAND_REFUSED",
        "a stop came while the arm was enabled",
        "Enable again",
        thrown,
      );
    } finally {
      this.#changing = undefined;
    }
    this.#told.clear();
    this.#phase = next;
    this.#refreshReady();
  }

  /** The first setpoint will be compared with what the arm itself says on the command port and in its report. */
  async #latchPosition(): Promise<void> {
    const { values } = await ask(this.#arm.bench, "getJointStates");
    const { positionRad } = this.#arm.reports.state;
    const { positionMinRad, positionMaxRad } = this.#arm.limits;
    for (let joint = 0; joint < JOINT_COUNT; joint++) {
      const standsRad = positionRad[joint] ?? Number.NaN;
      const [minRad = 0, maxRad = 0] = [positionMinRad[joint], positionMaxRad[joint]];
      if (!(standsRad >= minRad && standsRad <= maxRad))
        throw new CerebellumError(
          "DEVICE_REFUSED",
          `joint ${joint + 1} stands at ${standsRad.toFixed(3)} rad, outside of its limits ${minRad} to ${maxRad} rad`,
          "Guide it back in teach mode, then enable again",
        );
      const differenceRad = Math.abs((values[joint] ?? Number.NaN) - (positionRad[joint] ?? 0));
      if (!(differenceRad <= FIRST_STEP_RAD_MAX))
        throw new CerebellumError(
          "DEVICE_REFUSED",
          `joint ${joint + 1}: the controller plans from ${values[joint]} rad, but its report says ${positionRad[joint]} rad`,
          "Wait until the arm stands still, then enable again",
        );
    }
    this.#lastSentRad.set(positionRad);
    this.#lastSentMs = this.#clock.nowMs();
    this.#sentSinceActivation = false;
  }

  /** Finite, within limits, and no step that no joint could make; NaN fails every comparison. */
  #isAllowed(positionRad: Float64Array, nowMs: number): boolean {
    if (positionRad.length !== JOINT_COUNT) return false;
    const { positionMinRad, positionMaxRad, velocityMaxRadPerS } = this.#arm.limits;
    const gapS = Math.min((nowMs - this.#lastSentMs) / 1e3, STEP_GAP_S_MAX) + STEP_JITTER_S;
    for (let joint = 0; joint < JOINT_COUNT; joint++) {
      const target = positionRad[joint] ?? Number.NaN;
      const inside = target >= (positionMinRad[joint] ?? 0) && target <= (positionMaxRad[joint] ?? 0);
      const stepMax = this.#sentSinceActivation
        ? (velocityMaxRadPerS[joint] ?? 0) * gapS
        : FIRST_STEP_RAD_MAX;
      if (!inside || !(Math.abs(target - (this.#lastSentRad[joint] ?? 0)) <= stepMax)) return false;
    }
    return true;
  }

  #refreshReady(): void {
    const { state } = this.#arm.reports;
    state.ready =
      this.#phase === "active" &&
      state.deviceMode === MODE.servo &&
      executes(state.deviceState) &&
      state.errorCode === 0 &&
      this.#arm.link.isOpen;
  }

  #onFast(): void {
    this.#refreshReady();
    const { ready, deviceMode, deviceState } = this.#arm.reports.state;
    const leftTeach = this.#phase === "teach" && (deviceMode !== MODE.teach || !executes(deviceState));
    if ((this.#phase === "active" && !ready) || leftTeach) this.#lookForReason();
  }

  #onNormal(): void {
    const { errorCode, warningCode } = this.#arm.reports.state;
    if (warningCode !== 0) this.#tell(warningFault(warningCode));
    if (errorCode !== 0) this.#onError(errorCode);
    else this.#refreshReady();
  }

  /** The reply to a setpoint tells trouble earlier than any report. */
  #onServoReply(stateByte: number): void {
    if (this.#phase === "active" && stateByte & (STATE_BYTE.error | STATE_BYTE.notReady))
      this.#lookForReason();
  }

  /** The arm no longer follows: not ready from now on; the reason is asked for, then told. */
  #lookForReason(): void {
    this.#endMotion();
    this.#phase = "faulted";
    void ask(this.#arm.bench, "getErrorCodes", [], STATUS_MS_MAX)
      .then(({ values }) => values[0] ?? 0)
      .catch(() => this.#arm.reports.state.errorCode)
      .then((errorCode) => {
        if (this.#phase !== "faulted" || !this.#arm.link.isOpen) return;
        if (errorCode !== 0) this.#onError(errorCode);
        else
          this.#tell(
            modeChangedFault(this.#arm.reports.state.deviceMode, this.#arm.reports.state.deviceState),
          );
      });
  }

  /** Told only while the arm was in use: `activate` clears or refuses what it finds itself. */
  #onError(errorCode: number): void {
    if (this.#phase === "active" || this.#phase === "teach") {
      this.#endMotion();
      this.#phase = "faulted";
    }
    if (this.#phase !== "faulted") return;
    this.#arm.reports.state.errorCode = errorCode;
    if (this.#tell(errorFault(errorCode)) && errorCode >= 10 && errorCode <= 17) this.#tellJointDetail();
  }

  /** Which joint and why is only in the rich report: one frame of it is read, best effort. */
  #tellJointDetail(): void {
    this.#arm.readOnce("rich", DETAIL_MS_MAX, (view, offset, frameBytes) => {
      const report = createReport("rich");
      if (readReport("rich", view, offset, frameBytes, report) !== "") return;
      for (let joint = 0; joint < JOINT_COUNT; joint++) {
        const code = report.servoCodes[2 * joint + 1] ?? 0;
        if (code !== 0) this.#tell(jointFault(joint + 1, code));
      }
    });
  }

  #onLost(reason: string): void {
    if (this.#phase !== "closed") this.#fail(linkClosedFault(reason));
  }

  /** No setpoint leaves any more, whatever else happens. */
  #endMotion(): void {
    this.#changing?.abort();
    this.#arm.reports.state.ready = false;
    this.#arm.link.endStream();
    if (this.#phase === "active" || this.#phase === "teach") this.#phase = "configured";
  }

  async #housekeep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleepMs(this.#clock, HOUSEKEEPING_MS, signal);
      if (signal.aborted) return;
      const isUsed = this.#phase === "active" || this.#phase === "teach";
      if (isUsed) this.#watchReports();
      if (isUsed && this.#gripper !== undefined) await this.#tendGripper(this.#gripper);
    }
  }

  #watchReports(): void {
    const { state, normalReceivedMs } = this.#arm.reports;
    const nowMs = this.#clock.nowMs();
    const silentMs = nowMs - state.receivedMs;
    const statusSilentMs = nowMs - normalReceivedMs;
    if (silentMs > REPORT_SILENCE_MS_MAX) this.#fail(reportSilentFault(silentMs, REPORT_SILENCE_MS_MAX));
    else if (statusSilentMs > STATUS_SILENCE_MS_MAX)
      this.#fail(statusSilentFault(statusSilentMs, STATUS_SILENCE_MS_MAX));
  }

  #fail(fault: Fault): void {
    this.#endMotion();
    this.#phase = "faulted";
    this.#tell(fault);
  }

  async #tendGripper(gripper: GripperClient): Promise<void> {
    await gripper.tick();
    this.#arm.reports.state.gripper = gripper.state;
    const { errorCode } = gripper.state;
    if (errorCode !== 0) this.#tell(gripperFault(errorCode));
    if (gripper.failures >= GRIPPER_FAILURES_MAX) this.#tell(gripperSilentFault(gripper.failures));
  }

  /** Answers whether it was news. */
  #tell(fault: Fault): boolean {
    if (this.#told.has(fault.code)) return false;
    this.#told.add(fault.code);
    for (const listener of this.#listeners) listener(fault);
    return true;
  }
}

const illegal = (wish: string, phase: Phase): CerebellumError =>
  new CerebellumError(
    "ILLEGAL_TRANSITION",
    `the xArm7 driver cannot ${wish} while it is ${phase}`,
    phase === "closed" ? "Configure it first" : "Deactivate it first",
  );
