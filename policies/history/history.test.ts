/** Slot by slot: what a history policy is given, what its answer becomes, and what is refused by name. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MOTORS, PASSIVE_JOINTS } from "../../drivers/digit/protocol/joints.js";
import { BODIES } from "./bodies.js";
import { loadHistoryBundle } from "./bundle.js";
import { applyCommandRule } from "./command.js";
import type { HistoryManifest } from "./manifest.js";
import { ObservationBuilder } from "./observation.js";
import { fromRecorded, toRecorded } from "./reading.js";
import { openHistoryPolicy } from "./verify.js";
import { TokenWindow } from "./window.js";

const SHIPPED = fileURLToPath(new URL("../bundles", import.meta.url));
const shipped = (name: string) => join(SHIPPED, name);

describe("a robot on legs", () => {
  it("has the names that its driver has", () => {
    expect(BODIES.digit.joints).toEqual(MOTORS);
    expect(BODIES.digit.passiveJoints).toEqual(PASSIVE_JOINTS);
  });
});

describe("a window of tokens", () => {
  it("always shows the newest rows, oldest first, without moving any", () => {
    const window = new TokenWindow(4, 2);
    window.fill(Float32Array.of(0, 0.5));
    const memory = window.views.map(({ buffer }) => buffer);
    for (let step = 1; step <= 11; step++) {
      window.rows[window.advance()]!.set([step, step + 0.5]);
      window.commit();
      const expected = [3, 2, 1, 0].map((ago) => Math.max(0, step - ago)).flatMap((s) => [s, s + 0.5]);
      expect([...window.views[window.place]!]).toEqual(expected);
    }
    expect(new Set([...memory, ...window.rows.map(({ buffer }) => buffer)]).size).toBe(1);
  });
});

describe("a velocity that is asked for", () => {
  const rule = {
    cutoff: { forwardMPerS: 0.1, leftMPerS: 0.1, yawRateRadPerS: 0.26 },
    range: {
      forwardMPerS: [-0.3, 1] as [number, number],
      leftMPerS: [-0.3, 0.3] as [number, number],
      yawRateRadPerS: [-1, 1] as [number, number],
    },
    staleMs: 500,
  };
  it.each([
    [
      [0.0999, -0.0999, 0.2599],
      [0, 0, 0],
    ],
    [
      [0.1, -0.1, 0.26],
      [0.1, -0.1, 0.26],
    ],
    [
      [1.5, 0.5, -2],
      [1, 0.3, -1],
    ],
    [
      [-1, Number.NaN, Number.POSITIVE_INFINITY],
      [-0.3, 0, 0],
    ],
  ])("%s becomes %s", ([forwardMPerS, leftMPerS, yawRateRadPerS], expected) => {
    const into = new Float64Array(3);
    applyCommandRule(
      { forwardMPerS: forwardMPerS!, leftMPerS: leftMPerS!, yawRateRadPerS: yawRateRadPerS! },
      rule,
      into,
    );
    expect([...into]).toEqual(expected);
  });
});

describe("an observation", () => {
  it("turns velocities into the frame that the slot names, and gravity into the base", async () => {
    const { manifest, goldens } = await loadHistoryBundle(shipped("digit-random"));
    const slot = (source: "base-linear-velocity" | "projected-gravity", of: string, frame: string) => ({
      source,
      of,
      unit: source === "projected-gravity" ? "none" : "m/s",
      frame,
      offset: 0,
      scale: 1,
      clip: [-9, 9] as [number, number],
      delaySteps: 0,
    });
    const axes = ["x", "y", "z"];
    const observation = [
      ...["base", "heading", "world"].flatMap((frame) =>
        axes.map((axis) => slot("base-linear-velocity", axis, frame)),
      ),
      ...axes.map((axis) => slot("projected-gravity", axis, "base")),
    ];
    const builder = new ObservationBuilder({ ...manifest, observation });
    const into = new Float32Array(builder.length);
    // Turned left by 90 degrees about up, then pitched down by 30 about its own left axis: it dives along world y.
    const [yaw, pitch] = [Math.PI / 4, Math.PI / 12];
    const reading = {
      ...goldens.cases[0]!.steps[0]!.reading,
      linearVelocityBaseMPerS: [1, 0, 0],
      quatWorldBaseXyzw: [
        -Math.sin(yaw) * Math.sin(pitch),
        Math.cos(yaw) * Math.sin(pitch),
        Math.sin(yaw) * Math.cos(pitch),
        Math.cos(yaw) * Math.cos(pitch),
      ],
    };
    builder.observe(fromRecorded(reading), into);
    const [cos, sin] = [Math.cos(Math.PI / 6), Math.sin(Math.PI / 6)];
    const expected = [1, 0, 0, cos, 0, -sin, 0, cos, -sin, sin, 0, -cos];
    for (const [at, value] of expected.entries()) expect(into[at]).toBeCloseTo(value, 6);
  });

  it("reads back what was recorded to the last bit", async () => {
    const { goldens } = await loadHistoryBundle(shipped("digit-random"));
    const { reading } = goldens.cases[1]!.steps[7]!;
    expect(toRecorded(fromRecorded(reading))).toEqual(reading);
  });
});

describe("shipped policies of Digit", () => {
  it("stand and random are what they say, and meet their goldens", async () => {
    const [stand, random] = await Promise.all(
      ["digit-stand", "digit-random"].map((n) => openHistoryPolicy(shipped(n))),
    );
    expect(stand!.bundle.manifest).toMatchObject({
      motion: "allowed",
      parameters: 380,
      history: { steps: 1 },
    });
    expect(random!.bundle.manifest).toMatchObject({
      motion: "refused",
      kind: "causal-transformer",
      parameters: 1_426_660,
      history: { steps: 16, fill: "first-observation" },
      architecture: { width: 192, blocks: 4, heads: 4, mlpRatio: 2, embed: [512], head: [256, 128] },
    });
    expect(random!.bundle.manifest.observation).toHaveLength(66);
    expect(random!.bundle.manifest.action.slots).toHaveLength(36);
    for (const { bundle, goldens, pipeline } of [stand!, random!]) {
      expect(goldens.map(({ steps }) => steps)).toEqual(Array(2).fill(bundle.manifest.history.steps + 4));
      expect(Math.max(...goldens.map(({ observationErrorMax }) => observationErrorMax))).toBeLessThan(1e-6);
      expect(Math.max(...goldens.map(({ actionErrorMax }) => actionErrorMax))).toBeLessThan(2e-5);
      await pipeline.release();
    }
  });

  it("gives the same bits for the same steps, wherever the window's rows lie, and forgets at a reset", async () => {
    const { pipeline, bundle } = await openHistoryPolicy(shipped("digit-random"));
    const readings = bundle.goldens.cases[0]!.steps.map(({ reading }) => fromRecorded(reading));
    const run = async () => {
      pipeline.reset();
      const outputs: number[][] = [];
      for (const reading of readings) outputs.push([...(await pipeline.step(reading)).output]);
      return outputs;
    };
    const first = await run();
    await pipeline.step(readings[3]!);
    expect(await run()).toEqual(first);
    const broken = { ...readings[0]!, positionRad: Array.from(readings[0]!.positionRad).with(3, Number.NaN) };
    await expect(pipeline.step(broken)).rejects.toMatchObject({
      code: "POLICY_INPUT_INVALID",
      happened: expect.stringMatching(/NaN for observation slot 9 \(joint-position:left_knee\)/),
    });
    await pipeline.release();
  });
});

describe("a history bundle is refused", () => {
  let directory: string;
  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), "history-")), "bundle");
    await mkdir(directory);
    await cp(shipped("digit-random"), directory, { recursive: true });
  });
  afterEach(() => rm(dirname(directory), { recursive: true, force: true }));

  const swapped = (name: string) =>
    name.startsWith("left_") ? name.replace("left_", "right_") : name.replace("right_", "left_");
  const cases: [what: string, change: (m: HistoryManifest) => void, code: string, text: RegExp][] = [
    [
      "with 61 instead of 66 observations",
      (m) => m.observation.splice(61),
      "BUNDLE_MISMATCH",
      /observation slot 61 is missing, expected clock:sin: the manifest has 61 slots, the network was exported with 66/,
    ],
    [
      "whose legs are swapped in the observation",
      (m) => {
        for (const slot of m.observation) if (slot.source === "joint-position") slot.of = swapped(slot.of);
      },
      "BUNDLE_MISMATCH",
      /observation slot 6 is joint-position:right_hip_roll, expected joint-position:left_hip_roll/,
    ],
    [
      "whose legs are swapped in the robot",
      (m) => {
        m.robot.joints = m.robot.joints.map(swapped);
      },
      "BUNDLE_MISMATCH",
      /robot\.joints\[0\] is right_hip_roll, expected left_hip_roll/,
    ],
    [
      "whose gains come in another order",
      (m) => {
        const gains = m.action.slots.splice(20, 8);
        m.action.slots.push(...gains);
      },
      "BUNDLE_MISMATCH",
      /action slot 20 is damping:left_hip_roll, expected stiffness:left_hip_roll/,
    ],
    [
      "with a velocity in another frame",
      (m) => {
        m.observation[1]!.frame = "world";
      },
      "BUNDLE_MISMATCH",
      /observation slot 1 is base-linear-velocity:y@world, expected base-linear-velocity:y@base/,
    ],
    [
      "with another scale: its goldens say so",
      (m) => {
        m.observation[3]!.scale = 1;
      },
      "BUNDLE_MISMATCH",
      /golden case 0 step 0 observation differs at 1 of 66 .*\[3 base-angular-velocity:x@base\]/,
    ],
    [
      "in another unit",
      (m) => {
        m.observation[6]!.unit = "deg";
      },
      "BUNDLE_INVALID",
      /observation slot 6 is in deg, expected rad/,
    ],
    [
      "with a joint that gets no gain",
      (m) => {
        m.action.fixed = m.action.fixed.filter(({ joint }) => joint !== "left_elbow");
      },
      "BUNDLE_INVALID",
      /stiffness:left_elbow is given by no slot and not fixed/,
    ],
    [
      "with a toe that both the network and the manifest lead",
      (m) => {
        m.action.slots[4]!.overwritten = false;
      },
      "BUNDLE_INVALID",
      /position:left_toe_A is given 2 times/,
    ],
    [
      "with another kind's sizes",
      (m) => Object.assign(m, { kind: "lstm" }),
      "BUNDLE_INVALID",
      /architecture/,
    ],
    [
      "without a clock",
      (m) => Object.assign(m, { clock: undefined }),
      "BUNDLE_INVALID",
      /slot 61 \(clock:sin\) has no rule/,
    ],
    [
      "with a start of another robot",
      (m) => {
        m.start.positionRad.pop();
      },
      "BUNDLE_INVALID",
      /start\.positionRad has 19 values, expected 20/,
    ],
  ];
  it.each(cases)("%s", async (_, change, code, text) => {
    const file = join(directory, "policy.json");
    const manifest = JSON.parse(await readFile(file, "utf8")) as HistoryManifest;
    change(manifest);
    await writeFile(file, JSON.stringify(manifest));
    await expect(openHistoryPolicy(directory)).rejects.toMatchObject({
      code,
      happened: expect.stringMatching(text),
    });
  });

  it("for a robot with other joints, naming the first", async () => {
    const jointNames = BODIES.digit.joints.with(2, "left_hip_twist");
    await expect(openHistoryPolicy(directory, { jointNames })).rejects.toThrow(
      /joint 2 is left_hip_pitch, the robot's is left_hip_twist/,
    );
  });
});
