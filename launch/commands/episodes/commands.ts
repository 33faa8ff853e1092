/** Declares `episodes ...`: sets and episodes, their labels, checks, pictures and exports. */
import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import { OUTCOMES, type Outcome } from "../../../episodes/format.js";
import { cellFileOf, DEFAULT_CELL } from "../../cell/default.js";
import { recordingsFolder } from "../../recordings.js";
import { declareExports } from "./exportCommands.js";

const json = () => new Option("--json <file>", "also write the result as JSON; - for standard output");

const episodeArgument = () => new Argument("<episode>", "path, TASK/12 or TASK/last");

const seconds = (text: string): number => {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError("must be seconds from the episode's start");
  }
  return value;
};
const frameCount = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 120)
    throw new InvalidArgumentError("must be a whole number from 1 to 120");
  return value;
};

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
      (await import("./list.js")).listEpisodes(folder ?? shared().recordings, {
        ...options,
        isDefault: folder === undefined,
      }),
    );

  episodes
    .command("show")
    .description("all about one: summary, quality, and pictures of what was seen and done")
    .addArgument(episodeArgument())
    .option("--out <folder>", "where the pictures go; by default pictures/ in its set")
    .option("--frames <n>", "moments on the contact sheet; by default as many as fit a page", frameCount)
    .option("--no-pictures", "only the summary")
    .addOption(json())
    .action(
      async (episode: string, options: { out?: string; frames?: number; pictures: boolean; json?: string }) =>
        (await import("./show.js")).showEpisode(episode, shared().recordings, options),
    );

  episodes
    .command("label")
    .description("say how it went; the last word counts")
    .addArgument(episodeArgument())
    .addArgument(new Argument("<outcome>").choices(OUTCOMES))
    .option("--note <text>", "why", "")
    .addOption(json())
    .action(async (episode: string, outcome: Outcome, options: { note: string; json?: string }) =>
      (await import("./edit.js")).labelEpisode(episode, shared().recordings, { ...options, outcome }),
    );

  episodes
    .command("trim")
    .description("say which part counts; the rest stays in the file")
    .addArgument(episodeArgument())
    .option("--from <seconds>", "from here on, counted from its start", seconds)
    .option("--to <seconds>", "up to here", seconds)
    .addOption(new Option("--clear", "keep all of it again").conflicts(["from", "to"]))
    .addOption(json())
    .action(
      async (
        episode: string,
        options: { from?: number; to?: number; clear?: boolean; json?: string },
        command: Command,
      ) => {
        if (options.from === undefined && options.to === undefined && !options.clear)
          command.error("error: give --from, --to or --clear");
        await (await import("./edit.js")).trimEpisode(episode, shared().recordings, options);
      },
    );

  for (const [name, dropped, description] of [
    ["drop", true, "leave it out of exports and training; the file stays"],
    ["keep", false, "take a dropped one in again"],
  ] as const) {
    episodes
      .command(name)
      .description(description)
      .addArgument(episodeArgument())
      .option("--note <text>", "why", "")
      .addOption(json())
      .action(async (episode: string, options: { note: string; json?: string }) =>
        (await import("./edit.js")).dropEpisode(episode, shared().recordings, { ...options, dropped }),
      );
  }

  episodes
    .command("replay")
    .description("send a robot again what it was sent; THE ROBOT MOVES. Everything is planned before it does")
    .argument("<episodes...>", "paths, TASK/12 or TASK/last, replayed in this order")
    .option("--cell <file>", "cell file, or the name of a shipped one", cellFileOf, DEFAULT_CELL)
    .option("--speed <share>", "of the recorded speed, at most 1", Number, 1)
    .option("--robot <name>", "which robot, where there are several")
    .option("--prune", "after each one ask: keep, drop, again or quit", false)
    .option("--record", "record the replay as an episode of the set TASK-replay", false)
    .addOption(json())
    .action(
      async (
        words: string[],
        options: {
          cell: string;
          speed: number;
          robot?: string;
          prune: boolean;
          record: boolean;
          json?: string;
        },
      ) => (await import("./replay.js")).replayEpisodes(words, shared().recordings, options),
    );

  episodes
    .command("verify")
    .description("check every byte, and that each is as good as it says; fails when anything does not hold")
    .argument("[paths...]", "episodes, sets or recordings folders; by default everything")
    .option("--no-quality", "only the bytes, not what each topic brought")
    .addOption(json())
    .action(async (paths: string[], options: { quality: boolean; json?: string }) =>
      (await import("./verify.js")).verifyEpisodes(paths, shared().recordings, options),
    );

  episodes
    .command("repair")
    .description("finish what a crash left; the daemon does it by itself when it starts")
    .argument("[folder]", "a recordings folder or one set in it")
    .addOption(json())
    .action(async (folder: string | undefined, options: { json?: string }) =>
      (await import("./repair.js")).repairEpisodes(folder ?? shared().recordings, options),
    );

  episodes
    .command("sync")
    .description(
      "for each policy step: image time, joints at that time, age of every input, time to the wire",
    )
    .argument("<episode>")
    .addOption(json())
    .action(async (episode: string, options: { json?: string }) =>
      (await import("./sync.js")).syncEpisode(episode, shared().recordings, options),
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

  declareExports(episodes, () => shared().recordings);

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
