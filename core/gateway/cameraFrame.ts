/**
 * A camera picture as a binary WebSocket message: 24 bytes, then a JPEG. Little-endian: u8 format (1), u8 camera index
 * of the welcome message, u16 zero, u32 sequence, f64 capture time [epoch ms], f64 age when it left the daemon [ms].
 */

export const FRAME_HEADER_BYTES = 24;
const FORMAT_JPEG = 1;

export interface CameraFrame {
  readonly cameraIndex: number;
  readonly sequence: number;
  readonly captureEpochMs: number;
  readonly ageMs: number;
  readonly jpeg: Uint8Array;
}

export function encodeCameraFrame(frame: CameraFrame): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + frame.jpeg.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, FORMAT_JPEG);
  view.setUint8(1, frame.cameraIndex);
  view.setUint32(4, frame.sequence >>> 0, true);
  view.setFloat64(8, frame.captureEpochMs, true);
  view.setFloat64(16, frame.ageMs, true);
  bytes.set(frame.jpeg, FRAME_HEADER_BYTES);
  return bytes;
}

/** Undefined for anything that is no picture of this format. */
export function decodeCameraFrame(bytes: Uint8Array): CameraFrame | undefined {
  if (bytes.length <= FRAME_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint8(0) !== FORMAT_JPEG) return undefined;
  return {
    cameraIndex: view.getUint8(1),
    sequence: view.getUint32(4, true),
    captureEpochMs: view.getFloat64(8, true),
    ageMs: view.getFloat64(16, true),
    jpeg: bytes.subarray(FRAME_HEADER_BYTES),
  };
}
