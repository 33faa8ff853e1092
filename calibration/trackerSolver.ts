/**
 * From three guided strokes of the hand (forward, left and up in the robot's base frame) to the rotation between the
 * tracker's frame and the base frame. Every doubt is a refusal that says which stroke to repeat: a wrong frame would
 * send the arm the wrong way.
 */

import { CerebellumError } from "../core/errors.js";
import { STROKES } from "../core/gateway/library.js";
import type { PoseSpace } from "../core/teleop/pose.js";
import { type QuatXyzw, rotate } from "../kinematics/pose.js";
import { diagonalise } from "../kinematics/symmetricEigen.js";
import type { Vector3 } from "../kinematics/xarm7.js";

export type StrokeName = (typeof STROKES)[number];

/** What a stroke and a fit must be like. Two degrees of frame are 3.5 mm on 10 cm of the hand: people correct that. */
export const SOLVER_LIMITS = {
  /** A shorter stroke's direction is mostly the hand's tremble. */
  lengthMinM: 0.15,
  /** Longer than an arm reaches: the tracker has jumped. */
  lengthMaxM: 1.5,
  /** Farthest point from the stroke's line, as a share of its length. */
  bowShareMax: 0.12,
  /** A hand that went back on its way: path over distance. */
  detourMax: 1.5,
  /** Strokes drawn by hand are square to each other within about 5 degrees. */
  residualDegMax: 10,
  /** A tracker that knows the vertical is level within a few degrees; more means that strokes were mixed up. */
  tiltDegMax: 15,
  samplesMin: 10,
} as const;

/** Base-frame direction of each stroke: x forward, y left, z up. */
const STROKE_AXES: Readonly<Record<StrokeName, Vector3>> = {
  forward: [1, 0, 0],
  left: [0, 1, 0],
  up: [0, 0, 1],
};

/** The vertical of each frame that poses come in. */
const UP_OF_SPACE: Readonly<Record<PoseSpace, Vector3>> = {
  "local-floor": [0, 1, 0],
  "openvr-standing": [0, 1, 0],
  ros: [0, 0, 1],
  base: [0, 0, 1],
};

export interface FrameFit {
  readonly quatBaseTracker: QuatXyzw;
  /** Angle between each turned stroke and its axis [deg], in the order forward, left, up. */
  readonly residualsDeg: readonly number[];
  /** The largest of them [deg]. */
  readonly residualDeg: number;
  /** Between the tracker's vertical and the base's z axis [deg]. */
  readonly tiltDeg: number;
}

/**
 * The line of a stroke from the positions along it.
 * @param pointsM positions [m], tracker frame, in order of time
 * @returns the stroke as a vector [m]: direction by least squares, length from end to end along it
 * @throws CerebellumError CALIBRATION_INVALID when it is too short, too long, bent, or went back and forth
 */
export function strokeOf(stroke: StrokeName, pointsM: readonly Vector3[]): Vector3 {
  const { lengthMinM, lengthMaxM, bowShareMax, detourMax, samplesMin } = SOLVER_LIMITS;
  if (pointsM.length < samplesMin) {
    throw refused(
      `The stroke ${stroke} has ${pointsM.length} poses, at least ${samplesMin} are needed`,
      "Check that the tracker sends poses, then repeat the stroke",
    );
  }
  const [first, last] = [pointsM[0]!, pointsM.at(-1)!];
  const chord = minus(last, first);
  const direction = lineDirection(pointsM, chord);
  const lengthM = dot(chord, direction);
  if (!(lengthM >= lengthMinM)) {
    throw refused(
      `The stroke ${stroke} is ${cm(lengthM)} long, at least ${cm(lengthMinM)} are needed`,
      "Repeat it: move the hand 20 to 40 cm in one go",
    );
  }
  if (lengthM > lengthMaxM) {
    throw refused(
      `The stroke ${stroke} is ${cm(lengthM)} long, at most ${cm(lengthMaxM)} are believed`,
      "The tracker has jumped: check its view of the base stations or cameras, then repeat the stroke",
    );
  }
  const bowM = Math.max(...pointsM.map((point) => distanceToLine(minus(point, first), direction)));
  if (bowM > bowShareMax * lengthM) {
    throw refused(
      `The stroke ${stroke} is bent: ${cm(bowM)} off its line on ${cm(lengthM)}, at most ${(100 * bowShareMax).toFixed(0)} % are allowed`,
      "Repeat it in a straight line, for instance along the edge of the table",
    );
  }
  const wayM = wayAlong(pointsM, direction);
  if (wayM > detourMax * lengthM) {
    throw refused(
      `The stroke ${stroke} went back on its way: ${cm(wayM)} of way for ${cm(lengthM)}`,
      "Repeat it in one direction, and end it before moving the hand back",
    );
  }
  return [direction[0] * lengthM, direction[1] * lengthM, direction[2] * lengthM];
}

