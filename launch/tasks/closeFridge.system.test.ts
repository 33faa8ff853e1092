/** The expert of CloseFridge in the moving world, judged as a policy is. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadCell } from "../cell/load.js";
import { CLOSE_FRIDGE } from "./closeFridge.js";
import { LockstepArm } from "./lockstepArm.js";
import { planTrials } from "./trial.js";
import type { TruthSample } from "./truth.js";

let arm: LockstepArm;
beforeAll(async () => {
  arm = await LockstepArm.open(loadCell("launch/cells/xarm7-lab.yaml"), "fridge");
});
afterAll(() => arm.dispose());

async function tryExpert(index: number) {
  const { trialS, demonstrator, startOpeningM, judge } = CLOSE_FRIDGE;
  const { seed, blockM } = planTrials(index + 1, 4242, "training", CLOSE_FRIDGE)[index]!;
  const expert = demonstrator(index);
  arm.begin(
    { seed, blockM, light: "training" },
    {
      positionRad: [...expert.startRad],
      gripperOpeningM: startOpeningM,
    },
  );
  const beginM = arm.openingM();
  const samples: TruthSample[] = [];
  let held = 0;
  await arm.run({
    endMs: 1000 * trialS,
    periodMs: 200,
    decide: async (seen) => {
      const { executedRad, phase } = expert.answer(seen, arm.truth());
      held = phase === "hold" ? held + 1 : 0;
      return { targetRad: seen.positionRad.map((angle, joint) => angle + executedRad[joint]!) };
    },
    onSample: (sample) => samples.push(sample),
    isOver: () => held >= expert.holdSteps,
  });
  return { beginM, samples, ...judge(samples, true) };
}

it.each([0, 1])("shuts the door at position %i with closed fingers, and is not stuck", async (index) => {
  const { beginM, samples, verdict } = await tryExpert(index);
  expect(beginM).toBeLessThan(0.003);
  expect(samples[0]!.doorRad).toBeGreaterThan(0.5);
  expect(verdict).toMatchObject({ success: true, endedBecause: "shut the door" });
});
