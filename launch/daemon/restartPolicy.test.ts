import { describe, expect, it } from "vitest";
import { asMonotonicNs } from "../../core/clock.js";
import { RESTART_RULES, RestartBudget } from "./restartPolicy.js";

const atS = (seconds: number) => asMonotonicNs(BigInt(Math.round(seconds * 1e9)));

describe("restart policy", () => {
  it.each(Object.entries(RESTART_RULES))(
    "%s: says what happens and what a person does, and is bounded",
    (_name, rule) => {
      expect(rule.effect.length).toBeGreaterThan(20);
      expect(rule.remedy.length).toBeGreaterThan(20);
      expect(rule.restartsMax).toBeLessThanOrEqual(5);
      expect(rule.withinS).toBeGreaterThan(0);
    },
  );

  it("allows so many starts within the time, and more once the first are old", () => {
    const budget = new RestartBudget({ restartsMax: 3, withinS: 60 });
    expect([0, 1, 2, 3].map((at) => budget.take(atS(at)))).toEqual([true, true, true, false]);
    expect(budget.take(atS(59.9))).toBe(false);
    expect(budget.take(atS(60))).toBe(true);
    expect(budget.take(atS(60.5))).toBe(false);
  });

  it("never allows a start where the rule has none", () => {
    expect(new RestartBudget(RESTART_RULES.lab).take(atS(0))).toBe(false);
  });

  it("starts anew when a person asks", () => {
    const budget = new RestartBudget({ restartsMax: 1, withinS: 60 });
    budget.take(atS(0));
    budget.clear();
    expect(budget.take(atS(1))).toBe(true);
  });
});
