/**
 * `bench teleop`: from a pose that leaves an emulated headset to the first servo frame that it changes on the emulated
 * controller's wire, through the real daemon, over plain and over encrypted WebSockets, while an episode with a camera
 * is recorded. The episode tells which command a pose became and in which tick it took effect; the controller's own log
 * tells when that tick's frame came. It fails where the median or the 99th percentile is above its bar.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { asMonotonicNs, nsToMs, sleepMs } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import {
  readServoTick,
  readTeleopInput,
  servoTickTopic,
  TELEOP_INPUT_TOPIC,
} from "../../episodes/messages.js";
import { GatewayConfig } from "../../runtime/gateway/config.js";
import type { CellConfig } from "../cell/schema.js";
import type { Daemon } from "../daemon/daemon.js";
import { JsonChild } from "../rig/jsonChild.js";
import { framesOf, type WireFrame } from "../rig/wire.js";
import { stateFolder } from "../runFolder.js";
import { goTo } from "../tasks/trial.js";
import { enableOrFail, withDaemon } from "./running.js";
import { type SampleSummary, summariseMs } from "./statistics.js";

export const TELEOP_BARS = { p50MsMax: 12, p99MsMax: 30 } as const;
const WAYS = ["plain", "tls"] as const;
type Way = (typeof WAYS)[number];
const NAME = "bench_teleop";
const TASK = "bench";
const RATE_HZ = 90;
const WARM_UP_MS = 2000;
/** Before the figure: half of the reach in front of the arm, away from every limit [rad]. */
const START = { positionRad: [0, -0.2, 0, 1.1, 0, 1.3, 0], gripperOpeningM: 0.08 };
const START_SPEED_SCALE = 0.5;
/** A tick's frame is in the log within this of the tick. */
const FRAME_MS_MAX = 100;
/** Of a tick's frame after its pose has left, and of changes of the command after a pose has arrived. */
const FRAMES_LOOKED_AT = 64;
const TICKS_LOOKED_AT = 16;
/** Fewer poses that became motion than this are no measurement. */
const MEASURED_SHARE_MIN = 0.8;
/** The controller's log holds four minutes. */
const SECONDS_MAX = 200;

export interface TeleopBenchOptions {
  readonly cell: string;
  /** Of each way. */
  readonly seconds: number;
  readonly onProgress: (line: string) => void;
}

export interface TeleopWayResult {
  readonly way: Way;
  readonly seconds: number;
  readonly sentCount: number;
  /** Poses that arrived, by the episode. */
  readonly receivedCount: number;
  /** Poses that became commands. */
  readonly commandedCount: number;
  /** Of those, commands whose frame was found on the wire. */
  readonly measuredCount: number;
  /** From the message's leaving to the first changed frame on the wire. */
  readonly messageToWire: SampleSummary | undefined;
  /** Its parts: to the gateway's thread, and from there to the tick in which it took effect. */
  readonly messageToArrival: SampleSummary | undefined;
  readonly arrivalToTick: SampleSummary | undefined;
  /** How often an engagement ended by itself and was begun again, and the first reasons. */
  readonly latchedCount: number;
  readonly latches: readonly string[];
  /** Of one core, the daemon's whole process with all its threads. */
  readonly daemonCpuShare: number;
  readonly holds: boolean;
}

export interface TeleopBenchResult {
  readonly rateHz: number;
  readonly bars: typeof TELEOP_BARS;
  readonly realtimePriority: number;
  readonly ways: readonly TeleopWayResult[];
  readonly holds: boolean;
}

/** @throws CerebellumError LAB_REFUSED for a cell that cannot be measured, CHECK_FAILED when interrupted */
export async function benchTeleop(options: TeleopBenchOptions): Promise<TeleopBenchResult> {
  const base = stateFolder(NAME);
  mkdirSync(base, { recursive: true });
  const folder = mkdtempSync(join(base, "episodes-"));
  const port = await freePort();
  try {
    return await withDaemon(
      {
        cellFile: options.cell,
        logLevel: "warn",
        policy: false,
        logToStderr: true,
        adjust: (cell) => benchCell(cell, folder, port),
      },
      (daemon, signal) => measure(daemon, folder, options, signal),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function benchCell({ policy: _, ...cell }: CellConfig, folder: string, port: number): CellConfig {
  if (cell.lab === undefined || cell.recorder === "off" || Object.keys(cell.cameras).length === 0)
    throw new CerebellumError(
      "LAB_REFUSED",
      "Teleoperation is measured with a cell that has `lab`, a camera and a recorder",
      "Use launch/cells/xarm7-lab.yaml",
    );
  return {
    ...cell,
    name: NAME,
    gateway: GatewayConfig.parse({ port }),
    recorder: { ...cell.recorder, folder },
  };
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    }),
  );
}

