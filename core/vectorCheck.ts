/** Comparing a recorded vector with what a codec makes of it: what differs is collected, nothing is thrown. */
import { errorText } from "./errors.js";

export interface Mismatch {
  readonly tag: string;
  /** What was compared, e.g. "request", "reply", "actual_joint_angle". */
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

export interface VectorCheck {
  readonly tag: string;
  /** How many comparisons were made. */
  readonly compared: number;
  readonly mismatches: readonly Mismatch[];
}

/** Collects comparisons of one vector. */
export class Comparison implements VectorCheck {
  compared = 0;
  readonly mismatches: Mismatch[] = [];
  constructor(readonly tag: string) {}

  equal(what: string, expected: string, found: string): void {
    this.compared++;
    if (expected !== found) this.mismatches.push({ tag: this.tag, what, expected, found });
  }

  /** Numbers one by one, as many on both sides. @param relative allowed difference, as a share of the expected number */
  near(what: string, expected: ArrayLike<number>, found: ArrayLike<number>, relative: number): void {
    let differs = expected.length !== found.length;
    for (let i = 0; i < expected.length && !differs; i++) {
      const [want = Number.NaN, have = Number.NaN] = [expected[i], found[i]];
      differs = !(Math.abs(want - have) <= relative * Math.abs(want));
    }
    this.compared++;
    if (differs)
      this.mismatches.push({
        tag: this.tag,
        what,
        expected: Array.from(expected).join(" "),
        found: Array.from(found).join(" "),
      });
  }

  /** Runs a check whose own failure is a mismatch too. */
  guard(what: string, check: () => void): void {
    try {
      check();
    } catch (thrown) {
      this.equal(what, "no error", errorText(thrown));
    }
  }
}
