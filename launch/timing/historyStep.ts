/** How long a step of a history policy takes on one core: what it feels in, joint targets and gains out. */
import { fileURLToPath } from "node:url";
import type { Clock } from "../../core/clock.js";
import { repositoryRootUrl } from "../../core/entry.js";
import { LatenessHistogram, type LatenessSummary } from "../../core/histogram.js";
import { fromRecorded } from "../../policies/history/reading.js";
import { openHistoryPolicy } from "../../policies/history/verify.js";

const WARM_UP_STEPS = 50;

export interface HistoryStepResult {
  readonly bundle: string;
  readonly kind: string;
  readonly contextSteps: number;
  readonly steps: number;
  /** Observation, history, network and action [µs]. */
  readonly stepUs: LatenessSummary;
}

/** @throws BUNDLE_INVALID, BUNDLE_MISMATCH */
export async function measureHistoryStep(options: {
  readonly clock: Clock;
  /** Of policies/bundles. */
  readonly bundle: string;
  readonly steps: number;
}): Promise<HistoryStepResult> {
  const { clock, steps } = options;
  const folder = fileURLToPath(new URL(`policies/bundles/${options.bundle}/`, repositoryRootUrl()));
  const { bundle, pipeline } = await openHistoryPolicy(folder, { intraOpThreads: 1 });
  try {
    const reading = fromRecorded(bundle.goldens.cases[0]!.steps[0]!.reading);
    pipeline.reset();
    for (let step = 0; step < WARM_UP_STEPS; step++) await pipeline.step(reading);
    const stepUs = new LatenessHistogram();
    for (let step = 0; step < steps; step++) {
      const startMs = clock.nowMs();
      await pipeline.step(reading);
      stepUs.add(1000 * (clock.nowMs() - startMs));
    }
    const { kind, history } = pipeline.manifest;
    return { bundle: options.bundle, kind, contextSteps: history.steps, steps, stepUs: stepUs.summaryUs() };
  } finally {
    await pipeline.release();
  }
}
