/**
 * The scripted demonstrator of PickCube: sees where the cube truly is, answers with one clean joint step and one opening
 * per policy period, and can disturb what is executed, so that the demonstrations also show how to come back. What it
 * wants follows from what it sees now and hardly from what was before: a policy without a memory can learn it.
 */
import { DEFAULT_STEP, InverseKinematics, toolDownRotation } from "../../kinematics/inverse.js";
import { Random } from "../world/random.js";
import { GRASP_HEIGHT_M, graspYawRad, LIFT_M, type PickPhase, type PickScene } from "./pickCube.js";
import { ReachBlockExpert } from "./reachBlock.js";
import { aimPointM, type Funnel, type Point } from "./toolGoal.js";

export const OPEN_M = 0.08;
export const CLOSED_M = 0;

/**
 * First over the cube, then down. A straight way to it would show a policy how far it is off to the side only as a tenth of
 * each step; so the whole of that is in every step, until there is nothing left of it.
 */
const FUNNEL: Funnel = { slope: 6, freeM: 0.006, heightMaxM: 0.42 };
/** A tool that is turned wrongly stays up too: metres for each radian beyond what does not matter. */
const TURN_HEIGHT_M_PER_RAD = 0.12;
const TURN_FREE_RAD = 0.12;
const LINEAR_STEP_MAX_M = 0.04;
const JOINT_STEP_MAX_RAD = 0.15;

/** Near enough to close: the open fingers leave 2 cm on either side of the cube, and hold it where its middle is. */
const NEAR_M = 0.012;
const NEAR_HEIGHT_M = 0.008;
const NEAR_RAD = 0.2;
/** Once they close, the tool may be this much farther off. */
const STAYS_FACTOR = 2;
/** Opening of fingers that hold a cube of 4 cm; a lesser one holds nothing, a greater one is still under way [m]. */
const HELD_M = { min: 0.03, max: 0.0415 } as const;
/** A cube in the fingers is this near to the tool point, across and in height [m]. */
const IN_HAND_M = 0.03;
/** From here on a demonstration teaches holding [m]. */
const LIFTED_M = GRASP_HEIGHT_M + LIFT_M - 0.012;
const EMPTY_UP_M = 0.06;

/** Disturbance: correlated normal noise on each joint, faded near the cube, and fingers that close on the way. */
const NOISE_RAD = 0.012;
const NOISE_MEMORY = 0.6;
const NOISE_SHARE = 0.7;
const NOISE_FADE_M = 0.1;
const NOISE_LEAST = 0.2;
const SLIP_SHARE = 0.35;
const SLIP_FROM_STEP = [2, 9] as const;
const SLIP_STEPS = [4, 8] as const;
/** Fingers that close by mistake do so well above the table [m]. */
const SLIP_HEIGHT_M = 0.12;

export interface PickSeen extends PickScene {
  /** Measured joint angles at the moment of the picture [rad]. */
  readonly positionRad: ArrayLike<number>;
  /** Newest opening that was read, and newest that was asked for [m]. */
  readonly openingM: number;
  readonly askedM: number;
}

export interface PickStep {
  /** What a demonstrator without tremor would do; the label to learn [rad], and the opening it would ask for [m]. */
  readonly cleanRad: Float64Array;
  readonly cleanOpeningM: number;
  /** What is executed. */
  readonly executedRad: Float64Array;
  readonly executedOpeningM: number;
  readonly phase: PickPhase;
}

interface Goal {
  readonly phase: PickPhase;
  readonly toolM: Point;
  readonly yawRad: number;
  readonly openingM: number;
}

export class PickCubeExpert {
  readonly #random: Random;
  readonly #inverse = new InverseKinematics();
  readonly #starts: ReachBlockExpert;
  readonly #postureRad: Float64Array;
  readonly #noise = new Float64Array(7);
  readonly #slip: { readonly from: number; readonly to: number };
  #step = 0;
  /** The side of the cube that was chosen: of two that are as good, the one it was before. */
  #yawRad: number | undefined;

