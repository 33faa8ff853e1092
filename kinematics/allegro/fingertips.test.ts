import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { HandChain } from "./fingertips.js";
import { geometryOf, HAND_GEOMETRY, TIP_RADIUS_M } from "./geometry.js";
import {
  ALLEGRO_JOINT_NAMES,
  FINGERS,
  HAND_MODELS,
  HAND_SIDES,
  type HandModel,
  type HandSide,
} from "./hand.js";
import { handJoints, handUrdf } from "./handUrdf.js";
import { HAND_LIMITS, limitsOf } from "./limits.js";
import { handLinks } from "./links.js";

interface FkCase {
  readonly tag: string;
  readonly hand: HandSide;
  readonly q: number[];
  readonly tips: Record<(typeof FINGERS)[number], number[]>;
}
/** Tips by Pinocchio on the vendor's URDFs, printed to 1e-7 m. */
const vectors = JSON.parse(readFileSync(new URL("../vectors/allegro/fk.json", import.meta.url), "utf8")) as {
  cases: FkCase[];
};
const PRINTED_M = 0.5e-7;

const KNOWN: [HandModel, HandSide][] = [
  ["v4", "right"],
  ["v4", "left"],
  ["v5a", "right"],
];
const UNKNOWN: [HandModel, HandSide][] = [
  ["v5a", "left"],
  ["v5b", "right"],
  ["v5b", "left"],
];
const anyAngles = fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 16, maxLength: 16 });

const thrownBy = (work: () => unknown): CerebellumError => {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof CerebellumError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was thrown");
};

describe("fingertips", () => {
  it.each(vectors.cases)("$hand hand, $tag: the vendor's URDF has the same tips", ({ hand, q, tips }) => {
    const chain = new HandChain("v4", hand);
    chain.update(q);
    FINGERS.forEach((name, finger) => {
      for (let axis = 0; axis < 3; axis++)
        expect(Math.abs(chain.tipsM[3 * finger + axis]! - tips[name][axis]!)).toBeLessThan(PRINTED_M + 1e-9);
    });
  });

  it("both hands are in the vectors", () =>
    expect(new Set(vectors.cases.map(({ hand }) => hand))).toEqual(new Set(HAND_SIDES)));

  it("V4, all at zero: fingers point along z, as long as their links", () => {
    const chain = new HandChain("v4", "right");
    chain.update(new Float64Array(16));
    const middle = [...chain.tipsM.subarray(3, 6)];
    expect(middle).toEqual([0, 0, expect.closeTo(0.0007 + 0.0164 + 0.054 + 0.0384 + 0.0267, 12)]);
    expect([...chain.tipRotations.subarray(9, 18)]).toEqual(
      [1, 0, 0, 0, 1, 0, 0, 0, 1].map((v) => expect.closeTo(v, 12)),
    );
  });

  it("V5 A is another hand: a chain of its table, multiplied out, has the same tips", () => {
    const chain = new HandChain("v5a", "right");
    // Index curled by a right angle at its second joint: along x of a frame that is tilted by 5 degrees about x.
    const q = new Float64Array(16);
    q[1] = Math.PI / 2;
    chain.update(q);
    const tilt = (5 * Math.PI) / 180;
    expect(chain.tipsM[0]).toBeCloseTo(0.051 + 0.0384 + 0.0267, 12);
    expect(chain.tipsM[1]).toBeCloseTo(0.0405 + 0.021 * Math.sin(tilt), 12);
    expect(chain.tipsM[2]).toBeCloseTo(-0.00945 + 0.021 * Math.cos(tilt), 12);
  });

  it("curling moves every finger's tip out of the palm on both hands", () => {
    for (const side of HAND_SIDES) {
      const chain = new HandChain("v4", side);
      chain.update([0, 1, 0.8, 0.6, 0, 1, 0.8, 0.6, 0, 1, 0.8, 0.6, 1.3, 0.1, 0.3, 0.3]);
      for (let finger = 0; finger < 4; finger++) expect(chain.tipsM[3 * finger]).toBeGreaterThan(0.05);
      expect(Math.sign(chain.tipsM[1]!)).toBe(side === "right" ? 1 : -1);
    }
  });

  it("the left V4 hand is the mirrored right one, with spread joints that are not mirrored", () => {
    const [right, left] = [new HandChain("v4", "right"), new HandChain("v4", "left")];
    fc.assert(
      fc.property(anyAngles, (q) => {
        right.update(q);
        left.update(q.map((angle, joint) => (joint < 12 && joint % 4 === 0 ? -angle : angle)));
        for (let i = 0; i < 12; i++)
          expect(left.tipsM[i]).toBeCloseTo((i % 3 === 1 ? -1 : 1) * right.tipsM[i]!, 12);
      }),
    );
  });

  it.each(KNOWN)("%s %s: the Jacobian equals finite differences", (model, side) => {
    const chain = new HandChain(model, side);
    const jacobian = new Float64Array(48);
    const h = 1e-6;
    fc.assert(
      fc.property(anyAngles, (q) => {
        chain.update(q);
        chain.jacobian(jacobian);
        const found = Float64Array.from(jacobian);
        for (let joint = 0; joint < 16; joint++) {
          const at = (delta: number) => {
            chain.update(q.map((angle, index) => (index === joint ? angle + delta : angle)));
            return [...chain.tipsM];
          };
          const [ahead, behind] = [at(h), at(-h)];
          ahead.forEach((value, i) => {
            const numeric = (value - behind[i]!) / (2 * h);
            const isOwn = Math.floor(i / 3) === joint >> 2;
            const ours = isOwn ? found[12 * (joint >> 2) + 4 * (i % 3) + (joint & 3)]! : 0;
            expect(Math.abs(numeric - ours)).toBeLessThan(1e-9);
          });
        }
      }),
      { numRuns: 30 },
    );
  });

  it("a tip that is longer lies along the last link", () => {
    const [ball, end] = [new HandChain("v4", "right"), new HandChain("v4", "right", TIP_RADIUS_M)];
    const q = vectors.cases[2]!.q;
    ball.update(q);
    end.update(q);
    for (let finger = 0; finger < 4; finger++)
      for (let axis = 0; axis < 3; axis++)
        expect(end.tipsM[3 * finger + axis]! - ball.tipsM[3 * finger + axis]!).toBeCloseTo(
          TIP_RADIUS_M * ball.tipRotations[9 * finger + 3 * axis + 2]!,
          12,
        );
  });

  it("angles that are not numbers give tips that are not", () => {
    const chain = new HandChain("v4", "right");
    chain.update(Array(16).fill(Number.NaN));
    expect(chain.tipsM.every(Number.isNaN)).toBe(true);
  });
});