/**
 * Rotation that turns the strokes onto the base's axes with the least squared error (Wahba's problem), all three alike.
 * @param strokesM strokes [m], tracker frame, in the order forward, left, up
 * @param space whose vertical the tilt is measured against
 * @throws CerebellumError CALIBRATION_INVALID when strokes are mirrored, swapped, not square, or do not fit
 * Source: Horn, J. Opt. Soc. Am. A 4(4), 1987 (the quaternion is the eigenvector of the largest eigenvalue of a symmetric
 * 4 x 4 matrix); the same as Davenport's q method for Wahba, SIAM Review 7(3), 1965.
 */
export function solveTrackerFrame(strokesM: readonly Vector3[], space: PoseSpace): FrameFit {
  if (strokesM.length !== STROKES.length)
    throw refused(`There are ${strokesM.length} strokes, 3 are needed`, "Do forward, left and up in turn");
  const units = strokesM.map(unit);
  refuseUnlessRightHanded(units as unknown as [Vector3, Vector3, Vector3]);
  const quatBaseTracker = wahbaQuaternion(
    units,
    STROKES.map((name) => STROKE_AXES[name]),
  );
  const turned = units.map((direction) => rotate(quatBaseTracker, direction));
  const residualsDeg = turned.map((direction, index) => angleDeg(direction, STROKE_AXES[STROKES[index]!]));
  const residualDeg = Math.max(...residualsDeg);
  const tiltDeg = angleDeg(rotate(quatBaseTracker, UP_OF_SPACE[space]), STROKE_AXES.up);
  const { residualDegMax, tiltDegMax } = SOLVER_LIMITS;
  if (residualDeg > residualDegMax) {
    const worst = STROKES[residualsDeg.indexOf(residualDeg)]!;
    throw refused(
      `The strokes do not fit: ${worst} is ${residualDeg.toFixed(1)}° off its axis, at most ${residualDegMax}° are allowed`,
      "Repeat all three along the robot's own axes: forward is away from its base, left and up square to it",
    );
  }
  if (tiltDeg > tiltDegMax) {
    throw refused(
      `The stroke up is ${tiltDeg.toFixed(0)}° off the tracker's own vertical, at most ${tiltDegMax}° are allowed`,
      "Strokes were mixed up, or the tracker's room set-up is not level: set that up again, then repeat all three",
    );
  }
  return { quatBaseTracker, residualsDeg, residualDeg, tiltDeg };
}

/**
 * Angle between two frames [deg]: how far one calibration is from another.
 * @param a,b unit quaternions x y z w
 */
export function frameDifferenceDeg(a: QuatXyzw, b: QuatXyzw): number {
  const cosine = Math.abs(a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]);
  const sine = Math.hypot(
    a[3] * b[0] - a[0] * b[3] - a[1] * b[2] + a[2] * b[1],
    a[3] * b[1] - a[1] * b[3] - a[2] * b[0] + a[0] * b[2],
    a[3] * b[2] - a[2] * b[3] - a[0] * b[1] + a[1] * b[0],
  );
  return (2 * Math.atan2(sine, cosine) * 180) / Math.PI;
}

/**
 * Rotation R with the least sum of |target - R direction|².
 * @param directions,targets unit vectors, at least two of them not parallel
 * @returns x y z w with w >= 0
 */
