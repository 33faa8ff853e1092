/**
 * What the fingers' own weight asks of the joints of an Allegro Hand whose palm does not turn.
 *
 * Masses are the vendor's. Centres of mass are the middles of the links' shapes, as in the lab: the vendor's lie in the
 * joints, where they would have no lever. V5's masses are not published and taken as V4's [?].
 */
import { invariant } from "../../core/errors.js";
import { type QuatXyzw, rotationFromQuat } from "../pose.js";
import type { Vector3 } from "../xarm7.js";
import { HandChain } from "./fingertips.js";
import { geometryOf } from "./geometry.js";
import { FINGERS, HAND_JOINT_COUNT, type HandModel, type HandSide, JOINTS_PER_FINGER } from "./hand.js";
import { handLinks, linkName, tipName } from "./links.js";

const GRAVITY_M_PER_S2 = 9.81;
/** The box of a last link ends so much before the ball's centre, and the tip's capsule begins there. */
const TIP_LENGTH_M = 0.0107;
const THUMB_BASE = 12;
/** Of the motor block that the thumb of V5 begins with; estimated. */
const V5_THUMB_BASE_M: Vector3 = [-0.0005, 0, 0.0344];

/** A link with all that is fixed to it, and its centre in the link's own frame. */
interface Load {
  readonly massKg: number;
  readonly centreM: Vector3;
}

export class FingerWeight {
  readonly #chain: HandChain;
  /** Upwards in the palm's frame, times gravity: three numbers. */
  readonly #liftMPerS2: readonly [number, number, number];
  readonly #massKg = new Float64Array(HAND_JOINT_COUNT);
  /**
   * Each centre seen from its joint's origin, as shares of three vectors that turn with the link: the joint's axis, the way
   * to the next origin (of a last link: to the tip), and their cross product.
   */
  readonly #shares = new Float64Array(3 * HAND_JOINT_COUNT);
  readonly #centre = new Float64Array(3);

  /**
   * @param palmQuatXyzw attitude of the palm's frame in a frame whose z points up
   * @throws DEVICE_MISMATCH for a hand whose geometry is not known
   */
  constructor(model: HandModel, side: HandSide, palmQuatXyzw: QuatXyzw) {
    this.#chain = new HandChain(model, side);
    // The last row of a rotation is the outer frame's z, seen from the inner one.
    const rotation = rotationFromQuat(palmQuatXyzw);
    this.#liftMPerS2 = [
      GRAVITY_M_PER_S2 * rotation[6]!,
      GRAVITY_M_PER_S2 * rotation[7]!,
      GRAVITY_M_PER_S2 * rotation[8]!,
    ];
    const geometry = geometryOf(model, side);
    loadsOf(model, side).forEach(({ massKg, centreM }, joint) => {
      const { axes, offsetsM, tipM } = geometry[FINGERS[joint >> 2]!];
      const place = joint & 3;
      this.#massKg[joint] = massKg;
      this.#shares.set(sharesOf(centreM, axes[place]!, offsetsM[place] ?? tipM), 3 * joint);
    });
  }

  /**
   * Allocates nothing. Error against MuJoCo on the lab's hand: below 1e-9 N m.
   * @param positionRad sixteen, wire order
   * @param out torques that hold the joints up [N m], sixteen in wire order
   */
  torque(positionRad: ArrayLike<number>, out: Float64Array): void {
    this.#chain.update(positionRad);
    const { jointOriginsM: origins, jointAxes: axes } = this.#chain;
    const [lx, ly, lz] = this.#liftMPerS2;
    const centre = this.#centre;
    out.fill(0);
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      this.#place(joint);
      const massKg = this.#massKg[joint]!;
      for (let below = joint & ~3; below <= joint; below++) {
        const o = 3 * below;
        const rx = centre[0]! - origins[o]!;
        const ry = centre[1]! - origins[o + 1]!;
        const rz = centre[2]! - origins[o + 2]!;
        const ax = axes[o]!;
        const ay = axes[o + 1]!;
        const az = axes[o + 2]!;
        out[below]! +=
          massKg * (lx * (ay * rz - az * ry) + ly * (az * rx - ax * rz) + lz * (ax * ry - ay * rx));
      }
    }
  }

  /** The centre of a link's mass in the palm's frame. */
  #place(joint: number): void {
    const { jointOriginsM: origins, jointAxes: axes, tipsM } = this.#chain;
    const o = 3 * joint;
    const isLast = (joint & 3) === JOINTS_PER_FINGER - 1;
    const next = isLast ? tipsM : origins;
    const n = isLast ? 3 * (joint >> 2) : o + 3;
    const dx = next[n]! - origins[o]!;
    const dy = next[n + 1]! - origins[o + 1]!;
    const dz = next[n + 2]! - origins[o + 2]!;
    const ax = axes[o]!;
    const ay = axes[o + 1]!;
    const az = axes[o + 2]!;
    const alongAxis = this.#shares[o]!;
    const alongLink = this.#shares[o + 1]!;
    const across = this.#shares[o + 2]!;
    this.#centre[0] = origins[o]! + alongAxis * ax + alongLink * dx + across * (ay * dz - az * dy);
    this.#centre[1] = origins[o + 1]! + alongAxis * ay + alongLink * dy + across * (az * dx - ax * dz);
    this.#centre[2] = origins[o + 2]! + alongAxis * az + alongLink * dz + across * (ax * dy - ay * dx);
  }
}

