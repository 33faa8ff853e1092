/** Memory of a servo process, asked for once a second. */
import { addNs, msToNs } from "../../core/clock.js";
import type { ServoClient, ServoStatistics } from "../../runtime/servo/api.js";
import { systemClock } from "../systemClock.js";

export interface MemorySummary {
  readonly rssBytesMax: number;
  /** Made by the loop's thread a tick, with two clients and one question for statistics a second. */
  readonly bytesPerTick: number;
  /** How much more than at first the heap holds right after collections at last. */
  readonly heapFloorGrowthBytes: number;
  readonly collections: number;
  readonly collectionMs: number;
}

const MEMORY_EVERY_MS = 1000;

export class MemorySampler {
  readonly #client: ServoClient;
  readonly #samples: ServoStatistics[] = [];

  constructor(client: ServoClient) {
    this.#client = client;
  }

  async run(seconds: number): Promise<void> {
    const startNs = systemClock.nowNs();
    for (let count = 0; count * MEMORY_EVERY_MS <= 1000 * seconds; count++) {
      await systemClock.sleepUntil(addNs(startNs, msToNs(count * MEMORY_EVERY_MS)));
      this.#samples.push(await this.#client.statistics());
    }
    await systemClock.sleepUntil(addNs(startNs, msToNs(1000 * seconds)));
  }

  summary(): MemorySummary {
    const first = this.#samples[0]!.memory;
    const last = this.#samples.at(-1)!.memory;
    return {
      rssBytesMax: Math.max(...this.#samples.map(({ memory }) => memory.rssBytes)),
      bytesPerTick: this.#bytesPerTick(),
      heapFloorGrowthBytes: this.#heapFloorGrowth(),
      collections: last.collections - first.collections,
      collectionMs: last.collectionMs - first.collectionMs,
    };
  }

  /** Median over the seconds without a collection. */
  #bytesPerTick(): number {
    const perTick = this.#samples
      .flatMap((sample, i) => {
        const before = this.#samples[i - 1];
        if (before === undefined || before.memory.collections !== sample.memory.collections) return [];
        return (sample.memory.heapUsedBytes - before.memory.heapUsedBytes) / (sample.ticks - before.ticks);
      })
      .sort((one, other) => one - other);
    return perTick[perTick.length >> 1] ?? Number.NaN;
  }

  #heapFloorGrowth(): number {
    const third = Math.max(1, Math.floor(this.#samples.length / 3));
    const floor = (samples: readonly ServoStatistics[]) =>
      Math.min(...samples.map(({ memory }) => memory.heapUsedBytes));
    return floor(this.#samples.slice(-third)) - floor(this.#samples.slice(0, third));
  }
}
