/**
 * The timing self-test's loop: the servo's own loop, tick and thread settings with a robot in memory, in a process of
 * its own. Configuration is one JSON line on standard input, the result one JSON line on standard output.
 */
import { setFlagsFromString } from "node:v8";
import { z } from "zod";
import { type Clock, sleepMs } from "../../core/clock.js";
import { percentileOfCounts } from "../../core/histogram.js";
import { HandServoConfig, LegServoConfig, ServoConfig } from "../../runtime/servo/config.js";
import { ServoLoop, type Tick } from "../../runtime/servo/loop.js";
import { printFailure, printReady, readChildConfig } from "../child.js";
import { NAP_MS } from "../naps.js";
import { makeThisThreadFifo, pinThisThread } from "../realtime.js";
import { createTickClock, systemClock } from "../systemClock.js";
import { LEG_COMMAND_RATE_HZ, LegPractice } from "../timing/legPractice.js";
import { COMMAND_RATE_HZ, Practice, practiceHand } from "../timing/practice.js";

// As in the servo process.
setFlagsFromString("--no-parallel-scavenge");

/** Until the compiler has seen the tick often enough. */
const WARM_UP_MS = 3000;

const seconds = z.number().positive().max(3600);
export const TimingConfig = z.discriminatedUnion("device", [
  z.strictObject({ device: z.literal("xarm7"), servo: ServoConfig, seconds }),
  z.strictObject({ device: z.literal("allegro"), servo: HandServoConfig, seconds }),
  z.strictObject({ device: z.literal("digit"), servo: LegServoConfig, seconds }),
]);
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

/** Enabled, and led. */
interface Practised {
  readonly commandRateHz: number;
  command(): void;
  tick(tick: Tick): void;
}

async function practise(clock: Clock, config: TimingConfig): Promise<Practised> {
  if (config.device === "digit") {
    const legs = new LegPractice(clock, config.servo);
    await legs.start();
    legs.lead();
    return {
      commandRateHz: LEG_COMMAND_RATE_HZ,
      command: () => legs.command(),
      tick: (tick) => legs.tick(tick),
    };
  }
  const robot = config.device === "allegro" ? practiceHand(clock, config.servo) : undefined;
  const practice = new Practice(clock, config.servo, robot);
  await practice.start();
  return {
    commandRateHz: COMMAND_RATE_HZ,
    command: () => practice.command(),
    tick: (tick) => practice.tick(tick),
  };
}

async function run(): Promise<void> {
  const timing = TimingConfig.parse(await readChildConfig(() => process.exit(1)));
  const { device, servo: config, seconds } = timing;
  pinThisThread(config.cpus, "servo.cpus");
  const realtimePriority = makeThisThreadFifo(config.realtimePriority);
  const practice = await practise(systemClock, timing);
  const clock = createTickClock();
  const commandEvery = Math.round(config.rateHz / practice.commandRateHz);
  const commandTicks = { left: 0 };
  const onTick = (tick: Tick) => {
    if (--commandTicks.left <= 0) {
      practice.command();
      commandTicks.left = commandEvery;
    }
    practice.tick(tick);
  };
  const loop = new ServoLoop(clock, config.rateHz, onTick, { napMs: NAP_MS[device] });
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
