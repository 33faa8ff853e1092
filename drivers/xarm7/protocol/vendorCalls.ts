/**
 * Calls of the vendor's Python SDK (1.18.4) as our messages, so that vectors recorded from it can be replayed: call name
 * and arguments in, message and values out. Only the SDK's own defaults and clamps are repeated here; the driver does
 * not use this file.
 */
import {
  encodeGripperRequest,
  GRIPPER_REGISTER,
  type GripperRequest,
  pulseToWords,
  RS485_HOST_TOOL,
} from "./gripper.js";
import { ALL_AXES, COMMON_SERVO_SPEED_FACTOR, type MessageName, SET_STATE } from "./messages.js";

export interface VendorCall {
  readonly call: string;
  /** "XArmAPI" is the public class, "UxbusCmdTcp" the one below it. */
  readonly layer: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
}

export interface MessageOfCall {
  readonly name: MessageName;
  /** NaN where the call alone does not tell the value. */
  readonly values: readonly number[];
}

/** Arguments by position or keyword, with the call's default. */
class Arguments {
  /** Keywords that the translation looked at. */
  readonly used = new Set<string>();
  constructor(readonly call: VendorCall) {}

  raw(position: number, keyword: string): unknown {
    this.used.add(keyword);
    return this.call.kwargs[keyword] ?? this.call.args[position];
  }

  number(position: number, keyword: string, fallback = 0): number {
    const value = this.raw(position, keyword);
    return value === undefined || value === null ? fallback : Number(value);
  }

  /** Cut or padded with zeros to `count`. */
  list(position: number, keyword: string, count: number): number[] {
    const value = this.raw(position, keyword);
    const given = Array.isArray(value) ? value.map(Number) : [];
    return Array.from({ length: count }, (_, i) => given[i] ?? 0);
  }

  has(position: number, keyword: string): boolean {
    const value = this.raw(position, keyword);
    return value !== undefined && value !== null;
  }

  /** The SDK takes degrees unless told otherwise; the recordings were made with radians as its default. */
  angle(value: number): number {
    return this.call.kwargs.is_radian === false ? value * (Math.PI / 180) : value;
  }

  angles(position: number, keyword: string, count: number): number[] {
    return this.list(position, keyword, count).map((value) => this.angle(value));
  }

  /** x y z stay, the three angles are converted. */
  pose(position: number, keyword: string): number[] {
    return this.list(position, keyword, 6).map((value, i) => (i < 3 ? value : this.angle(value)));
  }

  /**
   * Speed, acceleration and time of a joint motion with the SDK's clamps. Where the call gives none, the SDK repeats what
   * an earlier call gave: NaN, because the call alone does not tell.
   */
  jointMotion(speedAt: number): number[] {
    const clamped = (position: number, keyword: string, low: number, high: number) => {
      const given = this.angle(this.number(position, keyword, Number.NaN));
      return Number.isNaN(given) ? given : Math.min(Math.max(given, low), high);
    };
    return [
      clamped(speedAt, "speed", 1e-4, Math.PI),
      clamped(speedAt + 1, "mvacc", 0.01, 20),
      this.number(speedAt + 2, "mvtime"),
    ];
  }
}

type Translate = (given: Arguments) => MessageOfCall | undefined;

const plain =
  (name: MessageName): Translate =>
  () => ({ name, values: [] });
const one =
  (name: MessageName, keyword: string, fallback = 0): Translate =>
  (given) => ({ name, values: [given.number(0, keyword, fallback)] });
const many =
  (name: MessageName, keyword: string, count: number): Translate =>
  (given) => ({ name, values: given.list(0, keyword, count) });
const gripper =
  (request: (given: Arguments) => GripperRequest): Translate =>
  (given) => ({ name: "rs485", values: encodeGripperRequest(request(given)) });
const writeGripper = (address: number, words: (given: Arguments) => number[]): Translate =>
  gripper((given) => ({ do: "write", address, words: words(given) }));
