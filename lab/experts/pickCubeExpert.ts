/**
 * The scripted demonstrator of PickCube, and of what else is picked up: sees where the cube truly is, answers with one clean
 * joint step and one opening per policy period, and can disturb what is executed, so that the demonstrations also show how
 * to come back. What it wants follows from what it sees now and hardly from what was before: a policy without a memory can
 * learn it.
 */
import { InverseKinematics } from "../../kinematics/inverse.js";
import { Random } from "../world/random.js";
import { Mistakes } from "./mistakes.js";
import { CUBE_GRASP, graspYawRad, type PickPhase, type PickScene } from "./pickCube.js";
import { ReachBlockExpert } from "./reachBlock.js";
import type { Point } from "./toolGoal.js";
import { toolStep } from "./toolStepper.js";

export const OPEN_M = 0.08;
export const CLOSED_M = 0;

/**
 * First over the cube, then down. A straight way to it would show a policy how far it is off to the side only as a tenth of
 * each step; so a step has the whole of that, and down only what is left of it: nothing from `DOWN_OFF_M` on.
 */
const STEP_M = 0.04;
const DOWN_OFF_M = 0.03;
/** Near the table the tool stays in a funnel, this far up for each metre to the side; above its rim it need not go up. */
const FUNNEL_SLOPE = 4;
const FUNNEL_FREE_M = 0.006;
const FUNNEL_RIM_M = 0.09;
/** A tool that is turned wrongly stays up too: metres for each radian beyond what does not matter. */
const TURN_HEIGHT_M_PER_RAD = 0.12;
const TURN_FREE_RAD = 0.12;
/** So far below the funnel it only goes up: fingers would push the cube. */
const BELOW_M = 0.04;
const LINEAR_STEP_MAX_M = 0.05;

/** Near enough to close: the open fingers leave 2 cm on either side of the cube, and hold it where its middle is. */
const NEAR_M = 0.012;
const NEAR_HEIGHT_M = 0.006;
const NEAR_RAD = 0.2;
/** Once they close, the tool may be this much farther to the side. */
const STAYS_FACTOR = 2;
/** A cube in the fingers is this near to the tool point, across and in height [m]. */
const IN_HAND_M = 0.03;
/** Twice what is asked for: a policy without a memory keeps a height within some centimetres. */
const LIFT_M = 0.2;
/** So far above the grasp a demonstration begins to teach holding [m]. */
const LIFTED_BY_M = LIFT_M - 0.012;
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
/** It takes the cube to be elsewhere for a while, most often staying above other things. */
const MISTAKES = {
  offsetM: 0.03,
  turnRad: 0.25,
  lasts: [4, 12],
  between: [2, 8],
  untilStep: 40,
  heightMinM: 0.075,
  lowShare: 0.3,
} as const;

