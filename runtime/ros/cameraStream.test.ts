import { describe, expect, it } from "vitest";
import { asEpochNs, msToNs } from "../../core/clock.js";
import type { CerebellumError } from "../../core/errors.js";
import { CdrWriter, ImageMessage, type ImageView } from "../../core/rosWire.js";
import { SimClock } from "../../core/simClock.js";
import { CameraConfig } from "../policy/config.js";
import { CameraStream } from "./cameraStream.js";
import { subscribeCamera } from "./cameraSubscription.js";
import { FakeNode } from "./testing.js";

const config = CameraConfig.parse({
  topic: "/camera/wrist",
  widthPx: 64,
  heightPx: 48,
  rateHz: 30,
  mount: { robot: "arm", positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] },
});

function start() {
  const clock = new SimClock();
  const frames: ImageView[] = [];
  const troubles: CerebellumError[] = [];
  const options = {
    name: "wrist",
    config,
    clock,
    ageMsMax: 100,
    onFrame: (image: ImageView) => frames.push(image),
    onTrouble: (trouble: CerebellumError) => troubles.push(trouble),
  };
  return { clock, frames, troubles, options, stream: new CameraStream(options) };
}

let shade = 0;
function image(clock: SimClock, ageMs = 5, widthPx = 64, encoding = "rgb8", fill = ++shade): Buffer {
  const message = new ImageMessage("wrist_color_optical_frame", widthPx, 48, encoding, 3 * widthPx);
  message.pixels.fill(fill);
  message.stamp(asEpochNs(clock.epochNs() - msToNs(ageMs)));
  return message.bytes;
}

const PERIOD_MS = 1000 / 30;

