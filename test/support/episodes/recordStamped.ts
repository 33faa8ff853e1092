/** Records a short stamped episode in simulated time, on any disk. */
import { addNs, msToNs } from "../../../core/clock.js";
import { SimClock } from "../../../core/simClock.js";
import { EpisodeFile, type EpisodeFileOptions } from "../../../episodes/episodeFile.js";
import type { EpisodeIo } from "../../../episodes/write/io.js";
import {
  CAMERA_STREAM,
  STAMPED_TOPICS,
  STREAMS,
  stampedEnd,
  stampedStart,
  TICK_STREAM,
  writeStamped,
} from "./stampedEpisode.js";

export interface StampedRecording {
  /** What the writer threw, if it did. */
  readonly thrown: unknown;
  /** Messages of each stream that the writer took. */
  readonly taken: readonly number[];
}

/** Time for everything that waits for the disk in memory. */
export const settle = async (turns = 3): Promise<void> => {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/**
 * One message of every stream each `stepMs`.
 * @param isStopped leaves the episode as it is, like a crash, when it turns true
 */
export async function recordStamped(
  set: string,
  number: number,
  io: EpisodeIo,
  options: {
    readonly steps?: number;
    readonly stepMs?: number;
    readonly bytes?: number;
    readonly file?: EpisodeFileOptions;
    readonly isStopped?: (step: number) => boolean;
  } = {},
): Promise<StampedRecording> {
  const { steps = 100, stepMs = 20, bytes = 120, isStopped = () => false } = options;
  const clock = new SimClock();
  const written = STREAMS.map(() => ({ count: 0, bytes: 0 }));
  const taken = () => written.map(({ count }) => count);
  try {
    const start = stampedStart(number, clock.epochNs(), clock.nowNs());
    const episode = await EpisodeFile.create(set, start, STAMPED_TOPICS, {
      clock,
      io,
      flushMs: 200,
      ...options.file,
    });
    let frameNs = 0n;
    for (let step = 0; step < steps; step++) {
      await clock.advance(stepMs);
      for (const [stream, { topic }] of STREAMS.entries()) {
        const publishNs = addNs(clock.epochNs(), -msToNs(2));
        if (stream === CAMERA_STREAM) frameNs = publishNs;
        const frame = stream === TICK_STREAM ? { frame: step, frameNs } : { frame: 0, frameNs: 0n };
        const message = writeStamped({ stream, sequence: step, episode: number, ...frame }, bytes);
        if (!episode.write(topic, publishNs, clock.epochNs(), message)) continue;
        written[stream]!.count++;
        written[stream]!.bytes += message.length;
      }
      await settle(1);
      if (isStopped(step)) return { thrown: undefined, taken: taken() };
    }
    await episode.finish(stampedEnd(start, clock.epochNs(), written));
    return { thrown: undefined, taken: taken() };
  } catch (thrown) {
    return { thrown, taken: taken() };
  }
}
