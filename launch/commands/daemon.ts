/** Commands that talk to a running daemon: `status`, `reset`, `enable`, `policy start|stop`. */
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

export async function simple(
  request: "reset" | "enable" | "startPolicy" | "stopPolicy",
  options: { cell: string },
): Promise<void> {
  console.log((await ask(options.cell, { do: request }, SLOW_MS)).message);
}
