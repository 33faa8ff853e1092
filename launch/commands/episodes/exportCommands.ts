/** Declares `episodes export ...`: one subcommand a form, with the options that all forms share. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { ACTIONS } from "../../../episodes/export/streams.js";
import { OUTCOMES } from "../../../episodes/format.js";
import type { ExportCommandOptions } from "./export.js";

const rate = (text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("must be frames a second, above 0");
  return value;
};

const names = (text: string): string[] => text.split(",").map((name) => name.trim());
const collect = (text: string, before: readonly string[]): string[] => [...before, text];

export function declareExports(episodes: Command, recordings: () => string): void {
  const exports = episodes
    .command("export")
    .description("make a training set of sets; SET is a path or a task, or a folder of sets");

  const form = (name: string, description: string): Command =>
    exports
      .command(name)
      .description(description)
      .argument("<set...>")
      .requiredOption("--out <folder>", "to be made; must not exist")
      .requiredOption("--rate <hz>", "frames a second", rate)
      .addOption(new Option("--action <column>", "what the action is").choices(ACTIONS).default("sent"))
      .option("--cameras <names>", "by commas; all colour cameras by default", names)
      .option("--robot <name>", "whose joints, where an episode has several robots")
      .option("--labels", "also the labels of policy steps", false)
      .option("--include-flagged", "also episodes below their stated quality", false)
      .addOption(new Option("--outcome <outcome>").choices([...OUTCOMES, "any"]).default("success"))
      .option("--instruction <task=text>", "words of a task in the set; again for each", collect, [])
      .addOption(new Option("--json <file>", "also write the result as JSON; - for standard output"));

  form("lerobot", "a LeRobot v3 data set: Parquet and H.264 videos")
    .addOption(new Option("--videos", "fail where ffmpeg is missing").conflicts("images"))
    .addOption(new Option("--images", "pictures in the table files instead of videos"))
    .action(async (sets: string[], options: ExportCommandOptions & { videos?: boolean; images?: boolean }) =>
      (await import("./export.js")).exportLerobot(sets, recordings(), options),
    );
  form("flat", "a folder of picture files, one table a set and a README.json").action(
    async (sets: string[], options: ExportCommandOptions) =>
      (await import("./export.js")).exportFlat(sets, recordings(), options),
  );
  form("robomimic", "one HDF5 file as robomimic reads it, and where its data came from").action(
    async (sets: string[], options: ExportCommandOptions) =>
      (await import("./export.js")).exportRobomimic(sets, recordings(), options),
  );
}