export function wahbaQuaternion(directions: readonly Vector3[], targets: readonly Vector3[]): QuatXyzw {
  const s = [0, 1, 2].map((row) =>
    [0, 1, 2].map((column) =>
      directions.reduce((sum, direction, i) => sum + direction[row]! * targets[i]![column]!, 0),
    ),
  );
  const [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = s as [number[], number[], number[]] as [
    [number, number, number],
    [number, number, number],
    [number, number, number],
  ];
  const [w, x, y, z] = principalAxis([
    [xx + yy + zz, yz - zy, zx - xz, xy - yx],
    [yz - zy, xx - yy - zz, xy + yx, zx + xz],
    [zx - xz, xy + yx, yy - xx - zz, yz + zy],
    [xy - yx, zx + xz, yz + zy, zz - xx - yy],
  ]) as [number, number, number, number];
  const scale = (w < 0 ? -1 : 1) / Math.hypot(w, x, y, z);
  return [x * scale, y * scale, z * scale, w * scale];
}

/**
 * Forward, left and up make a right-handed frame, whatever the tracker's own; a stroke to the wrong side, or two that
 * were swapped, make a left-handed one.
 */
function refuseUnlessRightHanded([forward, left, up]: readonly [Vector3, Vector3, Vector3]): void {
  const handedness = dot(cross(forward, left), up);
  if (handedness > 0.5) return;
  if (handedness < -0.5) {
    throw refused(
      "The strokes are mirrored: one went the opposite way, or two were swapped",
      "Repeat all three: away from the robot's base, then to the robot's own left, then up",
    );
  }
  throw refused(
    "The strokes are not square to each other: at least two have nearly the same direction",
    "Repeat all three: away from the robot's base, then to the robot's own left, then up",
  );
}

/** Direction of the straight line closest to the points, pointing along the chord. */
function lineDirection(pointsM: readonly Vector3[], chord: Vector3): Vector3 {
  const mean = [0, 1, 2].map((axis) => pointsM.reduce((sum, p) => sum + p[axis]!, 0) / pointsM.length);
  const spread = [0, 1, 2].map((row) =>
    [0, 1, 2].map((column) =>
      pointsM.reduce((sum, p) => sum + (p[row]! - mean[row]!) * (p[column]! - mean[column]!), 0),
    ),
  );
  const [x, y, z] = principalAxis(spread) as [number, number, number];
  return dot([x, y, z], chord) < 0 ? [-x, -y, -z] : [x, y, z];
}

/** Unit eigenvector of the largest eigenvalue of a symmetric matrix; its sign is arbitrary. */
function principalAxis(rows: readonly (readonly number[])[]): number[] {
  const n = rows.length;
  const values = Float64Array.from(rows.flat());
  const vectors = new Float64Array(n * n);
  diagonalise(values, vectors, n);
  let largest = 0;
  for (let i = 1; i < n; i++) if (values[i * n + i]! > values[largest * n + largest]!) largest = i;
  return rows.map((_, row) => vectors[row * n + largest]!);
}

/** Way along a direction, both ways counted [m]; a still hand's noise of a millimetre is not. */
function wayAlong(pointsM: readonly Vector3[], direction: Vector3): number {
  const STEP_M = 0.005;
  let wayM = 0;
  let at = dot(pointsM[0]!, direction);
  for (const point of pointsM) {
    const next = dot(point, direction);
    if (Math.abs(next - at) < STEP_M) continue;
    wayM += Math.abs(next - at);
    at = next;
  }
  return wayM;
}

const minus = (a: Vector3, b: Vector3): Vector3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const dot = (a: Vector3, b: Vector3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a: Vector3, b: Vector3): Vector3 => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
const unit = (v: Vector3): Vector3 => {
  const length = Math.hypot(...v);
  if (!(length > 0) || !Number.isFinite(length))
    throw refused("A stroke has no direction", "Repeat all three strokes");
  return [v[0] / length, v[1] / length, v[2] / length];
};
const angleDeg = (a: Vector3, b: Vector3): number =>
  (Math.atan2(Math.hypot(...cross(a, b)), dot(a, b)) * 180) / Math.PI;
const distanceToLine = (offset: Vector3, direction: Vector3): number =>
  Math.hypot(...cross(offset, direction));
const cm = (lengthM: number): string => `${(100 * lengthM).toFixed(0)} cm`;
const refused = (happened: string, remedy: string) =>
  new CerebellumError("CALIBRATION_INVALID", happened, remedy);
