/**
 * The process that gets killed: records one stamped episode after another at the rates of a real cell, until it dies.
 * `node writer.js '{"set": …, "ledger": …, "firstNumber": …, "plan": …}'`; prints `begun` once.
 */
import { asEpochNs, type EpochNs, measureMapping, msToNs, sleepMs, toEpochNs } from "../../../core/clock.js";
import { EpisodeFile } from "../../../episodes/episodeFile.js";
import { systemClock } from "../../../launch/systemClock.js";
import {
  CAMERA_STREAM,
  STAMPED_TOPICS,
  STREAMS,
  stampedEnd,
  stampedStart,
  TICK_STREAM,
  writeStamped,
} from "../../support/episodes/stampedEpisode.js";
import { LedgerWriter } from "./ledger.js";
import type { Phase, RecorderPlan } from "./plan.js";
import { watchedIo } from "./watchedIo.js";

export interface WriterOptions {
  readonly set: string;
  readonly ledger: string;
  readonly firstNumber: number;
  readonly plan: RecorderPlan;
}

const HEAVY_BYTES = 640 * 480 * 3;
/** Between capture and reception. */
const DELAY_NS = msToNs(5);

const { set, ledger: ledgerPath, firstNumber, plan } = JSON.parse(process.argv[2]!) as WriterOptions;
const ledger = new LedgerWriter(ledgerPath);
let now = { episode: 0, phase: "create" as Phase, call: 0 };
const enter = (episode: number, phase: Phase) => {
  now = { episode, phase, call: 0 };
};
const io = watchedIo({
  before: () => {
    now.call++;
    const { at } = plan;
    const isDue = now.episode === at.episode && now.phase === at.phase && now.call === at.call;
    if (plan.ending !== "atCall" || !isDue) return undefined;
    ledger.add("died", systemClock.nowNs(), firstNumber + now.episode);
    process.kill(process.pid, "SIGKILL");
    return new Promise(() => {});
  },
  synced: (path, bytes) => {
    if (path.endsWith(".mcap")) {
      ledger.add("synced", systemClock.nowNs(), firstNumber + now.episode, 0, 0, bytes);
    }
  },
});

for (let index = 0; ; index++) {
  await record(index, plan.episodeMs[Math.min(index, plan.episodeMs.length - 1)]!);
}

async function record(index: number, lengthMs: number): Promise<void> {
  const number = firstNumber + index;
  const mapping = measureMapping(systemClock);
  enter(index, "create");
  const start = stampedStart(number, mapping.epochNs, mapping.monotonicNs);
  const episode = await EpisodeFile.create(set, start, STAMPED_TOPICS, { clock: systemClock, io });
  ledger.add("begun", systemClock.nowNs(), number);
  if (index === 0) process.stdout.write("begun\n");
  enter(index, "write");
  const written = STREAMS.map(() => ({ count: 0, bytes: 0 }));
  const startNs = systemClock.nowNs();
  let frameNs: EpochNs = asEpochNs(0n);
  for (let nowNs = startNs; nowNs - startNs < msToNs(lengthMs); nowNs = systemClock.nowNs()) {
    for (const [stream, { topic, rateHz, bytes }] of STREAMS.entries()) {
      const counter = written[stream]!;
      const dueNs = startNs + (BigInt(counter.count) * 1_000_000_000n) / BigInt(rateHz);
      if (dueNs > nowNs) continue;
      const logNs = toEpochNs(mapping, nowNs);
      const publishNs = asEpochNs(logNs - DELAY_NS);
      if (stream === CAMERA_STREAM) frameNs = publishNs;
      const frame =
        stream === TICK_STREAM
          ? { frame: written[CAMERA_STREAM]!.count - 1, frameNs }
          : { frame: 0, frameNs: 0n };
      const size = plan.isHeavy && bytes > 10_000 ? HEAVY_BYTES : bytes;
      const message = writeStamped({ stream, sequence: counter.count, episode: number, ...frame }, size);
      // Noted first: a message that was noted and not yet handed over counts against the recorder, never for it.
      ledger.add("handed", systemClock.nowNs(), number, stream, counter.count);
      if (!episode.write(topic, publishNs, logNs, message)) {
        ledger.add("refused", systemClock.nowNs(), number, stream, counter.count);
        throw new Error("the recorder refused a message");
      }
      counter.count++;
      counter.bytes += message.length;
    }
    await sleepMs(systemClock, 2);
  }
  enter(index, "finish");
  await episode.finish(stampedEnd(start, toEpochNs(mapping, systemClock.nowNs()), written));
  ledger.add("finished", systemClock.nowNs(), number);
}
