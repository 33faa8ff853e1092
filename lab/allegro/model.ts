/**
 * What the lab's hand has beyond its geometry: where it begins, what its motors resist with, and shapes that follow from
 * its lengths. Metres, kilograms, radians; wire order.
 */
import { homeRadOf } from "../../drivers/allegro/protocol/index.js";
import { HAND_GEOMETRY } from "../../kinematics/allegro/geometry.js";
import { type HandModel, type HandSide, JOINTS_PER_FINGER } from "../../kinematics/allegro/hand.js";
import { handLinks, linkName, PALM_LINK, tipName } from "../../kinematics/allegro/links.js";
import type { CollisionShape, Vector3 } from "../../kinematics/xarm7.js";

const V4_HOME_RAD = homeRadOf("v4", "right")!;

/** The vendor's home pose [rad], in which the lab's hand begins; V4's where a hand's own is not known. */
export const startRadOf = (model: HandModel, side: HandSide): readonly number[] =>
  homeRadOf(model, side) ?? V4_HOME_RAD;

/**
 * What stands between a motor and its joint. None of it is published. The gear is 369 : 1 (V4), so that a rotor of some
 * 1.5e-8 kg m² weighs more than the finger; damping makes the speed at a joint's torque limit about the nominal 7 rad/s.
 */
export const MOTOR = { armatureKgM2: 0.002, dampingNmSPerRad: 0.04, frictionLossNm: 0.015 } as const;

/** Whether a hand can be built as a body: its geometry is known. */
export const hasBody = (model: HandModel, side: HandSide): boolean =>
  HAND_GEOMETRY[model][side] !== undefined;

export interface HandPart {
  /** Of the link alone, without its fingertip. */
  readonly massKg: number;
  readonly shape: Extract<CollisionShape, { kind: "box" }> | undefined;
}

/** The links' boxes are so wide: across the palm's normal, and along y. */
const LINK_HALF_M = [0.0098, 0.01375] as const;
/** The last link's box ends so much before the centre of the fingertip's ball. */
export const FINGERTIP_LENGTH_M = 0.0107;
/** The motor block that the thumb of V5 begins with; estimated, it lies between the first two joints. */
const V5_THUMB_BASE: HandPart["shape"] = {
  kind: "box",
  centreM: [-0.0005, 0, 0.0344],
  halfSizeM: [0.0125, 0.015, 0.0244],
};

/**
 * The palm and the sixteen links. Masses are those of V4 for every model: nothing better is known. Shapes give the
 * inertia, because the vendor's tensors, said to be about the centre of mass, are about the joints: most of them are no
 * real body's. Boxes reach from joint to joint; a link without length has none.
 */
export function handParts(model: HandModel, side: HandSide): { palm: HandPart; links: readonly HandPart[] } {
  const geometry = HAND_GEOMETRY[model][side]!;
  const known = new Map(handLinks(side).map((link) => [link.name, link]));
  const part = (name: string): HandPart => {
    const { inertial, shapes } = known.get(name)!;
    const shape = shapes.find((other) => other.kind === "box");
    return { massKg: inertial.massKg, shape };
  };
  const links = Object.values(geometry).flatMap(({ offsetsM, tipM }, finger) =>
    [...offsetsM, tipM].map((nextM: Vector3, place) => {
      const joint = finger * JOINTS_PER_FINGER + place;
      const { massKg, shape } = part(linkName(joint));
      if (joint === THUMB_BASE) return { massKg, shape: model === "v4" ? shape : V5_THUMB_BASE };
      const isLast = place === JOINTS_PER_FINGER - 1;
      return { massKg, shape: linkBox(isLast ? nextM[2] - FINGERTIP_LENGTH_M : nextM[2]) };
    }),
  );
  return { palm: part(PALM_LINK), links };
}

export const FINGERTIP_MASS_KG = handLinks("right").find(({ name }) => name === tipName(3))!.inertial.massKg;

const THUMB_BASE = 12;

function linkBox(lengthM: number): HandPart["shape"] {
  if (lengthM <= 0) return undefined;
  return { kind: "box", centreM: [0, 0, lengthM / 2], halfSizeM: [...LINK_HALF_M, lengthM / 2] };
}
