/** Connects a `CameraStream` to the topics of realsense2_camera, or of the lab, which publishes the same. */
import { z } from "zod";
import { sleepMs } from "../../core/clock.js";
import { CameraStream, type CameraStreamOptions } from "./cameraStream.js";
import type { RosNode } from "./rosRuntime.js";

const SILENCE_CHECK_MS = 250;

const CameraInfo = z.object({ width: z.number(), height: z.number() });

export interface CameraSubscription {
  readonly stream: CameraStream;
  close(): void;
}

export function subscribeCamera(node: RosNode, options: CameraStreamOptions): CameraSubscription {
  const { topic } = options.config;
  const stream = new CameraStream(options);
  // Best effort, as the camera's driver publishes: a reliable subscriber would get nothing.
  const stopImages = node.subscribeRaw(
    "sensor_msgs/msg/Image",
    `${topic}/color/image_raw`,
    "sensor",
    (bytes) => stream.accept(bytes),
  );
  const stopInfo = node.subscribe(
    "sensor_msgs/msg/CameraInfo",
    `${topic}/color/camera_info`,
    "sensor",
    (message) => {
      const info = CameraInfo.safeParse(message);
      if (info.success) stream.acceptInfo(info.data.width, info.data.height);
    },
  );
  const ended = new AbortController();
  void watchSilence(stream, options, ended.signal);
  return {
    stream,
    close: () => {
      ended.abort();
      stopImages();
      stopInfo();
    },
  };
}

async function watchSilence(
  stream: CameraStream,
  { clock }: CameraStreamOptions,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleepMs(clock, SILENCE_CHECK_MS, signal);
    if (!signal.aborted) stream.checkSilence();
  }
}
