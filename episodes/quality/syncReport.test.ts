import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { asEpochNs } from "../../core/clock.js";
import { chance, DELAY_MS_MIN, delaysMs, quantile } from "../../test/support/episodes/delays.js";
import {
  imageTopicOf,
  STATE_DELAY_NS,
  TEST_START_NS,
  type TestEpisodeOptions,
  type TestMessage,
  testPositionRad,
  writeTestEpisode,
} from "../../test/support/episodes/testEpisode.js";
import { rosDefinition } from "../definitions.js";
import { EpisodeReader } from "../episodeReader.js";
import {
  POLICY_STEP,
  POLICY_STEP_TOPIC,
  readPolicyStep,
  readServoTick,
  SERVO_TICK,
  servoTickTopic,
  writePolicyStep,
  writeServoTick,
} from "../messages.js";
import { rosCodec } from "../rosCodec.js";
import { type SyncReport, syncReport } from "./syncReport.js";
import { syncLines } from "./syncText.js";

const set = mkdtempSync(join(tmpdir(), "sync-"));
afterAll(() => rmSync(set, { recursive: true, force: true }));
let number = 0;

const WRIST = imageTopicOf("wrist", "jpeg");
const TICKS = servoTickTopic("arm");
const prefixes = (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== "");
const codec = (type: string) => rosCodec(type, rosDefinition(type, prefixes));
const atMs = ({ publishNs }: TestMessage) => Number(publishNs - TEST_START_NS) / 1e6;

async function reported(options: TestEpisodeOptions): Promise<SyncReport> {
  const folder = await writeTestEpisode(set, { number: ++number, widthPx: 32, heightPx: 24, ...options });
  const reader = await EpisodeReader.open(folder);
  try {
    return await syncReport(reader);
  } finally {
    await reader.close();
  }
}

