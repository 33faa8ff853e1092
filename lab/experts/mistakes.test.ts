import { expect, it } from "vitest";
import { Random } from "../world/random.js";
import { type Mistake, type MistakeConfig, Mistakes } from "./mistakes.js";

const CONFIG: MistakeConfig = {
  offsetM: 0.03,
  turnRad: 0.2,
  lasts: [4, 12],
  between: [2, 8],
  untilStep: 40,
  heightMinM: 0.07,
  lowShare: 0.25,
};
const STEPS = 60;
const course = (seed: number) => {
  const mistakes = new Mistakes(new Random(seed), CONFIG);
  return Array.from({ length: STEPS }, () => mistakes.next());
};

it("begins and ends without a mistake, and has some of a few steps each in between", () => {
  for (let seed = 0; seed < 100; seed++) {
    const steps = course(seed);
    expect(steps.slice(0, CONFIG.between[0])).not.toContainEqual(expect.anything());
    const end = CONFIG.untilStep + CONFIG.lasts[1];
    expect(steps.slice(end)).not.toContainEqual(expect.anything());
    const lasted = new Map<Mistake, number>();
    for (const one of steps) if (one !== undefined) lasted.set(one, (lasted.get(one) ?? 0) + 1);
    expect(lasted.size).toBeGreaterThan(1);
    for (const count of lasted.values()) {
      expect(count).toBeGreaterThanOrEqual(CONFIG.lasts[0]);
      expect(count).toBeLessThanOrEqual(CONFIG.lasts[1]);
    }
  }
});

it("keeps to its bounds, and goes down all the way in its share", () => {
  const all = Array.from({ length: 400 }, (_, seed) => [...new Set(course(seed))])
    .flat()
    .filter((one) => one !== undefined);
  for (const { offsetM, turnRad } of all) {
    expect(Math.max(...offsetM.map(Math.abs))).toBeLessThanOrEqual(2 * CONFIG.offsetM);
    expect(Math.abs(turnRad)).toBeLessThanOrEqual(2 * CONFIG.turnRad);
  }
  const deviation = Math.sqrt(all.reduce((sum, { offsetM }) => sum + offsetM[0] ** 2, 0) / all.length);
  expect(deviation / CONFIG.offsetM).toBeCloseTo(0.9, 1);
  expect(all.filter(({ heightMinM }) => heightMinM === 0).length / all.length).toBeCloseTo(0.25, 1);
});
