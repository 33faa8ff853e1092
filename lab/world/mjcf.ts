/**
 * The simulated cell as MuJoCo XML, generated from the arm's and gripper's data: arm, gripper, table, red block, other
 * boxes and two cameras. Capsules, boxes and planes only, so that GPU engines load the same file; gravity compensation
 * stands in the XML because MuJoCo ignores it when set after compiling. Lengths in metres, angles in radians.
 */
import { type QuatXyzw, quatFromRpy, rotate } from "../../kinematics/pose.js";
import {
  CONTACT_EXCLUDES,
  type CollisionShape,
  type Inertial,
  type Joint,
  type Link,
  TOOL_POINT_FLANGE_M,
  XARM7_HOME_RAD,
  XARM7_JOINTS,
  XARM7_LINKS,
  XARM7_SERVOS,
} from "../../kinematics/xarm7.js";
import {
  DRIVE_JOINT,
  DRIVE_MAX_RAD,
  FINGER_PADS,
  GRIPPER_JOINTS,
  GRIPPER_LINKS,
  GRIPPER_SERVO,
} from "../../kinematics/xarmGripper.js";
import { type LabCamera, lookAt, toMujocoCamera } from "./mount.js";
import { BLOCK_HALF_M, DISTRACTOR_HALF_MAX_M, DISTRACTORS_MAX } from "./scene.js";

/** Table top: x from -0.15 to 0.95, y ±0.6, z 0. */
export const TABLE_CENTRE_M = [0.4, 0] as const;
export const TABLE_HALF_M = [0.55, 0.6, 0.02] as const;
export const FLOOR_Z_M = -0.75;
export const FLOOR_HALF_M = 6;

/** The camera for pictures of the whole cell. */
export const SCENE_CAMERA = { ...lookAt([1.3, -1.0, 0.85], [0.3, 0.0, 0.27]), fovYDeg: 42 };

/** Unused boxes wait here, out of every picture, floating. */
export const parkingM = (index: number): readonly [number, number, number] => [-3 - 0.3 * index, 0, -5];

const LIGHT_GREY = "0.86 0.87 0.88 1";
const DARK_GREY = "0.23 0.24 0.26 1";
const JOINT_GREY = "0.34 0.35 0.37 1";
const BLACK = "0.11 0.11 0.12 1";
const CONTACT = 'friction="1 0.05 0.001" condim="4"';

type Numbers = ArrayLike<number>;
const text = (numbers: Numbers): string => Array.from(numbers, (n) => String(n)).join(" ");
const wxyz = ([x, y, z, w]: QuatXyzw): string => text([w, x, y, z]);

export function worldMjcf(camera: LabCamera, physicsStepMs = 2): string {
  return `<mujoco model="xarm7_cell">
<compiler angle="radian" autolimits="true"/>
<option timestep="${physicsStepMs / 1000}" integrator="implicitfast" jacobian="sparse"/>
<size memory="4M"/>
<default>
<default class="show"><geom contype="0" conaffinity="0" group="1" mass="0"/></default>
<default class="pad"><geom type="box" ${CONTACT} solref="0.004 1" solimp="0.95 0.99 0.001" priority="1"/></default>
</default>
<worldbody>
${armXml(camera)}
${furnitureXml()}
${boxesXml()}
<camera name="scene" pos="${text(SCENE_CAMERA.positionM)}" quat="${wxyz(toMujocoCamera(SCENE_CAMERA.quatXyzw))}" fovy="${SCENE_CAMERA.fovYDeg}"/>
</worldbody>
<contact>
${CONTACT_EXCLUDES.map(([a, b]) => `<exclude body1="${a}" body2="${b}"/>`).join("\n")}
</contact>
<equality>
${GRIPPER_JOINTS.filter((joint) => joint.follows !== undefined)
  .map(
    (joint) =>
      `<joint joint1="${joint.name}" joint2="${joint.follows}" polycoef="0 ${joint.multiplier} 0 0 0" solref="0.005 1"/>`,
  )
  .join("\n")}
</equality>
<actuator>
${XARM7_JOINTS.map(armServoXml).join("\n")}
<position name="gripper" joint="${DRIVE_JOINT}" kp="${GRIPPER_SERVO.stiffnessNmPerRad}" kv="${GRIPPER_SERVO.velocityGainNmSPerRad}" ctrlrange="0 ${DRIVE_MAX_RAD}" forcerange="${-GRIPPER_SERVO.effortMaxNm} ${GRIPPER_SERVO.effortMaxNm}"/>
</actuator>
</mujoco>
`;
}

/** Angles that the world starts with, base to tool. */
export const START_POSITION_RAD = XARM7_HOME_RAD;

