/** A few rounds of the kill campaign; `npm run kill-campaign` runs them by the thousand. */
import { expect, it } from "vitest";
import { addUp, runFastCampaign } from "../campaigns/kill/campaign.js";
import type { KillOutcome } from "../campaigns/kill/fastRound.js";
import { MOMENTS, planRound, VICTIMS } from "../campaigns/kill/plan.js";

const SEED = 11;
const ROUNDS = 16;

it("nothing moves unexpectedly after random kills of servo, commander and supervisor", async () => {
  const outcomes: KillOutcome[] = [];
  await runFastCampaign({
    seed: SEED,
    rounds: Array.from({ length: ROUNDS }, (_, round) => round),
    rigs: 2,
    signal: new AbortController().signal,
    onOutcome: (outcome) => outcomes.push(outcome),
  });
  const totals = addUp(outcomes);
  expect(totals.violations).toEqual([]);
  expect(totals.rounds).toBe(ROUNDS);
});

it("plans every victim and every moment, the same for the same seed", () => {
  const plans = Array.from({ length: 200 }, (_, round) => planRound(SEED, round));
  expect(new Set(plans.map(({ victim }) => victim))).toEqual(new Set(VICTIMS));
  expect(new Set(plans.map(({ moment }) => moment))).toEqual(new Set(MOMENTS));
  expect(planRound(SEED, 7)).toEqual(plans[7]);
});
