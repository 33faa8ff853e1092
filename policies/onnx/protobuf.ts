/** Just enough of protocol buffers' wire format to write an ONNX file: varints, 32-bit floats, bytes, messages. */

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;

/** Collects one message's fields. Large byte fields are kept by reference and copied once, in `bytes()`. */
export class ProtoWriter {
  readonly #chunks: Uint8Array[] = [];
  #byteLength = 0;

  /** Non-negative integers only, which is all that ONNX files hold here. */
  integer(field: number, value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`varint ${value} is not supported`);
    return this.#append(Uint8Array.from([...varint(field * 8 + VARINT), ...varint(value)]));
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#append(Uint8Array.from([...varint(field * 8 + FIXED_32), ...bytes]));
  }

  text(field: number, value: string): this {
    return this.data(field, new TextEncoder().encode(value));
  }

  data(field: number, value: Uint8Array): this {
    return this.#open(field, value.byteLength).#append(value);
  }

  message(field: number, value: ProtoWriter): this {
    this.#open(field, value.#byteLength);
    for (const chunk of value.#chunks) this.#append(chunk);
    return this;
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#byteLength);
    let offset = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, offset);
      offset += chunk.byteLength;
    }
    return all;
  }

  #open(field: number, byteLength: number): this {
    return this.#append(Uint8Array.from([...varint(field * 8 + LENGTH_DELIMITED), ...varint(byteLength)]));
  }

  #append(chunk: Uint8Array): this {
    this.#chunks.push(chunk);
    this.#byteLength += chunk.byteLength;
    return this;
  }
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}
