/**
 * The four report streams as tables: name, offset, type and count of every field, with the vendor's name for it.
 * Floats are little-endian, integers big-endian. Each stream has the frame lengths that were met in the field or in
 * documents; a longer one only appends. Lengths not listed are refused, among them 233 (old firmware, ambiguous).
 * Sources: ufactory_docs a77fb6d8, report structures of xarm-python-sdk 1.18.4. Wire units: rad, mm, N m, µs.
 */

export type ReportFieldType = "u8" | "i8" | "u16" | "i16" | "u32" | "u64" | "f32" | "text";

export interface ReportField {
  readonly vendor: string;
  readonly offset: number;
  readonly type: ReportFieldType;
  /** 1 is a number; more is an array (or a text of that many bytes). */
  readonly count: number;
}

const field = <T extends ReportFieldType, N extends number>(
  offset: number,
  type: T,
  count: N,
  vendor: string,
) => ({ vendor, offset, type, count });

const common = {
  lengthBytes: field(0, "u32", 1, "data_size"),
  /** Mode in the high nibble, state in the low one. */
  modeState: field(4, "u8", 1, "state_mode"),
  queueCount: field(5, "u16", 1, "cmd_num"),
  positionRad: field(7, "f32", 7, "actual_joint_angle"),
  toolPoseMmRad: field(35, "f32", 6, "actual_tcp_pose"),
  effortNm: field(59, "f32", 7, "estimated_joint_torque"),
};

const status = {
  ...common,
  /** Bit per joint; 1 = released (polarity from the vendor client's readiness rule). */
  brakeBits: field(87, "u8", 1, "motor_brake_status"),
  enableBits: field(88, "u8", 1, "motor_enable_status"),
  errorCode: field(89, "u8", 1, "error_code"),
  warningCode: field(90, "u8", 1, "warn_code"),
  toolOffsetMmRad: field(91, "f32", 6, "tcp_offset"),
  /** kg, then centre of mass in mm. */
  toolLoadKgMm: field(115, "f32", 4, "tcp_payload"),
  collisionSensitivity: field(131, "u8", 1, "collision_sens"),
  teachSensitivity: field(132, "u8", 1, "teaching_sens"),
  gravityDirection: field(133, "f32", 3, "gravity_direction"),
};

