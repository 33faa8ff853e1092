import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TrackedPose } from "../../core/teleop/pose.js";
import { checkedPose, compose, inverse, matrixOf, poseOfMatrix } from "./trackedPose.js";

const anyPose = fc
  .tuple(
    fc.tuple(...Array.from({ length: 3 }, () => fc.double({ min: -3, max: 3, noNaN: true }))),
    fc.tuple(...Array.from({ length: 4 }, () => fc.double({ min: -1, max: 1, noNaN: true }))),
  )
  .filter(([, q]) => Math.hypot(...q) > 0.1)
  .map(([p, q]) => {
    const norm = Math.hypot(...q);
    return { positionM: p, quatXyzw: q.map((value) => value / norm) } as unknown as TrackedPose;
  });

/** Quaternions of both signs are the same rotation. */
function expectSame(found: TrackedPose, expected: TrackedPose): void {
  for (const axis of [0, 1, 2]) expect(found.positionM[axis]).toBeCloseTo(expected.positionM[axis]!, 9);
  const dot = found.quatXyzw.reduce((sum, value, axis) => sum + value * expected.quatXyzw[axis]!, 0);
  expect(Math.abs(dot)).toBeCloseTo(1, 9);
}

describe("poses", () => {
  it("come back from their matrix, whichever component is largest", () =>
    fc.assert(fc.property(anyPose, (pose) => expectSame(poseOfMatrix(matrixOf(pose)), pose))));

  it("a pose after its inverse is where it began", () =>
    fc.assert(fc.property(anyPose, anyPose, (a, b) => expectSame(compose(inverse(a), compose(a, b)), b))));

  it("composing is multiplying matrices", () =>
    fc.assert(
      fc.property(anyPose, anyPose, (a, b) => {
        const [m, n] = [matrixOf(a), matrixOf(b)];
        const product = Array.from({ length: 16 }, (_, index) => {
          const [column, row] = [Math.floor(index / 4), index % 4];
          return [0, 1, 2, 3].reduce((sum, k) => sum + m[row + 4 * k]! * n[k + 4 * column]!, 0);
        });
        matrixOf(compose(a, b)).forEach((value, index) => {
          expect(value).toBeCloseTo(product[index]!, 9);
        });
      }),
    ));

  it("a mirrored or scaled matrix is no pose", () => {
    const mirrored = matrixOf({ positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] });
    mirrored[0] = 2;
    const { positionM, quatXyzw } = poseOfMatrix(mirrored);
    expect(checkedPose(positionM, quatXyzw)).toBeNull();
  });
});
