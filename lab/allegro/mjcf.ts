/**
 * An Allegro Hand as MuJoCo XML, generated from the tables of model.ts: the hand alone on a stand, or its parts for a
 * larger scene. Boxes, capsules and spheres only, so that GPU engines load the same file; motors take torques [N m].
 * Lengths in metres, angles in radians.
 */
import { ALLEGRO_JOINT_NAMES, JOINTS_PER_FINGER } from "../../kinematics/allegro/hand.js";
import { IDENTITY_POSE, type Pose, type QuatXyzw, quatFromRpy } from "../../kinematics/pose.js";
import {
  type FingerChain,
  fingerChains,
  jointRangesRad,
  MASS_KG,
  MOTOR,
  type ModelledHand,
  SHAPE,
} from "./model.js";

const SHELL = "0.16 0.16 0.18 1";
const LINK = "0.55 0.56 0.6 1";
const RUBBER = "0.9 0.9 0.92 1";
/** Rubber tips grip; the rest is painted metal. */
const TIP_CONTACT = 'friction="1.2 0.01 0.0005" condim="4" solref="0.004 1"';
const LINK_CONTACT = 'friction="0.6 0.005 0.0001"';

type Numbers = ArrayLike<number>;
const text = (numbers: Numbers): string => Array.from(numbers, (n) => String(n)).join(" ");
const wxyz = ([x, y, z, w]: QuatXyzw): string => text([w, x, y, z]);

export interface HandXmlOptions {
  readonly hand: ModelledHand;
  /** Of each motor [N m], wire order. */
  readonly torqueMaxNm: ArrayLike<number>;
  /** Where the palm is in its parent; by default the palm frame is the parent's. */
  readonly palm?: Pose;
  /** Before every name, for a second hand in one scene. */
  readonly prefix?: string;
}

/** The pieces of a scene: a body to put into its parent, and what belongs into the sections of these names. */
export interface HandXml {
  readonly body: string;
  readonly contact: string;
  readonly actuator: string;
}

export function handXml({ hand, torqueMaxNm, palm = IDENTITY_POSE, prefix = "" }: HandXmlOptions): HandXml {
  const chains = fingerChains(hand);
  const ranges = jointRangesRad(hand);
  const fingers = chains.map((chain, finger) => fingerXml(hand, chain, finger, ranges, prefix));
  const { centreM, halfM } = SHAPE.palm;
  const body = [
    `<body name="${prefix}palm" pos="${text(palm.positionM)}" quat="${wxyz(palm.quatXyzw)}">`,
    boxXml(`${prefix}palm`, centreM, halfM, MASS_KG.palm, SHELL),
    ...fingers,
    "</body>",
  ].join("\n");
  return {
    body,
    // The palm may be welded to the world, where MuJoCo does not leave out a body's contact with its parent by itself.
    contact: [0, 4, 8, 12, 13]
      .map((link) => `<exclude body1="${prefix}palm" body2="${prefix}link${link}"/>`)
      .join("\n"),
    actuator: ALLEGRO_JOINT_NAMES.map(
      (joint, index) =>
        `<motor name="${prefix}${joint}" joint="${prefix}${joint}" ctrlrange="${-torqueMaxNm[index]!} ${torqueMaxNm[index]!}"/>`,
    ).join("\n"),
  };
}

/** The hand alone, palm fixed, fingers up. */
export function handMjcf(options: HandXmlOptions, stepMs: number): string {
  const { body, contact, actuator } = handXml(options);
  return `<mujoco model="allegro ${options.hand}">
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

export const fingertipSite = (finger: string, prefix = ""): string => `${prefix}${finger}_tip`;

function fingerXml(
  hand: ModelledHand,
  chain: FingerChain,
  finger: number,
  ranges: readonly (readonly [number, number])[],
  prefix: string,
): string {
  const isThumb = chain.finger === "thumb";
  const masses = isThumb ? MASS_KG.thumb : MASS_KG.finger;
  const open = masses.map((massKg, place) => {
    const link = finger * JOINTS_PER_FINGER + place;
    const name = `${prefix}link${link}`;
    const at =
      place === 0
        ? `pos="${text(chain.baseM)}" quat="${wxyz(quatFromRpy(...chain.baseRpyRad))}"`
        : `pos="${text(chain.offsetsM[place - 1]!)}"`;
    return [
      `<body name="${name}" ${at}>`,
      jointXml(`${prefix}${ALLEGRO_JOINT_NAMES[link]!}`, chain.axes[place]!, ranges[link]!),
      isThumb && place === 0
        ? thumbBaseXml(name, hand, massKg)
        : linkXml(name, chain.offsetsM[place]![2], massKg, place === masses.length - 1),
      place === masses.length - 1 ? tipXml(chain, prefix) : "",
    ].join("\n");
  });
  return [...open, "</body>".repeat(masses.length)].join("\n");
}

const jointXml = (name: string, axis: Numbers, [minRad, maxRad]: readonly [number, number]): string =>
  `<joint name="${name}" axis="${text(axis)}" range="${minRad} ${maxRad}" armature="${MOTOR.armatureKgM2}" damping="${MOTOR.dampingNmSPerRad}" frictionloss="${MOTOR.frictionLossNm}"/>`;

/** A box from its joint to the next one, or to where the fingertip begins. */
function linkXml(name: string, lengthM: number, massKg: number, isLast: boolean): string {
  const endM = isLast ? lengthM - SHAPE.fingertipLengthM : lengthM;
  if (endM <= 0) return jointBlockXml(name, massKg);
  const [x, y] = SHAPE.linkHalfM;
  return boxXml(name, [0, 0, endM / 2], [x, y, endM / 2], massKg, LINK);
}

/** Two joints in one place: a link that has weight and no length. */
const jointBlockXml = (name: string, massKg: number): string =>
  `<geom name="${name}" type="sphere" size="${SHAPE.linkHalfM[0]}" mass="${massKg}" contype="0" conaffinity="0" rgba="${LINK}"/>`;

function thumbBaseXml(name: string, hand: ModelledHand, massKg: number): string {
  const { centreM, halfM } = SHAPE.thumbBase[hand === "v5a right" ? "v5a" : "v4"];
  const [x, y, z] = centreM;
  return boxXml(name, [x, hand === "v4 left" ? -y : y, z], halfM, massKg, SHELL);
}

/** The ball that touches things: its centre is the vendor's fingertip, and the site that others ask for. */
function tipXml(chain: FingerChain, prefix: string): string {
  const tipM = chain.offsetsM[JOINTS_PER_FINGER - 1]![2];
  const name = fingertipSite(chain.finger, prefix);
  return [
    `<geom name="${name}" type="capsule" fromto="0 0 ${tipM - SHAPE.fingertipLengthM} 0 0 ${tipM}" size="${SHAPE.fingertipRadiusM}" mass="${MASS_KG.fingertip}" rgba="${RUBBER}" ${TIP_CONTACT}/>`,
    `<site name="${name}" pos="0 0 ${tipM}" size="0.003" rgba="0 0 0 0"/>`,
  ].join("\n");
}

const boxXml = (name: string, centreM: Numbers, halfM: Numbers, massKg: number, rgba: string): string =>
  `<geom name="${name}" type="box" pos="${text(centreM)}" size="${text(halfM)}" mass="${massKg}" rgba="${rgba}" ${LINK_CONTACT}/>`;
