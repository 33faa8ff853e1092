import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { asEpochNs } from "../../core/clock.js";
import { createFloatingBase } from "../../core/floatingBase.js";
import {
  imageTopicOf,
  JOINT_NAMES,
  LAG_S,
  readTestIndex,
  TEST_START_NS,
  type TestEpisodeOptions,
  type TestMessage,
  testGripperM,
  testPositionRad,
  writeTestEpisode,
} from "../../test/support/episodes/testEpisode.js";
import { EpisodeReader } from "../episodeReader.js";
import { type ServoTick, servoTickTopic } from "../messages.js";
import { decodePicture } from "../pixels.js";
import { FrameBuilder } from "./frameBuilder.js";
import { type Frame, type ResampleOptions, resampleEpisode } from "./resample.js";
import { ResampleErrors } from "./resampleErrors.js";

const set = mkdtempSync(join(tmpdir(), "resample-"));
const readers: EpisodeReader[] = [];
afterAll(async () => {
  for (const reader of readers) await reader.close();
  rmSync(set, { recursive: true, force: true });
});
let number = 0;

async function resample(episode: TestEpisodeOptions, options: Partial<ResampleOptions> = {}) {
  const folder = await writeTestEpisode(set, { number: ++number, ...episode });
  const reader = await EpisodeReader.open(folder);
  readers.push(reader);
  const resampled = await resampleEpisode(reader, { rateHz: 30, ...options });
  const frames: Frame[] = [];
  for await (const frame of resampled.frames()) frames.push(frame);
  return { reader, resampled, frames, report: resampled.report() };
}
const inS = (ns: bigint) => Number(ns - TEST_START_NS) / 1e9;
const WRIST = imageTopicOf("wrist", "raw");
const FAST = { storage: "raw", widthPx: 32, heightPx: 24 } as const;

