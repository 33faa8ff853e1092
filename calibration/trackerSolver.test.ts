import { describe, expect, it } from "vitest";
import type { CerebellumError } from "../core/errors.js";
import type { PoseSpace } from "../core/teleop/pose.js";
import { conjugate, multiplyQuat, type QuatXyzw, quatFromRpy, rotate } from "../kinematics/pose.js";
import type { Vector3 } from "../kinematics/xarm7.js";
import { frameDifferenceDeg, SOLVER_LIMITS, solveTrackerFrame, strokeOf } from "./trackerSolver.js";

/** mulberry32: the same frames in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
const normal = (next: () => number) => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());

const BASE_STROKES: readonly Vector3[] = [
  [0.3, 0, 0],
  [0, 0.3, 0],
  [0, 0, 0.3],
];
const DEG = Math.PI / 180;
/** Axes of WebXR and OpenVR (x right, y up, z backwards) to x forward, y left, z up. */
const QUAT_OF_AXES: QuatXyzw = [0.5, -0.5, -0.5, 0.5];

/** A tracker whose vertical is `tiltDeg` off, at any heading. */
function randomFrame(next: () => number, tiltDeg: number, space: PoseSpace): QuatXyzw {
  const heading = quatFromRpy(0, 0, 2 * Math.PI * next());
  const axis = 2 * Math.PI * next();
  const half = (tiltDeg * DEG) / 2;
  const tilt: QuatXyzw = [
    Math.sin(half) * Math.cos(axis),
    Math.sin(half) * Math.sin(axis),
    0,
    Math.cos(half),
  ];
  const upright = multiplyQuat(heading, tilt);
  return space === "ros" ? upright : multiplyQuat(upright, QUAT_OF_AXES);
}

function strokeSamples(next: () => number, strokeM: Vector3, noiseM: number): Vector3[] {
  const startM: Vector3 = [next(), next(), next()];
  return Array.from({ length: 90 }, (_, i): Vector3 => {
    const share = Math.min(1, Math.max(0, (i - 10) / 65));
    return [0, 1, 2].map(
      (k) => startM[k]! + share * strokeM[k]! + noiseM * normal(next),
    ) as unknown as Vector3;
  });
}

const codeAndText = (work: () => unknown): string => {
  try {
    work();
  } catch (thrown) {
    const { code, happened, remedy } = thrown as CerebellumError;
    return `${code}: ${happened} / ${remedy}`;
  }
  return "accepted";
};

