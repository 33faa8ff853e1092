/**
 * The serial line between the SLCAN bus and the emulated hand, without the operating system's port: text goes both ways,
 * and what the hand writes is read after whoever writes has returned, as with a port.
 */
import { CerebellumError } from "../../../core/errors.js";
import type { OpenSerialLine, SerialLineListener } from "../../../drivers/can/serialLine.js";

export class EmulatedLine {
  readonly #toHand: (bytes: Uint8Array) => void;
  #listener: SerialLineListener | undefined;
  #isPlugged = true;

  /** @param toHand takes what the bus has written */
  constructor(toHand: (bytes: Uint8Array) => void) {
    this.#toHand = toHand;
  }

  readonly open: OpenSerialLine = async (path, _baudRate, listener) => {
    if (!this.#isPlugged)
      throw new CerebellumError("DEVICE_UNREACHABLE", `${path} is not there`, "Plug it in");
    this.#listener = listener;
    return {
      write: (bytes, length) => {
        if (!this.#isPlugged) return -1;
        this.#toHand(bytes.slice(0, length));
        return length;
      },
      readNow: () => {},
      close: async () => {
        this.#listener = undefined;
      },
    };
  };

  send(bytes: Parameters<SerialLineListener["onBytes"]>[0]): void {
    queueMicrotask(() => this.#listener?.onBytes(bytes));
  }

  plug(isPlugged: boolean): void {
    this.#isPlugged = isPlugged;
    if (!isPlugged) queueMicrotask(() => this.#listener?.onLost("unplugged"));
  }
}
