/** `teleop`: one live line of a running daemon's teleoperation: who, from what, in which state, why, and how late. */
import { sleepMs } from "../../core/clock.js";
import { loadCell } from "../cell/load.js";
import { askDaemon } from "../control/client.js";
import { runFolder } from "../runFolder.js";
import { systemClock } from "../systemClock.js";
import { printer, writeJson } from "./output.js";

const PERIOD_MS = 250;
const ERASE_LINE = "\r\x1b[2K";

/** With `json` it answers once; else until it is interrupted. @throws CerebellumError NOT_RUNNING, TELEOP_REFUSED */
export async function teleop(options: { readonly cell: string; readonly json?: string }): Promise<void> {
  const { controlSocket } = runFolder(loadCell(options.cell).name);
  const ask = () => askDaemon(controlSocket, { do: "teleopStatus" }, systemClock);
  const first = await ask();
  if (options.json !== undefined) {
    printer(options.json)(first.message);
    writeJson(options.json, first.status);
    return;
  }
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  const [address] = (first.status?.addresses ?? []) as readonly string[];
  process.stdout.write(`console: ${address ?? "the gateway does not listen"}; Ctrl-C ends this view\n`);
  try {
    for (let { message } = first; ; { message } = await ask()) {
      show(message);
      await sleepMs(systemClock, PERIOD_MS, interrupt.signal);
      if (interrupt.signal.aborted) return;
    }
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
    if (process.stdout.isTTY) process.stdout.write("\n");
  }
}

let shown = "";

/** In place on a terminal; elsewhere only what is new. */
function show(message: string): void {
  if (process.stdout.isTTY) {
    const { columns = 80 } = process.stdout;
    process.stdout.write(`${ERASE_LINE}${message.slice(0, columns - 1)}`);
  } else if (message !== shown) process.stdout.write(`${message}\n`);
  shown = message;
}
