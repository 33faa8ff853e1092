/** Where the tip of the index finger is wanted in FingerReach. Palm frame [m]; the palm faces up, so x is up. */
import { TIP_RADIUS_M } from "../../kinematics/allegro/geometry.js";
import type { Point } from "./toolGoal.js";

/** A way down to what is to be touched: so far up for each metre beside it, beyond `freeM`. */
const FUNNEL = { slope: 0.8, freeM: 0.004, heightMaxM: 0.022 } as const;

/** Centre of the fingertip's ball when it lies on the middle of the object's upper side. */
export const touchPointM = ([x, y, z]: Point): Point => [x + TIP_RADIUS_M, y, z];

/** Where the ball is to be led next: over the point, until it is near. */
export function aimOverM([x, y, z]: Point, [, tipY, tipZ]: Point): Point {
  const besideM = Math.hypot(y - tipY, z - tipZ);
  const raiseM = Math.min(FUNNEL.heightMaxM, Math.max(0, FUNNEL.slope * (besideM - FUNNEL.freeM)));
  return [x + raiseM, y, z];
}
