/**
 * CloseFridge: the door of a small fridge, left open, pushed shut. This file judges one trial from the lab's ground truth
 * and says who demonstrates it; it neither moves nor sees anything.
 */
import { CLOSED_M, CloseFridgeExpert, planClose } from "../../lab/experts/closeFridge.js";
import { FRIDGE_PATCH_M } from "../../lab/world/fridge.js";
import { after, type Demonstrator, degrees, type LabTaskRow } from "./labTask.js";
import type { TruthSample } from "./truth.js";

/** A door that is open no farther counts as shut [rad]: 4 degrees, a centimetre at its free edge. */
export const SHUT_RAD = (4 * Math.PI) / 180;
/** An arm whose joint is this far from its setpoint is stuck [rad]: it presses against something that does not give way. */
export const STUCK_RAD = 0.05;
/** So long at the end of a trial the door is shut and the arm free. */
export const SHUT_S = 1;
export const CLOSE_TRIAL_S = 20;

export type CloseSample = Pick<TruthSample, "atS" | "doorRad" | "lagRad">;

export interface CloseVerdict {
  readonly success: boolean;
  /** First time that it was shut; undefined when never. */
  readonly shutAtS: number | undefined;
  readonly leastRad: number;
  readonly finalRad: number;
  /** Largest distance of a joint from its setpoint during the end. */
  readonly lagRad: number;
  readonly endedBecause:
    | "shut the door"
    | "the door has come open again"
    | "never shut the door"
    | "the arm is stuck"
    | "policy stopped"
    | "no ground truth";
}

/**
 * @param samples of the whole trial
 * @param ranToTheEnd false when who moved the arm stopped by itself
 */
export function judgeClose(samples: readonly CloseSample[], ranToTheEnd: boolean): CloseVerdict {
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined) {
    const nothing = { shutAtS: undefined, leastRad: Number.NaN, finalRad: Number.NaN, lagRad: Number.NaN };
    return { success: false, ...nothing, endedBecause: "no ground truth" };
  }
  const fromS = last.atS - SHUT_S;
  // The newest sample that is no younger than the span counts too: what was between two samples was so as well.
  const end = samples.slice(
    Math.max(
      0,
      samples.findLastIndex(({ atS }) => atS <= fromS),
    ),
  );
  const isShut = first.atS <= fromS && end.every(({ doorRad }) => doorRad <= SHUT_RAD);
  const lagRad = Math.max(...end.map((sample) => sample.lagRad));
  const shutAtS = samples.find(({ doorRad }) => doorRad <= SHUT_RAD)?.atS;
  return {
    success: ranToTheEnd && isShut && lagRad <= STUCK_RAD,
    shutAtS,
    leastRad: Math.min(...samples.map(({ doorRad }) => doorRad)),
    finalRad: last.doorRad,
    lagRad,
    endedBecause: !ranToTheEnd
      ? "policy stopped"
      : shutAtS === undefined
        ? "never shut the door"
        : !isShut
          ? "the door has come open again"
          : lagRad > STUCK_RAD
            ? "the arm is stuck"
            : "shut the door",
  };
}

const HOLD_STEPS = 8;

function demonstrator(seed: number): Demonstrator {
  const expert = new CloseFridgeExpert(seed);
  return {
    source: "lab/experts/closeFridge",
    startRad: expert.spreadStartRad(),
    holdSteps: HOLD_STEPS,
    answer: ({ positionRad }, { fridge }) => expert.step(positionRad, fridge!),
  };
}

export const CLOSE_FRIDGE: LabTaskRow = {
  world: "fridge",
  thing: "fridge",
  patchM: FRIDGE_PATCH_M,
  trialS: CLOSE_TRIAL_S,
  startOpeningM: CLOSED_M,
  cameCloseWord: "shut the door",
  judge: (samples, ranToTheEnd) => {
    const verdict = judgeClose(samples, ranToTheEnd);
    const { shutAtS, leastRad, finalRad, lagRad } = verdict;
    return {
      verdict,
      cameClose: shutAtS !== undefined,
      words: [
        after("shut", shutAtS),
        `open by ${degrees(finalRad)} at the end, ${degrees(leastRad)} at least`,
        `joints lag ${degrees(lagRad)}`,
      ],
    };
  },
  demonstrator,
  plan: ({ fridge }) => planClose(fridge!),
};
