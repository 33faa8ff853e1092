/**
 * A pseudo-terminal that this process owns, for an emulated device on a serial port: others open its path, what they
 * write comes here. It needs no native module: Node opens the master, a short Python program unlocks the other end.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { entryUrl, repositoryRootUrl } from "../core/entry.js";
import { CerebellumError, errorText } from "../core/errors.js";

const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;
const SCRIPT = "launch/processes/openPty.py";
/** The prepared one, or the machine's where nothing has been prepared yet. */
const PREPARED_PYTHON = ".ros2/venv/bin/python";

export class PtyPort {
  /** Bytes that were dropped because whoever has the port open does not read. */
  droppedBytes = 0;
  onBytes: (bytes: Uint8Array) => void = () => {};
  readonly #master: number;
  /** Kept open, so that the port outlives each program that opens it. */
  readonly #otherEnd: number;
  readonly #reader: Worker;
  readonly #link: string | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  #isClosed = false;

  /**
   * @param options.priority of the thread that reads, SCHED_FIFO where permitted; 0 for none
   * @param link a symbolic link to make, so that a port that comes back has the same path
   * @throws CerebellumError PREPARATION_MISSING without a pseudo-terminal or Python, PORT_IN_USE when `link` is a file
   */
  static async open(link?: string, { priority = 0 } = {}): Promise<PtyPort> {
    if (link !== undefined) refuseFile(link);
    let master: number | undefined;
    try {
      master = openSync("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
      const path = await unlock(master);
      const otherEnd = openSync(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
      return new PtyPort(master, otherEnd, path, link, priority);
    } catch (cause) {
      if (master !== undefined) closeSync(master);
      throw new CerebellumError(
        "PREPARATION_MISSING",
        `No pseudo-terminal could be opened: ${errorText(cause)}`,
        "This needs /dev/ptmx and Python 3; `./cerebellum doctor` checks the machine",
        cause,
      );
    }
  }

  private constructor(
    master: number,
    otherEnd: number,
    private readonly device: string,
    link: string | undefined,
    priority: number,
  ) {
    this.#master = master;
    this.#otherEnd = otherEnd;
    this.#link = link;
    if (link !== undefined) {
      rmSync(link, { force: true });
      symlinkSync(device, link);
    }
    this.#reader = new Worker(entryUrl("./processes/ptyReaderWorker.js", import.meta.url), {
      workerData: { terminal: master, priority },
      name: "ptyReader",
    });
    this.#reader.on("message", (bytes: Uint8Array) => {
      if (!this.#isClosed) this.onBytes(bytes);
    });
    this.#reader.on("exit", () => this.close());
  }

  /** What others open. */
  get path(): string {
    return this.#link ?? this.device;
  }

  /** Writes all of it, or drops all of it where the reader is behind: no line is ever cut. */
  write(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#rest = this.#put(this.#rest);
    if (this.#rest.length > 0) {
      this.droppedBytes += bytes.length;
      return;
    }
    this.#rest = this.#put(bytes);
  }

  /** Whoever has it open is told by the system that it is gone. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#link !== undefined) rmSync(this.#link, { force: true });
    this.#reader.postMessage("close");
    closeSync(this.#otherEnd);
  }

  /** @returns what the kernel did not take */
  #put(bytes: Uint8Array): Uint8Array {
    if (bytes.length === 0) return bytes;
    try {
      return bytes.slice(writeSync(this.#master, bytes));
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "EAGAIN") throw thrown;
      return bytes.slice();
    }
  }
}

function refuseFile(link: string): void {
  const found = lstatSync(link, { throwIfNoEntry: false });
  if (found === undefined || found.isSymbolicLink()) return;
  throw new CerebellumError(
    "PORT_IN_USE",
    `${link} is there already and is no symbolic link`,
    "Name another path for the emulated port",
  );
}

/** @returns the path of the other end, which is raw */
async function unlock(master: number): Promise<string> {
  const prepared = fileURLToPath(new URL(PREPARED_PYTHON, repositoryRootUrl()));
  const python = process.env.CEREBELLUM_PYTHON ?? (existsSync(prepared) ? prepared : "python3");
  const script = fileURLToPath(new URL(SCRIPT, repositoryRootUrl()));
  // The master is its file descriptor 3. As one of the first three it would be made blocking, here too.
  const child = spawn(python, [script], { stdio: ["ignore", "pipe", "pipe", master] });
  const [said, complained] = [text(child.stdout!), text(child.stderr!)];
  const [exitCode] = await once(child, "close");
  if (exitCode !== 0) throw new Error(`${python} ended with ${exitCode}: ${await complained}`);
  return said;
}