function armXml(camera: LabCamera): string {
  const [base, ...links] = XARM7_LINKS;
  const open: string[] = [
    bodyOpenXml(base!, "0 0 0", "1 0 0 0"),
    geomsXml(base!, LIGHT_GREY),
    decorationXml(base!.name),
  ];
  links.forEach((link, index) => {
    const joint = XARM7_JOINTS[index]!;
    open.push(bodyOpenXml(link, text(joint.originM), wxyz(quatFromRpy(...joint.rpyRad))));
    open.push(armJointXml(joint, index), geomsXml(link, link.name === "link7" ? DARK_GREY : LIGHT_GREY));
    open.push(decorationXml(link.name));
  });
  return [...open, wristCameraXml(camera), gripperXml(), "</body>".repeat(XARM7_LINKS.length)].join("\n");
}

function gripperXml(): string {
  const byName = new Map(GRIPPER_LINKS.map((link) => [link.name, link]));
  const colour = (name: string) => (name === "gripper_base" ? DARK_GREY : BLACK);
  const body = (name: string, joint: (typeof GRIPPER_JOINTS)[number] | undefined): string => {
    const link = byName.get(name)!;
    const pads = FINGER_PADS.filter((pad) => pad.link === name).map(
      (pad) =>
        `<geom name="${pad.side}_pad" class="pad" pos="${text(pad.centreM)}" size="${text(pad.halfSizeM)}" rgba="0.18 0.19 0.2 1"/>`,
    );
    const children = GRIPPER_JOINTS.filter((child) => child.parent === name).map((child) =>
      body(child.child, child),
    );
    return [
      bodyOpenXml(link, text(joint?.originM ?? [0, 0, 0]), "1 0 0 0"),
      joint === undefined ? "" : gripperJointXml(joint),
      geomsXml(link, colour(name), name.endsWith("inner_knuckle") ? "show" : undefined),
      ...pads,
      ...children,
      "</body>",
    ].join("\n");
  };
  return body("gripper_base", undefined).replace(
    /<\/body>$/,
    `<site name="tool" pos="${text(TOOL_POINT_FLANGE_M)}" size="0.004" rgba="0 0 0 0"/>\n</body>`,
  );
}

/** The camera, and its housing behind the lens so that it does not look at itself. */
function wristCameraXml({ positionM, quatXyzw, fovYDeg }: LabCamera): string {
  const [x, y, z] = rotate(quatXyzw, [0, 0, -0.017]);
  const housingM = [positionM[0] + x, positionM[1] + y, positionM[2] + z];
  return [
    `<camera name="wrist" pos="${text(positionM)}" quat="${wxyz(toMujocoCamera(quatXyzw))}" fovy="${fovYDeg}"/>`,
    `<geom name="wrist_housing" class="show" type="box" pos="${text(housingM)}" quat="${wxyz(quatXyzw)}" size="0.045 0.0125 0.0125" rgba="0.75 0.76 0.78 1"/>`,
    `<geom class="show" type="box" pos="${text([positionM[0] / 2, 0, 0.008])}" size="${text([Math.max(0.005, Math.abs(positionM[0]) / 2), 0.02, 0.003])}" rgba="${BLACK}"/>`,
  ].join("\n");
}

const inertialXml = ({ massKg, centreOfMassM, inertiaKgM2 }: Inertial): string =>
  `<inertial mass="${massKg}" pos="${text(centreOfMassM)}" fullinertia="${text(inertiaKgM2)}"/>`;

const bodyOpenXml = (link: Link, pos: string, quat: string): string =>
  `<body name="${link.name}" pos="${pos}" quat="${quat}" gravcomp="1">${inertialXml(link.inertial)}`;

const geomsXml = (link: Link, rgba: string, geomClass?: string): string =>
  link.shapes.map((shape) => shapeXml(shape, rgba, geomClass)).join("\n");

function shapeXml(shape: CollisionShape, rgba: string, geomClass?: string): string {
  const head = geomClass === undefined ? "<geom" : `<geom class="${geomClass}"`;
  return shape.kind === "capsule"
    ? `${head} type="capsule" fromto="${text([...shape.fromM, ...shape.toM])}" size="${shape.radiusM}" rgba="${rgba}"/>`
    : `${head} type="box" pos="${text(shape.centreM)}" size="${text(shape.halfSizeM)}" rgba="${rgba}"/>`;
}

function armJointXml(joint: Joint, index: number): string {
  const servo = XARM7_SERVOS[index]!;
  return `<joint name="${joint.name}" axis="${text(joint.axis)}" range="${joint.positionMinRad} ${joint.positionMaxRad}" damping="${servo.dampingNmSPerRad}" armature="${servo.armatureKgM2}" frictionloss="${servo.frictionLossNm}"/>`;
}

