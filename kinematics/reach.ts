/**
 * How far the arm reaches with its flange turned a given way. The axes of joints 1 to 3 meet in the shoulder and those
 * of joints 5 and 6 in the wrist, so the distance between the two depends on joint 4 alone; and the wrist lies on a
 * circle about the axis of joint 7, which the flange's pose fixes. Both together say in closed form whether a pose is
 * out of reach, joint limits left aside. Base frame, lengths in metres.
 */
import { invariant } from "../core/errors.js";
import { type Joint, type Vector3, XARM7_JOINTS } from "./xarm7.js";

/** Kept free of the fully stretched arm, where the elbow would have to turn at infinite speed [m]. */
const STRETCH_MARGIN_M = 3e-4;

export class Reach {
  /** Largest distance of the wrist from the shoulder [m]. */
  readonly wristMaxM: number;
  /** Angle of joint 4 at which the arm is stretched; beyond it the elbow bends the other way [rad]. */
  readonly stretchedRad: number;
  readonly #shoulderZM: number;
  readonly #wristRadiusM: number;
  readonly #wristBackM: number;
  readonly #toolFlangeM: Vector3;

  constructor(toolPointFlangeM: Vector3, joints: readonly Joint[] = XARM7_JOINTS) {
    const [shoulder, second, third, elbow, fifth, wrist, flange] = joints.map(({ originM }) => originM);
    invariant(
      joints.length === 7 && [second, wrist].every((at) => at!.every((value) => value === 0)),
      "an arm whose reach is known has a shoulder and a wrist in which axes meet",
    );
    this.#shoulderZM = shoulder![2];
    this.wristMaxM =
      Math.hypot(...third!, ...elbow!) + Math.hypot(fifth![0], fifth![1], fifth![2]) - STRETCH_MARGIN_M;
    this.stretchedRad =
      Math.PI - Math.atan2(elbow![0], Math.abs(third![1])) - Math.atan2(fifth![0], Math.abs(fifth![1]));
    this.#wristRadiusM = Math.abs(flange![0]);
    this.#wristBackM = Math.abs(flange![1]);
    this.#toolFlangeM = toolPointFlangeM;
  }

  /**
   * Moves a tool point that is out of reach to where the arm, turned this way, comes nearest to it.
   * @param toolM (3,) changed in place
   * @param flangeRotation (9,) row-major
   * @returns whether it had to be moved
   */
  bringWithin(toolM: Float64Array, flangeRotation: ArrayLike<number>): boolean {
    const r = flangeRotation;
    const [tx, ty, tz] = this.#toolFlangeM;
    // Centre of the wrist's circle, seen from the shoulder; its axis is the flange's z.
    const backM = tz + this.#wristBackM;
    const cx = toolM[0]! - (r[0]! * tx + r[1]! * ty + r[2]! * backM);
    const cy = toolM[1]! - (r[3]! * tx + r[4]! * ty + r[5]! * backM);
    const cz = toolM[2]! - (r[6]! * tx + r[7]! * ty + r[8]! * backM) - this.#shoulderZM;
    const along = cx * r[2]! + cy * r[5]! + cz * r[8]!;
    const ax = cx - along * r[2]!;
    const ay = cy - along * r[5]!;
    const az = cz - along * r[8]!;
    const aside = Math.sqrt(ax * ax + ay * ay + az * az);
    // The point of the circle that is nearest to the shoulder; any, where the axis passes through the shoulder.
    const isOnAxis = aside < 1e-9;
    const share = isOnAxis ? this.#wristRadiusM : 1 - this.#wristRadiusM / aside;
    const wx = along * r[2]! + share * (isOnAxis ? r[0]! : ax);
    const wy = along * r[5]! + share * (isOnAxis ? r[3]! : ay);
    const wz = along * r[8]! + share * (isOnAxis ? r[6]! : az);
    const distanceM = Math.sqrt(wx * wx + wy * wy + wz * wz);
    if (!(distanceM > this.wristMaxM)) return false;
    const excess = 1 - this.wristMaxM / distanceM;
    toolM[0]! -= excess * wx;
    toolM[1]! -= excess * wy;
    toolM[2]! -= excess * wz;
    return true;
  }
}
