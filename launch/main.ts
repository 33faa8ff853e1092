/** The command line. Each command lives in its own file; this one only declares them and turns errors into exit codes. */
import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { CerebellumError, errorText } from "../core/errors.js";
import { cellFileOf, cellOfTask, DEFAULT_CELL } from "./cell/default.js";
import { declareCalibrate } from "./commands/calibrateCommands.js";
import type { ConformanceOptions } from "./commands/conformanceCommand.js";
import { declareDigit } from "./commands/digitCommands.js";
import { declareEpisodes } from "./commands/episodes/commands.js";
import type { Crop, renderCorpusCommand } from "./commands/lab.js";
import { declareRecord } from "./commands/recordCommands.js";
import { LAB_TASKS } from "./tasks/labTaskNames.js";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

const positiveInteger = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("must be a whole number above 0");
  return value;
};
const square = (text: string): Crop => {
  const [x, y, side, ...more] = text.split(",").map(Number);
  const isWhole = [x, y, side].every((value) => Number.isInteger(value) && value! >= 0);
  if (!isWhole || side === 0 || more.length > 0) throw new InvalidArgumentError("must be X,Y,SIDE in pixels");
  return [x!, y!, side!];
};
const share = (text: string): number => {
  const value = Number(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError("must be a number from 0 to 1");
  return value;
};
const seed = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 2 ** 31 - 1) {
    throw new InvalidArgumentError("must be a whole number from 0 to 2147483647");
  }
  return value;
};

interface DemonstrateFlags {
  readonly cell?: string;
  readonly episodes: number;
  readonly seed: number;
  readonly through?: "servo" | "headset";
  readonly clock: "paced" | "lockstep";
  readonly ledBy?: string;
  readonly ledShare?: number;
}

const json = () => new Option("--json <file>", "also write the result as JSON; - for standard output");
const cellOption = () =>
  new Option("--cell <file>", "cell file, or the name of a shipped one")
    .argParser(cellFileOf)
    .default(DEFAULT_CELL);
const taskCellOption = () =>
  new Option(
    "--cell <file>",
    "cell file, or the name of a shipped one; the shipped one of the task when absent",
  ).argParser(cellFileOf);
const cellArgument = () =>
  new Argument("[cell]", "cell file, or the name of a shipped one: allegro-lab, for instance")
    .argParser(cellFileOf)
    .default(DEFAULT_CELL);

