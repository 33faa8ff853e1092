import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TrackerFrame } from "../../calibration/trackerFrame.js";
import type { TrackedPose } from "../../core/teleop/pose.js";
import { multiplyQuat, type QuatXyzw, quatFromRpy, rotate } from "../../kinematics/pose.js";
import { type Alignment, alignmentOf, alignPose, recentre } from "./alignment.js";

const QUARTER = Math.PI / 2;
const UPRIGHT: TrackedPose = { positionM: [0, 1.6, 0], quatXyzw: [0, 0, 0, 1] };
const at = (positionM: TrackedPose["positionM"], quatXyzw: QuatXyzw = [0, 0, 0, 1]): TrackedPose => ({
  positionM,
  quatXyzw: [...quatXyzw],
});
/** About y, which is up in WebXR. */
const yawUpY = (angleRad: number): QuatXyzw => [0, Math.sin(angleRad / 2), 0, Math.cos(angleRad / 2)];
const pitchUpY = (angleRad: number): QuatXyzw => [Math.sin(angleRad / 2), 0, 0, Math.cos(angleRad / 2)];

function must<T>(found: { readonly ok: true; readonly value: T } | { readonly ok: false }): T {
  if (!found.ok) throw new Error("should have been found");
  return found.value;
}
/** Of a WebXR source whose person has faced `headingRad` (about the upright, left is positive). */
const aligned = (headingRad = 0): Alignment =>
  must(
    alignmentOf(
      "local-floor",
      undefined,
      must(recentre("local-floor", { head: { ...UPRIGHT, quatXyzw: [...yawUpY(headingRad)] } })),
    ),
  );
const close = (actual: readonly number[], expected: readonly number[]) =>
  expect(actual.map((value, index) => Math.abs(value - expected[index]!) < 1e-12)).toEqual(
    expected.map(() => true),
  );
const frame = (
  quatBaseTracker: QuatXyzw,
  space: TrackerFrame["space"] = "openvr-standing",
): TrackerFrame => ({
  schema: "cerebellum/tracker-frame@1",
  device: "vive1",
  space,
  quatBaseTracker: [...quatBaseTracker],
  residualDeg: 0,
  tiltDeg: 0,
  strokesM: [],
  createdEpochMs: 0,
  robot: "arm",
});

describe("axes", () => {
  it("turns x right, y up, z backwards into x forward, y left, z up", () => {
    close(alignPose(aligned(), at([0.3, 1.2, -0.4])).positionM, [0.4, -0.3, 1.2]);
  });

  it("turns a hand's rotation as C R C': x y z w becomes -z -x y w", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -3, max: 3, noNaN: true }),
        fc.double({ min: -3, max: 3, noNaN: true }),
        (a, b) => {
          const [x, y, z, w] = multiplyQuat(yawUpY(a), pitchUpY(b));
          close(alignPose(aligned(), at([0, 0, 0], [x, y, z, w])).quatXyzw, [-z, -x, y, w]);
        },
      ),
    );
  });

  it("leaves poses of the base frame as they are, and needs nobody's help for it", () => {
    const alignment = must(alignmentOf("base"));
    expect(alignPose(alignment, at([0.1, 0.2, 0.3]))).toEqual(at([0.1, 0.2, 0.3]));
  });
});

