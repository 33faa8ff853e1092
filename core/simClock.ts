/** A clock that stands still until a test moves it. Waits end in order of their due time. */
import {
  addNs,
  asEpochNs,
  asMonotonicNs,
  type Clock,
  type EpochNs,
  type MonotonicNs,
  msToNs,
  nsToMs,
} from "./clock.js";

interface Waiter {
  readonly dueNs: MonotonicNs;
  readonly wake: () => void;
}

export class SimClock implements Clock {
  #nowNs: MonotonicNs;
  #nowMs: number;
  #epochOffsetNs: bigint;
  #waiters: Waiter[] = [];

  constructor(startNs = 1_000_000_000n, epochStartNs = 1_700_000_000_000_000_000n) {
    this.#nowNs = asMonotonicNs(startNs);
    this.#nowMs = nsToMs(startNs);
    this.#epochOffsetNs = epochStartNs - startNs;
  }

  nowNs(): MonotonicNs {
    return this.#nowNs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  epochNs(): EpochNs {
    return asEpochNs(this.#nowNs + this.#epochOffsetNs);
  }

  /** Steps the epoch clock only, as an NTP correction does. */
  stepEpoch(ms: number): void {
    this.#epochOffsetNs += msToNs(ms);
  }

  sleepUntil(dueNs: MonotonicNs, signal?: AbortSignal): Promise<void> {
    if (dueNs <= this.#nowNs || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const onAbort = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        waiter.wake();
      };
      const waiter: Waiter = {
        dueNs,
        wake: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      this.#waiters.push(waiter);
      signal?.addEventListener("abort", onAbort);
    });
  }

  /** Moves time on by `ms`, waking each sleeper at its own due time and letting its continuation run. */
  async advance(ms: number): Promise<void> {
    const endNs = addNs(this.#nowNs, msToNs(ms));
    for (;;) {
      const next = this.#waiters
        .filter((w) => w.dueNs <= endNs)
        .sort((a, b) => (a.dueNs < b.dueNs ? -1 : 1))[0];
      if (next === undefined) break;
      this.#waiters = this.#waiters.filter((other) => other !== next);
      if (next.dueNs > this.#nowNs) this.#moveTo(next.dueNs);
      next.wake();
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    }
    this.#moveTo(endNs);
  }

  #moveTo(nowNs: MonotonicNs): void {
    this.#nowNs = nowNs;
    this.#nowMs = nsToMs(nowNs);
  }
}
