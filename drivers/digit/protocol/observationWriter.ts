/** The robot's side of observations: some layout that describes itself, and its messages. */
import { CHUNK_HEADER_BYTES, encodeChunk, sealChunk } from "./chunk.js";
import type { Description } from "./description.js";
import { type EncodedStream, encodeStream, type FieldPlan } from "./encode.js";
import { MOTORS } from "./joints.js";
import type { DigitLimits } from "./limits.js";
import { mapNumbers, writeNumbers } from "./numbers.js";
import { type DigitObservation, OBSERVATION_FIELDS } from "./observation.js";
import type { ScalarType } from "./scalar.js";

export interface ObservationLayout {
  readonly float?: "f32" | "f64";
  readonly battery?: ScalarType;
  /** Changes the plain list of fields: another order, padding, fields that nobody knows, fields left out. */
  readonly arrange?: (fields: readonly FieldPlan[]) => readonly FieldPlan[];
  readonly others?: readonly { readonly letters: string; readonly data: Uint8Array }[];
  readonly letters?: { readonly fields?: string; readonly comment?: string };
}

/** @param limits none leaves the comment out */
export function encodeObservationStream(
  limits: Omit<DigitLimits, "missing"> | undefined,
  { float = "f64", battery = "i16", arrange = (fields) => fields, ...rest }: ObservationLayout = {},
): EncodedStream {
  const typeOf: Readonly<Record<string, ScalarType>> = { float, bool: "bool", integer: battery };
  const fields = OBSERVATION_FIELDS.map(({ name, kind, rows }) => ({
    name,
    type: typeOf[kind] ?? float,
    rows,
  }));
  return encodeStream({
    fields: arrange(fields),
    constants: limits === undefined ? [] : constantsOf(limits),
    ...rest,
  });
}

function constantsOf(limits: Omit<DigitLimits, "missing">) {
  const constant = (name: string, value: number) => ({ name, type: "f64" as const, values: [value] });
  return [
    ...(limits.errorShutdownDelayS === undefined
      ? []
      : [constant("error_shutdown_delay", limits.errorShutdownDelayS)]),
    ...MOTORS.flatMap((motor, index) => [
      constant(`${motor}.torque_limit`, limits.torqueNm[index]!),
      constant(`${motor}.damping_limit`, limits.dampingNmSPerRad[index]!),
      constant(`${motor}.velocity_limit`, limits.velocityRadPerS[index]!),
    ]),
  ];
}

export class ObservationWriter {
  readonly #numbers;
  readonly #datagram;
  readonly #view;

  constructor(description: Description) {
    this.#numbers = mapNumbers(description, OBSERVATION_FIELDS);
    this.#datagram = encodeChunk("UDAT", new Uint8Array(description.messageBytes));
    this.#view = new DataView(this.#datagram.buffer, this.#datagram.byteOffset, this.#datagram.length);
  }

  /** A whole datagram; the same buffer each time, valid until the next call. */
  write(observation: DigitObservation): Buffer {
    writeNumbers(this.#numbers, observation.values, this.#view, CHUNK_HEADER_BYTES);
    sealChunk(this.#datagram);
    return this.#datagram;
  }
}
