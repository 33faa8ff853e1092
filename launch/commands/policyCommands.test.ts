import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { addNs, asMonotonicNs, msToNs } from "../../core/clock.js";
import { SimClock } from "../../core/simClock.js";
import type { StepRecord } from "../../runtime/policy/steps.js";
import { makeTestBundle } from "../../test/support/onnx/testBundle.js";
import { benchEncoder } from "./benchEncoder.js";
import { collectSteps, describePolicyBench, summariseSteps } from "./benchPolicy.js";
import { policyInspect } from "./policyInspect.js";
import { policyVerify } from "./policyVerify.js";
import { summariseMs } from "./statistics.js";

let folder: string;
let printed: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "commands-"));
  printed = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});
const readResult = () => JSON.parse(readFileSync(join(folder, "result.json"), "utf8"));

describe("policy inspect and verify", () => {
  it("show what a bundle holds", async () => {
    await makeTestBundle(join(folder, "bundle"));
    await policyInspect(join(folder, "bundle"), { json: join(folder, "result.json") });
    expect(printed).toMatch(/rate +5 Hz; an action is valid for 500 ms/);
    expect(printed).toMatch(/crop 448 x 448 at 96, 32; to 64 x 64 bilinear-antialias/);
    expect(readResult()).toMatchObject({
      chosenPrecision: "fp32",
      goldenCases: 2,
      manifest: { task: "reach-block" },
    });
  });

  it("say what a policy of an arm and a hand moves, how far, and that it needs no gripper", async () => {
    const joints = [
      ...Array.from({ length: 7 }, (_, joint) => `xarm7/joint${joint + 1}`),
      ...Array.from({ length: 16 }, (_, joint) => `allegro/joint${joint}`),
    ];
    const clipRad = joints.map((_, joint) => (joint < 7 ? 0.15 : 0.8));
    await makeTestBundle(join(folder, "bundle"), {
      device: "xarm7-allegro",
      joints,
      startRad: joints.map(() => 0),
      change: (m) => ({ ...m, action: { ...m.action, clipRad } }),
    });
    await policyInspect(join(folder, "bundle"));
    expect(printed).toMatch(/robot +xarm7-allegro: xarm7\/joint1, .*, allegro\/joint15\n/);
    expect(printed).toMatch(/clipped at 0\.15 \(7 joints\), 0\.8 \(16 joints\) rad/);
    expect(printed).toMatch(/start pose +0 .* rad\n/);
    expect(printed).toMatch(/in the flange frame/);
    await policyVerify(join(folder, "bundle"));
    expect(printed).toMatch(/Passed with precision fp32/);
  });

  it("run an encoder of another family and say what it is", async () => {
    const architecture = { family: "cnn", name: "efficientnet-lite0/stage7", patchPx: 16, width: 32 };
    await makeTestBundle(join(folder, "bundle"), {
      change: (m) => ({ ...m, encoder: { ...m.encoder, architecture, pretraining: "supervised" } }),
    });
    await policyInspect(join(folder, "bundle"));
    expect(printed).toMatch(
      /efficientnet-lite0\/stage7, a place every 16 px, width 32; pre-training supervised/,
    );
    await policyVerify(join(folder, "bundle"));
    expect(printed).toMatch(/Passed with precision fp32/);
  });

  it("say what is uncommon about a ViT, and refuse what is none", async () => {
    const architecture = { patchPx: 16, width: 32, depth: 2, heads: 2, stem: [8, 16, 24, 32], preNorm: true };
    await makeTestBundle(join(folder, "bundle"), {
      change: (m) => ({ ...m, encoder: { ...m.encoder, architecture } }),
    });
    await policyInspect(join(folder, "bundle"));
    expect(printed).toMatch(/ViT patch 16, stem 8-16-24-32, width 32, depth 2, 2 heads/);
    await makeTestBundle(join(folder, "other"), {
      change: (m) => ({ ...m, encoder: { ...m.encoder, architecture: { ...architecture, family: "rnn" } } }),
    });
    await expect(policyInspect(join(folder, "other"))).rejects.toMatchObject({ code: "BUNDLE_INVALID" });
  });

  it("say how near the goldens were", async () => {
    await makeTestBundle(join(folder, "bundle"));
    await policyVerify(join(folder, "bundle"), { json: join(folder, "result.json") });
    expect(printed).toMatch(/Passed with precision fp32/);
    expect(readResult()).toMatchObject({ passed: true, goldens: [{ image: "goldens/0.png" }, {}] });
  });

  it("tell every precision: those that are there, and those that are not", async () => {
    await makeTestBundle(join(folder, "bundle"), {
      precisions: ["fp32", "int8"],
      change: (m) => ({
        ...m,
        gate: { ...m.gate, actionErrorShare: 0.5 },
        leftOut: [{ precision: "int8", reason: "mean feature cosine 0.9 (gate 0.999)" }],
      }),
    });
    await policyInspect(join(folder, "bundle"));
    expect(printed).toMatch(/variant int8 +feature cosine mean 1, min 1/);
    expect(printed).toMatch(/no int8 +mean feature cosine 0\.9 \(gate 0\.999\)/);
    await policyVerify(join(folder, "bundle"), { json: join(folder, "result.json") });
    expect(printed).toMatch(/ fp32\n.*tolerance 0\.00001\)\n.*\n {2}int8\n.*rad \(tolerance 0\.075\)/);
    expect(readResult().variants).toMatchObject([{ precision: "fp32" }, { precision: "int8" }]);
  });

  it("leave a machine-readable failure and still fail", async () => {
    await makeTestBundle(join(folder, "bundle"), {
      change: (m) => ({ ...m, image: { ...m.image, std: [0.2, 0.2, 0.2] } }),
    });
    const verifying = policyVerify(join(folder, "bundle"), { json: join(folder, "result.json") });
    await expect(verifying).rejects.toMatchObject({ code: "BUNDLE_MISMATCH" });
    expect(readResult()).toMatchObject({ passed: false, error: { code: "BUNDLE_MISMATCH" } });
  });
});

