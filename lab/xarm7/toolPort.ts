/**
 * The connector at the arm's wrist: RS485 bus with the gripper, its baud setting, digital and analog pins. The
 * controller passes RTU frames through (register 124) and reads or writes single addresses (127 to 130).
 */
import {
  GRIPPER_SLAVE,
  pulseToWords,
  RS485_HOST_TOOL,
  TOOL_BAUD,
} from "../../drivers/xarm7/protocol/index.js";
import type { Gripper } from "./gripper.js";

const OUTPUTS_ADDRESS = 0x0a15;

export class ToolPort {
  readonly gripper: Gripper;
  /** Set by the client, in force after a soft reboot. */
  #baudIndex: number;
  #baudIndexNext: number;
  #outputs = 0;

  constructor(gripper: Gripper, baudIndex: number = TOOL_BAUD.index2Mbps) {
    this.gripper = gripper;
    this.#baudIndex = baudIndex;
    this.#baudIndexNext = baudIndex;
  }

  /** The five digital outputs, pin 0 lowest. */
  get outputs(): number {
    return this.#outputs;
  }

  /** Parameters of the rs485 reply to those of a request, or undefined when nothing on the bus answers. */
  rtu(values: readonly number[]): number[] | undefined {
    if (values[0] !== RS485_HOST_TOOL || values[1] !== GRIPPER_SLAVE || !this.#reachable()) return undefined;
    return this.gripper.answer(values);
  }

  /** One address of the tool (id 9) or of the gripper (id 8), or undefined when nothing answers. */
  read(id: number, address: number, bits: 16 | 32): number | undefined {
    if (id === GRIPPER_SLAVE) {
      if (!this.#reachable()) return undefined;
      const high = this.gripper.read(address);
      if (high === undefined || bits === 16) return high;
      return (high << 16) | (this.gripper.read(address + 1) ?? 0);
    }
    if (id !== RS485_HOST_TOOL) return undefined;
    return address === TOOL_BAUD.readAddress ? this.#baudIndex : 0;
  }

  write(id: number, address: number, value: number, bits: 16 | 32): boolean {
    if (id === GRIPPER_SLAVE) {
      if (!this.#reachable()) return false;
      return this.gripper.write(address, bits === 16 ? [value & 0xffff] : pulseToWords(value));
    }
    if (id !== RS485_HOST_TOOL) return false;
    if (address === TOOL_BAUD.writeAddress) this.#baudIndexNext = value;
    if (address === TOOL_BAUD.rebootAddress) this.#baudIndex = this.#baudIndexNext;
    if (address === OUTPUTS_ADDRESS) this.#setOutputs(value);
    return true;
  }

  /** High byte: which of the pins 0, 1, 3, 4 (bits 0, 1, 2, 3) and 2 (bit 4) to set; low byte: their levels. */
  #setOutputs(value: number): void {
    const mask = (value >> 8) & 0x1f;
    this.#outputs = (this.#outputs & ~mask) | (value & mask);
  }

  #reachable(): boolean {
    return this.gripper.plugged && this.#baudIndex === TOOL_BAUD.index2Mbps;
  }
}
