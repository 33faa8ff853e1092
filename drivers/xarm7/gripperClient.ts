/**
 * The gripper behind the arm's command port. Every transaction there takes the place of a setpoint, so there is at most
 * one per call of `tick` (the driver calls it at 10 Hz): the newest target first, then position, status and errors,
 * at 5 Hz while the fingers move and at 1 Hz otherwise.
 */
import type { GripperState } from "../../core/arm.js";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { pollUntil } from "./link.js";
import {
  type CommandReply,
  decodeGripperReply,
  encodeGripperRequest,
  GRIPPER_REGISTER,
  type GripperRequest,
  type MessageName,
  openingOfPulse,
  pulseOfOpening,
  pulseToWords,
  RS485_HOST_TOOL,
  TOOL_BAUD,
  wordsToPulse,
} from "./protocol/index.js";

export type Ask = (name: MessageName, values: readonly number[], timeoutMs: number) => Promise<CommandReply>;

/** Bound of a transaction while setpoints may stream: a lost one costs them no more than this. */
const TRANSACTION_MS_MAX = 150;
const BRING_UP_MS_MAX = 1000;
/** Calls of `tick` between two reads. */
const TICKS_MOVING = 2;
const TICKS_RESTING = 10;
export const GRIPPER_FAILURES_MAX = 5;
const STATUS_MOVING = 1;

export class GripperClient {
  failures = 0;
  readonly #ask: Ask;
  readonly #clock: Clock;
  readonly #speedRPerMin: number;
  #state: GripperState = { openingM: 0, moving: false, errorCode: 0 };
  #targetPulse: number | undefined;
  #sentPulse: number | undefined;
  #ticks = 0;
  #reads = 0;
  #isBusy = false;

  constructor(ask: Ask, clock: Clock, speedRPerMin: number) {
    this.#ask = ask;
    this.#clock = clock;
    this.#speedRPerMin = speedRPerMin;
  }

  get state(): GripperState {
    return this.#state;
  }

  /** Sets the tool's RS485 rate if it is another, and reads where the fingers are. Moves nothing. */
  async check(signal: AbortSignal): Promise<void> {
    const index = await this.#baudIndex();
    if (index !== TOOL_BAUD.index2Mbps) await this.#setBaud(index, signal);
    await this.#readPosition(BRING_UP_MS_MAX);
  }

