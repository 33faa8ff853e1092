/**
 * The controller's state machine as the vendor's documents describe it: mode, state, errors, warnings, motor bits.
 * It decides; what moves is told through `MotionControl`. Where the documents are silent the choice is marked.
 */

import {
  ALL_AXES,
  JOINT_COUNT,
  MODE,
  SET_STATE,
  STATE,
  STATE_BYTE,
} from "../../drivers/xarm7/protocol/index.js";

/** Playback is only ever reported. */
const SETTABLE_MODES: ReadonlySet<number> = new Set(
  Object.values(MODE).filter((mode) => mode !== MODE.playback),
);
const ALL_BITS = 0x7f;
const EMERGENCY_CODES: ReadonlySet<number> = new Set([1, 2, 3]);
const FIRST_JOINT_CODE = 11;
const LAST_JOINT_CODE = 17;

export interface MotionControl {
  /** True while the setpoint is under way. */
  moving(): boolean;
  /** Drops everything queued and brings the setpoint to rest. */
  abort(): void;
  pause(): void;
  resume(): void;
  /** Which mode's commands to follow from now on; anything under way was aborted before. */
  modeChanged(mode: number): void;
  /** All motors powered and all brakes released, or not. */
  motorsChanged(on: boolean): void;
}

type Base = "ready" | "paused" | "stopped" | "reset" | "decelerating";

export class ControllerState {
  #mode = 0;
  /** Power-on state is not documented; stopped and unpowered is the cautious reading. */
  #base: Base = "stopped";
  #errorCode = 0;
  #warningCode = 0;
  #enableBits = 0;
  #releasedBits = 0;
  #errorHeld = false;
  #readyCount = 0;
  readonly #motion: MotionControl;

  constructor(motion: MotionControl) {
    this.#motion = motion;
  }

  get mode(): number {
    return this.#mode;
  }

  get errorCode(): number {
    return this.#errorCode;
  }

  get warningCode(): number {
    return this.#warningCode;
  }

  /** One bit an axis, axis 1 lowest. */
  get enableBits(): number {
    return this.#enableBits;
  }

  /** One bit an axis, 1 where the brake is released. */
  get releasedBits(): number {
    return this.#releasedBits;
  }

  get motorsOn(): boolean {
    return this.#enableBits === ALL_BITS && this.#releasedBits === ALL_BITS;
  }

  /** How often it was made ready so far. */
  get readyCount(): number {
    return this.#readyCount;
  }

  get paused(): boolean {
    return this.#base === "paused";
  }

  /** Commands of the present mode are executed now. */
  get ready(): boolean {
    return this.#base === "ready" || this.#base === "paused";
  }

  get state(): number {
    if (this.#base === "ready") return this.#motion.moving() ? STATE.moving : STATE.ready;
    if (this.#base === "decelerating" && !this.#motion.moving()) this.#base = "stopped";
    return STATE[this.#base];
  }

  /** The state byte of a reply. */
  get replyBits(): number {
    return (
      (this.#errorCode > 0 ? STATE_BYTE.error : 0) |
      (this.#warningCode > 0 ? STATE_BYTE.warning : 0) |
      (this.ready ? 0 : STATE_BYTE.notReady)
    );
  }

  /** `axis` 1 to 7, or 8 for all. A system reset. */
  setEnabled(axis: number, on: boolean): boolean {
    const bits = axisBits(axis);
    if (bits === 0) return false;
    // While the emergency stop is pressed there is no power to enable.
    const refused = on && this.#errorHeld && EMERGENCY_CODES.has(this.#errorCode);
    if (!refused) {
      this.#enableBits = on ? this.#enableBits | bits : this.#enableBits & ~bits;
      this.#releasedBits = on ? this.#releasedBits | bits : this.#releasedBits & ~bits;
    }
    this.systemReset();
    this.#motion.motorsChanged(this.motorsOn);
    return true;
  }

  /** `on` closes the brake. A system reset. */
  setBrake(axis: number, on: boolean): boolean {
    const bits = axisBits(axis);
    if (bits === 0) return false;
    this.#releasedBits = on ? this.#releasedBits & ~bits : this.#releasedBits | bits;
    this.systemReset();
    this.#motion.motorsChanged(this.motorsOn);
    return true;
  }

  /** A system reset that ends in the mode asked for, unless an error holds mode 0. */
  setMode(mode: number): boolean {
    if (!SETTABLE_MODES.has(mode)) return false;
    this.systemReset();
    if (this.#errorCode === 0) this.#mode = mode;
    this.#motion.modeChanged(this.#mode);
    return true;
  }

  /**
   * 0 ready or resume, 3 pause, 4 stop, 6 decelerated stop. The vendor says that 0 also clears the error; client
   * software never relies on it, so here it does not: only the documented order of recovery works.
   */
  setState(wish: number): boolean {
    switch (wish) {
      case SET_STATE.ready:
        if (this.#errorCode !== 0 || !this.motorsOn) return true;
        if (this.#base !== "ready") {
          this.#readyCount++;
          this.#motion.resume();
        }
        this.#base = "ready";
        return true;
      case SET_STATE.pause:
        if (this.#base === "ready") {
          this.#base = "paused";
          this.#motion.pause();
        }
        return true;
      case SET_STATE.stop:
      case SET_STATE.decelerate:
        this.#motion.abort();
        this.#base = wish === SET_STATE.stop ? "stopped" : "decelerating";
        return true;
      default:
        return false;
    }
  }

  /** Mode, load, tool offset, sensitivity, enable and clear-error all do this: motion ends, mode 0, state 5. */
  systemReset(): void {
    this.#motion.abort();
    this.#mode = MODE.position;
    this.#base = this.#errorCode > 0 ? "stopped" : "reset";
    this.#motion.modeChanged(this.#mode);
  }

  /** Any error: motion ends, mode 0, state 4. Emergency stops cut the power, joint errors that joint's motor. */
  fault(code: number, held = false): void {
    this.#errorCode = code;
    this.#errorHeld = held;
    this.#motion.abort();
    this.#mode = MODE.position;
    this.#base = "stopped";
    let lost = EMERGENCY_CODES.has(code) ? ALL_BITS : 0;
    if (code >= FIRST_JOINT_CODE && code <= LAST_JOINT_CODE) lost = 1 << (code - FIRST_JOINT_CODE);
    if (lost !== 0) {
      this.#enableBits &= ~lost;
      this.#releasedBits &= ~lost;
    }
    this.#motion.modeChanged(this.#mode);
    this.#motion.motorsChanged(this.motorsOn);
  }

  /** The cause of a held error is gone (button released, power back): from now on it can be cleared. */
  releaseCause(): void {
    this.#errorHeld = false;
  }

  warn(code: number): void {
    this.#warningCode = code;
  }

  /** A system reset; the state after it is not documented (4 or 5, neither is ready). A held error stays. */
  cleanError(): void {
    if (!this.#errorHeld) this.#errorCode = 0;
    this.systemReset();
  }

  cleanWarning(): void {
    this.#warningCode = 0;
  }
}

function axisBits(axis: number): number {
  if (axis === ALL_AXES) return ALL_BITS;
  return axis >= 1 && axis <= JOINT_COUNT ? 1 << (axis - 1) : 0;
}
