/**
 * The recorder's kill campaign: `npm run recorder-kills -- --rounds 1000 [--power-cuts 100] [--seed N] [--lanes N]
 * [--repair-mb N] [--fresh] [--json FILE]`. A process that records is killed at random moments; what it left is repaired
 * and compared, message by message, with what it had handed over. Goes on where an interrupted run with the same seed
 * ended; exits with 1 on any violation.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../support/cell.js";
import { addUp, measureRepair, runRecorderCampaign } from "./recorderKill/campaign.js";
import { planRound } from "./recorderKill/plan.js";
import type { RecorderOutcome } from "./recorderKill/round.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "1000" },
    "power-cuts": { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    lanes: { type: "string", default: "1" },
    "repair-mb": { type: "string", default: "1000" },
    fresh: { type: "boolean", default: false },
    json: { type: "string" },
  },
});
const seed = Number(values.seed);
const folder = join(ROOT, ".cerebellum/campaigns");
mkdirSync(folder, { recursive: true });
const journal = join(folder, `recorder-kills-${seed}.jsonl`);
if (values.fresh) rmSync(journal, { force: true });
const outcomes: RecorderOutcome[] = existsSync(journal)
  ? readFileSync(journal, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as RecorderOutcome)
  : [];
if (outcomes.length > 0)
  console.log(`${outcomes.length} rounds are in ${journal} already; --fresh begins anew`);

/** Numbers of rounds with a power cut begin here. */
const POWER_CUTS_FROM = 1_000_000;
const done = new Set(outcomes.map(({ round }) => round));
const rounds = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => first + index).filter((round) => !done.has(round));
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const)
  process.once(name, () => {
    console.log("ending after the rounds that are under way");
    interrupted.abort();
  });

const startMs = performance.now();
await runRecorderCampaign({
  plans: [
    ...rounds(0, Number(values.rounds)).map((round) => planRound(seed, round)),
    ...rounds(POWER_CUTS_FROM, Number(values["power-cuts"])).map((round) =>
      planRound(seed, round, "powerCut"),
    ),
  ],
  lanes: Number(values.lanes),
  signal: interrupted.signal,
  onOutcome: (outcome) => {
    outcomes.push(outcome);
    appendFileSync(journal, `${JSON.stringify(outcome)}\n`);
    for (const what of outcome.violations) console.log(`round ${outcome.round} (${outcome.ending}): ${what}`);
    if (outcomes.length % 25 === 0) {
      const { finished, killLostMs, powerCutLostMs, violations, secondsMean } = addUp(outcomes);
      console.log(
        `${outcomes.length} rounds, ${violations.length} violations, ${finished} finished episodes kept, at most ${killLostMs.max.toFixed(0)} ms lost to a kill, ${powerCutLostMs.max.toFixed(0)} ms to a power cut, ${secondsMean.toFixed(2)} s a round`,
      );
    }
  },
});

const repairMegabytes = Number(values["repair-mb"]);
const repair =
  repairMegabytes > 0 && !interrupted.signal.aborted ? await measureRepair(repairMegabytes) : undefined;
const totals = { seed, ...addUp(outcomes), repair, wallSeconds: (performance.now() - startMs) / 1000 };
console.log(JSON.stringify(totals, undefined, 2));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(totals, undefined, 2)}\n`);
process.exitCode = totals.violations.length === 0 ? 0 : 1;
