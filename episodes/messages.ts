/**
 * Our own messages in an episode, in our own words, and the way to their ROS form and back. The definitions are the
 * .msg files of `cerebellum_msgs`; what is read is checked, because files come from anywhere.
 */
import { z } from "zod";
import { asEpochNs, type EpochNs, fromRosTime, toRosTime } from "../core/clock.js";
import { CerebellumError } from "../core/errors.js";
import type { FloatingBase } from "../core/floatingBase.js";
import type { RosMessage } from "./rosCodec.js";

export const SERVO_TICK = "cerebellum_msgs/msg/ServoTick";
export const POLICY_STEP = "cerebellum_msgs/msg/PolicyStep";
export const EVENT = "cerebellum_msgs/msg/Event";
export const TELEOP_INPUT = "cerebellum_msgs/msg/TeleopInput";
export const CLOCK_MAPPING = "cerebellum_msgs/msg/ClockMapping";

/** Topics that the recorder itself fills. */
export const servoTickTopic = (robot: string): string => `/${robot}/servo_tick`;
export const servoEventTopic = (robot: string): string => `/${robot}/servo_event`;
export const POLICY_STEP_TOPIC = "/cerebellum/policy_step";
export const TELEOP_INPUT_TOPIC = "/cerebellum/teleop_input";
/** What each step of a policy without pictures was given: see `labelledNumbers.ts`. */
export const POLICY_READING_TOPIC = "/cerebellum/policy_reading";
/** Images that a policy used, without loss, when the camera's own topic is kept with loss. */
export const policyInputTopic = (camera: string): string => `/cerebellum/policy_input/${camera}/compressed`;
export const RECORDER_EVENT_TOPIC = "/cerebellum/recorder_event";
export const CLOCK_TOPIC = "/cerebellum/clock";

const Stamp = z
  .object({ sec: z.int(), nanosec: z.int().min(0).max(999_999_999) })
  .transform(({ sec, nanosec }): EpochNs => fromRosTime(sec, nanosec));
const Big = z.bigint().transform(Number);
/** A number that older recordings do not have. */
const NewerNumber = z.number().or(z.nan()).default(Number.NaN);
const Vector = z.custom<Float64Array>((value) => value instanceof Float64Array);

const NOTHING = new Float64Array();
/** Older episodes do not have it, and robots that are fixed to something leave it empty. */
const BaseVector = Vector.default(NOTHING);
const BaseFields = z.object({
  base_translation_m: BaseVector,
  base_quat_xyzw: BaseVector,
  base_linear_velocity_m_per_s: BaseVector,
  base_angular_velocity_rad_per_s: BaseVector,
  base_specific_force_m_per_s2: BaseVector,
  passive_position_rad: BaseVector,
  passive_velocity_rad_per_s: BaseVector,
});

const readBase = (found: z.infer<typeof BaseFields>): { readonly base?: FloatingBase | undefined } =>
  found.base_quat_xyzw.length === 0
    ? {}
    : {
        base: {
          translationWorldM: found.base_translation_m,
          quatWorldBaseXyzw: found.base_quat_xyzw,
          linearVelocityBaseMPerS: found.base_linear_velocity_m_per_s,
          angularVelocityBaseRadPerS: found.base_angular_velocity_rad_per_s,
          specificForceBaseMPerS2: found.base_specific_force_m_per_s2,
          passivePositionRad: found.passive_position_rad,
          passiveVelocityRadPerS: found.passive_velocity_rad_per_s,
        },
      };

const writeBase = (base: FloatingBase | undefined): z.infer<typeof BaseFields> => ({
  base_translation_m: base?.translationWorldM ?? NOTHING,
  base_quat_xyzw: base?.quatWorldBaseXyzw ?? NOTHING,
  base_linear_velocity_m_per_s: base?.linearVelocityBaseMPerS ?? NOTHING,
  base_angular_velocity_rad_per_s: base?.angularVelocityBaseRadPerS ?? NOTHING,
  base_specific_force_m_per_s2: base?.specificForceBaseMPerS2 ?? NOTHING,
  passive_position_rad: base?.passivePositionRad ?? NOTHING,
  passive_velocity_rad_per_s: base?.passiveVelocityRadPerS ?? NOTHING,
});