const readGripper = (address: number, count: number): Translate =>
  gripper(() => ({ do: "read", address, count }));

const servoJoint: Translate = (given) => ({
  name: "moveServoJoint",
  values: [...given.angles(0, "angles", 7), ...given.jointMotion(1)],
});

/** Same words in both layers. */
const shared: Readonly<Record<string, Translate>> = {
  get_version: plain("getVersion"),
  get_robot_sn: plain("getSerial"),
  get_state: plain("getState"),
  get_cmdnum: plain("getQueueCount"),
  set_state: one("setState", "state"),
  save_conf: plain("saveConfiguration"),
  clean_conf: plain("cleanConfiguration"),
  set_report_tau_or_i: one("setReportTorqueOrCurrent", "tau_or_i"),
  set_tcp_jerk: one("setToolJerk", "jerk"),
  set_tcp_maxacc: one("setToolAccelerationMax", "acc"),
  set_joint_jerk: (given) => ({ name: "setJointJerk", values: [given.angle(given.number(0, "jerk"))] }),
  set_joint_maxacc: (given) => ({
    name: "setJointAccelerationMax",
    values: [given.angle(given.number(0, "acc"))],
  }),
  set_reduced_mode: one("setReducedMode", "on"),
  set_tcp_load: (given) => ({
    name: "setToolLoad",
    values: [given.number(0, "weight"), ...given.list(1, "center_of_gravity", 3)],
  }),
  get_joint_states: (given) => ({ name: "getJointStates", values: [given.number(0, "num", 3)] }),
  is_joint_limit: (given) => ({ name: "isJointLimit", values: given.angles(0, "joint", 7) }),
  is_tcp_limit: (given) => ({ name: "isToolLimit", values: given.pose(0, "pose") }),
};

const low: Readonly<Record<string, Translate>> = {
  ...shared,
  get_err_code: plain("getErrorCodes"),
  clean_err: plain("clearError"),
  clean_war: plain("clearWarning"),
  get_joint_pos: plain("getJointStates"),
  get_tcp_pose: plain("getToolPose"),
  get_joint_tau: plain("getJointTorque"),
  get_reduced_mode: plain("getReducedMode"),
  motion_en: (given) => ({ name: "motionEnable", values: flat(given, 2) }),
  set_brake: (given) => ({ name: "setBrake", values: flat(given, 2) }),
  set_mode: (given) => {
    const detection = given.number(1, "detection_param", -1);
    const mode = given.number(0, "mode");
    return { name: "setMode", values: detection >= 0 ? [mode, detection] : [mode] };
  },
  move_servoj: (given) => ({ name: "moveServoJoint", values: flat(given, 10) }),
  move_servo_cartesian: (given) => ({ name: "moveServoCartesian", values: flat(given, 9) }),
  move_joint: (given) => ({ name: "moveJoint", values: flat(given, given.call.args.length > 4 ? 11 : 10) }),
  move_jointb: (given) => ({ name: "moveJointBlended", values: flat(given, 10) }),
  set_tcp_offset: many("setToolOffset", "pose_offset", 6),
  set_collis_sens: one("setCollisionSensitivity", "value"),
  set_teach_sens: one("setTeachSensitivity", "value"),
  set_gravity_dir: many("setGravityDirection", "gravity_dir", 3),
  set_fence_on: one("setFence", "on_off"),
  set_collis_reb: one("setCollisionRebound", "on_off"),
  set_reduced_linespeed: one("setReducedToolSpeed", "lspd_mm"),
  set_reduced_jointspeed: one("setReducedJointSpeed", "jspd_rad"),
  set_xyz_limits: many("setReducedBounds", "xyz_list", 6),
  set_reduced_jrange: many("setReducedJointRange", "jrange_rad", 14),
  get_ik: (given) => ({ name: "inverseKinematics", values: given.list(0, "pose", 6) }),
  get_fk: (given) => ({ name: "forwardKinematics", values: given.list(0, "angles", 7) }),
  gripper_get_errcode: plain("getToolError"),
  tgpio_addr_r16: (given) => toolRegister("readTool16", given, 1),
  tgpio_addr_r32: (given) => toolRegister("readTool32", given, 1),
  tgpio_addr_w16: (given) => toolRegister("writeTool16", given, 2),
  tgpio_addr_w32: (given) => toolRegister("writeTool32", given, 2),
};