  constructor(seed: number) {
    this.#random = new Random(seed).fork("pick");
    this.#starts = new ReachBlockExpert(seed);
    this.#postureRad = this.#starts.startRad();
    const slips = this.#random.uniform() < SLIP_SHARE;
    const from = Math.round(this.#random.uniform(...SLIP_FROM_STEP));
    this.#slip = { from, to: slips ? from + Math.round(this.#random.uniform(...SLIP_STEPS)) : from };
  }

  /** The undisturbed start pose [rad]; as ReachBlock's. */
  startRad(): Float64Array {
    return this.#starts.startRad();
  }

  /** A start pose [rad] near it, for one demonstration; none from which the way down would end in a joint's limit. */
  spreadStartRad(): Float64Array {
    return this.#starts.bentStartRad();
  }

  step(seen: PickSeen): PickStep {
    const { chain } = this.#inverse;
    chain.update(seen.positionRad);
    const toolM = [...chain.toolM] as unknown as Point;
    const goal = this.#goal(seen, toolM, Math.atan2(chain.flangeRotation[3]!, chain.flangeRotation[0]!));
    const cleanRad = new Float64Array(7);
    this.#inverse.step(
      seen.positionRad,
      goal.toolM,
      toolDownRotation(goal.yawRad),
      { ...DEFAULT_STEP, linearStepMaxM: LINEAR_STEP_MAX_M, postureRad: this.#postureRad },
      cleanRad,
    );
    const largestRad = Math.max(...cleanRad.map(Math.abs));
    if (largestRad > JOINT_STEP_MAX_RAD)
      for (let joint = 0; joint < 7; joint++) cleanRad[joint]! *= JOINT_STEP_MAX_RAD / largestRad;
    const farM = Math.hypot(toolM[0] - seen.cubeM[0], toolM[1] - seen.cubeM[1], toolM[2] - GRASP_HEIGHT_M);
    const fade = Math.min(1, Math.max(NOISE_LEAST, farM / NOISE_FADE_M));
    const slips = this.#step >= this.#slip.from && this.#step < this.#slip.to && toolM[2] > SLIP_HEIGHT_M;
    this.#step++;
    return {
      cleanRad,
      cleanOpeningM: goal.openingM,
      executedRad: this.#disturbed(cleanRad, fade),
      executedOpeningM: slips && goal.phase === "above" ? CLOSED_M : goal.openingM,
      phase: goal.phase,
    };
  }

  #goal(seen: PickSeen, toolM: Point, toolYawRad: number): Goal {
    const { cubeM, openingM, askedM } = seen;
    const yawRad = this.#chooseYaw(seen);
    const [x, y] = cubeM;
    const offM = Math.hypot(x - toolM[0], y - toolM[1]);
    const turnRad = Math.abs(turnBetween(toolYawRad, yawRad));
    const isClosing = askedM < OPEN_M / 2;
    const isInHand = offM < IN_HAND_M && Math.abs(cubeM[2] - toolM[2]) < IN_HAND_M;
    if (isClosing && isInHand && openingM > HELD_M.min && openingM < HELD_M.max) {
      const phase = toolM[2] > LIFTED_M ? "hold" : "lift";
      return {
        phase,
        toolM: [toolM[0], toolM[1], GRASP_HEIGHT_M + LIFT_M],
        yawRad: toolYawRad,
        openingM: CLOSED_M,
      };
    }
    const slack = isClosing ? STAYS_FACTOR : 1;
    const isNear =
      offM < slack * NEAR_M &&
      toolM[2] - GRASP_HEIGHT_M < slack * NEAR_HEIGHT_M &&
      turnRad < slack * NEAR_RAD;
    const graspM: Point = [x, y, GRASP_HEIGHT_M];
    if (isNear && openingM > HELD_M.min) return { phase: "close", toolM: graspM, yawRad, openingM: CLOSED_M };
    if (openingM < HELD_M.max && toolM[2] < GRASP_HEIGHT_M + EMPTY_UP_M) {
      // Closed beside the cube: up, and open again.
      return { phase: "above", toolM: [x, y, GRASP_HEIGHT_M + 2 * EMPTY_UP_M], yawRad, openingM: OPEN_M };
    }
    const [aimX, aimY, aimZ] = aimPointM({ toolM: graspM, funnel: FUNNEL }, toolM);
    const turnUpM = TURN_HEIGHT_M_PER_RAD * Math.max(0, turnRad - TURN_FREE_RAD);
    const raisedM = Math.max(aimZ - GRASP_HEIGHT_M, turnUpM);
    const phase = raisedM > 0.01 ? "above" : "descend";
    return { phase, toolM: [aimX, aimY, GRASP_HEIGHT_M + raisedM], yawRad, openingM: OPEN_M };
  }

  #chooseYaw(seen: PickSeen): number {
    const quarter = Math.PI / 2;
    const freshRad = graspYawRad(seen);
    const before = this.#yawRad ?? freshRad;
    this.#yawRad = freshRad - quarter * Math.round((freshRad - before) / quarter);
    return this.#yawRad;
  }

  #disturbed(cleanRad: Float64Array, fade: number): Float64Array {
    return cleanRad.map((step, joint) => {
      const fresh = this.#random.uniform() < NOISE_SHARE ? this.#random.normal(0, NOISE_RAD) : 0;
      this.#noise[joint] = NOISE_MEMORY * this.#noise[joint]! + fresh;
      return step + fade * this.#noise[joint]!;
    });
  }
}

/** From one turn to another [rad], -pi to pi. */
const turnBetween = (fromRad: number, toRad: number): number =>
  Math.atan2(Math.sin(toRad - fromRad), Math.cos(toRad - fromRad));
