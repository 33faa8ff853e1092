/**
 * A simulated cell as MuJoCo XML, generated from its parts: arm, gripper, hand, table, what lies about, and cameras.
 * Capsules, boxes, spheres and planes only, so that GPU engines load the same file; gravity compensation stands in the
 * XML because MuJoCo ignores it when set after compiling. Lengths in metres, angles in radians.
 */
import { torqueMaxOf } from "../../drivers/allegro/protocol/index.js";
import { rotate } from "../../kinematics/pose.js";
import { CONTACT_EXCLUDES, XARM7_HOME_RAD } from "../../kinematics/xarm7.js";
import { type HandXml, handXml } from "../allegro/mjcf.js";
import {
  armServosXml,
  armXml,
  GRIPPER_BODIES,
  gripperEqualitiesXml,
  gripperServoXml,
  gripperXml,
} from "./armMjcf.js";
import { BLACK, CONTACT, text, wxyz } from "./mjcfText.js";
import { type LabCamera, lookAt, toMujocoCamera } from "./mount.js";
import type { WorldParts } from "./parts.js";
import { furnitureXml, objectXml, STAND_TABLE, standXml, TABLE } from "./propsMjcf.js";
import { tableOf } from "./tables.js";

/** The cameras for pictures of the whole cell. */
const ARM_SCENE_CAMERA = { ...lookAt([1.3, -1.0, 0.85], [0.3, 0.0, 0.27]), fovYDeg: 42 };
const STAND_SCENE_CAMERA = { ...lookAt([0.42, -0.4, 0.5], [0.03, 0.0, 0.13]), fovYDeg: 36 };
export const sceneCameraOf = ({ arm }: Pick<WorldParts, "arm">) =>
  arm === undefined ? STAND_SCENE_CAMERA : ARM_SCENE_CAMERA;

/** Before the names of everything in a hand: an arm has joints of the same names. */
export const HAND_PREFIX = "hand_";

/** Angles that the world's arm starts with, base to tool. */
export const START_POSITION_RAD = XARM7_HOME_RAD;

export function worldMjcf(parts: WorldParts, physicsStepMs = 2): string {
  const { arm } = parts;
  const hand = handOf(parts);
  const scene = sceneCameraOf(parts);
  const table = arm === undefined ? STAND_TABLE : TABLE;
  const onStand = parts.hand?.on === "stand" ? [standXml(parts.hand), hand.body] : [];
  return `<mujoco model="${modelName(parts)}">
<compiler angle="radian" autolimits="true"/>
<option timestep="${physicsStepMs / 1000}" integrator="implicitfast" ${solverXml(parts)}
<size memory="4M"/>
<default>
<default class="show"><geom contype="0" conaffinity="0" group="1" mass="0"/></default>
<default class="pad"><geom type="box" ${CONTACT} solref="0.004 1" solimp="0.95 0.99 0.001" priority="1"/></default>
</default>
<worldbody>
${[...(arm === undefined ? [] : [armXml(flangeXml(parts, hand))]), ...onStand].join("\n")}
${furnitureXml(table)}
${parts.props === "palm" ? objectXml() : tableOf(parts.props).xml()}
<camera name="scene" pos="${text(scene.positionM)}" quat="${wxyz(toMujocoCamera(scene.quatXyzw))}" fovy="${scene.fovYDeg}"/>
</worldbody>
<contact>
${contactXml(parts, hand)}
</contact>
<equality>
${arm?.gripper ? gripperEqualitiesXml() : ""}
</equality>
<actuator>
${[...(arm === undefined ? [] : [armServosXml()]), ...(arm?.gripper ? [gripperServoXml()] : []), ...(parts.hand === undefined ? [] : [hand.actuator])].join("\n")}
</actuator>
</mujoco>
`;
}

const modelName = ({ arm, hand }: WorldParts): string =>
  [
    arm === undefined ? "" : "xarm7_",
    hand === undefined ? "" : `allegro_${hand.model}_${hand.side}_`,
    "cell",
  ].join("");

/**
 * Fingers hold things by friction, which elliptic cones with stiff sides do without creeping. The bounding boxes of the
 * middle phase are of shapes that never change: the object's do.
 */
function solverXml({ hand, props }: WorldParts): string {
  const isHolding = hand !== undefined || (props !== "palm" && tableOf(props).solver === "holding");
  return isHolding
    ? `cone="elliptic" impratio="10"><flag midphase="disable"/></option>`
    : `jacobian="sparse"/>`;
}

const NO_HAND: HandXml = { body: "", contact: "", actuator: "" };

function handOf({ hand }: WorldParts): HandXml {
  if (hand === undefined) return NO_HAND;
  const { model, side, positionM, quatXyzw, on } = hand;
  return handXml({
    model,
    side,
    torqueMaxNm: torqueMaxOf(model),
    palm: { positionM, quatXyzw },
    prefix: HAND_PREFIX,
    weightIsCarried: on === "flange",
  });
}

/** What the last link of the arm carries. */
function flangeXml({ arm, hand, camera }: WorldParts, handXml: HandXml): string {
  return [
    ...(camera.parentFrame === "flange" ? [flangeCameraXml(camera)] : []),
    arm?.gripper ? gripperXml() : `<site name="tool" pos="0 0 0" size="0.004" rgba="0 0 0 0"/>`,
    ...(hand?.on === "flange" ? [handXml.body] : []),
  ].join("\n");
}

/** The camera, and its housing behind the lens so that it does not look at itself. */
function flangeCameraXml({ positionM, quatXyzw, fovYDeg }: LabCamera): string {
  const [x, y, z] = rotate(quatXyzw, [0, 0, -0.017]);
  const housingM = [positionM[0] + x, positionM[1] + y, positionM[2] + z];
  return [
    `<camera name="wrist" pos="${text(positionM)}" quat="${wxyz(toMujocoCamera(quatXyzw))}" fovy="${fovYDeg}"/>`,
    `<geom name="wrist_housing" class="show" type="box" pos="${text(housingM)}" quat="${wxyz(quatXyzw)}" size="0.045 0.0125 0.0125" rgba="0.75 0.76 0.78 1"/>`,
    `<geom class="show" type="box" pos="${text([positionM[0] / 2, 0, 0.008])}" size="${text([Math.max(0.005, Math.abs(positionM[0]) / 2), 0.02, 0.003])}" rgba="${BLACK}"/>`,
  ].join("\n");
}

/** The arm's own pairs, the table's and the hand's; a pair with a gripper that is not there goes. */
function contactXml({ arm, hand, props }: WorldParts, { contact }: HandXml): string {
  const isThere = (body: string): boolean =>
    arm !== undefined && (arm.gripper || !GRIPPER_BODIES.includes(body));
  const pairs = CONTACT_EXCLUDES.filter((pair) => pair.every(isThere));
  const wrist =
    hand?.on === "flange" ? ["link5", "link6"].map((link) => [link, `${HAND_PREFIX}palm`] as const) : [];
  const apart = props === "palm" ? [] : tableOf(props).apart;
  return [
    ...[...pairs, ...wrist, ...apart].map(([a, b]) => `<exclude body1="${a}" body2="${b}"/>`),
    ...(hand === undefined ? [] : [contact]),
  ].join("\n");
}
