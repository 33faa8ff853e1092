/** What the repair at the start tells about each episode that a crash had left. */
import type { RepairReport, RepairResult } from "../../episodes/repair.js";
import type { Repaired } from "./messages.js";

/** Whether a person may rely on it now, and what to say; undefined for what somebody writes right now. */
const WORDS: Readonly<
  Record<RepairResult, { readonly ok: boolean; readonly text: string; readonly isKept: boolean } | undefined>
> = {
  beingWritten: undefined,
  repaired: { ok: true, text: "repaired after a crash", isKept: true },
  finished: { ok: true, text: "had been stopped in order and has its name now", isKept: true },
  emptyRemoved: { ok: true, text: "was empty and is removed", isKept: false },
  setAside: { ok: false, text: "cannot be read and is set aside", isKept: false },
  failed: { ok: false, text: "could not be repaired and is as before", isKept: false },
};

export function toldRepairs(reports: readonly RepairReport[]): Repaired[] {
  return reports.flatMap((report) => {
    const { folder, result, trouble } = report;
    const words = WORDS[result];
    if (words === undefined) return [];
    const parts = [words.text, ...(words.isKept ? kept(report) : [])];
    return [
      {
        episode: folder,
        ok: words.ok,
        text: `${folder}: ${parts.join(", ")}${trouble === "" ? "" : `; ${trouble}`}`,
      },
    ];
  });
}

function kept({ messages, durationS, cutBytes, leftOutBytes, lostMessages }: RepairReport): string[] {
  const parts = [`${messages} messages over ${durationS.toFixed(1)} s kept`];
  if (cutBytes > 0) parts.push(`${cutBytes} bytes of a torn end cut off`);
  if (leftOutBytes > 0)
    parts.push(`${leftOutBytes} damaged bytes left out with ${lostMessages} known messages`);
  return parts;
}
