/**
 * All messages of the command port that the driver sends or a controller must understand: register, parameters of
 * the request, parameters of the reply after its state byte (notation: layout.ts). Wire units: rad, rad/s, mm, mm/s, kg.
 * Sources: vendor's private TCP protocol manual (ufactory_docs a77fb6d8), xarm-python-sdk 1.18.4.
 */
import { type Layout, layout } from "./layout.js";

export interface MessageSpec {
  readonly register: number;
  readonly request: Layout;
  readonly reply: Layout;
  /** Moves the arm: the controller answers with the "cannot move" bit instead of executing when it is not ready. */
  readonly motion: boolean;
}

const message = (register: number, request = "", reply = ""): MessageSpec => ({
  register,
  request: layout(request),
  reply: layout(reply),
  motion: false,
});
const motion = (register: number, request: string, reply = ""): MessageSpec => ({
  ...message(register, request, reply),
  motion: true,
});

export const MESSAGES = {
  getVersion: message(1, "", "40B"),
  getSerial: message(2, "", "40B"),
  getTorqueOrCurrent: message(5, "*", "B"),
  getApproximateMotion: message(7, "*", "B"),
  /** axis 1..7 or 8 = all; 1 = on. */
  motionEnable: message(11, "BB"),
  setState: message(12, "B"),
  getState: message(13, "", "B"),
  getQueueCount: message(14, "", "H"),
  /** error, warning. */
  getErrorCodes: message(15, "", "BB"),
  clearError: message(16),
  clearWarning: message(17),
  setBrake: message(18, "BB"),
  /** mode [, 1 = collision detection off in mode 2]; firmware below 1.10.0 takes one byte. */
  setMode: message(19, "B|B"),
  moveLine: motion(21, "6f3f|*", "|H"),
  moveLineBlended: motion(22, "6f3f|*", "|H"),
  /** 7 angles, speed, acceleration, time [, check only]. */
  moveJoint: motion(23, "7f3f|B", "|H"),
  /** 7 angles, speed, acceleration, blend radius. */
  moveJointBlended: motion(24, "7f3f|B", "|H"),
  moveHome: motion(25, "3f|B", "|H"),
  sleep: message(26, "f", "|H"),
  moveCircle: motion(27, "12f4f|*", "|H"),
  moveLineTool: motion(28, "6f3f|*", "|H"),
  /** 7 angles and three reserved numbers; always 40 parameter bytes. */
  moveServoJoint: motion(29, "7f3f"),
  moveServoCartesian: motion(30, "6f3f"),
  setToolJerk: message(31, "f", "|H"),
  setToolAccelerationMax: message(32, "f", "|H"),
  setJointJerk: message(33, "f", "|H"),
  setJointAccelerationMax: message(34, "f", "|H"),
  /** x y z [mm], roll pitch yaw [rad]. */
  setToolOffset: message(35, "6f"),
  /** mass [kg], centre of mass in the flange frame [mm]. */
  setToolLoad: message(36, "4f"),
  setCollisionSensitivity: message(37, "B"),
  setTeachSensitivity: message(38, "B"),
  cleanConfiguration: message(39),
  saveConfiguration: message(40),
  getToolPose: message(41, "", "6f"),
  /** Without a parameter: planned position. 1, 2, 3: position, and velocity, and effort. */
  getJointStates: message(42, "|B", "7f|7f|7f"),
  inverseKinematics: message(43, "6f|B|7f", "7f"),
  forwardKinematics: message(44, "7f", "6f"),
  isJointLimit: message(45, "7f", "B"),
  isToolLimit: message(46, "6f", "B"),
  setReducedToolSpeed: message(47, "f"),
  setReducedJointSpeed: message(48, "f"),
  getReducedMode: message(49, "", "B"),
  setReducedMode: message(50, "B"),
  setGravityDirection: message(51, "3f"),
  setReducedBounds: message(52, "6i"),
  getReducedState: message(53, "", "*"),
  getJointTorque: message(55, "", "7f"),
  setReducedJointRange: message(58, "14f"),
  setFence: message(59, "B"),
  setCollisionRebound: message(60, "B"),
  getTrajectoryStatus: message(65, "*", "B"),
  /** theta, d [mm], alpha, a [mm] per joint; the order is read off the vendor's example. */
  getDhParameters: message(67, "", "28f"),
  getInMotion: message(69, "*", "B"),
  setReportTorqueOrCurrent: message(70, "B"),
  setSelfCollisionCheck: message(77, "B"),
  setSimulation: message(79, "B"),
  moveJointVelocity: motion(81, "7fB|f"),
  moveCartesianVelocity: motion(82, "6fB|f"),
  moveRelative: motion(83, "7f4fBB|*", "|H"),
  getToolPoseAxisAngle: message(91, "", "6f"),
  /** host (9 tool, 11 box), RTU frame without checksum. */
  rs485: message(124, "B*", "B*"),
  getToolError: message(125, "", "BB"),
  writeTool16: message(127, "BHf"),
  readTool16: message(128, "BH", "I"),
  writeTool32: message(129, "BHf"),
  readTool32: message(130, "BH", "I"),
  getHardwareTypes: message(141, "*", "BB"),
  /** type (1 = servo_j linear speed factor), value. */
  setCommonParameter: message(232, "Bf"),
  getCommonParameter: message(233, "B", "f"),
  checkFeedback: message(253, "*", "*"),
  setFeedbackType: message(254, "B"),
} as const satisfies Record<string, MessageSpec>;

export type MessageName = keyof typeof MESSAGES;

const nameByRegister = new Map<number, MessageName>(
  (Object.keys(MESSAGES) as MessageName[]).map((name) => [MESSAGES[name].register, name]),
);

export const messageOfRegister = (register: number): MessageName | undefined => nameByRegister.get(register);

/** Argument of setMode and high nibble of a report's mode/state byte. */
export const MODE = {
  position: 0,
  servo: 1,
  teach: 2,
  jointVelocity: 4,
  cartesianVelocity: 5,
  jointOnline: 6,
  cartesianOnline: 7,
  playback: 11,
} as const;

/** What setState takes; what comes back is `STATE`. */
export const SET_STATE = { ready: 0, pause: 3, stop: 4, decelerate: 6 } as const;

/** Answer of getState and low nibble of a report's mode/state byte. 1 and 2 execute commands. */
export const STATE = {
  moving: 1,
  ready: 2,
  paused: 3,
  stopped: 4,
  /** Mode changed or system reset: nothing moves until setState(0). */
  reset: 5,
  decelerating: 6,
} as const;

export const ALL_AXES = 8;
export const JOINT_COUNT = 7;
/** Protocol id 2 at connection, 3 (same frames) from firmware 1.8.6; 1 heartbeat, 0 standard Modbus. */
export const PROTOCOL_ID = { modbus: 0, heartbeat: 1, initial: 2, current: 3 } as const;
/** The only common parameter: linear speed factor of servo_j, 1.2 by default (1.2 x 1000 mm/s). */
export const COMMON_SERVO_SPEED_FACTOR = 1;
