/** What an exported network says of its own inputs and outputs: names of slots, kept among the model file's notes. */
import { z } from "zod";

/** Keys of the notes; the trainer writes the same. */
export const SLOT_NOTES = { observation: "cerebellum.observation", action: "cerebellum.action" } as const;

const METADATA_FIELD = 14;
const Names = z.array(z.string());

export interface ModelSlots {
  readonly observation: readonly string[];
  readonly action: readonly string[];
}

/** Undefined where the file is no ONNX model or has no such notes. Only the outermost message is read. */
export function readModelSlots(model: Uint8Array): ModelSlots | undefined {
  const notes = new Map<string, string>();
  const text = new TextDecoder();
  for (const [field, value] of fieldsOf(model)) {
    if (field !== METADATA_FIELD) continue;
    const entry = new Map([...fieldsOf(value)].map(([number, bytes]) => [number, text.decode(bytes)]));
    notes.set(entry.get(1) ?? "", entry.get(2) ?? "");
  }
  const [observation, action] = [SLOT_NOTES.observation, SLOT_NOTES.action].map((key) => {
    const note = notes.get(key);
    return note === undefined ? undefined : namesIn(note);
  });
  return observation === undefined || action === undefined ? undefined : { observation, action };
}

function namesIn(note: string): string[] | undefined {
  try {
    return Names.parse(JSON.parse(note));
  } catch {
    return undefined;
  }
}

/** Length-delimited fields of a protocol-buffers message; ends at the first byte that makes no sense. */
function* fieldsOf(bytes: Uint8Array): Generator<[field: number, value: Uint8Array]> {
  const FIXED_BYTES: Readonly<Record<number, number>> = { 1: 8, 5: 4 };
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; at < bytes.length && shift < 56; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const tag = varint();
    const wireType = tag % 8;
    if (wireType === 0) {
      if (Number.isNaN(varint())) return;
      continue;
    }
    const length = wireType === 2 ? varint() : (FIXED_BYTES[wireType] ?? Number.NaN);
    if (!(at + length <= bytes.length)) return;
    if (wireType === 2) yield [Math.floor(tag / 8), bytes.subarray(at, at + length)];
    at += length;
  }
}