describe("bench policy", () => {
  const step = (index: number, change: Partial<StepRecord> = {}): StepRecord => ({
    step: index,
    dueNs: asMonotonicNs(BigInt(index) * 200_000_000n),
    startNs: addNs(asMonotonicNs(BigInt(index) * 200_000_000n), msToNs(index % 2)),
    startLatenessMs: index % 2,
    skippedSteps: 0,
    framesMissed: 0,
    ...change,
  });

  it("separates parts, jitter and refusals", () => {
    const records = [0, 1, 2, 3].map((index) => step(index, { encodeMs: 10 + index, commandSeq: index + 1 }));
    const result = summariseSteps([...records, step(4, { refusal: "staleFrame" })]);
    expect(result).toMatchObject({ steps: 5, commands: 4, refusals: { staleFrame: 1 } });
    expect(result.startIntervalErrorMs).toEqual({ count: 4, p50Ms: 1, p99Ms: 1, p999Ms: 1, maxMs: 1 });
    expect(result.partsMs.encode).toEqual({ count: 4, p50Ms: 11, p99Ms: 13, p999Ms: 13, maxMs: 13 });
    expect(result.partsMs.imageToWire).toBeUndefined();
    expect(describePolicyBench(result).join("\n")).toMatch(/encode +p50 11\.00 ms.*\n.*\nsend +no samples/);
  });

  it("collects for the time asked and then lets go", async () => {
    const clock = new SimClock();
    const listeners = new Set<(record: StepRecord) => void>();
    const source = {
      onStep: (listener: (record: StepRecord) => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    const collecting = collectSteps(source, clock, 1);
    for (const listener of listeners) listener(step(0));
    await clock.advance(1001);
    expect(await collecting).toHaveLength(1);
    expect(listeners.size).toBe(0);
  });

  it("takes quantiles by nearest rank", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(summariseMs(hundred)).toEqual({ count: 100, p50Ms: 50, p99Ms: 99, p999Ms: 100, maxMs: 100 });
    expect(summariseMs([])).toBeUndefined();
  });
});

describe("bench encoder", () => {
  it("measures each model, precision and number of threads", async () => {
    const tiny = { widthPx: 32, heightPx: 32, patchPx: 16, width: 32, depth: 1, heads: 2 };
    const json = join(folder, "result.json");
    const results = await benchEncoder({ seconds: 0.1, json, models: { tiny }, withTorch: false });
    expect(results.map((row) => `${row.precision} ${row.intraOpThreads}`)).toEqual([
      "fp32 1",
      "fp32 2",
      "int8 1",
      "int8 2",
    ]);
    for (const row of results) {
      expect(row.images).toBeGreaterThanOrEqual(5);
      expect(row.medianMs).toBeGreaterThan(0);
      expect(row.p99Ms).toBeGreaterThanOrEqual(row.medianMs);
      expect(row.gflopPerS).toBeGreaterThan(0);
    }
    expect(readResult().results).toHaveLength(4);
  });
});
