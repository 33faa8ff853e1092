import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HAND_JOINTS, NUMBERS_PER_HAND_JOINT } from "../../core/teleop/pose.js";
import {
  blend,
  handPose,
  mirrored,
  REFERENCE_CASES,
  webxrJoints,
} from "../../test/support/allegro/handPoses.js";
import type { QuatXyzw } from "../pose.js";
import { diagonalise } from "../symmetricEigen.js";
import { HandKeypoints, KEYPOINT_COUNT, WEBXR_OF_KEYPOINT } from "./keypoints.js";

const good = (joints: readonly number[], side: "right" | "left" = "right"): Float64Array => {
  const keypoints = new HandKeypoints();
  if (!keypoints.read(joints, side)) throw new Error(keypoints.why);
  return keypoints.pointsM;
};
const said = (joints: ArrayLike<number> | null | undefined, side: "right" | "left" = "right") => {
  const keypoints = new HandKeypoints();
  keypoints.read(joints, side);
  return `${keypoints.verdict}: ${keypoints.why}`;
};
const joint = (name: (typeof HAND_JOINTS)[number]) => NUMBERS_PER_HAND_JOINT * HAND_JOINTS.indexOf(name);
const open = webxrJoints(handPose("open"));

describe("keypoints", () => {
  it("are WebXR's joints but the metacarpals of the four fingers", () => {
    const names = WEBXR_OF_KEYPOINT.map((index) => HAND_JOINTS[index]!);
    expect(names).toHaveLength(KEYPOINT_COUNT);
    expect(HAND_JOINTS.filter((name) => !names.some((used) => used === name))).toEqual([
      "index-finger-metacarpal",
      "middle-finger-metacarpal",
      "ring-finger-metacarpal",
      "pinky-finger-metacarpal",
    ]);
    expect([4, 8, 12, 16, 20].map((k) => names[k])).toEqual([
      "thumb-tip",
      "index-finger-tip",
      "middle-finger-tip",
      "ring-finger-tip",
      "pinky-finger-tip",
    ]);
  });

  it.each(REFERENCE_CASES.map((each) => [each.tag, each] as const))(
    "%s: the reference's keypoints, from anywhere in the room, come back in the frame of the hand",
    (_tag, each) => {
      const points = good(webxrJoints(Float64Array.from(each.keypoints21.flat())), each.side);
      // The vectors' hands are not turned exactly so; what is fixed by the frame: wrist, middle knuckle on z, index in plane.
      expect(Math.max(...points.subarray(0, 3).map(Math.abs))).toBe(0);
      expect(points[27]).toBeCloseTo(0, 12);
      expect(points[28]).toBeCloseTo(0, 12);
      expect(points[29]).toBeCloseTo(Math.hypot(...each.keypoints21[9]!), 12);
      expect(points[15]).toBeCloseTo(0, 12);
      expect(Math.sign(points[16]!)).toBe(each.side === "right" ? 1 : -1);
    },
  );

  it("the palm's normal is that of the singular value decomposition of wrist, index and middle knuckle", () => {
    const raw = webxrJoints(handPose("pinch_index"));
    const places = ["wrist", "index-finger-phalanx-proximal", "middle-finger-phalanx-proximal"] as const;
    const three = places.map((name) => raw.slice(joint(name), joint(name) + 3));
    const mean = [0, 1, 2].map((axis) => three.reduce((sum, p) => sum + p[axis]! / 3, 0));
    const scatter = new Float64Array(9);
    for (const p of three)
      for (let a = 0; a < 3; a++)
        for (let b = 0; b < 3; b++) scatter[3 * a + b]! += (p[a]! - mean[a]!) * (p[b]! - mean[b]!);
    const vectors = new Float64Array(9);
    diagonalise(scatter, vectors, 3);
    const least = [0, 1, 2].reduce((best, i) => (scatter[4 * i]! < scatter[4 * best]! ? i : best));
    const points = good(raw);
    // Every keypoint's x is its distance from that plane.
    const along = (k: number) =>
      [0, 1, 2].reduce(
        (sum, axis) =>
          sum +
          (raw[NUMBERS_PER_HAND_JOINT * WEBXR_OF_KEYPOINT[k]! + axis]! - raw[axis]!) *
            vectors[3 * axis + least]!,
        0,
      );
    const sign = Math.sign(along(8) * points[24]!);
    for (let k = 0; k < KEYPOINT_COUNT; k++) expect(points[3 * k]).toBeCloseTo(sign * along(k), 12);
  });

  it("do not depend on where the hand is, or how it is turned", () => {
    const still = Float64Array.from(good(open));
    const place = fc.double({ min: -3, max: 3, noNaN: true });
    const turn = fc.tuple(place, place, place, place).filter((q) => Math.hypot(...q) > 0.1);
    fc.assert(
      fc.property(fc.tuple(place, place, place), turn, (positionM, quat) => {
        good(webxrJoints(handPose("open"), positionM, quat as unknown as QuatXyzw)).forEach((value, i) => {
          expect(Math.abs(value - still[i]!)).toBeLessThan(1e-12);
        });
      }),
    );
  });

  it("a left hand is a mirrored right one", () => {
    const right = good(webxrJoints(handPose("fist")));
    const left = good(webxrJoints(mirrored(handPose("fist"))), "left");
    left.forEach((value, i) => {
      expect(value).toBeCloseTo(i % 3 === 1 ? -right[i]! : right[i]!, 12);
    });
  });

  it("curled fingers are on the palm's side, on both hands", () => {
    expect(good(webxrJoints(handPose("fist")))[3 * 12]).toBeGreaterThan(0.02);
    expect(good(webxrJoints(mirrored(handPose("fist"))), "left")[3 * 12]).toBeGreaterThan(0.02);
  });
});

