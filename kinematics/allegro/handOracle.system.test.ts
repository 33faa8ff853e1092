/** The hands' fingertips, Jacobians and URDF, judged by Pinocchio. Skipped where Python lacks it. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { repositoryRootUrl } from "../../core/entry.js";
import { HandChain } from "./fingertips.js";
import type { HandModel, HandSide } from "./hand.js";
import { handUrdf } from "./handUrdf.js";
import { limitsOf } from "./limits.js";

const PYTHON = fileURLToPath(new URL(".ros2/venv/bin/python", repositoryRootUrl()));
const ORACLE = fileURLToPath(new URL("test/compat/handOracle.py", repositoryRootUrl()));
const HANDS: [HandModel, HandSide][] = [
  ["v4", "right"],
  ["v4", "left"],
  ["v5a", "right"],
];
const POSES = 300;

const Verdict = z.object({
  hands: z.array(z.object({ positionM: z.number(), jacobian: z.number(), limitRad: z.number() })),
});

/** Small and seeded (mulberry32): the same poses in every run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function ask(given: object): z.infer<typeof Verdict> {
  const folder = mkdtempSync(join(tmpdir(), "hand-oracle-"));
  try {
    const [question, answer] = [join(folder, "in.json"), join(folder, "out.json")];
    writeFileSync(question, JSON.stringify(given));
    execFileSync(PYTHON, [ORACLE, question, answer], { stdio: ["ignore", "inherit", "inherit"] });
    return Verdict.parse(JSON.parse(readFileSync(answer, "utf8")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function missingPackage(): string | undefined {
  if (!existsSync(PYTHON)) return "there is no .ros2/venv";
  try {
    execFileSync(PYTHON, ["-c", "import pinocchio"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "Python of .ros2/venv lacks pin";
  }
}
const missing = missingPackage();
if (missing !== undefined) console.warn(`fingertips are not compared with Pinocchio: ${missing}`);

describe.skipIf(missing !== undefined)("against Pinocchio, on our URDF", () => {
  it(`tips and Jacobians of ${POSES} poses a hand are the same to 1e-9`, () => {
    const random = generator(1);
    const hands = HANDS.map(([model, side]) => {
      const chain = new HandChain(model, side);
      const { positionMinRad, positionMaxRad } = limitsOf(model, side);
      const jacobian = new Float64Array(48);
      const frames = Array.from({ length: POSES }, () => {
        const q = positionMinRad.map((min, joint) => min + random() * (positionMaxRad[joint]! - min));
        chain.update(q);
        chain.jacobian(jacobian);
        return { q, tipsM: [...chain.tipsM], jacobian: [...jacobian] };
      });
      return { urdf: handUrdf(model, side), positionMinRad, positionMaxRad, frames };
    });
    const verdict = ask({ hands }).hands;
    expect(verdict).toHaveLength(HANDS.length);
    for (const { positionM, jacobian, limitRad } of verdict) {
      expect(positionM).toBeLessThan(1e-9);
      expect(jacobian).toBeLessThan(1e-9);
      expect(limitRad).toBe(0);
    }
  });
});
