/** What a tick of the real servo leaves on the heap, without device, sockets or clients, in simulated time. */
import type { Tick } from "../../runtime/servo/loop.js";
import { measureGarbage } from "./garbage.js";
import { COMMAND_RATE_HZ, Practice } from "./practice.js";
import { SteppedClock } from "./steppedClock.js";

const RATE_HZ = 250;
const PERIOD_MS = 1000 / RATE_HZ;
/** Until the compiler has seen everything often enough. */
const WARM_UP_TICKS = 20_000;

export interface AllocationResult {
  readonly ticks: number;
  /** Live bytes after the run less those before it, each after a full collection. */
  readonly heapGrowthBytes: number;
  /** Median over short runs without a collection; without and with a new command 5 times a second. */
  readonly bytesPerTick: number;
}

export async function measureAllocation(options: {
  readonly ticks: number;
  /** `following`: with a new target 5 times a second, all the way through. */
  readonly what: "holding" | "following";
  /** A full collection of garbage. */
  readonly collect: () => void;
}): Promise<AllocationResult> {
  const clock = new SteppedClock();
  const practice = new Practice(clock);
  await practice.start();
  const tick: Tick = { index: 0, nowMs: clock.ms, skipped: 0, missCause: "lateWake", sendMs: 0 };
  const newsEvery = RATE_HZ / COMMAND_RATE_HZ;
  const run = (count: number) => {
    for (let i = 0; i < count; i++) {
      clock.ms += PERIOD_MS;
      tick.index++;
      tick.nowMs = clock.ms;
      if (tick.index % newsEvery === 0) {
        if (options.what === "following") practice.command();
        else practice.hear();
      }
      practice.tick(tick);
    }
  };
  run(WARM_UP_TICKS);
  const { heapGrowthBytes, bytesPerRun } = measureGarbage({
    runs: options.ticks,
    run,
    collect: options.collect,
  });
  return { ticks: options.ticks, heapGrowthBytes, bytesPerTick: bytesPerRun };
}
