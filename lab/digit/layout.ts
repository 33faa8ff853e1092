/**
 * How the emulated Digit lays out and describes its observations. The real robot's layout is not public, so a client must
 * take any that describes itself: the variants here are such, besides what faults leave out or falsify.
 */
import {
  type EncodedStream,
  encodeStream,
  type FieldPlan,
  MOTORS,
  OBSERVATION_FIELDS,
} from "../../drivers/digit/protocol/index.js";
import type { DigitFaults, Layout } from "./digitFaults.js";
import { ERROR_SHUTDOWN_DELAY_S, MOTOR_LIMITS } from "./specs.js";

type ScalarType = Extract<FieldPlan["type"], string>;
type Kind = (typeof OBSERVATION_FIELDS)[number]["kind"];
const PLAIN: Partial<Record<Kind, ScalarType>> = { float: "f64", bool: "bool", integer: "i16" };
const SINGLE: Partial<Record<Kind, ScalarType>> = { float: "f32", bool: "bool", integer: "u8" };

export function describeObservations(faults: DigitFaults): EncodedStream {
  const layout = faults.get("laysOut")?.as ?? "plain";
  const missing = new Set(faults.get("misses")?.fields);
  const constants = faults.get("claims")?.nothing ? [] : limitConstants(faults);
  return encodeStream({
    fields: fieldsOf(layout).filter(({ name }) => !missing.has(name)),
    constants: constants.filter(({ name }) => !missing.has(name)),
    ...(layout === "lowerCase" ? { letters: { fields: "DESc" } } : {}),
    ...(layout === "withUnknownChunks"
      ? {
          others: [
            { letters: "XTRa", data: Uint8Array.of(1, 2, 3) },
            { letters: "XTRB", data: Uint8Array.of(9) },
          ],
        }
      : {}),
  });
}

function fieldsOf(layout: Layout): readonly FieldPlan[] {
  const types = layout === "singlePrecision" ? SINGLE : PLAIN;
  const fields = OBSERVATION_FIELDS.map(
    ({ name, kind, rows }): FieldPlan => ({ name, type: types[kind]!, rows }),
  );
  switch (layout) {
    case "otherOrder":
      return fields.reverse();
    case "padded":
      return fields.flatMap((field) =>
        field.type === "f64" ? [field] : [field, { name: "", type: "u8", rows: 7 }],
      );
    case "withUnknownFields":
      return [
        { name: "gripper.temperature", type: "f32", rows: 2 },
        ...fields,
        { name: "checks", type: "u16", rows: 3 },
      ];
    default:
      return fields;
  }
}

/** Motor limits, and how long low-level control goes on after an error. */
function limitConstants(faults: DigitFaults) {
  const claims = faults.get("claims");
  const type: ScalarType = claims?.asSinglePrecision ? "f32" : "f64";
  const { torque = 1, damping = 1, velocity = 1 } = claims ?? {};
  const constant = (name: string, value: number, as: ScalarType = type) => ({
    name,
    type: as,
    values: [value],
  });
  return [
    constant("error_shutdown_delay", ERROR_SHUTDOWN_DELAY_S, "f64"),
    ...MOTORS.flatMap((motor, index) => {
      const { torqueNm, dampingNmSPerRad, velocityRadPerS } = MOTOR_LIMITS[index]!;
      return [
        constant(`${motor}.torque_limit`, torque * torqueNm),
        constant(`${motor}.damping_limit`, damping * dampingNmSPerRad),
        constant(`${motor}.velocity_limit`, velocity * velocityRadPerS),
      ];
    }),
  ];
}
