/** What a plot's height shows. */

type Row = ArrayLike<number | null | undefined>;

/**
 * A still joint is a line in the middle, not noise over the whole height. Gaps are not-a-number and do not count, nor does
 * what came after a pause.
 */
export function rangeOf([atS, ...rows]: readonly Row[], fromZero: boolean): [number, number] {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const row of rows)
    for (let at = 0; at < row.length && atS![at]! <= 0; at++) {
      const value = row[at]!;
      if (value < min) min = value;
      if (value > max) max = value;
    }
  if (!(min <= max)) return [0, 1];
  if (fromZero) return [0, Math.max(1, max * 1.15)];
  const padding = Math.max(0.5, 0.1 * (max - min));
  return [min - padding, max + padding];
}
