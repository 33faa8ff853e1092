import {
  appendFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeTestBundle, type TestBundleOptions } from "../test/support/onnx/testBundle.js";
import { loadAnyBundle } from "./anyBundle.js";
import { loadBundle } from "./bundle.js";
import { bundlePath } from "./bundleFolder.js";
import type { GripperAction, PolicyManifest } from "./manifest.js";
import { actionTolerance, openPolicy, passingVariants, replayFused } from "./verify.js";

let directory: string;
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), "bundle-")), "bundle");
  await mkdir(directory);
});
afterEach(() => rm(dirname(directory), { recursive: true, force: true }));

describe("reading a bundle", () => {
  it("accepts a complete one and knows its files' sizes", async () => {
    const manifest = await makeTestBundle(directory);
    const bundle = await loadBundle(directory);
    expect(bundle.manifest).toEqual(manifest);
    expect([...bundle.fileBytes.keys()].sort()).toEqual(Object.keys(manifest.files).sort());
    expect(bundle.fileBytes.get("encoder.fp32.onnx")).toBeGreaterThan(100_000);
  });

  it("takes one bound for all joints of an action, or one for each, and names no joint twice", async () => {
    const joints = Array.from({ length: 16 }, (_, joint) => `joint${joint}`);
    const hand = { device: "allegro", joints, startRad: joints.map(() => 0.1) } as const;
    const clip = (clipRad: number | number[]) => (manifest: PolicyManifest) => ({
      ...manifest,
      action: { ...manifest.action, clipRad },
    });
    await makeTestBundle(directory, { ...hand, change: clip(joints.map(() => 0.8)) });
    const { manifest } = await loadBundle(directory);
    expect(manifest.robot.device).toBe("allegro");
    expect(manifest.start).toEqual({ positionRad: joints.map(() => 0.1) });
    for (const wrong of [0.8, joints.map(() => 1.1), joints.slice(1).map(() => 0.8)]) {
      await makeTestBundle(directory, { ...hand, change: clip(wrong) });
      await expect(loadBundle(directory)).rejects.toThrow(/action\.clipRad/);
    }
    await makeTestBundle(directory, { ...hand, joints: joints.with(3, "joint2") });
    await expect(loadBundle(directory)).rejects.toThrow(/robot\.joints: must not name a joint twice/);
  });

  it("takes an arm's gripper as the last number of the output, within bounds that make sense", async () => {
    const gripper = { kind: "opening", unit: "m", minM: 0, maxM: 0.08, levelsM: [0, 0.08] } as const;
    await makeTestBundle(directory, { gripper });
    const { bundle, pipeline } = await openPolicy(directory);
    expect(bundle.goldens.cases.map(({ action }) => action.length)).toEqual([8, 8]);
    expect([...(await pipeline.control(new Float64Array(8)))]).toHaveLength(8);
    expect([...pipeline.assembleState(new Float64Array(7).fill(1), 0.05, new Float64Array(8))].at(-1)).toBe(
      0.05,
    );
    await pipeline.release();
    const wrong: [change: Partial<GripperAction>, why: RegExp][] = [
      [{ minM: 0.08 }, /action\.gripper\.maxM: must be above minM/],
      [{ maxM: 0.2 }, /action\.gripper\.maxM/],
      [{ levelsM: [0, 0.09] }, /action\.gripper\.levelsM: must rise/],
      [{ levelsM: [0.08, 0] }, /action\.gripper\.levelsM: must rise/],
    ];
    for (const [change, why] of wrong) {
      await makeTestBundle(directory, { gripper: { ...gripper, ...change } });
      await expect(loadBundle(directory)).rejects.toThrow(why);
    }
    const without = (manifest: PolicyManifest) => ({
      ...manifest,
      start: { positionRad: manifest.start.positionRad },
    });
    await makeTestBundle(directory, { gripper, change: without });
    await expect(loadBundle(directory)).rejects.toThrow(/start\.gripperOpeningM: must say/);
    const joints = Array.from({ length: 16 }, (_, joint) => `joint${joint}`);
    await makeTestBundle(directory, {
      gripper,
      device: "allegro",
      joints,
      startRad: joints.map(() => 0.1),
      change: (manifest) => ({ ...manifest, start: { ...manifest.start, gripperOpeningM: 0.08 } }),
    });
    await expect(loadBundle(directory)).rejects.toThrow(/action\.gripper: must be absent/);
  });

  it("refuses goldens that lack the opening", async () => {
    const gripper = { kind: "opening", unit: "m", minM: 0, maxM: 0.08 } as const;
    await makeTestBundle(directory, {
      change: (manifest) => ({ ...manifest, action: { ...manifest.action, gripper } }),
    });
    await expect(loadBundle(directory)).rejects.toThrow(/has 7 action values, expected 8/);
  });

  it("reads a bundle from before there were hands: its camera is on the flange", async () => {
    await makeTestBundle(directory, {
      change: ({ image: { mount, ...image }, ...manifest }) => {
        const { parentFrame: _, ...older } = mount;
        return { ...manifest, image: { ...image, mount: older } };
      },
    });
    expect((await loadBundle(directory)).manifest.image.mount.parentFrame).toBe("flange");
  });

  it("refuses a folder without a manifest and says where bundles are named", async () => {
    await expect(loadBundle(directory)).rejects.toMatchObject({
      code: "BUNDLE_INVALID",
      message: expect.stringMatching(/policy\.json cannot be read.*cell file/s),
    });
  });

  it("refuses one changed byte in any file, naming the file and both checksums", async () => {
    const manifest = await makeTestBundle(directory);
    for (const [file, expected] of Object.entries(manifest.files)) {
      const path = join(directory, file);
      const bytes = await readFile(path);
      const damaged = Buffer.from(bytes);
      damaged[Math.floor(bytes.length / 2)]! ^= 1;
      await writeFile(path, damaged);
      await expect(loadBundle(directory)).rejects.toMatchObject({
        code: "BUNDLE_INVALID",
        happened: expect.stringMatching(new RegExp(`${file} has SHA-256 .*expected ${expected}`)),
      });
      await writeFile(path, bytes);
    }
    await loadBundle(directory);
  });

  it("refuses missing files, extra files and links", async () => {
    await makeTestBundle(directory);
    await writeFile(join(directory, "extra.py"), "");
    await expect(loadBundle(directory)).rejects.toThrow(/extra\.py is not listed/);
    await rm(join(directory, "extra.py"));
    await rename(join(directory, "controller.onnx"), join(directory, "../moved.onnx"));
    await expect(loadBundle(directory)).rejects.toThrow(/controller\.onnx is listed but missing/);
    await symlink(join(directory, "../moved.onnx"), join(directory, "controller.onnx"));
    await expect(loadBundle(directory)).rejects.toThrow(/controller\.onnx is neither file nor folder/);
    await rm(join(directory, "../moved.onnx"));
  });

  it("refuses text that is no JSON", async () => {
    await makeTestBundle(directory);
    await appendFile(join(directory, "policy.json"), "}");
    await expect(loadBundle(directory)).rejects.toMatchObject({ code: "BUNDLE_INVALID" });
  });

  it("tells a policy without pictures from one that it does not know", async () => {
    await makeTestBundle(directory);
    const file = join(directory, "policy.json");
    const manifest = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...manifest, kind: "lstm" }));
    await expect(loadBundle(directory)).rejects.toThrow(
      /of kind lstm, which sees no camera; expected bc-mlp/,
    );
    await writeFile(file, JSON.stringify({ ...manifest, kind: "diffusion" }));
    await expect(loadAnyBundle(directory)).rejects.toThrow(
      /kind diffusion is not known, expected one of bc-mlp, causal-transformer, mlp, cnn, lstm/,
    );
  });

  it.each<[string, NonNullable<TestBundleOptions["change"]>, RegExp]>([
    ["an unknown field", (m) => ({ ...m, python: "x" }), /python/],
    ["another schema version", (m) => ({ ...m, schema: "cerebellum/policy@2" }), /schema/],
    ["a crop outside of the image", (m) => ({ ...m, image: { ...m.image, widthPx: 500 } }), /image\.crop/],
    [
      "a path that leaves the bundle",
      (m) => ({ ...m, files: { ...m.files, "../x": "0".repeat(64) } }),
      /files/,
    ],
    [
      "a variant's file that is not listed",
      (m) => ({ ...m, variants: [{ ...m.variants[0], encoderFile: "other.onnx" }] }),
      /other\.onnx is used but not listed/,
    ],
    [
      "an image that is no multiple of the patch",
      (m) => ({ ...m, image: { ...m.image, resize: { ...m.image.resize, widthPx: 60 } } }),
      /no multiple of patch 16/,
    ],
    [
      "a state element of an unknown joint",
      (m) => ({ ...m, proprioception: [{ name: "elbow", unit: "rad", source: "joint-position" }] }),
      /elbow is no joint/,
    ],
    [
      "goldens with another state length",
      (m) => ({ ...m, proprioception: m.proprioception.slice(1) }),
      /8 state values, expected 7/,
    ],
  ])("refuses %s", async (_, change, text) => {
    await makeTestBundle(directory, { change });
    await expect(loadBundle(directory)).rejects.toMatchObject({
      code: "BUNDLE_INVALID",
      happened: expect.stringMatching(text),
    });
  });
});

