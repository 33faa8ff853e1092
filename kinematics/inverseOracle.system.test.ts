/**
 * The arm's kinematics and its resolved rate, judged by other people's software: Pinocchio for poses and Jacobians, mink
 * for what a solver can reach from the same start inside the same limits. Skipped where Python lacks either.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ArmChain } from "./chain.js";
import { ResolvedRate } from "./resolvedRate.js";
import { urdf } from "./urdf.js";
import { XARM7_HOME_RAD, XARM7_JOINTS } from "./xarm7.js";

const PYTHON = fileURLToPath(new URL("../.ros2/venv/bin/python", import.meta.url));
const ORACLE = fileURLToPath(new URL("../test/compat/inverseOracle.py", import.meta.url));

/** As teleoperation has them by default: margins of servo and mapping, and nine tenths of 1 rad/s. */
const MARGIN_RAD = 0.07;
const LIMITS = {
  positionMinRad: XARM7_JOINTS.map(({ positionMinRad }) => positionMinRad + MARGIN_RAD),
  positionMaxRad: XARM7_JOINTS.map(({ positionMaxRad }) => positionMaxRad - MARGIN_RAD),
  velocityMaxRadPerS: Array(7).fill(0.9),
  accelerationMaxRadPerS2: Array(7).fill(5),
};
const OPTIONS = {
  linearSpeedMaxMPerS: 0.4,
  angularSpeedMaxRadPerS: 1.5,
  rotationWeightM: 0.3,
  damping: 0.05,
  postureGain: 1,
  postureSpeedMaxRadPerS: 0.3,
};
const PERIOD_S = 1 / 90;
/** Targets are taken from configurations that are so far inside of every limit. */
const INSIDE_RAD = 0.05;
/** Longest that one try may take [s], and that it must stay there for. */
const TRY_S = 20;
const STAY_S = 0.5;
/** mink takes seconds for each target that is out of reach. */
const MINK_MAX = 40;
const THERE_M = 1e-3;
const THERE_RAD = (0.5 * Math.PI) / 180;

const Left = z.object({ positionM: z.number(), rotationRad: z.number() });
const Verdict = z.object({
  pinocchio: z.string(),
  frames: Left.extend({ jacobian: z.number() }),
  reached: z.array(Left.extend({ beyondRad: z.number() })),
  missed: z.array(Left.extend({ reached: z.boolean() })),
  unreachable: z.array(Left),
});

interface Target {
  readonly targetM: number[];
  readonly rotation: number[];
}

/** Small and seeded (mulberry32): the same targets in every run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const chain = new ArmChain();
function targetOf(positionRad: readonly number[]): Target {
  chain.update(positionRad);
  return { targetM: [...chain.toolM], rotation: [...chain.flangeRotation] };
}

/** Joints 1, 3, 5 and 7 within a turn, so that a target is not two turns away; the others over all that they have. */
const anywhere = (random: () => number): number[] =>
  LIMITS.positionMinRad.map((min, joint) => {
    const low = Math.max(min + INSIDE_RAD, -Math.PI);
    const high = Math.min(LIMITS.positionMaxRad[joint]! - INSIDE_RAD, joint % 2 === 0 ? Math.PI : Infinity);
    return low + random() * (high - low);
  });

/** Around a configuration, as far as a hand moves the arm with one press of the clutch. */
const nearby = (aroundRad: readonly number[], random: () => number): number[] =>
  aroundRad.map((value, joint) =>
    Math.min(
      LIMITS.positionMaxRad[joint]! - INSIDE_RAD,
      Math.max(LIMITS.positionMinRad[joint]! + INSIDE_RAD, value + 0.8 * (random() - 0.5)),
    ),
  );

class Traveller {
  readonly #rate = new ResolvedRate(LIMITS, OPTIONS);
  readonly #still = new Float64Array(3);
  readonly #lastRad = new Float64Array(7);
  readonly #lastRadPerS = new Float64Array(7);

