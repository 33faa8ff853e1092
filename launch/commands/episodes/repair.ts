/** `episodes repair`: finishes what a crash left, and says what became of it. */
import { CerebellumError } from "../../../core/errors.js";
import { findSets } from "../../../episodes/recordings.js";
import { type RepairReport, type RepairResult, repairSet } from "../../../episodes/repair.js";
import { systemClock } from "../../systemClock.js";
import { printer, writeJson } from "../output.js";
import { formatBytes, formatSeconds, plain } from "./text.js";

const WORDS: Readonly<Record<RepairResult, string>> = {
  repaired: "repaired: what was written until the crash is an episode now",
  finished: "finished: it had been stopped in order, only its name or end was missing",
  emptyRemoved: "removed: there was nothing in it",
  setAside: "set aside: it cannot be read from its start",
  beingWritten: "left alone: it is being written or repaired right now",
  failed: "not repaired",
};
const BAD: readonly RepairResult[] = ["setAside", "failed"];

/**
 * @param folder a recordings folder or one set
 * @throws CerebellumError CHECK_FAILED when a part could not be made an episode, after the JSON was written
 */
export async function repairEpisodes(folder: string, options: { json?: string }): Promise<void> {
  const print = printer(options.json);
  const { sets } = await findSets(folder);
  const reports: RepairReport[] = [];
  for (const set of sets)
    for (const report of await repairSet(set.folder, { clock: systemClock })) {
      reports.push(report);
      for (const line of reportLines(report)) print(plain(line));
    }
  if (reports.length === 0) print(`Nothing to repair in ${folder}`);
  const bad = reports.filter(({ result }) => BAD.includes(result));
  writeJson(options.json, { folder, passed: bad.length === 0, reports });
  if (bad.length === 0) return;
  throw new CerebellumError(
    "CHECK_FAILED",
    `${bad.length} of ${reports.length} parts are no episodes: ${bad.map((report) => report.folder).join(", ")}`,
    "Nothing of them was deleted; look at the reasons above",
  );
}

function reportLines(report: RepairReport): string[] {
  const {
    folder,
    result,
    messages,
    durationS,
    bytes,
    cutBytes,
    leftOutBytes,
    lostMessages,
    tookMs,
    trouble,
  } = report;
  const kept =
    result === "repaired" || result === "finished"
      ? [
          `  ${messages} messages over ${formatSeconds(durationS)} kept, ${formatBytes(bytes)} read in ${(tookMs / 1e3).toFixed(2)} s`,
        ]
      : [];
  const cutS = report.cutS === undefined ? "" : `, ${report.cutS.toFixed(2)} s of the recording`;
  return [
    `${folder} ${WORDS[result]}`,
    ...kept,
    ...(cutBytes > 0 ? [`  ${cutBytes} bytes of a torn end were cut off${cutS}`] : []),
    ...(leftOutBytes > 0
      ? [`  ${leftOutBytes} damaged bytes in the middle are left out, ${lostMessages} messages lost in them`]
      : []),
    ...(trouble === "" ? [] : [`  ${trouble}`]),
  ];
}
