/** Declares `episodes ...`: sets and episodes, their labels, checks, pictures and exports. */
import { type Command, Option } from "commander";
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
}