describe("camera stream", () => {
  it("passes good frames on, with rate and age", async () => {
    const { clock, frames, troubles, stream } = start();
    for (let i = 0; i < 60; i++) {
      stream.accept(image(clock, 20));
      await clock.advance(PERIOD_MS);
    }
    expect(frames).toHaveLength(60);
    expect(troubles).toEqual([]);
    expect(stream.rateHz()).toBeCloseTo(29.5, 0);
    expect(stream.counters).toMatchObject({ lostCount: 0, repeatedCount: 0, lateCount: 0 });
    expect(stream.diagnostic()).toMatchObject({ level: "ok", values: { ageP50Ms: 20, ageP99Ms: 20 } });
  });

  it("estimates lost frames from gaps between stamps", async () => {
    const { clock, stream } = start();
    for (const periods of [1, 1, 4, 1, 2, 1, 1, 1, 1, 1]) {
      await clock.advance(periods * PERIOD_MS);
      stream.accept(image(clock));
    }
    expect(stream.counters.lostCount).toBe(4);
  });

  it("takes jitter of more than half a period for what it is", async () => {
    const { clock, stream } = start();
    for (const periods of [1, 1.6, 0.4, 1, 1.55, 0.5, 1]) {
      await clock.advance(periods * PERIOD_MS);
      stream.accept(image(clock));
    }
    expect(stream.counters.lostCount).toBe(0);
  });

  it("holds back frames that repeat pixels or whose stamp does not rise", async () => {
    const { clock, frames, stream } = start();
    stream.accept(image(clock, 5, 64, "rgb8", 100));
    await clock.advance(PERIOD_MS);
    stream.accept(image(clock, 5, 64, "rgb8", 100));
    const older = image(clock, 500, 64, "rgb8", 101);
    stream.accept(older);
    expect(frames).toHaveLength(1);
    expect(stream.counters.repeatedCount).toBe(2);
  });

  it("calls a frozen camera stale, once, although frames keep coming", async () => {
    const { clock, troubles, stream } = start();
    for (let i = 0; i < 90; i++) {
      stream.accept(image(clock, 5, 64, "rgb8", 7));
      stream.checkSilence();
      await clock.advance(PERIOD_MS);
    }
    expect(troubles.map((trouble) => trouble.code)).toEqual(["FRAME_STALE"]);
    expect(stream.diagnostic()).toMatchObject({ level: "error", message: /repeated one image/ });
  });

  it("counts frames older than the limit as late", () => {
    const { clock, frames, stream } = start();
    stream.accept(image(clock, 101));
    expect(stream.counters.lateCount).toBe(1);
    expect(frames).toHaveLength(1);
  });

  it.each([
    ["another size", 32, "rgb8", /images are 32x48 rgb8, the cell file says 64x48 rgb8/],
    ["another encoding", 64, "bgr8", /images are 64x48 bgr8/],
  ])("holds back %s, says so once, and recovers", (_what, widthPx, encoding, text) => {
    const { clock, frames, troubles, stream } = start();
    for (let i = 0; i < 3; i++) stream.accept(image(clock, 5, widthPx, encoding));
    expect(frames).toHaveLength(0);
    expect(troubles).toHaveLength(1);
    expect(troubles[0]).toMatchObject({ code: "CAMERA_MISMATCH", message: text, remedy: /cameras\.wrist/ });
    expect(stream.diagnostic().level).toBe("error");
    stream.accept(image(clock));
    expect(frames).toHaveLength(1);
    expect(stream.diagnostic().level).not.toBe("error");
  });

  it("survives every truncation of a message and counts it", () => {
    const { clock, frames, stream } = start();
    const whole = image(clock);
    for (let length = 0; length < whole.length; length += 97) stream.accept(whole.subarray(0, length));
    expect(frames).toHaveLength(0);
    expect(stream.counters.corruptCount).toBe(Math.ceil(whole.length / 97));
  });

  it("raises CAMERA_MISSING after a second without any frame, and after a second of silence", async () => {
    const { clock, troubles, stream } = start();
    await clock.advance(900);
    stream.checkSilence();
    expect(troubles).toHaveLength(0);
    await clock.advance(200);
    stream.checkSilence();
    stream.checkSilence();
    expect(troubles.map((trouble) => trouble.code)).toEqual(["CAMERA_MISSING"]);
    stream.accept(image(clock));
    await clock.advance(1100);
    expect(stream.diagnostic()).toMatchObject({ level: "error", message: /for 1100 ms/ });
    expect(troubles).toHaveLength(2);
  });

  it("names the shared-memory segment when less than half of the rate arrives", async () => {
    const { clock, stream } = start();
    for (let i = 0; i < 20; i++) {
      stream.accept(image(clock));
      await clock.advance(100);
    }
    expect(stream.diagnostic()).toMatchObject({ level: "warn", message: /shared-memory segment of 512 KiB/ });
  });

  it("warns of a camera host whose clock runs ahead", async () => {
    const { clock, stream } = start();
    for (let i = 0; i < 60; i++) {
      stream.accept(image(clock, -50));
      await clock.advance(PERIOD_MS);
    }
    expect(stream.diagnostic()).toMatchObject({ level: "warn", message: /50 ms in the future/ });
  });

  it("compares camera_info with the cell", () => {
    const { troubles, stream } = start();
    stream.acceptInfo(64, 48);
    expect(troubles).toHaveLength(0);
    stream.acceptInfo(640, 480);
    stream.acceptInfo(640, 480);
    expect(troubles.map((trouble) => trouble.code)).toEqual(["CAMERA_MISMATCH"]);
  });
});

describe("camera subscription", () => {
  it("listens to the driver's topics, watches for silence, and ends", async () => {
    const { clock, frames, troubles, options } = start();
    const node = new FakeNode();
    const tapped: string[] = [];
    const subscription = subscribeCamera(node, options, (topic, receivedNs, cdr) =>
      tapped.push(`${topic} ${receivedNs} ${cdr.length}`),
    );
    node.listeners.get("/camera/wrist/color/image_raw")!(image(clock));
    node.listeners.get("/camera/wrist/color/camera_info")!(
      new CdrWriter().stamp(clock.epochNs()).text("wrist").u32(48).u32(64).finish(),
    );
    expect(frames).toHaveLength(1);
    // Repeats and what cannot be read are tapped too, before the checks.
    const repeat = image(clock);
    node.listeners.get("/camera/wrist/color/image_raw")!(repeat);
    node.listeners.get("/camera/wrist/color/image_raw")!(Buffer.alloc(3));
    expect(frames).toHaveLength(1);
    const atNs = clock.nowNs();
    expect(tapped).toEqual([
      `/camera/wrist/color/image_raw ${atNs} ${repeat.length}`,
      `/camera/wrist/color/camera_info ${atNs} 32`,
      `/camera/wrist/color/image_raw ${atNs} ${repeat.length}`,
      `/camera/wrist/color/image_raw ${atNs} 3`,
    ]);
    await clock.advance(2000);
    expect(troubles.map((trouble) => trouble.code)).toEqual(["WIRE_CORRUPT", "CAMERA_MISSING"]);
    subscription.close();
    expect(node.listeners.size).toBe(0);
  });
});
