/**
 * Forward kinematics and Jacobians of the four fingertips of an Allegro Hand. A chain owns its buffers and allocates
 * nothing after construction, so a servo tick may use it; each thread needs its own. Angles [rad], lengths [m], palm frame.
 */
import { quatFromRpy, rotationFromQuat } from "../pose.js";
import type { Vector3 } from "../xarm7.js";
import { geometryOf } from "./geometry.js";
import { FINGERS, HAND_JOINT_COUNT, type HandModel, type HandSide, JOINTS_PER_FINGER } from "./hand.js";

export class HandChain {
  /** After `update`: x y z [m] of index, middle, ring and thumb tip: the centres of their balls. */
  readonly tipsM = new Float64Array(3 * FINGERS.length);
  /** After `update`: origin [m] and axis of each joint, three numbers a joint, wire order. */
  readonly jointOriginsM = new Float64Array(3 * HAND_JOINT_COUNT);
  readonly jointAxes = new Float64Array(3 * HAND_JOINT_COUNT);
  /** After `update`: rotation of each finger's last link, row-major, nine numbers a finger. */
  readonly tipRotations = new Float64Array(9 * FINGERS.length);

  /**
   * Between the frames of successive joints, each turned so that its joint is about z: origin in the one before, and
   * rotation. The link's own frame is reached by `#untwist`.
   */
  readonly #fixedOriginsM = new Float64Array(3 * HAND_JOINT_COUNT);
  readonly #fixedRotations = new Float64Array(9 * HAND_JOINT_COUNT);
  readonly #untwist = new Float64Array(9 * FINGERS.length);
  readonly #tipsLinkM = new Float64Array(3 * FINGERS.length);
  readonly #rotation = new Float64Array(9);

  /**
   * @param tipExtraM tips are this much further along the last link than the ball's centre [m]
   * @throws DEVICE_MISMATCH for a hand whose geometry is not known
   */
  constructor(
    readonly model: HandModel,
    readonly side: HandSide,
    tipExtraM = 0,
  ) {
    const geometry = geometryOf(model, side);
    FINGERS.forEach((name, finger) => {
      const { originM, rpyRad, axes, offsetsM, tipM } = geometry[name];
      let before: Float64Array = rotationFromQuat(quatFromRpy(...rpyRad));
      axes.forEach((axis, k) => {
        const joint = JOINTS_PER_FINGER * finger + k;
        const twist = turningZTo(axis);
        const at = k === 0 ? originM : product(before, offsetsM[k - 1]!);
        this.#fixedOriginsM.set(at, 3 * joint);
        this.#fixedRotations.set(multiply(before, twist), 9 * joint);
        before = transposed(twist);
      });
      this.#untwist.set(before, 9 * finger);
      const [x, y, z] = tipM;
      this.#tipsLinkM.set(product(before, [x, y, z + tipExtraM]), 3 * finger);
    });
  }

  /**
   * Recomputes everything for 16 joint angles [rad], wire order. Angles that are not finite give tips that are not
   * finite. Error against the vendor's URDFs: below 1e-9 m.
   */
  update(positionRad: ArrayLike<number>): void {
    for (let finger = 0; finger < FINGERS.length; finger++) this.#updateFinger(finger, positionRad);
  }

