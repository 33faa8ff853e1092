/**
 * The timing self-test's loop: the servo's own loop, tick and thread settings with an arm in memory, in a process of
 * its own. Configuration is one JSON line on standard input, the result one JSON line on standard output.
 */
import { setFlagsFromString } from "node:v8";
import { z } from "zod";
import { sleepMs } from "../../core/clock.js";
import { percentileOfCounts } from "../../core/histogram.js";
import { ServoConfig } from "../../runtime/servo/config.js";
import { ServoLoop } from "../../runtime/servo/loop.js";
import { printFailure, printReady, readChildConfig } from "../child.js";
import { makeThisThreadFifo, pinThisThread } from "../realtime.js";
import { createTickClock, systemClock } from "../systemClock.js";
import { COMMAND_RATE_HZ, Practice } from "../timing/practice.js";

// As in the servo process.
setFlagsFromString("--no-parallel-scavenge");

/** Until the compiler has seen the tick often enough. */
const WARM_UP_MS = 3000;

export const TimingConfig = z.strictObject({
  servo: ServoConfig,
  seconds: z.number().positive().max(3600),
});
export type TimingConfig = z.infer<typeof TimingConfig>;

/** What the loop held. Lateness in microseconds after the deadline. */
export interface TimingResult {
  readonly rateHz: number;
  readonly seconds: number;
  readonly realtimePriority: number;
  readonly tickCount: number;
  readonly missedByCause: Readonly<Record<string, number>>;
  readonly latenessUs: {
    readonly p50: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
  };
  readonly collections: number;
  readonly rssBytes: number;
}

async function run(): Promise<void> {
  const { servo: config, seconds } = TimingConfig.parse(await readChildConfig(() => process.exit(1)));
  pinThisThread(config.cpus, "servo.cpus");
  const realtimePriority = makeThisThreadFifo(config.realtimePriority);
  const practice = new Practice(systemClock, config);
  await practice.start();
  const clock = createTickClock();
  const commandEvery = Math.round(config.rateHz / COMMAND_RATE_HZ);
  const commandTicks = { left: 0 };
  const loop = new ServoLoop(clock, config.rateHz, (tick) => {
    if (--commandTicks.left <= 0) {
      practice.command();
      commandTicks.left = commandEvery;
    }
    practice.tick(tick);
  });
  loop.start();
  await sleepMs(systemClock, WARM_UP_MS);
  const before = { ticks: loop.ticks, missed: { ...loop.missed }, counts: loop.lateness.counts() };
  const collectionsBefore = clock.collections.count;
  loop.lateness.forgetMaximum();
  await sleepMs(systemClock, 1000 * seconds);
  await loop.stop();
  const counts = loop.lateness.counts().map((count, bucket) => count - before.counts[bucket]!);
  const { bucketsUs, maxUs } = loop.lateness;
  const at = (share: number) => percentileOfCounts(bucketsUs, counts, share, maxUs);
  const result: TimingResult = {
    rateHz: config.rateHz,
    seconds,
    realtimePriority,
    tickCount: loop.ticks - before.ticks,
    missedByCause: Object.fromEntries(
      Object.entries(loop.missed).map(([cause, count]) => [
        cause,
        count - before.missed[cause as keyof typeof before.missed],
      ]),
    ),
    latenessUs: { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: maxUs },
    collections: clock.collections.count - collectionsBefore,
    rssBytes: process.memoryUsage.rss(),
  };
  printReady(result);
  process.exit(0);
}

run().catch((thrown: unknown) => {
  printFailure(thrown);
  process.exit(1);
});