async function measure(
  daemon: Daemon,
  folder: string,
  options: TeleopBenchOptions,
  signal: AbortSignal,
): Promise<TeleopBenchResult> {
  const [robot] = Object.keys(daemon.cell.robots);
  await enableOrFail(daemon);
  const ways: TeleopWayResult[] = [];
  for (const way of WAYS) {
    await goTo(daemon, robot!, START, START_SPEED_SCALE, signal);
    const seconds = Math.min(options.seconds, SECONDS_MAX);
    options.onProgress(`${way} WebSocket for ${seconds} s`);
    ways.push(await measureWay(daemon, robot!, folder, way, seconds, signal));
  }
  return {
    rateHz: RATE_HZ,
    bars: TELEOP_BARS,
    realtimePriority: daemon.servo(robot!).info.realtimePriority,
    ways,
    holds: ways.every(({ holds }) => holds),
  };
}

async function measureWay(
  daemon: Daemon,
  robot: string,
  folder: string,
  way: Way,
  seconds: number,
  signal: AbortSignal,
): Promise<TeleopWayResult> {
  const { clock } = daemon;
  const recorder = daemon.recorder!;
  const gateway = daemon.gateway!;
  const { code } = await gateway.pair("operator");
  const headset = new JsonChild("headset", entryUrl("../processes/emulatedHeadsetMain.js", import.meta.url));
  try {
    await headset.ask({
      origin: `${way === "tls" ? "https" : "http"}://127.0.0.1:${gateway.status().port}`,
      code,
      robot,
      rateHz: RATE_HZ,
      ...(way === "tls"
        ? { certificate: readFileSync(join(stateFolder(NAME), "gateway.cert.pem"), "utf8") }
        : {}),
    });
    await headset.ask({ do: "engage" });
    await sleepMs(clock, WARM_UP_MS, signal);
    await daemon.lab!.ask({ do: "wire", since: 0, form: "times", clear: true });
    const { folder: episode } = await recorder.start({
      task: TASK,
      kind: "demonstration",
      note: "",
      context: { way },
    });
    const cpuBefore = process.cpuUsage();
    const startMs = clock.nowMs();
    await sleepMs(clock, seconds * 1000, signal);
    const cpu = process.cpuUsage(cpuBefore);
    const spentMs = clock.nowMs() - startMs;
    await recorder.stop({ outcome: "unlabelled", note: "" });
    const { wire } = await daemon.lab!.ask({ do: "wire", since: 0, form: "records", clear: false });
    const { sent, latches, latched } = (await headset.ask({ do: "release" })) as {
      readonly sent: readonly (readonly [number, string])[];
      readonly latched: number;
      readonly latches: readonly string[];
    };
    if (signal.aborted)
      throw new CerebellumError("CHECK_FAILED", "The measurement was interrupted", "Let it run to its end");
    const found = await evaluate(episode || join(folder, TASK), robot, new Map(sent), framesOf(wire!));
    const { messageToWire } = found;
    return {
      way,
      seconds: spentMs / 1000,
      sentCount: sent.filter(
        ([, atNs]) => nsToMs(BigInt(atNs)) >= startMs && nsToMs(BigInt(atNs)) < startMs + spentMs,
      ).length,
      ...found,
      latchedCount: latched,
      latches,
      daemonCpuShare: (cpu.user + cpu.system) / 1000 / spentMs,
      holds:
        messageToWire !== undefined &&
        found.measuredCount >= MEASURED_SHARE_MIN * found.receivedCount &&
        messageToWire.p50Ms <= TELEOP_BARS.p50MsMax &&
        messageToWire.p99Ms <= TELEOP_BARS.p99MsMax,
    };
  } finally {
    headset.closeInput();
    await headset.exited;
  }
}

/** Follows each pose of the episode to its command, its tick, and that tick's frame in the controller's log. */
async function evaluate(
  folder: string,
  robot: string,
  sentNs: ReadonlyMap<number, string>,
  frames: readonly WireFrame[],
): Promise<
  Pick<
    TeleopWayResult,
    | "receivedCount"
    | "commandedCount"
    | "measuredCount"
    | "messageToWire"
    | "messageToArrival"
    | "arrivalToTick"
  >
