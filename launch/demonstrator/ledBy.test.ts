import { expect, it } from "vitest";
import { LED_STEPS, Stretches } from "./ledBy.js";

const STEPS = 120;
const ledSteps = (seed: number, share: number) => {
  const stretches = new Stretches(seed, share);
  return Array.from({ length: STEPS }, () => stretches.next());
};

it("lets the policy lead its share of the stretches, and the expert alone the end", () => {
  const all = Array.from({ length: 200 }, (_, seed) => ledSteps(seed, 0.7));
  const led = all.map((steps) => steps.filter(Boolean).length);
  expect(led.reduce((sum, count) => sum + count) / (200 * LED_STEPS)).toBeCloseTo(0.7, 1);
  for (const steps of all) expect(steps.slice(LED_STEPS)).not.toContain(true);
  expect(new Set(led).size).toBeGreaterThan(10);
});

it("changes who leads after five steps or more", () => {
  for (let seed = 0; seed < 50; seed++) {
    const steps = ledSteps(seed, 0.5).slice(0, LED_STEPS);
    const changes = steps.flatMap((led, at) => (at > 0 && led !== steps[at - 1] ? [at] : []));
    for (const [place, at] of changes.entries()) expect(at - (changes[place - 1] ?? 0)).toBeGreaterThan(4);
  }
});

it("leads always or never at a share of 1 or 0, and the same way for the same seed", () => {
  expect(ledSteps(1, 1).slice(0, LED_STEPS)).not.toContain(false);
  expect(ledSteps(1, 0)).not.toContain(true);
  expect(ledSteps(2, 0.5)).toEqual(ledSteps(2, 0.5));
});
