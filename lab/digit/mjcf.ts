/**
 * Digit on its ground as MuJoCo XML, written from the tables in `kinematics/digit`: a floating torso, legs whose rods close
 * six loops, leaf springs, twenty motors. Capsules, boxes, spheres and planes only. Metres, radians, kilograms.
 */
import {
  DIGIT_BODIES,
  DIGIT_LOOPS,
  type DigitBody,
  type DigitJoint,
  type DigitSolid,
  digitBody,
} from "../../kinematics/digit/bodies.js";
import { FOOT } from "../../kinematics/digit/leftShapes.js";
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import type { QuatXyzw } from "../../kinematics/pose.js";
import { DARK_GREY, JOINT_GREY, LIGHT_GREY, text, wxyz } from "../world/mjcfText.js";
import { type DigitLoad, type DigitScene, groundBoxes } from "./scenes.js";

export const GRAVITY_M_PER_S2 = 9.806;

/** Who collides with whom: the ground with everything, legs with the other leg, forearms with torso and legs. */
const GROUND_BIT = 1;
const [LEFT_LEG_BIT, RIGHT_LEG_BIT, ARM_BIT, TORSO_BIT, LOAD_BIT] = [2, 4, 8, 16, 32];
const NOTHING = 'contype="0" conaffinity="0"';
const touches = (own: number, others: number): string =>
  `contype="${own}" conaffinity="${GROUND_BIT | others}"`;

/** First row whose text the body's name contains. */
const COLLISIONS: readonly (readonly [part: string, bits: string])[] = [
  ["_rod", NOTHING],
  ["shoulder_pitch", touches(ARM_BIT, 0)],
  ["shoulder_yaw", touches(ARM_BIT, LEFT_LEG_BIT | RIGHT_LEG_BIT | TORSO_BIT)],
  ["elbow", touches(ARM_BIT, LEFT_LEG_BIT | RIGHT_LEG_BIT | TORSO_BIT)],
  ["left_", touches(LEFT_LEG_BIT, 0)],
  ["right_", touches(RIGHT_LEG_BIT, LEFT_LEG_BIT)],
  ["base", touches(TORSO_BIT, 0)],
];

/**
 * Rods are steel: their ends stay within 0.03 mm of their anchors. MuJoCo's softer default lets a foot turn by half a degree
 * and more under the robot's weight, so that what stands falls over.
 */
const LOOP_SOLVER = 'solref="0.003 1" solimp="0.999 0.9999 0.001"';

export const footSite = (side: "left" | "right"): string => `${side}_foot`;
export const BAG_JOINT = "bag";

export function digitMjcf(scene: DigitScene, stepMs: number): string {
  return `<mujoco model="digit">
<compiler angle="radian" autolimits="true"/>
<option timestep="${stepMs / 1000}" gravity="0 0 ${-GRAVITY_M_PER_S2}" integrator="implicitfast" cone="elliptic" iterations="20" ls_iterations="20"/>
<size memory="4M"/>
<worldbody>
${groundXml(scene)}
${bodyXml(DIGIT_BODIES[0]!, scene.load)}
</worldbody>
<equality>
${DIGIT_LOOPS.map(({ rod, body, anchorM }) => `<connect name="${rod}" body1="${body}" body2="${rod}" anchor="${text(anchorM)}" ${LOOP_SOLVER}/>`).join("\n")}
</equality>
<actuator>
${DIGIT_MOTORS.map(({ name, torqueMaxNm }) => `<general name="${name}" joint="${name}" gainprm="1" biastype="affine" biasprm="0 0 0" forcerange="${-torqueMaxNm} ${torqueMaxNm}"/>`).join("\n")}
</actuator>
<sensor>
<touch name="left_foot" site="left_foot"/>
<touch name="right_foot" site="right_foot"/>
</sensor>
</mujoco>
`;
}

function groundXml({ ground, friction }: DigitScene): string {
  const surface = `contype="${GROUND_BIT}" conaffinity="0" priority="1" friction="${friction} 0.01 0.001"`;
  const tiltRad = ground.kind === "slope" ? -Math.atan(ground.grade) : 0;
  const tilt: QuatXyzw = [0, Math.sin(tiltRad / 2), 0, Math.cos(tiltRad / 2)];
  return [
    `<geom name="ground" type="plane" size="0 0 1" quat="${wxyz(tilt)}" rgba="${LIGHT_GREY}" ${surface}/>`,
    ...groundBoxes(ground).map(
      ({ positionM, halfSizeM }) =>
        `<geom type="box" pos="${text(positionM)}" size="${text(halfSizeM)}" rgba="${LIGHT_GREY}" ${surface}/>`,
    ),
  ].join("\n");
}

