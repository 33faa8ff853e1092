/**
 * Seeded chance for the simulated world: the same seed gives the same numbers on every machine. Independent aspects
 * draw from forks of one seed, so that switching one aspect off leaves the others as they were.
 * Source of the generator: Chris Doty-Humphrey, PractRand, sfc32 (public domain).
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed >>> 0;
    this.#a = this.#seed;
    this.#b = 0x9e3779b9;
    this.#c = 0x243f6a88;
    for (let i = 0; i < 15; i++) this.u32();
  }

  /** An independent stream, named by what it is for. */
  fork(label: string): Random {
    let hash = 0x811c9dc5 ^ this.#seed;
    for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    return new Random((hash ^ (hash >>> 13)) >>> 0);
  }

  u32(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** In [low, high). */
  uniform(low = 0, high = 1): number {
    return low + ((high - low) * this.u32()) / 2 ** 32;
  }

  /** Integer in [0, count). */
  below(count: number): number {
    return Math.floor(this.uniform(0, count));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** Box-Muller; two draws a value. */
  normal(mean = 0, deviation = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.uniform());
  }
}
