/**
 * The scripted demonstrator of ReachBlock: sees the block's true position, answers with one clean joint step per
 * policy period, and can disturb what is executed so that the demonstrations also show how to come back.
 */
import { DEFAULT_STEP, InverseKinematics, toolDownRotation } from "../../kinematics/inverse.js";
import { Random } from "../world/random.js";
import { aimPointM, type Funnel, type Point, type ToolGoal } from "./toolGoal.js";

/** Height of the goal above the table [m]: 2 cm above the centre of a 4 cm block, so the fingers stay clear of it. */
const GOAL_HEIGHT_M = 0.04;
/** The way down is a funnel: this far up for each metre of horizontal distance, so the block stays in the picture. */
const FUNNEL: Funnel = { slope: 0.9, freeM: 0.01, heightMaxM: 0.3 };
const LINEAR_STEP_MAX_M = 0.04;
const JOINT_STEP_MAX_RAD = 0.15;

/** Disturbance: correlated normal noise on each joint, faded near the block. */
const NOISE_RAD = 0.012;
const NOISE_MEMORY = 0.6;
const NOISE_SHARE = 0.7;
const NOISE_FADE_M = 0.1;

/** Where the tool starts [m]: the camera then sees the whole patch on which blocks are put. */
export const START_TOOL_M: readonly [number, number, number] = [0.48, 0, 0.48];
/** How far demonstrations start from there: tool point [m], then each joint [rad]. */
const START_SPREAD_M: readonly [number, number, number] = [0.04, 0.05, 0.04];
const START_SPREAD_RAD = 0.02;
const START_STEPS = 60;

/**
 * Where hands begin, joint 4 is at most this [rad]: at 2.74 the elbow is stretched, and a tool that is led from beyond
 * folds the arm the other way, into that joint's limit.
 */
const ELBOW_BENT_RAD = 2.45;
const BENT_TRIES = 50;
/** Their joints are spread wider: nothing but the way back from there shows how to keep a posture. */
const BENT_SPREAD_RAD = 0.05;

/** A person aims at the same point, is content when the tool is this near, and stays. */
const CONTENT_M = 0.01;
const CONTENT_RAD = 0.08;
const STAY_S = 2;

/** What a person does who moves the tool by hand. @param blockM centre of the block, base frame [m] */
export const planReach = ([x, y]: Point): ToolGoal<"reach">[] => [
  {
    phase: "reach",
    toolM: [x, y, GOAL_HEIGHT_M],
    yawRad: 0,
    isGripperClosed: false,
    toleranceM: CONTENT_M,
    toleranceRad: CONTENT_RAD,
    dwellS: STAY_S,
    isCareful: false,
    funnel: FUNNEL,
  },
];

export interface ExpertStep {
  /** What a demonstrator without tremor would do; the label to learn. */
  readonly cleanRad: Float64Array;
  /** What is executed. */
  readonly executedRad: Float64Array;
  readonly distanceM: number;
}

export class ReachBlockExpert {
  readonly #random: Random;
  readonly #inverse = new InverseKinematics();
  readonly #noise = new Float64Array(7);
  readonly #startRad: Float64Array;
  readonly #down = toolDownRotation();

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#startRad = this.#inverse.solveTool(START_TOOL_M).positionRad;
  }

  /** The undisturbed start pose [rad]. */
  startRad(): Float64Array {
    return Float64Array.from(this.#startRad);
  }

  /** A start pose [rad] near it, for one demonstration. */
  spreadStartRad(spreadRad = START_SPREAD_RAD): Float64Array {
    const toolM = START_TOOL_M.map((value, axis) => {
      const spread = START_SPREAD_M[axis]!;
      return value + this.#random.uniform(-spread, spread);
    });
    // A few damped steps with the posture's pull, not an exact solution: that one may turn the elbow over.
    const positionRad = this.startRad();
    const stepRad = new Float64Array(7);
    for (let i = 0; i < START_STEPS; i++) {
      this.#inverse.step(
        positionRad,
        toolM,
        this.#down,
        { ...DEFAULT_STEP, postureRad: this.#startRad },
        stepRad,
      );
      for (let joint = 0; joint < 7; joint++) positionRad[joint]! += stepRad[joint]!;
    }
    return positionRad.map((angle) => angle + this.#random.normal(0, spreadRad));
  }

  /** The same with the elbow well bent, so that a hand can lead the tool from there. */
  bentStartRad(): Float64Array {
    for (let tries = 0; tries < BENT_TRIES; tries++) {
      const positionRad = this.spreadStartRad(BENT_SPREAD_RAD);
      if (positionRad[3]! <= ELBOW_BENT_RAD) return positionRad;
    }
    return this.startRad();
  }

  /**
   * @param positionRad measured joint angles at the moment of the picture [rad]
   * @param blockM centre of the block, base frame [m]
   */
  step(positionRad: ArrayLike<number>, blockM: readonly [number, number, number]): ExpertStep {
    const { chain } = this.#inverse;
    chain.update(positionRad);
    const [x, y, z] = chain.toolM as unknown as [number, number, number];
    const lateralM = Math.hypot(blockM[0] - x, blockM[1] - y);
    const distanceM = Math.hypot(lateralM, blockM[2] - z);
    const goal = { toolM: [blockM[0], blockM[1], GOAL_HEIGHT_M] as const, funnel: FUNNEL };
    const cleanRad = new Float64Array(7);
    this.#inverse.step(
      positionRad,
      aimPointM(goal, [x, y, z]),
      this.#down,
      { ...DEFAULT_STEP, linearStepMaxM: LINEAR_STEP_MAX_M, postureRad: this.#startRad },
      cleanRad,
    );
    const largestRad = Math.max(...cleanRad.map(Math.abs));
    if (largestRad > JOINT_STEP_MAX_RAD) {
      for (let joint = 0; joint < 7; joint++) cleanRad[joint]! *= JOINT_STEP_MAX_RAD / largestRad;
    }
    const fade = Math.min(1, Math.max(0.2, distanceM / NOISE_FADE_M));
    const executedRad = cleanRad.map((step, joint) => {
      const fresh = this.#random.uniform() < NOISE_SHARE ? this.#random.normal(0, NOISE_RAD) : 0;
      this.#noise[joint] = NOISE_MEMORY * this.#noise[joint]! + fresh;
      return step + fade * this.#noise[joint]!;
    });
    return { cleanRad, executedRad, distanceM };
  }
}
