/** Trials of a hand's tasks: what lies where, the same for the same seed. */
import type { HandSide } from "../../kinematics/allegro/hand.js";
import { Random } from "../../lab/world/random.js";
import { HAND_TASKS, type HandJudged, type HandTask } from "./handJudge.js";

/** Scenes of trials have seeds that no demonstration has. */
const TRIAL_SCENE_SEED = 1_500_000_000;

export interface HandTrial {
  readonly index: number;
  readonly seed: number;
  readonly object: string;
  /** y, z of the object's centre, palm frame [m]. */
  readonly placeM: readonly [number, number];
  readonly yawRad: number;
  readonly light: "training" | "changed";
}

export interface HandTrialResult extends HandJudged, Omit<HandTrial, "light"> {
  readonly steps: number;
  readonly heldSteps: number;
}

export type ObjectChoice = "seen" | "unseen";

/** Every object in turn, at a place and a heading drawn for each trial. */
export function planHandTrials(
  task: HandTask,
  {
    count,
    seed,
    light,
    objects,
    side,
  }: {
    readonly count: number;
    readonly seed: number;
    readonly light: HandTrial["light"];
    readonly objects: ObjectChoice;
    readonly side: HandSide;
  },
): HandTrial[] {
  const { patch } = HAND_TASKS[task];
  const chosen = HAND_TASKS[task].objects.filter(({ seen }) => seen === (objects === "seen"));
  const random = new Random(seed).fork(task);
  return Array.from({ length: chosen.length === 0 ? 0 : count }, (_, index) => {
    const sceneSeed = TRIAL_SCENE_SEED + ((seed * 1009 + index) % 1_000_000_000);
    return {
      index,
      seed: sceneSeed,
      object: chosen[index % chosen.length]!.name,
      ...placed(random, patch, side),
      light,
    };
  });
}

/** A place and a heading on a patch, mirrored for a left hand. */
export function placed(
  random: Random,
  patch: (typeof HAND_TASKS)[HandTask]["patch"],
  side: HandSide,
): { placeM: readonly [number, number]; yawRad: number } {
  const sign = side === "right" ? 1 : -1;
  const [y, z] = [random.uniform(...patch.y), random.uniform(...patch.z)];
  return { placeM: [sign * y, z], yawRad: sign * random.uniform(...patch.yawRad) };
}

export function describeHandTrial({ verdict, object, placeM: [y, z], words }: HandTrialResult): string {
  return [
    verdict.success ? "success" : "FAILED ",
    `${object} at (${y.toFixed(3)}, ${z.toFixed(3)}) m`,
    ...words,
    verdict.endedBecause,
  ].join(" · ");
}
