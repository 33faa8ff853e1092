import { describe, expect, it } from "vitest";
import { IDENTITY_POSE, multiplyQuat, quatFromRpy } from "../../kinematics/pose.js";
import { leastJerk, PEAK_OVER_MEAN, poseOnStroke, quatOfVector, rotationVector } from "./stroke.js";

describe("least-jerk stroke", () => {
  it("starts and ends at rest, and is fastest half way", () => {
    const h = 1e-4;
    const speed = (t: number) => (leastJerk(t + h) - leastJerk(t - h)) / (2 * h);
    expect(leastJerk(0)).toBe(0);
    expect(leastJerk(1)).toBe(1);
    expect(speed(0)).toBeCloseTo(0, 3);
    expect(speed(1)).toBeCloseTo(0, 3);
    expect(speed(0.5)).toBeCloseTo(PEAK_OVER_MEAN, 4);
  });

  it("leads from one pose to the other, aside by the bow half way and by the wave before and after", () => {
    const to = { positionM: [0.3, 0, 0], quatXyzw: quatFromRpy(0, 0, 1) } as const;
    const stroke = {
      from: IDENTITY_POSE,
      to,
      bowM: [0, 0.02, 0],
      waveM: [0, 0, 0.01],
      durationS: 2,
    } as const;
    expect(poseOnStroke(stroke, 0)).toEqual(IDENTITY_POSE);
    const end = poseOnStroke(stroke, 3);
    end.positionM.forEach((value, axis) => {
      expect(value).toBeCloseTo(to.positionM[axis]!, 12);
    });
    end.quatXyzw.forEach((value, i) => {
      expect(value).toBeCloseTo(to.quatXyzw[i]!, 12);
    });
    const middle = poseOnStroke(stroke, 1);
    const [before, after] = [poseOnStroke(stroke, 0.7), poseOnStroke(stroke, 1.3)];
    expect(before.positionM[2]).toBeGreaterThan(0.005);
    expect(after.positionM[2]).toBeCloseTo(-before.positionM[2], 12);
    expect(middle.positionM[0]).toBeCloseTo(0.15, 12);
    expect(middle.positionM[1]).toBeCloseTo(0.02, 12);
    expect(rotationVector(middle.quatXyzw)[2]).toBeCloseTo(0.5, 12);
  });

  it("turns the short way", () => {
    const quat = quatFromRpy(0.2, -0.4, 3);
    const [x, y, z, w] = quat;
    expect(rotationVector([-x, -y, -z, -w])).toEqual(rotationVector(quat));
    expect(Math.hypot(...rotationVector(quat))).toBeLessThanOrEqual(Math.PI);
    multiplyQuat(quatOfVector(rotationVector(quat)), [0, 0, 0, 1]).forEach((value, i) => {
      expect(value).toBeCloseTo(quat[i]!, 12);
    });
    expect(rotationVector([0, 0, 0, 1])).toEqual([0, 0, 0]);
  });
});
