import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asEpochNs } from "../../core/clock.js";
import { REASON_BITS } from "../../core/reasons.js";
import { ImageMessage, writeCompressedImage } from "../../core/rosWire.js";
import {
  imageTopicOf,
  readTestIndex,
  TEST_START_NS,
  testPixels,
  testPositionRad,
  writeTestEpisode,
} from "../../test/support/episodes/testEpisode.js";
import { type EpisodeMessage, EpisodeReader } from "../episodeReader.js";
import { contactSheet } from "./contactSheet.js";
import { thumbnail } from "./frames.js";
import { gather } from "./gather.js";
import { drawJoints } from "./jointPlot.js";
import { Moments } from "./moments.js";
import { drawPlots, PLOT_COLUMNS } from "./plots.js";
import { renderPng } from "./render.js";
import { COLOURS, document, element, escapeXml, text } from "./svg.js";

const WRIST = imageTopicOf("wrist", "jpeg");
const STANDING = { outcome: "success" } as const;
const inS = (ns: bigint) => Number(ns - TEST_START_NS) / 1e9;
let set: string;
let reader: EpisodeReader;
beforeAll(async () => {
  set = mkdtempSync(join(tmpdir(), "pictures-"));
  const folder = await writeTestEpisode(set, {
    seconds: 4,
    cameras: ["wrist", "scene"],
    policyRateHz: 5,
    tick: (tick, atS) => {
      if (atS >= 1 && atS < 1.5) return { ...tick, reasons: REASON_BITS.jerk | REASON_BITS.tablePlane };
      if (atS >= 3) return { ...tick, state: "stopped", requestedRad: new Float64Array(0) };
      return tick;
    },
    step: (step) => ({
      ...step,
      phase: step.step < 10 ? "reach" : "hold",
      refusal: step.step === 7 ? "staleFrame" : "",
    }),
    events: [{ atS: 3, kind: "stop", text: 'pressed <by> "a person" & \u0001' }],
    disturb: (message) =>
      message.topic === WRIST && inS(message.logNs) > 2 && inS(message.logNs) < 2.6 ? undefined : message,
  });
  reader = await EpisodeReader.open(folder);
});
afterAll(async () => {
  await reader.close();
  rmSync(set, { recursive: true, force: true });
});

const pixelsOf = async (png: Buffer) => {
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
};

describe("what is gathered in one pass", () => {
  it("is what was recorded", async () => {
    let seen = 0;
    const gathered = await gather(reader, 400, () => seen++);
    expect(seen).toBe(reader.topics.reduce((sum, { count }) => sum + count, 0));
    expect(gathered.unreadableCount).toBe(0);
    const joints = gathered.joints.get("arm")!;
    expect(joints.tickCount).toBe(1000);
    expect(Object.fromEntries(joints.reasonTicks)).toEqual({ jerk: 125, "table plane": 125 });
    const [run] = joints.reasons.runs("jerk");
    expect(run!.fromS).toBeCloseTo(1, 1);
    expect(run!.toS).toBeCloseTo(1.5, 1);
    const measured = joints.streams.measured![1]!;
    for (const { atS, value } of measured.lines().flat())
      expect(value).toBeCloseTo(testPositionRad(atS)[1]!, 9);
    expect(joints.streams.requested![0]!.lines().flat().at(-1)!.atS).toBeLessThan(3);
    expect(joints.streams.sent![0]!.lines().flat().at(-1)!.atS).toBeGreaterThan(3.9);
    expect(joints.states.names).toEqual(["following", "stopped"]);
    expect(joints.stateAgeMs.range).toEqual([2, 2]);
    expect(gathered.policy!.phases.names).toEqual(["reach", "hold"]);
    expect(Object.fromEntries(gathered.policy!.refusedSteps)).toEqual({ staleFrame: 1 });
    expect(gathered.policy!.imageToWireMs.range![0]).toBeCloseTo(47, 3);
    expect(gathered.events.map(({ kind }) => kind)).toEqual(["lease", "stop"]);
    const wrist = gathered.topics.find(({ topic }) => topic === WRIST)!;
    expect(wrist.longestGapS).toBeCloseTo(0.6, 1);
    const [gap, ...others] = wrist.presence.runs("gap");
    expect(others).toEqual([]);
    expect([gap!.fromS, gap!.toS]).toEqual([expect.closeTo(2, 1), expect.closeTo(2.6, 1)]);
    expect(
      gathered.topics.find(({ topic }) => topic.endsWith("scene/color/image_raw/compressed"))!.presence.names,
    ).toEqual(["seen"]);
  });
});

