/** Computes a history policy's recorded steps anew from what they say they were given, and compares to the last bit. */
import type { HistoryManifest } from "../../../policies/history/manifest.js";
import { fromRecorded } from "../../../policies/history/reading.js";
import { actionId } from "../../../policies/history/slots.js";
import type { HistoryActor } from "../../../runtime/policy/historyRunner.js";
import type { StepRecord } from "../../../runtime/policy/steps.js";

export interface HistoryDifference {
  readonly step: number;
  readonly slot: string;
  readonly recorded: number;
  readonly computed: number;
}

/**
 * @param actor with the manifest of the policy that ran
 * @param records of one run, from its first step on, in order; those without an answer are passed over
 * @returns the first answer that differs, or undefined when all are the same bits
 */
export async function firstDifference(
  actor: HistoryActor & { readonly manifest: HistoryManifest },
  records: readonly Pick<StepRecord, "step" | "reading" | "outputRad">[],
): Promise<HistoryDifference | undefined> {
  actor.reset();
  for (const { step, reading, outputRad } of records) {
    if (reading === undefined || outputRad === undefined) continue;
    const { output } = await actor.step(fromRecorded(reading));
    const at = output.findIndex((computed, slot) => !Object.is(computed, outputRad[slot]));
    if (at < 0) continue;
    const slot = actionId(actor.manifest.action.slots[at]!);
    return { step, slot, recorded: outputRad[at]!, computed: output[at]! };
  }
  return undefined;
}
