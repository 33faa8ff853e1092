import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { measureSegments } from "./segments.js";
import { TOOL_POINT_FLANGE_M, XARM7_HOME_RAD, XARM7_JOINTS } from "./xarm7.js";
import { ARM_CAPSULES, GRIPPER_CAPSULES, pairsToCheck, xarm7Body } from "./xarm7Collision.js";

type Point = readonly number[];
const surface = JSON.parse(
  readFileSync(new URL("./vectors/xarm7-surface.json", import.meta.url), "utf8"),
) as { links: Record<string, Point[]> };

const body = xarm7Body({ gripper: "xarm", toolPointM: TOOL_POINT_FLANGE_M, attached: [] });

const toSegmentM = (p: Point, a: Point, b: Point) => {
  const d = b.map((x, axis) => x - a[axis]!);
  const length2 = d.reduce((sum, x) => sum + x * x, 0);
  const along = d.reduce((sum, x, axis) => sum + x * (p[axis]! - a[axis]!), 0);
  const t = length2 === 0 ? 0 : Math.min(1, Math.max(0, along / length2));
  return Math.hypot(...p.map((x, axis) => x - a[axis]! - t * d[axis]!));
};
/** By sampling one segment: never less than the true distance, and at most half a sample more. */
const sampledM = (a: Point, b: Point, c: Point, d: Point, samples = 400) => {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= samples; i++) {
    const p = a.map((x, axis) => x + (i / samples) * (b[axis]! - x));
    least = Math.min(least, toSegmentM(p, c, d));
  }
  return least;
};
const segmentsM = (endsM: Float64Array, one: number, other: number) => {
  const out = new Float64Array(1);
  measureSegments(endsM, one, other, out, 0);
  return out[0]!;
};
const pairsAt = (positionRad: ArrayLike<number>, farM = Number.POSITIVE_INFINITY) => {
  const outM = new Float64Array(body.pairs.length);
  body.update(positionRad);
  body.farM = farM;
  body.measurePairs(outM);
  return outM;
};