const api: Readonly<Record<string, Translate>> = {
  ...shared,
  connect: plain("getVersion"),
  get_err_warn_code: plain("getErrorCodes"),
  clean_error: plain("clearError"),
  clean_warn: plain("clearWarning"),
  motion_enable: (given) => ({
    name: "motionEnable",
    values: [given.number(1, "servo_id", ALL_AXES) || ALL_AXES, given.number(0, "enable", 1)],
  }),
  set_mode: (given) => ({
    name: "setMode",
    values: [given.number(0, "mode"), given.number(1, "detection_param")],
  }),
  emergency_stop: () => ({ name: "setState", values: [SET_STATE.stop] }),
  set_servo_angle_j: servoJoint,
  set_servo_angle: (given) => moveJoint(given),
  move_gohome: (given) => ({ name: "moveHome", values: given.jointMotion(0) }),
  get_servo_angle: (given) => ({
    name: "getJointStates",
    values: given.raw(2, "is_real") === true ? [1] : [],
  }),
  get_position: plain("getToolPose"),
  get_position_aa: plain("getToolPoseAxisAngle"),
  get_joints_torque: plain("getJointTorque"),
  get_inverse_kinematics: (given) => ({ name: "inverseKinematics", values: given.pose(0, "pose") }),
  get_forward_kinematics: (given) => ({ name: "forwardKinematics", values: given.angles(0, "angles", 7) }),
  set_tcp_offset: (given) => ({ name: "setToolOffset", values: given.pose(0, "offset") }),
  set_gravity_direction: many("setGravityDirection", "direction", 3),
  set_mount_direction: (given) => ({ name: "setGravityDirection", values: gravityOfMount(given) }),
  set_collision_sensitivity: one("setCollisionSensitivity", "value"),
  set_teach_sensitivity: one("setTeachSensitivity", "value"),
  set_collision_rebound: one("setCollisionRebound", "on"),
  set_fence_mode: one("setFence", "on"),
  set_self_collision_detection: one("setSelfCollisionCheck", "on_off"),
  set_simulation_robot: one("setSimulation", "on_off"),
  set_reduced_max_tcp_speed: one("setReducedToolSpeed", "speed"),
  set_reduced_max_joint_speed: (given) => ({
    name: "setReducedJointSpeed",
    values: [given.angle(given.number(0, "speed"))],
  }),
  set_reduced_tcp_boundary: (given) => {
    const highFirst = given.list(0, "boundary", 6).map((_, i, all) => {
      const pair = [all[i - (i % 2)] ?? 0, all[i - (i % 2) + 1] ?? 0];
      return i % 2 === 0 ? Math.max(...pair) : Math.min(...pair);
    });
    return { name: "setReducedBounds", values: highFirst };
  },
  set_linear_spd_limit_factor: (given) => ({
    name: "setCommonParameter",
    values: [COMMON_SERVO_SPEED_FACTOR, given.number(0, "factor", 1.2)],
  }),
  get_linear_spd_limit_factor: () => ({ name: "getCommonParameter", values: [COMMON_SERVO_SPEED_FACTOR] }),
  get_dh_params: plain("getDhParameters"),
  set_feedback_type: one("setFeedbackType", "feedback_type"),
  vc_set_joint_velocity: (given) => ({
    name: "moveJointVelocity",
    values: [...given.angles(0, "speeds", 7), given.number(2, "is_sync", 1), ...duration(given)],
  }),
  vc_set_cartesian_velocity: (given) => ({
    name: "moveCartesianVelocity",
    values: [...given.pose(0, "speeds"), given.number(2, "is_tool_coord"), ...duration(given)],
  }),
  set_gripper_mode: writeGripper(GRIPPER_REGISTER.mode, (given) => [given.number(0, "mode")]),
  set_gripper_enable: writeGripper(GRIPPER_REGISTER.enable, (given) => [given.number(0, "enable")]),
  set_gripper_speed: writeGripper(GRIPPER_REGISTER.speed, (given) => [given.number(0, "speed")]),
  set_gripper_position: writeGripper(GRIPPER_REGISTER.targetPulse, (given) =>
    pulseToWords(given.number(0, "pos")),
  ),
  clean_gripper_error: writeGripper(GRIPPER_REGISTER.clearError, () => [1]),
  get_gripper_position: readGripper(GRIPPER_REGISTER.currentPulse, 2),
  get_gripper_err_code: readGripper(GRIPPER_REGISTER.error, 1),
  get_gripper_status: readGripper(GRIPPER_REGISTER.status, 1),
  get_gripper_version: readGripper(GRIPPER_REGISTER.versionMajor, 1),
};

