/**
 * URDF text of the arm with its gripper and, when asked for, the cameras fixed to it, written from the tables in
 * `xarm7.ts` and `xarmGripper.ts`: what `robot_description` publishes. Geometry is the collision shapes; a capsule,
 * which URDF lacks, becomes a cylinder with a ball at each end.
 */
import { type Pose, rpyFromQuat } from "./pose.js";
import {
  type CollisionShape,
  type Inertial,
  type Joint,
  type Link,
  TOOL_POINT_FLANGE_M,
  type Vector3,
  XARM7_FLANGE_LINK,
  XARM7_JOINTS,
  XARM7_LINKS,
} from "./xarm7.js";
import { GRIPPER_JOINTS, GRIPPER_LINKS, type GripperJoint } from "./xarmGripper.js";

export interface CameraMount {
  /** Name of the camera; its frames are `<name>_link` and `<name>_color_optical_frame`. */
  readonly name: string;
  /** The link that carries it, without any prefix: an arm's flange or base, a hand's palm. */
  readonly link: string;
  /** The colour optical frame (z forward, x right, y down) in that link. */
  readonly poseParentOptical: Pose;
}

export interface UrdfOptions {
  readonly robotName?: string;
  readonly gripper?: boolean;
  readonly cameras?: readonly CameraMount[];
  /** Put before every link name, e.g. "left_", so that several robots share one tf tree; a camera's name has none. */
  readonly framePrefix?: string;
}

/** A link-to-link transform that never changes. */
export interface FixedFrame {
  readonly parent: string;
  readonly child: string;
  readonly positionM: Vector3;
  readonly rpyRad: Vector3;
}

export const opticalFrame = (camera: string): string => `${camera}_color_optical_frame`;

/** Everything fixed to the arm: the gripper's base, the tool point and the cameras' optical frames. */
export function fixedFrames({ gripper = true, cameras = [] }: UrdfOptions = {}): FixedFrame[] {
  const still: Vector3 = [0, 0, 0];
  const frames: FixedFrame[] = [];
  if (gripper) {
    frames.push({ parent: XARM7_FLANGE_LINK, child: "gripper_base", positionM: still, rpyRad: still });
    frames.push({ parent: "gripper_base", child: "link_tcp", positionM: TOOL_POINT_FLANGE_M, rpyRad: still });
  }
  frames.push(...cameraFrames(cameras));
  return frames;
}

/** Optical frames of cameras in the link that carries them. */
export const cameraFrames = (cameras: readonly CameraMount[]): FixedFrame[] =>
  cameras.map(({ name, link, poseParentOptical: { positionM, quatXyzw } }) => ({
    parent: link,
    child: opticalFrame(name),
    positionM,
    rpyRad: rpyFromQuat(quatXyzw),
  }));

export function urdf(options: UrdfOptions = {}): string {
  const prefix = options.framePrefix ?? "";
  const joints: readonly Joint[] =
    (options.gripper ?? true) ? [...XARM7_JOINTS, ...GRIPPER_JOINTS] : XARM7_JOINTS;
  const links = (options.gripper ?? true) ? [...XARM7_LINKS, ...GRIPPER_LINKS] : XARM7_LINKS;
  const cameras = cameraFrames(options.cameras ?? []);
  const fixed = fixedFrames({ ...options, cameras: [] });
  const bare = fixed.map((frame) => frame.child).filter((name) => !links.some((link) => link.name === name));
  return [
    '<?xml version="1.0"?>',
    `<robot name="${escapeXml(options.robotName ?? "xarm7")}">`,
    ...links.map((link) => linkXml(link, prefix)),
    ...bare.map((name) => `  <link name="${escapeXml(prefix + name)}"/>`),
    ...joints.map((joint) => jointXml(joint, prefix)),
    ...fixed.map((frame) => fixedXml(frame, prefix)),
    ...cameraXml(cameras, prefix),
    "</robot>",
    "",
  ].join("\n");
}

export const linkXml = ({ name, inertial, shapes }: Link, prefix: string): string =>
  linkOfSolids(name, inertial, shapes.flatMap(primitives), prefix);

