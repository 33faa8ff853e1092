/** The expert takes fruits of either shape in the moving world, judged as a policy is. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadCell } from "../cell/load.js";
import { LockstepArm } from "./lockstepArm.js";
import { PICK_FRUIT } from "./pickFruit.js";
import { planTrials } from "./trial.js";
import type { TruthSample } from "./truth.js";

let arm: LockstepArm;
beforeAll(async () => {
  arm = await LockstepArm.open(loadCell("launch/cells/xarm7-lab.yaml"), "fruit");
});
afterAll(() => arm.dispose());

it.each([
  ["plum", 2, "seen"],
  ["pear", 1, "unseen"],
] as const)("lifts the %s of trial %i and holds it", async (object, index, choice) => {
  const { trialS, demonstrator, startOpeningM, judge } = PICK_FRUIT;
  const trial = planTrials(index + 1, 4242, "training", PICK_FRUIT, choice)[index]!;
  expect(trial.object).toBe(object);
  const expert = demonstrator(index);
  arm.begin(trial, { positionRad: [...expert.startRad], gripperOpeningM: startOpeningM });
  expect(arm.truth().fruit).toMatchObject({ name: object });
  const samples: TruthSample[] = [];
  let held = 0;
  await arm.run({
    endMs: 1000 * trialS,
    periodMs: 200,
    decide: async (seen) => {
      // What it wants, without the mistakes that demonstrations show.
      const { cleanRad, cleanOpeningM, phase } = expert.answer(seen, arm.truth());
      held = phase === "hold" ? held + 1 : 0;
      return {
        targetRad: seen.positionRad.map((angle, joint) => angle + cleanRad[joint]!),
        openingM: cleanOpeningM,
      };
    },
    onSample: (sample) => samples.push(sample),
    isOver: () => held >= expert.holdSteps,
  });
  expect(judge(samples, true).verdict).toMatchObject({ success: true, endedBecause: "held the fruit" });
});
