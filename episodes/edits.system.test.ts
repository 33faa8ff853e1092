import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { entryUrl } from "../core/entry.js";
import { readEdits } from "./edits.js";

let set: string;
beforeEach(() => {
  set = mkdtempSync(join(tmpdir(), "edits-processes-"));
});
afterEach(() => rmSync(set, { recursive: true, force: true }));

/** Appends edits one after the other and tells of each that is kept. */
const WRITER = `
  const [, url, set, by, count] = process.argv;
  const { appendEdit } = await import(url);
  for (let index = 0; index < Number(count); index++) {
    await appendEdit(set, {
      schema: "cerebellum/edit@1", atNs: "1", by, episode: "episode-000001",
      uuid: "1b3849e7-8d6f-4926-8174-599bba063505",
      kind: "label", outcome: "success", note: index + " " + "x".repeat((index * 37) % 3000),
    });
    process.stdout.write(index + "\\n");
  }
`;

/** @returns how many edits it was told are kept */
function write(by: string, count: number, killAt = Number.POSITIVE_INFINITY): Promise<number> {
  return new Promise((resolve) => {
    const url = entryUrl("./edits.js", import.meta.url).href;
    const child = spawn(
      process.execPath,
      ["--input-type=module", "-e", WRITER, url, set, by, String(count)],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    let told = 0;
    child.stdout.on("data", (text: Buffer) => {
      told += text.toString().split("\n").length - 1;
      if (told >= killAt) child.kill("SIGKILL");
    });
    child.once("close", () => resolve(told));
  });
}

describe("the edits log, written by several processes", () => {
  it("keeps every edit that anybody was told is kept, in each one's order, whoever is killed", async () => {
    const told = await Promise.all([write("daemon", 150), write("cli", 150), write("doomed", 1e6, 40)]);
    expect(told.slice(0, 2)).toEqual([150, 150]);
    const { edits, troubles } = await readEdits(set);
    expect(troubles.length).toBeLessThanOrEqual(1);
    for (const [index, by] of ["daemon", "cli", "doomed"].entries()) {
      const notes = edits.flatMap((edit) => (edit.by === by && edit.kind === "label" ? [edit.note] : []));
      expect(notes.length).toBeGreaterThanOrEqual(told[index]!);
      expect(notes.map((note) => Number(note.split(" ")[0]))).toEqual(notes.map((_, at) => at));
    }
  });
});
