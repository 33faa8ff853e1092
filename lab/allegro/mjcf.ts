/**
 * An Allegro Hand as MuJoCo XML, generated from tables: the hand alone on a stand, or its parts for a larger scene. Boxes,
 * capsules and spheres only, so that GPU engines load the same file; motors take torques [N m]. Lengths in metres, angles
 * in radians.
 */
import { type FingerGeometry, geometryOf, TIP_RADIUS_M } from "../../kinematics/allegro/geometry.js";
import {
  ALLEGRO_JOINT_NAMES,
  FINGERS,
  type Finger,
  type HandModel,
  type HandSide,
  JOINTS_PER_FINGER,
} from "../../kinematics/allegro/hand.js";
import { type HandLimits, limitsOf } from "../../kinematics/allegro/limits.js";
import { IDENTITY_POSE, type Pose, type QuatXyzw, quatFromRpy } from "../../kinematics/pose.js";
import { FINGERTIP_LENGTH_M, FINGERTIP_MASS_KG, type HandPart, handParts, MOTOR } from "./model.js";

const SHELL = "0.16 0.16 0.18 1";
const LINK = "0.55 0.56 0.6 1";
const RUBBER = "0.9 0.9 0.92 1";
/** Rubber tips grip; the rest is painted metal. */
const TIP_CONTACT = 'friction="1.2 0.01 0.0005" condim="4" solref="0.004 1"';
const LINK_CONTACT = 'friction="0.6 0.005 0.0001"';
/** Only to have weight somewhere, where two joints are in one place. */
const JOINT_BLOCK_RADIUS_M = 0.0098;

/** The palm and what begins in it: a body of its own that is welded to the world is not left out by MuJoCo. */
const TOUCHES_PALM = [0, 4, 8, 12, 13];

type Numbers = ArrayLike<number>;
const text = (numbers: Numbers): string => Array.from(numbers, (n) => String(n)).join(" ");
const wxyz = ([x, y, z, w]: QuatXyzw): string => text([w, x, y, z]);

export interface HandXmlOptions {
  readonly model: HandModel;
  readonly side: HandSide;
  /** Of each motor [N m], wire order. */
  readonly torqueMaxNm: ArrayLike<number>;
  /** Where the palm is in its parent; by default the palm frame is the parent's. */
  readonly palm?: Pose;
  /** Before every name, for a second hand in one scene. */
  readonly prefix?: string;
  /** Whoever carries the hand makes up for its weight, as an arm's controller that was told of its load. */
  readonly weightIsCarried?: boolean;
}

/** The pieces of a scene: a body to put into its parent, and what belongs into the sections of these names. */
export interface HandXml {
  readonly body: string;
  readonly contact: string;
  readonly actuator: string;
}

/** @throws DEVICE_MISMATCH for a hand whose geometry nobody has published */
export function handXml(options: HandXmlOptions): HandXml {
  const { model, side, torqueMaxNm, palm = IDENTITY_POSE, prefix = "" } = options;
  const geometry = geometryOf(model, side);
  const limits = limitsOf(model, side);
  const parts = handParts(model, side);
  // MuJoCo compensates a body's own weight so many times, at its own centre of mass.
  const carried = options.weightIsCarried === true ? ` gravcomp="${weightShare(parts)}"` : "";
  const fingers = FINGERS.map((finger, index) => {
    const first = index * JOINTS_PER_FINGER;
    return fingerXml(finger, first, geometry[finger], parts.links, limits, prefix);
  });
  const motor = (joint: string, index: number): string => {
    const maxNm = torqueMaxNm[index]!;
    return `<motor name="${prefix}${joint}" joint="${prefix}${joint}" ctrlrange="${-maxNm} ${maxNm}"/>`;
  };
  return {
    body: [
      `<body name="${prefix}palm" pos="${text(palm.positionM)}" quat="${wxyz(palm.quatXyzw)}"${carried}>`,
      partXml(`${prefix}palm`, parts.palm, SHELL),
      ...fingers,
      "</body>",
    ].join("\n"),
    contact: TOUCHES_PALM.map((link) => `<exclude body1="${prefix}palm" body2="${prefix}link${link}"/>`).join(
      "\n",
    ),
    actuator: ALLEGRO_JOINT_NAMES.map(motor).join("\n"),
  };
}

/** The hand alone, palm fixed, fingers up. */
export function handMjcf(options: HandXmlOptions, stepMs: number): string {
  const { body, contact, actuator } = handXml(options);
  return `<mujoco model="allegro_${options.model}_${options.side}">
<compiler angle="radian" autolimits="true"/>
<option timestep="${stepMs / 1000}" integrator="implicitfast"/>
<size memory="2M"/>
<worldbody>
${body}
</worldbody>
<contact>
${contact}
</contact>
<actuator>
${actuator}
</actuator>
</mujoco>
`;
}

/** Of the whole hand, in weights of its palm. */
function weightShare({ palm, links }: ReturnType<typeof handParts>): number {
  const fingersKg = links.reduce((sum, { massKg }) => sum + massKg, FINGERS.length * FINGERTIP_MASS_KG);
  return 1 + fingersKg / palm.massKg;
}

export const fingertipSite = (finger: Finger, prefix = ""): string => `${prefix}${finger}_tip`;

function fingerXml(
  finger: Finger,
  first: number,
  geometry: FingerGeometry,
  parts: readonly HandPart[],
  limits: HandLimits,
  prefix: string,
): string {
  const open = geometry.axes.map((axis, place) => {
    const joint = first + place;
    const at =
      place === 0
        ? `pos="${text(geometry.originM)}" quat="${wxyz(quatFromRpy(...geometry.rpyRad))}"`
        : `pos="${text(geometry.offsetsM[place - 1]!)}"`;
    const range = `${limits.positionMinRad[joint]} ${limits.positionMaxRad[joint]}`;
    return [
      `<body name="${prefix}link${joint}" ${at}>`,
      `<joint name="${prefix}${ALLEGRO_JOINT_NAMES[joint]}" axis="${text(axis)}" range="${range}" ${MOTOR_XML}/>`,
      partXml(`${prefix}link${joint}`, parts[joint]!, LINK),
    ].join("\n");
  });
  return [
    ...open,
    tipXml(fingertipSite(finger, prefix), geometry.tipM[2]),
    "</body>".repeat(JOINTS_PER_FINGER),
  ].join("\n");
}

const MOTOR_XML = `armature="${MOTOR.armatureKgM2}" damping="${MOTOR.dampingNmSPerRad}" frictionloss="${MOTOR.frictionLossNm}"`;

/** The ball that touches things: its centre is the vendor's fingertip, and the site that others ask for. */
const tipXml = (name: string, tipM: number): string =>
  [
    `<geom name="${name}" type="capsule" fromto="0 0 ${tipM - FINGERTIP_LENGTH_M} 0 0 ${tipM}" size="${TIP_RADIUS_M}" mass="${FINGERTIP_MASS_KG}" rgba="${RUBBER}" ${TIP_CONTACT}/>`,
    `<site name="${name}" pos="0 0 ${tipM}" size="0.003" rgba="0 0 0 0"/>`,
  ].join("\n");

function partXml(name: string, { massKg, shape }: HandPart, rgba: string): string {
  const form =
    shape === undefined
      ? `type="sphere" size="${JOINT_BLOCK_RADIUS_M}" contype="0" conaffinity="0"`
      : `type="box" pos="${text(shape.centreM)}" size="${text(shape.halfSizeM)}" ${LINK_CONTACT}`;
  return `<geom name="${name}" ${form} mass="${massKg}" rgba="${rgba}"/>`;
}
