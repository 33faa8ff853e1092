/** A page's clock that a test moves. */
import type { PageClock } from "../../../console/link/pageClock.js";

interface Timer {
  dueMs: number;
  readonly everyMs: number | undefined;
  readonly call: () => void;
}

export class PageSimClock implements PageClock {
  #nowMs = 1000;
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, call: () => void): () => void {
    return this.#add({ dueMs: this.#nowMs + ms, everyMs: undefined, call });
  }

  every(ms: number, call: () => void): () => void {
    return this.#add({ dueMs: this.#nowMs + ms, everyMs: ms, call });
  }

  /** Everything that is due by then happens, in order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers]
        .filter(({ dueMs }) => dueMs <= endMs)
        .sort((a, b) => a.dueMs - b.dueMs);
      if (next === undefined) break;
      this.#nowMs = next.dueMs;
      if (next.everyMs === undefined) this.#timers.delete(next);
      else next.dueMs += next.everyMs;
      next.call();
    }
    this.#nowMs = endMs;
  }

  /** Time passes and nothing of the page runs: then what was due happens once, as in a browser that hung. */
  stall(ms: number): void {
    this.#nowMs += ms;
    for (const timer of [...this.#timers]) {
      if (timer.dueMs > this.#nowMs) continue;
      if (timer.everyMs === undefined) this.#timers.delete(timer);
      else timer.dueMs = this.#nowMs + timer.everyMs;
      timer.call();
    }
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}
