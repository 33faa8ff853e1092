/** Axes: round marks and their texts. */

export interface Scale {
  readonly low: number;
  readonly high: number;
  /** Round values inside. */
  readonly marks: readonly number[];
  /** Of marks. */
  readonly digits: number;
}

/** @param count about how many marks; there are between half and twice as many */
export function scaleOf(low: number, high: number, count: number): Scale {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999)!;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const marks = Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  return { low, high, marks, digits };
}

/** Values with room above and below, at least `spanMin` in all. */
export function rangeAround(values: readonly (readonly [number, number] | undefined)[], spanMin: number) {
  const found = values.filter((value) => value !== undefined);
  if (found.length === 0) return { low: -spanMin / 2, high: spanMin / 2 };
  const low = Math.min(...found.map(([least]) => least));
  const high = Math.max(...found.map(([, greatest]) => greatest));
  const room = Math.max((high - low) * 0.07, (spanMin - (high - low)) / 2);
  return { low: low - room, high: high + room };
}

/** A typographic minus, and no minus before zero. */
export function markText(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}