describe("an episode as frames at a fixed rate", () => {
  it("takes the newest image that is not from the future, at a steady age", async () => {
    const { reader, frames, report } = await resample(FAST);
    expect(frames.length).toBeGreaterThan(55);
    for (const { images, timeNs, index } of frames) {
      const image = images.wrist!;
      const picture = await decodePicture(reader, image.message);
      const shown = readTestIndex(picture.pixels as Uint8Array, picture.widthPx);
      expect(shown).toBe(Math.floor(inS(timeNs) * 30 + 1e-6));
      expect(image.capturedNs).toBeLessThanOrEqual(timeNs);
      expect(image.ageMs).toBeCloseTo(1000 / 30 / 4, 2);
      expect(shown).toBe(index);
    }
    expect(report.images.wrist).toMatchObject({ repeatedCount: 0, skippedCount: 0 });
    expect(report.images.wrist!.ageMs.max).toBeCloseTo(1000 / 30 / 4, 2);
  });

  it("has the base of a robot on legs after its joints, and no action for it", async () => {
    const tick = (before: ServoTick, atS: number): ServoTick => {
      const base = createFloatingBase(2);
      base.translationWorldM.set([0.1 * atS, 0, 0.97]);
      base.quatWorldBaseXyzw.set([0, 0, Math.sin(atS / 4), Math.cos(atS / 4)]);
      base.passivePositionRad[1] = -0.3;
      return { ...before, gripperOpeningM: Number.NaN, gripperCommandM: Number.NaN, base };
    };
    const { frames, resampled } = await resample({ ...FAST, tick });
    const names = resampled.columns.state.map(({ name }) => name);
    expect(names.slice(0, JOINT_NAMES.length)).toEqual(JOINT_NAMES);
    expect(names.slice(-2)).toEqual(["passive_joint1", "passive_joint2"]);
    expect(resampled.columns.action.map(({ name }) => name)).toEqual(JOINT_NAMES);
    const at = ({ state }: Frame, name: string) => state[names.indexOf(name)]!;
    for (const frame of frames) {
      expect(frame.state).toHaveLength(names.length);
      expect(frame.action).toHaveLength(JOINT_NAMES.length);
      const quat = ["x", "y", "z", "w"].map((axis) => at(frame, `base_quat_${axis}`));
      expect(Math.hypot(...quat)).toBeCloseTo(1, 12);
      expect(Math.atan2(quat[2]!, quat[3]!)).toBeCloseTo(2.5 * at(frame, "base_translation_x"), 4);
      expect(at(frame, "passive_joint2")).toBe(-0.3);
    }
  });

  it("keeps exact multiples of the period as times", async () => {
    const { frames, resampled } = await resample(FAST, { rateHz: 7 });
    const startNs = resampled.survey.timeline.startNs;
    for (const { index, timeNs, atS } of frames) {
      expect(timeNs).toBe(startNs + BigInt(Math.round((index * 1e9) / 7)));
      expect(atS).toBe(index / 7);
    }
    expect(frames.length).toBe(resampled.frameCount);
  });

  it("interpolates the measured state at the frame's time, from measurements around it", async () => {
    const { frames } = await resample({ ...FAST, tickRateHz: 50 });
    for (const { state, timeNs, stateBeforeMs, stateAfterMs } of frames) {
      const truth = [...testPositionRad(inS(timeNs)), testGripperM(inS(timeNs))];
      // h² / 8 times the acceleration, 0.3 · 0.8² rad/s², at h = 20 ms.
      for (const [column, value] of truth.entries())
        expect(Math.abs(state[column]! - value)).toBeLessThan((0.02 ** 2 / 8) * 0.3 * 0.8 ** 2 + 1e-12);
      expect(stateBeforeMs + stateAfterMs).toBeCloseTo(20, 6);
    }
  });

  it.each([
    ["sent", LAG_S, 0],
    ["limited", LAG_S, 0],
    ["requested", 0.2, 0],
    ["measured", 0, undefined],
  ] as const)("takes the action %s from the time of the next frame", async (action, aheadS, heldMs) => {
    const { frames, resampled } = await resample(FAST, { action });
    expect(resampled.columns.action.map(({ name }) => name)).toEqual([...JOINT_NAMES, "gripper"]);
    for (const frame of frames) {
      const nextS = inS(resampled.survey.timeline.at(frame.index + 1));
      const tickS = Math.floor(nextS * 250 + 1e-6) / 250;
      const found = [...frame.action];
      const gripper = found.pop()!;
      if (heldMs === undefined) {
        for (const [joint, value] of testPositionRad(nextS).entries())
          expect(found[joint]).toBeCloseTo(value, 5);
        expect(gripper).toBeCloseTo(testGripperM(nextS), 5);
      } else {
        expect(found).toEqual([...testPositionRad(tickS + aheadS)]);
        expect(gripper).toBe(testGripperM(tickS));
        expect(frame.actionAgeMs).toBeCloseTo(1000 * (nextS - tickS), 3);
      }
    }
  });

  it("states what a straight line between frames misses of the record", async () => {
    const { report } = await resample({ ...FAST, seconds: 3 }, { rateHz: 5 });
    // h² / 8 times the largest acceleration, at h = 200 ms.
    const bound = (0.2 ** 2 / 8) * 0.3 * 0.8 ** 2;
    for (const name of JOINT_NAMES) {
      expect(report.state.lost[name]!.max).toBeLessThan(bound * 1.01);
      expect(report.state.lost[name]!.max).toBeGreaterThan(bound * 0.8);
      expect(report.state.lost[name]!.p99).toBeLessThanOrEqual(report.state.lost[name]!.max);
    }
    expect(report.state.timeMs.max).toBeLessThanOrEqual(2);
    expect(report.action.timeMs.max).toBeLessThanOrEqual(4);
    expect(report.images.wrist!.skippedCount).toBeGreaterThan(5 * (report.frameCount - 1) - 1);
  });

  it("keeps to the trim", async () => {
    const fromNs = TEST_START_NS + 500_000_000n;
    const toNs = TEST_START_NS + 1_200_000_000n;
    const { frames, resampled } = await resample(FAST, { trim: { fromNs, toNs } });
    expect(frames[0]!.timeNs).toBeGreaterThanOrEqual(fromNs);
    expect(frames[0]!.timeNs).toBeLessThan(fromNs + 34_000_000n);
    expect(resampled.survey.timeline.at(frames.length)).toBeLessThanOrEqual(toNs);
    expect(resampled.survey.timeline.at(frames.length + 1)).toBeGreaterThan(toNs);
    expect(resampled.survey.flags).toEqual([]);
  });

  it("subtracts the recorded latency of a camera", async () => {
    const plain = await resample(FAST);
    const { topics } = plain.reader.start;
    const start = {
      topics: topics.map((topic) => (topic.topic === WRIST ? { ...topic, latencyMs: 40 } : topic)),
    };
    const late = await resample({ ...FAST, start });
    const image = late.frames[5]!.images.wrist!;
    expect(image.capturedNs).toBe(image.message.publishNs - 40_000_000n);
    expect(image.ageMs).toBeGreaterThanOrEqual(0);
  });

  it("finds capture times of a camera whose stamps are of another clock, to within what it states", async () => {
    // Two hours behind, 40 ppm fast, and received 12 to 20 ms after the capture.
    const disturb = (message: TestMessage) => {
      if (message.topic !== WRIST) return message;
      const atS = inS(message.publishNs);
      const stampNs = message.publishNs - 7_200_000_000_000n + BigInt(Math.round(atS * 40e3));
      const lateNs = BigInt(Math.round(4e6 * (1 + Math.sin(97 * atS))));
      return { ...message, publishNs: asEpochNs(stampNs), logNs: asEpochNs(message.logNs + lateNs) };
    };
    const { topics } = readers[0]!.start;
    const start = {
      topics: topics.map((topic) => (topic.topic === WRIST ? { ...topic, latencyMs: 12 } : topic)),
    };
    const { frames, resampled } = await resample({ ...FAST, seconds: 4, disturb, start });
    const stream = resampled.survey.streams.find(({ topic }) => topic === WRIST)!;
    expect(stream.clock).toBe("other");
    expect(stream.captureErrorMs).toBeLessThan(10);
    for (const { images } of frames) {
      const captureNs = images.wrist!.message.publishNs + 7_200_000_000_000n;
      expect(Math.abs(Number(images.wrist!.capturedNs - captureNs)) / 1e6).toBeLessThan(
        stream.captureErrorMs! + 0.2,
      );
    }
  });

  it("gives labels of the newest step that began before the frame, and NaN before the first", async () => {
    const step = <T extends { step: number }>(found: T) => ({
      ...found,
      labelRad: new Float64Array(7).fill(found.step),
    });
    const { frames, report } = await resample({ ...FAST, step }, { labels: true });
    for (const { timeNs, label, labelAgeMs } of frames) {
      const expected = Math.floor((inS(timeNs) - 0.017) * 5 + 1e-9);
      expect(label![0]).toBe(expected < 0 ? Number.NaN : expected);
      if (expected >= 0) expect(labelAgeMs).toBeCloseTo(1000 * (inS(timeNs) - 0.017 - expected / 5), 3);
    }
    expect(report.label!.missingCount).toBe(frames.filter(({ label }) => Number.isNaN(label![0])).length);
  });

  it("repeats an image where the camera lost one, and says so", async () => {
    const lost = (message: TestMessage) =>
      message.topic === WRIST && inS(message.publishNs) > 0.99 && inS(message.publishNs) < 1.01
        ? undefined
        : message;
    const { frames, report, resampled } = await resample({ ...FAST, disturb: lost });
    expect(report.images.wrist).toMatchObject({ repeatedCount: 1, skippedCount: 0 });
    expect(frames.filter(({ images }) => images.wrist!.isRepeat).map(({ index }) => index)).toEqual([30]);
    expect(report.images.wrist!.ageMs.max).toBeCloseTo(1000 / 30 / 4 + 1000 / 30, 2);
    expect(resampled.survey.flags).toEqual([]);
  });

  it.each([
    ["a gap of three periods", "gap", (s: number) => (s > 0.99 && s < 1.05 ? undefined : s)],
    ["a camera that ends early", "vanished", (s: number) => (s > 1.5 ? undefined : s)],
    ["a camera that runs 2 % slow", "rate", (s: number) => 1.02 * s],
    ["stamps that go back", "clock", (s: number) => (s > 1 && s < 1.05 ? s - 0.05 : s)],
  ])("flags %s", async (_what, code, moved) => {
    const disturb = (message: TestMessage): TestMessage | undefined => {
      if (message.topic !== WRIST) return message;
      const atS = moved(inS(message.publishNs));
      if (atS === undefined) return undefined;
      const publishNs = asEpochNs(TEST_START_NS + BigInt(Math.round(atS * 1e9)));
      const laterNs = publishNs - message.publishNs;
      return { ...message, publishNs, logNs: asEpochNs(message.logNs + (laterNs > 0n ? laterNs : 0n)) };
    };
    const { resampled } = await resample({ ...FAST, seconds: 4, disturb });
    expect(resampled.survey.flags.map((flag) => flag.code)).toContain(code);
    expect(resampled.survey.flags.every(({ topic }) => topic === WRIST)).toBe(true);
  });

  it("holds only images that a coming frame can have, also when the camera is far ahead of the ticks", async () => {
    const disturb = (message: TestMessage) =>
      message.topic === servoTickTopic("arm")
        ? { ...message, logNs: asEpochNs(message.logNs + 300_000_000n) }
        : message;
    const late = await resample({ ...FAST, disturb });
    const plain = await resample(FAST);
    const { reader, resampled } = late;
    const errors = new ResampleErrors(resampled.columns, resampled.streams);
    const builder = new FrameBuilder(reader, resampled.streams, resampled.survey, "sent", errors);
    let heldBytes = 0;
    for await (const message of reader.messages()) {
      builder.take(message);
      while (builder.next() !== undefined);
      heldBytes = Math.max(heldBytes, builder.heldBytes);
    }
    // What 300 ms of delay hold, the next frame's action, and a period on either side.
    expect(heldBytes).toBeLessThan((300 * 0.03 + 4) * 2400);
    expect(heldBytes).toBeGreaterThan(5 * 2300);
    expect(late.frames.map(({ state }) => [...state])).toEqual(plain.frames.map(({ state }) => [...state]));
    expect(late.frames.map(({ action }) => [...action])).toEqual(
      plain.frames.map(({ action }) => [...action]),
    );
    expect(late.frames.map(({ images }) => images.wrist!.capturedNs)).toEqual(
      plain.frames.map(({ images }) => images.wrist!.capturedNs),
    );
  });

  it("takes measured joints from joint states where there are no ticks, and refuses what those do not have", async () => {
    const disturb = (message: TestMessage) => (message.topic === servoTickTopic("arm") ? undefined : message);
    const { frames, resampled } = await resample({ ...FAST, disturb }, { action: "measured" });
    expect(resampled.columns.state.map(({ name }) => name)).toEqual(JOINT_NAMES);
    for (const { state, timeNs } of frames)
      for (const [joint, value] of testPositionRad(inS(timeNs)).entries())
        expect(state[joint]).toBeCloseTo(value, 4);
    await expect(resample({ ...FAST, disturb })).rejects.toMatchObject({
      code: "EPISODE_INVALID",
      remedy: "Choose the action measured",
    });
  });

  it("refuses what the episode does not have, naming what it has", async () => {
    await expect(resample(FAST, { cameras: ["head"] })).rejects.toThrow(/no images of camera "head".*wrist/);
    await expect(resample(FAST, { robot: "leg" })).rejects.toThrow(/no robot "leg".*arm/);
    await expect(resample(FAST, { rateHz: 0 })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    const nothing = { fromNs: TEST_START_NS + 10_000_000_000n, toNs: null };
    await expect(resample(FAST, { trim: nothing })).rejects.toMatchObject({ code: "EPISODE_INVALID" });
  });

  it("is as fast as its ticks, also when every tenth of them saw the report of the one before", async () => {
    let report: Pick<ServoTick, "stateStampNs" | "stateSequence" | "positionRad"> | undefined;
    const tick = (one: ServoTick): ServoTick => {
      const { stateStampNs, stateSequence, positionRad } = one;
      if (one.tick % 10 === 0 && report !== undefined) return { ...one, ...report };
      report = { stateStampNs, stateSequence, positionRad };
      return one;
    };
    const { resampled, frames } = await resample({ ...FAST, tick });
    expect(resampled.survey.flags).toEqual([]);
    expect(frames.length).toBeGreaterThan(50);
    const slow = await resample({ ...FAST, disturb: everyTenthTickGone() });
    expect(slow.resampled.survey.flags.map(({ code, topic }) => `${code} ${topic}`)).toContain(
      `rate ${servoTickTopic("arm")}`,
    );
  });
});

function everyTenthTickGone() {
  let index = 0;
  return (message: TestMessage) =>
    message.topic === servoTickTopic("arm") && ++index % 10 === 0 ? undefined : message;
}
