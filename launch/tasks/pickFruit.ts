/**
 * PickFruit: one of several fruits lifted and held up, as PickCube's cube. This file says what is on the table, who demonstrates
 * it and that it is judged as the cube is.
 */
import type { LabTruth } from "../../lab/control/protocol.js";
import { type PickScene, planPick } from "../../lab/experts/pickCube.js";
import { OPEN_M, PickCubeExpert } from "../../lab/experts/pickCubeExpert.js";
import { fruitGrasp } from "../../lab/experts/pickFruit.js";
import { FRUIT_PATCH_M, FRUITS } from "../../lab/world/fruits.js";
import type { Demonstrator, LabTaskRow } from "./labTask.js";
import { HOLD_STEPS, judgedPick, judgePick, PICK_TRIAL_S } from "./pickCube.js";

/** A round fruit has no turn. */
const sceneOf = ({ blockM, blockYawRad, othersM, fruit }: LabTruth): PickScene => ({
  cubeM: blockM,
  cubeYawRad: fruit!.isLong ? blockYawRad : 0,
  othersM,
  grasp: fruitGrasp(fruit!),
});

function demonstrator(seed: number): Demonstrator {
  const expert = new PickCubeExpert(seed);
  return {
    source: "lab/experts/pickCubeExpert",
    startRad: expert.spreadStartRad(),
    holdSteps: HOLD_STEPS,
    answer: ({ positionRad, openingM, askedM }, truth) =>
      expert.step({ positionRad, openingM, askedM, ...sceneOf(truth) }),
  };
}

export const PICK_FRUIT: LabTaskRow = {
  world: "fruit",
  thing: "fruit",
  patchM: FRUIT_PATCH_M,
  objects: FRUITS,
  trialS: PICK_TRIAL_S,
  startOpeningM: OPEN_M,
  cameCloseWord: "lifted the fruit",
  judge: (samples, ranToTheEnd) => judgedPick(judgePick(samples, ranToTheEnd, "fruit")),
  demonstrator,
  plan: (truth) => planPick(sceneOf(truth)),
};
