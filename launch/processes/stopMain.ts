/**
 * `./cerebellum stop` on its shortest way: what the launcher runs instead of the whole command line, because every
 * millisecond of loading is a millisecond of motion. Arguments that it does not know go to the command line.
 */
import { parseArgs } from "node:util";
import { stop } from "../commands/stop.js";

function knownArguments() {
  try {
    const { values } = parseArgs({
      args: process.argv.slice(2),
      options: {
        cell: { type: "string" },
        category: { type: "string", default: "2" },
        shutdown: { type: "boolean", default: false },
      },
    });
    return values;
  } catch {
    return undefined;
  }
}

const values = knownArguments();
if (values !== undefined && /^[012]$/.test(values.category)) {
  const category = Number(values.category) as 0 | 1 | 2;
  process.exitCode = await stop({ cell: values.cell, category, shutdown: values.shutdown });
} else {
  process.argv.splice(2, 0, "stop");
  await import("../main.js");
}
