/**
 * Named gains of the joints' PD law, and the vendor's home pose. All are somebody's numbers, none was tried by us on a hand.
 *
 * A gain here is torque for an error of 1 rad, and for 1 rad/s, with torque as in torque.ts. The vendor writes V4's gains
 * as counts of PWM for 1 rad; `ofCounts` turns those.
 */
import type { HandModel, HandSide } from "../../../kinematics/allegro/hand.js";

export interface PdGains {
  /** Torque per rad, sixteen in wire order. */
  readonly kp: readonly number[];
  /** Torque per rad/s, sixteen in wire order. */
  readonly kd: readonly number[];
  /** A greater position error counts as this one [rad]. */
  readonly errorMaxRad?: number;
  /** The position error never pulls harder than damping holds back at this speed [rad/s]. */
  readonly velocityMaxRadPerS?: number;
}

export interface GainSet extends PdGains {
  readonly models: readonly HandModel[];
  readonly source: string;
}

/** The scale between V4's counts and torque, in the vendor's code as in torque.ts. */
const V4_COUNTS_PER_TORQUE = 1200;
const ofCounts = (counts: readonly number[]): number[] => counts.map((count) => count / V4_COUNTS_PER_TORQUE);

/** Three fingers alike, and the thumb. */
const hand = (finger: readonly number[], thumb = finger): number[] => [
  ...finger,
  ...finger,
  ...finger,
  ...thumb,
];
const all = (value: number): number[] => hand([value, value, value, value]);

export const GAIN_SETS = {
  /** Stiff: at 0.1 rad of error most joints are at their limit of torque. */
  v4Shipped: {
    models: ["v4"],
    kp: ofCounts(all(4000)),
    kd: ofCounts(hand([150, 200, 150, 150], [300, 200, 200, 150])),
    source: "gain file that the vendor's V4 launch file loads (allegro_hand_ros_v4 b19b18ea)",
  },
  v4Fallback: {
    models: ["v4"],
    kp: ofCounts(hand([600, 600, 600, 1000], [1000, 1000, 1000, 600])),
    kd: ofCounts(hand([15, 20, 15, 15], [30, 20, 20, 15])),
    source: "the vendor's V4 node without its gain file (the same)",
  },
  v4VelocitySaturated: {
    models: ["v4"],
    kp: ofCounts(all(1200)),
    kd: ofCounts(all(140)),
    velocityMaxRadPerS: 10,
    source: "the vendor's velocity saturation node (the same)",
  },
  /** As published, but for its gravity term (`feedforward`) and its ±0.65 on the sum: our limits are lower. */
  dime: {
    models: ["v4"],
    kp: hand([1.5, 2.0, 1.8, 1.3], [2.2, 1.7, 1.9, 1.3]),
    kd: hand([0.1, 0.11, 0.12, 0.13], [0.15, 0.14, 0.12, 0.11]),
    errorMaxRad: 0.15,
    source: "Allegro-Hand-Controller-DIME 7a03c3a8",
  },
  v5Probed: {
    models: ["v5a", "v5b"],
    kp: hand([1, 1, 1, 1], [0.8, 0.8, 0.8, 0.8]),
    kd: hand([0.03, 0.1, 0.03, 0.03], [0.03, 0.03, 0.03, 0.03]),
    source:
      "what a third party measured of the closed grasp library (allegro_hand_v5_plus_python 649a5d48) [?]",
  },
} as const satisfies Record<string, GainSet>;
export type GainSetName = keyof typeof GAIN_SETS;

export const gainSetsOf = (model: HandModel): GainSetName[] =>
  (Object.keys(GAIN_SETS) as GainSetName[]).filter((name) => {
    const set: GainSet = GAIN_SETS[name];
    return set.models.includes(model);
  });

const RAD_PER_DEGREE = Math.PI / 180;
const V4_HOME_DEG = [0, -10, 45, 45, 0, -10, 45, 45, 5, -5, 50, 45, 60, 25, 15, 45];
const V5_HOME_DEG = [-5, 0, 45, 45, 0, 0, 45, 45, 5, 0, 45, 45, 90, 20, 15, 45];

/**
 * The vendor's home pose [rad], sixteen in wire order. Undefined for a left V5: the signs of its thumb are not known [?],
 * and its limits differ.
 */
export function homeRadOf(model: HandModel, side: HandSide): number[] | undefined {
  if (model !== "v4" && side === "left") return undefined;
  return (model === "v4" ? V4_HOME_DEG : V5_HOME_DEG).map((degrees) => degrees * RAD_PER_DEGREE);
}
