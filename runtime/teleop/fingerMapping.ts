/**
 * From a person's fingers to those of a robot's hand:
 *
 *   25 joints -> keypoints -> retargeting (limits, pinches, low-pass) -> follow -> joint target.
 *
 * Nothing here is relative: what the person's hand shows is what the robot's hand does, wherever the two were when the
 * clutch was pressed. So it starts where the robot's hand stands, and each joint leaves from there at a bounded speed until
 * it has caught up with the person's fingers; from then on it goes with them, within the servo's speeds. Whatever the fingers
 * do, a target is within the limits, no joint is faster than its speed, none changes its speed by more than its acceleration,
 * and none is further ahead of the servo's setpoint than what braking takes. A hand that is none leaves the target where
 * braking ends. Pure; a step allocates next to nothing.
 */
import type { ArmLimits } from "../../core/arm.js";
import { invariant } from "../../core/errors.js";
import { HandChain } from "../../kinematics/allegro/fingertips.js";
import { FINGERS, HAND_JOINT_COUNT, JOINTS_PER_FINGER } from "../../kinematics/allegro/hand.js";
import { HandKeypoints } from "../../kinematics/allegro/keypoints.js";
import { type RetargetedHand, Retargeting } from "../../kinematics/allegro/retargeting.js";
import type { RetargetingConfig } from "../../kinematics/allegro/retargetingConfig.js";
import type { FingersConfig } from "./config.js";
import type { AlignedHand, HandMapping, MappingStep } from "./mapping.js";
import { PoseTimes } from "./poseTimes.js";

export interface FingerMappingOptions extends Pick<RetargetedHand, "model" | "side"> {
  readonly retargeting: RetargetingConfig;
  /** Metres of the robot's hand per metre of the person's, asked for at each engagement; undefined = not measured. */
  readonly scale?: () => number | undefined;
  readonly follow: Pick<FingersConfig, "catchUpRadPerS" | "jointSpeedShare">;
}

/** A joint has caught up within this of where the fingers want it [rad]. */
const CAUGHT_UP_RAD = 0.05;
/** Of the acceleration limit, for braking: what is left makes up for periods that differ. */
const BRAKING_SHARE = 0.8;
/** The servo is behind a target that moves at full speed by what braking takes; half as much again is more than a lag. */
const SERVO_LAGS = 1.5;
/** Poses may be apart by so much before the target waits for them [s]. */
const PERIOD_S_MAX = 0.1;
/** A finger that trails by more is told of [rad]. */
const TRAILS_RAD = 0.15;
/** A tip farther from where the person's is, scaled, cannot reach it [m]. */
const OUT_OF_REACH_M = 0.05;

const WORDS = FINGERS.map((finger) => ({ speed: `${finger} speed`, reach: `${finger} reach` }));

/** @throws DEVICE_MISMATCH for a hand whose geometry is not known */
export function createFingerMapping(limits: ArmLimits, options: FingerMappingOptions): HandMapping {
  return new FingersFollowFingers(limits, options);
}

class FingersFollowFingers implements HandMapping {
  /** Fingers are not scaled by the operator's wish, but by the sizes of two hands. */
  translationScale = 1;
  rotationScale = 1;
  readonly #limits: ArmLimits;
  readonly #options: FingerMappingOptions;
  readonly #keypoints = new HandKeypoints();
  readonly #times = new PoseTimes();
  readonly #speedsRadPerS: readonly number[];
  readonly #aheadRadMax: readonly number[];
  readonly #targetRad = new Float64Array(HAND_JOINT_COUNT);
  readonly #velocityRadPerS = new Float64Array(HAND_JOINT_COUNT);
  /** Where the fingers want the joints, before and now. */
  readonly #wishedRad = new Float64Array(HAND_JOINT_COUNT);
  readonly #wishRad = new Float64Array(HAND_JOINT_COUNT);
  readonly #hasCaughtUp = new Uint8Array(HAND_JOINT_COUNT);
  readonly #targetChain: HandChain;
  readonly #wishChain: HandChain;
  readonly #limitedBy: string[] = [];
  readonly #out: { -readonly [K in keyof MappingStep]: MappingStep[K] };
  #retargeting: Retargeting;
  #scale: number;
  #isFirst = true;
  #isEngaged = false;
  #periodS = 1 / 90;

