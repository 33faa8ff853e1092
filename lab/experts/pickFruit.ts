/** How the expert that picks a cube up takes a fruit. */
import type { Fruit } from "../world/fruits.js";
import type { Grasp } from "./pickCube.js";

/** Fingers that hold it stand this much nearer to each other than it is wide, or farther apart [m]. */
const HELD_BELOW_M = 0.012;
const HELD_ABOVE_M = 0.002;

/** Pads end at the tool point: it goes below the fruit's middle by so much, but no lower than the fingers may come [m]. */
const BELOW_MIDDLE_M = 0.01;
const TOOL_HEIGHT_MIN_M = 0.019;

export const fruitGrasp = ({ widthM, heightM }: Pick<Fruit, "widthM" | "heightM">): Grasp => ({
  heightM: Math.max(TOOL_HEIGHT_MIN_M, heightM - BELOW_MIDDLE_M),
  heldM: { min: widthM - HELD_BELOW_M, max: widthM + HELD_ABOVE_M },
  // Of a round one the turn is always 0.
  symmetryRad: Math.PI,
});