/** One servo tick; joint vectors [rad], [rad/s], [N m], base to tool. See ServoTick.msg for each field. */
const ServoTickFields = z
  .object({
    stamp: Stamp,
    tick: Big,
    state: z.string(),
    epoch: z.number(),
    commander: z.string(),
    command_seq: z.number(),
    reasons: z.number(),
    state_stamp: Stamp,
    state_sequence: Big,
    device_time_us: Big,
    requested_rad: Vector,
    limited_rad: Vector,
    sent_rad: Vector,
    position_rad: Vector,
    velocity_rad_per_s: Vector,
    effort_nm: Vector,
    gripper_command_m: z.number().or(z.nan()),
    gripper_opening_m: z.number().or(z.nan()),
    device_error_code: z.number(),
    ...BaseFields.shape,
  })
  .transform((found) => ({
    ...readBase(found),
    stampNs: found.stamp,
    tick: found.tick,
    state: found.state,
    epoch: found.epoch,
    commander: found.commander,
    commandSeq: found.command_seq,
    reasons: found.reasons,
    stateStampNs: found.state_stamp,
    stateSequence: found.state_sequence,
    deviceTimeUs: found.device_time_us,
    requestedRad: found.requested_rad,
    limitedRad: found.limited_rad,
    sentRad: found.sent_rad,
    positionRad: found.position_rad,
    velocityRadPerS: found.velocity_rad_per_s,
    effortNm: found.effort_nm,
    gripperCommandM: found.gripper_command_m,
    gripperOpeningM: found.gripper_opening_m,
    deviceErrorCode: found.device_error_code,
  }));
export type ServoTick = z.infer<typeof ServoTickFields>;

export const writeServoTick = (tick: ServoTick): RosMessage => ({
  stamp: toRosTime(tick.stampNs),
  tick: BigInt(tick.tick),
  state: tick.state,
  epoch: tick.epoch,
  commander: tick.commander,
  command_seq: tick.commandSeq,
  reasons: tick.reasons,
  state_stamp: toRosTime(tick.stateStampNs),
  state_sequence: BigInt(tick.stateSequence),
  device_time_us: BigInt(tick.deviceTimeUs),
  requested_rad: tick.requestedRad,
  limited_rad: tick.limitedRad,
  sent_rad: tick.sentRad,
  position_rad: tick.positionRad,
  velocity_rad_per_s: tick.velocityRadPerS,
  effort_nm: tick.effortNm,
  gripper_command_m: tick.gripperCommandM,
  gripper_opening_m: tick.gripperOpeningM,
  device_error_code: tick.deviceErrorCode,
  ...writeBase(tick.base),
});

const PolicyStepFields = z
  .object({
    stamp: Stamp,
    policy: z.string(),
    step: z.number(),
    skipped_steps: z.number(),
    refusal: z.string(),
    camera: z.string(),
    image_stamp: Stamp,
    position_rad: Vector,
    gripper_opening_m: z.number().or(z.nan()),
    output_rad: Vector,
    action_rad: Vector,
    target_rad: Vector,
    label_rad: Vector,
    phase: z.string(),
    command_seq: z.number(),
    wire_stamp: Stamp,
    start_lateness_ms: z.number().or(z.nan()),
    image_age_ms: z.number().or(z.nan()),
    preprocess_ms: z.number().or(z.nan()),
    encode_ms: z.number().or(z.nan()),
    control_ms: z.number().or(z.nan()),
    send_ms: z.number().or(z.nan()),
    gripper_output_m: NewerNumber,
    gripper_target_m: NewerNumber,
    gripper_label_m: NewerNumber,
  })
  .transform((found) => ({
    stampNs: found.stamp,
    policy: found.policy,
    step: found.step,
    skippedSteps: found.skipped_steps,
    refusal: found.refusal,
    camera: found.camera,
    imageStampNs: found.image_stamp,
    positionRad: found.position_rad,
    gripperOpeningM: found.gripper_opening_m,
    outputRad: found.output_rad,
    actionRad: found.action_rad,
    targetRad: found.target_rad,
    labelRad: found.label_rad,
    phase: found.phase,
    commandSeq: found.command_seq,
    wireStampNs: found.wire_stamp,
    startLatenessMs: found.start_lateness_ms,
    imageAgeMs: found.image_age_ms,
    preprocessMs: found.preprocess_ms,
    encodeMs: found.encode_ms,
    controlMs: found.control_ms,
    sendMs: found.send_ms,
    gripperOutputM: found.gripper_output_m,
    gripperTargetM: found.gripper_target_m,
    gripperLabelM: found.gripper_label_m,
  }));
export type PolicyStep = z.infer<typeof PolicyStepFields>;

