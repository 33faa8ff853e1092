/** Trials one after the other, each told in a line; what every `evaluate` has in common. */
import { once } from "node:events";
import { CerebellumError } from "../../core/errors.js";
import { type Interval, wilsonInterval } from "../../core/statistics.js";

interface Verdict {
  readonly success: boolean;
}
export interface Tried {
  readonly verdict: Verdict;
}

/** Ends before all are done when the signal aborts. */
export async function runAll<T extends { readonly index: number }, R extends Tried>(
  trials: readonly T[],
  run: (trial: T) => Promise<R>,
  describe: (result: R) => string,
  signal: AbortSignal,
  print: (text: string) => void,
): Promise<R[]> {
  const results: R[] = [];
  for (const trial of trials) {
    const result = await run(trial);
    if (signal.aborted) break;
    results.push(result);
    print(`${String(trial.index + 1).padStart(3)}  ${describe(result)}`);
  }
  return results;
}

export interface Score {
  readonly successes: number;
  readonly interval95: Interval;
}

export function scoreOf(results: readonly Tried[]): Score {
  const successes = results.filter(({ verdict }) => verdict.success).length;
  return { successes, interval95: wilsonInterval(successes, results.length) };
}

export const scoreText = ({ successes, interval95: { low, high } }: Score, count: number): string =>
  `${successes} of ${count} successes (95 % interval ${(100 * low).toFixed(0)} to ${(100 * high).toFixed(0)} %)`;

/** @throws CerebellumError CHECK_FAILED when trials are missing or too few have succeeded */
export function checkScore({ successes }: Score, ran: number, planned: number, atLeast?: number): void {
  if (ran < planned)
    throw new CerebellumError(
      "CHECK_FAILED",
      `Only ${ran} of ${planned} trials ran`,
      "Let the evaluation run to its end",
    );
  if (atLeast !== undefined && successes < atLeast)
    throw new CerebellumError(
      "CHECK_FAILED",
      `${successes} successes, expected at least ${atLeast}`,
      "Look at the trials above; retrain or correct the cell",
    );
}

/** Runs `work` in this process until it is done or Ctrl-C asks it to end. */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupt = new AbortController();
  void once(process, "SIGINT", { signal: interrupt.signal }).then(
    () => interrupt.abort(),
    () => {},
  );
  try {
    return await work(interrupt.signal);
  } finally {
    interrupt.abort();
  }
}