describe("syncReport", () => {
  it("gives for every step the joints at its image's time, and the age of each input", async () => {
    const report = await reported({ seconds: 3 });
    expect(report.steps).toHaveLength(15);
    expect(report).toMatchObject({ commands: 15, within: 15, unproven: 0, tooOld: 0 });
    for (const { step, image, state, newestStateAgeMs, toWireMs, imageToWireMs, trouble } of report.steps) {
      expect(trouble).toBe("");
      expect(image).toMatchObject({ ageMs: 17, queuedMs: 5, clockErrorMs: expect.any(Number) });
      expect(image!.capturedNs).toBe(image!.stampNs);
      expect(Number(image!.stampNs - TEST_START_NS) / 1e9).toBeCloseTo(step / 5, 8);
      expect(state!.alignedMs).toBeLessThanOrEqual(1e-6);
      expect(state!.beforeMs + state!.afterMs).toBeCloseTo(4, 5);
      const expected = testPositionRad(step / 5);
      for (const [joint, value] of state!.positionRad.entries()) {
        expect(Math.abs(value - expected[joint]!)).toBeLessThan(state!.positionErrorRad + 1e-6);
        expect(Math.abs(value - expected[joint]!)).toBeLessThan(2e-6);
      }
      if (state!.usedOffsetMs !== null) expect(Math.abs(state!.usedOffsetMs)).toBeLessThan(0.02);
      expect(newestStateAgeMs).toBeGreaterThanOrEqual(0);
      expect(newestStateAgeMs).toBeLessThan(4);
      expect(toWireMs).toBe(30);
      expect(imageToWireMs).toBe(47);
    }
    expect(report.statistics.imageAgeMs).toMatchObject({ count: 15, p50: 17, max: 17 });
    expect(JSON.stringify(report.statistics)).not.toContain("null");
  });

  it("recovers both clocks under delays of 5 to 200 ms and 50 ppm of drift", async () => {
    const random = chance(41);
    const [seconds, imageHz, tickHz] = [20, 30, 250];
    const imageDelays = delaysMs("uniform", seconds * imageHz, imageHz, random);
    const tickDelays = delaysMs("uniform", seconds * tickHz, tickHz, random);
    const cameraNs = (trueNs: bigint) =>
      55_000_000_000n + (trueNs - TEST_START_NS) + (trueNs - TEST_START_NS) / 20_000n;
    const [ticks, steps] = [codec(SERVO_TICK), codec(POLICY_STEP)];
    const later = (ns: bigint, ms: number) => asEpochNs(ns + BigInt(Math.round(ms * 1e6)));
    const report = await reported({
      seconds,
      latencyMs: { [WRIST]: DELAY_MS_MIN, [TICKS]: DELAY_MS_MIN },
      disturb: (message) => {
        const trueNs = message.publishNs;
        if (message.topic === WRIST) {
          const publishNs = asEpochNs(cameraNs(trueNs));
          const bytes = Buffer.from(message.bytes);
          bytes.writeInt32LE(Number(publishNs / 1_000_000_000n), 4);
          bytes.writeUInt32LE(Number(publishNs % 1_000_000_000n), 8);
          const delayMs = imageDelays[Math.round((atMs(message) * imageHz) / 1000)]!;
          return { ...message, publishNs, logNs: later(trueNs, delayMs), bytes };
        }
        if (message.topic === TICKS) {
          // What a tick shows was measured STATE_DELAY_NS before it.
          const measuredNs = trueNs - STATE_DELAY_NS;
          const receivedNs = later(measuredNs, tickDelays[Math.round((atMs(message) * tickHz) / 1000)]!);
          const tick = readServoTick(ticks.decode(message.bytes));
          const bytes = ticks.encode(
            writeServoTick({
              ...tick,
              stampNs: receivedNs,
              stateStampNs: receivedNs,
              deviceTimeUs:
                9_000_000_000 +
                Math.round((1000 * atMs(message) - Number(STATE_DELAY_NS) / 1000) * (1 - 50e-6)),
            }),
          );
          return { ...message, publishNs: receivedNs, logNs: receivedNs, bytes };
        }
        if (message.topic === POLICY_STEP_TOPIC) {
          const step = readPolicyStep(steps.decode(message.bytes));
          const bytes = steps.encode(
            writePolicyStep({ ...step, imageStampNs: asEpochNs(cameraNs(step.imageStampNs)) }),
          );
          return { ...message, bytes };
        }
        return message;
      },
    });
    expect(report.clocks.map(({ topic, from }) => [topic, from])).toEqual([
      [WRIST, "stamps"],
      [TICKS, "device"],
    ]);
    const [camera, arm] = report.clocks.map(({ segments }) => segments[0]!);
    for (const segment of [camera!, arm!]) {
      expect(segment.clock).toBe("other");
      // So short, the drift is hardly told from chance; it is kept to what crystals do.
      expect(Math.abs(segment.driftPpm)).toBeLessThanOrEqual(100.1);
    }
    const judged = report.steps.filter(({ state }) => state !== null);
    expect(judged.length).toBeGreaterThanOrEqual(98);
    const imageErrors = judged.map(({ step, image }) =>
      Math.abs(Number(image!.capturedNs - TEST_START_NS) / 1e6 - 200 * step),
    );
    expect(quantile(imageErrors, 0.99)).toBeLessThan(4);
    for (const { step, state, image } of judged) {
      expect(state!.alignedMs).toBeLessThanOrEqual(1e-6);
      expect(state!.clockErrorMs).toBeGreaterThanOrEqual(
        imageErrors[judged.findIndex((other) => other.step === step)]!,
      );
      // The joints are those of the image's recovered time, off by what the arm moves within the state's clock error.
      const expected = testPositionRad(Number(image!.capturedNs - TEST_START_NS) / 1e9);
      for (const [joint, value] of state!.positionRad.entries())
        expect(Math.abs(value - expected[joint]!)).toBeLessThan(0.24 * 0.002);
    }
    expect(
      quantile(
        report.steps.map(({ state }) => Math.abs(state?.usedOffsetMs ?? 0)),
        0.99,
      ),
    ).toBeLessThan(6);
  });

  it("names what a step lacks", async () => {
    const report = await reported({
      seconds: 3,
      disturb: (message) => {
        if (message.topic === TICKS && atMs(message) > 2000) return undefined;
        return message.topic === WRIST && atMs(message) === 400 ? undefined : message;
      },
    });
    expect(report.steps[2]).toMatchObject({
      trouble: "its image is not in the episode",
      image: { receivedNs: null, queuedMs: null, clockErrorMs: null },
      state: { clockErrorMs: null },
    });
    expect(report.steps[12]).toMatchObject({
      state: null,
      trouble: "no measurements on both sides of its image",
    });
    expect(report.steps[12]!.newestStateAgeMs).toBeGreaterThan(400);
    // The step at 2.017 s still has a state of 20 ms; its image of 2 s already lies behind the last one.
    expect(report).toMatchObject({ tooOld: 4, unproven: 5 });
    const text = syncLines(report).join("\n");
    expect(text).toMatch(/step 12 at 2\.42 s: no measurements on both sides/);
    expect(text).toMatch(/4 of 15 commands with an older image than 150 ms or an older state than 50 ms/);
  });

  it("falls back on joint states, and says so of an episode without steps", async () => {
    const onStates = await reported({
      disturb: (message) => (message.topic === TICKS ? undefined : message),
    });
    expect(onStates.clocks.map(({ topic }) => topic)).toContain("/arm/joint_states");
    expect(onStates.within).toBe(10);
    expect(onStates.steps[5]!.state!.usedDifferenceRad).toBeLessThan(1e-5);
    const none = await reported({
      disturb: (message) => (message.topic === POLICY_STEP_TOPIC ? undefined : message),
    });
    expect(syncLines(none)).toEqual([expect.stringMatching(/no policy steps$/)]);
  });
});