  /** From a start to a target by way of others; the last is the one that counts. Every step keeps every limit. */
  travel(startRad: readonly number[], way: readonly Target[]): { q: number[]; isThere: boolean } {
    const rate = this.#rate;
    rate.startAt(startRad);
    this.#lastRad.set(startRad);
    this.#lastRadPerS.fill(0);
    let isEnd = false;
    for (const { targetM, rotation } of way) {
      let thereS = 0;
      isEnd = false;
      for (let s = 0; s < TRY_S && thereS < STAY_S; s += PERIOD_S) {
        rate.step(targetM, rotation, this.#still, this.#still, PERIOD_S);
        this.#checkStep();
        const isThere = rate.errorM <= THERE_M / 2 && rate.errorRad <= THERE_RAD / 2;
        thereS = isThere ? thereS + PERIOD_S : 0;
        isEnd = thereS >= STAY_S;
      }
    }
    return { q: [...rate.positionRad], isThere: isEnd };
  }

  #checkStep(): void {
    const { positionRad } = this.#rate;
    for (let joint = 0; joint < 7; joint++) {
      const at = positionRad[joint]!;
      const speed = (at - this.#lastRad[joint]!) / PERIOD_S;
      const acceleration = (speed - this.#lastRadPerS[joint]!) / PERIOD_S;
      const isGood =
        at >= LIMITS.positionMinRad[joint]! - 1e-12 &&
        at <= LIMITS.positionMaxRad[joint]! + 1e-12 &&
        Math.abs(speed) <= LIMITS.velocityMaxRadPerS[joint]! + 1e-9 &&
        Math.abs(acceleration) <= LIMITS.accelerationMaxRadPerS2[joint]! + 1e-6;
      if (!isGood) throw new Error(`joint ${joint + 1}: ${at} rad, ${speed} rad/s, ${acceleration} rad/s²`);
      this.#lastRad[joint] = at;
      this.#lastRadPerS[joint] = speed;
    }
  }
}

/** Ways that a person tries: straight; upright first; by way of home's place, or home's attitude. */
function waysTo(target: Target): Target[][] {
  const home = targetOf(XARM7_HOME_RAD);
  const turned = { targetM: home.targetM, rotation: target.rotation };
  const moved = { targetM: target.targetM, rotation: home.rotation };
  return [[target], [turned, target], [moved, target]];
}

function ask(given: object): z.infer<typeof Verdict> {
  const folder = mkdtempSync(join(tmpdir(), "inverse-oracle-"));
  try {
    const [question, answer] = [join(folder, "in.json"), join(folder, "out.json")];
    writeFileSync(question, JSON.stringify(given));
    execFileSync(PYTHON, [ORACLE, question, answer], { stdio: ["ignore", "inherit", "inherit"] });
    return Verdict.parse(JSON.parse(readFileSync(answer, "utf8")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const GIVEN = {
  urdf: urdf(),
  homeRad: XARM7_HOME_RAD,
  positionMinRad: LIMITS.positionMinRad,
  positionMaxRad: LIMITS.positionMaxRad,
  velocityMaxRadPerS: 0.9,
  frames: [],
  reached: [],
  missed: [],
  unreachable: [],
};

function missingPackage(): string | undefined {
  if (!existsSync(PYTHON)) return "there is no .ros2/venv";
  try {
    execFileSync(PYTHON, ["-c", "import pinocchio, mink, mujoco"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "Python of .ros2/venv lacks pin, mink or mujoco";
  }
}
const missing = missingPackage();
if (missing !== undefined) console.warn(`kinematics are not compared with Pinocchio and mink: ${missing}`);

describe.skipIf(missing !== undefined)("against Pinocchio and mink", () => {
  it("poses and Jacobians are Pinocchio's, on our URDF", () => {
    const random = generator(1);
    const jacobian = new Float64Array(42);
    const frames = Array.from({ length: 500 }, () => {
      const q = anywhere(random);
      const target = targetOf(q);
      chain.jacobian(jacobian);
      return { q, toolM: target.targetM, rotation: target.rotation, jacobian: [...jacobian] };
    });
    const worst = ask({ ...GIVEN, frames }).frames;
    expect(worst.positionM).toBeLessThan(1e-9);
    expect(worst.rotationRad).toBeLessThan(1e-7);
    expect(worst.jacobian).toBeLessThan(1e-9);
  });

  it("1,200 reachable targets: within limits all the way, there to 1 mm and 0.5 degrees, or mink is not either", () => {
    const random = generator(2);
    const traveller = new Traveller();
    const counts = { near: 0, far: 0, farStraight: 0 };
    const reached = [];
    const missed = [];
    for (let index = 0; index < 1200; index++) {
      const isNear = index % 2 === 0;
      const startRad = isNear ? anywhere(random) : [...XARM7_HOME_RAD];
      const target = targetOf(isNear ? nearby(startRad, random) : anywhere(random));
      let found: { q: number[]; isThere: boolean } | undefined;
      const ways = isNear ? [[target]] : waysTo(target);
      for (const [way, targets] of ways.entries()) {
        found = traveller.travel(startRad, targets);
        if (!found.isThere) continue;
        if (isNear) counts.near++;
        else counts.far++;
        if (!isNear && way === 0) counts.farStraight++;
        break;
      }
      if (found?.isThere === true) reached.push({ q: found.q, ...target });
      else missed.push({ startRad, ...target });
    }
    const verdict = ask({ ...GIVEN, reached, missed });
    for (const { positionM, rotationRad, beyondRad } of verdict.reached) {
      expect(positionM).toBeLessThan(THERE_M);
      expect(rotationRad).toBeLessThan(THERE_RAD);
      expect(beyondRad).toBeLessThanOrEqual(-MARGIN_RAD + 1e-9);
    }
    expect(verdict.missed.filter((each) => each.reached)).toEqual([]);
    expect(counts.near).toBeGreaterThan(0.99 * 600);
    expect(counts.far).toBeGreaterThan(0.98 * 600);
    expect(counts.farStraight).toBeGreaterThan(0.95 * 600);
  });

  it("200 targets out of reach: no more is left than mink leaves, and the arm is at rest", () => {
    const random = generator(3);
    const home = targetOf(XARM7_HOME_RAD);
    const unreachable = Array.from({ length: 200 }, () => {
      const [azimuth, height] = [2 * (random() - 0.5), 1.2 * random() - 0.2];
      const far = 0.85 + 0.5 * random();
      return { targetM: [far * Math.cos(azimuth), far * Math.sin(azimuth), height], rotation: home.rotation };
    });
    const verdict = ask({ ...GIVEN, unreachable: unreachable.slice(0, MINK_MAX) });
    const rate = new ResolvedRate(LIMITS, OPTIONS);
    const still = new Float64Array(3);
    const costs = unreachable.map(({ targetM, rotation }, index) => {
      rate.startAt(XARM7_HOME_RAD);
      for (let s = 0; s < TRY_S; s += PERIOD_S) rate.step(targetM, rotation, still, still, PERIOD_S);
      const rival = verdict.unreachable[index];
      return {
        ours: Math.hypot(rate.errorM, 0.3 * rate.errorRad),
        mink: rival === undefined ? Infinity : Math.hypot(rival.positionM, 0.3 * rival.rotationRad),
        speed: Math.max(...rate.velocityRadPerS.map(Math.abs)),
      };
    });
    for (const { ours, mink } of costs) expect(ours).toBeLessThan(mink + 1e-3);
    // Slowly along the edge is allowed to a few; a tremor to none.
    expect(costs.filter(({ speed }) => speed > 2e-3).length).toBeLessThan(0.05 * costs.length);
    expect(Math.max(...costs.map(({ speed }) => speed))).toBeLessThan(0.05);
  });
});
