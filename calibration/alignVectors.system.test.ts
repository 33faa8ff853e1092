/** The solver against scipy's own solution of the same problem. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { repositoryRootUrl } from "../core/entry.js";
import type { QuatXyzw } from "../kinematics/pose.js";
import type { Vector3 } from "../kinematics/xarm7.js";
import { frameDifferenceDeg, wahbaQuaternion } from "./trackerSolver.js";

const PYTHON =
  process.env.CEREBELLUM_PYTHON ?? fileURLToPath(new URL(".ros2/venv/bin/python", repositoryRootUrl()));
const SCRIPT = fileURLToPath(new URL("test/compat/alignVectors.py", repositoryRootUrl()));
const AXES: Vector3[] = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

/** mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe.skipIf(!existsSync(PYTHON))("the solver of strokes", () => {
  it("agrees with scipy's align_vectors on 1,000 sets of any three directions, to 1e-6 degrees", () => {
    const next = random(7);
    const strokes = Array.from({ length: 1000 }, () =>
      AXES.map((): Vector3 => [2 * next() - 1, 2 * next() - 1, 2 * next() - 1]),
    );
    const out = execFileSync(PYTHON, [SCRIPT], { input: JSON.stringify({ strokes }), encoding: "utf8" });
    const { quats } = JSON.parse(out) as { quats: QuatXyzw[] };
    let worstDeg = 0;
    for (const [i, quat] of quats.entries()) {
      const units = strokes[i]!.map(([x, y, z]): Vector3 => {
        const n = Math.hypot(x, y, z);
        return [x / n, y / n, z / n];
      });
      worstDeg = Math.max(worstDeg, frameDifferenceDeg(wahbaQuaternion(units, AXES), quat));
    }
    expect(quats).toHaveLength(1000);
    expect(worstDeg).toBeLessThan(1e-6);
  });
});
