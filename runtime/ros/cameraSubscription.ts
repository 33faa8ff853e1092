/** Connects a `CameraStream` to the topics of realsense2_camera, or of the lab, which publishes the same. */
import { type MonotonicNs, sleepMs } from "../../core/clock.js";
import { readCameraInfoSize } from "../../core/rosWire.js";
import { CameraStream, type CameraStreamOptions } from "./cameraStream.js";
import type { RosNode } from "./rosRuntime.js";

const SILENCE_CHECK_MS = 250;

/** Below a camera's namespace, as realsense2_camera has them. */
export const imageTopicOf = (cameraTopic: string): string => `${cameraTopic}/color/image_raw`;
export const infoTopicOf = (cameraTopic: string): string => `${cameraTopic}/color/camera_info`;

export interface CameraSubscription {
  readonly stream: CameraStream;
  close(): void;
}

/** Gets every message as received, also those that the checks refuse: repeats, other sizes, unreadable ones. */
export type RawTap = (topic: string, receivedNs: MonotonicNs, cdr: Uint8Array) => void;

export function subscribeCamera(
  node: RosNode,
  options: CameraStreamOptions,
  tap: RawTap = () => {},
): CameraSubscription {
  const { clock } = options;
  const stream = new CameraStream(options);
  const imageTopic = imageTopicOf(options.config.topic);
  const infoTopic = infoTopicOf(options.config.topic);
  // Best effort, as the camera's driver publishes: a reliable subscriber would get nothing.
  const stopImages = node.subscribeRaw("sensor_msgs/msg/Image", imageTopic, "sensor", (bytes) => {
    const receivedNs = clock.nowNs();
    tap(imageTopic, receivedNs, bytes);
    stream.accept(bytes, receivedNs);
  });
  const stopInfo = node.subscribeRaw("sensor_msgs/msg/CameraInfo", infoTopic, "sensor", (bytes) => {
    tap(infoTopic, clock.nowNs(), bytes);
    const size = readCameraInfoSize(bytes);
    if (size.ok) stream.acceptInfo(size.value.widthPx, size.value.heightPx);
  });
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
