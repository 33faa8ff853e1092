/**
 * A Digit that hangs from a gantry: every motor turns an inertia of its own, legs and arms do not feel each other, and the
 * torso stays where it is unless it is made to fall. Closed form, for tests of the wire and of what stands behind it.
 */
import { MOTOR_COUNT } from "../../drivers/digit/protocol/joints.js";
import { SIDES } from "../../kinematics/digit/bodies.js";
import { closeLeg, type PassiveLeg } from "../../kinematics/digit/loops.js";
import { DIGIT_STAND } from "../../kinematics/digit/motors.js";
import type { WalkVelocity } from "../../kinematics/digit/stepping.js";
import { createDrive, createTruth, type DigitBody, GRAVITY_M_PER_S2, type MotorDrive } from "./body.js";
import { Carriage } from "./carriage.js";
import type { Cable } from "./disturbances.js";
import { MOTOR_LIMITS } from "./specs.js";

/** Of each joint, motor's rotor included [kg m²]. */
const INERTIA_KG_M2 = 0.4;
const FRICTION_NM_S_PER_RAD = 1;
const HEIGHT_M = 0.968;
/** Where a fallen torso lies. */
const LYING_HEIGHT_M = 0.15;
const LYING_RAD = Math.PI / 2;
const STEP_S = 0.001;
/** A torso that is pushed at least so hard for long enough falls [N s]. */
const TOPPLING_N_S = 30;
/** Tilt of a torso that has just lost its balance: the pendulum needs a start. */
const FIRST_TILT_RAD = 0.02;
const LEG_MOTORS = 6;
const LEG_JOINTS = 5;
const PROBE_RAD = 1e-4;

/** Where tarsus and foot of a leg are in the stand, and how they turn with the motors there [rad], [rad/rad]. */
interface Linkage {
  readonly stand: PassiveLeg;
  readonly perKnee: PassiveLeg;
  readonly perToeA: PassiveLeg;
  readonly perToeB: PassiveLeg;
}
const PASSIVE = ["tarsusRad", "toePitchRad", "toeRollRad"] as const satisfies (keyof PassiveLeg)[];

const LINKAGES: readonly Linkage[] = SIDES.map((side, leg) => {
  const [knee, toeA, toeB] = DIGIT_STAND.positionRad.slice(LEG_MOTORS * leg + 3, LEG_MOTORS * (leg + 1));
  const stand = closeLeg(side, knee!, toeA!, toeB!);
  const slope = (moved: PassiveLeg): PassiveLeg => ({
    tarsusRad: (moved.tarsusRad - stand.tarsusRad) / PROBE_RAD,
    toePitchRad: (moved.toePitchRad - stand.toePitchRad) / PROBE_RAD,
    toeRollRad: (moved.toeRollRad - stand.toeRollRad) / PROBE_RAD,
  });
  return {
    stand,
    perKnee: slope(closeLeg(side, knee! + PROBE_RAD, toeA!, toeB!)),
    perToeA: slope(closeLeg(side, knee!, toeA! + PROBE_RAD, toeB!)),
    perToeB: slope(closeLeg(side, knee!, toeA!, toeB! + PROBE_RAD)),
  };
});

export class IdealBody implements DigitBody {
  readonly truth = createTruth();
  readonly drive: MotorDrive = createDrive();
  readonly standRad = DIGIT_STAND.positionRad;
  /** Direction of a fall in the world: 1, 0 is forward. Undefined while it hangs. */
  #fallTowards: readonly [number, number] | undefined;
  #tiltRad = 0;
  #tiltRadPerS = 0;
  readonly isOnLevelGround = true;
  #carriage: Carriage | undefined;

  constructor() {
    this.reset();
  }

  get isFalling(): boolean {
    return this.#fallTowards !== undefined;
  }

  reset(): void {
    const { truth } = this;
    truth.positionRad.set(this.standRad);
    truth.velocityRadPerS.fill(0);
    truth.torqueNm.fill(0);
    truth.positionWorldM.set([0, 0, HEIGHT_M]);
    this.#fallTowards = undefined;
    this.#tiltRad = 0;
    this.#tiltRadPerS = 0;
    this.#carriage = undefined;
    this.#placeTorso();
    this.#placePassive();
  }

