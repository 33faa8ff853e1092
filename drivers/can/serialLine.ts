/**
 * A serial port as bytes, through the binding of `serialport`: it opens, sets up and watches the port. Reading and
 * writing happen on the calling thread, at once, because the port never blocks: the package's own streams hand each of
 * them to a pool of threads, which costs several turns of the event loop, and in a servo process there are few.
 */
import { readSync, writeSync } from "node:fs";
import { access, constants, readdir, stat } from "node:fs/promises";
import { CerebellumError, errorText } from "../../core/errors.js";

/** The kernel keeps less than this for a port. */
const READ_BYTES = 4096;

export interface SerialLineListener {
  /** Valid until it returns. */
  onBytes(bytes: Uint8Array): void;
  /** The port is gone, e.g. unplugged; called once, and not after `close`. */
  onLost(why: string): void;
}

export interface SerialLine {
  /** Never waits. @returns how many bytes the kernel took: 0 when it has no room, -1 when the port is gone */
  write(bytes: Uint8Array, length: number): number;
  /** Passes on what can be read now, before its event comes. */
  readNow(): void;
  /** Gives the port back. What the kernel took before still leaves, if the adapter takes it. */
  close(): Promise<void>;
}

/** @throws CerebellumError DEVICE_UNREACHABLE, CONFIG_INVALID, PORT_IN_USE or PREPARATION_MISSING */
export type OpenSerialLine = (
  path: string,
  baudRate: number,
  listener: SerialLineListener,
) => Promise<SerialLine>;

export const openSerialLine: OpenSerialLine = async (path, baudRate, listener) => {
  await checkDevice(path);
  const { SerialPort } = await loadPackage();
  const port = await SerialPort.binding.open({ path, baudRate, lock: true }).catch((thrown) => {
    throw openFailure(path, thrown);
  });
  if (!("poller" in port)) {
    await port.close();
    throw new CerebellumError(
      "PREPARATION_MISSING",
      `serial ports of ${process.platform} are not supported`,
      "Use a computer with Linux",
    );
  }
  // USB adapters with an FTDI chip collect bytes for 16 ms unless asked not to. Pseudo-terminals, and adapters without
  // modem lines, refuse the whole call, and need nothing of it.
  await port.set({ brk: false, cts: false, dtr: true, rts: true, lowLatency: true }).catch(() => undefined);
  return new PolledLine(port, listener);
};

/** What is used of the package's port. */
interface Port {
  readonly fd: number | null;
  readonly poller: { once(event: "readable", callback: (error: Error | null) => void): unknown };
  close(): Promise<void>;
}

class PolledLine implements SerialLine {
  readonly #port: Port;
  readonly #listener: SerialLineListener;
  readonly #buffer = Buffer.alloc(READ_BYTES);
  #isOpen = true;

  constructor(port: Port, listener: SerialLineListener) {
    this.#port = port;
    this.#listener = listener;
    this.#watch();
  }

  write(bytes: Uint8Array, length: number): number {
    if (!this.#isOpen || this.#port.fd === null) return -1;
    try {
      return writeSync(this.#port.fd, bytes, 0, length);
    } catch (thrown) {
      if (isForLater(thrown)) return 0;
      this.#lose(errorText(thrown));
      return -1;
    }
  }

  readNow(): void {
    const count = this.#isOpen ? this.#read() : 0;
    if (count > 0) this.#listener.onBytes(this.#buffer.subarray(0, count));
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    // A port that is gone can not be closed in order; there is nothing left to do about it.
    await this.#port.close().catch(() => undefined);
  }

  /** One read a call: what is left makes the port readable again at once, and other work gets its turn between. */
  #watch(): void {
    this.#port.poller.once("readable", (error) => {
      // What is thrown into the package's native code ends the process on the spot, past every handler that would still
      // switch a hand off. Thrown from here it is an uncaught exception like others.
      try {
        this.#onReadable(error);
      } catch (thrown) {
        setImmediate(() => {
          throw thrown;
        });
      }
    });
  }

  #onReadable(error: Error | null): void {
    if (!this.#isOpen) return;
    if (error !== null) {
      this.#lose(error.message);
      return;
    }
    const count = this.#read();
    if (count === 0) return;
    this.#watch();
    if (count > 0) this.#listener.onBytes(this.#buffer.subarray(0, count));
  }

  /** @returns bytes read; 0 when the port is gone, -1 when there was nothing to read after all */
  #read(): number {
    if (this.#port.fd === null) return 0;
    try {
      const count = readSync(this.#port.fd, this.#buffer, 0, READ_BYTES, null);
      if (count === 0) this.#lose("end of file");
      return count;
    } catch (thrown) {
      if (isForLater(thrown)) return -1;
      this.#lose(errorText(thrown));
      return 0;
    }
  }

  #lose(cause: string): void {
    if (!this.#isOpen) return;
    void this.close();
    this.#listener.onLost(`the adapter is gone (${cause})`);
  }
}