describe("recentring", () => {
  it("makes where the person faces the robot's x axis", () => {
    for (const heading of [0, 0.3, QUARTER, -2.5, Math.PI]) {
      const [x, y, z] = rotate(yawUpY(heading), [0, 0, -1]);
      close(alignPose(aligned(heading), at([x, y, z])).positionM, [1, 0, 0]);
      close(alignPose(aligned(heading), at([0, 1, 0])).positionM, [0, 0, 1]);
    }
  });

  it("is not turned by looking down, even at one's feet", () => {
    for (const pitch of [-0.4, -1.2, -QUARTER, 0.9]) {
      const head = at([0, 1.6, 0], multiplyQuat(yawUpY(0.7), pitchUpY(pitch)));
      expect(must(recentre("local-floor", { head })).yawRad).toBeCloseTo(0.7, 9);
    }
  });

  it("refuses a controller that points at the ceiling or the floor, and takes one that is held level", () => {
    for (const pitch of [QUARTER, -QUARTER, 1.3]) {
      const pointer = at([0, 1, 0], multiplyQuat(yawUpY(0.7), pitchUpY(pitch)));
      expect(recentre("openvr-standing", { pointer })).toMatchObject({ ok: false, code: "RECENTRE_UPRIGHT" });
    }
    const pointer = at([0, 1, 0], multiplyQuat(yawUpY(0.7), pitchUpY(0.8)));
    expect(must(recentre("openvr-standing", { pointer })).yawRad).toBeCloseTo(0.7, 9);
  });

  it("takes the x axis of a ROS tracker's body for its pointing direction", () => {
    const facing = at([0, 0, 0], quatFromRpy(0.2, -0.3, 1.1));
    const recentring = must(recentre("ros", { pointer: facing }));
    expect(recentring.yawRad).toBeCloseTo(1.1, 9);
    const alignment = must(alignmentOf("ros", undefined, recentring));
    close(alignPose(alignment, at([Math.cos(1.1), Math.sin(1.1), 0])).positionM, [1, 0, 0]);
  });

  it("does not count for another space", () => {
    const recentring = must(recentre("local-floor", { head: UPRIGHT }));
    expect(alignmentOf("ros", undefined, recentring)).toMatchObject({ ok: false, code: "NOT_ALIGNED" });
  });
});

describe("a calibrated frame", () => {
  /** Stands nearly upright, and looks somewhere. */
  const measured = multiplyQuat(quatFromRpy(0.02, -0.01, 2), [0.5, -0.5, -0.5, 0.5]);

  it("turns directions as it was measured", () => {
    const alignment = must(alignmentOf("openvr-standing", frame(measured)));
    expect(alignment.by).toBe("calibration");
    close(alignPose(alignment, at([1, 0, 0])).positionM, rotate(measured, [1, 0, 0]));
  });

  it("keeps a relative rotation the one that the hand has made, seen in the base frame", () => {
    const alignment = must(alignmentOf("openvr-standing", frame(measured)));
    const turn: QuatXyzw = [0, Math.sin(0.2), 0, Math.cos(0.2)];
    const before = quatFromRpy(0.5, 0.1, -0.4);
    const [from, to] = [before, multiplyQuat(turn, before)].map(
      (quat) => alignPose(alignment, at([0, 0, 0], quat)).quatXyzw,
    ) as unknown as [QuatXyzw, QuatXyzw];
    const [x, y, z] = multiplyQuat(to, [-from[0], -from[1], -from[2], from[3]]);
    close([x, y, z], rotate(measured, [0, Math.sin(0.2), 0]));
  });

  it("of another space does not count", () => {
    expect(alignmentOf("local-floor", frame(measured))).toMatchObject({ ok: false, code: "NOT_ALIGNED" });
  });

  it("is corrected in its heading by a person who recentres later, and keeps its tilt", () => {
    const calibrated = frame(measured);
    const facing = at([0, 0, 0], yawUpY(0.4));
    const recentring = must(recentre("openvr-standing", { pointer: facing }, calibrated));
    const alignment = must(alignmentOf("openvr-standing", calibrated, recentring));
    const [x, y] = alignPose(alignment, at([...rotate(yawUpY(0.4), [0, 0, -1])])).positionM;
    expect(Math.atan2(y, x)).toBeCloseTo(0, 9);
    const up = alignPose(alignment, at([0, 1, 0])).positionM;
    expect(up[2]).toBeCloseTo(rotate(measured, [0, 1, 0])[2], 9);
  });
});
