/** How far what the flange carries reaches below the tool point, for a given attitude of the flange. */
import type { ArmBody } from "./armBody.js";
import type { Vector3 } from "./xarm7.js";

export class ToolDepth {
  /** Ends of the capsules seen from the tool point, flange frame, three numbers each [m]; and their radii [m]. */
  readonly #endsM: Float64Array;
  readonly #radiusM: Float64Array;

  constructor({ capsules, chain }: ArmBody, toolPointM: Vector3) {
    const carried = capsules.filter(({ frame }) => frame === chain.jointCount);
    this.#endsM = Float64Array.from(
      carried.flatMap(({ fromM, toM }) =>
        [fromM, toM].flatMap((end) => end.map((at, i) => at - toolPointM[i]!)),
      ),
    );
    this.#radiusM = Float64Array.from(carried.flatMap(({ radiusM }) => [radiusM, radiusM]));
  }

  /**
   * Height of the tool point above the lowest point of all that [m], 0 at least.
   * @param flangeRotation (9,) row-major
   */
  below(flangeRotation: ArrayLike<number>): number {
    let depthM = 0;
    for (let end = 0; end < this.#radiusM.length; end++) {
      const upM =
        flangeRotation[6]! * this.#endsM[3 * end]! +
        flangeRotation[7]! * this.#endsM[3 * end + 1]! +
        flangeRotation[8]! * this.#endsM[3 * end + 2]!;
      depthM = Math.max(depthM, this.#radiusM[end]! - upM);
    }
    return depthM;
  }
}
