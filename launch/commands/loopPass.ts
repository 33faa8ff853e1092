/**
 * One pass of a bench of the servo: a real servo process at its full rate against an emulated robot, each in a process of
 * its own, with a commander, and the C reference loop beside them in the same window.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleepMs } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import { percentileOfCounts } from "../../core/histogram.js";
import type { ServoClient, ServoStatistics } from "../../runtime/servo/api.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { Child } from "../child.js";
import { createLog } from "../log.js";
import { systemClock } from "../systemClock.js";
import { type ReferenceLateness, runReference } from "../timing/reference.js";
import { MemorySampler, type MemorySummary } from "./memorySampler.js";
import { type SampleSummary, summariseMs } from "./statistics.js";
import { countTicks, Marker, type TickCount } from "./tickGrid.js";

const WARM_UP_MS = 1500;
const NO_SAMPLES: SampleSummary = {
  count: 0,
  p50Ms: Number.NaN,
  p99Ms: Number.NaN,
  p999Ms: Number.NaN,
  maxMs: Number.NaN,
};
const READY_MS_MAX = 15_000;

/** The emulated robot of a pass, and what the servo process has to know of it. */
export interface LoopRobot {
  /** Of the servo process's configuration: device, its section, the servo's. */
  readonly servo: Readonly<Record<string, unknown>>;
  close(): Promise<void>;
}

/** Whoever commands the robot during a pass. */
export interface CommandStream {
  /** What it measures: from something of its own to the first frame for the device. */
  readonly wireMs: readonly number[];
  readonly snapshotCount: number;
  run(durationMs: number): Promise<void>;
}

export interface LoopPass extends TickCount {
  readonly rateHz: number;
  /** Of servo and reference alike; 0 is the normal class. */
  readonly realtimePriority: number;
  /** Of this pass; the maximum counts from the start of the servo process. */
  readonly latenessUs: ServoStatistics["latenessUs"];
  readonly latenessBucketsUs: readonly number[];
  readonly latenessCounts: readonly number[];
  /** The C loop's lateness in the same window, and the servo's as a multiple of it. */
  readonly reference: ReferenceLateness;
  readonly ratio: { readonly p99: number; readonly p999: number };
  /** What the commander measures, to the first frame for the device. */
  readonly commandToWire: SampleSummary;
  readonly refusedCommands: Readonly<Record<string, number>>;
  readonly snapshotCount: number;
  readonly driver: Readonly<Record<string, number>>;
  readonly memory: MemorySummary;
}

export interface LoopPassOptions<S extends CommandStream> {
  readonly seconds: number;
  readonly referenceProgram: string;
  readonly robot: LoopRobot;
  /** @param socketPath for whoever connects by itself, from another thread */
  readonly stream: (commander: ServoClient, supervisor: ServoClient, socketPath: string) => S;
  /** The commander gets one snapshot in so many ticks; with 0, none. */
  readonly snapshotEvery?: number;
  /** Of the servo process: to measure what a flag changes. */
  readonly nodeOptions?: readonly string[];
}

/** Runs one pass with a servo process of its own; the robot is the caller's to close. */
export async function runLoopPass<S extends CommandStream>(
  options: LoopPassOptions<S>,
): Promise<{ readonly pass: LoopPass; readonly stream: S }> {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-bench-"));
  let servo: Child | undefined;
  try {
    const socketPath = join(folder, "servo.sock");
    const { child } = await Child.start({
      name: "servo:bench",
      entry: entryUrl("../processes/servoMain.js", import.meta.url),
      config: { robot: "bench", ...options.robot.servo, socketPath, logLevel: "warn" },
      clock: systemClock,
      log: createLog("warn", 2),
      readyWithinMs: READY_MS_MAX,
      nodeOptions: options.nodeOptions ?? [],
    });
    servo = child;
    return await measure(socketPath, options);
  } finally {
    await servo?.stop(2000);
    rmSync(folder, { recursive: true });
  }
}

async function measure<S extends CommandStream>(
  socketPath: string,
  { seconds, referenceProgram, stream: streamOf, snapshotEvery = 1 }: LoopPassOptions<S>,
): Promise<{ readonly pass: LoopPass; readonly stream: S }> {
  const connect = (role: "supervisor" | "commander", every: number) =>
    connectServo(socketPath, {
      role,
      name: `bench ${role}`,
      clock: systemClock,
      snapshotEveryTicks: every,
    });
  const supervisor = await connect("supervisor", 1);
  const commander = await connect("commander", snapshotEvery);
  const marker = new Marker(supervisor);
  await supervisor.enable();
  const stream = streamOf(commander, supervisor, socketPath);
  const streaming = stream.run(WARM_UP_MS + seconds * 1000);
  // Its failure is awaited below.
  streaming.catch(() => {});
  await sleepMs(systemClock, WARM_UP_MS);
  const { rateHz, realtimePriority } = supervisor.info;
  const before = await marker.mark();
  const memory = new MemorySampler(supervisor);
  const [reference] = await Promise.all([
    runReference(referenceProgram, { rateHz, seconds, realtimePriority }),
    memory.run(seconds),
  ]);
  const after = await marker.mark();
  await streaming;
  await supervisor.stop(2, "the measurement has ended");
  await Promise.all([supervisor.close(), commander.close()]);

  const counts = after.statistics.counts.map((count, i) => count - before.statistics.counts[i]!);
  const at = (share: number) =>
    percentileOfCounts(after.statistics.bucketsUs, counts, share, after.statistics.latenessUs.max);
  const latenessUs = { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: after.statistics.latenessUs.max };
  const pass: LoopPass = {
    ...countTicks(before, after, rateHz),
    rateHz,
    realtimePriority,
    latenessUs,
    latenessBucketsUs: after.statistics.bucketsUs,
    latenessCounts: counts,
    reference,
    ratio: { p99: latenessUs.p99 / reference.p99, p999: latenessUs.p999 / reference.p999 },
    commandToWire: summariseMs(stream.wireMs) ?? NO_SAMPLES,
    refusedCommands: after.statistics.refusedCommands,
    snapshotCount: stream.snapshotCount,
    driver: after.statistics.driver,
    memory: memory.summary(),
  };
  return { pass, stream };
}