  step(dtS: number): void {
    for (let leftS = dtS; leftS > STEP_S / 2; leftS -= STEP_S) {
      for (let motor = 0; motor < MOTOR_COUNT; motor++) this.#turn(motor);
      if (this.#fallTowards !== undefined) this.#fall();
      else this.#take();
    }
    this.#placePassive();
  }

  push([xN, yN]: readonly [number, number, number], durationS: number): void {
    const sizeN = Math.hypot(xN, yN);
    if (sizeN * durationS < TOPPLING_N_S || this.#fallTowards !== undefined) return;
    this.#fallTowards = [xN / sizeN, yN / sizeN];
    this.#tiltRad = FIRST_TILT_RAD;
  }

  /** The gantry is pushed along. */
  carry(velocity: WalkVelocity | undefined): void {
    const { truth } = this;
    if (velocity === undefined) {
      this.#carriage = undefined;
      truth.linearVelocityWorldMPerS.fill(0);
      truth.angularVelocityBaseRadPerS.fill(0);
    } else if (this.#carriage !== undefined) this.#carriage.velocity = velocity;
    else {
      const [x, y, z, w] = truth.quatWorldBaseXyzw;
      this.#carriage = new Carriage(velocity, truth.positionWorldM, [x!, y!, z!, w!]);
    }
  }

  pull({ anchorWorldM, forceMaxN }: Cable, durationS: number): void {
    const [x, y] = anchorWorldM;
    const distanceM = Math.hypot(x, y);
    if (distanceM > 0) this.push([(forceMaxN * x) / distanceM, (forceMaxN * y) / distanceM, 0], durationS);
  }

  #take(): void {
    const carriage = this.#carriage;
    if (carriage === undefined) return;
    carriage.move(STEP_S);
    const { truth } = this;
    truth.positionWorldM.set(carriage.positionM);
    truth.quatWorldBaseXyzw.set(carriage.quatXyzw);
    truth.linearVelocityWorldMPerS.set(carriage.linearMPerS);
    truth.angularVelocityBaseRadPerS.set(carriage.angularBaseRadPerS);
  }

  #turn(motor: number): void {
    const { drive, truth } = this;
    const { torqueNm: limitNm } = MOTOR_LIMITS[motor]!;
    const damping = drive.dampingNmSPerRad[motor]!;
    const wantedNm = drive.torqueNm[motor]! + damping * drive.velocityRadPerS[motor]!;
    // Implicit in the velocity: stable for any damping.
    const before = truth.velocityRadPerS[motor]!;
    const resisting = damping + FRICTION_NM_S_PER_RAD;
    let velocity =
      (before + (STEP_S * wantedNm) / INERTIA_KG_M2) / (1 + (STEP_S * resisting) / INERTIA_KG_M2);
    let torqueNm = wantedNm - damping * velocity;
    if (Math.abs(torqueNm) > limitNm) {
      torqueNm = Math.sign(torqueNm) * limitNm;
      velocity =
        (before + (STEP_S * torqueNm) / INERTIA_KG_M2) /
        (1 + (STEP_S * FRICTION_NM_S_PER_RAD) / INERTIA_KG_M2);
    }
    truth.torqueNm[motor] = torqueNm;
    truth.velocityRadPerS[motor] = velocity;
    truth.positionRad[motor]! += STEP_S * velocity;
  }

  /** An inverted pendulum of the base's height, until it lies. */
  #fall(): void {
    if (this.#tiltRad < LYING_RAD) {
      this.#tiltRadPerS += STEP_S * (GRAVITY_M_PER_S2 / HEIGHT_M) * Math.sin(this.#tiltRad);
      this.#tiltRad = Math.min(LYING_RAD, this.#tiltRad + STEP_S * this.#tiltRadPerS);
    }
    if (this.#tiltRad === LYING_RAD) this.#tiltRadPerS = 0;
    this.#placeTorso();
  }

  #placeTorso(): void {
    const { truth } = this;
    const [x, y] = this.#fallTowards ?? [1, 0];
    const [sin, cos] = [Math.sin(this.#tiltRad), Math.cos(this.#tiltRad)];
    const half = this.#tiltRad / 2;
    // Leaning towards (x, y) is a turn about the horizontal axis (-y, x).
    truth.quatWorldBaseXyzw.set([-y * Math.sin(half), x * Math.sin(half), 0, Math.cos(half)]);
    truth.angularVelocityBaseRadPerS.set([-y * this.#tiltRadPerS, x * this.#tiltRadPerS, 0]);
    const heightM = Math.max(LYING_HEIGHT_M, HEIGHT_M * cos);
    const alongM = HEIGHT_M * sin;
    const alongMPerS = HEIGHT_M * cos * this.#tiltRadPerS;
    const downMPerS = heightM > LYING_HEIGHT_M ? -HEIGHT_M * sin * this.#tiltRadPerS : 0;
    truth.positionWorldM.set([x * alongM, y * alongM, heightM]);
    truth.linearVelocityWorldMPerS.set([x * alongMPerS, y * alongMPerS, downMPerS]);
    truth.specificForceBaseMPerS2.set([
      -x * sin * GRAVITY_M_PER_S2,
      -y * sin * GRAVITY_M_PER_S2,
      cos * GRAVITY_M_PER_S2,
    ]);
    truth.footContact.fill(this.#tiltRad < 1 ? 1 : 0);
  }

  /** Stiff springs, and rods to first order about the stand: the legs of this body do not go far from it. */
  #placePassive(): void {
    const { truth } = this;
    for (const [leg, { stand, perKnee, perToeA, perToeB }] of LINKAGES.entries()) {
      const [knee, toeA, toeB] = [3, 4, 5].map((place) => LEG_MOTORS * leg + place) as [
        number,
        number,
        number,
      ];
      for (const [place, joint] of PASSIVE.entries()) {
        const along = (motors: ArrayLike<number>) =>
          perKnee[joint] * motors[knee]! + perToeA[joint] * motors[toeA]! + perToeB[joint] * motors[toeB]!;
        // Shin first, heel spring last: springs at rest.
        const at = LEG_JOINTS * leg + 1 + place;
        truth.passivePositionRad[at] = stand[joint] + along(truth.positionRad) - along(this.standRad);
        truth.passiveVelocityRadPerS[at] = along(truth.velocityRadPerS);
      }
    }
  }
}