describe("a file that bundles share", () => {
  const shipped = fileURLToPath(new URL("bundles", import.meta.url));

  it("lies in one of them, found beside the other by its content whatever its name", async () => {
    const manifest = await makeTestBundle(directory);
    const other = join(directory, "../other");
    await cp(directory, other, { recursive: true });
    await rename(join(other, "encoder.fp32.onnx"), join(other, "eyes.onnx"));
    const { "encoder.fp32.onnx": sha256, ...files } = manifest.files;
    await writeFile(
      join(other, "policy.json"),
      JSON.stringify({ ...manifest, files: { ...files, "eyes.onnx": sha256 } }),
    );
    const whole = await loadBundle(directory);
    await rm(join(directory, "encoder.fp32.onnx"));
    const bundle = await loadBundle(directory);
    expect(bundlePath(bundle, "encoder.fp32.onnx")).toBe(join(other, "eyes.onnx"));
    expect(bundlePath(bundle, "controller.onnx")).toBe(join(directory, "controller.onnx"));
    expect(bundle.fileBytes).toEqual(whole.fileBytes);
    expect(bundle.manifestSha256).toBe(whole.manifestSha256);
    await (await openPolicy(directory)).pipeline.release();
  });

  it("is refused when the other bundle holds something else than it says, or has gone", async () => {
    await makeTestBundle(directory);
    const other = join(directory, "../other");
    await cp(directory, other, { recursive: true });
    await rm(join(directory, "encoder.fp32.onnx"));
    await appendFile(join(other, "encoder.fp32.onnx"), "x");
    const missing = /encoder\.fp32\.onnx is listed but missing, and no bundle beside it .* same content/;
    await expect(loadBundle(directory)).rejects.toThrow(missing);
    await rm(other, { recursive: true });
    await expect(loadBundle(directory)).rejects.toThrow(missing);
    await loadBundle(directory).catch((thrown) => expect(thrown).toMatchObject({ code: "BUNDLE_INVALID" }));
  });

  it("is kept once among the shipped bundles, all of which are whole, and found by a copy elsewhere", async () => {
    const bytesOf = new Map<string, number>();
    for (const name of await readdir(shipped)) {
      const { manifest, sharedPaths } = await loadAnyBundle(join(shipped, name));
      for (const [file, sha256] of Object.entries(manifest.files)) {
        if (sharedPaths.has(file)) continue;
        const { size } = await stat(join(shipped, name, file));
        if (size > 1e6) expect(bytesOf.has(sha256), `${name}/${file} lies in another bundle too`).toBe(false);
        bytesOf.set(sha256, size);
      }
      if (sharedPaths.size === 0) continue;
      const copy = join(dirname(directory), name);
      await cp(join(shipped, name), copy, { recursive: true });
      expect((await loadBundle(copy)).sharedPaths).toEqual(sharedPaths);
    }
  });
});

