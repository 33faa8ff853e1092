import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import { POLICY_STEP_TOPIC, policyInputTopic } from "../../episodes/messages.js";
import { type Bundle, loadBundle } from "../../policies/bundle.js";
import { engineIdentity } from "../../policies/engine.js";
import { PolicyPipeline } from "../../policies/pipeline.js";
import { decodePng } from "../../policies/png.js";
import { Preprocessor } from "../../policies/preprocess.js";
import {
  imageTopicOf,
  TEST_START_NS,
  type TestEpisodeOptions,
  testPixels,
  writeTestEpisode,
} from "../../test/support/episodes/testEpisode.js";
import { makeTestBundle } from "../../test/support/onnx/testBundle.js";
import { decodeAction } from "./boundAction.js";
import { replayOffline } from "./offlineReplay.js";

const SIZE = { widthPx: 128, heightPx: 96 };
const CROP = { xPx: 16, yPx: 0, widthPx: 96, heightPx: 96 };
const IMAGE = { ...SIZE, crop: CROP };
const STEPS = 10;
const SHIPPED = fileURLToPath(new URL("../../policies/bundles/reach-block", import.meta.url));
let folder: string;
let bundle: Bundle;
let number = 0;

const makeBundle = async (name: string, options: Parameters<typeof makeTestBundle>[1] = {}) => {
  await makeTestBundle(join(folder, name), { image: IMAGE, actionGain: 0.3, ...options });
  return loadBundle(join(folder, name));
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "offline-replay-"));
  bundle = await makeBundle("bundle");
});
afterAll(() => rm(folder, { recursive: true }));

/** An episode in which `ran` has computed every step from what the camera saw, as the runner does it. */
async function record(ran: Bundle, options: TestEpisodeOptions = {}): Promise<string> {
  const { manifest } = ran;
  const pixels = options.pixels ?? ((index: number) => testPixels(SIZE.widthPx, SIZE.heightPx, index));
  const pipeline = await PolicyPipeline.load(ran, manifest.variants[0]!);
  const state = new Float64Array(manifest.proprioception.length);
  const episode = await writeTestEpisode(folder, {
    number: ++number,
    cameraRateHz: 15,
    tickRateHz: 50,
    storage: "jpeg",
    policyInputs: true,
    ...options,
    start: {
      bundle: { name: manifest.name, task: manifest.task, manifestSha256: ran.manifestSha256 },
      software: engineIdentity(manifest.variants[0]!.precision, 1),
      ...options.start,
    },
    step: async (step, frame) => {
      pipeline.preprocess(pixels(frame), "rgb8");
      await pipeline.encode();
      const { gripperOpeningM } = step;
      // Of several robots a step has the joints of all.
      const positionRad = Float64Array.from(
        manifest.robot.joints,
        (_, joint) => step.positionRad[joint % 7]!,
      );
      const output = await pipeline.control(pipeline.assembleState(positionRad, gripperOpeningM, state));
      const {
        gripperOutputM = Number.NaN,
        gripperTargetM = Number.NaN,
        ...vectors
      } = decodeAction(output, positionRad, manifest.action, []);
      const computed = {
        outputRad: Float64Array.from(vectors.outputRad),
        actionRad: Float64Array.from(vectors.actionRad),
        targetRad: Float64Array.from(vectors.targetRad),
      };
      const done = {
        ...step,
        policy: manifest.name,
        positionRad,
        ...computed,
        gripperOutputM,
        gripperTargetM,
      };
      return options.step === undefined ? done : options.step(done, frame);
    },
  });
  await pipeline.release();
  return episode;
}

async function replay(episode: string, by = bundle) {
  const reader = await EpisodeReader.open(episode);
  try {
    return await replayOffline(reader, by, new SimClock());
  } finally {
    await reader.close();
  }
}

