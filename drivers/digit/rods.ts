/**
 * Whether Digit's loops close. Six rods of steel tie the motors of knees and toes to joints that have encoders of their own:
 * where the angles that are told put a rod's ends farther from each other than the rod is long, one of these encoders has
 * slipped. Leaf springs bend, and are measured, too: they make no difference.
 */
import { DIGIT_LOOPS, type DigitLoop, digitBody } from "../../kinematics/digit/bodies.js";
import { ancestors, type Link, linkOf, raise } from "./legChain.js";
import { DigitObservation } from "./protocol/index.js";

interface Rod {
  readonly name: string;
  /** From each end up to the body that both have in common. */
  readonly near: readonly Link[];
  readonly far: readonly Link[];
  readonly nearM: Float64Array;
  readonly farM: Float64Array;
  readonly lengthM: number;
  /** Joints between its ends. */
  readonly joints: readonly string[];
}

const nearPointM = new Float64Array(3);
const farPointM = new Float64Array(3);

function rodOf({ rod, body, anchorM }: DigitLoop): Rod {
  const { parent, positionM } = digitBody(rod);
  const [near, far] = [ancestors(parent!), ancestors(body)];
  const isShared = (name: string) => near.includes(name) && far.includes(name);
  const own = (names: readonly string[]) => names.filter((name) => !isShared(name));
  const ends = {
    name: rod,
    near: own(near).map(linkOf),
    far: own(far).map(linkOf),
    nearM: Float64Array.from(positionM),
    farM: Float64Array.from(anchorM),
    joints: [...own(near), ...own(far)],
  };
  return { ...ends, lengthM: betweenM(ends, new DigitObservation()) };
}

function betweenM(
  { near, far, nearM, farM }: Pick<Rod, "near" | "far" | "nearM" | "farM">,
  observation: DigitObservation,
): number {
  nearPointM.set(nearM);
  farPointM.set(farM);
  raise(near, observation, nearPointM);
  raise(far, observation, farPointM);
  const x = nearPointM[0]! - farPointM[0]!;
  const y = nearPointM[1]! - farPointM[1]!;
  const z = nearPointM[2]! - farPointM[2]!;
  // Not Math.hypot, which takes its arguments as objects.
  return Math.sqrt(x * x + y * y + z * z);
}

/** Left, right; each the heel's, then the toe's two. */
export const RODS: readonly Rod[] = DIGIT_LOOPS.map(rodOf);

/**
 * How much too long each rod would have to be. Allocates nothing.
 * @param stretchM six, in the order of `RODS`; NaN where a joint's angle is no number
 */
export function readStretches(observation: DigitObservation, stretchM: Float64Array): void {
  for (let rod = 0; rod < RODS.length; rod++)
    stretchM[rod] = betweenM(RODS[rod]!, observation) - RODS[rod]!.lengthM;
}

/** For people. */
export const stretchInWords = (rod: number, stretchM: number): string => {
  const { name, joints } = RODS[rod]!;
  const amount = `${Math.abs(1000 * stretchM).toFixed(1)} mm too ${stretchM > 0 ? "long" : "short"}`;
  return `${name} would be ${amount} (${joints.join(", ")})`;
};
