/** Who may import whom. The table is the rule; a folder that is not in it may import nothing of ours. */
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSources } from "./sources.js";

/** Allowed prefixes of the imported path, by prefix of the importing path; the first matching row counts. */
const RULES: readonly (readonly [from: string, mayImport: readonly string[] | "anything"])[] = [
  ["core/", ["core/"]],
  ["kinematics/", ["core/", "kinematics/"]],
  ["drivers/contract.ts", ["core/"]],
  ["drivers/xarm7/protocol/", ["core/", "drivers/xarm7/protocol/"]],
  ["drivers/xarm7/", ["core/", "drivers/contract.ts", "drivers/xarm7/"]],
  ["drivers/can/", ["core/", "drivers/can/"]],
  [
    "drivers/allegro/protocol/",
    ["core/", "kinematics/", "drivers/can/frame.ts", "drivers/allegro/protocol/"],
  ],
  ["drivers/allegro/", ["core/", "kinematics/", "drivers/contract.ts", "drivers/can/", "drivers/allegro/"]],
  ["drivers/digit/protocol/", ["core/", "drivers/digit/protocol/"]],
  ["drivers/digit/", ["core/", "kinematics/", "drivers/contract.ts", "drivers/digit/"]],
  ["policies/", ["core/", "policies/"]],
  ["episodes/", ["core/", "episodes/"]],
  ["calibration/", ["core/", "kinematics/", "calibration/"]],
  // A session knows a robot's servo and a hand, and no door by which hands come.
  [
    "runtime/teleop/",
    ["core/", "kinematics/", "calibration/", "episodes/", "runtime/servo/", "runtime/teleop/"],
  ],
  [
    "runtime/",
    ["core/", "kinematics/", "drivers/contract.ts", "policies/", "episodes/", "calibration/", "runtime/"],
  ],
  [
    "lab/",
    [
      "core/",
      "kinematics/",
      "drivers/contract.ts",
      "drivers/can/frame.ts",
      "drivers/can/slcan.ts",
      "drivers/xarm7/protocol/",
      "drivers/allegro/protocol/",
      "drivers/digit/protocol/",
      "lab/",
    ],
  ],
  ["console/", ["core/", "console/"]],
  ["launch/", "anything"],
  ["test/", "anything"],
];
const NOBODY_IMPORTS = ["launch/", "test/"];

/** A test may reach further than its folder, e.g. to drive a driver against the emulator. */
const isTest = (path: string) => /\.test\.tsx?$/.test(path);

const imports = (text: string) =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g)].map((match) => match[1]!);

const sources = readSources().filter(({ path }) => !isTest(path));

describe("import boundaries", () => {
  it("finds the sources and their imports", () => {
    expect(sources.length).toBeGreaterThan(20);
    expect(sources.flatMap(({ text }) => imports(text)).length).toBeGreaterThan(20);
  });

  it("every import follows the table", () => {
    const broken = sources.flatMap(({ path, text }) => {
      const [, allowed] = RULES.find(([from]) => path.startsWith(from)) ?? ["", []];
      if (allowed === "anything") return [];
      return imports(text)
        .map((specifier) => join(dirname(path), specifier).replace(/\.js$/, ".ts"))
        .filter((target) => !allowed.some((prefix) => target.startsWith(prefix)))
        .map((target) => `${path} imports ${target}`);
    });
    expect(broken).toEqual([]);
  });

  it("nobody imports launch or test", () => {
    const broken = sources
      .filter(({ path }) => !NOBODY_IMPORTS.some((prefix) => path.startsWith(prefix)))
      .flatMap(({ path, text }) =>
        imports(text)
          .map((specifier) => join(dirname(path), specifier))
          .filter((target) => NOBODY_IMPORTS.some((prefix) => target.startsWith(prefix)))
          .map((target) => `${path} imports ${target}`),
      );
    expect(broken).toEqual([]);
  });

  /** Packages that a process or thread loads at its start; types are not loaded. */
  function packagesOf(entry: string): Set<string> {
    const byPath = new Map(sources.map((source) => [source.path, source.text]));
    const reached = new Set<string>();
    const queue = [entry];
    const packages = new Set<string>();
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      const text = byPath.get(path);
      if (text === undefined || reached.has(path)) continue;
      reached.add(path);
      for (const statement of text.matchAll(
        /(?:^|\n)(?:import|export)\s+(?!type\b)[^;]*?from\s+["']([^"']+)["']/g,
      )) {
        const specifier = statement[1]!;
        if (specifier.startsWith(".")) queue.push(join(dirname(path), specifier).replace(/\.js$/, ".ts"));
        else packages.add(specifier);
      }
    }
    expect(reached.size).toBeGreaterThan(5);
    return packages;
  }

  it("the servo process loads neither ROS nor ONNX Runtime, MuJoCo, images or recordings", () => {
    const packages = packagesOf("launch/processes/servoMain.ts");
    for (const heavy of [
      "rclnodejs",
      "onnxruntime-node",
      "@mujoco/mujoco",
      "sharp",
      "@mcap/core",
      "prom-client",
    ]) {
      expect([...packages]).not.toContain(heavy);
    }
  });

  it("the recorder's thread loads images and recordings, but neither ROS nor ONNX Runtime", () => {
    const packages = packagesOf("launch/processes/recorderWorker.ts");
    expect([...packages]).toEqual(expect.arrayContaining(["sharp", "@mcap/core"]));
    for (const heavy of ["rclnodejs", "onnxruntime-node", "@mujoco/mujoco"])
      expect([...packages]).not.toContain(heavy);
  });
});
