import { describe, expect, it } from "vitest";
import { STAND_SCENARIO_NAMES, STAND_SCENARIOS, type StandScenario } from "./standScenarios.js";
import { directionWord, forceOf, planStandTrials } from "./standTrials.js";

describe("trials of standing", () => {
  it("go through every scenario in turn, the same for the same seed", () => {
    const trials = planStandTrials({ count: 30, seed: 7 });
    expect(trials.map(({ scenario }) => scenario).slice(0, STAND_SCENARIO_NAMES.length)).toEqual(
      STAND_SCENARIO_NAMES,
    );
    expect(planStandTrials({ count: 30, seed: 7 })).toEqual(trials);
    expect(planStandTrials({ count: 30, seed: 8 })).not.toEqual(trials);
  });

  it("push towards another side each time", () => {
    const trials = planStandTrials({ count: 40, seed: 1, scenarios: ["pushed"] });
    const words = new Set(trials.flatMap(({ towardsRad }) => towardsRad.map(directionWord)));
    expect([...words].sort()).toEqual(["backward", "forward", "to the left", "to the right"]);
  });

  it("push level and as hard as the scenario says, forward for no angle and left for a quarter turn", () => {
    expect(forceOf({ forceN: 40 }, 0)).toEqual([40, 0, 0]);
    const [x, y, z] = forceOf({ forceN: 40 }, Math.PI / 2);
    expect(x).toBeCloseTo(0, 12);
    expect(y).toBeCloseTo(40, 12);
    expect(z).toBe(0);
    expect(directionWord(Math.PI / 2)).toBe("to the left");
    expect(directionWord(-Math.PI / 2)).toBe("to the right");
    expect(directionWord(-Math.PI)).toBe("backward");
  });
});

describe("what happens to a standing robot", () => {
  it.each(STAND_SCENARIO_NAMES)("lies within its trial: %s", (name) => {
    const { disturbances, trialS, aim }: StandScenario = STAND_SCENARIOS[name];
    for (const { atS, ms } of disturbances) {
      expect(atS).toBeGreaterThan(0);
      expect(ms).toBeGreaterThan(0);
      // Time is left to see what comes of it.
      if (aim === "stands") expect(atS + ms / 1000).toBeLessThan(trialS - 10);
      else expect(atS).toBeLessThan(trialS - 2);
    }
  });
});
