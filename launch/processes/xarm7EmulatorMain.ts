/**
 * The emulated xArm7 controller alone, with a plant that follows its setpoint: for driver tests and for the vendor's
 * own client software. Prints its ports as one JSON line, then takes one JSON command a line on its standard input
 * and answers each with one line; ends when that input ends.
 *
 * Only argument, optional: a JSON object, see `Options`.
 */
import { createInterface } from "node:readline";
import { z } from "zod";
import { errorText } from "../../core/errors.js";
import { XArm7Emulator } from "../../lab/xarm7/emulator.js";
import { IdealPlant } from "../../lab/xarm7/idealPlant.js";
import { reportFrames, reportSetpoints } from "../../lab/xarm7/wireReport.js";
import { systemClock } from "../systemClock.js";

const Port = z.int().min(0).max(65535);
const Options = z.strictObject({
  ports: z
    .strictObject({ command: Port, highRate: Port, normal: Port, rich: Port, realTime: Port })
    .partial()
    .default({}),
  positionRad: z.array(z.number()).length(7).optional(),
  lagS: z.number().min(0).default(0.02),
  version: z.string().optional(),
  serial: z.string().optional(),
  toolBaudIndex: z.int().min(0).max(12).optional(),
  richBytes: z.literal([574, 587]).optional(),
  setpointPeriodMs: z.number().positive().optional(),
});

const Command = z.discriminatedUnion("do", [
  z.strictObject({
    do: z.literal("error"),
    code: z.int().min(1).max(255),
    held: z.boolean().default(false),
  }),
  z.strictObject({ do: z.literal("release") }),
  z.strictObject({ do: z.literal("warning"), code: z.int().min(1).max(255) }),
  z.strictObject({
    do: z.literal("gripper"),
    errorCode: z.int().min(0).max(255).optional(),
    plugged: z.boolean().optional(),
    objectWidthM: z.number().min(0).optional(),
  }),
  z.strictObject({ do: z.literal("freezeReports"), on: z.boolean() }),
  z.strictObject({ do: z.literal("dropClients") }),
  /** Forgets wire records and the setpoint monitor's figures. */
  z.strictObject({ do: z.literal("clearLog") }),
  /**
   * Motion and stop frames since the last `clearLog`, or from index `since` on. `records`: everything of each frame;
   * `times`: only when they came, compact enough to be asked for every few seconds through a long run.
   */
  z.strictObject({
    do: z.literal("log"),
    form: z.enum(["records", "times"]).default("records"),
    since: z.int().min(0).default(0),
  }),
  z.strictObject({ do: z.literal("status") }),
]);
type Command = z.infer<typeof Command>;

const options = Options.parse(JSON.parse(process.argv[2] ?? "{}"));
const plant = new IdealPlant({
  lagS: options.lagS,
  ...(options.positionRad === undefined ? {} : { positionRad: options.positionRad }),
});
const emulator = new XArm7Emulator({
  plant,
  clock: systemClock,
  onStep: (dtS) => plant.advance(dtS),
  ports: definedOf(options.ports),
  ...definedOf({
    version: options.version,
    serial: options.serial,
    toolBaudIndex: options.toolBaudIndex,
    richBytes: options.richBytes,
    setpointPeriodMs: options.setpointPeriodMs,
  }),
});

print({ ports: await emulator.start() });
const lines = createInterface({ input: process.stdin });
for await (const line of lines) {
  if (line.trim() !== "") print(answer(line));
}
await emulator.close();

function answer(line: string): Record<string, unknown> {
  try {
    return { ok: true, ...execute(Command.parse(JSON.parse(line))) };
  } catch (thrown) {
    return { ok: false, error: errorText(thrown) };
  }
}

function execute(command: Command): Record<string, unknown> {
  switch (command.do) {
    case "error":
      emulator.injectError(command.code, command.held);
      return {};
    case "release":
      emulator.releaseError();
      return {};
    case "warning":
      emulator.injectWarning(command.code);
      return {};
    case "gripper":
      if (command.errorCode !== undefined) emulator.injectGripperError(command.errorCode);
      if (command.plugged !== undefined) emulator.setGripperPlugged(command.plugged);
      if (command.objectWidthM !== undefined) plant.placeObject(command.objectWidthM);
      return {};
    case "freezeReports":
      emulator.freezeReports(command.on);
      return {};
    case "dropClients":
      emulator.dropClients();
      return {};
    case "clearLog":
      emulator.wireLog.clear();
      emulator.setpoints.clear();
      return {};
    case "log":
      return reportFrames(emulator, command.form, command.since);
    case "status":
      return status();
  }
}

function status(): Record<string, unknown> {
  const { state, motion, gripper, settings } = emulator.controller;
  return {
    mode: state.mode,
    state: state.state,
    errorCode: state.errorCode,
    warningCode: state.warningCode,
    enableBits: state.enableBits,
    positionRad: [...plant.positionRad],
    setpointRad: [...motion.setpointRad],
    gripperPulse: gripper.pulse,
    settings,
    counters: emulator.counters,
    setpoints: reportSetpoints(emulator.setpoints.figures),
    traffic: emulator.traffic(),
  };
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
