/**
 * From a hand to joint targets: relative control with a clutch. At engage the hand is where the tool is; from then on
 * the tool moves as the hand moves, scaled, in the base frame's directions:
 *
 *   hand -> One-Euro filter -> lead -> scale -> leash -> workspace, reach -> resolved-rate control -> joint target.
 *
 * The leash keeps what is wanted near what is commanded, and that near the servo's own setpoint: a hand that runs ahead
 * of the arm, or into a limit, drags the clutch's origin along, so no error is ever wound up. The target of every step is within the joint limits, and from
 * one to the next within speeds and accelerations, whatever the hand does. Pure; a step allocates next to nothing.
 */
import type { ArmLimits } from "../../core/arm.js";
import { invariant } from "../../core/errors.js";
import { TRACKED_RANGE_M } from "../../core/teleop/pose.js";
import type { ArmBody } from "../../kinematics/armBody.js";
import { ArmChain } from "../../kinematics/chain.js";
import { ArmClearances } from "../../kinematics/clearances.js";
import { quatFromRotation } from "../../kinematics/pose.js";
import { Reach } from "../../kinematics/reach.js";
import { HELD, ResolvedRate } from "../../kinematics/resolvedRate.js";
import { matrixOf, turnBetween, turnBy } from "../../kinematics/rotationVector.js";
import { ToolDepth } from "../../kinematics/toolDepth.js";
import { TOOL_POINT_FLANGE_M, type Vector3, XARM7_JOINTS } from "../../kinematics/xarm7.js";
import type { MappingConfig } from "./config.js";
import { GripperControl } from "./gripperControl.js";
import type { AlignedHand, ToolMapping, ToolStep } from "./mapping.js";
import { filterLagMs, PoseFilter, RADIAN_M } from "./poseFilter.js";
import { PERIOD_MS_MAX, PoseTimes } from "./poseTimes.js";

/** The servo's box for tool point and elbow, and its table; base frame [m]. */
export interface MappingWorkspace {
  readonly minM: readonly number[];
  readonly maxM: readonly number[];
  readonly tableM: number;
  /** Least height of every moving part above the table. */
  readonly tableMarginM?: number;
}

export interface HandMappingOptions {
  readonly config: MappingConfig;
  /** In force in the servo, margins taken off. */
  readonly limits: ArmLimits;
  readonly workspace?: MappingWorkspace;
  /** Tool point in the flange frame. */
  readonly toolPointM?: Vector3;
  /** The arm's shape; with it, no part of the arm is led into the table, out of the box, or into another part. */
  readonly body?: ArmBody;
  readonly selfCollisionMarginM?: number;
}

/** Below this speed of the hand there is no lead: a still hand's noise must not be amplified [m/s]. */
const LEAD_FROM_M_PER_S = 0.03;
const LEAD_FULL_M_PER_S = 0.1;
/** The lead is at most this share of the leash. */
const LEAD_LEASH_SHARE = 0.5;
/** The servo is behind a target that moves at full speed by what braking takes; half as much again is more than a lag. */
const SERVO_LAGS = 1.5;

/** Of the servo's tool speed limit, above which it would slow the motion down by itself. */
const TOOL_SPEED_SHARE = 0.85;
const ROTATION_WEIGHT_M = 0.3;
const POSTURE_SPEED_RAD_PER_S = 0.3;
/** Further inside of the servo's box and above its table than the servo asks for [m]. */
const WORKSPACE_MARGIN_M = 0.004;

/** The same for the elbow and other parts, which the servo leads past a corner on a slightly other way than we do. */
const ARM_MARGIN_M = 0.012;
/** Smaller corrections are not worth a word [m]. */
const NOTICED_M = 1e-4;

/** While the tool trails by less than this, nobody needs to hear of speeds [m, rad]. */
const TRAILS_M = 0.01;
const TRAILS_RAD = 0.1;