describe("what is no hand", () => {
  it("missing: no joints, or not all", () => {
    expect(said(null)).toBe("missing: the source tracks no hand joints");
    expect(said(undefined)).toMatch(/^missing/);
    expect(said(open.slice(8))).toBe("missing: 192 numbers are there, 200 are expected");
  });

  it("numbers that are none, wherever they are", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 1e6]) {
      for (const index of WEBXR_OF_KEYPOINT)
        expect(said(open.with(NUMBERS_PER_HAND_JOINT * index + 1, bad))).toMatch(
          /^notFinite: .* m, expected/,
        );
    }
    expect(said(open.with(joint("ring-finger-tip"), Number.NaN))).toContain("ring-finger-tip is at NaN m");
  });

  it("what keypoints do not use may be anything: metacarpals, attitudes, radii", () => {
    const joints = open.map((value, i) =>
      i % NUMBERS_PER_HAND_JOINT >= 3 ||
      WEBXR_OF_KEYPOINT.every((at) => at !== Math.floor(i / NUMBERS_PER_HAND_JOINT))
        ? Number.NaN
        : value,
    );
    expect(said(joints)).toBe("good: a hand");
  });

  it("collapsed: all in one point, one bone gone, a tiny palm, knuckles in line with the wrist", () => {
    expect(said(Array(200).fill(0))).toMatch(/^collapsed: wrist to thumb-metacarpal is 0.0 mm long/);
    const short = [...open];
    for (let axis = 0; axis < 3; axis++)
      short[joint("thumb-tip") + axis] = open[joint("thumb-phalanx-distal") + axis]!;
    expect(said(short)).toContain("thumb-phalanx-distal to thumb-tip is 0.0 mm long");
    expect(said(webxrJoints(handPose("open").map((value) => 0.4 * value)))).toMatch(
      /^collapsed: .* expected are 40.0 mm/,
    );
    const flat = handPose("open");
    // Index knuckle behind the middle one, as seen from the wrist.
    for (let axis = 0; axis < 3; axis++) flat[15 + axis] = 0.95 * flat[27 + axis]!;
    expect(said(webxrJoints(flat))).toMatch(
      /^collapsed: wrist, index-finger-phalanx-proximal and .* lie on one line/,
    );
  });

  it("impossible: a bone that is too long, fingers behind the hand, fingers through each other", () => {
    const long = handPose("open");
    long[26]! += 0.12;
    expect(said(webxrJoints(long))).toMatch(/^impossible: .* to index-finger-tip is \d+\.\d mm long/);
    const backwards = handPose("fist");
    for (const tip of [12, 11, 10])
      for (let axis = 0; axis < 3; axis++)
        backwards[3 * tip + axis] = backwards[27 + axis]! + (axis === 0 ? -0.03 * (tip - 9) : 0.001);
    expect(said(webxrJoints(backwards))).toMatch(/^impossible: middle-finger-tip is bent behind/);
    // Middle finger lies in the index finger.
    const through = handPose("open");
    for (const [to, from] of [
      [10, 6],
      [11, 7],
      [12, 8],
    ] as const)
      for (let axis = 0; axis < 3; axis++) through[3 * to + axis] = handPose("open")[3 * from + axis]!;
    expect(said(webxrJoints(through))).toMatch(/^impossible: .* run through each other/);
  });

  it("a fist of the other hand is refused, not retargeted backwards", () => {
    for (const share of [0.7, 0.85, 1]) {
      const bent = webxrJoints(blend(handPose("open"), handPose("fist"), share));
      expect(said(bent)).toBe("good: a hand");
      expect(said(bent, "left")).toContain("it may be the other hand");
    }
  });

  it("keeps the last good hand, and never throws whatever comes", () => {
    const keypoints = new HandKeypoints();
    keypoints.read(open, "right");
    const before = Float64Array.from(keypoints.pointsM);
    fc.assert(
      fc.property(fc.array(fc.double(), { minLength: 200, maxLength: 200 }), (joints) => {
        if (keypoints.read(joints, "right")) return;
        expect(keypoints.why.length).toBeGreaterThan(10);
        expect(keypoints.pointsM).toEqual(before);
      }),
    );
  });
});
