import { randomUUID } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { appendEdit, parseEdits, readEdits, resolveEdits, strayEdits } from "./edits.js";
import { EDITS_FILE, type EpisodeEdit, episodeName, OUTCOMES } from "./format.js";

const UUID = randomUUID();
const OTHER = randomUUID();
let set: string;
beforeEach(() => {
  set = mkdtempSync(join(tmpdir(), "edits-"));
});
afterEach(() => {
  chmodSync(set, 0o700);
  rmSync(set, { recursive: true, force: true });
});

const base = { schema: "cerebellum/edit@1", atNs: "5", by: "test", uuid: UUID } as const;
const label = (number: number, note: string): EpisodeEdit => ({
  ...base,
  episode: episodeName(number),
  kind: "label",
  outcome: "success",
  note,
});
const file = () => join(set, EDITS_FILE);

describe("the edits log", () => {
  it("gives back what was appended, in order; a set without one has no edits", async () => {
    expect(await readEdits(set)).toEqual({ edits: [], troubles: [] });
    const edits: EpisodeEdit[] = [
      label(1, 'two\nlines, "quotes" and {"schema":"cerebellum/edit@1"}'),
      { ...base, episode: episodeName(1), kind: "trim", fromNs: "7", toNs: null },
      { ...base, episode: episodeName(2), kind: "drop", dropped: true, note: "" },
    ];
    for (const edit of edits) await appendEdit(set, edit);
    expect(await readEdits(set)).toEqual({ edits, troubles: [] });
    expect(readFileSync(file(), "utf8").split("\n")).toHaveLength(4);
  });

  it("loses nothing when many write at once", async () => {
    const notes = Array.from({ length: 100 }, (_, index) => `${index} ${"x".repeat((index * 131) % 5000)}`);
    await Promise.all(notes.map((note, index) => appendEdit(set, label(index, note))));
    const { edits, troubles } = await readEdits(set);
    expect(troubles).toEqual([]);
    expect(edits.map((edit) => (edit.kind === "label" ? edit.note : "")).sort()).toEqual(notes.sort());
  });

  it("goes on behind a line that a crash tore, and says which", async () => {
    await appendEdit(set, label(1, "before"));
    appendFileSync(file(), '{"schema":"cerebellum/edit@1","atNs":"6","by":"te');
    expect((await readEdits(set)).troubles).toEqual([{ line: 2, text: "is torn: a write was cut off" }]);
    await appendEdit(set, label(2, "after"));
    const { edits, troubles } = await readEdits(set);
    expect(edits.map(({ episode }) => episode)).toEqual(["episode-000001", "episode-000002"]);
    expect(troubles).toEqual([{ line: 2, text: "is torn: a write was cut off" }]);
  });

  it("keeps newer kinds and forms in the file and reports them", async () => {
    const newer = [
      `{"schema":"cerebellum/edit@1","kind":"rating","stars":5}`,
      `{"schema":"cerebellum/edit@2","kind":"label"}`,
      `{"schema":"cerebellum/edit@1","kind":"label","outcome":"perhaps"}`,
      `[1, 2]`,
    ];
    writeFileSync(file(), `${newer.join("\n")}\n`);
    await appendEdit(set, label(1, ""));
    const { edits, troubles } = await readEdits(set);
    expect(edits).toHaveLength(1);
    expect(troubles.map(({ line, text }) => `${line} ${text}`)).toEqual([
      `1 is of unknown kind "rating"`,
      `2 is of form "cerebellum/edit@2"; this program reads cerebellum/edit@1`,
      "3 is a label with unusable fields",
      "4 is no edit",
    ]);
    expect(readFileSync(file(), "utf8").split("\n").slice(0, 4)).toEqual(newer);
  });

  it("refuses what it cannot keep, with the reason", async () => {
    await expect(appendEdit(set, label(1, "x".repeat(70_000)))).rejects.toMatchObject({
      code: "RECORDING_FAILED",
      message: expect.stringMatching(/has 70\d\d\d bytes; at most 65536/),
    });
    await expect(appendEdit(join(set, "nowhere"), label(1, ""))).rejects.toMatchObject({
      code: "RECORDING_FAILED",
    });
    mkdirSync(file());
    await expect(appendEdit(set, label(1, ""))).rejects.toMatchObject({ code: "RECORDING_FAILED" });
    await expect(readEdits(set)).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
  });

  it("whatever is torn where, every line that left whole is read, once, in order", () => {
    const anyEdit = fc.record({ number: fc.nat(99), note: fc.string({ unit: "binary", maxLength: 40 }) });
    const anyWrite = fc.record({
      edit: anyEdit,
      keep: fc.double({ min: 0, max: 1, noNaN: true }),
      torn: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(anyWrite, { maxLength: 20 }), fc.boolean(), (writes, sees) => {
        let text = "";
        const whole: EpisodeEdit[] = [];
        let torn = 0;
        for (const { edit, keep, torn: chance } of writes) {
          const value = label(edit.number, edit.note);
          // As `appendEdit` writes; a writer that raced with the torn one has not seen its tail.
          const line = `${sees && text !== "" && !text.endsWith("\n") ? "\n" : ""}${JSON.stringify(value)}\n`;
          const cut = chance === 0 ? Math.floor(keep * (line.length - 2)) : line.length;
          text += line.slice(0, cut);
          if (cut === line.length) whole.push(value);
          else if (line.slice(0, cut).trim() !== "") torn++;
        }
        const found = parseEdits(text);
        expect(found.edits).toEqual(whole);
        expect(found.troubles.length).toBeLessThanOrEqual(torn);
        if (sees) expect(found.troubles).toHaveLength(torn);
      }),
    );
  });
});

