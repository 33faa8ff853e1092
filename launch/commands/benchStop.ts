/**
 * `bench stop`: from every trigger to the first braking setpoint or stop frame on the emulated wire, by the emulator's
 * own log, with a real servo process. Fails where the 99.9th percentile is above two device periods.
 */
import { type MonotonicNs, NS_PER_MS, sleepMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { LAB_PRIORITY, makeThisThreadFifo } from "../realtime.js";
import { ArmRig } from "../rig/armRig.js";
import { HOME_RAD, toCruise, toHolding } from "../rig/cruise.js";
import { closeSources, RIG_SERVO, STOP_TRIGGERS, type StopTrigger } from "../rig/stopTriggers.js";
import { judgeStop } from "../rig/wire.js";
import { systemClock } from "../systemClock.js";
import { type SampleSummary, summariseMs } from "./statistics.js";

const GATE_PERIODS = 2;
/** From the trigger until everything has come to rest, whatever the trigger. */
const REST_MS = 320;
const COMMAND_EVERY_MS = 40;
/** Triggers fall anywhere within this time, so anywhere between two ticks. */
const PHASE_MS = 41;
/** Rounds that may fail for one trigger before the bench gives up: the machine or the rig is broken then. */
const FAILURES_MAX = 5;

export interface StopBenchOptions {
  /** Rounds of each trigger; without it, as many as fit into `seconds`. */
  readonly rounds?: number | undefined;
  readonly seconds: number;
  readonly onProgress?: (line: string) => void;
}

export interface TriggerResult {
  readonly trigger: string;
  readonly measures: string;
  readonly judged: StopTrigger["judged"];
  readonly count: number;
  /** Rounds in which the arm did not cruise evenly before the trigger, so that nothing can be said. */
  readonly discardedCount: number;
  /** Rounds that could not be carried out, each with why. */
  readonly failures: readonly string[];
  /** Rounds without any braking setpoint or stop frame. */
  readonly noReactionCount: number;
  readonly reaction: SampleSummary | undefined;
  readonly reactionPeriods: {
    readonly p50: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
  };
  /** Where the system has a part of its own: from the call, e.g. of kill(2), to the same frame. Not gated. */
  readonly fromCall: SampleSummary | undefined;
  readonly rest: SampleSummary | undefined;
  /** Judged against the gate; the others are reported only. */
  readonly gated: boolean;
  readonly holds: boolean;
}

export interface StopBenchResult {
  readonly rateHz: number;
  readonly periodMs: number;
  readonly realtimePriority: number;
  readonly gatePeriods: number;
  readonly seconds: number;
  readonly triggers: readonly TriggerResult[];
  readonly all: SampleSummary | undefined;
  readonly broken: readonly string[];
}

interface Tally {
  readonly trigger: StopTrigger;
  readonly reactionMs: number[];
  readonly fromCallMs: number[];
  readonly restMs: number[];
  discarded: number;
  noReaction: number;
  failures: string[];
}

export async function benchStop(options: StopBenchOptions): Promise<StopBenchResult> {
  // An instrument that is late would make the servo look quick: above the emulator, below the servo.
  makeThisThreadFifo(LAB_PRIORITY + 1);
  const rig = await ArmRig.start({ name: "bench_stop", homeRad: HOME_RAD, servo: RIG_SERVO });
  try {
    const tallies = STOP_TRIGGERS.map((trigger): Tally => {
      return {
        trigger,
        reactionMs: [],
        fromCallMs: [],
        restMs: [],
        discarded: 0,
        noReaction: 0,
        failures: [],
      };
    });
    const startNs = systemClock.nowNs();
    const passedS = () => Number(systemClock.nowNs() - startNs) / 1e9;
    let realtimePriority = 0;
    for (let round = 0; options.rounds === undefined || round < options.rounds; round++) {
      if (options.rounds === undefined && passedS() >= options.seconds) break;
      for (const [index, tally] of tallies.entries()) {
        await once(rig, tally, phaseMs(round * tallies.length + index));
        realtimePriority = rig.observer?.info.realtimePriority ?? realtimePriority;
      }
      options.onProgress?.(
        `round ${round + 1}${options.rounds === undefined ? "" : ` of ${options.rounds}`}, ${passedS().toFixed(0)} s`,
      );
    }
    return summarise(rig, tallies, realtimePriority, passedS());
  } finally {
    await closeSources(rig);
    await rig.close();
  }
}

/** Spread evenly over the phase by the golden ratio, so that few rounds cover it too. */
const phaseMs = (count: number): number => ((count * 0.6180339887) % 1) * PHASE_MS;

async function once(rig: ArmRig, tally: Tally, extraMs: number): Promise<void> {
  const { trigger } = tally;
  try {
    await toHolding(rig);
    if ((await trigger.prepare?.(rig)) === false) return;
    const observer = await toCruise(rig, { validMs: trigger.validMs, everyMs: COMMAND_EVERY_MS, extraMs });
    const standing = trigger.judged === "stands" ? new StandWatch(rig) : undefined;
    const { fromNs, calledNs } = await trigger.pull(rig, observer);
    const before = tally.reactionMs.length;
    if (standing !== undefined) {
      tally.reactionMs.push(await standing.sinceMs(fromNs));
      tally.restMs.push(tally.reactionMs.at(-1)!);
    } else {
      await sleepMs(systemClock, REST_MS);
      judge(tally, await rig.frames(), fromNs);
    }
    if (calledNs !== undefined && tally.reactionMs.length > before)
      tally.fromCallMs.push(tally.reactionMs.at(-1)! + Number(fromNs - calledNs) / Number(NS_PER_MS));
    await trigger.undo?.(rig);
  } catch (thrown) {
    tally.failures.push(errorText(thrown));
    if (tally.failures.length >= FAILURES_MAX)
      throw new CerebellumError(
        "CHECK_FAILED",
        `"${trigger.name}" could not be measured ${FAILURES_MAX} times, first: ${tally.failures[0]}`,
        "See the log lines above; the machine may be overloaded",
        thrown,
      );
    await trigger.undo?.(rig).catch(() => {});
    await rig.endClients();
  }
}

function judge(tally: Tally, frames: Parameters<typeof judgeStop>[0], fromNs: MonotonicNs): void {
  const judged = judgeStop(frames, fromNs);
  if (judged === undefined) tally.discarded++;
  else if (tally.trigger.judged === "lastSetpoint") {
    tally.reactionMs.push(judged.lastSetpointMs);
    tally.restMs.push(judged.restMs);
  } else if (judged.reaction === "none") tally.noReaction++;
  else {
    tally.reactionMs.push(judged.reactionMs);
    tally.restMs.push(judged.restMs);
  }
}

const STAND_POLLS = 60;

/** When the emulated setpoint came to stand, as often as the emulator can be asked: about every millisecond. */
class StandWatch {
  readonly #rig: ArmRig;

  constructor(rig: ArmRig) {
    this.#rig = rig;
  }

  async sinceMs(fromNs: MonotonicNs): Promise<number> {
    const seen: { atNs: bigint; key: string }[] = [];
    for (let poll = 0; poll < STAND_POLLS; poll++) {
      const { setpointRad } = await this.#rig.emulator.ask({ do: "status" });
      seen.push({ atNs: systemClock.nowNs(), key: JSON.stringify(setpointRad) });
      await sleepMs(systemClock, 1);
    }
    const stands = seen.findIndex(({ key }) => key === seen.at(-1)!.key);
    return Number(seen[stands]!.atNs - fromNs) / Number(NS_PER_MS);
  }
}

function summarise(
  rig: ArmRig,
  tallies: readonly Tally[],
  realtimePriority: number,
  seconds: number,
): StopBenchResult {
  const { periodMs, config } = rig;
  const triggers = tallies.map(
    ({ trigger, reactionMs, fromCallMs, restMs, discarded, noReaction, failures }): TriggerResult => {
      const reaction = summariseMs(reactionMs);
      const periods = (ms: number | undefined) => (ms === undefined ? Number.NaN : ms / periodMs);
      return {
        trigger: trigger.name,
        measures: trigger.measures,
        judged: trigger.judged,
        count: reactionMs.length,
        discardedCount: discarded,
        failures,
        noReactionCount: noReaction,
        reaction,
        reactionPeriods: {
          p50: periods(reaction?.p50Ms),
          p99: periods(reaction?.p99Ms),
          p999: periods(reaction?.p999Ms),
          max: periods(reaction?.maxMs),
        },
        fromCall: summariseMs(fromCallMs),
        rest: summariseMs(restMs),
        gated: trigger.ungated === undefined,
        holds: noReaction === 0 && reaction !== undefined && reaction.p999Ms <= GATE_PERIODS * periodMs,
      };
    },
  );
  return {
    rateHz: config.rateHz,
    periodMs,
    realtimePriority,
    gatePeriods: GATE_PERIODS,
    seconds,
    triggers,
    all: summariseMs(
      tallies.flatMap(({ trigger, reactionMs }) => (trigger.ungated === undefined ? reactionMs : [])),
    ),
    broken: triggers.filter(({ gated, holds }) => gated && !holds).map(({ trigger }) => trigger),
  };
}

export function describeStopBench(result: StopBenchResult): string[] {
  const ms = (value: number | undefined) => (value === undefined ? "-" : value.toFixed(2)).padStart(7);
  const row = ({ trigger, count, reaction, reactionPeriods, rest, gated, holds }: TriggerResult) =>
    `${trigger.padEnd(34)} ${String(count).padStart(5)} ${ms(reaction?.p50Ms)} ${ms(reaction?.p99Ms)} ${ms(reaction?.p999Ms)} ${ms(reaction?.maxMs)}  ${reactionPeriods.p999.toFixed(2).padStart(6)} ${ms(rest?.p50Ms)}${gated ? (holds ? "" : "  above the gate") : "  not gated"}`;
  return [
    `stop at ${result.rateHz} Hz, SCHED_FIFO priority ${result.realtimePriority || "not permitted"}, ${result.seconds.toFixed(0)} s; times in ms from the trigger to the emulated wire`,
    `${"trigger".padEnd(34)} ${"n".padStart(5)} ${"p50".padStart(7)} ${"p99".padStart(7)} ${"p99.9".padStart(7)} ${"max".padStart(7)}  periods ${"rest".padStart(6)}`,
    ...result.triggers.map(row),
    ...result.triggers.flatMap(({ trigger, fromCall }) =>
      fromCall === undefined
        ? []
        : `${`  ${trigger}, from the kill`.padEnd(34)} ${String(fromCall.count).padStart(5)} ${ms(fromCall.p50Ms)} ${ms(fromCall.p99Ms)} ${ms(fromCall.p999Ms)} ${ms(fromCall.maxMs)}  with the system's part, not gated`,
    ),
    `rounds without a figure: ${result.triggers.reduce((count, { discardedCount }) => count + discardedCount, 0)} in which the arm did not cruise evenly, ${result.triggers.reduce((count, { failures }) => count + failures.length, 0)} that could not be carried out`,
    `all: ${result.all?.count ?? 0} stops, p50 ${ms(result.all?.p50Ms).trim()}, p99 ${ms(result.all?.p99Ms).trim()}, p99.9 ${ms(result.all?.p999Ms).trim()}, max ${ms(result.all?.maxMs).trim()} ms; gate ${result.gatePeriods} periods at p99.9 each`,
  ];
}

/** @throws CerebellumError CHECK_FAILED naming the triggers that are too slow */
export function requireStopGate(result: StopBenchResult): void {
  if (result.broken.length === 0) return;
  throw new CerebellumError(
    "CHECK_FAILED",
    `Slower than ${result.gatePeriods} periods at p99.9, or no reaction at all: ${result.broken.join(", ")}`,
    "Measure again on a quiet machine with SCHED_FIFO permitted; `./cerebellum doctor` says whether it is",
  );
}
