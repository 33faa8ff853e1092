import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { decodeCameraFrame } from "../../core/gateway/cameraFrame.js";
import { createFrameSlots, FrameWriter } from "../policy/frameSlots.js";
import { cameraPart } from "./cameraPart.js";
import { GatewayConfig } from "./config.js";
import type { FromGateway } from "./messages.js";
import { FakeClient, partBench, pass, testSetup, wanting } from "./partTesting.js";

const FORMAT = { widthPx: 64, heightPx: 48 } as const;

async function started(encoding: "rgb8" | "bgr8" = "rgb8", gateway: object = {}) {
  const frames = createFrameSlots({ ...FORMAT, encoding });
  const bench = partBench(
    testSetup({
      gateway: GatewayConfig.parse({ camera: gateway }),
      cameras: [{ camera: "wrist", index: 3, ...FORMAT, ageMsMax: 150, encoding, frames }],
    }),
  );
  const writer = new FrameWriter(frames, { ...FORMAT, encoding });
  const part = await cameraPart(bench.services);
  const { clock } = bench;
  /** One frame of one colour, and time for its picture. */
  const show = async (first: number, second: number, third: number) => {
    const pixels = new Uint8Array(64 * 48 * 3).map((_, at) => [first, second, third][at % 3]!);
    writer.write(pixels, 3 * 64, clock.epochNs(), clock.nowNs());
    await new Promise((resolve) => setTimeout(resolve, 25));
  };
  return { ...bench, part, show };
}

const pictures = ({ offered }: FakeClient) => offered.map((bytes) => decodeCameraFrame(bytes as Uint8Array)!);
const watches = (posted: readonly FromGateway[]) => posted.filter(({ kind }) => kind === "watch");

describe("the camera part", () => {
  it("asks for frames only while somebody watches, at the highest rate that is wanted and allowed", async () => {
    const { part, posted } = await started();
    const [one, other] = [new FakeClient(1), new FakeClient(2)];
    part.onSubscribe!(one, wanting({ telemetryHz: 10, events: true }));
    expect(posted).toEqual([]);
    part.onSubscribe!(one, wanting({ cameras: [{ camera: "wrist", rateHz: 5 }] }));
    part.onSubscribe!(other, wanting({ cameras: [{ camera: "wrist", rateHz: 30 }] }));
    part.onSubscribe!(other, wanting({ cameras: [{ camera: "nowhere", rateHz: 30 }] }));
    part.onClosed!(one, "gone");
    expect(watches(posted)).toEqual([
      { kind: "watch", cameras: [{ camera: "wrist", rateHz: 5 }] },
      { kind: "watch", cameras: [{ camera: "wrist", rateHz: 10 }] },
      { kind: "watch", cameras: [{ camera: "wrist", rateHz: 5 }] },
      { kind: "watch", cameras: [] },
    ]);
    await part.close!();
  });

  it("sends pictures with age and sequence, made smaller, blue and red in their places", async () => {
    const { part, show, clock } = await started("bgr8", { widthPxMax: 64 });
    const client = new FakeClient();
    part.onSubscribe!(client, wanting({ cameras: [{ camera: "wrist", rateHz: 10 }] }));
    await show(250, 0, 0);
    const [picture] = pictures(client);
    expect(picture).toMatchObject({ cameraIndex: 3, sequence: 1, ageMs: 0 });
    expect(picture!.captureEpochMs).toBeCloseTo(Number(clock.epochNs()) / 1e6, 2);
    const { data, info } = await sharp(picture!.jpeg).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([64, 48]);
    expect(data[0]!).toBeLessThan(20);
    expect(data[2]!).toBeGreaterThan(230);
    await part.close!();
  });

  it("makes each picture once for all, and each client gets no more than its rate", async () => {
    const { part, show, clock } = await started();
    const [fast, slow] = [new FakeClient(1), new FakeClient(2)];
    part.onSubscribe!(fast, wanting({ cameras: [{ camera: "wrist", rateHz: 10 }] }));
    part.onSubscribe!(slow, wanting({ cameras: [{ camera: "wrist", rateHz: 2 }] }));
    for (let frame = 0; frame < 30; frame++) {
      await show(frame, 2 * frame, 3 * frame);
      await pass(clock, 1000 / 30);
    }
    expect(fast.offered.length).toBeGreaterThanOrEqual(9);
    expect(fast.offered.length).toBeLessThanOrEqual(11);
    expect(slow.offered.length).toBeGreaterThanOrEqual(2);
    expect(slow.offered.length).toBeLessThanOrEqual(3);
    expect(new Set([...fast.offered, ...slow.offered]).size).toBe(fast.offered.length);
    await part.close!();
  });

  it("counts what a slow client misses, and delays nobody by it", async () => {
    const { part, show, clock, services } = await started();
    const [hung, well] = [new FakeClient(1), new FakeClient(2)];
    hung.isSlow = true;
    for (const client of [hung, well])
      part.onSubscribe!(client, wanting({ cameras: [{ camera: "wrist", rateHz: 10 }] }));
    for (let frame = 1; frame <= 3; frame++) {
      await show(frame, frame, frame);
      await pass(clock, 100);
    }
    expect(hung.offered).toEqual([]);
    expect(pictures(well).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(services.skippedPictures.get("wrist")).toBe(3);
    await part.close!();
  });

  it("makes no picture that nobody would take", async () => {
    const { part, show, services } = await started();
    const hung = new FakeClient();
    hung.bufferedBytes = 100_000;
    part.onSubscribe!(hung, wanting({ cameras: [{ camera: "wrist", rateHz: 10 }] }));
    await show(1, 1, 1);
    expect(hung.offered).toEqual([]);
    expect(services.skippedPictures.get("wrist")).toBe(1);
    await part.close!();
  });

  it("shows no picture of an earlier time to whoever comes back", async () => {
    const { part, show, clock } = await started();
    const client = new FakeClient();
    await show(1, 1, 1);
    await pass(clock, 60_000);
    part.onSubscribe!(client, wanting({ cameras: [{ camera: "wrist", rateHz: 10 }] }));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(client.offered).toEqual([]);
    await show(2, 2, 2);
    expect(pictures(client).map(({ sequence }) => sequence)).toEqual([2]);
    await part.close!();
  });
});
