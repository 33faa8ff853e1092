/** Declares `record` and its parts on the command line; each is loaded when it runs. */
import { type Command, Option } from "commander";

/** As in episodes/format.ts, which loads more than `--help` should. */
const OUTCOMES = ["success", "failure", "unlabelled"];

export function declareRecord(program: Command, cellOption: () => Option, json: () => Option): void {
  const record = program
    .command("record")
    .description("record episodes of a running cell: `record TASK` with keys, or one step at a time");
  const outcome = () =>
    new Option("--outcome <outcome>", "what came of it").choices(OUTCOMES).default("unlabelled");
  const note = () => new Option("--note <text>", "for people").default("");
  record
    .command("keys", { isDefault: true })
    .description("at a terminal: space or enter starts and stops, s success, f failure, d discard, q quit")
    .argument("<task>", "set of the episodes: lower case letters, digits, _ and -")
    .addOption(cellOption())
    .addOption(note())
    .action(async (task: string, options: { cell: string; note: string }) =>
      (await import("./recordKeys.js")).recordWithKeys(task, options),
    );
  record
    .command("start")
    .description("start an episode")
    .requiredOption("--task <task>", "set of the episode: lower case letters, digits, _ and -")
    .addOption(note())
    .addOption(
      new Option("--kind <kind>", "what it is")
        .choices(["demonstration", "rollout", "other"])
        .default("demonstration"),
    )
    .option("--strict", "end it at the first message that is lost")
    .addOption(cellOption())
    .addOption(json())
    .action(async (options) => (await import("./record.js")).startRecording(options));
  record
    .command("stop")
    .description("end the episode and keep it")
    .addOption(outcome())
    .addOption(note())
    .addOption(cellOption())
    .addOption(json())
    .action(async (options) => (await import("./record.js")).stopRecording(options));
  record
    .command("discard")
    .description("end the episode and remove it")
    .addOption(cellOption())
    .addOption(json())
    .action(async (options) => (await import("./record.js")).discardRecording(options));
  record
    .command("label")
    .description("label the running episode, or the newest that ended")
    .addOption(outcome().makeOptionMandatory())
    .addOption(note())
    .option("--episode <name>", "another episode, such as episode-000012")
    .option("--task <task>", "its set, when it is not the newest one")
    .addOption(cellOption())
    .addOption(json())
    .action(async (options) => (await import("./record.js")).labelEpisode(options));
  record
    .command("status")
    .description("what the recorder is doing")
    .addOption(cellOption())
    .addOption(json())
    .action(async (options) => (await import("./record.js")).recorderStatus(options));
}
