/**
 * Statistics as LeRobot v3 keeps them beside each episode and for the whole set: min, max, mean, std (over all values)
 * and the quantiles 1, 10, 50, 90 and 99 %, by element of a feature. Whole-set values are of all frames together, not
 * averages of the episodes' values.
 */
import type { Cell, ColumnType } from "../parquet.js";
import { list } from "../parquet.js";
import { Spread } from "../spread.js";
import type { Features } from "./features.js";

export const QUANTILES = { q01: 0.01, q10: 0.1, q50: 0.5, q90: 0.9, q99: 0.99 } as const;
const NAMES = ["min", "max", "mean", "std", ...Object.keys(QUANTILES)] as const;

/** By statistic: one number an element; for images by channel, shaped (3, 1, 1), of values 0 to 1. */
export type Stats = Readonly<Record<string, readonly Cell[]>>;

export interface FeatureStats {
  stats(): Stats;
}

/** Parquet columns `stats/<feature>/<statistic>`. */
export function statsColumns(feature: string, depth: number): Record<string, ColumnType> {
  return Object.fromEntries([
    ...NAMES.map((name) => [`stats/${feature}/${name}`, list("DOUBLE", depth)]),
    [`stats/${feature}/count`, list("INT64")],
  ]) as Record<string, ColumnType>;
}

export const statsCells = (feature: string, stats: Stats): Record<string, Cell> =>
  Object.fromEntries(
    Object.entries(stats).map(([name, cells]) => [
      `stats/${feature}/${name}`,
      name === "count" ? cells.map((count) => BigInt(count as number)) : cells,
    ]),
  );

/** Of a feature of numbers. */
export class NumberStats implements FeatureStats {
  readonly #spreads: readonly Spread[];

  constructor(private readonly length: number) {
    this.#spreads = Array.from({ length }, () => new Spread());
  }

  add(values: ArrayLike<number>): void {
    for (let element = 0; element < this.length; element++) this.#spreads[element]!.record(values[element]!);
  }

  merge(other: NumberStats): void {
    for (const [element, spread] of this.#spreads.entries()) spread.merge(other.#spreads[element]!);
  }

  stats(): Stats {
    // An element that never had a value (labels before the first step) is 0 everywhere: JSON has no NaN.
    const known = (value: number) => (Number.isFinite(value) ? value : 0);
    const quantiles = this.#spreads.map((spread) => spread.quantiles(Object.values(QUANTILES)));
    return {
      min: this.#spreads.map(({ min }) => known(min)),
      max: this.#spreads.map(({ max }) => known(max)),
      mean: this.#spreads.map(({ mean }) => mean),
      std: this.#spreads.map(({ deviation }) => known(deviation)),
      // Rows that have values: whoever puts episodes together weighs their means by it.
      count: [Math.max(...this.#spreads.map(({ count }) => count))],
      ...Object.fromEntries(
        Object.keys(QUANTILES).map((name, place) => [name, quantiles.map((found) => known(found[place]!))]),
      ),
    };
  }
}

/** Larger images are read on a coarser grid, for its statistics only. */
const SIDE_FULL_PX = 300;
const SIDE_TARGET_PX = 150;
const SAMPLES_MIN = 100;
const SAMPLES_POWER = 0.75;

/** How many pictures of an episode are looked at: all of a short one, about n^0.75 of a long one. */
export const sampleCount = (frameCount: number): number =>
  Math.min(frameCount, Math.max(SAMPLES_MIN, Math.round(frameCount ** SAMPLES_POWER)));

/** Whether a frame is among `samples` evenly spaced ones of `frameCount`; the first one always is. */
export const isSampled = (frame: number, frameCount: number, samples: number): boolean =>
  frame === 0 ||
  Math.floor((frame * samples) / frameCount) !== Math.floor(((frame - 1) * samples) / frameCount);

/** Of pictures, by channel: exact counts of each of the 256 values. */
export class PictureStats implements FeatureStats {
  readonly #counts = [0, 1, 2].map(() => new Float64Array(256));
  #pictures = 0;

  /** @param pixels rgb8 without padding */
  add(pixels: Uint8Array, widthPx: number, heightPx: number): void {
    this.#pictures++;
    const side = Math.max(widthPx, heightPx);
    const step = side < SIDE_FULL_PX ? 1 : Math.floor(side / SIDE_TARGET_PX);
    const [red, green, blue] = this.#counts as [Float64Array, Float64Array, Float64Array];
    for (let y = 0; y < heightPx; y += step)
      for (let x = 0; x < widthPx; x += step) {
        const at = 3 * (y * widthPx + x);
        red[pixels[at]!]!++;
        green[pixels[at + 1]!]!++;
        blue[pixels[at + 2]!]!++;
      }
  }

  merge(other: PictureStats): void {
    this.#pictures += other.#pictures;
    for (const [channel, counts] of this.#counts.entries())
      for (let value = 0; value < 256; value++) counts[value]! += other.#counts[channel]![value]!;
  }

  stats(): Stats {
    const channels = this.#counts.map(channelStats);
    return {
      ...Object.fromEntries(NAMES.map((name) => [name, channels.map((channel) => [[channel[name]!]])])),
      count: [this.#pictures],
    };
  }
}

function channelStats(counts: Float64Array): Record<string, number> {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const mean = counts.reduce((sum, count, value) => sum + count * value, 0) / total;
  const squares = counts.reduce((sum, count, value) => sum + count * (value - mean) ** 2, 0);
  const atRank = (rank: number) => {
    let seen = 0;
    return counts.findIndex((count) => (seen += count) > rank);
  };
  const quantile = (share: number) => {
    const rank = share * (total - 1);
    const below = atRank(Math.floor(rank));
    return below + (atRank(Math.ceil(rank)) - below) * (rank - Math.floor(rank));
  };
  const found = {
    min: quantile(0),
    max: quantile(1),
    mean,
    std: Math.sqrt(squares / total),
    ...Object.fromEntries(Object.entries(QUANTILES).map(([name, share]) => [name, quantile(share)])),
  };
  return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, value / 255]));
}

/** Every numeric feature and every camera. */
export class DatasetStats {
  readonly numbers: ReadonlyMap<string, NumberStats>;
  readonly pictures: ReadonlyMap<string, PictureStats>;

  constructor(features: Features) {
    const entries = Object.entries(features);
    const isNumeric = (dtype: string) => dtype === "float32" || dtype === "int64";
    this.numbers = new Map(
      entries
        .filter(([, { dtype }]) => isNumeric(dtype))
        .map(([name, { shape }]) => [name, new NumberStats(shape[0]!)]),
    );
    this.pictures = new Map(
      entries.filter(([, { dtype }]) => !isNumeric(dtype)).map(([name]) => [name, new PictureStats()]),
    );
  }

  merge(other: DatasetStats): void {
    for (const [name, stats] of this.numbers) stats.merge(other.numbers.get(name)!);
    for (const [name, stats] of this.pictures) stats.merge(other.pictures.get(name)!);
  }

  all(): [feature: string, stats: Stats][] {
    return [...this.numbers, ...this.pictures].map(([name, stats]) => [name, stats.stats()]);
  }
}
