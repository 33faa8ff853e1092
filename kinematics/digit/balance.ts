/**
 * Balance of a standing Digit. Stiffly held in a pose it is a pendulum on springs: what leans to a side presses that side's
 * knee together and leans more, and a push of 20 N for a fifth of a second fells it. So the leg that gives way is made
 * longer and the other shorter, and the soles press with toe or heel against a lean forward or backward: a few hundredths
 * of a radian. It takes no step, so it bears no more than the feet's size allows.
 *
 * Found on the lab's body: 50 N for 200 ms on the torso are borne in every direction, with legs of 1000 and of 2000 N·m/rad,
 * and with observations and commands two milliseconds old. Soles do not answer the rate of a lean: a gyroscope in the torso
 * and an ankle have leaf springs between them, and from 0.02 s on the robot rocks at 0.7 rad/s for ever. Nobody has tried it
 * on a robot.
 */
import type { FloatingBase } from "../../core/floatingBase.js";
import { DIGIT_MOTORS } from "./motors.js";

/** Target's change by lean [rad/rad] and by rate of lean [rad/(rad/s)], and the largest change [rad]. */
interface BalanceGains {
  readonly byLean: number;
  readonly byRateS: number;
  readonly changeRadMax: number;
}

/** Of the knees by lean to the side, and of the soles by lean forward. */
export const KNEE_BALANCE: BalanceGains = { byLean: 0.5, byRateS: 0.2, changeRadMax: 0.3 };
export const SOLE_BALANCE: BalanceGains = { byLean: 0.4, byRateS: 0, changeRadMax: 0.3 };

/** Of each toe motor, for a turn of the sole about the ankle; right motors turn the other way. */
const TOE_PER_SOLE = 0.957;

const motorOf = (name: string): number => DIGIT_MOTORS.findIndex((motor) => motor.name === name);
const KNEES = [motorOf("left_knee"), motorOf("right_knee")] as const;
const TOES: readonly (readonly [motor: number, share: number])[] = [
  [motorOf("left_toe_A"), TOE_PER_SOLE],
  [motorOf("left_toe_B"), -TOE_PER_SOLE],
  [motorOf("right_toe_A"), -TOE_PER_SOLE],
  [motorOf("right_toe_B"), TOE_PER_SOLE],
];

/**
 * Changes the targets of a stand so that it keeps its balance. Allocates nothing.
 *
 * @param targetRad twenty, in the vendor's order; changed in place [rad]
 * @param quatWorldBaseXyzw orientation of the base, unit
 * @param angularVelocityBaseRadPerS in the base frame
 */
export function addBalance(
  targetRad: Float64Array,
  quatWorldBaseXyzw: ArrayLike<number>,
  angularVelocityBaseRadPerS: ArrayLike<number>,
): void {
  const [x, y, z, w] = [
    quatWorldBaseXyzw[0]!,
    quatWorldBaseXyzw[1]!,
    quatWorldBaseXyzw[2]!,
    quatWorldBaseXyzw[3]!,
  ];
  const rollRad = Math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y));
  const pitchRad = Math.asin(Math.max(-1, Math.min(1, 2 * (w * y - z * x))));
  // Positive roll leans to the right; a knee's angle lengthens the left leg and shortens the right one.
  const kneeRad = -change(KNEE_BALANCE, rollRad, angularVelocityBaseRadPerS[0]!);
  for (let side = 0; side < KNEES.length; side++) targetRad[KNEES[side]!]! += kneeRad;
  const soleRad = change(SOLE_BALANCE, pitchRad, angularVelocityBaseRadPerS[1]!);
  for (let toe = 0; toe < TOES.length; toe++) targetRad[TOES[toe]![0]]! += TOES[toe]![1] * soleRad;
}

/** The same, of a robot whose driver tells its base. */
export const digitBalance = (targetRad: Float64Array, base: FloatingBase): void =>
  addBalance(targetRad, base.quatWorldBaseXyzw, base.angularVelocityBaseRadPerS);

const change = ({ byLean, byRateS, changeRadMax }: BalanceGains, rad: number, radPerS: number): number =>
  Math.max(-changeRadMax, Math.min(changeRadMax, byLean * rad + byRateS * radPerS));