  constructor(limits: ArmLimits, options: FingerMappingOptions) {
    invariant(limits.jointNames.length === HAND_JOINT_COUNT, "the mapping's hand has sixteen joints");
    this.#limits = limits;
    this.#options = options;
    this.#scale = options.retargeting.scale;
    this.#retargeting = this.#retargetBy(this.#scale);
    this.#targetChain = new HandChain(options.model, options.side);
    this.#wishChain = new HandChain(options.model, options.side);
    this.#speedsRadPerS = limits.velocityMaxRadPerS.map((most) => most * options.follow.jointSpeedShare);
    this.#aheadRadMax = limits.velocityMaxRadPerS.map((speed, joint) => {
      const acceleration = limits.accelerationMaxRadPerS2[joint]!;
      const brakingS = speed / (2 * acceleration) + acceleration / limits.jerkMaxRadPerS3[joint]!;
      return speed * (SERVO_LAGS * brakingS + PERIOD_S_MAX);
    });
    this.#out = {
      targetRad: this.#targetRad,
      gripperM: Number.NaN,
      wanted: null,
      gapM: 0,
      limitedBy: this.#limitedBy,
      warning: "",
    };
  }

  get filterMs(): number {
    return 1000 * this.#retargeting.delayS(this.#periodS);
  }

  engage(hand: AlignedHand, sentRad: ArrayLike<number>, nowMs: number): void {
    const scale = this.#options.scale?.() ?? this.#options.retargeting.scale;
    if (scale !== this.#scale) this.#retargeting = this.#retargetBy(scale);
    this.#scale = scale;
    this.#retargeting.startAt(sentRad);
    this.#targetRad.set(sentRad);
    this.#velocityRadPerS.fill(0);
    this.#wishRad.set(this.#retargeting.positionRad);
    this.#hasCaughtUp.fill(0);
    this.#times.start(hand.measuredMs, nowMs);
    this.#isFirst = true;
    this.#isEngaged = true;
  }

  step(hand: AlignedHand, nowMs: number, sentRad?: ArrayLike<number>): MappingStep {
    invariant(this.#isEngaged, "fingers are mapped after they were engaged");
    if (this.#isFirst) {
      // Where the hand stands, to the last bit.
      this.#isFirst = false;
      this.#times.first(hand.measuredMs, nowMs);
      this.#limitedBy.length = 0;
      return this.#out;
    }
    const periodS = this.#times.next(hand.measuredMs, nowMs) / 1000;
    if (periodS === 0) return this.#out;
    this.#periodS = periodS;
    this.#limitedBy.length = 0;
    this.#wishedRad.set(this.#wishRad);
    if (
      this.#keypoints.read(hand.joints, this.#options.side) &&
      this.#retargeting.step(this.#keypoints.pointsM, periodS)
    ) {
      this.#wishRad.set(this.#retargeting.positionRad);
    } else {
      this.#say("fingers not seen");
      this.#wishRad.set(this.#targetRad);
      this.#wishedRad.set(this.#targetRad);
    }
    this.#follow(periodS, sentRad);
    this.#tell();
    return this.#out;
  }

  #retargetBy(scale: number): Retargeting {
    const { model, side, retargeting } = this.#options;
    const { positionMinRad, positionMaxRad, velocityMaxRadPerS } = this.#limits;
    const limits = { positionMinRad, positionMaxRad, velocityMaxRadPerS };
    return new Retargeting({ model, side, limits }, { ...retargeting, scale });
  }

  #follow(periodS: number, sentRad: ArrayLike<number> | undefined): void {
    const { positionMinRad, positionMaxRad, accelerationMaxRadPerS2 } = this.#limits;
    const { catchUpRadPerS } = this.#options.follow;
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      const at = this.#targetRad[joint]!;
      const apartRad = this.#wishRad[joint]! - at;
      const full = this.#speedsRadPerS[joint]!;
      const most = this.#hasCaughtUp[joint] === 1 ? full : Math.min(full, catchUpRadPerS);
      // The servo may stand where the fingers go on: its setpoint is the middle of where a target may be.
      const sent = sentRad === undefined ? at : sentRad[joint]!;
      const aheadRad = sentRad === undefined ? Number.POSITIVE_INFINITY : this.#aheadRadMax[joint]!;
      // A hand that stands outside of a limit may stay there, but goes no further.
      const low = Math.max(Math.min(positionMinRad[joint]!, at), sent - aheadRad);
      const high = Math.min(Math.max(positionMaxRad[joint]!, at), sent + aheadRad);
      const acceleration = accelerationMaxRadPerS2[joint]!;
      const braking = BRAKING_SHARE * acceleration;
      const wishRadPerS = (this.#wishRad[joint]! - this.#wishedRad[joint]!) / periodS;
      const approach = Math.sign(apartRad) * speedThatStopsIn(Math.abs(apartRad), braking, periodS);
      const before = this.#velocityRadPerS[joint]!;
      let speed = clamp(wishRadPerS + approach, -most, most);
      speed = clamp(speed, before - acceleration * periodS, before + acceleration * periodS);
      speed = clamp(
        speed,
        -speedThatStopsIn(at - low, braking, periodS),
        speedThatStopsIn(high - at, braking, periodS),
      );
      const next = clamp(at + speed * periodS, low, high);
      const isPulled = at < low || at > high;
      this.#velocityRadPerS[joint] = isPulled ? 0 : (next - at) / periodS;
      this.#targetRad[joint] = next;
      if (Math.abs(this.#wishRad[joint]! - next) <= CAUGHT_UP_RAD) this.#hasCaughtUp[joint] = 1;
      if (Math.abs(next - sent) >= 0.99 * aheadRad) this.#say("servo limits");
    }
  }

  #tell(): void {
    let isCatchingUp = false;
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      if (this.#hasCaughtUp[joint] === 0) isCatchingUp = true;
      else if (Math.abs(this.#wishRad[joint]! - this.#targetRad[joint]!) > TRAILS_RAD)
        this.#say(WORDS[Math.floor(joint / JOINTS_PER_FINGER)]!.speed);
    }
    if (isCatchingUp) this.#say("catching up");
    this.#targetChain.update(this.#targetRad);
    this.#wishChain.update(this.#wishRad);
    const [one, other] = [this.#targetChain.tipsM, this.#wishChain.tipsM];
    let gapM = 0;
    for (let finger = 0; finger < FINGERS.length; finger++) {
      if (this.#retargeting.tipErrorM(finger) > OUT_OF_REACH_M) this.#say(WORDS[finger]!.reach);
      const at = 3 * finger;
      const apartM = Math.hypot(
        one[at]! - other[at]!,
        one[at + 1]! - other[at + 1]!,
        one[at + 2]! - other[at + 2]!,
      );
      gapM = Math.max(gapM, apartM);
    }
    this.#out.gapM = gapM;
  }

  #say(word: string): void {
    if (!this.#limitedBy.includes(word)) this.#limitedBy.push(word);
  }
}

/**
 * The fastest from which steps of `periodS` come to rest within `roomRad`, each slower than the one before by what
 * `braking` [rad/s²] allows; 0 where there is no room.
 */
function speedThatStopsIn(roomRad: number, braking: number, periodS: number): number {
  if (!(roomRad > 0)) return 0;
  if (roomRad === Number.POSITIVE_INFINITY) return roomRad;
  const half = (braking * periodS) / 2;
  return Math.min(roomRad / periodS, Math.sqrt(2 * braking * roomRad + half * half) - half);
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
