/** The pages' only source of time; tests bring their own. */

export interface PageClock {
  /** Monotonic [ms]. */
  nowMs(): number;
  /** Calls once after `ms`; returns its undo. */
  after(ms: number, call: () => void): () => void;
  /** Calls again and again; returns its undo. */
  every(ms: number, call: () => void): () => void;
}

export const browserClock: PageClock = {
  nowMs: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
  every: (ms, call) => {
    const timer = setInterval(call, ms);
    return () => clearInterval(timer);
  },
};