const SPEEDS = HELD.toolSpeed | HELD.jointSpeed | HELD.jointAcceleration;
const WORDS: readonly { readonly bit: number; readonly word: string }[] = [
  { bit: HELD.singularity, word: "singularity" },
  { bit: HELD.toolSpeed, word: "tool speed" },
  { bit: HELD.jointSpeed, word: "joint speed" },
  { bit: HELD.jointAcceleration, word: "joint acceleration" },
  { bit: HELD.workspace, word: "workspace" },
  { bit: HELD.selfCollision, word: "self-collision" },
];

/** Joint that folds the arm, from 0. */
const ELBOW = 3;
const ELBOW_TURNED =
  "The elbow is turned over: drawing the hand back ends at joint 4's limit. Bend it by teach mode first";

export function createHandMapping(options: HandMappingOptions): ToolMapping {
  return new ArmFollowsHand(options);
}

class ArmFollowsHand implements ToolMapping {
  translationScale: number;
  rotationScale: number;
  readonly #config: MappingConfig;
  readonly #workspace: MappingWorkspace | undefined;
  readonly #boxMinM = new Float64Array(3);
  readonly #boxMaxM = new Float64Array(3);
  readonly #reach: Reach;
  readonly #filter: PoseFilter;
  readonly #rate: ResolvedRate;
  readonly #gripper: GripperControl;
  readonly #times = new PoseTimes();
  readonly #jointWords: readonly string[];
  /** The hand with its lead, before and now. */
  readonly #ledM = new Float64Array(3);
  readonly #ledQuat = Float64Array.of(0, 0, 0, 1);
  readonly #handM = new Float64Array(3);
  readonly #handQuat = Float64Array.of(0, 0, 0, 1);
  /** Where the hand wants the tool, limits left aside but not the leash. */
  readonly #askedM = new Float64Array(3);
  readonly #askedQuat = Float64Array.of(0, 0, 0, 1);
  readonly #wantedM = new Float64Array(3);
  readonly #wantedQuat = Float64Array.of(0, 0, 0, 1);
  readonly #wantedRotation = new Float64Array(9);
  readonly #beforeM = new Float64Array(3);
  readonly #beforeQuat = Float64Array.of(0, 0, 0, 1);
  readonly #movedM = new Float64Array(3);
  readonly #movedRad = new Float64Array(3);
  readonly #toolQuat = Float64Array.of(0, 0, 0, 1);
  readonly #turn = new Float64Array(3);
  readonly #targetRad: Float64Array;
  readonly #postureRad: Float64Array;
  /** Farther than this a joint's target is never ahead of the servo's setpoint [rad]. */
  readonly #aheadRadMax: Float64Array;
  readonly #limitedBy: string[] = [];
  readonly #out: { -readonly [K in keyof ToolStep]: ToolStep[K] };
  readonly #depth: ToolDepth | undefined;
  #floorM = Number.NEGATIVE_INFINITY;
  #leadS = 0;
  #isFirst = true;
  #isEngaged = false;