describe("measureSegments", () => {
  const coordinate = fc.double({ min: -0.5, max: 0.5, noNaN: true });
  const point = fc.tuple(coordinate, coordinate, coordinate);
  /** Segments within a microradian of parallel count as parallel; they are at most 1.8 m long here. */
  const PARALLEL_M = 2e-6;

  it("agrees with dense sampling, whichever comes first", () => {
    fc.assert(
      fc.property(point, point, point, point, (a, b, c, d) => {
        const ends = Float64Array.of(...a, ...b, ...c, ...d);
        const exactM = segmentsM(ends, 0, 6);
        const sampled = sampledM(a, b, c, d);
        const lengthM = Math.hypot(...a.map((x, axis) => x - b[axis]!));
        expect(exactM).toBeLessThanOrEqual(sampled + PARALLEL_M);
        expect(exactM).toBeGreaterThanOrEqual(sampled - lengthM / 800 - PARALLEL_M);
        expect(Math.abs(segmentsM(ends, 6, 0) - exactM)).toBeLessThan(PARALLEL_M);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["crossing", [-1, 0, 0, 1, 0, 0, 0, -1, 0.3, 0, 1, 0.3], 0.3],
    ["parallel and side by side", [0, 0, 0, 1, 0, 0, 0.5, 0.2, 0, 2, 0.2, 0], 0.2],
    ["parallel and one behind the other", [0, 0, 0, 1, 0, 0, 1.5, 0, 0, 2, 0, 0], 0.5],
    ["antiparallel", [0, 0, 0, 1, 0, 0, 3, 0, 0, 2, 0, 0], 1],
    ["a point and a segment", [0, 1, 0, 0, 1, 0, -1, 0, 0, 1, 0, 0], 1],
    ["two points", [0, 0, 0, 0, 0, 0, 3, 4, 0, 3, 4, 0], 5],
    ["touching ends", [0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 1, 0], 0],
  ])("is exact for %s", (_name, ends, distance) => {
    expect(segmentsM(Float64Array.from(ends), 0, 6)).toBeCloseTo(distance, 12);
  });
});

describe("capsules of the xArm7", () => {
  it.each(Object.keys(surface.links))("enclose the vendor's shape of %s", (link) => {
    const capsules =
      link === "gripper"
        ? GRIPPER_CAPSULES
        : ARM_CAPSULES.filter(({ frame }) => frame === Number(link.replace(/\D+/, "") || 0));
    for (const point of surface.links[link]!) {
      const outM = Math.min(...capsules.map((c) => toSegmentM(point, c.fromM, c.toM) - c.radiusM));
      expect(outM, `${link} at ${point}`).toBeLessThan(0.001);
    }
  });

  it("are not much larger than the shapes: each has a point of the shape near its surface", () => {
    for (const [link, points] of Object.entries(surface.links)) {
      const frame = Number(link.replace(/\D+/, "") || 0);
      for (const c of link === "gripper" ? GRIPPER_CAPSULES : ARM_CAPSULES.filter((a) => a.frame === frame)) {
        const depthM = Math.max(...points.map((p) => toSegmentM(p, c.fromM, c.toM) - c.radiusM));
        expect(depthM, c.name).toBeGreaterThan(-0.02);
      }
    }
  });

  it("are checked in every pair that is neither on one link nor on neighbours, but for link5 and the flange", () => {
    const names = new Set(
      pairsToCheck(ARM_CAPSULES).map(
        ([one, other]) => `${ARM_CAPSULES[one]!.frame}-${ARM_CAPSULES[other]!.frame}`,
      ),
    );
    const wanted = new Set<string>();
    for (let one = 0; one < 8; one++)
      for (let other = one + 2; other < 8; other++)
        if (`${one}-${other}` !== "5-7") wanted.add(`${one}-${other}`);
    expect(names).toEqual(wanted);
    const withHand = body.pairs.map(
      ([one, other]) => `${body.capsules[one]!.name}|${body.capsules[other]!.name}`,
    );
    expect(withHand).toContain("link5 wrist|gripper foot");
    expect(new Set(withHand).size).toBe(withHand.length);
  });

  it("are far apart at home", () => {
    expect(Math.min(...pairsAt(XARM7_HOME_RAD))).toBeGreaterThan(0.03);
  });

  it.each([
    ["the forearm folded onto the upper arm", [0, 0, 0, -0.19, 0, 1, 0], "link2 post|link4 forearm"],
    ["the hand folded onto the shoulder", [0, -0.5, 0, 0.3, 0, 2.2, 0], "link1 shoulder|gripper fingers"],
    ["the hand folded onto the forearm", [0, 0, 0, 2, 0, 3.1, 0], "link5 forearm|gripper knuckles"],
    ["the forearm lowered onto the base", [0, 0, 0, -0.19, 0, 1, 0], "base post|link6 hand"],
  ])("overlap with %s", (_name, positionRad, names) => {
    const distancesM = pairsAt(positionRad);
    const near = body.pairs
      .filter((_, pair) => distancesM[pair]! < 0)
      .map(([one, other]) => `${body.capsules[one]!.name}|${body.capsules[other]!.name}`);
    expect(near).toContain(names);
  });

  it("have distances that dense sampling finds too, and are capped where they are far", () => {
    const angles = fc.tuple(
      ...XARM7_JOINTS.map((joint) =>
        fc.double({ min: joint.positionMinRad, max: joint.positionMaxRad, noNaN: true }),
      ),
    );
    fc.assert(
      fc.property(angles, fc.nat(body.pairs.length - 1), (positionRad, pair) => {
        const exact = pairsAt(positionRad)[pair]!;
        const [one, other] = body.pairs[pair]!;
        const end = (capsule: number, which: 0 | 3) => [
          ...body.endsM.subarray(6 * capsule + which, 6 * capsule + which + 3),
        ];
        const radiiM = body.capsules[one]!.radiusM + body.capsules[other]!.radiusM;
        const sampled = sampledM(end(one, 0), end(one, 3), end(other, 0), end(other, 3)) - radiiM;
        expect(Math.abs(exact - sampled)).toBeLessThan(5e-4);
        const capped = pairsAt(positionRad, 0.05)[pair]!;
        if (capped === 0.05) expect(exact).toBeGreaterThanOrEqual(0.05);
        else expect(capped).toBe(exact);
      }),
      { numRuns: 400 },
    );
  });

  it("move with their links: the fingers' capsules surround the tool point", () => {
    body.update([0.5, -0.6, 0.3, 1.4, -0.7, 1.1, 2]);
    const fingers = body.capsules.findIndex(({ name }) => name === "gripper fingers");
    const middle = [0, 1, 2].map(
      (axis) => (body.endsM[6 * fingers + axis]! + body.endsM[6 * fingers + 3 + axis]!) / 2,
    );
    const toToolM = Math.hypot(...middle.map((x, axis) => x - body.chain.toolM[axis]!));
    expect(toToolM).toBeCloseTo(0.172 - 0.149, 9);
    const heightsM = new Float64Array(body.capsules.length);
    body.measureHeights(heightsM);
    const { radiusM } = body.capsules[fingers]!;
    const endsM = [body.endsM[6 * fingers + 2]!, body.endsM[6 * fingers + 5]!];
    expect(heightsM[fingers]).toBeCloseTo(Math.min(...endsM) - radiusM, 12);
  });

  it("follow what the flange carries", () => {
    const bare = xarm7Body({ gripper: "none", toolPointM: [0, 0, 0.1], attached: [] });
    expect(bare.capsules.filter(({ name }) => name.startsWith("gripper"))).toEqual([]);
    const rod = bare.capsules.at(-1)!;
    expect(rod.toM[2] + rod.radiusM).toBeCloseTo(0.1, 12);
    const camera = { name: "camera", fromM: [0.07, -0.03, 0], toM: [0.07, 0.03, 0], radiusM: 0.02 } as const;
    const seeing = xarm7Body({ gripper: "xarm", toolPointM: TOOL_POINT_FLANGE_M, attached: [camera] });
    expect(seeing.pairs.some(([, other]) => seeing.capsules[other]!.name === "camera")).toBe(true);
    expect(seeing.capsules).toHaveLength(body.capsules.length + 1);
  });
});
