/**
 * The shapes that a picture is made of: their meshes, numbers of their surfaces, and their corners placed in a view.
 * A surface is one face of a box, a plane, or a whole capsule; number 0 means "nothing drawn".
 */
import { boxMesh, capsuleMesh, type Mesh, planeMesh } from "./mesh.js";

export type ShapeKind = "box" | "capsule" | "plane";

export interface ShapeSource {
  readonly name: string;
  readonly kind: ShapeKind;
  /** Half sizes of a box or plane; radius and half length of a capsule [m]. */
  readonly sizeM: readonly [number, number, number];
  readonly colour: readonly [number, number, number];
}

export class Shape {
  mesh: Mesh;
  /** Coarser, for the shadow map. */
  shadowMesh: Mesh;
  boundRadiusM: number;
  sizeM: ShapeSource["sizeM"];
  hidden = false;
  readonly surfaceCount: number;

  constructor(
    readonly source: ShapeSource,
    /** Index into the pose arrays. */
    readonly index: number,
    /** Number of its first surface. */
    readonly firstSurface: number,
  ) {
    this.sizeM = source.sizeM;
    this.mesh = meshOf(source.kind, source.sizeM, 24, 6);
    this.shadowMesh = this.#shadowMesh();
    this.surfaceCount = source.kind === "box" ? 6 : 1;
    this.boundRadiusM = boundOf(source.kind, source.sizeM);
  }

  /** The same kind of shape in another size. */
  resize(sizeM: ShapeSource["sizeM"]): void {
    this.sizeM = sizeM;
    this.mesh = meshOf(this.source.kind, sizeM, 24, 6);
    this.shadowMesh = this.#shadowMesh();
    this.boundRadiusM = boundOf(this.source.kind, sizeM);
  }

  #shadowMesh(): Mesh {
    return this.source.kind === "capsule" ? meshOf("capsule", this.sizeM, 12, 3) : this.mesh;
  }
}

function meshOf(
  kind: ShapeKind,
  [a, b, c]: readonly [number, number, number],
  segments: number,
  rings: number,
): Mesh {
  if (kind === "box") return boxMesh(a, b, c);
  if (kind === "plane") return planeMesh(a, b);
  return capsuleMesh(a, b, segments, rings);
}

function boundOf(kind: ShapeKind, [a, b, c]: readonly [number, number, number]): number {
  if (kind === "capsule") return (a + b) * 1.02;
  return kind === "box" ? Math.hypot(a, b, c) : Math.hypot(a, b);
}

/** Poses of all shapes in the base frame: x y z [m] and a row-major rotation each. */
export interface ShapePoses {
  readonly geomM: Float64Array;
  readonly geomRotation: Float64Array;
}

/** A rotation (rows are the view's axes in the base frame) and the base-frame point that becomes the view's origin. */
export interface View {
  readonly axes: Float64Array;
  readonly originM: Float64Array;
}

/** A shape's frame in a view: rotation (row-major), then translation; 12 numbers. */
export function placeInView(view: View, poses: ShapePoses, shape: number, out: Float64Array): void {
  const { axes, originM } = view;
  const m = 9 * shape;
  const r = poses.geomRotation;
  const dx = poses.geomM[3 * shape]! - originM[0]!;
  const dy = poses.geomM[3 * shape + 1]! - originM[1]!;
  const dz = poses.geomM[3 * shape + 2]! - originM[2]!;
  for (let row = 0; row < 3; row++) {
    const [ax, ay, az] = [axes[3 * row]!, axes[3 * row + 1]!, axes[3 * row + 2]!];
    out[3 * row] = ax * r[m]! + ay * r[m + 3]! + az * r[m + 6]!;
    out[3 * row + 1] = ax * r[m + 1]! + ay * r[m + 4]! + az * r[m + 7]!;
    out[3 * row + 2] = ax * r[m + 2]! + ay * r[m + 5]! + az * r[m + 8]!;
    out[9 + row] = ax * dx + ay * dy + az * dz;
  }
}

/** Corners of a mesh in the view [m], x y z each. */
export function transformCorners(mesh: Mesh, frame: Float64Array, out: Float64Array): void {
  const { cornersM } = mesh;
  const [a, b, c, d, e, f] = [frame[0]!, frame[1]!, frame[2]!, frame[3]!, frame[4]!, frame[5]!];
  const [g, h, i, tx, ty, tz] = [frame[6]!, frame[7]!, frame[8]!, frame[9]!, frame[10]!, frame[11]!];
  for (let k = 0; k < cornersM.length; k += 3) {
    const [x, y, z] = [cornersM[k]!, cornersM[k + 1]!, cornersM[k + 2]!];
    out[k] = a * x + b * y + c * z + tx;
    out[k + 1] = d * x + e * y + f * z + ty;
    out[k + 2] = g * x + h * y + i * z + tz;
  }
}

/** Most corners that a mesh made here has. */
export const CORNERS_MAX = 24 * 14;
