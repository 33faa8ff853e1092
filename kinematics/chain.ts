/**
 * Forward kinematics and geometric Jacobian of a serial arm whose joints turn about their own z axis. A chain owns
 * its buffers and allocates nothing after construction, so the servo tick may use it; each thread needs its own.
 */
import { invariant } from "../core/errors.js";
import { quatFromRotation, quatFromRpy, rotationFromQuat } from "./pose.js";
import { type Joint, TOOL_POINT_FLANGE_M, type Vector3, XARM7_JOINTS } from "./xarm7.js";

/** The pose of a frame in the base frame, filled in place: x y z [m], then the quaternion x y z w. */
export interface PoseBuffer {
  readonly positionM: Float64Array;
  readonly quatXyzw: Float64Array;
}

export const poseBuffer = (): PoseBuffer => ({
  positionM: new Float64Array(3),
  quatXyzw: new Float64Array([0, 0, 0, 1]),
});

export class ArmChain {
  readonly jointCount: number;
  /** After `update`: origin [m] and axis of each joint frame in the base frame, three numbers a joint. */
  readonly jointOriginsM: Float64Array;
  readonly jointAxes: Float64Array;
  /** After `update`: rotation of each link frame in the base frame, row-major, nine numbers a joint. */
  readonly linkRotations: Float64Array;
  /** After `update`: the flange's rotation (row-major) and origin, and the tool point, all in the base frame. */
  readonly flangeRotation: Float64Array;
  readonly flangeM: Float64Array;
  readonly toolM: Float64Array;

  readonly #fixedOriginsM: Float64Array;
  readonly #fixedRotations: Float64Array;
  readonly #toolFlangeM: Vector3;
  readonly #before = new Float64Array(9);

  constructor(joints: readonly Joint[] = XARM7_JOINTS, toolPointFlangeM: Vector3 = TOOL_POINT_FLANGE_M) {
    this.jointCount = joints.length;
    this.jointOriginsM = new Float64Array(3 * joints.length);
    this.jointAxes = new Float64Array(3 * joints.length);
    this.linkRotations = new Float64Array(9 * joints.length);
    this.flangeRotation = this.linkRotations.subarray(9 * (joints.length - 1));
    this.flangeM = this.jointOriginsM.subarray(3 * (joints.length - 1));
    this.toolM = new Float64Array(3);
    this.#fixedOriginsM = new Float64Array(joints.flatMap((joint) => joint.originM));
    this.#fixedRotations = new Float64Array(9 * joints.length);
    this.#toolFlangeM = toolPointFlangeM;
    joints.forEach((joint, index) => {
      invariant(joint.axis[2] === 1, `axis of ${joint.name} is z`);
      rotationFromQuat(quatFromRpy(...joint.rpyRad), this.#fixedRotations.subarray(9 * index, 9 * index + 9));
    });
  }

  /**
   * Recomputes every frame for joint angles [rad], base to tool. Values that are not finite give frames that are not
   * finite. Error against the vendor's figures: below 1e-9 m.
   */
  update(positionRad: ArrayLike<number>): void {
    const { jointOriginsM: origins, linkRotations: rotations } = this;
    const before = this.#before;
    before.fill(0);
    before[0] = before[4] = before[8] = 1;
    const f = this.#fixedRotations;
    let x = 0;
    let y = 0;
    let z = 0;
    for (let joint = 0; joint < this.jointCount; joint++) {
      const o = 3 * joint;
      const m = 9 * joint;
      const dx = this.#fixedOriginsM[o]!;
      const dy = this.#fixedOriginsM[o + 1]!;
      const dz = this.#fixedOriginsM[o + 2]!;
      x += before[0]! * dx + before[1]! * dy + before[2]! * dz;
      y += before[3]! * dx + before[4]! * dy + before[5]! * dz;
      z += before[6]! * dx + before[7]! * dy + before[8]! * dz;
      const sin = Math.sin(positionRad[joint]!);
      const cos = Math.cos(positionRad[joint]!);
      for (let row = 0; row < 9; row += 3) {
        const a = before[row]!;
        const b = before[row + 1]!;
        const c = before[row + 2]!;
        const ex = a * f[m]! + b * f[m + 3]! + c * f[m + 6]!;
        const ey = a * f[m + 1]! + b * f[m + 4]! + c * f[m + 7]!;
        rotations[m + row] = ex * cos + ey * sin;
        rotations[m + row + 1] = ey * cos - ex * sin;
        rotations[m + row + 2] = a * f[m + 2]! + b * f[m + 5]! + c * f[m + 8]!;
      }
      for (let i = 0; i < 9; i++) before[i] = rotations[m + i]!;
      origins[o] = x;
      origins[o + 1] = y;
      origins[o + 2] = z;
      this.jointAxes[o] = rotations[m + 2]!;
      this.jointAxes[o + 1] = rotations[m + 5]!;
      this.jointAxes[o + 2] = rotations[m + 8]!;
    }
    const tx = this.#toolFlangeM[0];
    const ty = this.#toolFlangeM[1];
    const tz = this.#toolFlangeM[2];
    this.toolM[0] = x + before[0]! * tx + before[1]! * ty + before[2]! * tz;
    this.toolM[1] = y + before[3]! * tx + before[4]! * ty + before[5]! * tz;
    this.toolM[2] = z + before[6]! * tx + before[7]! * ty + before[8]! * tz;
  }

  /** Pose of the flange (link7) in the base frame for joint angles [rad]. */
  flangePose(positionRad: ArrayLike<number>, out: PoseBuffer): void {
    this.update(positionRad);
    out.positionM.set(this.flangeM);
    quatFromRotation(this.flangeRotation, out.quatXyzw);
  }

  /** Tool point in the base frame [m] for joint angles [rad]; `out` holds x y z. */
  toolPoint(positionRad: ArrayLike<number>, out: Float64Array): void {
    this.update(positionRad);
    out.set(this.toolM);
  }

  /**
   * Geometric Jacobian of the tool point at the angles of the last `update`, base frame.
   * @param out 6 x n, row-major: rows 0-2 [m/rad], rows 3-5 [rad/rad]
   */
  jacobian(out: Float64Array): void {
    const n = this.jointCount;
    for (let joint = 0; joint < n; joint++) {
      const o = 3 * joint;
      const ax = this.jointAxes[o]!;
      const ay = this.jointAxes[o + 1]!;
      const az = this.jointAxes[o + 2]!;
      const rx = this.toolM[0]! - this.jointOriginsM[o]!;
      const ry = this.toolM[1]! - this.jointOriginsM[o + 1]!;
      const rz = this.toolM[2]! - this.jointOriginsM[o + 2]!;
      out[joint] = ay * rz - az * ry;
      out[n + joint] = az * rx - ax * rz;
      out[2 * n + joint] = ax * ry - ay * rx;
      out[3 * n + joint] = ax;
      out[4 * n + joint] = ay;
      out[5 * n + joint] = az;
    }
  }
}

/** This thread's own chain of the xArm7 with its gripper's tool point. */
const xarm7 = new ArmChain();

/** Pose of the xArm7's flange in the base frame; allocates nothing. */
export const flangePose = (positionRad: ArrayLike<number>, out: PoseBuffer): void =>
  xarm7.flangePose(positionRad, out);

/** Tool point of the xArm7 with its gripper in the base frame [m]; allocates nothing. */
export const toolPoint = (positionRad: ArrayLike<number>, out: Float64Array): void =>
  xarm7.toolPoint(positionRad, out);