describe("an episode without servo ticks, as other recorders leave", () => {
  it("shows the measured joints of each topic that has them", async () => {
    const folder = await writeTestEpisode(set, {
      number: 5,
      seconds: 1,
      cameras: [],
      disturb: (message) => (message.topic === "/arm/servo_tick" ? undefined : message),
    });
    const other = await EpisodeReader.open(folder);
    const gathered = await gather(other, PLOT_COLUMNS);
    expect([...gathered.joints.keys()]).toEqual(["/arm/joint_states"]);
    const { names, streams, robot } = gathered.joints.get("/arm/joint_states")!;
    expect(robot).toBeUndefined();
    expect(Object.keys(streams)).toEqual(["measured"]);
    expect(names).toHaveLength(7);
    for (const { atS, value } of streams.measured![3]!.lines().flat())
      expect(value).toBeCloseTo(testPositionRad(atS)[3]!, 9);
    const pictures = await drawPlots(other, gathered, STANDING);
    expect(pictures.map(({ fileName }) => fileName)).toEqual(["joints-arm-joint_states.png", "timing.png"]);
    await other.close();
  });
});

describe("plots", () => {
  it("show each joint, each reason, each event, and are readable PNGs", async () => {
    const gathered = await gather(reader, PLOT_COLUMNS);
    const svg = drawJoints(reader, gathered, STANDING, "arm", gathered.joints.get("arm")!);
    for (const word of [
      "joint1",
      "joint7",
      "[rad]",
      "requested",
      "limited",
      "sent",
      "measured",
      "jerk",
      "table plane",
      "following",
    ])
      expect(svg).toContain(`>${word}<`);
    expect(svg).toContain("pressed &lt;by&gt; &quot;a person&quot; &amp; \ufffd");
    const pictures = await drawPlots(reader, gathered, {
      ...STANDING,
      trim: { fromNs: TEST_START_NS + 500_000_000n, toNs: null },
    });
    expect(pictures.map(({ fileName }) => fileName)).toEqual(["joints-arm.png", "timing.png"]);
    for (const { png } of pictures) {
      expect(png.length).toBeLessThan(300_000);
      expect((await pixelsOf(png)).width).toBe(1400);
    }
  });

  it("of an episode of a millisecond, or without anything in it, are still drawn", async () => {
    const folder = await writeTestEpisode(set, {
      number: 9,
      seconds: 1,
      cameras: [],
      disturb: () => undefined,
    });
    const empty = await EpisodeReader.open(folder);
    const gathered = await gather(empty, PLOT_COLUMNS);
    expect(gathered.joints.size).toBe(0);
    expect((await drawPlots(empty, gathered, STANDING)).map(({ fileName }) => fileName)).toEqual([
      "timing.png",
    ]);
    expect(await contactSheet(empty, STANDING, new Moments(empty))).toBeUndefined();
    await empty.close();
  });
});

describe("the contact sheet", () => {
  it("shows every camera at even moments, and where an image is missing", async () => {
    const seen = new Moments(reader, 6);
    for await (const message of reader.messages()) seen.take(message);
    expect(seen.moments().map(({ state }) => state)).toEqual([
      "gripper 70 mm",
      "reach · gripper 68 mm",
      "reach · gripper 61 mm",
      "hold · gripper 51 mm",
      "hold · gripper 39 mm",
      "hold · gripper 28 mm",
    ]);
    const sheet = await contactSheet(reader, STANDING, seen);
    const { data, width } = await pixelsOf(sheet!.png);
    // Columns of 1400 px: a label of 96 px and a margin of 16 px, then six cells with 8 px between.
    const cellPx = (1400 - 112 - 16 - 8 * 5) / 6;
    const indexAt = (column: number, topPx: number) => {
      const left = Math.round(112 + column * (cellPx + 8));
      const [w, h] = [Math.round(cellPx), 20];
      const cell = new Uint8Array(w * h * 3);
      for (let y = 0; y < h; y++)
        for (let x = 0; x < 3 * w; x++) cell[y * 3 * w + x] = data[3 * ((topPx + y) * width + left) + x]!;
      return readTestIndex(cell, w);
    };
    const sceneTopPx = Math.round(64 + (cellPx * 96) / 128 + 4);
    const wanted = [0, 24, 48, 72, 96, 119];
    for (const [column, index] of wanted.entries()) {
      expect(Math.abs(indexAt(column, sceneTopPx) - index)).toBeLessThanOrEqual(1);
      if (column !== 3) expect(Math.abs(indexAt(column, 64) - index)).toBeLessThanOrEqual(1);
    }
    const middle = 3 * ((64 + 30) * width + Math.round(112 + 3 * (cellPx + 8) + 20));
    for (const value of data.subarray(middle, middle + 3))
      expect(Math.abs(value - 0xec)).toBeLessThanOrEqual(2);
  });
});

