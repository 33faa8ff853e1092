/** One round: a recording process is killed, what it left is repaired, and the result is judged. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { sleepMs } from "../../../core/clock.js";
import { ACTIVE_SUFFIX, episodeName, episodeNumber } from "../../../episodes/format.js";
import { type RepairReport, repairSet } from "../../../episodes/repair.js";
import { Random } from "../../../lab/world/random.js";
import { systemClock } from "../../../launch/systemClock.js";
import { ROOT } from "../../support/cell.js";
import { hashesOf, judgeEpisode } from "./judge.js";
import { type Entry, readLedger } from "./ledger.js";
import type { RecorderPlan } from "./plan.js";
import type { WriterOptions } from "./writer.js";

export interface RecorderOutcome {
  readonly round: number;
  readonly ending: RecorderPlan["ending"];
  readonly isHeavy: boolean;
  /** Finished before the kill, and judged again. */
  readonly finished: number;
  readonly repaired: readonly RepairReport["result"][];
  readonly messages: number;
  /** Of the running episode, up to the kill [ms]; 0 when nothing is missing or none was running. */
  readonly lostMs: number;
  /** Longest time that the killed process itself was held up in its last second [ms]: a busy machine. */
  readonly heldUpMs: number;
  readonly repairMs: number;
  readonly repairBytes: number;
  readonly seconds: number;
  readonly violations: readonly string[];
}

/** What a kill, and a power cut, may cost of the running episode [ms]. */
export const LOST_MS_MAX = { kill: 300, powerCut: 1300 } as const;

const PROGRAMS = join(ROOT, "dist/test/campaigns/recorderKill");
/** The writer paces itself; this much between two of its messages is usual. */
const PACE_MS = 12;
const WAIT_MS_MAX = 20_000;
/** A call that is never made, e.g. the eighth write of a short episode: then the kill comes from outside after all. */
const AT_CALL_MS_MAX = 3000;

/**
 * @param set keeps episodes of earlier rounds, which must stay as they are
 * @param isForgiving on a busy machine: adds to the bound how long the process itself was held up
 */
export async function runRound(
  set: string,
  plan: RecorderPlan,
  isForgiving: boolean,
): Promise<RecorderOutcome> {
  const startMs = performance.now();
  const ledger = `${set}-${plan.round}.ledger`;
  writeFileSync(ledger, "");
  const before = hashesOf(set);
  const firstNumber = nextNumber(set);
  const killNs = await killWriter({ set, ledger, firstNumber, plan });
  const entries = readLedger(ledger);
  const diedNs = entries.find(({ kind }) => kind === "died")?.atNs ?? killNs;
  const finished = numbers(entries, "finished");
  if (plan.ending === "powerCut") cutPower(set, plan, entries, finished);
  const finishedBefore = hashesOf(set);
  if (plan.ending === "inRepair") for (const call of plan.repairCalls) await killRepair(set, call);
  const repairs = await repairSet(set, { clock: systemClock });
  const violations: string[] = entries
    .filter(({ kind }) => kind === "refused")
    .map(({ episode }) => `episode ${episode}: the recorder refused a message`);
  for (const { episode, result, trouble } of repairs)
    if (result === "failed" || result === "beingWritten")
      violations.push(`${episode}: repair ${result}: ${trouble}`);
  const after = hashesOf(set);
  for (const [name, hash] of [...before, ...finishedBefore])
    if (after.get(name) !== hash) violations.push(`${name} was finished, and is not what it was`);
  for (const name of readdirSync(set))
    if (name.endsWith(ACTIVE_SUFFIX)) violations.push(`${name} is left after repair`);
  let messages = 0;
  let lostMs = 0;
  for (const episode of numbers(entries, "begun")) {
    const isFinished = finished.has(episode);
    const judged = await judgeEpisode(set, episode, entries, diedNs, isFinished);
    violations.push(...judged.violations);
    messages += judged.messages;
    if (!isFinished) lostMs = Math.max(lostMs, judged.lostMs);
  }
  const boundMs = plan.ending === "powerCut" ? LOST_MS_MAX.powerCut : LOST_MS_MAX.kill;
  const heldUpMs = heldUp(entries, diedNs);
  if (lostMs > boundMs + (isForgiving ? heldUpMs : 0)) {
    violations.push(
      `${lostMs.toFixed(0)} ms are lost, at most ${boundMs}; the process was held up for ${heldUpMs.toFixed(0)} ms`,
    );
  }
  rmSync(ledger, { force: true });
  return {
    round: plan.round,
    ending: plan.ending,
    isHeavy: plan.isHeavy,
    finished: finished.size,
    repaired: repairs.map(({ result }) => result),
    messages,
    lostMs,
    heldUpMs,
    repairMs: repairs.reduce((sum, { tookMs }) => sum + tookMs, 0),
    repairBytes: repairs.reduce((sum, { bytes }) => sum + bytes, 0),
    seconds: (performance.now() - startMs) / 1000,
    violations,
  };
}

