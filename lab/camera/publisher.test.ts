/** The camera's topics: names, frames and numbers as realsense2_camera has them. */
import { describe, expect, it } from "vitest";
import { readImage } from "../../core/rosWire.js";
import { SimClock } from "../../core/simClock.js";
import { rotate } from "../../kinematics/pose.js";
import { TEST_CAMERA } from "../world/testing.js";
import { FrameSlots } from "./frames.js";
import { CameraPublisher, cameraInfo, type LabRosPublisher, staticTransforms } from "./publisher.js";

const camera = { ...TEST_CAMERA, widthPx: 8, heightPx: 4 };
const stampNs = new SimClock().epochNs();

function fakeNode() {
  const sent = new Map<string, object[]>();
  const made: string[] = [];
  let depthListeners = 0;
  const node = {
    publisher(type: string, topic: string, qos: string): LabRosPublisher {
      made.push(`${qos} ${type} ${topic}`);
      sent.set(topic, []);
      return {
        publish: (message) =>
          void sent.get(topic)!.push(message instanceof Buffer ? Buffer.from(message) : message),
        get subscriptionCount() {
          return topic.includes("depth") ? depthListeners : 1;
        },
      };
    },
  };
  return { node, sent, made, listenToDepth: (count: number) => (depthListeners = count) };
}

describe("CameraPublisher", () => {
  it("opens the topics of a RealSense with its qualities of service", () => {
    const { node, made } = fakeNode();
    new CameraPublisher(node, camera, "link7", stampNs);
    expect(made).toEqual([
      "sensor sensor_msgs/msg/Image /camera/wrist/color/image_raw",
      "sensor sensor_msgs/msg/CameraInfo /camera/wrist/color/camera_info",
      "sensor sensor_msgs/msg/Image /camera/wrist/aligned_depth_to_color/image_raw",
      "latched tf2_msgs/msg/TFMessage /tf_static",
    ]);
  });

  it("sends a slot's pixels under its stamp and frees the slot", () => {
    const { node, sent } = fakeNode();
    const publisher = new CameraPublisher(node, camera, "link7", stampNs);
    const slots = FrameSlots.create(8, 4);
    const slot = slots.free()!;
    slots.rgb(slot).fill(9);
    slots.depthMm(slot).fill(417);
    slots.fill(slot);
    publisher.publish(slots, slot, true, stampNs);
    const colour = readImage(sent.get("/camera/wrist/color/image_raw")![0] as Buffer);
    expect(colour).toMatchObject({
      ok: true,
      value: { encoding: "rgb8", widthPx: 8, heightPx: 4, stampNs, frameId: "wrist_color_optical_frame" },
    });
    if (colour.ok) expect(new Set(colour.value.data)).toEqual(new Set([9]));
    const depth = readImage(sent.get("/camera/wrist/aligned_depth_to_color/image_raw")![0] as Buffer);
    expect(depth).toMatchObject({ ok: true, value: { encoding: "16UC1", stepBytes: 16 } });
    if (depth.ok) expect(Buffer.from(depth.value.data).readUInt16LE(14)).toBe(417);
    expect(slots.free()).toBe(slot);
    publisher.publish(slots, slot, false, stampNs);
    expect(sent.get("/camera/wrist/aligned_depth_to_color/image_raw")).toHaveLength(1);
    expect(sent.get("/camera/wrist/color/camera_info")).toHaveLength(2);
  });

  it("wants depth only while somebody listens", () => {
    const { node, listenToDepth } = fakeNode();
    const publisher = new CameraPublisher(node, camera, "link7", stampNs);
    expect(publisher.depthWanted()).toBe(false);
    listenToDepth(1);
    expect(publisher.depthWanted()).toBe(true);
  });
});

describe("FrameSlots", () => {
  it("never hands out a filled slot, and none when all are filled", () => {
    const slots = FrameSlots.create(8, 4);
    const taken = [0, 1, 2].map(() => {
      const slot = slots.free()!;
      slots.fill(slot);
      return slot;
    });
    expect(new Set(taken).size).toBe(3);
    expect(slots.free()).toBeUndefined();
    slots.release(taken[1]!);
    expect(slots.free()).toBe(taken[1]);
  });

  it("keeps slots apart and shares them through the buffer", () => {
    const slots = FrameSlots.create(8, 4);
    const other = new FrameSlots(slots.buffer, 8, 4);
    for (let slot = 0; slot < 3; slot++) {
      slots.rgb(slot).fill(10 + slot);
      slots.depthMm(slot).fill(1000 + slot);
    }
    other.depthWanted = true;
    expect(slots.depthWanted).toBe(true);
    for (let slot = 0; slot < 3; slot++) {
      expect(new Set(other.rgb(slot))).toEqual(new Set([10 + slot]));
      expect(new Set(other.depthMm(slot))).toEqual(new Set([1000 + slot]));
    }
  });
});

describe("camera_info", () => {
  it("has the focal length of the field of view and the middle between pixel centres", () => {
    const { k, p } = cameraInfo(TEST_CAMERA, stampNs) as { k: number[]; p: number[] };
    expect(k[0]).toBeCloseTo(240 / Math.tan((21 * Math.PI) / 180), 9);
    expect(k[4]).toBe(k[0]);
    expect([k[2], k[5]]).toEqual([319.5, 239.5]);
    expect(p.slice(0, 3)).toEqual([k[0], 0, 319.5]);
  });
});

describe("static transforms", () => {
  it("hang the optical frame on the flange and the body frame, x forward, on it", () => {
    const [optical, link] = staticTransforms(TEST_CAMERA, "link7", stampNs) as {
      header: { frame_id: string };
      child_frame_id: string;
      transform: { rotation: { x: number; y: number; z: number; w: number } };
    }[];
    expect([optical!.header.frame_id, optical!.child_frame_id]).toEqual([
      "link7",
      "wrist_color_optical_frame",
    ]);
    expect([link!.header.frame_id, link!.child_frame_id]).toEqual([
      "wrist_color_optical_frame",
      "wrist_link",
    ]);
    const { x, y, z, w } = link!.transform.rotation;
    expect(rotate([x, y, z, w], [1, 0, 0]).map(Math.round), "forward is optical z").toEqual([0, 0, 1]);
    const left = rotate([x, y, z, w], [0, 1, 0]);
    expect(left[0], "left is optical -x").toBeCloseTo(-1, 12);
  });
});
