/** Joints of a robot as people see them: short names, and those that belong together. */
import type { RobotDescription } from "../../core/gateway/server.js";

export interface NamedJoint {
  readonly joint: number;
  /** Two characters: J1, or I2 for the second joint of the index finger. */
  readonly label: string;
}

export interface JointGroup {
  /** Empty for a robot whose joints are one chain. */
  readonly name: string;
  readonly joints: readonly NamedJoint[];
}

type Described = Pick<RobotDescription, "jointNames" | "jointGroups">;

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
      label: `${name.charAt(0).toUpperCase()}${index + 1}`,
    })),
  }));
}

/** In the servo's order. */
export const jointLabels = (robot: Described): string[] =>
  jointGroups(robot).flatMap(({ joints }) => joints.map(({ label }) => label));

export const isHand = ({ jointGroups: groups }: Described): boolean => groups !== undefined;
