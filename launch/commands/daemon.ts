/** Commands that talk to a running daemon: `status`, `reset`, `enable`, `teach on|off`, `policy start|stop`. */
import { CerebellumError } from "../../core/errors.js";
import { loadCell } from "../cell/load.js";
import { askDaemon } from "../control/client.js";
import type { ControlRequest } from "../control/protocol.js";
import { runFolder } from "../runFolder.js";
import { systemClock } from "../systemClock.js";
import { printer, writeJson } from "./output.js";

const ask = (cellFile: string, request: ControlRequest, withinMs?: number) =>
  askDaemon(runFolder(loadCell(cellFile).name).controlSocket, request, systemClock, withinMs);

export async function status(options: { cell: string; json?: string }): Promise<void> {
  const answer = await ask(options.cell, { do: "status" });
  printer(options.json)(answer.message);
  writeJson(options.json, answer.status);
}

/** Enabling waits for the arm, so it may take longer than an ordinary answer. */
const SLOW_MS = 30_000;

/** @param robot the cell's only one when left out */
export async function teach(on: boolean, { cell, robot }: { cell: string; robot?: string }): Promise<void> {
  const robots = Object.keys(loadCell(cell).robots);
  const [only] = robots;
  if (robot === undefined && robots.length > 1)
    throw new CerebellumError(
      "CONFIG_INVALID",
      `This cell has several robots: ${robots.join(", ")}`,
      "Name one with --robot",
    );
  console.log((await ask(cell, { do: "teach", robot: robot ?? only!, on }, SLOW_MS)).message);
}

export async function simple(
  request: "reset" | "enable" | "startPolicy" | "stopPolicy",
  options: { cell: string },
): Promise<void> {
  console.log((await ask(options.cell, { do: request }, SLOW_MS)).message);
}
