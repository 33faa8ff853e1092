/** Declares `episodes ...`: sets and episodes, their labels, checks, pictures and exports. */
import { type Command, Option } from "commander";
import { OUTCOMES, type Outcome } from "../../../episodes/format.js";
import { recordingsFolder } from "../../recordings.js";

const json = () => new Option("--json <file>", "also write the result as JSON; - for standard output");

/** Of `episodes` itself; subcommands get it as their second argument's `recordings`. */
interface Shared {
  readonly recordings: string;
}

export function declareEpisodes(program: Command): void {
  const episodes = program
    .command("episodes")
    .description("recorded episodes; EPISODE is a path, TASK/12 or TASK/last")
    .option("--recordings <folder>", "where TASK is looked for", recordingsFolder());
  const shared = () => episodes.opts<Shared>();

  episodes
    .command("list")
    .description("what was recorded")
    .argument("[folder]", "a recordings folder or one set in it")
    .addOption(json())
    .action(async (folder: string | undefined, options: { json?: string }) =>
      (await import("./list.js")).listEpisodes(folder ?? shared().recordings, options),
    );

  episodes
    .command("recompute")
    .description("compute a recorded policy's steps anew and compare them to the last bit; nothing moves")
    .argument("<episode>")
    .option("--bundle <folder>", "policy bundle in place of the one that ran")
    .addOption(json())
    .action(async (episode: string, options: { bundle?: string; json?: string }) =>
      (await import("./recompute.js")).recomputeEpisode(episode, shared().recordings, options),
    );

  episodes
    .command("import")
    .description("make an episode of another recorder's rosbag2 bag: a folder, a .mcap or a .db3 file")
    .argument("<bag>")
    .requiredOption("--task <task>", "set that it joins, under the next number")
    .option("--into <folder>", "recordings folder, in place of --recordings")
    .option("--map <from=to...>", "new names of topics")
    .option("--robot <name>", "whose joint states come on a topic that does not say so", "arm")
    .addOption(new Option("--outcome <outcome>").choices([...OUTCOMES]).default("unlabelled"))
    .option("--note <text>", "kept with it", "")
    .addOption(json())
    .action(async (bag: string, options: ImportOptions) =>
      (await import("./import.js")).importCommand(bag, {
        ...options,
        into: options.into ?? shared().recordings,
        map: options.map ?? [],
      }),
    );
}

interface ImportOptions {
  readonly task: string;
  readonly into?: string;
  readonly map?: string[];
  readonly robot: string;
  readonly outcome: Outcome;
  readonly note: string;
  readonly json?: string;
}
