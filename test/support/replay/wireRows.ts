/** Joint setpoints of an emulated controller's log as the bytes that came over its wire. */

interface Frame {
  readonly kind: string;
  readonly register: number;
  readonly positionRad?: readonly number[] | undefined;
}

/**
 * The 28 angle bytes of each servo_j frame, as hexadecimal text, in the order in which they came. The log keeps the
 * float32 values as they were, so their bytes follow. The rest of such a frame is the same in all of them (length,
 * register, and speed, acceleration and time, which are zero) but for the transaction number, which counts on.
 */
export const angleBytes = (frames: readonly Frame[]): string[] =>
  frames.flatMap(({ positionRad }) =>
    positionRad === undefined ? [] : [Buffer.from(Float32Array.from(positionRad).buffer).toString("hex")],
  );

const anglesRad = (row: string): Float32Array => {
  const bytes = Buffer.from(row, "hex");
  return Float32Array.from({ length: bytes.length / 4 }, (_, joint) => bytes.readFloatLE(4 * joint));
};

/** Between one frame and the next, over all joints [rad]; 0 for a single frame. */
export function largestStepRad(rows: readonly string[]): number {
  let largest = 0;
  for (const [i, row] of rows.slice(1).entries()) {
    const before = anglesRad(rows[i]!);
    for (const [joint, value] of anglesRad(row).entries())
      largest = Math.max(largest, Math.abs(value - before[joint]!));
  }
  return largest;
}

/**
 * Where `frames` hold `ticks` frames that are those of `wanted` from some place on: places in both, from the first
 * frame of `wanted` that moves. Undefined when they do not.
 */
export function sameStretch(
  wanted: readonly string[],
  frames: readonly string[],
  ticks: number,
): { readonly inWanted: number; readonly inFrames: number } | undefined {
  const inWanted = wanted.findIndex((row, i) => i > 0 && largestStepRad([wanted[i - 1]!, row]) > 0) - 2;
  const stretch = wanted.slice(inWanted, inWanted + ticks);
  if (inWanted < 0 || stretch.length < ticks) return undefined;
  for (let inFrames = frames.length - ticks; inFrames >= 0; inFrames--)
    if (stretch.every((row, i) => row === frames[inFrames + i])) return { inWanted, inFrames };
  return undefined;
}