const rich = {
  ...status,
  robotType: field(145, "u8", 1, "robot_type"),
  robotAxes: field(146, "u8", 1, "robot_axis"),
  /** 0xAA, 0x55. */
  masterId: field(147, "u8", 1, "master_id"),
  slaveId: field(148, "u8", 1, "slave_id"),
  motorTid: field(149, "u8", 1, "motor_tid"),
  motorFid: field(150, "u8", 1, "motor_fid"),
  version: field(151, "text", 30, "version"),
  toolJerkMmPerS3: field(181, "f32", 1, "tcp_jerk"),
  toolAccelerationMinMmPerS2: field(185, "f32", 1, "tcp_min_acc"),
  toolAccelerationMaxMmPerS2: field(189, "f32", 1, "tcp_max_acc"),
  toolSpeedMinMmPerS: field(193, "f32", 1, "tcp_min_speed"),
  toolSpeedMaxMmPerS: field(197, "f32", 1, "tcp_max_speed"),
  jointJerkRadPerS3: field(201, "f32", 1, "joint_jerk"),
  jointAccelerationMinRadPerS2: field(205, "f32", 1, "joint_min_acc"),
  jointAccelerationMaxRadPerS2: field(209, "f32", 1, "joint_max_acc"),
  jointSpeedMinRadPerS: field(213, "f32", 1, "joint_min_speed"),
  jointSpeedMaxRadPerS: field(217, "f32", 1, "joint_max_speed"),
  rotationJerk: field(221, "f32", 1, "rot_jerk"),
  rotationAccelerationMax: field(225, "f32", 1, "rot_max_acc"),
  /** Per joint: status, error. */
  servoCodes: field(229, "u8", 14, "servo_status_codes"),
  toolIoCodes: field(243, "u8", 2, "tgpio_status_codes"),
  temperaturesC: field(245, "i8", 7, "temperatures"),
  targetToolSpeedMmPerS: field(252, "f32", 1, "target_tcp_speed"),
  targetVelocityRadPerS: field(256, "f32", 7, "target_joint_speed"),
  counter: field(284, "u32", 1, "counter"),
  worldOffsetMmRad: field(288, "f32", 6, "world_offset"),
  boxIoReset: field(312, "u8", 1, "cgpio_reset_enable"),
  toolIoReset: field(313, "u8", 1, "tgpio_reset_enable"),
  isSimulation: field(314, "u8", 1, "is_simulation_robot"),
  selfCollisionCheck: field(315, "u8", 1, "is_collision_detection"),
  collisionToolType: field(316, "u8", 1, "collision_tool_type"),
  collisionToolParameters: field(317, "f32", 6, "collision_tool_params"),
  /** Hundredths of a volt. */
  voltagesRaw: field(341, "u16", 7, "joint_voltages"),
  currentsA: field(355, "f32", 7, "joint_currents"),
  boxIoState: field(383, "u8", 1, "cgpio_module_status"),
  boxIoError: field(384, "u8", 1, "cgpio_module_error_code"),
  boxInputFunction: field(385, "u16", 1, "cgpio_digital_input_function_io_status"),
  boxInput: field(387, "u16", 1, "cgpio_digital_input_configuration_io_status"),
  boxOutputFunction: field(389, "u16", 1, "cgpio_digital_output_function_io_status"),
  boxOutput: field(391, "u16", 1, "cgpio_digital_output_configuration_io_status"),
  /** Of 4095 = 10 V. */
  boxAnalogInput1Raw: field(393, "u16", 1, "cgpio_analog_input_1"),
  boxAnalogInput2Raw: field(395, "u16", 1, "cgpio_analog_input_2"),
  boxAnalogOutput1Raw: field(397, "u16", 1, "cgpio_analog_output_1"),
  boxAnalogOutput2Raw: field(399, "u16", 1, "cgpio_analog_output_2"),
  boxInputConfig1: field(401, "u8", 8, "cgpio_digital_input_io_config_1"),
  boxOutputConfig1: field(409, "u8", 8, "cgpio_digital_output_io_config_1"),
  boxInputConfig2: field(417, "u8", 8, "cgpio_digital_input_io_config_2"),
  boxOutputConfig2: field(425, "u8", 8, "cgpio_digital_output_io_config_2"),
  forceExternal: field(433, "f32", 6, "ft_ext_force"),
  forceRaw: field(457, "f32", 6, "ft_raw_force"),
  identificationPercent: field(481, "u8", 1, "iden_progress"),
  axisAngleRad: field(482, "f32", 3, "axis_angle"),
  /** Bits: 0 reduced, 1 fence, 2 report current, 3 approximate, 4 continuous. */
  configFlags: field(494, "u8", 1, "config_status"),
  isReduced: field(495, "u8", 1, "is_reduced_mode"),
  /** mm: x+ x- y+ y- z+ z- in the vendor's order. */
  reducedBoundsMm: field(496, "i16", 6, "reduced_tcp_boundary"),
  reducedToolSpeedMmPerS: field(508, "f32", 1, "reduced_tcp_max_speed"),
  reducedJointSpeedRadPerS: field(512, "f32", 1, "reduced_joint_max_speed"),
  reducedJointRangeRad: field(516, "f32", 14, "reduced_joint_limits"),
  isFence: field(572, "u8", 1, "is_fence_mode"),
  isRebound: field(573, "u8", 1, "is_collision_rebound"),
  boxAlarm: field(574, "u32", 1, "cgpio_alarm_code"),
  switchStatus: field(578, "u8", 1, "switch_status"),
  deviceType: field(579, "u8", 1, "monitor_device_type"),
  deviceState: field(580, "u8", 1, "monitor_device_state"),
  devicePositionRaw: field(581, "i16", 1, "monitor_device_pos"),
  deviceSpeedRaw: field(583, "i16", 1, "monitor_device_speed"),
  deviceCurrentRaw: field(585, "i16", 1, "monitor_device_current"),
};

const realTime = {
  ...common,
  forceExternal: field(87, "f32", 6, "ft_ext_force"),
  forceRaw: field(111, "f32", 6, "ft_raw_force"),
};

