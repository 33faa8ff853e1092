/** Declares `digit` and its parts on the command line; each is loaded when it runs. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { cellFileOf, cellOfTask } from "../cell/default.js";

const SECONDS_MAX = 60;

const seconds = (text: string): number => {
  const value = Number(text);
  if (!(value > 0 && value <= SECONDS_MAX)) throw new InvalidArgumentError(`must be up to ${SECONDS_MAX}`);
  return value;
};
const velocity = (text: string): number => {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new InvalidArgumentError("must be a number");
  return value;
};

export function declareDigit(program: Command, json: () => Option): void {
  const vendor = program
    .command("digit")
    .description("a Digit beside its cell")
    .command("vendor")
    .description("ask the robot's own controller, as a baseline; no daemon may drive the robot meanwhile");
  const cell = () =>
    new Option("--cell <file>", "cell file, or the name of a shipped one")
      .argParser(cellFileOf)
      .default(cellOfTask("stand"));
  const lasting = (command: Command) =>
    command
      .addOption(cell())
      .option("--seconds <n>", "for how long; afterwards it stands", seconds, 5)
      .addOption(json());
  lasting(vendor.command("stand").description("stand")).action(async (options) =>
    (await import("./digitVendor.js")).digitVendorStand(options),
  );
  lasting(vendor.command("move").description("walk at a velocity"))
    .option("--forward <m/s>", "backward when negative", velocity, 0)
    .option("--left <m/s>", "to the right when negative", velocity, 0)
    .option("--yaw <rad/s>", "turning to the left; to the right when negative", velocity, 0)
    .action(async (options) => (await import("./digitVendor.js")).digitVendorMove(options));
}
