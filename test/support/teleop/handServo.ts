/** A real servo of an Allegro Hand on a simulated clock, without a device; for tests only. */
import { SimClock } from "../../../core/simClock.js";
import { HAND_JOINT_COUNT } from "../../../kinematics/allegro/hand.js";
import { HandBody } from "../../../launch/allegro/handBody.js";
import { HandServoConfig } from "../../../runtime/servo/config.js";
import { PERIOD_MS, ServoBench } from "../../../runtime/servo/testing.js";
import { handServoLimits } from "../../../runtime/teleop/fingerTesting.js";
import { ServoInProcess } from "./servoInProcess.js";

/** A hand half closed. */
export const handServoInProcess = (clock?: SimClock): ServoInProcess =>
  new ServoInProcess(handServoBench(clock));

export function handServoBench(clock = new SimClock()): ServoBench {
  const config = HandServoConfig.parse({ rateHz: 1000 / PERIOD_MS });
  const limits = handServoLimits("v4", "right");
  const body = new HandBody(config.workspace);
  const robot = { homeRad: halfClosedRad(), limits };
  return new ServoBench({}, { robot: "hand", device: "allegro", config, body }, robot, clock);
}

export function halfClosedRad(): number[] {
  const { positionMinRad, positionMaxRad } = handServoLimits("v4", "right");
  return Array.from(
    { length: HAND_JOINT_COUNT },
    (_, joint) => (positionMinRad[joint]! + positionMaxRad[joint]!) / 2,
  );
}
