/**
 * The kill campaign: `npm run kill-campaign -- --rounds 1000 [--seed N] [--daemon-rounds N] [--json FILE]`. Random
 * kills of the servo process, the commander, the supervisor and whole daemons; the emulated controller's log is the
 * witness. Goes on where an interrupted run with the same seed ended; exits with 1 on any violation.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../support/cell.js";
import { addUp, runDaemonCampaign, runFastCampaign } from "./kill/campaign.js";
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

/** Numbers of rounds with a whole daemon begin here. */
const DAEMON_ROUNDS_FROM = 1_000_000;
const startMs = performance.now();
const take = (outcome: KillOutcome) => {
  outcomes.push(outcome);
  appendFileSync(journal, `${JSON.stringify(outcome)}\n`);
  for (const what of outcome.violations)
    console.log(`round ${outcome.round} (${outcome.victim}, ${outcome.moment}): ${what}`);
  if (outcomes.length % 25 === 0) {
    const { violations, restMsMax, startDistanceMradMax, interruptions, disturbed, secondsMean } =
      addUp(outcomes);
    console.log(
      `${outcomes.length} rounds, ${violations.length} violations, rest at most ${restMsMax.toFixed(0)} ms, discontinuity at most ${startDistanceMradMax.toFixed(2)} mrad, ${interruptions} interruptions of the wire, ${disturbed} attempts repeated, ${secondsMean.toFixed(2)} s a round`,
    );
  }
};

const done = new Set(outcomes.map(({ round }) => round));
const left = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => first + index).filter((round) => !done.has(round));
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const)
  process.once(name, () => {
    console.log("ending after the rounds that are under way");
    interrupted.abort();
  });
const { signal } = interrupted;
await runFastCampaign({
  seed,
  signal,
  rounds: left(0, Number(values.rounds)),
  rigs: Number(values.rigs),
  onOutcome: take,
});
await runDaemonCampaign({
  seed,
  signal,
  rounds: left(DAEMON_ROUNDS_FROM, Number(values["daemon-rounds"])),
  onOutcome: take,
});

const totals = { seed, ...addUp(outcomes), wallSeconds: (performance.now() - startMs) / 1000 };
console.log(JSON.stringify(totals, undefined, 2));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(totals, undefined, 2)}\n`);
process.exitCode = totals.violations.length === 0 ? 0 : 1;