> {
  const episode = await EpisodeReader.open(folder);
  try {
    const { monotonicNs, epochNs } = episode.start.clock;
    const toMonotonicMs = (stampNs: bigint) =>
      nsToMs(asMonotonicNs(stampNs - BigInt(epochNs) + BigInt(monotonicNs)));
    const ticks: {
      readonly atMs: number;
      readonly commandSeq: number;
      readonly sentRad: readonly number[];
    }[] = [];
    for await (const message of episode.messages({ topics: [servoTickTopic(robot)] })) {
      const { stampNs, commandSeq, sentRad } = readServoTick(episode.decode(message));
      // Only the first tick of each command says when it took effect.
      if (ticks.at(-1)?.commandSeq !== commandSeq)
        ticks.push({ atMs: toMonotonicMs(stampNs), commandSeq, sentRad: [...sentRad] });
    }
    ticks.shift();
    const setpoints = frames.filter(({ positionRad }) => positionRad !== undefined);
    const samples = { wire: [] as number[], arrival: [] as number[], tick: [] as number[] };
    let receivedCount = 0;
    let commandedCount = 0;
    let tickAt = 0;
    let frameAt = 0;
    for await (const message of episode.messages({ topics: [TELEOP_INPUT_TOPIC] })) {
      const { stampNs, seq, commandSeq } = readTeleopInput(episode.decode(message));
      receivedCount++;
      const leftNs = sentNs.get(seq);
      if (commandSeq === 0 || leftNs === undefined) continue;
      commandedCount++;
      const arrivedMs = toMonotonicMs(stampNs);
      // Numbers of commands begin anew with each engagement; what a tick did before the pose arrived is another's.
      while (tickAt < ticks.length && ticks[tickAt]!.atMs < arrivedMs) tickAt++;
      const tick = ticks
        .slice(tickAt, tickAt + TICKS_LOOKED_AT)
        .find((one) => one.commandSeq >= commandSeq && one.atMs < arrivedMs + FRAME_MS_MAX);
      if (tick === undefined) continue;
      const leftMs = nsToMs(BigInt(leftNs));
      const wanted = tick.sentRad.map(Math.fround);
      while (frameAt < setpoints.length && nsToMs(setpoints[frameAt]!.atNs) < leftMs) frameAt++;
      const frame = setpoints
        .slice(frameAt, frameAt + FRAMES_LOOKED_AT)
        .find(
          ({ positionRad, atNs }) =>
            nsToMs(atNs) < tick.atMs + FRAME_MS_MAX &&
            wanted.every((value, joint) => Math.fround(positionRad![joint]!) === value),
        );
      if (frame === undefined) continue;
      samples.wire.push(nsToMs(frame.atNs) - leftMs);
      samples.arrival.push(arrivedMs - leftMs);
      samples.tick.push(tick.atMs - arrivedMs);
    }
    return {
      receivedCount,
      commandedCount,
      measuredCount: samples.wire.length,
      messageToWire: summariseMs(samples.wire),
      messageToArrival: summariseMs(samples.arrival),
      arrivalToTick: summariseMs(samples.tick),
    };
  } finally {
    await episode.close();
  }
}

/** @throws CerebellumError CHECK_FAILED above a bar, or where too few poses became motion */
export function requireTeleopBars({ ways, holds, bars }: TeleopBenchResult): void {
  if (holds) return;
  const broken = ways.filter((way) => !way.holds).map(({ way }) => way);
  throw new CerebellumError(
    "CHECK_FAILED",
    `Teleoperation over ${broken.join(" and ")} WebSockets is slower than p50 ${bars.p50MsMax} ms, p99 ${bars.p99MsMax} ms, or was engaged for too little of the time`,
    "Run it on a machine with nothing else to do; `./cerebellum doctor` tells what the machine lacks",
  );
}

export function describeTeleopBench({ ways, bars, rateHz, realtimePriority }: TeleopBenchResult): string[] {
  const ms = (one: SampleSummary | undefined) =>
    one === undefined
      ? "none"
      : `p50 ${one.p50Ms.toFixed(2)}, p99 ${one.p99Ms.toFixed(2)}, max ${one.maxMs.toFixed(2)} ms`;
  return ways.flatMap((way) => [
    `${way.way}: ${way.seconds.toFixed(0)} s at ${rateHz} Hz; sent ${way.sentCount}, received ${way.receivedCount}, commands ${way.commandedCount}, measured on the wire ${way.measuredCount}`,
    `  message to first changed frame ${ms(way.messageToWire)} (bars ${bars.p50MsMax}, ${bars.p99MsMax} ms): ${way.holds ? "holds" : "DOES NOT HOLD"}`,
    `  message to arrival ${ms(way.messageToArrival)}; arrival to tick ${ms(way.arrivalToTick)}`,
    `  daemon ${(100 * way.daemonCpuShare).toFixed(0)} % of a core, ${realtimePriority > 0 ? `SCHED_FIFO priority ${realtimePriority}` : "normal priority"}; ${way.latchedCount === 0 ? "never latched" : `latched ${way.latchedCount} times: ${way.latches.join("; ")}`}`,
  ]);
}
