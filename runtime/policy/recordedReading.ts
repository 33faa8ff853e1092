/** What a step of a history policy was given, as an episode keeps it: vectors by name, beside the step itself. */
import { readLabelled, writeLabelled } from "../../episodes/labelledNumbers.js";
import type { RosMessage } from "../../episodes/rosCodec.js";
import { RecordedReading } from "../../policies/history/manifest.js";

export function toPolicyReading(step: number, { timeS, ...vectors }: RecordedReading): RosMessage {
  return writeLabelled({ step: [step], timeS: [timeS], ...vectors });
}

/** Undefined for a message that is none. */
export function readPolicyReading(message: unknown): { step: number; reading: RecordedReading } | undefined {
  const { step, timeS, ...vectors } = readLabelled(message) ?? {};
  const parsed = RecordedReading.safeParse({ ...vectors, timeS: timeS?.[0] });
  return parsed.success && step?.[0] !== undefined ? { step: step[0], reading: parsed.data } : undefined;
}