  constructor({
    config,
    limits,
    workspace,
    toolPointM = TOOL_POINT_FLANGE_M,
    body,
    selfCollisionMarginM = 0,
  }: HandMappingOptions) {
    const joints = XARM7_JOINTS.length;
    invariant(limits.positionMinRad.length === joints, "the mapping's arm has seven joints");
    this.#config = config;
    this.#workspace = workspace;
    if (workspace !== undefined) this.#measureBox(workspace);
    this.translationScale = config.translationScale;
    this.rotationScale = config.rotationScale;
    this.#reach = new Reach(toolPointM);
    this.#depth = body === undefined ? undefined : new ToolDepth(body, toolPointM);
    this.#filter = new PoseFilter(config.filter);
    this.#gripper = new GripperControl(config.gripper);
    this.#rate = new ResolvedRate(
      {
        positionMinRad: limits.positionMinRad.map((min) => min + config.jointMarginRad),
        positionMaxRad: limits.positionMaxRad.map((max) => max - config.jointMarginRad),
        velocityMaxRadPerS: limits.velocityMaxRadPerS.map((most) => most * config.jointSpeedShare),
        accelerationMaxRadPerS2: limits.accelerationMaxRadPerS2,
      },
      {
        linearSpeedMaxMPerS: Math.min(
          config.linearSpeedMaxMPerS,
          TOOL_SPEED_SHARE * limits.toolSpeedMaxMPerS,
        ),
        angularSpeedMaxRadPerS: config.angularSpeedMaxRadPerS,
        rotationWeightM: ROTATION_WEIGHT_M,
        damping: config.damping,
        postureGain: config.elbowGain,
        postureSpeedMaxRadPerS: POSTURE_SPEED_RAD_PER_S,
      },
      new ArmChain(XARM7_JOINTS, toolPointM),
      clearancesOf(workspace, body, selfCollisionMarginM),
    );
    this.#jointWords = limits.jointNames.map((_, joint) => `joint ${joint + 1} limit`);
    this.#targetRad = new Float64Array(joints);
    this.#postureRad = new Float64Array(joints);
    this.#aheadRadMax = Float64Array.from(limits.velocityMaxRadPerS, (speed, joint) => {
      const acceleration = limits.accelerationMaxRadPerS2[joint]!;
      const brakingS = speed / (2 * acceleration) + acceleration / limits.jerkMaxRadPerS3[joint]!;
      return speed * (SERVO_LAGS * brakingS + PERIOD_MS_MAX / 1000);
    });
    this.#out = {
      targetRad: this.#targetRad,
      gripperM: Number.NaN,
      wanted: { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] },
      gapM: 0,
      limitedBy: this.#limitedBy,
      warning: "",
    };
  }

  get filterMs(): number {
    return filterLagMs(this.#config.filter, this.#filter.speedMPerS) - 1000 * this.#leadS;
  }

  engage(hand: AlignedHand, sentRad: ArrayLike<number>, nowMs: number): void {
    const { chain } = this.#rate;
    this.#postureRad.set(this.#config.postureRad ?? sentRad);
    this.#rate.startAt(sentRad, this.#postureRad);
    this.#targetRad.set(sentRad);
    this.#takeHand(hand);
    this.#startHand();
    this.#askedM.set(chain.toolM);
    quatFromRotation(chain.flangeRotation, this.#askedQuat);
    this.#wantedM.set(this.#askedM);
    this.#wantedQuat.set(this.#askedQuat);
    this.#gripper.engage(hand.gripper);
    this.#times.start(hand.measuredMs, nowMs);
    this.#leadS = 0;
    this.#isFirst = true;
    this.#isEngaged = true;
  }

  step(hand: AlignedHand, nowMs: number, sentRad?: ArrayLike<number>): ToolStep {
    invariant(this.#isEngaged, "a hand is mapped after it was engaged");
    const out = this.#out;
    out.gripperM = this.#gripper.next(hand.gripper);
    if (this.#isFirst) {
      // Where the arm stands, to the last bit, and the hand counts from here on.
      this.#isFirst = false;
      this.#takeHand(hand);
      this.#startHand();
      this.#times.first(hand.measuredMs, nowMs);
      this.#limitedBy.length = 0;
      this.#tell();
      return out;
    }
    const periodS = this.#times.next(hand.measuredMs, nowMs) / 1000;
    if (periodS === 0) return out;
    this.#limitedBy.length = 0;
    if (sentRad !== undefined) this.#stayNear(sentRad);
    this.#takeHand(hand);
    this.#filter.update(this.#handM, this.#handQuat, periodS);
    this.#followHand();
    this.#shortenLeash();
    this.#beforeM.set(this.#wantedM);
    this.#beforeQuat.set(this.#wantedQuat);
    this.#wantedM.set(this.#askedM);
    this.#wantedQuat.set(this.#askedQuat);
    matrixOf(this.#wantedQuat, this.#wantedRotation);
    this.#keepInWorkspace();
    if (this.#reach.bringWithin(this.#wantedM, this.#wantedRotation)) this.#say("reach");
    for (let axis = 0; axis < 3; axis++) this.#movedM[axis] = this.#wantedM[axis]! - this.#beforeM[axis]!;
    turnBetween(this.#beforeQuat, this.#wantedQuat, this.#movedRad);
    this.#rate.step(this.#wantedM, this.#wantedRotation, this.#movedM, this.#movedRad, periodS);
    this.#targetRad.set(this.#rate.positionRad);
    this.#sayWhatHeld();
    this.#tell();
    return out;
  }

  #sayWhatHeld(): void {
    const { errorM, errorRad, atLimit } = this.#rate;
    const trails = errorM > TRAILS_M || errorRad > TRAILS_RAD;
    const held = trails ? this.#rate.held : this.#rate.held & ~SPEEDS;
    for (let i = 0; i < WORDS.length; i++) if ((held & WORDS[i]!.bit) !== 0) this.#say(WORDS[i]!.word);
    for (let joint = 0; joint < atLimit.length; joint++)
      if (atLimit[joint] === 1) this.#say(this.#jointWords[joint]!);
  }

  #say(word: string): void {
    if (!this.#limitedBy.includes(word)) this.#limitedBy.push(word);
  }

  #startHand(): void {
    this.#filter.startAt(this.#handM, this.#handQuat);
    this.#ledM.set(this.#filter.positionM);
    this.#ledQuat.set(this.#filter.quatXyzw);
  }

  /** Numbers that no tracker can mean leave the hand where it was. */
  #takeHand({ pose: { positionM, quatXyzw } }: AlignedHand): void {
    let isHand = true;
    for (let axis = 0; axis < 3; axis++) isHand &&= Math.abs(positionM[axis]!) <= 2 * TRACKED_RANGE_M;
    for (let i = 0; i < 4; i++) isHand &&= Math.abs(quatXyzw[i]!) <= 2;
    if (!isHand) return;
    this.#handM.set(positionM);
    this.#handQuat.set(quatXyzw);
  }

  /** Moves what is asked for as the hand, with its lead, has moved. */
  #followHand(): void {
    const { positionM, quatXyzw, velocityMPerS, turnRadPerS, speedMPerS, turnSpeedRadPerS } = this.#filter;
    const speed = Math.max(speedMPerS, RADIAN_M * turnSpeedRadPerS);
    const wake = (speed - LEAD_FROM_M_PER_S) / (LEAD_FULL_M_PER_S - LEAD_FROM_M_PER_S);
    const leadS = (this.#config.leadMs / 1000) * Math.min(1, Math.max(0, wake));
    const mostM = (LEAD_LEASH_SHARE * this.#config.leashM) / Math.max(1e-3, this.translationScale);
    const mostRad = (LEAD_LEASH_SHARE * this.#config.leashRad) / Math.max(1e-3, this.rotationScale);
    this.#leadS = Math.min(
      leadS,
      mostM / Math.max(speedMPerS, 1e-9),
      mostRad / Math.max(turnSpeedRadPerS, 1e-9),
    );
    for (let axis = 0; axis < 3; axis++) {
      const ledM = positionM[axis]! + this.#leadS * velocityMPerS[axis]!;
      this.#askedM[axis]! += this.translationScale * (ledM - this.#ledM[axis]!);
      this.#ledM[axis] = ledM;
    }
    this.#beforeQuat.set(this.#ledQuat);
    this.#ledQuat.set(quatXyzw);
    turnBy(this.#ledQuat, turnRadPerS, this.#leadS);
    turnBetween(this.#beforeQuat, this.#ledQuat, this.#turn);
    turnBy(this.#askedQuat, this.#turn, this.rotationScale);
  }

  /** A servo that stands before a wall of its own would otherwise go a long way at once when the hand frees it. */
  #stayNear(sentRad: ArrayLike<number>): void {
    const { positionRad } = this.#rate;
    let share = 1;
    for (let joint = 0; joint < positionRad.length; joint++) {
      const aheadRad = Math.abs(positionRad[joint]! - sentRad[joint]!);
      if (aheadRad * share > this.#aheadRadMax[joint]!) share = this.#aheadRadMax[joint]! / aheadRad;
    }
    if (share === 1) return;
    for (let joint = 0; joint < positionRad.length; joint++)
      this.#targetRad[joint] = sentRad[joint]! + share * (positionRad[joint]! - sentRad[joint]!);
    this.#rate.startAt(this.#targetRad, this.#postureRad);
    this.#say("servo limits");
  }

  /** Pulls what is asked for to within the leash of the commanded tool: the clutch's origin moves along. */
  #shortenLeash(): void {
    const { toolM, flangeRotation } = this.#rate.chain;
    const { leashM, leashRad } = this.#config;
    const gapM = distance(this.#askedM, toolM);
    if (gapM > leashM)
      for (let axis = 0; axis < 3; axis++)
        this.#askedM[axis] = toolM[axis]! + (leashM / gapM) * (this.#askedM[axis]! - toolM[axis]!);
    quatFromRotation(flangeRotation, this.#toolQuat);
    turnBetween(this.#toolQuat, this.#askedQuat, this.#turn);
    const gapRad = Math.hypot(this.#turn[0]!, this.#turn[1]!, this.#turn[2]!);
    if (gapRad > leashRad) {
      this.#askedQuat.set(this.#toolQuat);
      turnBy(this.#askedQuat, this.#turn, leashRad / gapRad);
    }
    if (gapM > leashM || gapRad > leashRad) this.#say("leash");
  }

  #measureBox({ minM, maxM, tableM, tableMarginM = 0 }: MappingWorkspace): void {
    this.#floorM = tableM + tableMarginM + WORKSPACE_MARGIN_M;
    for (let axis = 0; axis < 3; axis++) {
      this.#boxMinM[axis] = minM[axis]! + WORKSPACE_MARGIN_M;
      this.#boxMaxM[axis] = maxM[axis]! - WORKSPACE_MARGIN_M;
    }
  }

  /** Slides along the faces of the box and over the table instead of stopping there; whoever starts outside may stay. */
  #keepInWorkspace(): void {
    if (this.#workspace === undefined) return;
    const { toolM } = this.#rate.chain;
    let isOutside = false;
    for (let axis = 0; axis < 3; axis++) {
      const floorM = axis === 2 ? this.#floorM + (this.#depth?.below(this.#wantedRotation) ?? 0) : -Infinity;
      const least = Math.min(Math.max(this.#boxMinM[axis]!, floorM), toolM[axis]!);
      const most = Math.max(this.#boxMaxM[axis]!, toolM[axis]!);
      const at = this.#wantedM[axis]!;
      this.#wantedM[axis] = Math.min(most, Math.max(least, at));
      if (Math.abs(this.#wantedM[axis]! - at) > NOTICED_M) isOutside = true;
    }
    if (isOutside) this.#say("workspace");
  }

  #tell(): void {
    const { positionM, quatXyzw } = this.#out.wanted;
    for (let axis = 0; axis < 3; axis++) positionM[axis] = this.#wantedM[axis]!;
    for (let i = 0; i < 4; i++) quatXyzw[i] = this.#wantedQuat[i]!;
    this.#out.warning = this.#rate.positionRad[ELBOW]! > this.#reach.stretchedRad ? ELBOW_TURNED : "";
    this.#out.gapM = distance(this.#wantedM, this.#rate.chain.toolM);
  }
}

function clearancesOf(
  workspace: MappingWorkspace | undefined,
  body: ArmBody | undefined,
  apartM: number,
): ArmClearances | undefined {
  if (workspace === undefined || body === undefined) return undefined;
  const { minM, maxM, tableM, tableMarginM = 0 } = workspace;
  return new ArmClearances(body, {
    minM,
    maxM,
    floorM: tableM + tableMarginM,
    apartM,
    toolMarginM: WORKSPACE_MARGIN_M - NOTICED_M,
    armMarginM: ARM_MARGIN_M,
  });
}

const distance = (one: Float64Array, other: Float64Array): number =>
  Math.sqrt((one[0]! - other[0]!) ** 2 + (one[1]! - other[1]!) ** 2 + (one[2]! - other[2]!) ** 2);
