/** What pushes and pulls at the lab's Digit from outside: forces on its torso for a while. World frame [N], [m]. */
import type { Vector3 } from "../../kinematics/xarm7.js";

/** A rope from the torso to a point of the world: slack until it is as long, then a spring that gives way at a force. */
export interface Cable {
  readonly anchorWorldM: Vector3;
  readonly lengthM: number;
  readonly stiffnessNPerM: number;
  readonly forceMaxN: number;
}

interface Timed<What> {
  readonly what: What;
  readonly untilS: number;
}

export class Disturbances {
  #pushes: Timed<Vector3>[] = [];
  #cables: Timed<Cable>[] = [];
  readonly forceWorldN = new Float64Array(3);

  push(forceWorldN: Vector3, untilS: number): void {
    this.#pushes.push({ what: forceWorldN, untilS });
  }

  pull(cable: Cable, untilS: number): void {
    this.#cables.push({ what: cable, untilS });
  }

  clear(): void {
    this.#pushes = [];
    this.#cables = [];
    this.forceWorldN.fill(0);
  }

  /** The sum now, in `forceWorldN`; what has ended is forgotten. */
  at(timeS: number, pointWorldM: ArrayLike<number>): Float64Array {
    const force = this.forceWorldN;
    force.fill(0);
    if (this.#pushes.length === 0 && this.#cables.length === 0) return force;
    this.#pushes = this.#pushes.filter(({ untilS }) => timeS < untilS);
    this.#cables = this.#cables.filter(({ untilS }) => timeS < untilS);
    for (const { what } of this.#pushes) for (let axis = 0; axis < 3; axis++) force[axis]! += what[axis]!;
    for (const { what } of this.#cables) addCable(force, what, pointWorldM);
    return force;
  }
}

function addCable(force: Float64Array, cable: Cable, pointWorldM: ArrayLike<number>): void {
  const along = cable.anchorWorldM.map((m, axis) => m - pointWorldM[axis]!);
  const distanceM = Math.hypot(...along);
  const forceN = Math.min(cable.forceMaxN, cable.stiffnessNPerM * (distanceM - cable.lengthM));
  if (forceN <= 0) return;
  for (let axis = 0; axis < 3; axis++) force[axis]! += (forceN * along[axis]!) / distanceM;
}