/** Commands are loaded when they run, so that `--help` and `status` need neither ROS nor ONNX Runtime. */
function buildProgram(): Command {
  const program = new Command("cerebellum")
    .description("Turns learned policies into safe motion, on a robot PC or in the simulated lab")
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text) })
    .option("--log-level <level>", "trace, debug, info, warn or error", "info");
  const logLevel = () => program.opts<{ logLevel: string }>().logLevel;

  program
    .command("up")
    .description("run a cell; without an argument, the xArm7 cell in the lab")
    .addArgument(cellArgument())
    .option("--no-policy", "do not start the policy by itself")
    .option("--snapshots <folder>", "in the lab: write pictures of the wrist and scene views there")
    .action(async (cell: string, options: { policy: boolean; snapshots?: string }) =>
      (await import("./commands/up.js")).up(cell, { ...options, logLevel: logLevel() }),
    );

  const lab = program.command("lab").description("the simulated devices of a cell, without the daemon");
  lab
    .command("run", { isDefault: true })
    .addArgument(cellArgument())
    .addOption(new Option("--clock <clock>", "paced or lockstep").choices(["paced", "lockstep"]))
    .option("--seed <n>", "seed of the first scene", seed)
    .action(async (cell: string, options: { clock?: "paced" | "lockstep"; seed?: number }) =>
      (await import("./commands/lab.js")).runLab(cell, { ...options, logLevel: logLevel() }),
    );
  lab
    .command("render-corpus")
    .description("frames of random scenes and poses for pre-training, as one .npy file")
    .argument("<file>", "file to write")
    .option("--count <n>", "frames", positiveInteger, 20_000)
    .option("--seed <n>", "seed", seed, 100)
    .option(
      "--crop <x,y,side>",
      "square of the camera's picture [px]; the lower centre when not given",
      square,
    )
    .option("--camera <name>", "camera of the cell; its first when not given")
    .addOption(cellOption())
    .action(async (file: string, options: Parameters<typeof renderCorpusCommand>[1]) =>
      (await import("./commands/lab.js")).renderCorpusCommand(file, options),
    );

  program
    .command("doctor")
    .description("check this machine and explain everything that is missing or weak")
    .addOption(cellOption())
    .option("--timing", "measure instead whether this machine holds the servo's rate")
    .option("--seconds <n>", "how long to measure", positiveInteger, 60)
    .addOption(json())
    .action(async (options: { cell: string; timing?: boolean; seconds: number; json?: string }) =>
      (await import("./commands/doctor.js")).doctor(options),
    );

  program
    .command("status")
    .description("what a running daemon is doing")
    .addOption(cellOption())
    .addOption(json())
    .action(async (options: { cell: string; json?: string }) =>
      (await import("./commands/daemon.js")).status(options),
    );
  program
    .command("teleop")
    .description("show who moves the robot by hand, and how, until Ctrl-C")
    .addOption(cellOption())
    .addOption(json())
    .action(async (options: { cell: string; json?: string }) =>
      (await import("./commands/teleop.js")).teleop(options),
    );
  program
    .command("why")
    .description("explain the last stop from the black box, also when nothing runs any more")
    .addOption(cellOption())
    .option("--last <n>", "explain so many stops, newest first", positiveInteger, 1)
    .addOption(json())
    .action(async (options: { cell: string; json?: string; last: number }) =>
      (await import("./commands/why.js")).why(options),
    );
  program
    .command("stop")
    .description("stop motion now and stay stopped until `reset`; with --shutdown also end the daemon")
    .addOption(
      new Option(
        "--cell <file>",
        "cell file, or the name of a shipped one; without it every running cell stops",
      ).argParser(cellFileOf),
    )
    .addOption(
      new Option("--category <n>", "IEC 60204-1 stop category").choices(["0", "1", "2"]).default("2"),
    )
    .option("--shutdown", "end the daemon afterwards", false)
    .action(async ({ cell, category, shutdown }: { cell?: string; category: string; shutdown: boolean }) => {
      const { stop } = await import("./commands/stop.js");
      process.exitCode = await stop({ cell, category: Number(category) as 0 | 1 | 2, shutdown });
    });
  for (const [name, request, description] of [
    ["reset", "reset", "leave the stopped state: re-read the device, re-assert limits; nothing moves"],
    ["enable", "enable", "power the robots and hold where they are"],
  ] as const) {
    program
      .command(name)
      .description(description)
      .addOption(cellOption())
      .action(async (options: { cell: string }) =>
        (await import("./commands/daemon.js")).simple(request, options),
      );
  }

  const teach = program
    .command("teach")
    .description("kinesthetic teaching: guide the arm by hand, recorded like any demonstration");
  for (const [name, on, description] of [
    ["on", true, "set the arm free: keep your hands off until it says so"],
    ["off", false, "make the controller hold it again, while it stands still"],
  ] as const)
    teach
      .command(name)
      .description(description)
      .option("--robot <name>", "name of the robot; the cell's only one when left out")
      .addOption(cellOption())
      .action(async (options: { cell: string; robot?: string }) =>
        (await import("./commands/daemon.js")).teach(on, options),
      );

  program
    .command("pair")
    .description(
      "let a browser, a headset or a program become a client of the gateway: addresses and a QR code",
    )
    .addOption(
      new Option("--role <role>", "what it may do").choices(["observer", "operator"]).default("operator"),
    )
    .addOption(cellOption())
    .addOption(json())
    .action(async (options: { cell: string; role: "observer" | "operator"; json?: string }) =>
      (await import("./commands/pair.js")).pair(options),
    );

  declareCalibrate(program, cellOption, json);
  declareRecord(program, cellOption, json);
  declareDigit(program, json);

  program
    .command("service")
    .description("run a cell as a systemd service")
    .command("print")
    .description("print the unit of a cell: `... > /etc/systemd/system/cerebellum.service` installs it")
    .argument("<cell>", "cell file, or the name of a shipped one", cellFileOf)
    .option("--user <name>", "who the daemon runs as; you, when left out")
    .action(async (cell: string, options: { user?: string }) =>
      (await import("./commands/service.js")).printService(cell, options),
    );

  const policy = program.command("policy").description("policy bundles");
  policy
    .command("inspect")
    .argument("<folder>", "bundle")
    .addOption(json())
    .action(async (folder: string, options: { json?: string }) =>
      (await import("./commands/policyInspect.js")).policyInspect(folder, options),
    );
  policy
    .command("verify")
    .description("check every checksum and replay the goldens through the real pipeline")
    .argument("<folder>", "bundle")
    .addOption(json())
    .action(async (folder: string, options: { json?: string }) =>
      (await import("./commands/policyVerify.js")).policyVerify(folder, options),
    );
  for (const [name, request] of [
    ["start", "startPolicy"],
    ["stop", "stopPolicy"],
  ] as const) {
    policy
      .command(name)
      .description(`${name} the policy of a running daemon`)
      .addOption(cellOption())
      .action(async (options: { cell: string }) =>
        (await import("./commands/daemon.js")).simple(request, options),
      );
  }

  const config = program.command("config").description("cell files");
  config
    .command("check")
    .argument("<file>", "cell file, or the name of a shipped one", cellFileOf)
    .addOption(json())
    .action(async (file: string, options: { json?: string }) =>
      (await import("./commands/config.js")).checkConfig(file, options),
    );
  config
    .command("schema")
    .description("print the JSON Schema of cell files")
    .action(async () => (await import("./commands/config.js")).printSchema());

  program
    .command("evaluate")
    .description("run trials of a task in the lab and print each")
    .argument("<task>", `${LAB_TASKS.join(", ")}; finger-reach or cube-flip of a hand; stand of a Digit`)
    .addOption(taskCellOption())
    .option("--bundle <folder>", "another bundle than the cell's")
    .option("--camera <name>", "camera of the cell that the policy looks through, in place of the cell's own")
    .option("--positions <n>", "trials: 16, or each scenario of stand once, when absent", positiveInteger)
    .option("--seed <n>", "seed of the positions, scenes and pushes", seed, 4242)
    .addOption(
      new Option("--light <light>", "lighting of the scenes")
        .choices(["training", "changed"])
        .default("training"),
    )
    .addOption(
      new Option(
        "--clock <clock>",
        "paced = the whole cell; lockstep = simulated time, about ten times as fast",
      )
        .choices(["paced", "lockstep"])
        .default("paced"),
    )
    .addOption(
      new Option(
        "--objects <objects>",
        "of finger-reach and pick-fruit: what their policies are trained with, or others",
      )
        .choices(["seen", "unseen"])
        .default("seen"),
    )
    .option("--scenario <name>", "of stand: this one only")
    .option("--at-least <n>", "fail below this number of successes", positiveInteger)
    .addOption(json())
    .action(async (task: string, options) =>
      (await import("./commands/evaluate.js")).evaluate(task, {
        ...options,
        cell: options.cell ?? cellOfTask(task),
        logLevel: logLevel(),
      }),
    );
  program
    .command("demonstrate")
    .description("record demonstrations in the lab without a person")
    .argument("<task>", `${LAB_TASKS.join(", ")}; finger-reach or cube-flip of a hand`)
    .argument("[folder]", "of sets, in place of the cell's; the episodes go into FOLDER/TASK")
    .addOption(taskCellOption())
    .option("--episodes <n>", "demonstrations; those that are there already count", positiveInteger, 80)
    .option("--seed <n>", "seed", seed, 1)
    .addOption(
      new Option(
        "--through <way>",
        "servo = an expert in the policy's loop; headset = a scripted operator's hand over the gateway",
      ).choices(["servo", "headset"]),
    )
    .addOption(
      new Option(
        "--clock <clock>",
        "paced = the whole cell; lockstep = an expert in simulated time, about ten times as fast",
      )
        .choices(["paced", "lockstep"])
        .default("paced"),
    )
    .option(
      "--led-by <bundle>",
      "with lockstep: a policy that leads a part of each, with the expert's labels",
    )
    .option("--led-share <share>", "the part, 0 to 1; 0.7 unless named", share)
    .action(async (task: string, folder: string | undefined, { clock, ...given }: DemonstrateFlags) => {
      const options = { ...given, cell: given.cell ?? cellOfTask(task) };
      if (clock === "lockstep")
        return (await import("./commands/demonstrateLockstep.js")).demonstrateLockstep(task, folder, options);
      const { demonstrate } = await import("./commands/demonstrate.js");
      return demonstrate(task, folder, { ...options, logLevel: logLevel() });
    });

  declareEpisodes(program);

  program
    .command("conformance")
    .description(
      "replay recorded wire vectors through a device's codec, or look at a real Allegro Hand, limp",
    )
    .argument("<device>", "xarm7, allegro or digit")
    .argument("[file]", "vector file; none where a hand is looked at")
    .option("--device <path>", "allegro: serial port of the hand's CAN adapter")
    .option("--interface <name>", "allegro: SocketCAN interface of the hand, e.g. can0")
    .option("--baud-rate <n>", "allegro: of the serial port", Number)
    .option("--seconds <n>", "allegro: how long to watch its positions", Number, 10)
    .option("--enable", "allegro: then ask, power it for 3 s with a third of its torque, and hold")
    .addOption(json())
    .action(async (device: string, file: string | undefined, options: ConformanceOptions) =>
      (await import("./commands/conformanceCommand.js")).conformance(device, file, options),
    );
  program
    .command("bench")
    .description("measure: servo, stop, policy, encoder, camera, recorder, teleop, console or digit")
    .addArgument(
      new Argument("<what>").choices([
        "servo",
        "stop",
        "policy",
        "encoder",
        "camera",
        "recorder",
        "teleop",
        "console",
        "digit",
      ]),
    )
    .addOption(cellOption())
    .option("--seconds <n>", "how long", positiveInteger, 30)
    .addOption(
      new Option("--images <form>", "recorder: how images are kept")
        .choices(["raw", "jpeg", "png"])
        .default("jpeg"),
    )
    .option("--rounds <n>", "stop: rounds of each trigger, in place of --seconds", positiveInteger)
    .addOption(json())
    .action(
      async (
        what: string,
        options: {
          cell: string;
          seconds: number;
          rounds?: number;
          images: "raw" | "jpeg" | "png";
          json?: string;
        },
      ) => (await import("./commands/bench.js")).bench(what, { ...options, logLevel: logLevel() }),
    );
  return program;
}

async function main(): Promise<void> {
  try {
    await buildProgram().parseAsync(process.argv);
  } catch (thrown) {
    if (isCommanderError(thrown)) {
      process.exitCode = thrown.exitCode === 0 ? 0 : EXIT_USAGE;
      return;
    }
    process.exitCode = EXIT_FAILED;
    process.stderr.write(
      thrown instanceof CerebellumError
        ? `${thrown.name}: ${thrown.message}\n`
        : `${describeDefect(thrown)}\n`,
    );
  }
}

const isCommanderError = (thrown: unknown): thrown is { code: string; exitCode: number } =>
  thrown instanceof Error &&
  "exitCode" in thrown &&
  String((thrown as { code?: unknown }).code).startsWith("commander.");

const describeDefect = (thrown: unknown): string =>
  `A defect of Cerebellum: ${errorText(thrown)}\n${thrown instanceof Error ? thrown.stack : ""}`;

await main();