function armServoXml(joint: Joint, index: number): string {
  const servo = XARM7_SERVOS[index]!;
  return `<position name="${joint.name}" joint="${joint.name}" kp="${servo.stiffnessNmPerRad}" kv="${servo.velocityGainNmSPerRad}" ctrlrange="${joint.positionMinRad} ${joint.positionMaxRad}" forcerange="${-servo.effortMaxNm} ${servo.effortMaxNm}"/>`;
}

/** Followers have a little room beyond the drive's range, so that two constraints never fight at its ends. */
function gripperJointXml(joint: (typeof GRIPPER_JOINTS)[number]): string {
  const drive = joint.follows === undefined;
  const range = drive ? `0 ${DRIVE_MAX_RAD}` : `-0.05 ${DRIVE_MAX_RAD + 0.05}`;
  const dynamics = drive
    ? `armature="${GRIPPER_SERVO.armatureKgM2}" damping="${GRIPPER_SERVO.dampingNmSPerRad}"`
    : `armature="0.001" damping="0.01"`;
  return `<joint name="${joint.name}" axis="${text(joint.axis)}" range="${range}" ${dynamics}/>`;
}

function furnitureXml(): string {
  const [x, y] = TABLE_CENTRE_M;
  const [hx, hy, hz] = TABLE_HALF_M;
  const legHalfM = (-FLOOR_Z_M - 2 * hz) / 2;
  const legs = [-1, 1].flatMap((sx) =>
    [-1, 1].map(
      (sy) =>
        `<geom class="show" type="box" pos="${text([x + sx * (hx - 0.05), y + sy * (hy - 0.05), -2 * hz - legHalfM])}" size="${text([0.025, 0.025, legHalfM])}" rgba="${DARK_GREY}"/>`,
    ),
  );
  return [
    `<geom name="floor" type="plane" pos="0 0 ${FLOOR_Z_M}" size="${FLOOR_HALF_M} ${FLOOR_HALF_M} 0.1" rgba="0.33 0.34 0.36 1"/>`,
    `<geom name="table" type="box" pos="${text([x, y, -hz])}" size="${text(TABLE_HALF_M)}" rgba="0.55 0.52 0.48 1" ${CONTACT}/>`,
    ...legs,
  ].join("\n");
}

function boxesXml(): string {
  const half = DISTRACTOR_HALF_MAX_M;
  const distractors = Array.from(
    { length: DISTRACTORS_MAX },
    (_, index) =>
      `<body name="distractor${index}" pos="${text(parkingM(index))}" gravcomp="1"><freejoint/><geom name="distractor${index}" type="box" size="${half} ${half} ${half}" mass="0.05" rgba="0.1 0.2 0.85 1" ${CONTACT}/></body>`,
  );
  const size = text([BLOCK_HALF_M, BLOCK_HALF_M, BLOCK_HALF_M]);
  return [
    `<body name="block" pos="0.45 0 ${BLOCK_HALF_M}"><freejoint/><geom name="block" type="box" size="${size}" mass="0.05" rgba="0.85 0.08 0.08 1" ${CONTACT}/></body>`,
    ...distractors,
  ].join("\n");
}

/** Dark joint covers and the foot: for show only, they neither collide nor weigh. */
function decorationXml(link: string): string {
  const cap = (axisM: number, radiusM: number, offsetM = 0) =>
    `<geom class="show" type="capsule" fromto="0 0 ${offsetM - axisM} 0 0 ${offsetM + axisM}" size="${radiusM}" rgba="${JOINT_GREY}"/>`;
  switch (link) {
    case "link_base":
      return [
        `<geom class="show" type="box" pos="0 0 0.008" size="0.085 0.085 0.008" rgba="${DARK_GREY}"/>`,
        `<geom class="show" type="capsule" fromto="0 0 0.02 0 0 0.06" size="0.066" rgba="${LIGHT_GREY}"/>`,
      ].join("\n");
    case "link1":
      return cap(0.004, 0.0575, -0.115);
    case "link2":
      return cap(0.03, 0.042);
    case "link3":
      return cap(0.004, 0.0515, -0.05);
    case "link4":
      return cap(0.027, 0.038);
    case "link5":
      return cap(0.004, 0.0435, -0.105);
    case "link6":
      return cap(0.026, 0.032);
    default:
      return "";
  }
}

/** Rotation of a box that stands upright, turned about z. */
export const uprightQuat = (yawRad: number): QuatXyzw => quatFromRpy(0, 0, yawRad);