  /**
   * Jacobians of the tips at the angles of the last `update`: how a tip moves with the joints of its own finger.
   * @param out (4, 3, 4) row-major: finger, axis of the palm's frame, joint of the finger [m/rad]
   */
  jacobian(out: Float64Array): void {
    const { jointAxes: axes, jointOriginsM: origins, tipsM: tips } = this;
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      const finger = joint >> 2;
      const o = 3 * joint;
      const rx = tips[3 * finger]! - origins[o]!;
      const ry = tips[3 * finger + 1]! - origins[o + 1]!;
      const rz = tips[3 * finger + 2]! - origins[o + 2]!;
      const at = 12 * finger + (joint & 3);
      out[at] = axes[o + 1]! * rz - axes[o + 2]! * ry;
      out[at + 4] = axes[o + 2]! * rx - axes[o]! * rz;
      out[at + 8] = axes[o]! * ry - axes[o + 1]! * rx;
    }
  }

  #updateFinger(finger: number, positionRad: ArrayLike<number>): void {
    const f = this.#fixedRotations;
    const r = this.#rotation;
    r.fill(0);
    r[0] = r[4] = r[8] = 1;
    let x = 0;
    let y = 0;
    let z = 0;
    for (let joint = JOINTS_PER_FINGER * finger; joint < JOINTS_PER_FINGER * (finger + 1); joint++) {
      const o = 3 * joint;
      const m = 9 * joint;
      const dx = this.#fixedOriginsM[o]!;
      const dy = this.#fixedOriginsM[o + 1]!;
      const dz = this.#fixedOriginsM[o + 2]!;
      x += r[0]! * dx + r[1]! * dy + r[2]! * dz;
      y += r[3]! * dx + r[4]! * dy + r[5]! * dz;
      z += r[6]! * dx + r[7]! * dy + r[8]! * dz;
      const sin = Math.sin(positionRad[joint]!);
      const cos = Math.cos(positionRad[joint]!);
      for (let row = 0; row < 9; row += 3) {
        const a = r[row]!;
        const b = r[row + 1]!;
        const c = r[row + 2]!;
        const ex = a * f[m]! + b * f[m + 3]! + c * f[m + 6]!;
        const ey = a * f[m + 1]! + b * f[m + 4]! + c * f[m + 7]!;
        r[row] = ex * cos + ey * sin;
        r[row + 1] = ey * cos - ex * sin;
        r[row + 2] = a * f[m + 2]! + b * f[m + 5]! + c * f[m + 8]!;
      }
      this.jointOriginsM[o] = x;
      this.jointOriginsM[o + 1] = y;
      this.jointOriginsM[o + 2] = z;
      this.jointAxes[o] = r[2]!;
      this.jointAxes[o + 1] = r[5]!;
      this.jointAxes[o + 2] = r[8]!;
    }
    this.#placeTip(finger, x, y, z);
  }

  #placeTip(finger: number, x: number, y: number, z: number): void {
    const r = this.#rotation;
    const tx = this.#tipsLinkM[3 * finger]!;
    const ty = this.#tipsLinkM[3 * finger + 1]!;
    const tz = this.#tipsLinkM[3 * finger + 2]!;
    this.tipsM[3 * finger] = x + r[0]! * tx + r[1]! * ty + r[2]! * tz;
    this.tipsM[3 * finger + 1] = y + r[3]! * tx + r[4]! * ty + r[5]! * tz;
    this.tipsM[3 * finger + 2] = z + r[6]! * tx + r[7]! * ty + r[8]! * tz;
    const u = this.#untwist;
    const m = 9 * finger;
    for (let row = 0; row < 9; row += 3)
      for (let column = 0; column < 3; column++)
        this.tipRotations[m + row + column] =
          r[row]! * u[m + column]! + r[row + 1]! * u[m + 3 + column]! + r[row + 2]! * u[m + 6 + column]!;
  }
}

/** A rotation whose third column is a unit vector; exact where the vector is along x, y or z. */
function turningZTo([x, y, z]: Vector3): Float64Array {
  const side: Vector3 = Math.abs(z) > 0.9 ? [1, 0, 0] : [0, 0, 1];
  const first = cross(side, [x, y, z]);
  const length = Math.hypot(...first);
  const [a, b, c] = [first[0] / length, first[1] / length, first[2] / length];
  const [d, e, f] = cross([x, y, z], [a, b, c]);
  return Float64Array.of(a, d, x, b, e, y, c, f, z);
}

const cross = ([a, b, c]: Vector3, [x, y, z]: Vector3): Vector3 => [
  b * z - c * y,
  c * x - a * z,
  a * y - b * x,
];

const product = (m: Float64Array, [x, y, z]: Vector3): Vector3 => [
  m[0]! * x + m[1]! * y + m[2]! * z,
  m[3]! * x + m[4]! * y + m[5]! * z,
  m[6]! * x + m[7]! * y + m[8]! * z,
];

const transposed = (m: Float64Array): Float64Array =>
  Float64Array.from({ length: 9 }, (_, i) => m[3 * (i % 3) + Math.floor(i / 3)]!);

const multiply = (one: Float64Array, other: Float64Array): Float64Array =>
  Float64Array.from({ length: 9 }, (_, i) => {
    const row = 3 * Math.floor(i / 3);
    return (
      one[row]! * other[i % 3]! + one[row + 1]! * other[3 + (i % 3)]! + one[row + 2]! * other[6 + (i % 3)]!
    );
  });
