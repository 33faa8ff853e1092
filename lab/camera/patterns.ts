/**
 * Repeating surface patterns and pixel noise, computed once. A pattern mixes a finish's two colours: 0 is the first,
 * 255 the second; its tile repeats without a seam.
 */
import { Random } from "../world/random.js";
import type { Pattern } from "../world/scene.js";

/** Pixels along one side of a pattern tile; a power of two. */
export const TILE_PX = 512;
const TILE_COUNT = TILE_PX * TILE_PX;

/** 0 to 255; bytes, so that a tile fits the processor's cache. */
export type PatternTile = Uint8Array;

const MAKERS: Readonly<Record<Exclude<Pattern, "plain">, () => Float32Array>> = {
  checker: () => fromFunction((u, v) => (Math.floor(u * 4) + Math.floor(v * 4)) & 1),
  stripes,
  grain: () => smoothNoise(new Random(11), [4, 8, 16, 32, 64], [4, 8, 16, 32, 64]),
  speckle: () => speckle(new Random(12)),
};
const made = new Map<Pattern, PatternTile>();

/** The tile of a pattern, made when it is first asked for; none for `plain`. */
export function patternTile(pattern: Pattern): PatternTile | undefined {
  if (pattern === "plain") return undefined;
  let tile = made.get(pattern);
  if (tile === undefined) {
    tile = toBytes(MAKERS[pattern]());
    made.set(pattern, tile);
  }
  return tile;
}

function toBytes(values: Float32Array): PatternTile {
  const tile = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) tile[i] = Math.round(255 * Math.min(1, Math.max(0, values[i]!)));
  return tile;
}

function fromFunction(value: (u: number, v: number) => number): Float32Array {
  const tile = new Float32Array(TILE_COUNT);
  for (let i = 0; i < TILE_COUNT; i++)
    tile[i] = value((i % TILE_PX) / TILE_PX, Math.floor(i / TILE_PX) / TILE_PX);
  return tile;
}

/** Boards: eight a tile, each of its own shade, with wood-like grain along them. */
function stripes(): Float32Array {
  const random = new Random(13);
  const shades = Array.from({ length: 8 }, () => random.uniform(0.1, 0.7));
  const grain = smoothNoise(random, [2, 4, 8], [32, 64, 128]);
  return fromFunction((u, v) => {
    const board = v * 8;
    const joint = board - Math.floor(board) < 0.03 ? 0.3 : 0;
    const at = Math.floor(v * TILE_PX) * TILE_PX + Math.floor(u * TILE_PX);
    return Math.min(1, shades[Math.floor(board)]! + 0.5 * (grain[at]! - 0.5) + joint);
  });
}

function speckle(random: Random): Float32Array {
  const soft = smoothNoise(random, [64, 128], [64, 128]);
  return fromFunction((u, v) => {
    const value = soft[Math.floor(v * TILE_PX) * TILE_PX + Math.floor(u * TILE_PX)]!;
    return value > 0.66 ? 1 : value < 0.3 ? 0.5 : 0.1;
  });
}

/** Sum of interpolated lattices, each half as strong as the one before; the result is stretched to 0..1. */
function smoothNoise(random: Random, cellsU: readonly number[], cellsV: readonly number[]): Float32Array {
  const tile = new Float32Array(TILE_COUNT);
  cellsU.forEach((countU, octave) => {
    const countV = cellsV[octave]!;
    const lattice = Float32Array.from({ length: countU * countV }, () => random.uniform(-1, 1));
    const weight = 0.5 ** octave;
    for (let row = 0; row < TILE_PX; row++) {
      const y = (row / TILE_PX) * countV;
      const [j, fy] = [Math.floor(y), smooth(y - Math.floor(y))];
      const [rowA, rowB] = [j * countU, ((j + 1) % countV) * countU];
      for (let column = 0; column < TILE_PX; column++) {
        const x = (column / TILE_PX) * countU;
        const i = Math.floor(x);
        const fx = smooth(x - i);
        const next = (i + 1) % countU;
        const top = lattice[rowA + i]! * (1 - fx) + lattice[rowA + next]! * fx;
        const bottom = lattice[rowB + i]! * (1 - fx) + lattice[rowB + next]! * fx;
        tile[row * TILE_PX + column]! += weight * (top * (1 - fy) + bottom * fy);
      }
    }
  });
  for (let i = 0; i < TILE_COUNT; i++) tile[i] = Math.min(1, Math.max(0, 0.5 + 0.55 * tile[i]!));
  return tile;
}

const smooth = (t: number): number => t * t * (3 - 2 * t);

const NOISE_COUNT = 2 ** 18;
/** Grey levels of 255. */
const NOISE_DEVIATION = 3;

/** Normal pixel noise, long enough that rows starting at random places look independent. */
export class NoiseTile {
  readonly values: Int8Array;
  readonly none = new Int8Array(NOISE_COUNT);
  constructor(random: Random = new Random(14)) {
    this.values = Int8Array.from({ length: NOISE_COUNT }, () =>
      Math.round(random.normal(0, NOISE_DEVIATION)),
    );
  }
  /** A start from which `length` values can be read. */
  start(random: Random, length: number): number {
    return random.below(NOISE_COUNT - length);
  }
}
