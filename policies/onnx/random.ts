/** Seeded random numbers for weights of test and bench models: same seed, same model, byte for byte. */

/** Uniform in [0, 1). Source: mulberry32 (public domain, T. Ettinger). */
export function seededUniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` values of mean 0 and the given standard deviation, uniformly distributed. */
export function randomWeights(uniform: () => number, count: number, deviation: number): Float32Array {
  const values = new Float32Array(count);
  const range = 2 * Math.sqrt(3) * deviation;
  for (let index = 0; index < count; index++) values[index] = (uniform() - 0.5) * range;
  return values;
}