/** Keywords that change when the client returns, or what it returns, but not what it sends. */
const HARMLESS = new Set(
  "wait timeout is_radian input_is_radian return_is_radian check_mode wait_motion auto_enable servo_id".split(
    " ",
  ),
);

/** Undefined for a call, or a keyword of a call, that this table does not know. */
export function messageOfVendorCall(call: VendorCall): MessageOfCall | undefined {
  const table = call.layer === "XArmAPI" ? api : low;
  if (!Object.hasOwn(table, call.call)) return undefined;
  const given = new Arguments(call);
  const message = table[call.call]?.(given);
  const isUnderstood = Object.keys(call.kwargs).every(
    (keyword) => given.used.has(keyword) || HARMLESS.has(keyword),
  );
  return isUnderstood ? message : undefined;
}

/** All positional arguments in order, lists opened. */
const flat = (given: Arguments, count: number): number[] =>
  given.call.args.flat().map(Number).slice(0, count);

/** Since firmware 1.8.0 the velocity calls carry a duration; the SDK's default is -1 (none is then sent). */
function duration(given: Arguments): number[] {
  const durationS = given.number(4, "duration", -1);
  return durationS < 0 ? [] : [durationS];
}

function toolRegister(name: MessageName, given: Arguments, argumentCount: number): MessageOfCall {
  const host = given.number(argumentCount, "bid", RS485_HOST_TOOL);
  return { name, values: [host, ...flat(given, argumentCount)] };
}

/** One joint: the other six are +inf, "keep" (firmware 2.4.101). With a radius it is blended, or relative. */
function moveJoint(given: Arguments): MessageOfCall {
  const servo = given.number(0, "servo_id", ALL_AXES);
  const angles =
    servo === ALL_AXES
      ? given.angles(1, "angle", 7)
      : Array.from({ length: 7 }, (_, i) =>
          i === servo - 1 ? given.angle(given.number(1, "angle")) : Number.POSITIVE_INFINITY,
        );
  const [speed = 0, acceleration = 0, time = 0] = given.jointMotion(2);
  const radius = given.number(9, "radius", -1);
  if (given.raw(5, "relative") === true)
    return { name: "moveRelative", values: [...angles, speed, acceleration, time, radius, 1, 0] };
  return radius >= 0
    ? { name: "moveJointBlended", values: [...angles, speed, acceleration, radius] }
    : { name: "moveJoint", values: [...angles, speed, acceleration, time] };
}

/** Gravity in the base frame of an arm tilted, then turned about its axis: Rz(-turn) Ry(-tilt) (0, 0, -1). */
function gravityOfMount(given: Arguments): number[] {
  const tiltRad = given.angle(given.number(0, "base_tilt_deg"));
  const turnRad = given.angle(given.number(1, "rotation_deg"));
  return [Math.sin(tiltRad) * Math.cos(turnRad), -Math.sin(tiltRad) * Math.sin(turnRad), -Math.cos(tiltRad)];
}
