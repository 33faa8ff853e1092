/**
 * The slow side of the servo: everything about the device that waits for an answer. Connecting and reconnecting,
 * enabling, reading again after a stop, leaving. One such operation at a time; a stop or a lost link aborts it.
 */

import type { DeviceIdentity } from "../../core/arm.js";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { ArmDriver, Fault, StopCategory } from "../../drivers/contract.js";

const RECONNECT_MS = 1000;

export const isLinkLoss = (fault: Fault): boolean => fault.kind === "link";

export interface DeviceListener {
  linkUp(): void;
  /** A connection attempt failed; another follows. */
  stillDown(reason: string): void;
}

export class DeviceSession {
  identity: DeviceIdentity | undefined;
  readonly #driver: ArmDriver;
  readonly #clock: Clock;
  readonly #end = new AbortController();
  #operation: { readonly name: string; readonly abort: AbortController } | undefined;
  #leaving: Promise<void> = Promise.resolve();
  #isReconnecting = false;
  /** The device was configured since its connection was lost last. */
  #isUp = false;

  constructor(driver: ArmDriver, clock: Clock) {
    this.#driver = driver;
    this.#clock = clock;
  }

  /** Reads the device and asserts its limits; nothing is enabled. Rejects with the driver's reason. */
  async connect(): Promise<void> {
    this.identity = await this.#exclusive("connect", async (signal) => {
      await this.#leaving;
      signal.throwIfAborted();
      return await this.#driver.configure(signal);
    });
    this.#isUp = true;
  }

  /** Tries until the device answers, to this or to somebody's reset meanwhile, or the session ends. */
  async reconnect(listener: DeviceListener): Promise<void> {
    this.#isUp = false;
    if (this.#isReconnecting) return;
    this.#isReconnecting = true;
    let toldReason = "";
    try {
      for (;;) {
        await sleepMs(this.#clock, RECONNECT_MS, this.#end.signal);
        if (this.#end.signal.aborted || this.#isUp) return;
        try {
          await this.connect();
          listener.linkUp();
          return;
        } catch (error) {
          const reason = errorText(error);
          if (reason !== toldReason) listener.stillDown(reason);
          toldReason = reason;
        }
      }
    } finally {
      this.#isReconnecting = false;
    }
  }

  async activate(): Promise<void> {
    await this.#exclusive("enable", async (signal) => {
      await this.#leaving;
      signal.throwIfAborted();
      await this.#driver.activate(signal);
    });
  }

  /** Lets the device be moved by hand, or makes it hold again. */
  async setTeachMode(on: boolean): Promise<void> {
    await this.#exclusive(on ? "teach mode" : "teach mode's end", async (signal) => {
      await this.#leaving;
      signal.throwIfAborted();
      await this.#driver.setTeachMode(on, signal);
    });
  }

  /** Leaves streaming; later operations wait for it. Never rejects. */
  leave(category: StopCategory): Promise<void> {
    this.abort("the servo stops");
    this.#leaving = this.#leaving.then(() => this.#driver.deactivate(category));
    return this.#leaving;
  }

  /** Ends the operation under way, if there is one. */
  abort(reason: string): void {
    this.#operation?.abort.abort(
      new CerebellumError("COMMAND_REFUSED", `${this.#operation.name} was aborted: ${reason}`, "Try again"),
    );
  }

  async close(): Promise<void> {
    this.#end.abort();
    this.abort("the servo ends");
    await this.#leaving;
    await this.#driver.close();
  }

  async #exclusive<T>(name: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#operation !== undefined)
      throw new CerebellumError(
        "COMMAND_REFUSED",
        `${name} was asked for while ${this.#operation.name} is under way`,
        "Wait for it to end",
      );
    const abort = new AbortController();
    this.#operation = { name, abort };
    try {
      const result = await work(abort.signal);
      abort.signal.throwIfAborted();
      return result;
    } finally {
      this.#operation = undefined;
    }
  }
}