  /** Clears its error, then mode, enable and speed, each followed by a look at the error register. */
  async enable(): Promise<void> {
    this.#targetPulse = undefined;
    this.#sentPulse = undefined;
    this.failures = 0;
    if ((await this.#readError(BRING_UP_MS_MAX)) !== 0) await this.#write(GRIPPER_REGISTER.clearError, [1]);
    for (const [address, words] of [
      [GRIPPER_REGISTER.mode, [0]],
      [GRIPPER_REGISTER.enable, [1]],
      [GRIPPER_REGISTER.speed, [this.#speedRPerMin]],
    ] as const) {
      await this.#write(address, words);
      const errorCode = await this.#readError(BRING_UP_MS_MAX);
      if (errorCode !== 0)
        throw new CerebellumError(
          "DEVICE_FAULT",
          `the gripper reports error ${errorCode} while it is enabled`,
          "Free its fingers and check its cable, then enable again",
        );
    }
    await this.#readPosition(BRING_UP_MS_MAX);
  }

  /** Newest wins; taken at the next `tick`. */
  setTarget(openingM: number): void {
    if (Number.isFinite(openingM)) this.#targetPulse = pulseOfOpening(openingM);
  }

  /** At most one transaction; does nothing while one is out. Never rejects: failures are counted. */
  async tick(): Promise<void> {
    if (this.#isBusy) return;
    this.#ticks++;
    this.#isBusy = true;
    try {
      if (this.#targetPulse !== undefined && this.#targetPulse !== this.#sentPulse) await this.#sendTarget();
      else if (this.#ticks >= (this.#state.moving ? TICKS_MOVING : TICKS_RESTING)) await this.#readNext();
      else return;
      this.failures = 0;
    } catch {
      this.failures++;
    } finally {
      this.#isBusy = false;
    }
  }

  async #sendTarget(): Promise<void> {
    const pulse = this.#targetPulse ?? 0;
    await this.#transact(
      { do: "write", address: GRIPPER_REGISTER.targetPulse, words: pulseToWords(pulse) },
      TRANSACTION_MS_MAX,
    );
    this.#sentPulse = pulse;
    this.#state = { ...this.#state, moving: true };
    this.#ticks = 0;
    this.#reads = 0;
  }

  async #readNext(): Promise<void> {
    this.#ticks = 0;
    const which = this.#reads++ % 3;
    if (which === 0) await this.#readPosition(TRANSACTION_MS_MAX);
    else if (which === 1) {
      const [status = 0] = await this.#read(GRIPPER_REGISTER.status, 1, TRANSACTION_MS_MAX);
      this.#state = { ...this.#state, moving: (status & 3) === STATUS_MOVING };
    } else await this.#readError(TRANSACTION_MS_MAX);
  }

  async #readPosition(timeoutMs: number): Promise<void> {
    const pulse = wordsToPulse(await this.#read(GRIPPER_REGISTER.currentPulse, 2, timeoutMs));
    this.#state = { ...this.#state, openingM: Math.max(0, openingOfPulse(pulse)) };
  }

  async #readError(timeoutMs: number): Promise<number> {
    const [errorCode = 0] = await this.#read(GRIPPER_REGISTER.error, 1, timeoutMs);
    if (errorCode !== this.#state.errorCode) this.#state = { ...this.#state, errorCode };
    return errorCode;
  }

  async #baudIndex(): Promise<number> {
    const reply = await this.#ask("readTool16", [RS485_HOST_TOOL, TOOL_BAUD.readAddress], BRING_UP_MS_MAX);
    return reply.values[0] ?? -1;
  }

  /** The order and pauses of the vendor's client: write the rate, restart the tool's bus, wait, read again. */
  async #setBaud(found: number, signal: AbortSignal): Promise<void> {
    const write = (address: number, value: number) =>
      this.#ask("writeTool16", [RS485_HOST_TOOL, address, value], BRING_UP_MS_MAX);
    await write(TOOL_BAUD.writeAddress, TOOL_BAUD.index2Mbps);
    await sleepMs(this.#clock, 300, signal);
    await write(TOOL_BAUD.rebootAddress, 1);
    const isSet = async () => ((await this.#baudIndex()) === TOOL_BAUD.index2Mbps ? true : undefined);
    await sleepMs(this.#clock, 1000, signal);
    if ((await pollUntil(this.#clock, isSet, 200, 1000, signal)) === undefined)
      throw new CerebellumError(
        "DEVICE_REFUSED",
        `the tool's RS485 keeps rate index ${found}; the gripper needs ${TOOL_BAUD.index2Mbps} (2 Mbit/s)`,
        "Restart the control box, or set `gripper: none` in the cell file",
      );
  }

  #write(address: number, words: readonly number[]): Promise<number[]> {
    return this.#transact({ do: "write", address, words }, BRING_UP_MS_MAX);
  }

  #read(address: number, count: number, timeoutMs: number): Promise<number[]> {
    return this.#transact({ do: "read", address, count }, timeoutMs);
  }

  async #transact(request: GripperRequest, timeoutMs: number): Promise<number[]> {
    const reply = await this.#ask("rs485", encodeGripperRequest(request), timeoutMs);
    const decoded = decodeGripperReply(request, reply.values);
    if (decoded.kind === "frame") return decoded.value;
    const reason = decoded.kind === "corrupt" ? decoded.reason : "too short";
    throw new CerebellumError(
      "DEVICE_REFUSED",
      `the gripper did not answer register 0x${request.address.toString(16).padStart(4, "0")}: ${reason}`,
      "Check the tool's cable, or set `gripper: none` in the cell file",
    );
  }
}
