/** Numbers that a bundle's goldens say against numbers that came out here. */
import { CerebellumError } from "../core/errors.js";

const DIFFERENCES_SHOWN = 5;

export const bundleMismatch = (happened: string, remedy: string) =>
  new CerebellumError("BUNDLE_MISMATCH", happened, remedy);

/**
 * @param tolerance for all values, or one for each
 * @param name of a value by its place in `expected`
 * @returns the largest difference
 * @throws BUNDLE_MISMATCH with the first differences beyond the tolerance; what is not finite is beyond any
 */
export function compareGolden(
  directory: string,
  label: string,
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number | readonly number[],
  name: (at: number) => string | number = (at) => at,
): number {
  let largest = 0;
  const beyond: string[] = [];
  for (let at = 0; at < expected.length; at++) {
    const difference = Math.abs(found[at]! - expected[at]!);
    if (!(difference <= largest)) largest = difference;
    if (!(difference <= toleranceOf(tolerance, at))) {
      beyond.push(
        `[${name(at)}] found ${found[at]!.toPrecision(6)}, expected ${expected[at]!.toPrecision(6)}`,
      );
    }
  }
  if (beyond.length === 0) return largest;
  throw bundleMismatch(
    `Policy bundle ${directory}: ${label} differs at ${beyond.length} of ${expected.length} values ` +
      `(tolerance ${describeTolerance(tolerance)}): ${beyond.slice(0, DIFFERENCES_SHOWN).join("; ")}`,
    "Preprocessing or engine differ from training; export the bundle again and compare versions",
  );
}

const toleranceOf = (tolerance: number | readonly number[], at: number): number =>
  typeof tolerance === "number" ? tolerance : tolerance[at]!;

/** One number where all are the same. */
export function describeTolerance(tolerance: number | readonly number[]): string {
  const values = typeof tolerance === "number" ? [tolerance] : tolerance;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? String(low) : `${low} to ${high}`;
}
