/** The last 2 s of measured joint positions, so that a moment's pose can be interpolated between two device reports. */
import { asMonotonicNs, type MonotonicNs } from "../../../core/clock.js";

/** 2 s of the fastest report stream (a robot on legs, 1 kHz), rounded up. */
const CAPACITY = 2048;
const KEPT_NS = 2_000_000_000n;

export class PositionHistory {
  readonly #stampsNs = new Array<MonotonicNs>(CAPACITY).fill(asMonotonicNs(0n));
  readonly #positionsRad: Float64Array;
  readonly #jointCount: number;
  #count = 0;

  constructor(jointCount: number) {
    this.#jointCount = jointCount;
    this.#positionsRad = new Float64Array(CAPACITY * jointCount);
  }

  /** Keeps a report; one that is not newer than the last is ignored. */
  add(stampNs: MonotonicNs, positionRad: Float64Array): void {
    if (positionRad.length !== this.#jointCount) return;
    if (this.#count > 0 && stampNs <= this.#stampsNs[(this.#count - 1) % CAPACITY]!) return;
    const slot = this.#count++ % CAPACITY;
    this.#stampsNs[slot] = stampNs;
    this.#positionsRad.set(positionRad, slot * this.#jointCount);
  }

  /** Joint positions [rad] at `atNs`, linear between reports; undefined outside of what is kept. */
  at(atNs: MonotonicNs): Float64Array | undefined {
    if (this.#count === 0) return undefined;
    const oldest = Math.max(0, this.#count - CAPACITY);
    const newest = this.#count - 1;
    const newestNs = this.#stampsNs[newest % CAPACITY]!;
    if (atNs > newestNs || atNs < newestNs - KEPT_NS) return undefined;
    let after = newest;
    while (after > oldest && this.#stampsNs[(after - 1) % CAPACITY]! >= atNs) after--;
    const afterNs = this.#stampsNs[after % CAPACITY]!;
    if (after === oldest) return atNs === afterNs ? this.#slot(after).slice() : undefined;
    const beforeNs = this.#stampsNs[(after - 1) % CAPACITY]!;
    const share = Number(atNs - beforeNs) / Number(afterNs - beforeNs);
    const before = this.#slot(after - 1);
    return this.#slot(after).map((value, joint) => before[joint]! + share * (value - before[joint]!));
  }

  #slot(index: number): Float64Array {
    const at = (index % CAPACITY) * this.#jointCount;
    return this.#positionsRad.subarray(at, at + this.#jointCount);
  }
}
