/** Pieces of `bench policy`: collects the steps of a running policy and says how long each part took. */
import { type Clock, nsToMs, sleepMs } from "../../core/clock.js";
import { partMs, STEP_PARTS, type StepPart, type StepRecord } from "../../runtime/policy/steps.js";
import { type SampleSummary, summariseMs } from "./statistics.js";

export interface PolicyBenchResult {
  readonly steps: number;
  readonly commands: number;
  readonly skippedSteps: number;
  readonly refusals: Readonly<Record<string, number>>;
  /** Deviation of the time between two starts from the grid's period, absolute. */
  readonly startIntervalErrorMs: SampleSummary | undefined;
  /** Parts of a step; imageToWire runs from the image's stamp to its first frame on the device's wire. */
  readonly partsMs: Readonly<Partial<Record<StepPart, SampleSummary>>>;
}

/** Listens for `seconds` and returns the steps seen. */
export async function collectSteps(
  source: { onStep(listener: (record: StepRecord) => void): () => void },
  clock: Clock,
  seconds: number,
  signal?: AbortSignal,
): Promise<StepRecord[]> {
  const records: StepRecord[] = [];
  const unsubscribe = source.onStep((record) => records.push(record));
  await sleepMs(clock, seconds * 1000, signal);
  unsubscribe();
  return records;
}

export function summariseSteps(records: readonly StepRecord[]): PolicyBenchResult {
  const refusals: Record<string, number> = {};
  for (const { refusal } of records)
    if (refusal !== undefined) refusals[refusal] = (refusals[refusal] ?? 0) + 1;
  const partsMs: Partial<Record<StepPart, SampleSummary>> = {};
  for (const part of STEP_PARTS) {
    const summary = summariseMs(
      records.map((record) => partMs(record, part)).filter((ms) => ms !== undefined),
    );
    if (summary !== undefined) partsMs[part] = summary;
  }
  const intervalErrorsMs = records.slice(1).map((record, index) => {
    const previous = records[index]!;
    return Math.abs(nsToMs(record.startNs - previous.startNs - (record.dueNs - previous.dueNs)));
  });
  return {
    steps: records.length,
    commands: records.filter((record) => record.commandSeq !== undefined).length,
    skippedSteps: records.reduce((sum, record) => sum + record.skippedSteps, 0),
    refusals,
    startIntervalErrorMs: summariseMs(intervalErrorsMs),
    partsMs,
  };
}

/** Lines for people. */
export function describePolicyBench(result: PolicyBenchResult): string[] {
  const row = (label: string, summary: SampleSummary | undefined) =>
    summary === undefined
      ? `${label.padEnd(20)} no samples`
      : `${label.padEnd(20)} p50 ${summary.p50Ms.toFixed(2)} ms   p99 ${summary.p99Ms.toFixed(2)} ms   ` +
        `max ${summary.maxMs.toFixed(2)} ms   (${summary.count})`;
  const refused = Object.entries(result.refusals).map(([reason, count]) => `${count} ${reason}`);
  return [
    `${result.steps} steps, ${result.commands} commands, ${result.skippedSteps} skipped, ` +
      `refused: ${refused.join(", ") || "none"}`,
    row("startInterval error", result.startIntervalErrorMs),
    ...STEP_PARTS.map((part) => row(part, result.partsMs[part])),
  ];
}
