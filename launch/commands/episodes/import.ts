/** `episodes import`: another recorder's bag becomes an episode; prints each topic, imported or skipped and why. */
import { CerebellumError } from "../../../core/errors.js";
import type { Outcome } from "../../../episodes/format.js";
import { type ImportedTopic, importBag } from "../../../episodes/import/importBag.js";
import { softwareIdentity } from "../../software.js";
import { systemClock } from "../../systemClock.js";
import { printer, writeJson } from "../output.js";
import { formatBytes, formatSeconds, table } from "./text.js";

export interface ImportCommandOptions {
  readonly task: string;
  readonly into: string;
  readonly map: readonly string[];
  readonly robot: string;
  readonly outcome: Outcome;
  readonly note: string;
  readonly json?: string;
}

/** @throws CerebellumError BAG_INVALID, CONFIG_INVALID, FILE_UNREADABLE, RECORDING_FAILED */
export async function importCommand(bag: string, options: ImportCommandOptions): Promise<void> {
  const startedNs = systemClock.nowNs();
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  const report = await importBag({
    signal: stop.signal,
    bag,
    recordings: options.into,
    task: options.task,
    robot: options.robot,
    outcome: options.outcome,
    note: options.note,
    renames: parseRenames(options.map),
    prefixes: (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== ""),
    software: await softwareIdentity(),
  }).finally(() => process.off("SIGINT", interrupt).off("SIGTERM", interrupt));
  const seconds = Number(systemClock.nowNs() - startedNs) / 1e9;
  const print = printer(options.json);
  const head = ["topic", "type", "found", "imported", "lost", "remarks"];
  for (const line of table(head, report.topics.map(row), [2, 3, 4])) print(line);
  for (const text of [...report.damage, ...report.remarks]) print(text);
  for (const { code, topic, text } of report.flags.filter(({ code }) => code !== "damaged"))
    print(`flagged: ${code}${topic === "" ? "" : ` ${topic}`}: ${text}`);
  print(
    `${report.folder}: ${formatSeconds(report.durationS)} from ${formatBytes(report.sourceBytes)}, in ${formatSeconds(seconds)}`,
  );
  writeJson(options.json, { ...report, seconds });
}

function row({ topic, type, found, imported, lost, as, remark }: ImportedTopic): string[] {
  const remarks = [
    as === undefined || as === topic ? "" : `as ${as}`,
    as === undefined ? `skipped: ${remark}` : remark,
  ];
  return [
    topic,
    type,
    String(found),
    String(imported),
    lost === 0 ? "" : String(lost),
    remarks.filter((text) => text !== "").join("; "),
  ];
}

/** @throws CerebellumError CONFIG_INVALID for anything but from=to, each name once */
export function parseRenames(words: readonly string[]): Map<string, string> {
  const renames = new Map<string, string>();
  for (const word of words) {
    const [from, to, ...rest] = word.split("=");
    if (!from || !to || rest.length > 0 || renames.has(from))
      throw new CerebellumError(
        "CONFIG_INVALID",
        `--map "${word}" ${from && renames.has(from) ? `names ${from} a second time` : "is not of the form FROM=TO"}`,
        "Write --map /in/the/bag=/in/the/episode",
      );
    renames.set(from, to);
  }
  return renames;
}
