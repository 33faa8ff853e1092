import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog } from "./log.js";
import { LogFile } from "./logFile.js";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "log-"));
  path = join(folder, "cell", "daemon.log");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (fileBytesMax = 1000, filesMax = 3, at = path) =>
  new LogFile({ path: at, fileBytesMax, filesMax });

describe("log file", () => {
  it("makes its folder, keeps the order, and goes on where a former run ended", async () => {
    const first = open();
    for (const line of ["one\n", "two\n"]) first.write(line);
    await first.close();
    const second = open();
    second.write("three\n");
    await second.close();
    expect(readFileSync(path, "utf8")).toBe("one\ntwo\nthree\n");
  });

  it("puts a full file aside and keeps so many, the newest", async () => {
    const file = open(1000, 3);
    for (let count = 0; count < 100; count++) {
      file.write(`${String(count).padStart(99, "0")}\n`);
      await file.flush();
    }
    await file.close();
    const names = readdirSync(join(folder, "cell")).sort();
    expect(names.every((name) => ["daemon.log", "daemon.log.1", "daemon.log.2"].includes(name))).toBe(true);
    for (const name of names) expect(statSync(join(folder, "cell", name)).size).toBeLessThanOrEqual(1000);
    expect(readFileSync(`${path}.1`, "utf8").trimEnd().split("\n").at(-1)).toMatch(/99$/);
    expect(file.droppedCount).toBe(0);
  });

  it("counts what a full disk costs, never throws, and says afterwards how much is missing", async () => {
    const file = open(1000, 3, "/dev/full");
    for (let count = 0; count < 5; count++) file.write("lost\n");
    await file.flush();
    file.write("lost\n");
    await file.flush();
    expect(file.droppedCount).toBe(6);
    expect(file.failure).toMatch(/ENOSPC/);
    await file.close();
  });

  it("says in the file how many lines are missing", async () => {
    const file = open(10_000_000);
    for (let count = 0; count < 4; count++) file.write(`${"x".repeat(400_000)}\n`);
    expect(file.droppedCount).toBe(1);
    await file.flush();
    file.write("after\n");
    await file.close();
    const text = readFileSync(path, "utf8");
    expect(text.includes('{"level":40,"event":"logLinesLost","count":1}\n')).toBe(true);
    expect(text.endsWith("x\nafter\n")).toBe(true);
  });

  it("takes what cannot even be opened for a full disk", async () => {
    const file = open(1000, 3, "/dev/null/daemon.log");
    file.write("lost\n");
    await file.close();
    expect(file.droppedCount).toBe(1);
  });

  it("writes what is queued in the last moment of a process", async () => {
    const file = open();
    file.write("first\n");
    await file.flush();
    file.write("being written\n");
    file.write("last words\n");
    file.flushNow();
    expect(readFileSync(path, "utf8")).toContain("last words\n");
    await file.close();
  });

  it("gets the log's records as JSON, whatever the output shows", async () => {
    const file = open();
    const log = createLog("warn", 2, file);
    log.info({ event: "quiet" });
    log.warn({ event: "loud", robot: "arm" }, "text");
    await file.close();
    expect(existsSync(path)).toBe(true);
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({
      event: "loud",
      robot: "arm",
      msg: "text",
    });
  });
});
