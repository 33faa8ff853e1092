/**
 * Torques to commands and back, with the limits of every joint. V4 takes a PWM duty in counts, V5 a current in mA.
 *
 * A torque here is in the vendor's unit, N·m by the comment in its code; how many N·m a count of PWM really gives has been
 * published by nobody [?].
 */
import { invariant } from "../../../core/errors.js";
import { HAND_JOINT_COUNT, type HandModel } from "../../../kinematics/allegro/hand.js";

export interface TorqueTable {
  /** What a command counts. */
  readonly unit: "PWM" | "mA";
  /** Command for a torque of 1, joint by joint. */
  readonly countsPerTorque: readonly number[];
  /** Greatest command in both directions, joint by joint. */
  readonly commandMax: readonly number[];
}

/** V4 at its 12 V; hands older than V4 have 800 (and V4 is told from them by its info reply). */
const V4_PWM_PER_TORQUE = 1200;
const V4_FINGER_PWM_MAX = [375, 675, 450, 285];
const V4_THUMB_PWM_MAX = [525, 405, 270, 270];

/** 1.43 A for 1 N·m, and 240 mA at most. */
const V5_MA_PER_TORQUE = 1430;
const V5_MA_MAX = 240;
/**
 * Joints behind a 2:1 gear in V5 B: half the current gives the torque. The vendor's ROS 2 driver halves for every hand
 * that is not A, its ROS 1 driver for A [?]; B is the geared one, and half is the smaller command.
 */
const V5B_GEARED_JOINTS = [1, 5, 9];

const everyJoint = (value: (joint: number) => number): readonly number[] =>
  Array.from({ length: HAND_JOINT_COUNT }, (_, joint) => value(joint));
const V5_MAX = everyJoint(() => V5_MA_MAX);

/** Sources: allegro_hand_ros_v4 b19b18ea; allegro_hand_ros_v5 69cd518b and allegro_hand_ros2_v5 2a6de970. */
export const TORQUE_TABLES: Readonly<Record<HandModel, TorqueTable>> = {
  v4: {
    unit: "PWM",
    countsPerTorque: everyJoint(() => V4_PWM_PER_TORQUE),
    commandMax: [...V4_FINGER_PWM_MAX, ...V4_FINGER_PWM_MAX, ...V4_FINGER_PWM_MAX, ...V4_THUMB_PWM_MAX],
  },
  v5a: { unit: "mA", countsPerTorque: everyJoint(() => V5_MA_PER_TORQUE), commandMax: V5_MAX },
  v5b: {
    unit: "mA",
    countsPerTorque: everyJoint((joint) =>
      V5B_GEARED_JOINTS.includes(joint) ? V5_MA_PER_TORQUE / 2 : V5_MA_PER_TORQUE,
    ),
    commandMax: V5_MAX,
  },
};

/** Greatest torque of each joint that a command can ask for, sixteen in wire order. */
export const torqueMaxOf = (model: HandModel): number[] =>
  TORQUE_TABLES[model].commandMax.map(
    (max, joint) => max / (TORQUE_TABLES[model].countsPerTorque[joint] ?? 1),
  );

/**
 * Torques to commands: scaled, cut to the joint's limit, then cut towards zero to whole counts, as the vendor's cast does.
 * @param torque sixteen in wire order
 * @param out sixteen int16, all zero when the answer is false
 * @returns false when a torque is not a finite number
 */
export function commandOfTorque(model: HandModel, torque: ArrayLike<number>, out: Int16Array): boolean {
  invariant(torque.length === HAND_JOINT_COUNT && out.length === HAND_JOINT_COUNT, "16 torques, 16 commands");
  const { countsPerTorque, commandMax } = TORQUE_TABLES[model];
  for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
    const value = torque[joint] ?? Number.NaN;
    if (!Number.isFinite(value)) {
      out.fill(0);
      return false;
    }
    const max = commandMax[joint] ?? 0;
    out[joint] = Math.trunc(Math.min(max, Math.max(-max, value * (countsPerTorque[joint] ?? 0))));
  }
  return true;
}

/** The hand's side: the torques that commands ask for, after the same limits. @param out sixteen in wire order */
export function torqueOfCommand(model: HandModel, command: ArrayLike<number>, out: Float64Array): void {
  const { countsPerTorque, commandMax } = TORQUE_TABLES[model];
  for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
    const max = commandMax[joint] ?? 0;
    out[joint] = Math.min(max, Math.max(-max, command[joint] ?? 0)) / (countsPerTorque[joint] ?? 1);
  }
}