describe("an episode's steps computed anew", () => {
  it.each([
    [
      "from the images that the policy used, kept as PNG beside JPEG",
      { storage: "jpeg", policyInputs: true },
    ],
    ["from raw images", { storage: "raw", policyInputs: false }],
    ["from images that are all kept as PNG", { storage: "png", policyInputs: false }],
  ] as const)("%s, are identical to the last bit, clipped ones among them", async (_, options) => {
    let clipped = 0;
    const step: TestEpisodeOptions["step"] = (done) => {
      if (done.outputRad.some((value, joint) => value !== done.actionRad[joint])) clipped++;
      return done;
    };
    const result = await replay(await record(bundle, { ...options, step }));
    expect(result).toMatchObject({ steps: STEPS, compared: STEPS, identical: STEPS, passed: true });
    expect(result.differences).toEqual([]);
    expect(result.identity).toEqual([]);
    expect(clipped).toBeGreaterThan(0);
  });

  it("of an arm and a hand, each joint clipped by its own bound, are identical, and a wrong one is named", async () => {
    const joints = [
      ...Array.from({ length: 7 }, (_, joint) => `xarm7/joint${joint + 1}`),
      ...Array.from({ length: 16 }, (_, joint) => `allegro/joint${joint}`),
    ];
    const clipRad = joints.map((_, joint) => (joint < 7 ? 0.02 : 0.8));
    const both = await makeBundle("both", {
      device: "xarm7-allegro",
      joints,
      startRad: joints.map(() => 0),
      change: (manifest) => ({ ...manifest, action: { ...manifest.action, clipRad } }),
    });
    let largestRad = 0;
    const step: TestEpisodeOptions["step"] = (done) => {
      largestRad = Math.max(largestRad, ...done.actionRad);
      return {
        ...done,
        outputRad: done.step === 3 ? done.outputRad.map((v, j) => (j === 20 ? 0.5 : v)) : done.outputRad,
      };
    };
    const result = await replay(await record(both, { step }), both);
    expect(result).toMatchObject({ compared: STEPS, identical: STEPS - 1 });
    expect(result.differences).toMatchObject([{ step: 3, field: "outputRad", joint: "allegro/joint13" }]);
    expect(largestRad).toBeGreaterThan(0.02);
  });

  it("of a policy that moves the gripper are identical, and an opening that differs is told", async () => {
    const gripper = { kind: "opening", unit: "m", minM: 0, maxM: 0.08, levelsM: [0, 0.08] } as const;
    const picks = await makeBundle("gripper", { gripper });
    expect(await replay(await record(picks), picks)).toMatchObject({ identical: STEPS, passed: true });
    const step: TestEpisodeOptions["step"] = (done) => ({
      ...done,
      gripperTargetM: done.step === 4 ? 0.04 : done.gripperTargetM,
    });
    const result = await replay(await record(picks, { step }), picks);
    expect(result).toMatchObject({ compared: STEPS, identical: STEPS - 1, differences: [], passed: false });
    expect(result.gripperDifferences).toMatchObject([{ step: 4, field: "gripperTargetM", recordedM: 0.04 }]);
    expect([0, 0.08]).toContain(result.gripperDifferences[0]!.computedM);
  });

  it("of the shipped bundle on frames of the lab are identical", async () => {
    const shipped = await loadBundle(SHIPPED);
    const golden = await Promise.all(
      shipped.goldens.cases.map(async ({ image }) => decodePng(await readFile(join(SHIPPED, image)))),
    );
    const pixels = (index: number) => {
      const found = golden[index % golden.length]!;
      if (typeof found === "string") throw new Error(found);
      return found.pixels;
    };
    const { widthPx, heightPx } = shipped.manifest.image;
    const episode = await record(shipped, { widthPx, heightPx, pixels, cameraRateHz: 5 });
    const result = await replay(episode, shipped);
    expect(result).toMatchObject({ compared: STEPS, identical: STEPS, identity: [], passed: true });
  });

  it("also when a run begins with the image that the run before has ended with", async () => {
    let last: { imageStampNs: bigint } | undefined;
    const episode = await record(bundle, {
      pixels: () => testPixels(SIZE.widthPx, SIZE.heightPx, 3),
      step: (done, frame) => {
        const again = frame === 6 ? { ...done, step: 0, imageStampNs: last!.imageStampNs as never } : done;
        last = done;
        return again;
      },
    });
    expect(await replay(episode)).toMatchObject({ compared: STEPS, passed: true });
  });
});

