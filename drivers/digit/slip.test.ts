/** What an encoder that slips looks like, and what does not: fast legs, gaps, a speed that lags. */
import { beforeEach, describe, expect, it } from "vitest";
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import { type DigitLimits, DigitObservation } from "./protocol/index.js";
import { MotorSlip } from "./slip.js";
import { SLIP_RAD_MAX } from "./watch.js";

const MOTOR = 2;
const STEP_S = 0.001;
const LIMITS: DigitLimits = {
  torqueNm: new Float64Array(DIGIT_MOTORS.length),
  dampingNmSPerRad: new Float64Array(DIGIT_MOTORS.length),
  velocityRadPerS: Float64Array.from(DIGIT_MOTORS, (motor) => motor.announcedVelocityMaxRadPerS),
  errorShutdownDelayS: undefined,
  missing: [],
};

let slip: MotorSlip;
let worstRad: number;
beforeEach(() => {
  slip = new MotorSlip();
  worstRad = 0;
});

interface Motor {
  readonly positionRad: (s: number) => number;
  readonly velocityRadPerS: (s: number) => number;
}

function observe({ positionRad, velocityRadPerS }: Motor, fromS: number, toS: number, stepS = STEP_S): void {
  const observation = new DigitObservation();
  for (let step = 0; fromS + step * stepS < toS; step++) {
    const timeS = fromS + step * stepS;
    observation.values[0] = timeS;
    observation.motorPositionRad[MOTOR] = positionRad(timeS);
    observation.motorVelocityRadPerS[MOTOR] = velocityRadPerS(timeS);
    slip.take(observation, LIMITS);
    worstRad = Math.max(worstRad, Math.abs(slip.slipRad[MOTOR]!));
  }
}

/** As fast as a leg swings: 8 rad/s, 1.3 times a second. */
const RATE = 8;
const swinging = (lagS = 0): Motor => ({
  positionRad: (s) => Math.sin(RATE * s),
  velocityRadPerS: (s) => RATE * Math.cos(RATE * (s - lagS)),
});

describe("a motor's position against its speed", () => {
  it("goes together for a leg that swings, to a thousandth of a radian", () => {
    observe(swinging(), 0, 3);
    expect(worstRad).toBeLessThan(1e-3);
  });

  it.each([
    ["a speed that lags by 10 ms", swinging(0.01), STEP_S],
    [
      "a speed with an offset of 0.2 rad/s",
      { ...swinging(), velocityRadPerS: (s: number) => swinging().velocityRadPerS(s) + 0.2 },
      STEP_S,
    ],
    ["observations 20 ms apart", swinging(), 0.02],
  ])("stays within two thirds of the limit for %s", (_, motor, stepS) => {
    observe(motor, 0, 3, stepS);
    expect(worstRad).toBeLessThan((2 / 3) * SLIP_RAD_MAX);
  });

  it("is off by the whole slip at once, and forgets it", () => {
    const { positionRad, velocityRadPerS } = swinging();
    observe(swinging(), 0, 1);
    observe({ positionRad: (s) => positionRad(s) + 0.2, velocityRadPerS }, 1, 1.001);
    expect(slip.slipRad[MOTOR]).toBeCloseTo(0.2, 2);
    observe({ positionRad: (s) => positionRad(s) + 0.2, velocityRadPerS }, 1.001, 3);
    expect(Math.abs(slip.slipRad[MOTOR]!)).toBeLessThan(1e-2);
  });

  it("is off where it creeps away within half a second, too", () => {
    observe({ positionRad: (s) => s, velocityRadPerS: () => 0 }, 0, 0.5);
    expect(worstRad).toBeGreaterThan(SLIP_RAD_MAX);
  });

  it("says nothing after a gap, after a restart, and of a speed that cannot be", () => {
    observe({ positionRad: (s) => s, velocityRadPerS: () => 1 }, 0, 0.1);
    observe({ positionRad: () => 2, velocityRadPerS: () => 0 }, 0.3, 0.31);
    observe({ positionRad: () => -1, velocityRadPerS: () => 0 }, 0, 0.01);
    observe({ positionRad: () => -1, velocityRadPerS: () => 40 }, 0.01, 0.1);
    expect(worstRad).toBeLessThan(1e-3);
  });
});
