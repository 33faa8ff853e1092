/**
 * Listens to all stop sources of a cell and stops its robots when one of them says so. It talks to the servo processes
 * itself and works on a thread of its own, so that neither ROS nor a busy main thread stands between a button and the
 * robot. A source that has gone is tried again and again; a required one stops the cell by going.
 */
import { type Clock, sleepMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import type { StopCategory } from "../../drivers/contract.js";
import type { ServoClient } from "../../runtime/servo/api.js";
import type { SourceStatus, StopReport } from "./messages.js";
import type { NamedSource } from "./sources.js";

const RETRY_MS = 1000;
/** How often the daemon hears that this thread still works. */
export const TELL_MS = 1000;
const SERVO_RETRY_MS = 200;
/** A lost source is no emergency: decelerate and hold. */
const LOSS_CATEGORY = 2;

export interface DeskParts {
  readonly clock: Clock;
  readonly sources: readonly NamedSource[];
  readonly category: StopCategory;
  /** Robots, and how to reach their servo processes. */
  readonly robots: readonly string[];
  readonly connect: (robot: string) => Promise<ServoClient>;
  readonly onStatus: (sources: readonly SourceStatus[]) => void;
  readonly onStop: (report: StopReport) => void;
}

export class EstopDesk {
  readonly #parts: DeskParts;
  readonly #ended = new AbortController();
  readonly #servos = new Map<string, ServoClient>();
  readonly #statuses = new Map<string, SourceStatus>();

  constructor(parts: DeskParts) {
    this.#parts = parts;
    for (const { name, required } of parts.sources) {
      this.#statuses.set(name, { name, required, state: "absent", message: "not open yet" });
    }
  }

  /** Resolves when `close` was called and every source has ended. */
  async run(): Promise<void> {
    await Promise.all([
      this.#keepTelling(),
      ...this.#parts.robots.map((robot) => this.#keepConnected(robot)),
      ...this.#parts.sources.map((source) => this.#keepListening(source)),
    ]);
  }

  close(): void {
    this.#ended.abort();
  }

  async #keepTelling(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      this.#tell();
      await sleepMs(this.#parts.clock, TELL_MS, signal);
    }
  }

  async #keepListening({ name, required, source }: NamedSource): Promise<void> {
    const { signal } = this.#ended;
    const { category } = this.#parts;
    const set = (state: SourceStatus["state"], message: string) => {
      this.#statuses.set(name, { name, required, state, message });
      this.#tell();
    };
    while (!signal.aborted) {
      let wasLive = false;
      const why = await source.listen(
        {
          live: () => {
            wasLive = true;
            set("live", "listening");
          },
          stop: (what) => this.#stop(name, category, `${name}: ${what}`),
          held: (isHeld) => set(isHeld ? "held" : "live", isHeld ? "the button is held down" : "listening"),
        },
        signal,
      );
      if (signal.aborted) return;
      set("absent", why);
      if (wasLive && source.endIsStop) void this.#stop(name, category, `${name}: ${why}`);
      else if (wasLive && required)
        void this.#stop(name, LOSS_CATEGORY, `the required stop source ${name} is gone: ${why}`);
      await sleepMs(this.#parts.clock, RETRY_MS, signal);
    }
  }

  async #stop(source: string, category: StopCategory, reason: string): Promise<readonly string[]> {
    const outcomes = await Promise.all(
      this.#parts.robots.map(async (robot) => {
        try {
          await (await this.#servo(robot)).stop(category, reason);
          return [];
        } catch (thrown) {
          return [`${robot}: ${errorText(thrown)}`];
        }
      }),
    );
    const failures = outcomes.flat();
    this.#parts.onStop({ source, category, reason, failures });
    return failures;
  }

  async #servo(robot: string): Promise<ServoClient> {
    const present = this.#servos.get(robot);
    if (present !== undefined && !present.closed.aborted) return present;
    const client = await this.#parts.connect(robot);
    this.#servos.set(robot, client);
    return client;
  }

  /** A connection that is there already saves the time to make one. */
  async #keepConnected(robot: string): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      try {
        const client = await this.#servo(robot);
        await ended(client.closed, signal);
      } catch {
        // The servo process is being started again; a stop meanwhile reports the failure.
      }
      await sleepMs(this.#parts.clock, SERVO_RETRY_MS, signal);
    }
    await this.#servos.get(robot)?.close();
  }

  #tell(): void {
    this.#parts.onStatus([...this.#statuses.values()]);
  }
}

function ended(...signals: readonly AbortSignal[]): Promise<void> {
  const any = AbortSignal.any([...signals]);
  return new Promise((resolve) => {
    if (any.aborted) resolve();
    else any.addEventListener("abort", () => resolve(), { once: true });
  });
}
