/** Episodes of a policy without pictures, computed anew from what they hold. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import { engineIdentity } from "../../policies/engine.js";
import { type HistoryBundle, loadHistoryBundle } from "../../policies/history/bundle.js";
import { HistoryPipeline } from "../../policies/history/pipeline.js";
import { fromRecorded } from "../../policies/history/reading.js";
import { type TestEpisodeOptions, writeTestEpisode } from "../../test/support/episodes/testEpisode.js";
import { replayHistoryOffline } from "./offlineHistory.js";
import { readPolicyReading, toPolicyReading } from "./recordedReading.js";

const STEPS = 40;
/** As at the start of a run, and again after a second one has begun. */
const SECOND_RUN = 20;
let folder: string;
let bundle: HistoryBundle;
let number = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "offline-history-"));
  bundle = await loadHistoryBundle(
    fileURLToPath(new URL("../../policies/bundles/digit-random", import.meta.url)),
  );
});
afterAll(() => rm(folder, { recursive: true }));

const readings = () => bundle.goldens.cases.flatMap(({ steps }) => steps.map(({ reading }) => reading));
const stepOf = (index: number) => index % SECOND_RUN;

/** Two runs, one after the other, as the runner does them. @returns what comes of computing them anew */
async function replay(change: TestEpisodeOptions = {}) {
  const pipeline = await HistoryPipeline.load(bundle);
  const episode = await writeTestEpisode(folder, {
    number: ++number,
    cameras: [],
    seconds: 1,
    tickRateHz: 10,
    policyRateHz: STEPS,
    cameraRateHz: STEPS,
    reading: (index) => toPolicyReading(stepOf(index), readings()[index]!),
    ...change,
    start: {
      bundle: { name: "digit-random", task: "walk", manifestSha256: bundle.manifestSha256 },
      software: engineIdentity("fp32", 1),
    },
    step: async (step, frame) => {
      if (stepOf(step.step) === 0) pipeline.reset();
      const { output } = await pipeline.step(fromRecorded(readings()[step.step]!));
      const done = {
        ...step,
        step: stepOf(step.step),
        policy: "digit-random",
        outputRad: Float64Array.from(output),
      };
      return change.step === undefined ? done : change.step(done, frame);
    },
  });
  await pipeline.release();
  const reader = await EpisodeReader.open(episode);
  try {
    return await replayHistoryOffline(reader, bundle);
  } finally {
    await reader.close();
  }
}

describe("a history policy's episode", () => {
  it("is computed anew to the last bit, run after run", async () => {
    expect(await replay()).toMatchObject({
      steps: STEPS,
      compared: STEPS,
      identical: STEPS,
      differences: [],
      identity: [],
      passed: true,
    });
  });

  it("names step and slot of one bit that differs", async () => {
    const outputRad = (values: Float64Array) => values.with(28, values[28]! + 2 ** -30);
    const result = await replay({
      step: (step, _) => (step.step === 7 ? { ...step, outputRad: outputRad(step.outputRad) } : step),
    });
    expect(result).toMatchObject({ identical: STEPS - 2, passed: false });
    expect(result.differences).toMatchObject([
      { step: 7, joint: "damping:left_hip_roll" },
      { step: 7, joint: "damping:left_hip_roll" },
    ]);
  });

  it("cannot be compared after a reading that is missing, until the next run", async () => {
    const result = await replay({
      reading: (index) => (index === 5 ? undefined : toPolicyReading(stepOf(index), readings()[index]!)),
    });
    const compared = STEPS - (SECOND_RUN - 5);
    expect(result).toMatchObject({
      compared,
      identical: compared,
      skipped: { historyMissing: STEPS - compared },
    });
  });

  it("keeps a reading to the last bit in a standard message, and takes no other for one", () => {
    const reading = readings()[3]!;
    expect(readPolicyReading(toPolicyReading(3, reading))).toEqual({ step: 3, reading });
    expect(
      readPolicyReading({ layout: { dim: [], data_offset: 0 }, data: new Float64Array(2) }),
    ).toBeUndefined();
    expect(readPolicyReading({ words: "none" })).toBeUndefined();
  });
});