describe("limits", () => {
  it.each(KNOWN)("%s %s has sixteen limits that contain the half-closed hand", (model, side) => {
    const { positionMinRad, positionMaxRad, velocityMaxRadPerS } = limitsOf(model, side);
    for (let joint = 0; joint < 16; joint++) {
      expect(positionMinRad[joint]).toBeLessThan(positionMaxRad[joint]!);
      expect(velocityMaxRadPerS[joint]).toBe(7);
    }
    expect(positionMinRad[12]).toBeGreaterThanOrEqual(0);
  });

  it("geometry and limits know the same hands", () => {
    for (const model of HAND_MODELS)
      for (const side of HAND_SIDES)
        expect(HAND_LIMITS[model][side] === undefined).toBe(HAND_GEOMETRY[model][side] === undefined);
  });

  it.each(UNKNOWN)("%s %s is refused by name, with what is known and what to do", (model, side) => {
    const error = thrownBy(() => limitsOf(model, side));
    expect(error.code).toBe("DEVICE_MISMATCH");
    expect(error.happened).toContain(`${side} Allegro Hand ${model}`);
    expect(error.happened).toContain("v4 right, v4 left, v5a right");
    expect(thrownBy(() => geometryOf(model, side)).code).toBe("DEVICE_MISMATCH");
    expect(thrownBy(() => new HandChain(model, side)).code).toBe("DEVICE_MISMATCH");
  });

  it("a table of its own lets a hand in that is not known, if it is a table", () => {
    const own = {
      positionMinRad: Array<number>(16).fill(-1),
      positionMaxRad: Array<number>(16).fill(1),
      velocityMaxRadPerS: Array<number>(16).fill(7),
    };
    expect(limitsOf("v5a", "left", own)).toBe(own);
    const bad = [
      { ...own, positionMinRad: own.positionMinRad.slice(1) },
      { ...own, positionMaxRad: own.positionMaxRad.with(5, Number.NaN) },
      { ...own, positionMinRad: own.positionMinRad.with(15, 1) },
      { ...own, velocityMaxRadPerS: own.velocityMaxRadPerS.with(0, 0) },
    ];
    for (const table of bad)
      expect(thrownBy(() => limitsOf("v5a", "left", table)).code).toBe("CONFIG_INVALID");
  });
});

describe("hand URDF", () => {
  it.each(KNOWN)("%s %s is one tree of all joints and tips", (model, side) => {
    const text = handUrdf(model, side, { framePrefix: "left_" });
    const named = (tag: string) =>
      [...text.matchAll(new RegExp(`<${tag} (?:name|link)="([^"]+)"`, "g"))].map((m) => m[1]!);
    expect(named("joint").slice(0, 16)).toEqual(ALLEGRO_JOINT_NAMES);
    expect(named("joint")).toHaveLength(20);
    const children = named("child");
    expect(new Set(children).size).toBe(20);
    expect([...children, "left_palm_link"].sort()).toEqual(named("link").sort());
    for (const parent of named("parent")) expect(named("link")).toContain(parent);
  });

  it("weighs what the vendor's hand weighs, and the left as much as the right", () => {
    const mass = (side: HandSide) => handLinks(side).reduce((sum, { inertial }) => sum + inertial.massKg, 0);
    expect(mass("right")).toBeCloseTo(0.4154 + 3 * 0.122 + 4 * 0.0168 + 0.1063, 10);
    expect(mass("left")).toBe(mass("right"));
  });

  it("the left thumb's base lies mirrored", () => {
    const centre = (side: HandSide) => {
      const shape = handLinks(side).find(({ name }) => name === "link_12")!.shapes[0]!;
      return shape.kind === "box" ? shape.centreM : undefined;
    };
    expect(centre("right")).toEqual([-0.0179, 0.009, 0.0145]);
    expect(centre("left")).toEqual([-0.0179, -0.009, 0.0145]);
  });

  it("joints carry the limits that are in force", () => {
    const own = {
      positionMinRad: Array<number>(16).fill(-0.1),
      positionMaxRad: Array<number>(16).fill(0.1),
      velocityMaxRadPerS: Array<number>(16).fill(3),
    };
    const [joint] = handJoints("v4", "left", own);
    expect([joint!.positionMinRad, joint!.positionMaxRad, joint!.velocityMaxRadPerS]).toEqual([-0.1, 0.1, 3]);
  });
});
