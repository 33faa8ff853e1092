/**
 * The gripper on the tool's RS485 bus: Modbus RTU registers, without checksum as the controller passes them on.
 * Position is in pulses, 0 closed to 850 open. Source: vendor's gripper protocol manual, xarm-python-sdk 1.18.4.
 */
import {
  decodeGripperRequest,
  encodeGripperReply,
  GRIPPER_PULSE_MAX,
  GRIPPER_PULSE_MIN,
  GRIPPER_REGISTER,
  openingOfPulse,
  pulseOfOpening,
  pulseToWords,
  wordsToPulse,
} from "../../drivers/xarm7/protocol/index.js";
import type { ArmPlant } from "../plant.js";

/**
 * Speed of the fingers per r/min of the speed register: the full stroke in about 0.75 s at the largest value, 5000.
 * The vendor gives no figure in mm/s.
 */
const OPENING_M_PER_S_PER_RPM = 2.4e-5;
const SPEED_MAX_RPM = 5000;
const OVER_LIMIT_ERROR = 14;
const ARRIVED_M = 0.0005;
const STILL_M_PER_S = 0.001;
/** The fingers count as moving at least this long after a command [s]. */
const START_S = 0.1;

const SET_ZERO_REGISTER = 0x0817;
const VERSION = [3, 4, 3] as const;
const RTU_EXCEPTION = { function: 1, address: 2 } as const;

export class Gripper {
  /** Cut from the bus: nothing answers. */
  plugged = true;
  enabled = false;
  errorCode = 0;
  speedRpm = 1500;
  targetPulse = 0;
  #mode = 0;
  #commandedS = START_S;
  #lastOpeningM: number;
  #still = true;
  #targeted = false;
  readonly #plant: ArmPlant;

  constructor(plant: ArmPlant) {
    this.#plant = plant;
    this.#lastOpeningM = plant.gripperOpeningM();
  }

  get pulse(): number {
    return pulseOfOpening(this.#plant.gripperOpeningM());
  }

  /** 0 stopped, 1 moving, 2 holds something: it stands still before its target while closing. */
  get status(): number {
    if (!this.#targeted || this.errorCode !== 0) return 0;
    const leftM = this.#plant.gripperOpeningM() - openingOfPulse(this.targetPulse);
    if (Math.abs(leftM) <= ARRIVED_M) return 0;
    if (!this.#still || this.#commandedS < START_S) return 1;
    return leftM > 0 ? 2 : 0;
  }

  advance(dtS: number): void {
    if (dtS <= 0) return;
    this.#commandedS += dtS;
    const openingM = this.#plant.gripperOpeningM();
    this.#still = Math.abs(openingM - this.#lastOpeningM) / dtS < STILL_M_PER_S;
    this.#lastOpeningM = openingM;
  }

  /** Parameters of the rs485 reply to those of a request; an RTU exception for what it does not know. */
  answer(values: readonly number[]): number[] {
    const [host, unit, code] = values as [number, number, number];
    const exception = (reason: number): number[] => [host, unit, code | 0x80, reason];
    const decoded = decodeGripperRequest(values);
    if (decoded.kind !== "frame") return exception(RTU_EXCEPTION.function);
    const request = decoded.value;
    if (request.do === "write") {
      return this.write(request.address, request.words)
        ? encodeGripperReply(request)
        : exception(RTU_EXCEPTION.address);
    }
    const words: number[] = [];
    for (let i = 0; i < request.count; i++) {
      const word = this.read(request.address + i);
      if (word === undefined) return exception(RTU_EXCEPTION.address);
      words.push(word);
    }
    return encodeGripperReply(request, words);
  }

  /** One 16-bit register, or undefined where there is none. */
  read(address: number): number | undefined {
    switch (address) {
      case GRIPPER_REGISTER.status:
        return this.status;
      case GRIPPER_REGISTER.error:
        return this.errorCode;
      case GRIPPER_REGISTER.enable:
        return this.enabled ? 1 : 0;
      case GRIPPER_REGISTER.mode:
        return this.#mode;
      case GRIPPER_REGISTER.speed:
        return this.speedRpm;
      case GRIPPER_REGISTER.targetPulse:
        return pulseToWords(this.targetPulse)[0];
      case GRIPPER_REGISTER.targetPulse + 1:
        return pulseToWords(this.targetPulse)[1];
      case GRIPPER_REGISTER.currentPulse:
        return pulseToWords(this.pulse)[0];
      case GRIPPER_REGISTER.currentPulse + 1:
        return pulseToWords(this.pulse)[1];
      default:
        return VERSION[address - GRIPPER_REGISTER.versionMajor];
    }
  }

  /** False when there is no such register to write. */
  write(address: number, values: readonly number[]): boolean {
    const value = values[0] ?? 0;
    switch (address) {
      case GRIPPER_REGISTER.enable:
        this.enabled = value !== 0;
        return true;
      case GRIPPER_REGISTER.mode:
        this.#mode = value;
        return true;
      case GRIPPER_REGISTER.clearError:
        this.errorCode = 0;
        return true;
      case GRIPPER_REGISTER.speed:
        this.speedRpm = Math.min(SPEED_MAX_RPM, Math.max(1, value));
        return true;
      case GRIPPER_REGISTER.targetPulse:
        if (values.length !== 2) return false;
        this.#moveTo(wordsToPulse(values));
        return true;
      case SET_ZERO_REGISTER:
        return true;
      default:
        return false;
    }
  }

  #moveTo(pulse: number): void {
    if (pulse < GRIPPER_PULSE_MIN || pulse > GRIPPER_PULSE_MAX) this.errorCode = OVER_LIMIT_ERROR;
    if (!this.enabled || this.errorCode !== 0 || this.#mode !== 0) return;
    this.targetPulse = pulse;
    this.#targeted = true;
    this.#commandedS = 0;
    this.#plant.setGripper(openingOfPulse(pulse), this.speedRpm * OPENING_M_PER_S_PER_RPM);
  }
}