describe("opening a bundle", () => {
  it.each(["class-token", "patch-tokens"] as const)(
    "replays its goldens with feature %s",
    async (feature) => {
      await makeTestBundle(directory, { feature });
      const opened = await openPolicy(directory);
      expect(opened.goldens).toHaveLength(2);
      for (const golden of opened.goldens) {
        expect(golden.imageErrorMax).toBeLessThanOrEqual(1e-6);
        expect(golden.actionErrorMaxRad).toBeLessThanOrEqual(1e-6);
      }
      await opened.pipeline.release();
    },
  );

  it("refuses other preprocessing with the case, the index and both numbers", async () => {
    await makeTestBundle(directory, {
      change: (m) => ({ ...m, image: { ...m.image, mean: [0.5, 0.456, 0.406] } }),
    });
    await expect(openPolicy(directory)).rejects.toMatchObject({
      code: "BUNDLE_MISMATCH",
      happened: expect.stringMatching(
        /golden case 0 \(goldens\/0\.png\) image differs at \d+ of 64 values \(tolerance 0\.00001\): \[\d+\] found .* expected/,
      ),
    });
  });

  it("refuses the other kernel", async () => {
    await makeTestBundle(directory, {
      change: (m) => ({ ...m, image: { ...m.image, resize: { ...m.image.resize, kernel: "bilinear" } } }),
    });
    await expect(openPolicy(directory)).rejects.toMatchObject({ code: "BUNDLE_MISMATCH" });
  });

  it("refuses the other feature, because names or shapes of the models differ", async () => {
    await makeTestBundle(directory, {
      change: (m) => ({ ...m, encoder: { ...m.encoder, feature: "class-token" } }),
    });
    await expect(openPolicy(directory)).rejects.toMatchObject({
      code: "BUNDLE_MISMATCH",
      happened: expect.stringMatching(/feature float32 \[1, 16, 32\].*feature float32 \[1, 32\]/),
    });
  });

  it("refuses a model that is not ONNX", async () => {
    const manifest = await makeTestBundle(directory);
    await writeFile(join(directory, "controller.onnx"), await readFile(join(directory, "goldens/0.png")));
    const png = manifest.files["goldens/0.png"]!;
    await writeFile(
      join(directory, "policy.json"),
      JSON.stringify({ ...manifest, files: { ...manifest.files, "controller.onnx": png } }),
    );
    await expect(openPolicy(directory)).rejects.toMatchObject({
      code: "BUNDLE_INVALID",
      happened: expect.stringMatching(/ONNX Runtime cannot load .*controller\.onnx/),
    });
  });

  it("reports a controller that answers NaN", async () => {
    await makeTestBundle(directory, { actionGain: 0.05 });
    const opened = await openPolicy(directory);
    await expect(opened.pipeline.control(new Array(8).fill(Number.NaN))).rejects.toMatchObject({
      code: "POLICY_OUTPUT_INVALID",
      happened: expect.stringMatching(/returned NaN for joint1/),
    });
    await opened.pipeline.release();
  });

  it("refuses a robot with other joints or another order", async () => {
    const { robot } = await makeTestBundle(directory);
    await expect(openPolicy(directory, { jointNames: [...robot.joints].reverse() })).rejects.toMatchObject({
      code: "BUNDLE_MISMATCH",
      happened: expect.stringMatching(/moves joints joint1.*robot has joint7/),
    });
  });

  it("refuses a camera mounted more than 5 mm or 1 degree away, and accepts less", async () => {
    const { image } = await makeTestBundle(directory);
    const [qx, qy, qz, qw] = image.mount.quatXyzw;
    const turned = (degrees: number) => {
      const half = (degrees * Math.PI) / 360;
      const [s, c] = [Math.sin(half), Math.cos(half)];
      return [qx! * c + qw! * s, qy! * c + qz! * s, qz! * c - qy! * s, qw! * c - qx! * s];
    };
    const camera = { ...image, fovYDeg: 42, mount: image.mount };
    const at = (positionM: number[], quatXyzw: readonly number[], fovYDeg = 42) =>
      openPolicy(directory, {
        camera: { ...camera, fovYDeg, mount: { ...image.mount, positionM, quatXyzw } },
      });
    const opened = await at(
      [0.075, 0.0049, 0.025],
      turned(0.9).map((value) => -value),
    );
    await opened.pipeline.release();
    const mismatch = { code: "BUNDLE_MISMATCH" };
    await expect(at([0.075, 0.0051, 0.025], turned(0))).rejects.toMatchObject(mismatch);
    const onPalm = { ...camera, mount: { ...image.mount, parentFrame: "palm" } } as const;
    await expect(openPolicy(directory, { camera: onPalm })).rejects.toThrow(
      /fixed to the palm, expected the flange/,
    );
    await expect(at([0.075, 0, 0.025], turned(1.1))).rejects.toThrow(/1\.10 degrees \(limit 1\)/);
    await expect(at([0.075, 0, 0.025], turned(0), 44)).rejects.toMatchObject(mismatch);
    await expect(
      openPolicy(directory, { camera: { ...camera, widthPx: 1280, heightPx: 720 } }),
    ).rejects.toThrow(/1280 x 720, expected 640 x 480/);
  });
});

