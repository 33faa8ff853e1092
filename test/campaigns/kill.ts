/**
 * The kill campaign: `npm run kill-campaign -- --rounds 1000 [--seed N] [--daemon-rounds N] [--json FILE]`. Random
 * kills of the servo process, the commander, the supervisor and whole daemons; the emulated controller's log is the
 * witness. Goes on where an interrupted run with the same seed ended; exits with 1 on any violation.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../support/cell.js";
import { addUp, runFastCampaign } from "./kill/campaign.js";
import type { KillOutcome } from "./kill/fastRound.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "1000" },
    "daemon-rounds": { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    rigs: { type: "string", default: "2" },
    fresh: { type: "boolean", default: false },
    json: { type: "string" },
  },
});
const seed = Number(values.seed);
const folder = join(ROOT, ".cerebellum/campaigns");
mkdirSync(folder, { recursive: true });
const journal = join(folder, `kill-${seed}.jsonl`);
if (values.fresh) rmSync(journal, { force: true });

const outcomes: KillOutcome[] = existsSync(journal)
  ? readFileSync(journal, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as KillOutcome)
  : [];
if (outcomes.length > 0)
  console.log(`${outcomes.length} rounds are in ${journal} already; --fresh begins anew`);

const startMs = performance.now();
const take = (outcome: KillOutcome) => {
  outcomes.push(outcome);
  appendFileSync(journal, `${JSON.stringify(outcome)}\n`);
  for (const what of outcome.violations)
    console.log(`round ${outcome.round} (${outcome.victim}, ${outcome.moment}): ${what}`);
  if (outcomes.length % 25 === 0) {
    const { violations, restMsMax, startDistanceMradMax, interruptions, secondsMean } = addUp(outcomes);
    console.log(
      `${outcomes.length} rounds, ${violations.length} violations, rest at most ${restMsMax.toFixed(0)} ms, discontinuity at most ${startDistanceMradMax.toFixed(2)} mrad, ${interruptions} interruptions of the wire, ${secondsMean.toFixed(2)} s a round`,
    );
  }
};

const wanted = Array.from({ length: Number(values.rounds) }, (_, round) => round);
const done = new Set(outcomes.map(({ round }) => round));
await runFastCampaign({
  seed,
  rounds: wanted.filter((round) => !done.has(round)),
  rigs: Number(values.rigs),
  onOutcome: take,
});

const totals = { seed, ...addUp(outcomes), wallSeconds: (performance.now() - startMs) / 1000 };
console.log(JSON.stringify(totals, undefined, 2));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(totals, undefined, 2)}\n`);
process.exitCode = totals.violations.length === 0 ? 0 : 1;
