/** The shipped cell of a Digit in simulated time: enabled, pushed over, and let go of by driver and servo. */
import { afterAll, expect, it } from "vitest";
import { cellOfTask } from "../cell/default.js";
import { loadCell } from "../cell/load.js";
import { LockstepStand } from "./lockstepStand.js";
import { runStandTrial } from "./standRun.js";
import { planStandTrials } from "./standTrials.js";

const stage = new LockstepStand(loadCell(cellOfTask("stand")));
afterAll(() => stage.close());

it("stands until it is felled, and is damped as soon as that is seen", async () => {
  const [trial] = planStandTrials({ count: 1, seed: 1, scenarios: ["felled"] });
  const { verdict } = await runStandTrial(stage, trial!, new AbortController().signal);
  expect(verdict).toMatchObject({
    success: true,
    fell: true,
    letGo: { by: "damping", cause: "command", droveAgain: false },
  });
  // The push comes after two seconds.
  expect(verdict.stoodS).toBeGreaterThan(2);
  expect(verdict.letGo!.quietAfterMs).toBeLessThanOrEqual(2);
  expect(verdict.letGo!.because).toMatch(/DIGIT_FALLEN|DIGIT_SPEED/);
});
