/** What every decoder of this folder answers: more bytes are needed, the bytes are wrong, or here is the value. */

export type Decoded<T> =
  | { readonly kind: "incomplete" }
  | { readonly kind: "corrupt"; readonly reason: string }
  | { readonly kind: "frame"; readonly usedBytes: number; readonly value: T };

export const INCOMPLETE = { kind: "incomplete" } as const;
export const corrupt = (reason: string): { kind: "corrupt"; reason: string } => ({ kind: "corrupt", reason });

/** A DataView of exactly the given bytes. */
export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** ASCII up to the first NUL. */
export function textOf(bytes: ArrayLike<number>): string {
  let text = "";
  for (let i = 0; i < bytes.length && bytes[i] !== 0; i++) text += String.fromCharCode(bytes[i] ?? 0);
  return text;
}

/** ASCII, NUL padded or cut to `lengthBytes`. */
export const textBytes = (text: string, lengthBytes: number): number[] =>
  Array.from({ length: lengthBytes }, (_, i) => (i < text.length ? text.charCodeAt(i) & 0x7f : 0));