/** Of the sixteen links, wire order. */
function loadsOf(model: HandModel, side: HandSide): Load[] {
  const geometry = geometryOf(model, side);
  const links = new Map(handLinks(side).map((link) => [link.name, link]));
  const massOf = (name: string) => links.get(name)!.inertial.massKg;
  return Array.from({ length: HAND_JOINT_COUNT }, (_, joint): Load => {
    const { offsetsM, tipM } = geometry[FINGERS[joint >> 2]!];
    const massKg = massOf(linkName(joint));
    const next = offsetsM[joint & 3];
    if (joint === THUMB_BASE) {
      const shape = links.get(linkName(joint))!.shapes.find(({ kind }) => kind === "box");
      invariant(shape?.kind === "box", "the thumb's base has a box");
      return { massKg, centreM: model === "v4" ? shape.centreM : V5_THUMB_BASE_M };
    }
    if (next !== undefined) return { massKg, centreM: [0, 0, next[2] / 2] };
    const tipKg = massOf(tipName(joint));
    const boxM = (tipM[2] - TIP_LENGTH_M) / 2;
    const capsuleM = tipM[2] - TIP_LENGTH_M / 2;
    return {
      massKg: massKg + tipKg,
      centreM: [0, 0, (massKg * boxM + tipKg * capsuleM) / (massKg + tipKg)],
    };
  });
}

/** `point = s0 axis + s1 way + s2 (axis x way)`; zeros where there is no way to speak of. */
function sharesOf(point: Vector3, axis: Vector3, way: Vector3): Vector3 {
  const normal = cross(axis, way);
  const area = dot(normal, normal);
  if (dot(way, way) === 0) return [0, 0, 0];
  // A joint that turns about its own link: the way is along the axis, and so must the centre be.
  if (area < 1e-12) return [0, dot(point, way) / dot(way, way), 0];
  const inPlane = dot(point, normal) / area;
  const [aw, ww, pa, pw] = [dot(axis, way), dot(way, way), dot(point, axis), dot(point, way)];
  return [(pa * ww - pw * aw) / (ww - aw * aw), (pw - pa * aw) / (ww - aw * aw), inPlane];
}

const dot = (one: Vector3, other: Vector3): number =>
  one[0] * other[0] + one[1] * other[1] + one[2] * other[2];
const cross = ([ax, ay, az]: Vector3, [bx, by, bz]: Vector3): Vector3 => [
  ay * bz - az * by,
  az * bx - ax * bz,
  ax * by - ay * bx,
];