/** @returns when it was killed, or was found dead by its own hand */
async function killWriter(options: WriterOptions): Promise<bigint> {
  const writer = spawn(process.execPath, [join(PROGRAMS, "writer.js"), JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(writer, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  let complaint = "";
  writer.stderr.on("data", (text: Buffer) => {
    complaint += text.toString();
  });
  const begun = once(writer.stdout, "data");
  const { plan } = options;
  const atMost = sleepMs(systemClock, WAIT_MS_MAX);
  await Promise.race([begun, ended, atMost]);
  await Promise.race([ended, sleepMs(systemClock, plan.ending === "atCall" ? AT_CALL_MS_MAX : plan.delayMs)]);
  const killNs = systemClock.nowNs();
  writer.kill("SIGKILL");
  const [, signal] = await ended;
  if (signal !== "SIGKILL") throw new Error(`the writer ended by itself: ${complaint}`);
  return killNs;
}

async function killRepair(set: string, call: number): Promise<void> {
  const repairer = spawn(process.execPath, [join(PROGRAMS, "repairer.js"), set, String(call)], {
    stdio: "ignore",
  });
  await once(repairer, "exit");
}

/** What the disk would hold: of files nothing but what was synced and some of the rest; of names either. */
function cutPower(
  set: string,
  plan: RecorderPlan,
  entries: readonly Entry[],
  finished: ReadonlySet<number>,
): void {
  const random = new Random(plan.round).fork("power");
  for (const name of readdirSync(set)) {
    const number = episodeNumber(name.replace(ACTIVE_SUFFIX, ""));
    if (number === undefined || finished.has(number) || !entries.some(({ episode }) => episode === number))
      continue;
    // Renamed, and the folder above perhaps not synced: the old name may come back.
    let folder = join(set, name);
    if (!name.endsWith(ACTIVE_SUFFIX) && random.uniform() < 0.5) {
      renameSync(folder, `${folder}${ACTIVE_SUFFIX}`);
      folder += ACTIVE_SUFFIX;
    }
    const file = join(folder, `${episodeName(number)}.mcap`);
    if (!existsSync(file)) continue;
    const syncedBytes = entries
      .filter(({ kind, episode }) => kind === "synced" && episode === number)
      .reduce((most, { bytes }) => Math.max(most, bytes), 0);
    const bytes = statSync(file).size;
    if (syncedBytes >= bytes) continue;
    const keptBytes = syncedBytes + Math.floor(plan.keptShare * (bytes - syncedBytes));
    const rest = readFileSync(file).subarray(syncedBytes, keptBytes);
    truncateSync(file, syncedBytes);
    if (plan.hasGarbage) spoil(rest, random);
    writeFileSync(file, rest, { flag: "a" });
    rmSync(join(folder, "metadata.yaml"), { force: true });
  }
}

/** Pages that never reached the disk: zeros, or what was there before. */
function spoil(bytes: Buffer, random: Random): void {
  for (let page = 0; page < bytes.length; page += 4096) {
    if (random.uniform() < 0.6) continue;
    const end = Math.min(bytes.length, page + 4096);
    if (random.uniform() < 0.5) bytes.fill(0, page, end);
    else for (let at = page; at < end; at++) bytes[at] = random.below(256);
  }
}

const numbers = (entries: readonly Entry[], kind: Entry["kind"]): Set<number> =>
  new Set(entries.filter((entry) => entry.kind === kind).map(({ episode }) => episode));

function heldUp(entries: readonly Entry[], diedNs: bigint): number {
  const times = entries.filter(({ kind, atNs }) => kind === "handed" && atNs > diedNs - 1_000_000_000n);
  const last = times.at(-1);
  let longestNs = last === undefined ? 0n : diedNs - last.atNs;
  for (let index = 1; index < times.length; index++) {
    const gapNs = times[index]!.atNs - times[index - 1]!.atNs;
    if (gapNs > longestNs && times[index]!.episode === times[index - 1]!.episode) longestNs = gapNs;
  }
  return Math.max(0, Number(longestNs) / 1e6 - PACE_MS);
}

function nextNumber(set: string): number {
  if (!existsSync(set)) return 1;
  return 1 + Math.max(0, ...readdirSync(set).map((name) => episodeNumber(name.split(".")[0]!) ?? 0));
}
