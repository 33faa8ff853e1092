import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EpisodeReader } from "../../../episodes/episodeReader.js";
import { type Bundle, loadBundle } from "../../../policies/bundle.js";
import { engineIdentity } from "../../../policies/engine.js";
import { openPolicy } from "../../../policies/verify.js";
import { boundAction } from "../../../runtime/policy/boundAction.js";
import { testPixels, writeTestEpisode } from "../../../test/support/episodes/testEpisode.js";
import { makeTestBundle } from "../../../test/support/onnx/testBundle.js";
import { bundleThatRan, recomputeEpisode, replayLines } from "./recompute.js";

const SIZE = { widthPx: 128, heightPx: 96 };
let folder: string;
let bundle: Bundle;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "recompute-"));
  const image = { ...SIZE, crop: { xPx: 16, yPx: 0, widthPx: 96, heightPx: 96 } };
  await makeTestBundle(join(folder, "bundles/a"), { image });
  await makeTestBundle(join(folder, "bundles/b"), { image, seed: 2 });
  const { pipeline, bundle: opened } = await openPolicy(join(folder, "bundles/a"));
  bundle = opened;
  const { manifest } = bundle;
  await writeTestEpisode(join(folder, "recordings/reach"), {
    storage: "png",
    cameraRateHz: 10,
    start: {
      task: "reach",
      kind: "rollout",
      bundle: { name: manifest.name, task: manifest.task, manifestSha256: bundle.manifestSha256 },
      software: engineIdentity("fp32", 1),
      cell: { name: "test_cell", policy: { bundle: join(folder, "bundles/a") } },
    },
    step: async (step, frame) => {
      const { positionRad } = step;
      pipeline.preprocess(testPixels(SIZE.widthPx, SIZE.heightPx, frame), "rgb8");
      await pipeline.encode();
      const outputRad = Float64Array.from(await pipeline.control([...positionRad, 0]));
      const { actionRad, targetRad } = boundAction(outputRad, positionRad, manifest.action.clipRad, []);
      return {
        ...step,
        policy: manifest.name,
        outputRad,
        actionRad: Float64Array.from(actionRad),
        targetRad: Float64Array.from(targetRad),
      };
    },
  });
  await pipeline.release();
});
afterAll(() => rm(folder, { recursive: true }));

const recompute = async (options: { bundle?: string } = {}) => {
  const json = join(folder, "result.json");
  const error = await recomputeEpisode("reach/last", join(folder, "recordings"), { json, ...options }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { error, json: JSON.parse(await readFile(json, "utf8")) as Record<string, unknown> };
};

describe("episodes recompute", () => {
  it("passes when each step comes out as it was recorded, and finds the bundle that ran by itself", async () => {
    const { error, json } = await recompute();
    expect(error).toBeUndefined();
    expect(json).toMatchObject({ passed: true, compared: 10, identical: 10, identity: [] });
  });

  it("fails with another bundle, and names what is not the same", async () => {
    const { error, json } = await recompute({ bundle: join(folder, "bundles/b") });
    expect(error).toMatchObject({
      code: "CHECK_FAILED",
      happened: "10 of 10 steps are computed differently now",
      remedy: "Look at what is not the same: manifestSha256",
    });
    expect(json).toMatchObject({ passed: false, identical: 0 });
  });

  it("tells people which step, which joint and how much", () => {
    const lines = replayLines(
      {
        policy: "reach-block",
        steps: 30,
        compared: 27,
        identical: 5,
        skipped: { imageMissing: 1, imageLossy: 2, imageUnusable: 0, historyMissing: 0 },
        differences: [
          {
            step: 4,
            stampNs: 1n as never,
            field: "outputRad",
            joint: "joint5",
            recordedRad: 0.25,
            computedRad: 0.125,
            differenceMaxRad: 0.125,
          },
        ],
        gripperDifferences: [
          { step: 4, stampNs: 1n as never, field: "gripperTargetM", recordedM: 0.08, computedM: 0 },
        ],
        identity: [{ name: "onnxruntime", recorded: undefined, found: "1.30.0" }],
        passed: false,
      },
      "bundles/a",
    );
    expect(lines).toEqual([
      "reach-block from bundles/a: 5 of 27 computed steps are identical to the last bit",
      "  3 of 30 steps were skipped: 1 without an image in the file, 2 whose image was kept with loss only",
      "  step 4: outputRad of joint5 was 0.25, now 0.125 (largest difference of the step 1.3e-1 rad)",
      "  step 4: gripperTargetM was 0.08, now 0",
      "  and 21 more steps differ",
      "  What computed them was not the same:",
      "    onnxruntime: recorded nothing, here 1.30.0",
    ]);
  });
});

describe("the bundle that ran", () => {
  const startOf = async () => {
    const reader = await EpisodeReader.open(join(folder, "recordings/reach/episode-000001"));
    await reader.close();
    return reader.start;
  };

  it("is found by its checksum where the program keeps its bundles, when the cell's folder is gone", async () => {
    const start = { ...(await startOf()), cell: { policy: { bundle: join(folder, "gone") } } };
    await cp(join(folder, "bundles/a"), join(folder, "moved/renamed"), { recursive: true });
    await cp(join(folder, "bundles/b"), join(folder, "moved/another"), { recursive: true });
    expect((await bundleThatRan(start, join(folder, "moved"))).directory).toBe(join(folder, "moved/renamed"));
    expect((await loadBundle(join(folder, "moved/renamed"))).manifestSha256).toBe(bundle.manifestSha256);
  });

  it("that is nowhere is refused with its name; an episode without a policy says so", async () => {
    const start = { ...(await startOf()), cell: {} };
    await expect(bundleThatRan(start, join(folder, "nothing"))).rejects.toMatchObject({
      code: "BUNDLE_MISMATCH",
      happened: expect.stringContaining("test-bundle with manifest"),
    });
    await expect(bundleThatRan({ ...start, bundle: null }, folder)).rejects.toMatchObject({
      code: "EPISODE_INVALID",
    });
  });
});
