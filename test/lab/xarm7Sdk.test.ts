/**
 * The vendor's Python client software against the emulated controller, each in its own process. The script says what
 * it checked; this file starts both sides, passes fault injections on, and fails with the checks that failed.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { entryUrl, repositoryRootUrl } from "../../core/entry.js";

const python =
  process.env.CEREBELLUM_PYTHON ?? fileURLToPath(new URL(".ros2/venv/bin/python", repositoryRootUrl()));
const script = fileURLToPath(new URL("test/lab/xarm7Sdk.py", repositoryRootUrl()));
const emulatorMain = fileURLToPath(entryUrl("../../launch/processes/xarm7EmulatorMain.js", import.meta.url));

const Ports = z.object({ ports: z.record(z.string(), z.int()) });
const Said = z.union([
  z.object({ ask: z.record(z.string(), z.unknown()) }),
  z.object({ check: z.string(), found: z.unknown(), wanted: z.unknown(), ok: z.boolean() }),
  z.object({ figure: z.string(), value: z.number() }),
  z.object({ done: z.literal(true) }),
]);

let emulator: ChildProcessWithoutNullStreams | undefined;
let client: ChildProcessWithoutNullStreams | undefined;

afterEach(() => {
  client?.kill("SIGKILL");
  emulator?.kill("SIGKILL");
});

/** The lines of a process, one at a time. */
function linesOf(child: ChildProcessWithoutNullStreams): AsyncIterator<string> {
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

async function nextLine(lines: AsyncIterator<string>): Promise<string> {
  const next = await lines.next();
  if (next.done === true) throw new Error("the emulator ended early");
  return next.value;
}

describe("xarm-python-sdk 1.18.4 against the emulated controller", () => {
  it.skipIf(!existsSync(python) && !process.env.CI)(
    "connects, moves, streams servo_j, grips and recovers from errors",
    async () => {
      emulator = spawn(process.execPath, [emulatorMain], { stdio: "pipe" });
      const emulatorLines = linesOf(emulator);
      const { ports } = Ports.parse(JSON.parse(await nextLine(emulatorLines)));
      client = spawn(python, ["-u", script, JSON.stringify(ports)], { stdio: "pipe" });
      let clientErrors = "";
      client.stderr.on("data", (chunk) => (clientErrors += String(chunk)));
      const checks: z.infer<typeof Said>[] = [];
      const figures: Record<string, number> = {};
      let done = false;
      const clientLines = linesOf(client);
      for (let line = await clientLines.next(); line.done !== true; line = await clientLines.next()) {
        const said = Said.parse(JSON.parse(line.value));
        if ("ask" in said) {
          emulator.stdin.write(`${JSON.stringify(said.ask)}\n`);
          client.stdin.write(`${await nextLine(emulatorLines)}\n`);
        } else if ("figure" in said) figures[said.figure] = said.value;
        else if ("done" in said) done = true;
        else checks.push(said);
      }
      console.log(JSON.stringify(figures));
      const failed = checks.filter((said) => "ok" in said && !said.ok);
      expect(failed).toEqual([]);
      expect(done, clientErrors).toBe(true);
      expect(checks.length).toBeGreaterThan(80);
    },
  );
});
