/**
 * An emulated Digit on loopback: for drivers, for other software and for people. Prints its ports as one JSON line, then
 * takes one JSON command a line on its standard input and answers each with one line; ends when that input ends, or on
 * SIGTERM.
 *
 * Only argument, optional: a JSON object, see `Options`.
 */
import { createInterface } from "node:readline";
import { z } from "zod";
import { errorText } from "../../core/errors.js";
import { DigitDevice, type DigitDeviceRequest } from "../../lab/digit/device.js";
import { DigitFault } from "../../lab/digit/digitFaults.js";
import { DigitDeviceSetup, DigitPortsSchema, DigitSceneNameSchema } from "../../lab/digit/setup.js";
import { printFailure } from "../child.js";
import { makeThisThreadFifo } from "../realtime.js";
import { createPacedClock } from "../systemClock.js";

const Options = DigitDeviceSetup.extend({
  ports: DigitPortsSchema.default({ command: 25500, observation: 25501, json: 8080 }),
  seed: z.int().default(1),
  realtimePriority: z.int().min(0).max(98).default(0).describe("SCHED_FIFO, where permitted; 0 for none"),
});

const Command = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("fault"), fault: DigitFault }),
  z.strictObject({ do: z.literal("scene"), scene: DigitSceneNameSchema }),
  /** What the motors got, and every command from index `since` on. */
  z.strictObject({
    do: z.literal("log"),
    since: z.int().min(0).default(0),
    records: z.boolean().default(true),
    clear: z.boolean().default(false),
  }),
  z.strictObject({ do: z.literal("status") }),
  z.strictObject({ do: z.literal("truth") }),
]);
type Command = z.infer<typeof Command>;

try {
  await serve(Options.parse(JSON.parse(process.argv[2] ?? "{}")));
} catch (thrown) {
  printFailure(thrown);
  process.exitCode = 1;
}

async function serve({ realtimePriority, ...setup }: z.infer<typeof Options>): Promise<void> {
  const { device, ports } = await DigitDevice.start(setup, createPacedClock(), false);
  makeThisThreadFifo(realtimePriority);
  const lines = createInterface({ input: process.stdin });
  process.once("SIGTERM", () => lines.close());
  process.once("SIGINT", () => lines.close());
  print({ ports });
  for await (const line of lines) if (line.trim() !== "") print(await answer(device, line));
  await device.close();
  process.stdin.destroy();
}

async function answer(device: DigitDevice, line: string): Promise<Record<string, unknown>> {
  try {
    return { ok: true, ...(await device.ask(requestOf(Command.parse(JSON.parse(line))))) };
  } catch (thrown) {
    return { ok: false, error: errorText(thrown) };
  }
}

function requestOf(command: Command): DigitDeviceRequest {
  switch (command.do) {
    case "fault":
      return { do: "digitFault", fault: command.fault };
    case "scene":
      return { do: "digitScene", scene: command.scene };
    case "log":
      return { ...command, do: "digitWire" };
    case "status":
      return { do: "digitStatus" };
    case "truth":
      return { do: "digitTruth" };
  }
}

function print(message: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
