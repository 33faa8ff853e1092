/**
 * Low-level commands. The description that goes with them is byte for byte that of the vendor's own client, in its order: the
 * robot presumably takes any, and nobody has tried.
 */
import { CHUNK_BYTES_MIN, CHUNK_HEADER_BYTES, encodeChunk, sealChunk } from "./chunk.js";
import type { Description } from "./description.js";
import { encodeStream } from "./encode.js";
import { MOTOR_COUNT, MOTORS } from "./joints.js";
import { mapNumbers, type NumberMap, readNumbers, type WantedField, writeNumbers } from "./numbers.js";

/** What the robot does by itself when commands stop coming: 0 disabled, 1 damping, 2 the vendor's walking. */
export type FallbackMode = 0 | 1 | 2;
export const FALLBACK = { disabled: 0, damping: 1, locomotion: 2 } as const;

/** At each motor: torque + damping (velocity - measured velocity), within its limits. In the order of MOTORS. */
export interface DigitCommand {
  readonly torqueNm: Float64Array;
  readonly velocityRadPerS: Float64Array;
  readonly dampingNmSPerRad: Float64Array;
  fallback: FallbackMode;
  /** False keeps the link alive and moves nothing. */
  apply: boolean;
}

export const createCommand = (): DigitCommand => ({
  torqueNm: new Float64Array(MOTOR_COUNT),
  velocityRadPerS: new Float64Array(MOTOR_COUNT),
  dampingNmSPerRad: new Float64Array(MOTOR_COUNT),
  fallback: FALLBACK.damping,
  apply: false,
});

const FALLBACK_AT = 3 * MOTOR_COUNT;
const APPLY_AT = FALLBACK_AT + 1;
const VALUE_COUNT = APPLY_AT + 1;

/** Place in the flat array: three numbers of each motor, then fallback and apply. */
const COMMAND_FIELDS: readonly WantedField[] = [
  ...MOTORS.flatMap((motor, index) =>
    (["torque", "velocity", "damping"] as const).map(
      (what, part): WantedField => ({
        name: `${motor}.${what}`,
        kind: "float",
        rows: 1,
        at: 3 * index + part,
      }),
    ),
  ),
  { name: "fallback_opmode", kind: "enum", rows: 1, at: FALLBACK_AT },
  { name: "apply_command", kind: "bool", rows: 1, at: APPLY_AT },
];

const OPERATION_MODE = {
  type: 256,
  scalar: "u32",
  labels: ["Disabled", "Damping", "Locomotion"],
} as const;

const STREAM = encodeStream({
  enumerations: [OPERATION_MODE],
  fields: COMMAND_FIELDS.map(({ name, kind }) => ({
    name,
    type: kind === "enum" ? OPERATION_MODE.type : kind === "bool" ? "bool" : "f64",
  })),
});

/** Packs commands as the vendor's client does. */
export class CommandWriter {
  /** STRT, ENUM, DESC, DEND: one datagram each. */
  readonly descriptionChunks: readonly Buffer[] = STREAM.chunks;
  readonly description: Description = STREAM.description;
  readonly #numbers = mapNumbers(STREAM.description, COMMAND_FIELDS);
  readonly #values = new Float64Array(VALUE_COUNT);
  readonly #datagram = encodeChunk("UDAT", new Uint8Array(STREAM.description.messageBytes));
  readonly #view = new DataView(this.#datagram.buffer, this.#datagram.byteOffset, this.#datagram.length);

  /** The same buffer each time, valid until the next call; allocates nothing. */
  write(command: DigitCommand): Buffer {
    const values = this.#values;
    for (let motor = 0; motor < MOTOR_COUNT; motor++) {
      values[3 * motor] = command.torqueNm[motor]!;
      values[3 * motor + 1] = command.velocityRadPerS[motor]!;
      values[3 * motor + 2] = command.dampingNmSPerRad[motor]!;
    }
    values[FALLBACK_AT] = command.fallback;
    values[APPLY_AT] = command.apply ? 1 : 0;
    writeNumbers(this.#numbers, values, this.#view, CHUNK_HEADER_BYTES);
    sealChunk(this.#datagram);
    return this.#datagram;
  }
}

/** The robot's side: reads commands of one description, whatever its order. */
export class CommandReader {
  readonly #numbers: NumberMap;
  readonly #values = new Float64Array(VALUE_COUNT);

  constructor(readonly description: Description) {
    this.#numbers = mapNumbers(description, COMMAND_FIELDS);
  }

  /** Names of fields that the client does not send as they must be; they stay 0. */
  get missing(): readonly string[] {
    return this.#numbers.missing;
  }

  /** @returns false, with nothing read, where the fallback mode is none */
  read(view: DataView, start: number, into: DigitCommand): boolean {
    const values = this.#values;
    readNumbers(this.#numbers, view, start, values);
    const fallback = values[FALLBACK_AT];
    if (fallback !== 0 && fallback !== 1 && fallback !== 2) return false;
    for (let motor = 0; motor < MOTOR_COUNT; motor++) {
      into.torqueNm[motor] = values[3 * motor]!;
      into.velocityRadPerS[motor] = values[3 * motor + 1]!;
      into.dampingNmSPerRad[motor] = values[3 * motor + 2]!;
    }
    into.fallback = fallback;
    into.apply = values[APPLY_AT] !== 0;
    return true;
  }
}

/** Bytes of a command's datagram: 497. */
export const COMMAND_BYTES = CHUNK_BYTES_MIN + STREAM.description.messageBytes;