describe("choosing a variant", () => {
  const cosines = (mean: number, min: number) => [
    { mean, min },
    { mean: 1, min: 1 },
  ];
  it("takes int8 when both cosines pass the gate, else fp32", async () => {
    await makeTestBundle(directory, { precisions: ["int8", "fp32"], cosines: cosines(0.9995, 0.996) });
    expect(passingVariants(await loadBundle(directory))[0]!.precision).toBe("int8");
    await makeTestBundle(directory, { precisions: ["int8", "fp32"], cosines: cosines(0.9995, 0.994) });
    expect(passingVariants(await loadBundle(directory))[0]!.precision).toBe("fp32");
  });
  it("refuses a bundle without any that passes", async () => {
    await makeTestBundle(directory, { cosines: [{ mean: 0.9, min: 0.9 }] });
    const bundle = await loadBundle(directory);
    expect(() => passingVariants(bundle)).toThrow(/no variant passes the gate.*fp32 mean 0\.9/);
  });

  it("falls back to fp32 when int8 fails its goldens on this machine, and says so", async () => {
    // The goldens hold fp32's answers to 1e-5, which no quantised encoder meets.
    await makeTestBundle(directory, { precisions: ["int8", "fp32"], actionGain: 1 });
    const opened = await openPolicy(directory);
    expect(opened.pipeline.variant.precision).toBe("fp32");
    expect(opened.rejected).toMatchObject([
      { precision: "int8", reason: expect.stringMatching(/golden case 0 .* action differs/) },
    ]);
    await opened.pipeline.release();
  });

  const measured = {
    frames: 64,
    datasetSha256: "0".repeat(64),
    featureCosineMean: 0.9999,
    featureCosineMin: 0.999,
    actionErrorShare: 0.06,
    actionErrorMaxRad: 0.009,
    actionErrorRmsRad: 0.001,
    actionRmsRad: 0.05,
    outlierRatio: 7,
    productsQuantised: 8,
    productsKept: ["node_1"],
  };
  const withShare =
    (actionErrorShare: number) =>
    (m: PolicyManifest): PolicyManifest => ({
      ...m,
      gate: { ...m.gate, actionErrorShare },
      variants: m.variants.map((variant) =>
        variant.precision === "fp32" ? variant : { ...variant, measured },
      ),
      leftOut: [{ precision: "int8", reason: "an older try" }],
    });

  it("counts how far its actions were off, where that was measured", async () => {
    const precisions = ["int8", "fp32"] as const;
    for (const [share, chosen] of [
      [0.05, "fp32"],
      [0.07, "int8"],
    ] as const) {
      await makeTestBundle(directory, { precisions, change: withShare(share) });
      expect(passingVariants(await loadBundle(directory))[0]!.precision).toBe(chosen);
    }
  });

  it("holds the goldens of int8 to the gate, and those of fp32 to their own tolerance", async () => {
    await makeTestBundle(directory, { precisions: ["int8", "fp32"], actionGain: 1, change: withShare(0.5) });
    const opened = await openPolicy(directory);
    expect(opened.pipeline.variant.precision).toBe("int8");
    expect(Math.max(...opened.goldens.map((golden) => golden.actionErrorMaxRad))).toBeGreaterThan(1e-5);
    expect(actionTolerance(opened.bundle.manifest, opened.pipeline.variant)).toEqual(
      Array.from({ length: 7 }, () => 0.075),
    );
    expect(actionTolerance(opened.bundle.manifest, opened.bundle.manifest.variants[1]!)).toBe(1e-5);
    await opened.pipeline.release();
  });

  it("holds an opening of int8 to the same share of the way from closed to open", async () => {
    const gripper = { kind: "opening", unit: "m", minM: 0.02, maxM: 0.08 } as const;
    await makeTestBundle(directory, { gripper, precisions: ["int8", "fp32"], change: withShare(0.1) });
    const { manifest } = await loadBundle(directory);
    const tolerances = actionTolerance(manifest, manifest.variants[0]!) as number[];
    expect(tolerances).toHaveLength(8);
    expect(tolerances[0]).toBeCloseTo(0.015);
    expect(tolerances[7]).toBeCloseTo(0.006);
  });

  it("refuses a whole policy in one file that is another than the two", async () => {
    await makeTestBundle(directory, {
      change: (m) => ({ ...m, variants: [{ ...m.variants[0]!, fusedFile: "controller.onnx" }] }),
    });
    const opened = await openPolicy(directory);
    await opened.pipeline.release();
    await expect(replayFused(opened.bundle, opened.pipeline.variant)).rejects.toMatchObject({
      code: "BUNDLE_MISMATCH",
      happened: expect.stringMatching(/controller\.onnx has input feature.*the manifest says image/),
    });
    await makeTestBundle(directory, {
      change: (m) => ({ ...m, variants: [{ ...m.variants[0]!, fusedFile: "policy.onnx" }] }),
    });
    await expect(loadBundle(directory)).rejects.toThrow(/policy\.onnx is used but not listed/);
  });
});