/** The same of one that does not turn the tool: no more than a policy would err. */
const UNTURNED_RAD = 0.1;

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
  readonly #mistakes: Mistakes;
  readonly #slip: { readonly from: number; readonly to: number };
  #step = 0;
  /** The side of the cube that was chosen: of two that are as good, the one it was before. */
  #yawRad: number | undefined;
  readonly #turns: boolean;

  /**
   * @param turns whether it lays the fingers along what it picks up. A cube need not be turned to: fingers that close turn
   * it, and how a cube of a dozen pixels lies is more than a small encoder tells.
   */
  constructor(seed: number, turns = true) {
    this.#turns = turns;
    this.#random = new Random(seed).fork("pick");
    this.#starts = new ReachBlockExpert(seed);
    this.#postureRad = this.#starts.startRad();
    this.#mistakes = new Mistakes(
      this.#random.fork("mistakes"),
      turns ? MISTAKES : { ...MISTAKES, turnRad: UNTURNED_RAD },
    );
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
    const toolYawRad = Math.atan2(chain.flangeRotation[3]!, chain.flangeRotation[0]!);
    const yawRad = this.#chooseYaw(seen);
    const goal = goalOf(seen, toolM, toolYawRad, yawRad);
    const cleanRad = this.#stepTo(goal, seen.positionRad);
    const believed = this.#believed(goal, seen, toolM, toolYawRad, yawRad);
    const { heightM } = seen.grasp ?? CUBE_GRASP;
    const farM = Math.hypot(toolM[0] - seen.cubeM[0], toolM[1] - seen.cubeM[1], toolM[2] - heightM);
    const fade = Math.min(1, Math.max(NOISE_LEAST, farM / NOISE_FADE_M));
    const slips = this.#step >= this.#slip.from && this.#step < this.#slip.to && toolM[2] > SLIP_HEIGHT_M;
    this.#step++;
    return {
      cleanRad,
      cleanOpeningM: goal.openingM,
      executedRad: this.#disturbed(
        believed === goal ? cleanRad : this.#stepTo(believed, seen.positionRad),
        fade,
      ),
      executedOpeningM: slips && goal.phase === "above" ? CLOSED_M : believed.openingM,
      phase: goal.phase,
    };
  }

  #stepTo(goal: Goal, positionRad: ArrayLike<number>): Float64Array {
    return toolStep(this.#inverse, positionRad, goal, LINEAR_STEP_MAX_M, this.#postureRad);
  }

  /** What is done: the goal, or that of a mistake as long as nothing is about to be held. */
  #believed(goal: Goal, seen: PickSeen, toolM: Point, toolYawRad: number, yawRad: number): Goal {
    const mistake = this.#mistakes.next();
    if (mistake === undefined || (goal.phase !== "above" && goal.phase !== "descend")) return goal;
    const [x, y, z] = seen.cubeM;
    const cubeM: Point = [x + mistake.offsetM[0], y + mistake.offsetM[1], z];
    const wrong = goalOf({ ...seen, cubeM }, toolM, toolYawRad, yawRad + mistake.turnRad);
    const [aimX, aimY, aimZ] = wrong.toolM;
    return { ...wrong, toolM: [aimX, aimY, Math.max(aimZ, mistake.heightMinM)] };
  }

  #chooseYaw(seen: PickSeen): number {
    if (!this.#turns) return 0;
    const { symmetryRad } = seen.grasp ?? CUBE_GRASP;
    const freshRad = graspYawRad(seen);
    const before = this.#yawRad ?? freshRad;
    this.#yawRad = freshRad - symmetryRad * Math.round((freshRad - before) / symmetryRad);
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

/** What is wanted of a tool that is there, of a cube of which two faces are turned by `yawRad`. */
function goalOf(seen: PickSeen, toolM: Point, toolYawRad: number, yawRad: number): Goal {
  const { cubeM, openingM, askedM, grasp = CUBE_GRASP } = seen;
  const { heightM, heldM } = grasp;
  const [toolX, toolY, toolZ] = toolM;
  const [x, y] = cubeM;
  const offM = Math.hypot(x - toolX, y - toolY);
  const turnRad = Math.abs(turnBetween(toolYawRad, yawRad));
  const isInHand = offM < IN_HAND_M && Math.abs(cubeM[2] - toolZ) < IN_HAND_M;
  if (isInHand && openingM > heldM.min && openingM < heldM.max) {
    const phase = toolZ > heightM + LIFTED_BY_M ? "hold" : "lift";
    return { phase, toolM: [toolX, toolY, heightM + LIFT_M], yawRad: toolYawRad, openingM: CLOSED_M };
  }
  const slack = askedM < OPEN_M / 2 ? STAYS_FACTOR : 1;
  // Never higher for fingers that close already: they would hold no more than the cube's rim.
  const isNear = offM < slack * NEAR_M && toolZ - heightM < NEAR_HEIGHT_M && turnRad < slack * NEAR_RAD;
  if (isNear && openingM > heldM.min) {
    return { phase: "close", toolM: [x, y, heightM], yawRad, openingM: CLOSED_M };
  }
  if (openingM < heldM.max && toolZ < heightM + EMPTY_UP_M) {
    // Closed beside the cube: up, and open again.
    return {
      phase: "above",
      toolM: [toolX, toolY, heightM + 2 * EMPTY_UP_M],
      yawRad: toolYawRad,
      openingM: OPEN_M,
    };
  }
  const funnelM =
    FUNNEL_SLOPE * Math.max(0, offM - FUNNEL_FREE_M) +
    TURN_HEIGHT_M_PER_RAD * Math.max(0, turnRad - TURN_FREE_RAD);
  const lowestM = heightM + Math.min(FUNNEL_RIM_M, funnelM);
  const downM = STEP_M * Math.max(0, 1 - offM / DOWN_OFF_M);
  const aimZ = toolZ < lowestM ? lowestM : Math.max(lowestM, toolZ - downM);
  const share = Math.min(1, STEP_M / offM) * Math.max(0, 1 - Math.max(0, lowestM - toolZ) / BELOW_M);
  const phase = toolZ > heightM + FUNNEL_RIM_M || toolZ < lowestM ? "above" : "descend";
  return {
    phase,
    toolM: [toolX + share * (x - toolX), toolY + share * (y - toolY), aimZ],
    yawRad,
    openingM: OPEN_M,
  };
}

/** From one turn to another [rad], -pi to pi. */
const turnBetween = (fromRad: number, toRad: number): number =>
  Math.atan2(Math.sin(toRad - fromRad), Math.cos(toRad - fromRad));
