/**
 * Episodes whose every message can be judged by itself: it carries its stream, number and episode, which camera frame a
 * tick belongs to, and a hash over all of it. No ROS is needed; the definitions are plain bytes.
 */
import { createHash } from "node:crypto";
import type { EpochNs } from "../../../core/clock.js";
import type { EpisodeTopic } from "../../../episodes/episodeFile.js";
import {
  EPISODE_SCHEMA,
  type EpisodeEnd,
  type EpisodeStart,
  episodeName,
  type TopicCounters,
} from "../../../episodes/format.js";

export interface StampedStream {
  readonly topic: string;
  readonly rateHz: number;
  readonly bytes: number;
}

/** As a cell with two cameras gives them: compressed images of that size, ticks, joint states. */
export const STREAMS: readonly StampedStream[] = [
  { topic: "/camera/wrist/color/image_raw/compressed", rateHz: 30, bytes: 57_000 },
  { topic: "/camera/front/color/image_raw/compressed", rateHz: 30, bytes: 61_000 },
  { topic: "/arm/servo_tick", rateHz: 250, bytes: 520 },
  { topic: "/arm/joint_states", rateHz: 100, bytes: 300 },
];
export const CAMERA_STREAM = 0;
export const TICK_STREAM = 2;

const TYPE = "test_msgs/msg/Stamped";
export const STAMPED_TOPICS: readonly EpisodeTopic[] = STREAMS.map(({ topic }) => ({
  topic,
  type: TYPE,
  definition: "uint8[] data\n",
}));

const HASH_BYTES = 8;
const HEAD_BYTES = 32;
export const STAMPED_BYTES_MIN = HEAD_BYTES + HASH_BYTES;
const NOISE = createHash("sha512").update("noise").digest();
const noise = Buffer.alloc(1 << 17);
for (let at = 0; at < noise.length; at += NOISE.length) {
  createHash("sha512").update(NOISE).update(String(at)).digest().copy(noise, at);
}

export interface Stamped {
  readonly stream: number;
  readonly sequence: number;
  readonly episode: number;
  /** Number and stamp of the newest frame of the first camera, at a tick; else 0. */
  readonly frame: number;
  readonly frameNs: bigint;
}

export function writeStamped({ stream, sequence, episode, frame, frameNs }: Stamped, bytes: number): Buffer {
  const message = Buffer.alloc(Math.max(bytes, STAMPED_BYTES_MIN));
  message.writeUInt32LE(0x00000100, 0);
  message.writeUInt32LE(stream, 4);
  message.writeUInt32LE(sequence, 8);
  message.writeUInt32LE(episode, 12);
  message.writeUInt32LE(frame, 16);
  message.writeBigUInt64LE(frameNs, 20);
  for (let at = HEAD_BYTES; at < message.length - HASH_BYTES; at += noise.length - (sequence % 97)) {
    noise.copy(
      message,
      at,
      sequence % 97,
      Math.min(noise.length, message.length - HASH_BYTES - at + (sequence % 97)),
    );
  }
  hashOf(message).copy(message, message.length - HASH_BYTES);
  return message;
}

/** Undefined when the hash is wrong. */
export function readStamped(data: Uint8Array): Stamped | undefined {
  const message = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (message.length < STAMPED_BYTES_MIN) return undefined;
  if (!message.subarray(message.length - HASH_BYTES).equals(hashOf(message))) return undefined;
  return {
    stream: message.readUInt32LE(4),
    sequence: message.readUInt32LE(8),
    episode: message.readUInt32LE(12),
    frame: message.readUInt32LE(16),
    frameNs: message.readBigUInt64LE(20),
  };
}

const hashOf = (message: Buffer): Buffer =>
  createHash("sha1")
    .update(message.subarray(0, message.length - HASH_BYTES))
    .digest()
    .subarray(0, HASH_BYTES);

/** @param startedNs epoch time at monotonic time `monotonicNs` */
export const stampedStart = (number: number, startedNs: EpochNs, monotonicNs: bigint): EpisodeStart => ({
  schema: EPISODE_SCHEMA,
  uuid: `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`,
  task: "stamped",
  name: episodeName(number),
  kind: "other",
  note: "",
  startedNs: String(startedNs),
  clock: { monotonicNs: String(monotonicNs), epochNs: String(startedNs) },
  robots: {},
  cameras: {},
  topics: STREAMS.map(({ topic, rateHz }) => ({ topic, type: TYPE, source: "ros", rateHz })),
  cell: {},
  calibration: {},
  bundle: null,
  software: {},
  context: {},
  strict: false,
});

/** @param written messages of each stream, with their bytes */
export const stampedEnd = (
  start: EpisodeStart,
  endedNs: EpochNs,
  written: readonly { readonly count: number; readonly bytes: number }[],
): EpisodeEnd => ({
  endedNs: String(endedNs),
  endedBecause: "stopped",
  detail: "",
  outcome: "success",
  note: "",
  clock: start.clock,
  topics: Object.fromEntries(
    STREAMS.map(({ topic }, stream): [string, TopicCounters] => {
      const { count, bytes } = written[stream]!;
      return [
        topic,
        {
          received: count,
          written: count,
          bytes,
          lostBefore: 0,
          droppedQueue: 0,
          droppedEncode: 0,
          droppedDisk: 0,
        },
      ];
    }),
  ),
  flags: [],
});
