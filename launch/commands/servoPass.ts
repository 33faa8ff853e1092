/**
 * One pass of `bench servo`: a real servo process at its full rate against the emulated controller, each in a process
 * of its own, with a commander that streams targets at 5 Hz, and the C reference loop beside them in the same window.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { addNs, msToNs, NS_PER_MS, sleepMs } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import { percentileOfCounts } from "../../core/histogram.js";
import { XArm7Config } from "../../drivers/xarm7/config.js";
import type { ServoClient, ServoSnapshot, ServoStatistics } from "../../runtime/servo/api.js";
import { ServoConfig } from "../../runtime/servo/config.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { Child } from "../child.js";
import { createLog } from "../log.js";
import { systemClock } from "../systemClock.js";
import { COMMAND_RATE_HZ, HOME_RAD, SWING_PERIOD_S, SWING_RAD } from "../timing/practice.js";
import { type ReferenceLateness, runReference } from "../timing/reference.js";
import { type SampleSummary, summariseMs } from "./statistics.js";
import { countTicks, Marker, type TickCount } from "./tickGrid.js";

const COMMAND_VALID_MS = 500;
const WARM_UP_MS = 1500;
const NO_SAMPLES: SampleSummary = {
  count: 0,
  p50Ms: Number.NaN,
  p99Ms: Number.NaN,
  p999Ms: Number.NaN,
  maxMs: Number.NaN,
};
const READY_MS_MAX = 15_000;

export interface ServoPass extends TickCount {
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
  /** From the commander's stamp to the first frame for the device. */
  readonly commandToWire: SampleSummary;
  readonly refusedCommands: Readonly<Record<string, number>>;
  readonly snapshotCount: number;
  readonly driver: Readonly<Record<string, number>>;
  readonly memory: MemorySummary;
}

/** Runs one pass with its own emulator and servo process; `realtimePriority` 0 asks for none. */
export async function runServoPass(options: {
  readonly seconds: number;
  readonly realtimePriority: number;
  readonly referenceProgram: string;
  /** Of the servo process: to measure what a flag changes. */
  readonly nodeOptions?: readonly string[];
}): Promise<ServoPass> {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-bench-"));
  const emulator = await startEmulator();
  let servo: Child | undefined;
  try {
    const socketPath = join(folder, "servo.sock");
    servo = await startServoProcess(emulator.ports, socketPath, options);
    return await measure(socketPath, options.seconds, options.referenceProgram);
  } finally {
    await servo?.stop(2000);
    emulator.process.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  }
}

interface Emulator {
  readonly process: ChildProcess;
  readonly ports: Readonly<Record<"command" | "highRate" | "normal" | "rich" | "realTime", number>>;
}

async function startEmulator(): Promise<Emulator> {
  const entry = entryUrl("../processes/xarm7EmulatorMain.js", import.meta.url);
  const emulator = spawn(
    process.execPath,
    [fileURLToPath(entry), JSON.stringify({ positionRad: HOME_RAD })],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: emulator.stdout }).once("line", resolve);
    emulator.once("exit", (code) => reject(new Error(`the emulator ended with exit code ${code}`)));
  });
  return { process: emulator, ports: (JSON.parse(line) as { ports: Emulator["ports"] }).ports };
}

async function startServoProcess(
  ports: Emulator["ports"],
  socketPath: string,
  { realtimePriority, nodeOptions = [] }: { realtimePriority: number; nodeOptions?: readonly string[] },
): Promise<Child> {
  const { command, ...reportPorts } = ports;
  const { child } = await Child.start({
    name: "servo:bench",
    entry: entryUrl("../processes/servoMain.js", import.meta.url),
    config: {
      robot: "bench",
      device: "xarm7",
      xarm7: XArm7Config.parse({ host: "127.0.0.1", commandPort: command, reportPorts }),
      servo: ServoConfig.parse({ realtimePriority }),
      socketPath,
      logLevel: "warn",
    },
    clock: systemClock,
    log: createLog("warn", 2),
    readyWithinMs: READY_MS_MAX,
    nodeOptions,
  });
  return child;
}

async function measure(socketPath: string, seconds: number, referenceProgram: string): Promise<ServoPass> {
  const connect = (role: "supervisor" | "commander") =>
    connectServo(socketPath, { role, name: `bench ${role}`, clock: systemClock });
  const supervisor = await connect("supervisor");
  const commander = await connect("commander");
  const marker = new Marker(supervisor);
  await supervisor.enable();
  const stream = new CommandStream(commander);
  const streaming = stream.run(WARM_UP_MS + seconds * 1000);
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
  return {
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
}

/** A slow swing of all joints about the start pose, and the time that each command took to the wire. */
class CommandStream {
  readonly wireMs: number[] = [];
  snapshotCount = 0;
  readonly #client: ServoClient;
  readonly #sentNs = new Map<number, bigint>();

  constructor(client: ServoClient) {
    this.#client = client;
    client.onSnapshot((snapshot) => this.#take(snapshot));
  }

  async run(durationMs: number): Promise<void> {
    const lease = await this.#client.acquireLease("bench");
    const home = [...this.#client.latest()!.positionRad];
    const startNs = systemClock.nowNs();
    for (let count = 0; count * (1000 / COMMAND_RATE_HZ) < durationMs; count++) {
      await systemClock.sleepUntil(addNs(startNs, msToNs((count * 1000) / COMMAND_RATE_HZ)));
      const phase = (2 * Math.PI * count) / (COMMAND_RATE_HZ * SWING_PERIOD_S);
      const positionRad = home.map((value) => value + SWING_RAD * Math.sin(phase));
      const nowNs = systemClock.nowNs();
      const seq = lease.command({ positionRad, expiresNs: addNs(nowNs, msToNs(COMMAND_VALID_MS)) });
      this.#sentNs.set(seq, nowNs);
    }
    lease.release();
  }

  #take(snapshot: ServoSnapshot): void {
    this.snapshotCount++;
    const sentNs = this.#sentNs.get(snapshot.commandSeq);
    if (sentNs === undefined) return;
    this.#sentNs.delete(snapshot.commandSeq);
    this.wireMs.push(Number(snapshot.commandWireNs - sentNs) / Number(NS_PER_MS));
  }
}

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

/** Asks the servo for its memory once a second. */
class MemorySampler {
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