describe("what has changed is noticed", () => {
  it("another preprocessing: at which step, which joint, by how much, and that the bundle is another", async () => {
    const episode = await record(bundle);
    const other = await makeBundle("kernel", {
      image: { ...IMAGE, resize: { widthPx: 64, heightPx: 64, kernel: "bilinear" } },
    });
    const result = await replay(episode, other);
    expect(result).toMatchObject({ compared: STEPS, identical: 0, passed: false });
    expect(result.identity).toEqual([
      { name: "manifestSha256", recorded: bundle.manifestSha256, found: other.manifestSha256 },
    ]);
    const [first] = result.differences;
    expect(first).toMatchObject({ step: 0, field: "outputRad" });
    expect(Math.abs(first!.recordedRad - first!.computedRad)).toBeLessThanOrEqual(first!.differenceMaxRad);
    expect(first!.differenceMaxRad).toBeGreaterThan(0);
  });

  it("the program's own preprocessing, with the same bundle on the same machine", async () => {
    const episode = await record(bundle);
    const run = Preprocessor.prototype.run;
    const changed = vi.spyOn(Preprocessor.prototype, "run").mockImplementation(function (
      this: Preprocessor,
      ...image
    ) {
      const output = run.apply(this, image);
      for (let at = 0; at < output.length; at++) output[at]! *= 1 + 1e-6;
      return output;
    });
    const result = await replay(episode);
    changed.mockRestore();
    expect(result).toMatchObject({ compared: STEPS, identity: [], passed: false });
    expect(result.differences[0]!.differenceMaxRad).toBeLessThan(1e-4);
    expect((await replay(episode)).passed).toBe(true);
  });

  it("other weights", async () => {
    const result = await replay(await record(bundle), await makeBundle("weights", { seed: 2 }));
    expect(result).toMatchObject({ identical: 0, passed: false });
  });

  it("a smaller clip changes what was asked for, not the answer", async () => {
    const tighter = await makeBundle("clip", {
      change: (manifest) => ({ ...manifest, action: { ...manifest.action, clipRad: 0.02 } }),
    });
    const { differences } = await replay(await record(bundle), tighter);
    expect(differences[0]).toMatchObject({ field: "actionRad" });
  });

  it("one bit of one recorded output", async () => {
    const episode = await record(bundle, {
      step: (done, frame) => {
        if (frame !== 6) return done;
        const bits = new Float32Array(done.outputRad);
        new Uint32Array(bits.buffer)[4]! ^= 1;
        return { ...done, outputRad: Float64Array.from(bits) };
      },
    });
    const result = await replay(episode);
    expect(result).toMatchObject({ compared: STEPS, identical: STEPS - 1, passed: false });
    expect(result.differences).toMatchObject([{ step: 2, field: "outputRad", joint: "joint5" }]);
    expect(result.differences[0]!.differenceMaxRad).toBeLessThan(1e-7);
  });

  it("another engine or processor is named beside what it computes", async () => {
    const software = { ...engineIdentity("fp32", 1), onnxruntime: "1.0.0", cpuFeatures: "sse4_1" };
    const { identity } = await replay(await record(bundle, { start: { software } }));
    expect(identity.map(({ name, recorded }) => [name, recorded])).toEqual([
      ["onnxruntime", "1.0.0"],
      ["cpuFeatures", "sse4_1"],
    ]);
  });
});

describe("what cannot be compared is said and counted", () => {
  it("steps whose image is missing, or is there only with loss", async () => {
    const episode = await record(bundle, {
      disturb: (message) => {
        const atS = Number(message.publishNs - TEST_START_NS) / 1e9;
        const isInput = message.topic === policyInputTopic("wrist");
        // Step 1 (frame 3) has no image at all, step 2 (frame 6) only its JPEG.
        if (Math.abs(atS - 0.2) < 0.01 && (isInput || message.topic === imageTopicOf("wrist", "jpeg")))
          return;
        if (Math.abs(atS - 0.4) < 0.01 && isInput) return;
        return message;
      },
    });
    const result = await replay(episode);
    expect(result.skipped).toMatchObject({ imageMissing: 1, imageLossy: 1, imageUnusable: 0 });
    expect(result).toMatchObject({ steps: STEPS, compared: STEPS - 2, identical: STEPS - 2, passed: true });
  });

  it("an episode with nothing but lossy images does not pass", async () => {
    const result = await replay(await record(bundle, { policyInputs: false }));
    expect(result).toMatchObject({ compared: 0, skipped: { imageLossy: STEPS }, passed: false });
  });

  it("an episode in which another policy ran, or none, is refused with its name", async () => {
    const other = await record(bundle, { step: (done) => ({ ...done, policy: "expert" }) });
    await expect(replay(other)).rejects.toMatchObject({
      code: "EPISODE_INVALID",
      happened: expect.stringContaining("steps are of expert"),
    });
    const none = await writeTestEpisode(folder, {
      number: ++number,
      disturb: (message) => (message.topic === POLICY_STEP_TOPIC ? undefined : message),
    });
    await expect(replay(none)).rejects.toThrow(/no policy ran/);
  });

  it("steps of a robot with other joints are refused", async () => {
    const episode = await record(bundle, {
      step: (done) => ({ ...done, positionRad: done.positionRad.slice(1) }),
    });
    await expect(replay(episode)).rejects.toMatchObject({ code: "BUNDLE_MISMATCH" });
  });
});
