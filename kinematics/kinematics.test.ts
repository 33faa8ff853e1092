import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ArmChain, flangePose, poseBuffer, toolPoint } from "./chain.js";
import { DEFAULT_STEP, InverseKinematics, scaleToSpeed, toolDownRotation, XARM7_LIMITS } from "./inverse.js";
import {
  compose,
  invert,
  type Pose,
  type QuatXyzw,
  quatFromRotation,
  quatFromRpy,
  rotationFromQuat,
  rpyFromQuat,
} from "./pose.js";
import { NARROW_LIMITS_RAD, XARM7_HOME_RAD, XARM7_JOINTS, XARM7_LINKS, XARM7_MODIFIED_DH } from "./xarm7.js";

interface FkCase {
  readonly q: number[];
  readonly pose_mm_rpy: number[];
}
const vectors = JSON.parse(readFileSync(new URL("./vectors/fk.json", import.meta.url), "utf8")) as {
  cases: FkCase[];
};

/** A small seeded generator (mulberry32): the same targets in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const angle = fc.double({ min: -Math.PI, max: Math.PI, noNaN: true });
const anyJoints = fc.array(angle, { minLength: 7, maxLength: 7 });
const anyPose = fc
  .tuple(angle, angle, angle, fc.tuple(angle, angle, angle))
  .map(([r, p, y, positionM]): Pose => ({ positionM, quatXyzw: quatFromRpy(r, p, y) }));

describe("forward kinematics", () => {
  it.each(vectors.cases)("gives the vendor's flange pose at $q", ({ q, pose_mm_rpy }) => {
    const pose = poseBuffer();
    flangePose(q, pose);
    for (let axis = 0; axis < 3; axis++) {
      expect(pose.positionM[axis]! * 1000).toBeCloseTo(pose_mm_rpy[axis]!, 6);
    }
    const [roll, pitch, yaw] = pose_mm_rpy.slice(3) as [number, number, number];
    const expected = quatFromRpy(roll, pitch, yaw);
    const dot = expected.reduce((sum, value, index) => sum + value * pose.quatXyzw[index]!, 0);
    expect(Math.abs(dot)).toBeCloseTo(1, 9);
  });

  it("equals the modified Denavit-Hartenberg table", () => {
    fc.assert(
      fc.property(anyJoints, (q) => {
        const pose = poseBuffer();
        flangePose(q, pose);
        const expected = modifiedDhPosition(q);
        for (let axis = 0; axis < 3; axis++)
          expect(Math.abs(pose.positionM[axis]! - expected[axis]!)).toBeLessThan(1e-12);
      }),
    );
  });

  it("places the tool point 172 mm before the flange along its z axis", () => {
    const tool = new Float64Array(3);
    toolPoint([0, 0, 0, 0, 0, 0, 0], tool);
    expect([...tool]).toEqual([
      expect.closeTo(0.206, 12),
      expect.closeTo(0, 12),
      expect.closeTo(0.1205 - 0.172, 12),
    ]);
  });

  it("keeps two chains apart", () => {
    const [first, second] = [new ArmChain(), new ArmChain()];
    first.update(XARM7_HOME_RAD);
    const before = [...first.toolM];
    second.update([1, 1, 1, 1, 1, 1, 1]);
    expect([...first.toolM]).toEqual(before);
  });
});

describe("jacobian", () => {
  it("equals finite differences of tool point and rotation", () => {
    const chain = new ArmChain();
    const jacobian = new Float64Array(42);
    const h = 1e-6;
    fc.assert(
      fc.property(anyJoints, (q) => {
        chain.update(q);
        chain.jacobian(jacobian);
        const rotation = Float64Array.from(chain.flangeRotation);
        for (let joint = 0; joint < 7; joint++) {
          const at = (delta: number) => {
            chain.update(q.map((value, index) => value + (index === joint ? delta : 0)));
            return { tool: [...chain.toolM], rotation: [...chain.flangeRotation] };
          };
          const [ahead, behind] = [at(h), at(-h)];
          const spin = ahead.rotation.map((value, index) => (value - behind.rotation[index]!) / (2 * h));
          // dR/dq R' is the skew matrix of the angular column.
          const skew = (row: number, column: number) =>
            [0, 1, 2].reduce((sum, k) => sum + spin[3 * row + k]! * rotation[3 * column + k]!, 0);
          const numeric = [
            ...ahead.tool.map((value, axis) => (value - behind.tool[axis]!) / (2 * h)),
            skew(2, 1),
            skew(0, 2),
            skew(1, 0),
          ];
          numeric.forEach((value, row) => {
            expect(Math.abs(value - jacobian[7 * row + joint]!)).toBeLessThan(1e-7);
          });
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("inverse kinematics", () => {
  const ik = new InverseKinematics();

  it("reaches 1,000 targets that the arm can reach, inside its limits", () => {
    const next = random(7);
    const chain = new ArmChain();
    let [converged, worstM, iterations] = [0, 0, 0];
    for (let trial = 0; trial < 1000; trial++) {
      const q = XARM7_HOME_RAD.map((value) => value + 0.8 * (next() - 0.5));
      chain.update(q);
      const rotation = Float64Array.from(chain.flangeRotation);
      const solution = ik.solveTool(Float64Array.from(chain.toolM), rotation);
      if (solution.converged) converged++;
      iterations += solution.iterations;
      worstM = Math.max(worstM, solution.positionErrorM);
      solution.positionRad.forEach((value, joint) => {
        expect(value).toBeGreaterThanOrEqual(XARM7_LIMITS.positionMinRad[joint]!);
        expect(value).toBeLessThanOrEqual(XARM7_LIMITS.positionMaxRad[joint]!);
      });
    }
    expect({ converged, worst: worstM <= 1e-5 }).toEqual({ converged: 1000, worst: true });
    expect(iterations / 1000).toBeLessThan(100);
  });

  it("reaches tool-down targets over the table, and its residual is what forward kinematics says", () => {
    const next = random(11);
    const tool = new Float64Array(3);
    for (let trial = 0; trial < 300; trial++) {
      const target = [0.25 + 0.35 * next(), -0.2 + 0.4 * next(), 0.03 + 0.25 * next()];
      const solution = ik.solveTool(target, toolDownRotation(next() - 0.5));
      expect(solution.converged, `target ${target}`).toBe(true);
      toolPoint(solution.positionRad, tool);
      expect(Math.hypot(...target.map((value, axis) => value - tool[axis]!))).toBeLessThan(1.1e-5);
    }
  });

  it("says so when a target is out of reach", () => {
    const solution = ik.solveTool([1.5, 0, 0.2]);
    expect(solution.converged).toBe(false);
    expect(solution.positionErrorM).toBeGreaterThan(0.4);
    expect([...solution.positionRad].every(Number.isFinite)).toBe(true);
  });

  it("does not take half a turn of error for none", () => {
    const stepRad = new Float64Array(7);
    const chain = ik.chain;
    chain.update(XARM7_HOME_RAD);
    const turned = Float64Array.from(chain.flangeRotation, (value, index) =>
      index % 3 === 2 ? value : -value,
    );
    ik.step(XARM7_HOME_RAD, Float64Array.from(chain.toolM), turned, DEFAULT_STEP, stepRad);
    expect(Math.hypot(...stepRad)).toBeGreaterThan(0.1);
  });

  it("moves the elbow towards the posture without moving the tool", () => {
    const chain = new ArmChain();
    chain.update(XARM7_HOME_RAD);
    const [target, rotation] = [Float64Array.from(chain.toolM), Float64Array.from(chain.flangeRotation)];
    const posture = XARM7_HOME_RAD.map((value, joint) => value + (joint === 2 ? 0.5 : 0));
    const options = { ...DEFAULT_STEP, damping: 1e-4, postureGain: 0.01, postureRad: posture };
    const stepRad = new Float64Array(7);
    ik.step(XARM7_HOME_RAD, target, rotation, options, stepRad);
    expect(Math.hypot(...stepRad)).toBeGreaterThan(1e-4);
    chain.update(XARM7_HOME_RAD.map((value, joint) => value + stepRad[joint]!));
    expect(Math.hypot(...target.map((value, axis) => value - chain.toolM[axis]!))).toBeLessThan(1e-5);
  });

  it("bounds joint steps by one factor that keeps their direction", () => {
    fc.assert(
      fc.property(anyJoints, (step) => {
        const scaled = Float64Array.from(step);
        const limits = [1, 0.5, 1, 2, 1, 1, 0.1];
        const factor = scaleToSpeed(scaled, 0.2, limits);
        expect(factor).toBeLessThanOrEqual(1);
        scaled.forEach((value, joint) => {
          expect(Math.abs(value)).toBeLessThanOrEqual(limits[joint]! * 0.2 * (1 + 1e-12));
          expect(Math.abs(value - step[joint]! * factor)).toBeLessThan(1e-12);
        });
      }),
    );
  });
});

describe("poses", () => {
  it("undo themselves when composed with their inverse", () => {
    fc.assert(
      fc.property(anyPose, (pose) => {
        const same = compose(pose, invert(pose));
        for (const value of same.positionM) expect(Math.abs(value)).toBeLessThan(1e-12);
        expect(Math.abs(Math.abs(same.quatXyzw[3]) - 1)).toBeLessThan(1e-12);
      }),
    );
  });

  it("survive the way through a rotation matrix and through roll, pitch and yaw", () => {
    const quat = new Float64Array(4);
    const distance = (a: QuatXyzw, b: ArrayLike<number>) =>
      1 - Math.abs(a.reduce((sum, value, index) => sum + value * b[index]!, 0));
    fc.assert(
      fc.property(anyPose, ({ quatXyzw }) => {
        quatFromRotation(rotationFromQuat(quatXyzw), quat);
        expect(distance(quatXyzw, quat)).toBeLessThan(1e-12);
        expect(distance(quatXyzw, quatFromRpy(...rpyFromQuat(quatXyzw)))).toBeLessThan(1e-9);
      }),
    );
    for (const half of [
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
    ] as const) {
      quatFromRotation(rotationFromQuat(half), quat);
      expect(distance(half, quat)).toBeLessThan(1e-15);
    }
  });
});

describe("the arm's data", () => {
  it("names every link as the child of one joint, in a chain", () => {
    expect(XARM7_LINKS.map((link) => link.name)).toEqual([
      "link_base",
      ...XARM7_JOINTS.map((joint) => joint.child),
    ]);
    XARM7_JOINTS.forEach((joint, index) => {
      expect(joint.parent).toBe(XARM7_LINKS[index]!.name);
    });
  });

  it("has inertias that a rigid body can have, and a mass of 11.3 kg", () => {
    const massKg = XARM7_LINKS.reduce((sum, link) => sum + link.inertial.massKg, 0);
    expect(massKg).toBeCloseTo(11.3175, 3);
    for (const { name, inertial } of XARM7_LINKS) {
      const [xx, yy, zz] = inertial.inertiaKgM2;
      expect(xx + yy >= zz && yy + zz >= xx && xx + zz >= yy, name).toBe(true);
    }
  });

  it("keeps the newer arms' limits inside the older ones'", () => {
    NARROW_LIMITS_RAD.forEach(([low, high], joint) => {
      expect(low).toBeGreaterThanOrEqual(XARM7_JOINTS[joint]!.positionMinRad);
      expect(high).toBeLessThanOrEqual(XARM7_JOINTS[joint]!.positionMaxRad);
    });
  });
});

function modifiedDhPosition(q: readonly number[]): number[] {
  let m = [
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [0, 0, 1, 0],
  ];
  XARM7_MODIFIED_DH.forEach(({ alphaRad, aM, dM }, joint) => {
    const [ca, sa] = [Math.cos(alphaRad), Math.sin(alphaRad)];
    const [c, s] = [Math.cos(q[joint]!), Math.sin(q[joint]!)];
    const step = [
      [c, -s, 0, aM],
      [s * ca, c * ca, -sa, -sa * dM],
      [s * sa, c * sa, ca, ca * dM],
      [0, 0, 0, 1],
    ];
    m = m.map((row) =>
      [0, 1, 2, 3].map((column) => row.reduce((sum, value, k) => sum + value * step[k]![column]!, 0)),
    );
  });
  return m.map((row) => row[3]!);
}
