/**
 * A simulated camera's ROS topics, named and typed as realsense2_camera has them: colour as best-effort sensor data,
 * its camera_info, depth aligned to colour while anybody listens, and the camera's frames on /tf_static.
 */
import { type EpochNs, toRosTime } from "../../core/clock.js";
import { ImageMessage } from "../../core/rosWire.js";
import { intrinsicsOf, type LabCamera } from "../world/mount.js";
import type { FrameSlots } from "./frames.js";

/** The part of a ROS node that is needed; what `publisher` returns may say how many listen. */
export interface LabRosNode {
  publisher(type: string, topic: string, qos: "sensor" | "reliable" | "latched"): LabRosPublisher;
}
export interface LabRosPublisher {
  publish(message: object): void;
  readonly subscriptionCount?: number;
}

export const opticalFrame = (camera: LabCamera): string => `${camera.name}_color_optical_frame`;

export class CameraPublisher {
  readonly #image: LabRosPublisher;
  readonly #info: LabRosPublisher;
  readonly #depth: LabRosPublisher;
  readonly #message: ImageMessage;
  readonly #depthMessage: ImageMessage;
  readonly #camera: LabCamera;

  /** @param parentFrame name of the frame that carries it */
  constructor(node: LabRosNode, camera: LabCamera, parentFrame: string, stampNs: EpochNs) {
    const { widthPx, heightPx, topic } = camera;
    this.#camera = camera;
    this.#image = node.publisher("sensor_msgs/msg/Image", `${topic}/color/image_raw`, "sensor");
    this.#info = node.publisher("sensor_msgs/msg/CameraInfo", `${topic}/color/camera_info`, "sensor");
    this.#depth = node.publisher(
      "sensor_msgs/msg/Image",
      `${topic}/aligned_depth_to_color/image_raw`,
      "sensor",
    );
    this.#message = new ImageMessage(opticalFrame(camera), widthPx, heightPx, "rgb8", 3 * widthPx);
    this.#depthMessage = new ImageMessage(opticalFrame(camera), widthPx, heightPx, "16UC1", 2 * widthPx);
    node
      .publisher("tf2_msgs/msg/TFMessage", "/tf_static", "latched")
      .publish({ transforms: staticTransforms(camera, parentFrame, stampNs) });
  }

  /** Sends one picture out of its slot; the slot is free afterwards. */
  publish(slots: FrameSlots, slot: number, hasDepth: boolean, stampNs: EpochNs): void {
    this.#message.pixels.set(slots.rgb(slot));
    if (hasDepth) {
      const depth = slots.depthMm(slot);
      this.#depthMessage.pixels.set(new Uint8Array(depth.buffer, depth.byteOffset, depth.byteLength));
    }
    slots.release(slot);
    this.#message.stamp(stampNs);
    this.#image.publish(this.#message.bytes);
    this.#info.publish(cameraInfo(this.#camera, stampNs));
    if (!hasDepth) return;
    this.#depthMessage.stamp(stampNs);
    this.#depth.publish(this.#depthMessage.bytes);
  }

  /** Whether anybody subscribes to depth now; asks the middleware, so not for every frame. */
  depthWanted(): boolean {
    return (this.#depth.subscriptionCount ?? 0) > 0;
  }
}

/**
 * sensor_msgs/msg/CameraInfo of the nominal camera: a real driver does not know either how far its mount is off. ROS
 * counts pixel centres as whole numbers, so the middle of the image is (w - 1) / 2.
 */
export function cameraInfo(camera: LabCamera, stampNs: EpochNs): object {
  const { widthPx, heightPx, fovYDeg } = camera;
  const { focalPx, centreXPx, centreYPx } = intrinsicsOf(widthPx, heightPx, fovYDeg);
  const [cx, cy] = [centreXPx - 0.5, centreYPx - 0.5];
  return {
    header: { stamp: toRosTime(stampNs), frame_id: opticalFrame(camera) },
    height: heightPx,
    width: widthPx,
    distortion_model: "plumb_bob",
    d: [0, 0, 0, 0, 0],
    k: [focalPx, 0, cx, 0, focalPx, cy, 0, 0, 1],
    r: [1, 0, 0, 0, 1, 0, 0, 0, 1],
    p: [focalPx, 0, cx, 0, 0, focalPx, cy, 0, 0, 0, 1, 0],
    binning_x: 0,
    binning_y: 0,
    roi: { x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: false },
  };
}

/** Optical axes to body axes (x forward, y left, z up), as every ROS camera driver has them. */
const LINK_IN_OPTICAL = { x: 0.5, y: -0.5, z: 0.5, w: 0.5 };

/** From what carries it to the optical frame, and optical frame to the camera's body frame `<name>_link`. */
export function staticTransforms(camera: LabCamera, parentFrame: string, stampNs: EpochNs): object[] {
  const stamp = toRosTime(stampNs);
  const [x, y, z] = camera.positionM;
  const [qx, qy, qz, qw] = camera.quatXyzw;
  return [
    {
      header: { stamp, frame_id: parentFrame },
      child_frame_id: opticalFrame(camera),
      transform: { translation: { x, y, z }, rotation: { x: qx, y: qy, z: qz, w: qw } },
    },
    {
      header: { stamp, frame_id: opticalFrame(camera) },
      child_frame_id: `${camera.name}_link`,
      transform: { translation: { x: 0, y: 0, z: 0 }, rotation: LINK_IN_OPTICAL },
    },
  ];
}
