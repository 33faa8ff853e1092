/**
 * Publishes pictures at a camera's rate without rendering or a device, for measurements: configuration as one JSON line
 * on standard input, then one line a second with what was published so far. Ends with its standard input.
 */
import { z } from "zod";
import { addNs, type MonotonicNs, msToNs, sleepMs, toRosTime } from "../../core/clock.js";
import { ImageMessage } from "../../core/rosWire.js";
import { startRos } from "../../runtime/ros/rosRuntime.js";
import { readChildConfig } from "../child.js";
import { systemClock } from "../systemClock.js";

const Config = z.strictObject({
  nodeName: z.string(),
  cameras: z.array(
    z.strictObject({
      topic: z.string(),
      widthPx: z.int().positive(),
      heightPx: z.int().positive(),
      rateHz: z.number().positive(),
    }),
  ),
});

/** Pictures that follow each other; neighbours differ, so that no frame looks frozen. */
const PICTURES = 8;

const ended = new AbortController();
const { nodeName, cameras } = Config.parse(await readChildConfig(() => ended.abort()));
const ros = await startRos();
const node = ros.createNode(nodeName);
const published = Object.fromEntries(cameras.map(({ topic }) => [topic, 0]));
const report = () => process.stdout.write(`${JSON.stringify(published)}\n`);
const running = cameras.map((camera, place) =>
  publish(camera, (1000 / camera.rateHz / cameras.length) * place),
);
while (!ended.signal.aborted) {
  report();
  await sleepMs(systemClock, 1000, ended.signal);
}
await Promise.all(running);
report();
ros.shutdown();
process.exit(0);

/** @param offsetMs cameras are not in step with each other */
async function publish(
  { topic, widthPx, heightPx, rateHz }: z.infer<typeof Config>["cameras"][number],
  offsetMs: number,
): Promise<void> {
  const publisher = node.publisher("sensor_msgs/msg/Image", `${topic}/color/image_raw`, "sensor");
  const info = node.publisher("sensor_msgs/msg/CameraInfo", `${topic}/color/camera_info`, "sensor");
  const message = new ImageMessage("camera_color_optical_frame", widthPx, heightPx, "rgb8", 3 * widthPx);
  const pictures = Array.from({ length: PICTURES }, (_, index) => picture(widthPx, heightPx, index));
  const startNs = addNs(systemClock.nowNs(), msToNs(offsetMs));
  for (let frame = 0; !ended.signal.aborted; frame++) {
    const dueNs = addNs(startNs, BigInt(Math.round((frame * 1e9) / rateHz))) as MonotonicNs;
    await systemClock.sleepUntil(dueNs, ended.signal);
    if (ended.signal.aborted) return;
    message.pixels.set(pictures[frame % PICTURES]!);
    const stampNs = systemClock.epochNs();
    message.stamp(stampNs);
    publisher.publish(message.bytes);
    const header = { stamp: toRosTime(stampNs), frame_id: "camera_color_optical_frame" };
    info.publish({ header, width: widthPx, height: heightPx });
    published[topic]!++;
  }
}

/** Soft shapes with a little grain: about as hard to compress as a picture of a table. */
function picture(widthPx: number, heightPx: number, index: number): Uint8Array {
  const pixels = new Uint8Array(widthPx * heightPx * 3);
  let grain = 1 + index;
  for (let y = 0, at = 0; y < heightPx; y++) {
    for (let x = 0; x < widthPx; x++) {
      grain = (Math.imul(grain, 1_664_525) + 1_013_904_223) >>> 0;
      const noise = (grain >>> 29) - 4;
      const wave = Math.sin((x + 9 * index) / 23) + Math.cos((y - 7 * index) / 31);
      pixels[at++] = 120 + 40 * wave + noise;
      pixels[at++] = 110 + 30 * Math.sin((x - y) / 47) + noise;
      pixels[at++] = 90 + ((x >> 6) + (y >> 6) + index) * 4 + noise;
    }
  }
  return pixels;
}
