/**
 * Digit's tree judged by Pinocchio on our URDF, and its MJCF by native MuJoCo, another version of the engine. Skipped where
 * Python lacks them.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { repositoryRootUrl } from "../../core/entry.js";
import { DIGIT_MASS_KG, digitBody, SIDES } from "../../kinematics/digit/bodies.js";
import { DIGIT_MOTORS, DIGIT_PASSIVE_JOINTS, DIGIT_STAND } from "../../kinematics/digit/motors.js";
import { digitUrdf } from "../../kinematics/digit/urdf.js";
import { Random } from "../world/random.js";
import { digitMjcf } from "./mjcf.js";
import { MujocoDigit } from "./mujocoBody.js";
import { DIGIT_SCENES } from "./scenes.js";

const PYTHON = fileURLToPath(new URL(".ros2/venv/bin/python", repositoryRootUrl()));
const ORACLE = fileURLToPath(new URL("test/compat/digitOracle.py", repositoryRootUrl()));
const POSES = 40;
const STAND_MS = 1500;

const Verdict = z.object({
  soleM: z.number(),
  urdfKg: z.number(),
  mjcfKg: z.number(),
  baseM: z.array(z.number()).length(3),
});

function missingPackage(): string | undefined {
  if (!existsSync(PYTHON)) return "there is no .ros2/venv";
  try {
    execFileSync(PYTHON, ["-c", "import pinocchio, mujoco"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "Python of .ros2/venv lacks pin or mujoco";
  }
}
const missing = missingPackage();
if (missing !== undefined) console.warn(`Digit is not compared with other people's engines: ${missing}`);

function ask(given: object): z.infer<typeof Verdict> {
  const folder = mkdtempSync(join(tmpdir(), "digit-oracle-"));
  try {
    const [question, answer] = [join(folder, "in.json"), join(folder, "out.json")];
    writeFileSync(question, JSON.stringify(given));
    execFileSync(PYTHON, [ORACLE, question, answer], { stdio: ["ignore", "inherit", "inherit"] });
    return Verdict.parse(JSON.parse(readFileSync(answer, "utf8")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Near the stand, legs closed by `place`. */
function frames(body: MujocoDigit) {
  const random = new Random(1);
  return Array.from({ length: POSES }, () => {
    body.place(DIGIT_STAND.positionRad.map((rad) => rad + random.uniform(-0.2, 0.2)));
    const { positionRad, passivePositionRad, positionWorldM, quatWorldBaseXyzw } = body.truth;
    const angles = Object.fromEntries([
      ...DIGIT_MOTORS.map(({ name }, motor) => [name, positionRad[motor]!] as const),
      ...DIGIT_PASSIVE_JOINTS.map((name, joint) => [name, passivePositionRad[joint]!] as const),
    ]);
    return {
      angles,
      positionM: [...positionWorldM],
      quatXyzw: [...quatWorldBaseXyzw],
      solesM: [...body.solesM],
    };
  });
}

function stand(body: MujocoDigit): void {
  body.drive.dampingNmSPerRad.set(DIGIT_STAND.dampingNmSPerRad);
  for (let ms = 0; ms < STAND_MS; ms++) {
    DIGIT_STAND.stiffnessNmPerRad.forEach((stiffness, motor) => {
      body.drive.torqueNm[motor] = stiffness * (body.standRad[motor]! - body.truth.positionRad[motor]!);
    });
    body.step(0.001);
  }
}

describe.skipIf(missing !== undefined)("against other people's engines", () => {
  it(`soles of ${POSES} poses are where Pinocchio has them, and native MuJoCo's robot stands as ours`, async () => {
    const body = await MujocoDigit.load();
    const poses = frames(body);
    body.reset();
    const startQpos = [...body.positions()];
    stand(body);
    const verdict = ask({
      urdf: digitUrdf(),
      mjcf: digitMjcf(DIGIT_SCENES.flat, 1),
      sole: SIDES.map((side) => digitBody(`${side}_toe_roll`).solids[0]!.positionM),
      frames: poses,
      stand: {
        startQpos,
        target: Array.from(body.standRad),
        stiffness: DIGIT_STAND.stiffnessNmPerRad,
        damping: DIGIT_STAND.dampingNmSPerRad,
        steps: STAND_MS,
      },
    });
    expect(verdict.soleM).toBeLessThan(1e-9);
    expect(verdict.urdfKg).toBeCloseTo(DIGIT_MASS_KG, 9);
    expect(verdict.mjcfKg).toBeCloseTo(DIGIT_MASS_KG, 9);
    verdict.baseM.forEach((m, axis) => {
      expect(Math.abs(m - body.truth.positionWorldM[axis]!)).toBeLessThan(0.001);
    });
    body.dispose();
  });
});
