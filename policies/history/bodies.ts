/** What the vectors of a robot on legs are called, in their order: a policy's slots name joints, never places. */

export interface Body {
  /** Motors. */
  readonly joints: readonly string[];
  /** Joints without a motor. */
  readonly passiveJoints: readonly string[];
}

const both = (names: readonly string[]) =>
  ["left", "right"].flatMap((side) => names.map((name) => `${side}_${name}`));

export const LEGGED_DEVICES = ["digit"] as const;
export type LeggedDevice = (typeof LEGGED_DEVICES)[number];

/** A test holds them against the drivers' own tables. */
export const BODIES: Readonly<Record<LeggedDevice, Body>> = {
  digit: {
    joints: [
      ...both(["hip_roll", "hip_yaw", "hip_pitch", "knee", "toe_A", "toe_B"]),
      ...both(["shoulder_roll", "shoulder_pitch", "shoulder_yaw", "elbow"]),
    ],
    passiveJoints: both(["shin", "tarsus", "toe_pitch", "toe_roll", "heel_spring"]),
  },
};
