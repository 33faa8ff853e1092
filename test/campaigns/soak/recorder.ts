/**
 * Recording as a load of its own: a process that subscribes to the images of all cameras and to the joints, packs the
 * images as JPEG and writes one MCAP episode after another, as demonstrations are recorded. Configuration as one JSON
 * line on standard input; one JSON line of counts a second on standard output; ends with standard input.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { z } from "zod";
import { sleepMs } from "../../../core/clock.js";
import { readImage, writeCompressedImage } from "../../../core/rosWire.js";
import { rosDefinition } from "../../../episodes/definitions.js";
import { readChildConfig } from "../../../launch/child.js";
import { systemClock } from "../../../launch/systemClock.js";
import { EpisodeWriter } from "../../../runtime/recorder/episodeWriter.js";
import { startRos } from "../../../runtime/ros/rosRuntime.js";

const Config = z.strictObject({
  folder: z.string(),
  /** Namespaces; the images lie below. */
  cameras: z.array(z.string()),
  joints: z.array(z.string()),
  periodMs: z.record(z.string(), z.number()),
  episodeS: z.number().positive(),
});

const JPEG = { quality: 92, chromaSubsampling: "4:4:4" } as const;
/** Images under compression or waiting for the disk; beyond that, frames are dropped and counted. */
const QUEUE_MAX = 60;

sharp.concurrency(1);
// Nobody reads any more: the end of standard input says the same and is acted on.
process.stdout.on("error", () => {});
const ended = new AbortController();
const config = Config.parse(await readChildConfig(() => ended.abort()));
const counts = { frames: 0, gaps: 0, dropped: 0, joints: 0, episodes: 0, bytes: 0 };
const newestStampNs = new Map<string, bigint>();
const subscriptions: (() => void)[] = [];
let queued = 0;
const imageTopic = (camera: string) => `${camera}/color/image_raw/compressed`;
let episode = await newEpisode();

const ros = await startRos();
const node = ros.createNode("cerebellum_soak_recorder");
for (const camera of config.cameras) {
  const take = (bytes: Uint8Array) => {
    const parsed = readImage(bytes);
    if (parsed.ok) takeImage(camera, parsed.value);
  };
  subscriptions.push(node.subscribeRaw("sensor_msgs/msg/Image", `${camera}/color/image_raw`, "sensor", take));
}
for (const topic of config.joints) {
  const take = (bytes: Uint8Array) => {
    const nowNs = systemClock.epochNs();
    counts.joints++;
    episode.write(topic, nowNs, nowNs, bytes);
  };
  subscriptions.push(node.subscribeRaw("sensor_msgs/msg/JointState", topic, "reliable", take));
}
let seconds = 0;
while (!ended.signal.aborted) {
  await sleepMs(systemClock, 1000, ended.signal);
  if (++seconds % config.episodeS === 0) await changeEpisode();
  process.stdout.write(`${JSON.stringify(counts)}\n`);
}
for (const undo of subscriptions) undo();
await episode.finish({ outcome: "soak" });
ros.shutdown();
process.exit(0);

function takeImage(
  camera: string,
  image: Extract<ReturnType<typeof readImage>, { ok: true }>["value"],
): void {
  const { stampNs, frameId, widthPx, heightPx } = image;
  const before = newestStampNs.get(camera);
  newestStampNs.set(camera, stampNs);
  counts.frames++;
  const periodNs = config.periodMs[camera]! * 1e6;
  if (before !== undefined) counts.gaps += Math.max(0, Math.round(Number(stampNs - before) / periodNs) - 1);
  if (queued >= QUEUE_MAX) {
    counts.dropped++;
    return;
  }
  queued++;
  const packed = sharp(image.data, { raw: { width: widthPx, height: heightPx, channels: 3 } })
    .jpeg(JPEG)
    .toBuffer()
    .then((data) => {
      counts.bytes += data.length;
      return writeCompressedImage(stampNs, frameId, "jpeg", data);
    })
    .finally(() => queued--);
  episode.writeLater(imageTopic(camera), stampNs, systemClock.epochNs(), packed);
}

/** Finished episodes are not kept: a soak must not fill a disk. */
async function changeEpisode(): Promise<void> {
  const done = episode;
  episode = await newEpisode();
  await done.finish({ outcome: "soak" });
  rmSync(done.file, { force: true });
}

function newEpisode(): Promise<EpisodeWriter> {
  const prefixes = (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== "");
  const topics = {
    ...Object.fromEntries(
      config.cameras.map((camera) => [imageTopic(camera), "sensor_msgs/msg/CompressedImage"]),
    ),
    ...Object.fromEntries(config.joints.map((topic) => [topic, "sensor_msgs/msg/JointState"])),
  };
  return EpisodeWriter.create(
    join(config.folder, `soak-${counts.episodes++}.mcap`),
    Object.entries(topics).map(([topic, type]) => ({
      topic,
      type,
      definition: rosDefinition(type, prefixes),
    })),
  );
}