describe("a thumbnail", () => {
  const message = (type: string, data: Uint8Array): EpisodeMessage => ({
    topic: "/camera",
    type: `sensor_msgs/msg/${type}`,
    sequence: 0,
    logNs: TEST_START_NS,
    publishNs: TEST_START_NS,
    data,
  });
  const raw = (encoding: string, channels: number, pixels: Uint8Array, widthPx = 64, heightPx = 48) => {
    const image = new ImageMessage("optical", widthPx, heightPx, encoding, channels * widthPx);
    image.pixels.set(pixels);
    return message("Image", image.bytes);
  };
  const shown = async (found: EpisodeMessage) => {
    const result = await thumbnail(reader, found, 64, 48);
    if (result.kind !== "picture") throw new Error(result.why);
    return { ...(await pixelsOf(result.jpeg)), channels: 3 };
  };
  const depth = () =>
    Uint16Array.from({ length: 64 * 48 }, (_, at) => (at % 64 < 8 ? 0 : at % 64 < 32 ? 500 : 2000));
  const greyAt = (data: Buffer, x: number) => data[3 * (10 * 64 + x)]!;

  it("of colour in any order", async () => {
    const rgb = testPixels(64, 48, 5);
    const bgr = Uint8Array.from(rgb, (_, at) => rgb[at - (at % 3) + 2 - (at % 3)]!);
    const [a, b] = [await shown(raw("rgb8", 3, rgb)), await shown(raw("bgr8", 3, bgr))];
    expect(readTestIndex(a.data, 64)).toBe(5);
    expect(b.data.equals(a.data)).toBe(true);
  });

  it("of depth: near is brighter than far, and nothing is black", async () => {
    const bytes = new Uint8Array(depth().buffer);
    const png = await sharp(depth(), { raw: { width: 64, height: 48, channels: 1 } })
      .toColourspace("grey16")
      .png()
      .toBuffer();
    const headed = Buffer.concat([Buffer.alloc(12), png]);
    const stampNs = asEpochNs(1n);
    for (const found of [
      raw("16UC1", 2, bytes),
      message("CompressedImage", writeCompressedImage(stampNs, "optical", "16UC1; png compressed", png)),
      message(
        "CompressedImage",
        writeCompressedImage(stampNs, "optical", "16UC1; compressedDepth png", headed),
      ),
    ]) {
      const { data } = await shown(found);
      expect(greyAt(data, 2)).toBeLessThan(20);
      expect(greyAt(data, 20)).toBeGreaterThan(greyAt(data, 50) + 100);
      expect(greyAt(data, 50)).toBeGreaterThan(25);
    }
  });

  it.each([
    ["an unknown encoding", () => raw("yuv422", 3, new Uint8Array(64 * 48 * 3)), /has encoding "yuv422"/],
    ["a cut message", () => message("Image", new Uint8Array([0, 1, 0, 0, 1])), /cut short/],
    [
      "no image at all",
      () =>
        message("CompressedImage", writeCompressedImage(asEpochNs(1n), "", "jpeg", Buffer.from("no jpeg"))),
      /neither JPEG nor PNG/,
    ],
    ["an image of no size", () => raw("rgb8", 3, new Uint8Array(0), 0, 0), /./],
  ])("of %s says why there is none", async (_, make, why) => {
    const result = await thumbnail(reader, make(), 64, 48);
    expect(result.kind === "unreadable" ? result.why : "").toMatch(why);
  });
});

describe("drawing", () => {
  it("needs no font of the system: the texts are ours, plain and bold", async () => {
    const inkOf = async (style: object) => {
      const { data } = await pixelsOf(
        await renderPng(document(200, 40, [text(10, 25, "Åä 0.5 rad −", { sizePx: 20, ...style })])),
      );
      return data.filter((value) => value < 100).length;
    };
    const plain = await inkOf({});
    expect(plain).toBeGreaterThan(600);
    expect(await inkOf({ isBold: true })).toBeGreaterThan(plain * 1.15);
    expect(await inkOf({ colour: "#ffffff" })).toBe(0);
  });

  it("takes any text from a file", async () => {
    expect(escapeXml('a<b>&"c\u0000\ud800z\u{1f916}\n')).toBe(
      "a&lt;b&gt;&amp;&quot;c\ufffd\ufffdz\u{1f916}\n",
    );
    const odd = document(100, 20, [text(0, 10, "\u0000\ud800\uffff]]><script>"), element("g", { id: '"<' })]);
    expect((await renderPng(odd)).length).toBeGreaterThan(50);
  });

  it("uses colours that stay apart for all kinds of colour vision", () => {
    // Brightness alone already tells the four streams and the bands apart from white.
    const luma = (colour: string) =>
      [0.2126, 0.7152, 0.0722].reduce(
        (sum, weight, at) => sum + weight * Number.parseInt(colour.slice(1 + 2 * at, 3 + 2 * at), 16),
        0,
      );
    const used = [COLOURS.orange, COLOURS.green, COLOURS.blue, COLOURS.ink].map(luma).sort((a, b) => a - b);
    for (const [index, value] of used.entries())
      if (index > 0) expect(value - used[index - 1]!).toBeGreaterThan(25);
    expect(Math.max(...used)).toBeLessThan(200);
  });
});