function bodyXml(body: DigitBody, load: DigitLoad | undefined): string {
  const { name, positionM, quatXyzw, joint, inertial, solids } = body;
  const bits = COLLISIONS.find(([part]) => name.includes(part))![1];
  const isFoot = name.endsWith(FOOT);
  return [
    `<body name="${name}" pos="${text(positionM)}" quat="${wxyz(quatXyzw)}">`,
    `<inertial pos="${text(inertial.centreOfMassM)}" mass="${inertial.massKg}" fullinertia="${text(inertial.inertiaKgM2)}"/>`,
    joint === undefined ? `<freejoint name="${name}"/>` : jointXml(name, joint),
    ...solids.map((solid) => `<geom ${solidXml(solid)} rgba="${colourOf(name)}" ${bits}/>`),
    ...(isFoot ? solids.map((solid) => soleXml(name.startsWith("left") ? "left" : "right", solid)) : []),
    ...loadXml(name, load),
    ...DIGIT_BODIES.filter(({ parent }) => parent === name).map((child) => bodyXml(child, load)),
    "</body>",
  ].join("\n");
}

const colourOf = (name: string): string =>
  name === "base" ? DARK_GREY : name.includes("_rod") ? JOINT_GREY : LIGHT_GREY;

function jointXml(name: string, joint: DigitJoint): string {
  if (joint.kind === "ball") return `<joint name="${name}" type="ball" damping="${joint.dampingNmSPerRad}"/>`;
  const { axisZ, rangeRad, dampingNmSPerRad, stiffnessNmPerRad, frictionNm, armatureKgM2 } = joint;
  const range = rangeRad === undefined ? "" : ` range="${text(rangeRad)}"`;
  return `<joint name="${name}" axis="0 0 ${axisZ}"${range} damping="${dampingNmSPerRad}" stiffness="${stiffnessNmPerRad}" frictionloss="${frictionNm}" armature="${armatureKgM2}"/>`;
}

function solidXml(solid: DigitSolid): string {
  const at = `pos="${text(solid.positionM)}" quat="${wxyz(solid.quatXyzw)}"`;
  if (solid.kind === "box") return `type="box" ${at} size="${text(solid.halfSizeM)}"`;
  if (solid.halfLengthM === 0) return `type="sphere" ${at} size="${solid.radiusM}"`;
  return `type="capsule" ${at} size="${solid.radiusM} ${solid.halfLengthM}"`;
}

/** Feels what presses on the sole: a little larger than the sole, so that contacts are inside. */
function soleXml(side: "left" | "right", solid: DigitSolid): string {
  if (solid.kind !== "box") return "";
  const size = solid.halfSizeM.map((half) => half + 0.01);
  return `<site name="${footSite(side)}" type="box" pos="${text(solid.positionM)}" quat="${wxyz(solid.quatXyzw)}" size="${text(size)}" rgba="0 0 0 0"/>`;
}

/** A bag's strap is so long; its middle hangs so far below the forearm's end [m]. */
const STRAP_M = 0.35;
const BACKPACK = { positionM: [-0.17, 0, 0.24], halfSizeM: [0.075, 0.13, 0.19] } as const;

function loadXml(body: string, load: DigitLoad | undefined): string[] {
  if (load?.kind === "backpack" && body === "base") {
    return [
      `<body name="backpack" pos="${text(BACKPACK.positionM)}"><geom type="box" size="${text(BACKPACK.halfSizeM)}" mass="${load.massKg}" rgba="${JOINT_GREY}" ${touches(LOAD_BIT, 0)}/></body>`,
    ];
  }
  if (load?.kind === "bag" && body === `${load.arm}_elbow`) {
    const endM = digitBody(body).solids.at(-1)!.positionM;
    return [
      `<body name="bag" pos="${text(endM)}"><joint name="${BAG_JOINT}" type="ball" damping="0.05"/><geom type="sphere" pos="0 0 ${-STRAP_M}" size="0.1" mass="${load.massKg}" rgba="${JOINT_GREY}" ${touches(LOAD_BIT, 0)}/></body>`,
    ];
  }
  return [];
}