describe("edits of an episode", () => {
  it("come to the last of each kind, of this recording only, whatever the clock said", () => {
    const edits: EpisodeEdit[] = [
      { ...label(1, "later by the clock"), atNs: "900" },
      { ...base, episode: episodeName(1), kind: "trim", fromNs: "10", toNs: "20" },
      { ...base, episode: episodeName(1), kind: "label", outcome: "failure", note: "final", atNs: "100" },
      { ...label(1, "of a namesake"), uuid: OTHER },
      label(2, "of a neighbour"),
      { ...base, episode: episodeName(1), kind: "drop", dropped: true, note: "bad" },
      { ...base, episode: episodeName(1), kind: "drop", dropped: false, note: "" },
    ];
    expect(resolveEdits(edits, episodeName(1), UUID)).toEqual({
      label: { outcome: "failure", note: "final" },
      trim: { fromNs: 10n, toNs: 20n },
      drop: { dropped: false, note: "" },
    });
    expect(
      strayEdits(
        edits,
        new Map([
          [episodeName(1), UUID],
          [episodeName(3), UUID],
        ]),
      ),
    ).toEqual([
      `a label of episode-000001 means another recording of that name, ${OTHER}`,
      "a label is of episode-000002, which is not here",
    ]);
  });

  it("replaying any sequence equals keeping the newest of each kind", () => {
    const anyKind = fc.oneof(
      fc.record({
        kind: fc.constant("label" as const),
        outcome: fc.constantFrom(...OUTCOMES),
        note: fc.string(),
      }),
      fc.record({ kind: fc.constant("drop" as const), dropped: fc.boolean(), note: fc.string() }),
    );
    const any = fc.array(fc.record({ number: fc.integer({ min: 1, max: 3 }), edit: anyKind }), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(any, (made) => {
        const edits = made.map(
          ({ number, edit }): EpisodeEdit => ({ ...base, episode: episodeName(number), ...edit }),
        );
        for (const number of [1, 2, 3]) {
          const last = (kind: string) =>
            made.findLast((one) => one.number === number && one.edit.kind === kind)?.edit;
          const { label, drop } = resolveEdits(edits, episodeName(number), UUID);
          expect({ kind: "label", ...label }).toEqual(last("label") ?? { kind: "label" });
          expect({ kind: "drop", ...drop }).toEqual(last("drop") ?? { kind: "drop" });
        }
      }),
    );
  });
});
