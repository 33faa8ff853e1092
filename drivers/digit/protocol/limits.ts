/** What each motor may be asked, from the comment in the robot's own description. */
import type { Description } from "./description.js";
import { MOTOR_COUNT, MOTORS } from "./joints.js";

/** One number per motor, in the order of MOTORS. */
export interface DigitLimits {
  readonly torqueNm: Float64Array;
  /** The largest that is stable; the vendor calls a fifth of it reasonable. */
  readonly dampingNmSPerRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  /** From the error flag until the robot ends low-level control [s]; undefined where it does not say. */
  readonly errorShutdownDelayS: number | undefined;
  /** Names that are absent or no single f64: the vendor's client takes such a limit for 0, and so it is here. */
  readonly missing: readonly string[];
}

export function limitsOf({ constants }: Description): DigitLimits {
  const missing: string[] = [];
  const ofEach = (what: string): Float64Array => {
    const values = new Float64Array(MOTOR_COUNT);
    for (const [index, motor] of MOTORS.entries()) {
      const name = `${motor}.${what}`;
      const constant = constants.get(name);
      const [value] = constant?.values ?? [];
      if (value === undefined || constant?.values.length !== 1 || constant.scalar !== "f64")
        missing.push(name);
      else values[index] = value;
    }
    return values;
  };
  return {
    torqueNm: ofEach("torque_limit"),
    dampingNmSPerRad: ofEach("damping_limit"),
    velocityRadPerS: ofEach("velocity_limit"),
    errorShutdownDelayS: constants.get("error_shutdown_delay")?.values[0],
    missing,
  };
}