const isForLater = (thrown: unknown): boolean =>
  ["EAGAIN", "EINTR"].includes((thrown as NodeJS.ErrnoException).code ?? "");

async function loadPackage(): Promise<typeof import("serialport")> {
  try {
    return await import("serialport");
  } catch (thrown) {
    throw new CerebellumError(
      "PREPARATION_MISSING",
      `the package serialport can not be loaded on this computer: ${errorText(thrown)}`,
      "Run ./cerebellum once more so that it is installed, or use an adapter with SocketCAN",
      thrown,
    );
  }
}

/**
 * What can be told of a port without opening it, in words that a path in a cell file deserves.
 * @throws CerebellumError DEVICE_UNREACHABLE or CONFIG_INVALID
 */
export async function checkDevice(path: string): Promise<void> {
  try {
    const found = await stat(path);
    if (!found.isCharacterDevice())
      throw noSerialDevice(path, found.isDirectory() ? "a folder" : "a file of another kind");
    await access(path, constants.R_OK | constants.W_OK);
  } catch (thrown) {
    if (thrown instanceof CerebellumError) throw thrown;
    throw openFailure(path, thrown, await listPorts());
  }
}

/** Serial ports by their lasting names, else those of USB. Read from /dev: `SerialPort.list` dies without udevadm. */
async function listPorts(): Promise<string> {
  const lasting = await readdir("/dev/serial/by-id").catch(() => []);
  if (lasting.length > 0) return lasting.map((name) => `/dev/serial/by-id/${name}`).join(", ");
  const names = (await readdir("/dev").catch(() => [])).filter((name) => /^tty(ACM|USB)\d+$/.test(name));
  return names.map((name) => `/dev/${name}`).join(", ") || "none";
}

const noSerialDevice = (path: string, found: string, cause?: unknown): CerebellumError =>
  new CerebellumError(
    "CONFIG_INVALID",
    `${path} is ${found}, not a serial device`,
    "Set `path` in the cell file to the adapter's serial device; /dev/serial/by-id lists them by name",
    cause,
  );

/** The system's words, as the package passes them on, and what they mean for a person. */
const OPEN_FAILURES: readonly (readonly [
  words: RegExp,
  make: (path: string, cause: unknown, ports: string) => CerebellumError,
])[] = [
  [
    /lock|busy/i,
    (path, cause) =>
      new CerebellumError(
        "PORT_IN_USE",
        `another program has ${path} open`,
        `End it (fuser -v ${path} names it); two programs must not share a hand`,
        cause,
      ),
  ],
  [
    /permission denied|EACCES/i,
    (path, cause) =>
      new CerebellumError(
        "DEVICE_UNREACHABLE",
        `this user may not open ${path}`,
        "Join the device's group (sudo usermod -aG dialout $USER), then log in anew",
        cause,
      ),
  ],
  [/inappropriate ioctl/i, (path, cause) => noSerialDevice(path, "a device of another kind", cause)],
  [
    /no such (file|device)|ENOENT|ENOTDIR/i,
    (path, cause, ports) =>
      new CerebellumError(
        "DEVICE_UNREACHABLE",
        `there is no ${path}; serial ports found: ${ports}`,
        "Plug the adapter in, or set `path` in the cell file; with a lab cell, start the lab first",
        cause,
      ),
  ],
];

/** A failed opening in words. Exported for its test. */
export function openFailure(path: string, thrown: unknown, ports = "none"): CerebellumError {
  const text = errorText(thrown);
  const make = OPEN_FAILURES.find(([words]) => words.test(text))?.[1];
  return (
    make?.(path, thrown, ports) ??
    new CerebellumError(
      "DEVICE_UNREACHABLE",
      `${path} does not open: ${text}`,
      "Unplug the adapter and plug it in again; if that does not help, try another USB port",
      thrown,
    )
  );
}
