/**
 * URDF text of an Allegro Hand, written from the tables in `geometry.ts`, `limits.ts` and `links.ts`: what
 * `robot_description` publishes. Geometry is the collision shapes. Masses and shapes are known of the V4 only; a V5 is a
 * tree of bare frames, and a hand whose geometry is not known is its palm alone.
 */
import {
  type CameraMount,
  cameraFrames,
  cameraXml,
  escapeXml,
  type FixedFrame,
  fixedXml,
  jointXml,
  linkXml,
} from "../urdf.js";
import type { Joint } from "../xarm7.js";
import { geometryOf, isGeometryKnown } from "./geometry.js";
import { ALLEGRO_JOINT_NAMES, FINGERS, type HandModel, type HandSide, JOINTS_PER_FINGER } from "./hand.js";
import { type HandLimits, limitsOf } from "./limits.js";
import { handLinks, linkName, PALM_LINK, tipName } from "./links.js";

/** Nominal in every URDF of the vendor [N·m]; the hand cannot do a tenth of it. */
const EFFORT_MAX_NM = 15;

export interface HandUrdfOptions {
  readonly robotName?: string;
  /** Put before every link name, so that several robots share one tf tree. */
  readonly framePrefix?: string;
  /** Fixed to the palm; their names have no prefix. */
  readonly cameras?: readonly CameraMount[];
  /** Instead of the known limits; what a hand without known limits needs. */
  readonly limits?: HandLimits;
}

/** The sixteen joints in wire order, each in the frame of the link before it. */
export function handJoints(model: HandModel, side: HandSide, own?: HandLimits): Joint[] {
  const geometry = geometryOf(model, side);
  const limits = limitsOf(model, side, own);
  return ALLEGRO_JOINT_NAMES.map((name, joint) => {
    const finger = geometry[FINGERS[joint >> 2]!];
    const k = joint % JOINTS_PER_FINGER;
    return {
      name,
      parent: k === 0 ? PALM_LINK : linkName(joint - 1),
      child: linkName(joint),
      originM: k === 0 ? finger.originM : finger.offsetsM[k - 1]!,
      rpyRad: k === 0 ? finger.rpyRad : [0, 0, 0],
      axis: finger.axes[k]!,
      positionMinRad: limits.positionMinRad[joint]!,
      positionMaxRad: limits.positionMaxRad[joint]!,
      effortMaxNm: EFFORT_MAX_NM,
      velocityMaxRadPerS: limits.velocityMaxRadPerS[joint]!,
      dampingNmSPerRad: 0,
      frictionNm: 0,
    };
  });
}

/** Centres of the balls, as frames fixed to the last links. */
export function tipFrames(model: HandModel, side: HandSide): FixedFrame[] {
  const geometry = geometryOf(model, side);
  return FINGERS.map((name, finger) => {
    const last = JOINTS_PER_FINGER * finger + 3;
    return {
      parent: linkName(last),
      child: tipName(last),
      positionM: geometry[name].tipM,
      rpyRad: [0, 0, 0],
    };
  });
}

/** @throws DEVICE_MISMATCH for a hand whose geometry is known and whose limits are not, if `limits` are not given */
export function handUrdf(model: HandModel, side: HandSide, options: HandUrdfOptions = {}): string {
  const prefix = options.framePrefix ?? "";
  const isKnown = isGeometryKnown(model, side);
  const joints = isKnown ? handJoints(model, side, options.limits) : [];
  const tips = isKnown ? tipFrames(model, side) : [];
  const links =
    model === "v4"
      ? handLinks(side).map((link) => linkXml(link, prefix))
      : [PALM_LINK, ...joints.map(({ child }) => child), ...tips.map(({ child }) => child)].map(
          (name) => `  <link name="${escapeXml(prefix + name)}"/>`,
        );
  return [
    '<?xml version="1.0"?>',
    `<robot name="${escapeXml(options.robotName ?? `allegro_hand_${side}`)}">`,
    ...links,
    ...joints.map((joint) => jointXml(joint, prefix)),
    ...tips.map((tip) => fixedXml(tip, prefix)),
    ...cameraXml(cameraFrames(options.cameras ?? []), prefix),
    "</robot>",
    "",
  ].join("\n");
}
