/**
 * `bench recorder`: two synthetic colour cameras at 640x480 and 30 Hz, a simulated arm at 250 Hz and its joint states,
 * recorded by the real daemon. First without recording, then with it; then the episode is opened and every message is
 * counted against what was published, received and ticked. It fails when a message was lost between its subscription
 * and the disk.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import type { EpisodeEnd, ImageStorage } from "../../episodes/format.js";
import { readServoTick, servoTickTopic } from "../../episodes/messages.js";
import { storedImage } from "../../runtime/recorder/images.js";
import type { ServoStatistics } from "../../runtime/servo/api.js";
import { type Lateness, latenessBetween } from "../../runtime/servo/lateness.js";
import { loadCell } from "../cell/load.js";
import type { CellConfig } from "../cell/schema.js";
import type { Daemon } from "../daemon/daemon.js";
import { startCameraSource, syntheticCameras } from "../rig/cameraSource.js";
import { swing } from "../rig/swing.js";
import { stateFolder } from "../runFolder.js";
import { enableOrFail, withDaemon } from "./running.js";

const CAMERAS = ["left", "right"] as const;
const TASK = "bench";
/** Without recording, for comparison: this share of the time. */
const BASELINE_SHARE = 0.3;
const WARM_UP_MS = 4000;

export interface RecorderBenchOptions {
  readonly cell: string;
  readonly seconds: number;
  readonly images: ImageStorage;
  readonly onProgress: (line: string) => void;
}

export interface RecorderBenchResult {
  readonly seconds: number;
  readonly images: ImageStorage;
  /** Pixels as they came through the subscriptions, and bytes of the file, each a second. */
  readonly receivedMegabytesPerS: number;
  readonly writtenMegabytesPerS: number;
  /** Published while the episode ran, give or take the frames under way at its ends. */
  readonly publishedCount: Readonly<Record<string, number>>;
  readonly topics: EpisodeEnd["topics"];
  readonly endedBecause: EpisodeEnd["endedBecause"];
  readonly flags: EpisodeEnd["flags"];
  /** Messages that were received and are not in the file. */
  readonly lostCount: number;
  readonly tickCount: number;
  /** Numbers missing between ticks of the file; the servo's own misses are among them. */
  readonly tickGapCount: number;
  readonly servoMissedCount: number;
  readonly latenessUs: { readonly without: Lateness; readonly recording: Lateness };
  readonly latenessRatio: { readonly p99: number; readonly p999: number };
  readonly realtimePriority: number;
  /** Of one core, the daemon's whole process with all its threads. */
  readonly daemonCpuShare: { readonly without: number; readonly recording: number };
}

