/** Declares `calibrate` and its parts on the command line; each is loaded when it runs. */
import type { Command, Option } from "commander";

export function declareCalibrate(program: Command, cellOption: () => Option, json: () => Option): void {
  const calibrate = program.command("calibrate").description("how trackers lie to the robot");
  calibrate
    .command("tracker")
    .description("three guided strokes of the hand; the robot does not move, and the cell must run")
    .option("--device <name>", "headset or tracker, as its page or bridge was named", "vive")
    .addOption(cellOption())
    .addOption(json())
    .action(async (options: { cell: string; device: string; json?: string }) =>
      (await import("./calibrate.js")).calibrateTracker(options),
    );
  calibrate
    .command("list")
    .description("calibrations in force, and whether their files are whole")
    .option("--history", "every one that ever was in force")
    .addOption(cellOption())
    .addOption(json())
    .action(async (options: { cell: string; history?: boolean; json?: string }) =>
      (await import("./calibrate.js")).calibrateList(options),
    );
}
