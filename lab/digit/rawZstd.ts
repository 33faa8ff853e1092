/** A Zstandard frame whose one block is stored as it is (RFC 8878, 3.1.1): what any decompressor takes. */

const MAGIC = 0xfd2fb528;
/** One segment, content size in two bytes (which is told less 256). */
const DESCRIPTOR = 0x60;
const SIZE_OFFSET = 256;
const BYTES_MAX = 65_535 + SIZE_OFFSET;
const HEADER_BYTES = 10;

/** @param content 256 to 65791 bytes */
export function rawZstdFrame(content: Uint8Array): Buffer {
  if (content.length < SIZE_OFFSET || content.length > BYTES_MAX)
    throw new RangeError(`${content.length} bytes do not fit a frame of this kind`);
  const frame = Buffer.alloc(HEADER_BYTES + content.length);
  frame.writeUInt32LE(MAGIC, 0);
  frame.writeUInt8(DESCRIPTOR, 4);
  frame.writeUInt16LE(content.length - SIZE_OFFSET, 5);
  // Last block, raw: its size above three bits of kind.
  frame.writeUIntLE((content.length << 3) | 1, 7, 3);
  frame.set(content, HEADER_BYTES);
  return frame;
}
