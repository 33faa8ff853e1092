/** The arm and its gripper as MuJoCo XML, generated from their data. */
import { quatFromRpy } from "../../kinematics/pose.js";
import {
  type CollisionShape,
  type Inertial,
  type Joint,
  type Link,
  TOOL_POINT_FLANGE_M,
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
import { BLACK, DARK_GREY, JOINT_GREY, LIGHT_GREY, text, wxyz } from "./mjcfText.js";

export const GRIPPER_BODIES: readonly string[] = GRIPPER_LINKS.map(({ name }) => name);

/** @param onFlange whatever the last link carries */
export function armXml(onFlange: string): string {
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
  return [...open, onFlange, "</body>".repeat(XARM7_LINKS.length)].join("\n");
}

export function gripperXml(): string {
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

export const armServosXml = (): string => XARM7_JOINTS.map(armServoXml).join("\n");

export const gripperServoXml = (): string =>
  `<position name="gripper" joint="${DRIVE_JOINT}" kp="${GRIPPER_SERVO.stiffnessNmPerRad}" kv="${GRIPPER_SERVO.velocityGainNmSPerRad}" ctrlrange="0 ${DRIVE_MAX_RAD}" forcerange="${-GRIPPER_SERVO.effortMaxNm} ${GRIPPER_SERVO.effortMaxNm}"/>`;

export const gripperEqualitiesXml = (): string =>
  GRIPPER_JOINTS.filter((joint) => joint.follows !== undefined)
    .map(
      (joint) =>
        `<joint joint1="${joint.name}" joint2="${joint.follows}" polycoef="0 ${joint.multiplier} 0 0 0" solref="0.005 1"/>`,
    )
    .join("\n");

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
