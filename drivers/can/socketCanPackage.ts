/**
 * The npm package `socketcan` (4.x, MIT): native, built on the computer where it is installed, and therefore no
 * dependency of ours. Only what is used of it is described here; it is checked when it is loaded.
 */
import { isMainThread } from "node:worker_threads";
import { CerebellumError, errorText } from "../../core/errors.js";

/** A frame as the package has it. The length of `data` is the frame's length, of a remote frame too. */
export interface SocketCanMessage {
  readonly id: number;
  readonly ext?: boolean;
  readonly rtr?: boolean;
  /** An error frame: `id` holds its classes. */
  readonly err?: boolean;
  readonly data: Buffer;
}

export interface SocketCanChannel {
  addListener(event: "onMessage", listener: (message: SocketCanMessage) => void): void;
  /** The interface is gone or down; the channel gives nothing any more. */
  addListener(event: "onStopped", listener: () => void): void;
  start(): void;
  /** Waits up to 100 ms for its thread. Throws when it has stopped already. */
  stop(): void;
  /** @returns bytes that the kernel took, negative when it took none */
  send(message: SocketCanMessage): number;
}

export interface SocketCanPackage {
  createRawChannelWithOptions(
    name: string,
    options: { readonly timestamps: boolean; readonly non_block_send: boolean },
  ): SocketCanChannel;
}

/** A variable: TypeScript would look for a package that most computers do not have. */
const PACKAGE: string = "socketcan";

/** @throws CerebellumError PREPARATION_MISSING with the command that installs it */
export async function loadSocketCan(): Promise<SocketCanPackage> {
  if (!isMainThread)
    throw new CerebellumError(
      "PREPARATION_MISSING",
      "the package socketcan serves the main thread only",
      "Open the bus in a process of its own",
    );
  let loaded: Partial<SocketCanPackage> & { readonly default?: Partial<SocketCanPackage> };
  try {
    loaded = await import(PACKAGE);
  } catch (thrown) {
    const isAbsent = (thrown as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND";
    throw missing(isAbsent ? "is not installed" : `does not load: ${errorText(thrown)}`, thrown);
  }
  const createRawChannelWithOptions =
    loaded.createRawChannelWithOptions ?? loaded.default?.createRawChannelWithOptions;
  if (typeof createRawChannelWithOptions !== "function") throw missing("is of another version than 4");
  return { createRawChannelWithOptions };
}

const missing = (what: string, cause?: unknown): CerebellumError =>
  new CerebellumError(
    "PREPARATION_MISSING",
    `SocketCAN needs the npm package socketcan, which ${what}`,
    "In Cerebellum's folder run: npm install --no-save --ignore-scripts=false socketcan@4 (it needs a C++ compiler), " +
      "or use an adapter with SLCAN (`slcan` in the cell file)",
    cause,
  );