describe("a tracker's frame from three strokes", () => {
  it.each(["openvr-standing", "ros"] as const)(
    "is found in 1,000 random frames with 1 mm of noise, to half a degree (%s)",
    (space) => {
      const next = random(57);
      let worstDeg = 0;
      for (let round = 0; round < 1000; round++) {
        const tiltDeg = 10 * next();
        const truth = randomFrame(next, tiltDeg, space);
        const strokes = BASE_STROKES.map((strokeM, i) =>
          strokeOf(
            (["forward", "left", "up"] as const)[i]!,
            strokeSamples(next, rotate(conjugate(truth), strokeM), 0.001),
          ),
        );
        const fit = solveTrackerFrame(strokes, space);
        worstDeg = Math.max(worstDeg, frameDifferenceDeg(fit.quatBaseTracker, truth));
        expect(fit.residualDeg).toBeLessThan(0.5);
        expect(Math.abs(fit.tiltDeg - tiltDeg)).toBeLessThan(0.5);
        expect(Math.abs(Math.hypot(...fit.quatBaseTracker) - 1)).toBeLessThan(1e-12);
      }
      expect(worstDeg).toBeLessThan(0.5);
    },
  );

  it("takes hands that are up to 6 degrees off in any direction, and says how far off they were", () => {
    const next = random(58);
    for (let round = 0; round < 1000; round++) {
      const truth = randomFrame(next, 0, "openvr-standing");
      const strokes = BASE_STROKES.map((strokeM) => {
        const half = (6 * next() * DEG) / 2;
        const axis = unit([normal(next), normal(next), normal(next)]);
        const error: QuatXyzw = [
          axis[0] * Math.sin(half),
          axis[1] * Math.sin(half),
          axis[2] * Math.sin(half),
          Math.cos(half),
        ];
        return rotate(conjugate(truth), rotate(error, strokeM));
      });
      const fit = solveTrackerFrame(strokes, "openvr-standing");
      expect(frameDifferenceDeg(fit.quatBaseTracker, truth)).toBeLessThan(6);
      expect(fit.residualDeg).toBeLessThan(SOLVER_LIMITS.residualDegMax);
    }
  });

  it("gives the axes' own rotation for an operator who faces along x in an upright headset's frame", () => {
    const fit = solveTrackerFrame(
      [
        [0, 0, -0.3],
        [-0.3, 0, 0],
        [0, 0.3, 0],
      ],
      "local-floor",
    );
    expect(frameDifferenceDeg(fit.quatBaseTracker, QUAT_OF_AXES)).toBeLessThan(1e-9);
    expect(fit.tiltDeg).toBeLessThan(1e-9);
  });

  it.each([
    ["left and forward swapped", [1, 0, 2], [1, 1, 1], /mirrored/],
    ["up and left swapped", [0, 2, 1], [1, 1, 1], /mirrored/],
    ["moved right instead of left", [0, 1, 2], [1, -1, 1], /mirrored/],
    ["moved down instead of up", [0, 1, 2], [1, 1, -1], /mirrored/],
    ["all three in a circle", [1, 2, 0], [1, 1, 1], /tracker's own vertical/],
    ["right and down", [0, 1, 2], [1, -1, -1], /tracker's own vertical/],
    ["the same stroke twice", [0, 0, 2], [1, 1, 1], /square/],
  ] as const)("refuses %s", (_name, order, signs, expected) => {
    const truth = randomFrame(random(3), 4, "openvr-standing");
    const strokes = order.map((from, i) => {
      const [x, y, z] = rotate(conjugate(truth), BASE_STROKES[from]!);
      return [x * signs[i]!, y * signs[i]!, z * signs[i]!] as Vector3;
    });
    expect(codeAndText(() => solveTrackerFrame(strokes, "openvr-standing"))).toMatch(expected);
  });

  it("refuses strokes that are not square to each other, and names the one that is farthest off", () => {
    const strokes: Vector3[] = [
      [0.3, 0, 0],
      [0.15, 0.25, 0],
      [0, 0, 0.3],
    ];
    const text = codeAndText(() => solveTrackerFrame(strokes, "ros"));
    expect(text).toMatch(/CALIBRATION_INVALID.*(forward|left) is 1\d\.\d° off its axis, at most 10°/);
  });
});

describe("a stroke", () => {
  const next = random(9);
  const straight = strokeSamples(next, [0.3, 0.02, 0.01], 0.001);

  it("has the direction and length of the way, whatever the pause before and after", () => {
    const [x, y, z] = strokeOf("forward", straight);
    expect(Math.hypot(x - 0.3, y - 0.02, z - 0.01)).toBeLessThan(0.004);
  });

  it.each([
    ["too short", strokeSamples(next, [0.1, 0, 0], 0.001), /10 cm long, at least 15 cm/],
    ["a still hand", strokeSamples(next, [0, 0, 0], 0.001), /0 cm long, at least 15 cm/],
    ["a jump across the room", strokeSamples(next, [3, 0, 0], 0.001), /300 cm long, at most 150 cm/],
    ["too few poses", straight.slice(0, 5), /5 poses, at least 10/],
    [
      "an arc",
      straight.map(
        ([x, y, z], i): Vector3 => [x, y + 0.08 * Math.sin((Math.PI * Math.max(0, i - 10)) / 65), z],
      ),
      /bent/,
    ],
    ["back and forth", [...straight, ...[...straight].reverse(), ...straight], /went back/],
    ["not a number", straight.map(([x, , z]): Vector3 => [x, Number.NaN, z]), /long, at least/],
  ] as const)("is refused when it is %s", (_name, points, expected) => {
    expect(codeAndText(() => strokeOf("left", points))).toMatch(expected);
  });
});

const unit = ([x, y, z]: Vector3): Vector3 => {
  const n = Math.hypot(x, y, z);
  return [x / n, y / n, z / n];
};
