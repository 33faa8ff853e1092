/** An observer's connection to a servo that is made again whenever it ends, as long as it is wanted. */
import { type Clock, sleepMs } from "../../core/clock.js";
import type { ServoClient } from "../servo/api.js";

/** A servo process that was started again listens within about a second. */
const RETRY_MS = 500;

export interface ServoWatchOptions {
  readonly clock: Clock;
  readonly connect: () => Promise<ServoClient>;
  /** Called for every new connection. */
  readonly onConnected?: (client: ServoClient) => void;
}

export class ServoWatch {
  readonly #options: ServoWatchOptions;
  #wanted: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();
  #client: ServoClient | undefined;

  constructor(options: ServoWatchOptions) {
    this.#options = options;
  }

  /** Undefined while there is no connection. */
  get client(): ServoClient | undefined {
    return this.#client;
  }

  start(): void {
    if (this.#wanted !== undefined) return;
    const wanted = new AbortController();
    this.#wanted = wanted;
    this.#running = this.#running.then(() => this.#run(wanted.signal));
  }

  /** Resolves when the connection is closed. */
  stop(): Promise<void> {
    this.#wanted?.abort();
    this.#wanted = undefined;
    return this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, connect, onConnected } = this.#options;
    while (!signal.aborted) {
      const client = await connect().catch(() => undefined);
      if (client !== undefined) {
        this.#client = client;
        onConnected?.(client);
        await ended(AbortSignal.any([client.closed, signal]));
        this.#client = undefined;
        await client.close();
      }
      await sleepMs(clock, RETRY_MS, signal);
    }
  }
}

const ended = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
