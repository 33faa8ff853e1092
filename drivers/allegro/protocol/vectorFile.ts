/**
 * Vector files of this wire: single frames with what they mean, PD laws with the four frames that they make, a trace of the
 * vendor's filter, identifiers of V3. What they are held against is in frameVectors.ts and lawVectors.ts.
 */
import { z } from "zod";
import { FINGERS, HAND_SIDES } from "../../../kinematics/allegro/hand.js";

/** Angles, torques and speeds are doubles of the same formula: they differ by rounding only. */
export const RELATIVE_ERROR_MAX = 1e-12;

const Hex = z.string().regex(/^([0-9a-fA-F]{2})*$/);
const Four = z.array(z.number()).length(4);
const Sixteen = z.array(z.number()).length(16);

export const FrameVector = z.looseObject({
  tag: z.string(),
  name: z.string(),
  hand: z.enum(HAND_SIDES),
  version: z.enum(["v4", "v5"]),
  /** V5 only; A where it says nothing. */
  hw_type: z.enum(["A", "B"]).optional(),
  dir: z.enum(["tx", "rx"]),
  id: z.int(),
  id_hex: z.string(),
  rtr: z.boolean(),
  dlc: z.int(),
  data: Hex,
  /** The frame as a line of SLCAN; checked by whoever knows that format. */
  slcan: z.string().optional(),
  finger: z.enum(FINGERS).optional(),
  counts: Four.optional(),
  rad: Four.optional(),
  period_ms: z.array(z.int()).length(3).optional(),
  torque: Four.optional(),
  pwm: Four.optional(),
  pwm_limit: Four.optional(),
  torque_nm: Four.optional(),
  current_ma: Four.optional(),
  info: z
    .strictObject({
      hw: z.int(),
      fw: z.int(),
      hand_type: z.enum(HAND_SIDES),
      temperature_c: z.number(),
      status: z.int(),
      servo_on: z.boolean(),
      overtemp: z.boolean(),
      comm_fault: z.boolean(),
    })
    .optional(),
  serial_raw: z.string().optional(),
  serial_printed: z.string().optional(),
  sensor: z.int().optional(),
  celsius: z.number().optional(),
  words: z.array(z.int()).length(3).optional(),
  pressure_pa: z.partialRecord(z.enum(FINGERS), z.number()).optional(),
  /** Names of those errors that are set, each true, beside the motor. */
  error: z.record(z.string(), z.union([z.boolean(), z.int()])).optional(),
});
export type FrameVector = z.infer<typeof FrameVector>;

export const PdVector = z.looseObject({
  gains: z.string(),
  q_filtered: Sixteen,
  q_desired: Sixteen,
  v_filtered: Sixteen,
  torque: Sixteen,
  pwm: Sixteen,
  frames: z.array(z.looseObject({ id: z.int(), data: Hex })).length(4),
});
export type PdVector = z.infer<typeof PdVector>;

export const FilterVector = z.looseObject({
  dt: z.number().positive(),
  trace: z.array(
    z.looseObject({
      q: z.number(),
      q_filtered: z.number(),
      v_filtered: z.number(),
      v_raw: z.number(),
    }),
  ),
  dc_gain: z.number(),
});
export type FilterVector = z.infer<typeof FilterVector>;

export const V3Vector = z.looseObject({
  system_on: z.int(),
  system_off: z.int(),
  set_period: z.looseObject({ id: z.int() }),
  task_mode: z.int(),
  query: z.int(),
  torque_ids: z.array(z.int()).length(4),
  position_ids_host_dest1: z.array(z.int()).length(4),
});
export type V3Vector = z.infer<typeof V3Vector>;

export const HandVectorFile = z.looseObject({
  /** Frames of each kind, "v4/right/tx" and so on. */
  counts: z.record(z.string(), z.int()).optional(),
  frames: z.array(FrameVector).min(1),
  gains: z.record(z.string(), z.looseObject({ kp: Sixteen, kd: Sixteen })).optional(),
  pd: z.array(PdVector).optional(),
  filter: FilterVector.optional(),
  v3_ids: V3Vector.optional(),
});
export type HandVectorFile = z.infer<typeof HandVectorFile>;
