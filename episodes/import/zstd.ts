/**
 * Zstandard frames of bags that rosbag2 has compressed message by message, or as whole files. The decompressor wants to
 * know the size beforehand: it is in the frame's header, or bounded by the number of its blocks (RFC 8878, 3.1.1).
 */
import { loadDecompressHandlers } from "@mcap/support";

const MAGIC = 0xfd2fb528;
const BLOCK_BYTES_MAX = 128 * 1024;
const CHECKSUM_BYTES = 4;

/** @returns a function that throws RangeError for what is no frame, or one that would become larger than the bound */
export async function zstdDecompressor(): Promise<(frame: Uint8Array, bytesMax: number) => Uint8Array> {
  const { zstd } = await loadDecompressHandlers();
  return (frame, bytesMax) => {
    const bytes = contentBound(frame);
    if (bytes > bytesMax) throw new RangeError(`would have up to ${bytes} bytes, the most is ${bytesMax}`);
    // An allocation of nothing is a failure to the decompressor.
    return bytes === 0 ? new Uint8Array(0) : zstd!(frame, BigInt(bytes));
  };
}

/** At most so many bytes come out of a frame; exactly so many where its header says so. */
export function contentBound(frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 6 || view.getUint32(0, true) !== MAGIC) throw new RangeError("is no Zstandard frame");
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  let at = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  if (at + sizeBytes > frame.length) throw new RangeError("is cut short");
  if (sizeBytes === 1) return view.getUint8(at);
  if (sizeBytes === 2) return view.getUint16(at, true) + 256;
  if (sizeBytes === 4) return view.getUint32(at, true);
  if (sizeBytes === 8) return Number(view.getBigUint64(at, true));
  for (let blocks = 1; ; blocks++) {
    if (at + 3 > frame.length) throw new RangeError("is cut short");
    const header = view.getUint8(at) | (view.getUint8(at + 1) << 8) | (view.getUint8(at + 2) << 16);
    const isRepeated = ((header >> 1) & 3) === 1;
    at += 3 + (isRepeated ? 1 : header >> 3);
    if (header & 1) {
      const end = at + (descriptor & 4 ? CHECKSUM_BYTES : 0);
      if (end !== frame.length) throw new RangeError("is cut short, or of several frames");
      return blocks * BLOCK_BYTES_MAX;
    }
  }
}
