/** Runs planned rounds side by side, several in one set after each other, and adds up what the judges say. */
import { mkdtempSync, renameSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asEpochNs } from "../../../core/clock.js";
import { errorText } from "../../../core/errors.js";
import { EpisodeFile } from "../../../episodes/episodeFile.js";
import { ACTIVE_SUFFIX } from "../../../episodes/format.js";
import { repairSet } from "../../../episodes/repair.js";
import { systemClock } from "../../../launch/systemClock.js";
import {
  STAMPED_TOPICS,
  STREAMS,
  stampedEnd,
  stampedStart,
  writeStamped,
} from "../../support/episodes/stampedEpisode.js";
import type { RecorderPlan } from "./plan.js";
import { type RecorderOutcome, runRound } from "./round.js";

export interface RecorderCampaign {
  readonly plans: readonly RecorderPlan[];
  /** Rounds at a time. */
  readonly lanes: number;
  /** Bounds grow by what a busy machine held the killed process up: for tests, never for a campaign's figures. */
  readonly isForgiving?: boolean;
  readonly signal: AbortSignal;
  readonly onOutcome: (outcome: RecorderOutcome) => void;
}

/** After so many rounds a lane goes on with an empty set, so that the disk does not fill. */
const ROUNDS_A_SET = 6;

export async function runRecorderCampaign(campaign: RecorderCampaign): Promise<void> {
  const { plans, lanes, isForgiving = false, signal, onOutcome } = campaign;
  const left = [...plans];
  const folder = mkdtempSync(join(tmpdir(), "recorder-kills-"));
  try {
    await Promise.all(
      Array.from({ length: lanes }, async (_, lane) => {
        for (let round = 0; !signal.aborted; round++) {
          const plan = left.shift();
          if (plan === undefined) return;
          const set = join(folder, `lane-${lane}-${Math.floor(round / ROUNDS_A_SET)}`);
          onOutcome(await outcomeOf(set, plan, isForgiving));
          if (round % ROUNDS_A_SET === ROUNDS_A_SET - 1) rmSync(set, { recursive: true, force: true });
        }
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function outcomeOf(set: string, plan: RecorderPlan, isForgiving: boolean): Promise<RecorderOutcome> {
  try {
    return await runRound(set, plan, isForgiving);
  } catch (thrown) {
    const violations = [`the round could not be carried out: ${errorText(thrown)}`];
    const nothing = {
      finished: 0,
      repaired: [],
      messages: 0,
      lostMs: 0,
      heldUpMs: 0,
      repairMs: 0,
      repairBytes: 0,
    };
    const { round, ending, isHeavy } = plan;
    return { round, ending, isHeavy, ...nothing, seconds: 0, violations };
  }
}

export interface RecorderTotals {
  readonly rounds: number;
  readonly byEnding: Readonly<Record<string, number>>;
  /** Episodes that were finished before the kill: all of them judged whole and unchanged, or it is a violation. */
  readonly finished: number;
  readonly repaired: Readonly<Record<string, number>>;
  readonly messages: number;
  readonly killLostMs: Spread;
  readonly powerCutLostMs: Spread;
  readonly heldUpMsMax: number;
  readonly violations: readonly { readonly round: number; readonly what: string }[];
  readonly secondsMean: number;
}

interface Spread {
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

export function addUp(outcomes: readonly RecorderOutcome[]): RecorderTotals {
  const tally = (words: readonly string[]) =>
    words.reduce<Record<string, number>>((sums, word) => {
      sums[word] = (sums[word] ?? 0) + 1;
      return sums;
    }, {});
  const lost = (wanted: (outcome: RecorderOutcome) => boolean): Spread => {
    const values = outcomes
      .filter(wanted)
      .map(({ lostMs }) => lostMs)
      .sort((a, b) => a - b);
    const at = (share: number) => values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0;
    return { median: at(0.5), p99: at(0.99), max: at(1) };
  };
  const sum = (value: (outcome: RecorderOutcome) => number) =>
    outcomes.reduce((total, outcome) => total + value(outcome), 0);
  return {
    rounds: outcomes.length,
    byEnding: tally(outcomes.map(({ ending }) => ending)),
    finished: sum(({ finished }) => finished),
    repaired: tally(outcomes.flatMap(({ repaired }) => repaired)),
    messages: sum(({ messages }) => messages),
    killLostMs: lost(({ ending }) => ending !== "powerCut"),
    powerCutLostMs: lost(({ ending }) => ending === "powerCut"),
    heldUpMsMax: Math.max(0, ...outcomes.map(({ heldUpMs }) => heldUpMs)),
    violations: outcomes.flatMap(({ round, violations }) => violations.map((what) => ({ round, what }))),
    secondsMean: sum(({ seconds }) => seconds) / Math.max(1, outcomes.length),
  };
}

/** Repair time of one large part that ends within a chunk [s per GB of 1e9 bytes]. */
export async function measureRepair(
  megabytes: number,
): Promise<{ bytes: number; seconds: number; sPerGb: number }> {
  const folder = mkdtempSync(join(tmpdir(), "recorder-repair-"));
  try {
    const startNs = systemClock.epochNs();
    const start = stampedStart(1, startNs, systemClock.nowNs());
    const episode = await EpisodeFile.create(folder, start, STAMPED_TOPICS);
    const counts = STREAMS.map(() => 0);
    for (let tick = 0; episode.bytesWritten < megabytes * 1e6; tick++) {
      for (const [stream, { topic, rateHz, bytes }] of STREAMS.entries()) {
        if (counts[stream]! * 250 > tick * rateHz) continue;
        const atNs = asEpochNs(startNs + BigInt(tick) * 4_000_000n);
        const stamped = { stream, sequence: counts[stream]!++, episode: 1, frame: 0, frameNs: 0n };
        episode.write(topic, atNs, atNs, writeStamped(stamped, bytes));
      }
      await episode.ready();
    }
    const written = STREAMS.map(() => ({ count: 0, bytes: 0 }));
    await episode.finish(stampedEnd(start, startNs, written));
    // As if it had never been finished: under its working name, without its end, and within a chunk.
    const active = `${episode.folder}${ACTIVE_SUFFIX}`;
    renameSync(episode.folder, active);
    const file = join(active, `${start.name}.mcap`);
    const size = Math.floor(0.99 * statSync(file).size);
    truncateSync(file, size);
    const beganNs = systemClock.nowNs();
    const [report] = await repairSet(folder, { clock: systemClock });
    const seconds = Number(systemClock.nowNs() - beganNs) / 1e9;
    if (report?.result !== "repaired") throw new Error(`repair ${report?.result}: ${report?.trouble}`);
    return { bytes: size, seconds, sPerGb: (seconds * 1e9) / size };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