export const writePolicyStep = (step: PolicyStep): RosMessage => ({
  stamp: toRosTime(step.stampNs),
  policy: step.policy,
  step: step.step,
  skipped_steps: step.skippedSteps,
  refusal: step.refusal,
  camera: step.camera,
  image_stamp: toRosTime(step.imageStampNs),
  position_rad: step.positionRad,
  gripper_opening_m: step.gripperOpeningM,
  output_rad: step.outputRad,
  action_rad: step.actionRad,
  target_rad: step.targetRad,
  label_rad: step.labelRad,
  phase: step.phase,
  command_seq: step.commandSeq,
  wire_stamp: toRosTime(step.wireStampNs),
  start_lateness_ms: step.startLatenessMs,
  image_age_ms: step.imageAgeMs,
  preprocess_ms: step.preprocessMs,
  encode_ms: step.encodeMs,
  control_ms: step.controlMs,
  send_ms: step.sendMs,
  gripper_output_m: step.gripperOutputM,
  gripper_target_m: step.gripperTargetM,
  gripper_label_m: step.gripperLabelM,
});

const EventFields = z
  .object({ stamp: Stamp, source: z.string(), kind: z.string(), trigger: z.string(), text: z.string() })
  .transform(({ stamp, ...rest }) => ({ stampNs: stamp, ...rest }));
export type RecordedEvent = z.infer<typeof EventFields>;

export const writeEvent = ({ stampNs, ...rest }: RecordedEvent): RosMessage => ({
  stamp: toRosTime(stampNs),
  ...rest,
});

const TeleopInputFields = z
  .object({
    stamp: Stamp,
    source: z.string(),
    device: z.string(),
    operator_name: z.string(),
    seq: z.number(),
    device_time_ms: z.number(),
    space: z.string(),
    hand: z.string(),
    tracked: z.boolean(),
    pose: Vector,
    clutch: z.number(),
    gripper: z.number(),
    joints: Vector,
    state: z.string(),
    why: z.string(),
    wanted: Vector,
    target_rad: Vector,
    command_seq: z.number(),
    limited_by: z.array(z.string()),
  })
  .transform((found) => ({
    stampNs: found.stamp,
    source: found.source,
    device: found.device,
    operatorName: found.operator_name,
    seq: found.seq,
    deviceTimeMs: found.device_time_ms,
    space: found.space,
    hand: found.hand,
    tracked: found.tracked,
    pose: found.pose,
    clutch: found.clutch,
    gripper: found.gripper,
    joints: found.joints,
    state: found.state,
    why: found.why,
    wanted: found.wanted,
    targetRad: found.target_rad,
    commandSeq: found.command_seq,
    limitedBy: found.limited_by,
  }));
/** One pose of a person's hand as it arrived, and what became of it. See TeleopInput.msg for each field. */
export type TeleopInput = z.infer<typeof TeleopInputFields>;

export const writeTeleopInput = (input: TeleopInput): RosMessage => ({
  stamp: toRosTime(input.stampNs),
  source: input.source,
  device: input.device,
  operator_name: input.operatorName,
  seq: input.seq,
  device_time_ms: input.deviceTimeMs,
  space: input.space,
  hand: input.hand,
  tracked: input.tracked,
  pose: input.pose,
  clutch: input.clutch,
  gripper: input.gripper,
  joints: input.joints,
  state: input.state,
  why: input.why,
  wanted: input.wanted,
  target_rad: input.targetRad,
  command_seq: input.commandSeq,
  limited_by: input.limitedBy,
});

const ClockMappingFields = z
  .object({ monotonic_ns: z.bigint(), epoch_ns: z.bigint() })
  .transform(({ monotonic_ns, epoch_ns }) => ({ monotonicNs: monotonic_ns, epochNs: asEpochNs(epoch_ns) }));

export const writeClockMapping = (mapping: { monotonicNs: bigint; epochNs: bigint }): RosMessage => ({
  monotonic_ns: mapping.monotonicNs,
  epoch_ns: mapping.epochNs,
});

const reading =
  <T>(type: string, fields: z.ZodType<T>) =>
  (message: RosMessage): T => {
    const result = fields.safeParse(message);
    if (result.success) return result.data;
    throw new CerebellumError(
      "EPISODE_INVALID",
      `A ${type} message does not have the expected fields: ${z.prettifyError(result.error)}`,
      "It was recorded by a version with another definition; leave this episode out",
    );
  };

/** @throws CerebellumError EPISODE_INVALID, like the readers that follow */
export const readServoTick = reading(SERVO_TICK, ServoTickFields);
export const readPolicyStep = reading(POLICY_STEP, PolicyStepFields);
export const readEvent = reading(EVENT, EventFields);
export const readTeleopInput = reading(TELEOP_INPUT, TeleopInputFields);
export const readClockMapping = reading(CLOCK_MAPPING, ClockMappingFields);
