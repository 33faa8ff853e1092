/**
 * The gateway's own way to stop robots: one observer's connection to each servo process, kept open, so that neither the
 * daemon's main thread nor a new connection stands between a stop button and the robot.
 */
import { type Clock, sleepMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import type { StopCategory } from "../../drivers/contract.js";
import type { ServoClient } from "../servo/api.js";

const RETRY_MS = 200;

export interface StopLineOptions {
  readonly clock: Clock;
  readonly robots: readonly string[];
  readonly connect: (robot: string) => Promise<ServoClient>;
}

export class StopLine {
  readonly #options: StopLineOptions;
  readonly #servos = new Map<string, ServoClient>();
  /** Whoever needs a robot's connection while it is being made waits for that one. */
  readonly #connecting = new Map<string, Promise<ServoClient>>();
  readonly #closing = new AbortController();

  constructor(options: StopLineOptions) {
    this.#options = options;
  }

  /** Keeps the connections until `close`. */
  async keep(): Promise<void> {
    await Promise.all(this.#options.robots.map((robot) => this.#keepConnected(robot)));
  }

  /** Robots that could not be stopped, and why; empty when all have. Never rejects. */
  async stop(category: StopCategory, reason: string): Promise<readonly string[]> {
    const outcomes = await Promise.all(
      this.#options.robots.map(async (robot) => {
        try {
          await (await this.#servo(robot)).stop(category, reason);
          return [];
        } catch (thrown) {
          return [`${robot}: ${errorText(thrown)}`];
        }
      }),
    );
    return outcomes.flat();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#servos.values()].map((servo) => servo.close()));
  }

  #servo(robot: string): Promise<ServoClient> {
    const present = this.#servos.get(robot);
    if (present !== undefined && !present.closed.aborted) return Promise.resolve(present);
    let connecting = this.#connecting.get(robot);
    if (connecting === undefined) {
      connecting = this.#connect(robot).finally(() => this.#connecting.delete(robot));
      this.#connecting.set(robot, connecting);
    }
    return connecting;
  }

  async #connect(robot: string): Promise<ServoClient> {
    const client = await this.#options.connect(robot);
    if (this.#closing.signal.aborted) await client.close();
    else this.#servos.set(robot, client);
    return client;
  }

  async #keepConnected(robot: string): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const { closed } = await this.#servo(robot);
        const ended = AbortSignal.any([closed, signal]);
        if (!ended.aborted)
          await new Promise<void>((resolve) =>
            ended.addEventListener("abort", () => resolve(), { once: true }),
          );
      } catch {
        // The servo process is being started again; a stop meanwhile reports the failure.
      }
      await sleepMs(this.#options.clock, RETRY_MS, signal);
    }
  }
}
