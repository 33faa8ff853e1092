/**
 * Weight of a thing made of boxes and capsules: centre of mass and principal moments, its mass spread evenly over the
 * volumes of its pieces (where two overlap, over both).
 */
import { quatFromRotation, rotationFromQuat } from "../../kinematics/pose.js";
import { diagonalise } from "../../kinematics/symmetricEigen.js";
import type { HandObject, HandObjectPiece } from "./handObjects.js";
import type { Vec3 } from "./scene.js";

export interface ObjectInertia {
  readonly centreM: Vec3;
  /** Of the principal axes in the object's frame. */
  readonly quatWxyz: readonly [number, number, number, number];
  readonly momentsKgM2: readonly [number, number, number];
}

/** Steiner's theorem for each piece, then the principal axes. */
export function inertiaOf({ massKg, pieces }: Pick<HandObject, "massKg" | "pieces">): ObjectInertia {
  const volumesM3 = pieces.map(volumeM3);
  const wholeM3 = volumesM3.reduce((sum, volume) => sum + volume, 0);
  const masses = volumesM3.map((volume) => (massKg * volume) / wholeM3);
  const centreM = [0, 1, 2].map((axis) =>
    pieces.reduce((sum, { positionM }, index) => sum + (masses[index]! * positionM[axis]!) / massKg, 0),
  ) as unknown as Vec3;
  const tensor = new Float64Array(9);
  pieces.forEach((piece, index) => {
    addPiece(piece, masses[index]!, centreM, tensor);
  });
  const vectors = new Float64Array(9);
  diagonalise(tensor, vectors, 3);
  return {
    centreM,
    quatWxyz: quatOf(vectors),
    momentsKgM2: [tensor[0]!, tensor[4]!, tensor[8]!],
  };
}

/** tensor += R diag(moments) Rᵀ + m (d² 1 - d dᵀ), d from the common centre. */
function addPiece(piece: HandObjectPiece, massKg: number, centreM: Vec3, tensor: Float64Array): void {
  const turn = rotationFromQuat(piece.quatXyzw ?? [0, 0, 0, 1]);
  const moments = momentsKgM2(piece, massKg);
  const d = piece.positionM.map((at, axis) => at - centreM[axis]!);
  const squared = d.reduce((sum, value) => sum + value * value, 0);
  for (let row = 0; row < 3; row++)
    for (let column = 0; column < 3; column++) {
      let value = massKg * ((row === column ? squared : 0) - d[row]! * d[column]!);
      for (let axis = 0; axis < 3; axis++)
        value += turn[3 * row + axis]! * moments[axis]! * turn[3 * column + axis]!;
      tensor[3 * row + column]! += value;
    }
}

function volumeM3({ kind, sizeM: [a, b, c] }: HandObjectPiece): number {
  return kind === "box" ? 8 * a * b * c : Math.PI * a * a * (2 * b + (4 / 3) * a);
}

/** About a piece's own middle and axes. A capsule is a cylinder and two half balls. */
function momentsKgM2({ kind, sizeM: [a, b, c] }: HandObjectPiece, massKg: number): Vec3 {
  if (kind === "box")
    return [(massKg / 3) * (b * b + c * c), (massKg / 3) * (a * a + c * c), (massKg / 3) * (a * a + b * b)];
  const ballShare = ((4 / 3) * a) / (2 * b + (4 / 3) * a);
  const [ballKg, rodKg] = [ballShare * massKg, (1 - ballShare) * massKg];
  const along = rodKg * 0.5 * a * a + ballKg * 0.4 * a * a;
  const across = rodKg * ((a * a) / 4 + (b * b) / 3) + ballKg * (0.4 * a * a + b * b + 0.75 * a * b);
  return [across, across, along];
}

/** A right-handed set of axes, one a column. */
function quatOf(vectors: Float64Array): ObjectInertia["quatWxyz"] {
  const [a, b, c, d, e, f, g, h, i] = vectors as unknown as number[];
  const determinant = a! * (e! * i! - f! * h!) - b! * (d! * i! - f! * g!) + c! * (d! * h! - e! * g!);
  const turned = Float64Array.from(vectors);
  if (determinant < 0) for (const at of [2, 5, 8]) turned[at] = -turned[at]!;
  const quat = new Float64Array(4);
  quatFromRotation(turned, quat);
  const [x, y, z, w] = quat as unknown as [number, number, number, number];
  return [w, x, y, z];
}
