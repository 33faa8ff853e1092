/** Joints of a robot as people see them: short names, and those that belong together. */
import type { RobotDescription } from "../../core/gateway/server.js";

export interface NamedJoint {
  readonly joint: number;
  /** J1, or I2 for the second joint of the index finger, LA3 for the third of the left arm. */
  readonly label: string;
}

export interface JointGroup {
  /** Empty for a robot whose joints are one chain. */
  readonly name: string;
  readonly joints: readonly NamedJoint[];
}

type Described = Pick<RobotDescription, "jointNames" | "jointGroups" | "legs">;

export function jointGroups({ jointNames, jointGroups: groups }: Described): JointGroup[] {
  if (groups === undefined) {
    const joints = jointNames.map((_, joint) => ({ joint, label: `J${joint + 1}` }));
    return [{ name: "", joints }];
  }
  let next = 0;
  return groups.map(({ name, joints }) => ({
    name,
    joints: Array.from({ length: joints }, (_, index) => ({
      joint: next++,
      label: `${initials(name)}${index + 1}`,
    })),
  }));
}

const initials = (name: string): string =>
  name
    .split(" ")
    .map((word) => word.charAt(0).toUpperCase())
    .join("");

/** In the servo's order. */
export const jointLabels = (robot: Described): string[] =>
  jointGroups(robot).flatMap(({ joints }) => joints.map(({ label }) => label));

/** What a robot is to those who look at it and move it. */
export type RobotKind = "arm" | "hand" | "legs";
export const kindOf = ({ jointGroups: groups, legs }: Described): RobotKind =>
  legs !== undefined ? "legs" : groups !== undefined ? "hand" : "arm";

export const isHand = (robot: Described): boolean => kindOf(robot) === "hand";

/** Of a group of joints that has a name. */
export const groupWords = (robot: Described, name: string): string =>
  isHand(robot) ? `${name} finger` : name;
