/** The same vectors as the Vive bridge's own tests: from OpenVR's matrix to directions of x forward, y left, z up. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { conjugate, multiplyQuat, type QuatXyzw, quatFromRotation } from "../../kinematics/pose.js";
import { alignmentOf, alignPose, recentre } from "./alignment.js";

interface Vector {
  readonly name: string;
  readonly matrix: readonly (readonly number[])[];
  readonly positionM: [number, number, number];
  readonly quatXyzw: [number, number, number, number];
  readonly forwardLeftUp: { readonly positionM: number[]; readonly quatXyzw: QuatXyzw };
}
const { cases } = JSON.parse(
  readFileSync(new URL("../../core/teleop/vectors/openvrPoses.json", import.meta.url), "utf8"),
) as { cases: Vector[] };

const angleRad = (a: QuatXyzw, b: QuatXyzw) => {
  const [x, y, z, w] = multiplyQuat(conjugate(a), b);
  return 2 * Math.atan2(Math.hypot(x, y, z), Math.abs(w));
};

describe.each(cases)("an OpenVR pose, $name", ({ matrix, positionM, quatXyzw, forwardLeftUp }) => {
  it("has the quaternion of its matrix", () => {
    const rotation = Float64Array.from(matrix.flatMap((row) => row.slice(0, 3)));
    const quat = new Float64Array(4);
    quatFromRotation(rotation, quat);
    expect(angleRad([...quat] as unknown as QuatXyzw, quatXyzw)).toBeLessThan(1e-9);
  });

  it("lies to the robot as the axes say, for an operator who faces along x", () => {
    const ahead = recentre("openvr-standing", { pointer: { positionM: [0, 1, 0], quatXyzw: [0, 0, 0, 1] } });
    if (!ahead.ok) throw new Error(ahead.happened);
    const alignment = alignmentOf("openvr-standing", undefined, ahead.value);
    if (!alignment.ok) throw new Error(alignment.happened);
    const aligned = alignPose(alignment.value, { positionM, quatXyzw });
    for (const [axis, value] of forwardLeftUp.positionM.entries())
      expect(aligned.positionM[axis]).toBeCloseTo(value, 9);
    expect(angleRad(aligned.quatXyzw, forwardLeftUp.quatXyzw)).toBeLessThan(1e-9);
  });
});
