import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../systemClock.js";
import { endFormerChildren, noteEndedInOrder, noteRunning, pidFileOf, unfinishedRun } from "./lastRun.js";

const log = pino({ level: "silent" });
let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "last-run-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** A process that looks like a child of a daemon, or like anything else. */
async function startChild(name: string, script: string, argument: string) {
  const child = spawn(
    process.execPath,
    ["-e", `${script}; console.log("up"); setInterval(() => {}, 1000)`, argument],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  children.push(child);
  const ended = new Promise<string>((resolve) =>
    child.once("exit", (code, signal) => resolve(signal ?? `code ${code}`)),
  );
  await new Promise((resolve) => child.stdout!.once("data", resolve));
  writeFileSync(pidFileOf(folder, name), `${child.pid}\n`);
  return { child, ended };
}

it("a run that ended in order leaves nothing behind; one that did not is known by its process", () => {
  expect(unfinishedRun(folder)).toBeUndefined();
  noteRunning(folder);
  expect(unfinishedRun(folder)).toContain(`process ${process.pid}`);
  noteEndedInOrder(folder);
  expect(unfinishedRun(folder)).toBeUndefined();
});

it("a run before the last boot does not count, nor does a note that makes no sense", () => {
  noteRunning(folder);
  const file = join(folder, "running.json");
  writeFileSync(file, readFileSync(file, "utf8").replace(/"boot":"[^"]+"/, '"boot":"another"'));
  expect(unfinishedRun(folder)).toBeUndefined();
  writeFileSync(file, "half a no");
  expect(unfinishedRun(folder)).toBeUndefined();
});

it("ends a child that outlived its daemon in order", async () => {
  const { ended } = await startChild(
    "servo-arm",
    'process.on("SIGTERM", () => process.exit(7))',
    "launch/processes/servoMain.js",
  );
  await endFormerChildren(folder, systemClock, log);
  expect(await ended).toBe("code 7");
  expect(existsSync(pidFileOf(folder, "servo-arm"))).toBe(false);
});

it("ends one that does not react by force", async () => {
  const { ended } = await startChild("lab", 'process.on("SIGTERM", () => {})', "launch/processes/labMain.js");
  await endFormerChildren(folder, systemClock, log);
  expect(await ended).toBe("SIGKILL");
});

it("leaves a process alone that has got the number of a dead child since", async () => {
  const { child } = await startChild("servo-arm", "", "something-else.js");
  await endFormerChildren(folder, systemClock, log);
  expect(child.exitCode).toBeNull();
  expect(child.signalCode).toBeNull();
});

it.each(["", "0", "1", "-5", "nonsense", "99999999"])("passes over a process number of %j", async (text) => {
  writeFileSync(pidFileOf(folder, "servo-arm"), text);
  await endFormerChildren(folder, systemClock, log);
  expect(existsSync(pidFileOf(folder, "servo-arm"))).toBe(false);
});