/** @throws CerebellumError RECORDING_FAILED when the recorder refuses, CHECK_FAILED when interrupted */
export async function benchRecorder(options: RecorderBenchOptions): Promise<RecorderBenchResult> {
  // Beside the logs, where there is a disk: a temporary folder may be memory.
  const base = stateFolder(loadCell(options.cell).name);
  mkdirSync(base, { recursive: true });
  const folder = mkdtempSync(join(base, "bench-recorder-"));
  try {
    return await withDaemon(
      {
        cellFile: options.cell,
        logLevel: "warn",
        policy: false,
        logToStderr: true,
        adjust: (cell) => benchCell(cell, folder, options.images),
      },
      (daemon, signal) => measure(daemon, folder, options, signal),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The cell with two cameras that the bench publishes itself, and nothing that would command the arm. */
function benchCell({ policy: _, ...cell }: CellConfig, folder: string, images: ImageStorage): CellConfig {
  const [first] = Object.values(cell.cameras);
  if (cell.lab === undefined || first === undefined || cell.recorder === "off")
    throw new CerebellumError(
      "LAB_REFUSED",
      "The recorder is measured with a cell that has `lab`, a camera and a recorder",
      "Use launch/cells/xarm7-lab.yaml",
    );
  return {
    ...cell,
    cameras: syntheticCameras(CAMERAS, first),
    lab: { ...cell.lab, publishCameras: false },
    recorder: { ...cell.recorder, folder, images },
  };
}

async function measure(
  daemon: Daemon,
  folder: string,
  { seconds, images, onProgress }: RecorderBenchOptions,
  signal: AbortSignal,
): Promise<RecorderBenchResult> {
  const { clock, cell } = daemon;
  const [robot] = Object.keys(cell.robots);
  const recorder = daemon.recorder!;
  const source = startCameraSource(cell.cameras);
  let published: Record<string, number> = {};
  void (async () => {
    for (;;) published = (await source.read()) as Record<string, number>;
  })().catch(() => {});
  await enableOrFail(daemon);
  const ended = new AbortController();
  const swinging = swing(daemon, robot!, AbortSignal.any([signal, ended.signal]));
  try {
    await sleepMs(clock, WARM_UP_MS, signal);
    const without = await phase(
      daemon,
      robot!,
      seconds * BASELINE_SHARE,
      "not recording",
      onProgress,
      signal,
    );
    await recorder.start({ task: TASK, kind: "other", note: "", context: {} });
    const publishedBefore = published;
    const recording = await phase(daemon, robot!, seconds, "recording", onProgress, signal);
    const publishedCount = Object.fromEntries(
      Object.entries(published).map(([topic, count]) => [topic, count - (publishedBefore[topic] ?? 0)]),
    );
    const done = await recorder.stop({ outcome: "unlabelled", note: "" });
    return {
      ...(await inspect(join(folder, TASK, done.episode), robot!, cell, images)),
      seconds: recording.seconds,
      images,
      publishedCount,
      latenessUs: { without: without.latenessUs, recording: recording.latenessUs },
      latenessRatio: {
        p99: recording.latenessUs.p99 / without.latenessUs.p99,
        p999: recording.latenessUs.p999 / without.latenessUs.p999,
      },
      servoMissedCount: recording.missedCount,
      realtimePriority: daemon.servo(robot!).info.realtimePriority,
      daemonCpuShare: { without: without.cpuShare, recording: recording.cpuShare },
    };
  } finally {
    ended.abort();
    await swinging;
    source.closeInput();
    await source.exited;
  }
}

interface Phase {
  readonly seconds: number;
  readonly latenessUs: Lateness;
  readonly missedCount: number;
  readonly cpuShare: number;
}

async function phase(
  daemon: Daemon,
  robot: string,
  seconds: number,
  what: string,
  onProgress: (line: string) => void,
  signal: AbortSignal,
): Promise<Phase> {
  const { clock } = daemon;
  onProgress(`${what} for ${seconds.toFixed(0)} s`);
  const missed = ({ missed: counts }: ServoStatistics) =>
    Object.values(counts).reduce((sum, count) => sum + count, 0);
  const before = await daemon.servo(robot).statistics();
  const cpuBefore = process.cpuUsage();
  const startNs = clock.nowNs();
  await sleepMs(clock, seconds * 1000, signal);
  const cpu = process.cpuUsage(cpuBefore);
  const after = await daemon.servo(robot).statistics();
  const spentS = Number(clock.nowNs() - startNs) / 1e9;
  if (signal.aborted)
    throw new CerebellumError("CHECK_FAILED", "The measurement was interrupted", "Let it run to its end");
  return {
    seconds: spentS,
    latenessUs: latenessBetween(before, after),
    missedCount: missed(after) - missed(before),
    cpuShare: (cpu.user + cpu.system) / 1e6 / spentS,
  };
}

async function inspect(folder: string, robot: string, cell: CellConfig, images: ImageStorage) {
  const episode = await EpisodeReader.open(folder);
  try {
    const { topics, endedBecause, flags } = episode.end;
    const imageTopics = new Set(
      Object.values(cell.cameras).map(({ topic }) => storedImage(`${topic}/color/image_raw`, images).topic),
    );
    let tickCount = 0;
    let tickGapCount = 0;
    let previous: number | undefined;
    for await (const message of episode.messages({ topics: [servoTickTopic(robot)] })) {
      const { tick } = readServoTick(episode.decode(message));
      tickGapCount += previous === undefined ? 0 : tick - previous - 1;
      previous = tick;
      tickCount++;
    }
    const lengthS = Number(BigInt(episode.end.endedNs) - BigInt(episode.start.startedNs)) / 1e9;
    const sum = (of: (counters: EpisodeEnd["topics"][string], topic: string) => number) =>
      Object.entries(topics).reduce((total, [topic, counters]) => total + of(counters, topic), 0);
    const [camera] = Object.values(cell.cameras);
    const imageBytes = 3 * camera!.widthPx * camera!.heightPx;
    return {
      topics,
      endedBecause,
      flags,
      lostCount: sum(({ received, written }) => received - written),
      tickCount,
      tickGapCount,
      receivedMegabytesPerS:
        sum(({ received, bytes }, topic) => (imageTopics.has(topic) ? received * imageBytes : bytes)) /
        lengthS /
        1e6,
      writtenMegabytesPerS: sum(({ bytes }) => bytes) / lengthS / 1e6,
    };
  } finally {
    await episode.close();
  }
}

/** @throws CerebellumError CHECK_FAILED when a message was lost between subscription and disk */
export function requireNothingLost({ lostCount }: RecorderBenchResult): void {
  if (lostCount === 0) return;
  throw new CerebellumError(
    "CHECK_FAILED",
    `${lostCount} messages were received and are not in the episode`,
    "The result's topics say where they were lost; a faster disk or fewer cameras help",
  );
}

export function describeRecorderBench(result: RecorderBenchResult): string[] {
  const { latenessUs, latenessRatio, daemonCpuShare } = result;
  const us = ({ p50, p99, p999, max }: Lateness) =>
    `p50 ${p50.toFixed(0)}, p99 ${p99.toFixed(0)}, p99.9 ${p999.toFixed(0)}, max ${max.toFixed(0)} us`;
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return [
    `recorder: ${result.seconds.toFixed(0)} s, images ${result.images}; ` +
      `${result.receivedMegabytesPerS.toFixed(1)} MB/s received, ${result.writtenMegabytesPerS.toFixed(1)} MB/s written; ended: ${result.endedBecause}`,
    ...Object.entries(result.topics).map(
      ([topic, { received, written, lostBefore, droppedQueue, droppedEncode, droppedDisk }]) =>
        `  ${topic}: received ${received}, written ${written}, lost before ${lostBefore}, ` +
        `dropped at queue ${droppedQueue}, encoder ${droppedEncode}, disk ${droppedDisk}`,
    ),
    `  published meanwhile: ${Object.entries(result.publishedCount)
      .map(([topic, count]) => `${topic} ${count}`)
      .join(", ")}`,
    `  ticks in the file ${result.tickCount}, numbers missing ${result.tickGapCount}, missed by the servo ${result.servoMissedCount}`,
    `  flags: ${result.flags.map(({ text }) => text).join("; ") || "none"}`,
    `  servo lateness without recording ${us(latenessUs.without)}`,
    `  servo lateness while recording   ${us(latenessUs.recording)}`,
    `  ratio at p99 ${latenessRatio.p99.toFixed(2)}, at p99.9 ${latenessRatio.p999.toFixed(2)}` +
      (result.realtimePriority > 0
        ? `, SCHED_FIFO priority ${result.realtimePriority}`
        : ", normal priority"),
    `  daemon's processor time: ${percent(daemonCpuShare.without)} of a core without, ${percent(daemonCpuShare.recording)} while recording`,
  ];
}
