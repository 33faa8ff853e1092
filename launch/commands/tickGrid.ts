/**
 * How many servo ticks there should have been, by time alone: what a bench or soak compares the loop's own count with.
 */
import { sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { ServoClient, ServoStatistics } from "../../runtime/servo/api.js";
import { systemClock } from "../systemClock.js";

const TICKS_KEPT = 1000;
/** Ticks that show where the grid lies: one that follows a device's reports may be shifted by a tenth of a period meanwhile. */
const GRID_TICKS = 100;
/** Stamps are taken when a tick's work is done: one is quicker than another, at 1 kHz by some hundredths of a period. */
const GRID_SLACK = 0.1;

export interface TickCount {
  readonly seconds: number;
  readonly expectedTickCount: number;
  readonly ranTickCount: number;
  readonly missedTickCount: number;
  readonly missedByCause: Readonly<Record<string, number>>;
  /** Expected less run less counted as missed: must be 0. */
  readonly silentMissCount: number;
}

export function countTicks(before: Mark, after: Mark, rateHz: number): TickCount {
  const missedByCause = Object.fromEntries(
    Object.entries(after.statistics.missed).map(([cause, count]) => [
      cause,
      count - (before.statistics.missed[cause] ?? 0),
    ]),
  );
  const missedTickCount = Object.values(missedByCause).reduce((sum, count) => sum + count, 0);
  const ranTickCount = after.statistics.ticks - before.statistics.ticks;
  // Time alone says how many deadlines there were; the loop's own count is not asked, only by how much it has shifted its
  // grid. A tick runs after its deadline and before the next one, so the whole periods since a deadline are the number of ticks.
  const shiftS = (after.statistics.gridShiftMs - before.statistics.gridShiftMs) / 1000;
  const sinceGridS = (Number(after.tickNs) - before.gridNs) / 1e9 - shiftS;
  const expectedTickCount = Math.floor(sinceGridS * rateHz + GRID_SLACK);
  return {
    seconds: Number(after.tickNs - before.tickNs) / 1e9,
    expectedTickCount,
    ranTickCount,
    missedTickCount,
    missedByCause,
    silentMissCount: expectedTickCount - ranTickCount - missedTickCount,
  };
}

export interface Mark {
  readonly statistics: ServoStatistics;
  readonly tickNs: bigint;
  /** The grid's own time of that tick, which ran some lateness after it. */
  readonly gridNs: number;
}

/** Reads statistics together with the time of the tick after which they were taken. */
export class Marker {
  readonly #client: ServoClient;
  readonly #tickNs = new Map<number, bigint>();

  constructor(client: ServoClient) {
    this.#client = client;
    client.onSnapshot(({ tick, tickNs }) => {
      this.#tickNs.set(tick, tickNs);
      this.#tickNs.delete(tick - TICKS_KEPT);
    });
  }

  async mark(): Promise<Mark> {
    const statistics = await this.#client.statistics();
    const tick = statistics.ticks + Object.values(statistics.missed).reduce((sum, count) => sum + count, 0);
    for (let wait = 0; wait < 100; wait++) {
      const tickNs = this.#tickNs.get(tick);
      if (tickNs !== undefined) return { statistics, tickNs, gridNs: this.#gridNs(tick) };
      await sleepMs(systemClock, 5);
    }
    throw new CerebellumError(
      "CHECK_FAILED",
      `${statistics.ticks} ticks ran and ${tick - statistics.ticks} were missed, but no snapshot has number ${tick}`,
      "Repeat the measurement; if it happens again, the loop miscounts",
    );
  }

  /** The punctual ticks among those kept show where the grid lies. */
  #gridNs(tick: number): number {
    const periodNs = 1e9 / this.#client.info.rateHz;
    let gridNs = Number.POSITIVE_INFINITY;
    for (const [other, tickNs] of this.#tickNs)
      if (Math.abs(tick - other) <= GRID_TICKS)
        gridNs = Math.min(gridNs, Number(tickNs) + (tick - other) * periodNs);
    return gridNs;
  }
}