/** @param solids origin and geometry elements, as `solid` writes them */
export function linkOfSolids(
  name: string,
  inertial: Inertial,
  solids: readonly string[],
  prefix: string,
): string {
  const [ixx, iyy, izz, ixy, ixz, iyz] = inertial.inertiaKgM2;
  return [
    `  <link name="${escapeXml(prefix + name)}">`,
    "    <inertial>",
    `      <origin xyz="${numbers(inertial.centreOfMassM)}" rpy="0 0 0"/>`,
    `      <mass value="${inertial.massKg}"/>`,
    `      <inertia ixx="${ixx}" iyy="${iyy}" izz="${izz}" ixy="${ixy}" ixz="${ixz}" iyz="${iyz}"/>`,
    "    </inertial>",
    ...solids.map((solid) => `    <visual>${solid}</visual>`),
    ...solids.map((solid) => `    <collision>${solid}</collision>`),
    "  </link>",
  ].join("\n");
}

export function jointXml(joint: Joint, prefix: string): string {
  const follows = (joint as GripperJoint).follows;
  const mimic =
    follows === undefined
      ? []
      : [`    <mimic joint="${follows}" multiplier="${(joint as GripperJoint).multiplier}" offset="0"/>`];
  return [
    `  <joint name="${joint.name}" type="revolute">`,
    `    <parent link="${escapeXml(prefix + joint.parent)}"/>`,
    `    <child link="${escapeXml(prefix + joint.child)}"/>`,
    `    <origin xyz="${numbers(joint.originM)}" rpy="${numbers(joint.rpyRad)}"/>`,
    `    <axis xyz="${numbers(joint.axis)}"/>`,
    `    <limit lower="${joint.positionMinRad}" upper="${joint.positionMaxRad}" effort="${joint.effortMaxNm}" velocity="${joint.velocityMaxRadPerS}"/>`,
    `    <dynamics damping="${joint.dampingNmSPerRad}" friction="${joint.frictionNm}"/>`,
    ...mimic,
    "  </joint>",
  ].join("\n");
}

/** Links and joints of cameras, whose names are their own in the whole cell. */
export const cameraXml = (frames: readonly FixedFrame[], prefix: string): string[] => [
  ...frames.map(({ child }) => `  <link name="${escapeXml(child)}"/>`),
  ...frames.map((frame) => fixedXml(frame, prefix, "")),
];

export const fixedXml = (
  { parent, child, positionM, rpyRad }: FixedFrame,
  prefix: string,
  childPrefix = prefix,
): string =>
  [
    `  <joint name="${escapeXml(child)}_joint" type="fixed">`,
    `    <parent link="${escapeXml(prefix + parent)}"/>`,
    `    <child link="${escapeXml(childPrefix + child)}"/>`,
    `    <origin xyz="${numbers(positionM)}" rpy="${numbers(rpyRad)}"/>`,
    "  </joint>",
  ].join("\n");

/** Origin and geometry elements of one shape; a capsule gives three. */
export function primitives(shape: CollisionShape): string[] {
  if (shape.kind === "box") {
    return [
      solid(shape.centreM, [0, 0, 0], `<box size="${numbers(shape.halfSizeM.map((half) => 2 * half))}"/>`),
    ];
  }
  const { fromM, toM, radiusM } = shape;
  const along = toM.map((value, axis) => value - fromM[axis]!) as unknown as Vector3;
  const lengthM = Math.hypot(...along);
  const middleM = toM.map((value, axis) => (value + fromM[axis]!) / 2) as unknown as Vector3;
  // The cylinder's z axis turned onto `along`: first pitch about y, then yaw about z.
  const rpyRad: Vector3 = [
    0,
    Math.atan2(Math.hypot(along[0], along[1]), along[2]),
    Math.atan2(along[1], along[0]),
  ];
  const ball = `<sphere radius="${radiusM}"/>`;
  return [
    solid(middleM, rpyRad, `<cylinder radius="${radiusM}" length="${decimal(lengthM)}"/>`),
    solid(fromM, [0, 0, 0], ball),
    solid(toM, [0, 0, 0], ball),
  ];
}

export const solid = (positionM: Vector3, rpyRad: Vector3, geometry: string): string =>
  `<origin xyz="${numbers(positionM)}" rpy="${numbers(rpyRad)}"/><geometry>${geometry}</geometry>`;

export const numbers = (values: readonly number[]): string => values.map(decimal).join(" ");

/** 12 significant digits, without the noise of binary fractions and without -0. */
const decimal = (value: number): string => String(Number(value.toPrecision(12)) + 0);

export const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