const highRate = {
  lengthBytes: field(0, "u32", 1, "data_size"),
  timeUs: field(4, "u64", 1, "timestamp"),
  modeState: field(12, "u8", 1, "state_mode"),
  queueCount: field(13, "u16", 1, "cmd_num"),
  targetPositionRad: field(32, "f32", 7, "target_joint_angle"),
  targetVelocityRadPerS: field(60, "f32", 7, "target_joint_velocity"),
  targetAccelerationRadPerS2: field(88, "f32", 7, "target_joint_acceleration"),
  positionRad: field(116, "f32", 7, "actual_joint_angle"),
  velocityRadPerS: field(144, "f32", 7, "actual_joint_velocity"),
  accelerationRadPerS2: field(172, "f32", 7, "actual_joint_acceleration"),
  currentsA: field(200, "f32", 7, "actual_joint_current"),
  effortNm: field(228, "f32", 7, "estimated_joint_torque"),
  targetToolPoseMmRad: field(424, "f32", 6, "target_tcp_pose"),
  targetToolSpeedMmPerS: field(448, "f32", 6, "target_tcp_speed"),
  toolPoseMmRad: field(472, "f32", 6, "actual_tcp_pose"),
  toolSpeedMmPerS: field(496, "f32", 6, "actual_tcp_speed"),
  toolWrench: field(520, "f32", 6, "estimated_tcp_torque"),
  targetToolAcceleration: field(544, "f32", 6, "target_tcp_acceleration"),
  toolAcceleration: field(568, "f32", 6, "actual_tcp_acceleration"),
  /** Raw before external: the opposite order to the other streams. */
  forceRaw: field(688, "f32", 6, "ft_raw_force"),
  forceExternal: field(712, "f32", 6, "ft_ext_force"),
  deviceType: field(736, "u8", 1, "monitor_device_type"),
  deviceState: field(737, "u8", 1, "monitor_device_state"),
  devicePositionRaw: field(738, "i16", 1, "monitor_device_pos"),
  deviceSpeedRaw: field(740, "i16", 1, "monitor_device_speed"),
  deviceCurrentRaw: field(742, "i16", 1, "monitor_device_current"),
  /** From here on only in the newest structure; ten 16-bit numbers fill its 20 bytes exactly. */
  boxInput: field(784, "u16", 1, "cgpio_digital_input"),
  boxOutput: field(786, "u16", 1, "cgpio_digital_output"),
  boxAnalogInputRaw: field(788, "u16", 2, "cgpio_analog_input"),
  boxAnalogOutputRaw: field(792, "u16", 2, "cgpio_analog_output"),
  toolInput: field(796, "u16", 1, "tgpio_digital_input"),
  toolOutput: field(798, "u16", 1, "tgpio_digital_output"),
  toolAnalogInputRaw: field(800, "u16", 2, "tgpio_analog_input"),
};

/** Vendor's port number, frame lengths met, and fields. `checked`: the vendor's client refuses implausible values. */
export const REPORTS = {
  highRate: { port: 30000, lengths: [784, 804], checked: false, fields: highRate },
  normal: { port: 30001, lengths: [145], checked: true, fields: status },
  rich: {
    port: 30002,
    lengths: [245, 252, 284, 288, 312, 314, 417, 433, 481, 482, 494, 495, 574, 587],
    checked: true,
    fields: rich,
  },
  realTime: { port: 30003, lengths: [87, 135], checked: false, fields: realTime },
} as const;

export type ReportKind = keyof typeof REPORTS;
export const REPORT_KINDS = Object.keys(REPORTS) as ReportKind[];
/** Longest frame of any stream. */
export const REPORT_BYTES_MAX = 804;

type ValueOf<F> = F extends { type: "text" } ? string : F extends { count: 1 } ? number : Float64Array;
export type ReportOf<K extends ReportKind> = {
  -readonly [name in keyof (typeof REPORTS)[K]["fields"]]: ValueOf<(typeof REPORTS)[K]["fields"][name]>;
};

export const modeStateByte = (mode: number, state: number): number => ((mode & 0x0f) << 4) | (state & 0x0f);
export const modeOf = (modeState: number): number => modeState >> 4;
export const stateOf = (modeState: number): number => modeState & 0x0f;
