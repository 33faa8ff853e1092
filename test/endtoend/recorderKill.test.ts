/** Some rounds of the recorder's kill campaign; `npm run recorder-kills` runs them by the thousand. */
import { expect, it } from "vitest";
import { addUp, runRecorderCampaign } from "../campaigns/recorderKill/campaign.js";
import { ENDINGS, planRound } from "../campaigns/recorderKill/plan.js";
import type { RecorderOutcome } from "../campaigns/recorderKill/round.js";

const SEED = 21;
const KILLS = 50;
const POWER_CUTS = 5;

it("no kill and no power cut loses a finished episode, or more of the running one than its last moment", async () => {
  const outcomes: RecorderOutcome[] = [];
  await runRecorderCampaign({
    plans: [
      ...Array.from({ length: KILLS }, (_, round) => planRound(SEED, round)),
      ...Array.from({ length: POWER_CUTS }, (_, round) => planRound(SEED, 1000 + round, "powerCut")),
    ],
    lanes: 4,
    isForgiving: true,
    signal: new AbortController().signal,
    onOutcome: (outcome) => outcomes.push(outcome),
  });
  const totals = addUp(outcomes);
  expect(totals.violations).toEqual([]);
  expect(totals.rounds).toBe(KILLS + POWER_CUTS);
  expect(totals.finished).toBeGreaterThan(KILLS / 3);
  expect(totals.repaired.repaired).toBeGreaterThan(KILLS / 3);
  expect(totals.messages).toBeGreaterThan(1000);
}, 400_000);

it("plans every ending, the same for the same seed", () => {
  const plans = Array.from({ length: 200 }, (_, round) => planRound(SEED, round));
  expect(new Set(plans.map(({ ending }) => ending))).toEqual(
    new Set(ENDINGS.filter((ending) => ending !== "powerCut")),
  );
  expect(planRound(SEED, 7)).toEqual(plans[7]);
});
