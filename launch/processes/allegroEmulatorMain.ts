/**
 * An emulated Allegro Hand on a pseudo-terminal, behind an adapter that speaks SLCAN: for drivers, for other software
 * (python-can) and for people. Prints the port's path as one JSON line, then takes one JSON command a line on its
 * standard input and answers each with one line; ends when that input ends, or on SIGTERM.
 *
 * Only argument, optional: a JSON object, see `Options`.
 */
import { createInterface } from "node:readline";
import { z } from "zod";
import { errorText } from "../../core/errors.js";
import { HAND_MODELS, HAND_SIDES } from "../../kinematics/allegro/hand.js";
import { AllegroEmulator } from "../../lab/allegro/emulator.js";
import { HandFault } from "../../lab/allegro/handFaults.js";
import { handStatus, handWire } from "../../lab/allegro/handReport.js";
import { IdealHandPlant } from "../../lab/allegro/idealPlant.js";
import { hasBody } from "../../lab/allegro/model.js";
import { MujocoHandPlant } from "../../lab/allegro/mujocoPlant.js";
import type { HandPlant } from "../../lab/allegro/plant.js";
import { printFailure } from "../child.js";
import { PtyPort } from "../ptyPort.js";
import { makeThisThreadFifo } from "../realtime.js";
import { createPacedClock } from "../systemClock.js";

const Options = z.strictObject({
  model: z.enum(HAND_MODELS).default("v4"),
  side: z.enum(HAND_SIDES).default("right"),
  serial: z.string().length(8).optional(),
  firmware: z.int().min(0).max(0xffff).optional(),
  path: z.string().optional().describe("Symbolic link to make to the port, which then has this path"),
  plant: z
    .enum(["mujoco", "ideal"])
    .optional()
    .describe("What moves; by default MuJoCo where the hand's geometry is known"),
  streamsWhileOff: z.boolean().optional(),
  answersInfo: z.boolean().optional(),
  positionRad: z.array(z.number()).length(16).optional(),
  seed: z.int().optional(),
  realtimePriority: z.int().min(0).max(98).default(0).describe("SCHED_FIFO, where permitted; 0 for none"),
});
type Options = z.infer<typeof Options>;

const Command = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("fault"), fault: HandFault }),
  /** Everything that a host has said since the last `clearLog`, or from index `since` on. */
  z.strictObject({ do: z.literal("log"), since: z.int().min(0).default(0) }),
  z.strictObject({ do: z.literal("clearLog") }),
  z.strictObject({ do: z.literal("status") }),
]);
type Command = z.infer<typeof Command>;

try {
  await serve(Options.parse(JSON.parse(process.argv[2] ?? "{}")));
} catch (thrown) {
  printFailure(thrown);
  process.exitCode = 1;
}

async function serve(options: Options): Promise<void> {
  const plant = await plantOf(options);
  let port: PtyPort | undefined;
  const plugIn = async (): Promise<void> => {
    const opened = await PtyPort.open(options.path, { priority: options.realtimePriority });
    opened.onBytes = (bytes) => emulator.receive(bytes);
    port = opened;
  };
  const { model, side } = options;
  const emulator = new AllegroEmulator({
    model,
    side,
    plant,
    clock: createPacedClock(),
    send: (bytes) => port?.write(bytes),
    onPlug: (isPlugged) => {
      if (!isPlugged) port?.close();
      else plugIn().catch((thrown) => print({ ok: false, error: errorText(thrown) }));
    },
    ...definedOf({
      serial: options.serial,
      firmware: options.firmware,
      seed: options.seed,
      streamsWhileOff: options.streamsWhileOff,
      answersInfo: options.answersInfo,
    }),
  });
  await plugIn();
  makeThisThreadFifo(options.realtimePriority);
  emulator.start();
  const lines = createInterface({ input: process.stdin });
  process.once("SIGTERM", () => lines.close());
  process.once("SIGINT", () => lines.close());
  print({ path: port!.path });
  for await (const line of lines) if (line.trim() !== "") print(answer(emulator, line));
  await emulator.close();
  port?.close();
  process.stdin.destroy();
}

async function plantOf({ model, side, plant, positionRad }: Options): Promise<HandPlant> {
  const isIdeal = plant === "ideal" || (plant === undefined && !hasBody(model, side));
  return isIdeal
    ? new IdealHandPlant(positionRad)
    : MujocoHandPlant.load({ model, side, ...definedOf({ positionRad }) });
}

function answer(emulator: AllegroEmulator, line: string): Record<string, unknown> {
  try {
    return { ok: true, ...execute(emulator, Command.parse(JSON.parse(line))) };
  } catch (thrown) {
    return { ok: false, error: errorText(thrown) };
  }
}

function execute(emulator: AllegroEmulator, command: Command): Record<string, unknown> {
  switch (command.do) {
    case "fault":
      emulator.inject(command.fault);
      return {};
    case "clearLog":
      emulator.hand.log.clear();
      return {};
    case "log":
      return handWire(emulator, { since: command.since, clear: false });
    case "status":
      return handStatus(emulator);
  }
}

function print(message: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Without the keys whose value is undefined. */
function definedOf<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
