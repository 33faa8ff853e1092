/**
 * Labels, trims and drops of a set: `edits.jsonl`, one JSON object a line. Any number of processes append to it: each
 * line leaves in one write to the end of the file and is on the disk before `append` resolves. Nothing in it is ever
 * changed. A crash can tear only the line that was being written; whoever reads goes on behind it and says so.
 */
import { type FileHandle, open, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CerebellumError, errorText } from "../core/errors.js";
import { EDITS_FILE, EpisodeEdit, type Outcome } from "./format.js";

/** Longer lines are refused: a note is a sentence, not a file. */
const LINE_BYTES_MAX = 64 * 1024;
const FORM = "cerebellum/edit@1";
const ANY_FORM = '{"schema":"cerebellum/edit@';

/** A line that has no effect here, and why. It stays in the file. */
export interface EditTrouble {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

export interface Edits {
  /** In the order in which they were made. */
  readonly edits: readonly EpisodeEdit[];
  readonly troubles: readonly EditTrouble[];
}

/** What all edits of one episode come to. */
export interface ResolvedEdits {
  readonly label?: { readonly outcome: Outcome; readonly note: string };
  /** Kept part, epoch nanoseconds of log time; null = from the start, to the end. */
  readonly trim?: { readonly fromNs: bigint | null; readonly toNs: bigint | null };
  readonly drop?: { readonly dropped: boolean; readonly note: string };
}

/** @throws CerebellumError RECORDING_FAILED when the line is not surely on the disk */
export async function appendEdit(set: string, edit: EpisodeEdit): Promise<void> {
  const file = join(set, EDITS_FILE);
  // The form stands first: a reader finds by it where a line begins that a torn one runs into.
  const { schema, ...rest } = EpisodeEdit.parse(edit);
  const line = Buffer.from(`${JSON.stringify({ schema, ...rest })}\n`, "utf8");
  if (line.length > LINE_BYTES_MAX)
    throw notKept(file, `it has ${line.length} bytes; at most ${LINE_BYTES_MAX} are taken`);
  const opened = await openToAppend(file);
  try {
    const bytes = (await isTorn(opened.handle)) ? Buffer.concat([Buffer.from("\n"), line]) : line;
    const { bytesWritten } = await opened.handle.write(bytes);
    if (bytesWritten < bytes.length)
      throw new Error(`only ${bytesWritten} of ${bytes.length} bytes were taken`);
    await opened.handle.sync();
    if (opened.isNew) await syncFolder(dirname(file));
  } catch (cause) {
    throw notKept(file, errorText(cause), cause);
  } finally {
    await opened.handle.close();
  }
}

/** A set without the file has no edits. @throws CerebellumError FILE_UNREADABLE */
export async function readEdits(set: string): Promise<Edits> {
  const file = join(set, EDITS_FILE);
  try {
    return parseEdits(await readFile(file, "utf8"));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return { edits: [], troubles: [] };
    throw new CerebellumError(
      "FILE_UNREADABLE",
      `${file} cannot be read: ${errorText(cause)}`,
      "Make it readable for this user; labels and trims of the set are in it",
      cause,
    );
  }
}

export function parseEdits(text: string): Edits {
  const edits: EpisodeEdit[] = [];
  const troubles: EditTrouble[] = [];
  for (const [index, content] of text.split("\n").entries()) {
    const line = index + 1;
    const value = json(content);
    if (value !== undefined) take(value, line);
    else if (content.trim() !== "") {
      troubles.push({ line, text: "is torn: a write was cut off" });
      const next = content.lastIndexOf(ANY_FORM);
      if (next > 0) take(json(content.slice(next)), line);
    }
  }
  return { edits, troubles };

  function take(value: unknown, line: number): void {
    if (value === undefined) return;
    const result = EpisodeEdit.safeParse(value);
    if (result.success) edits.push(result.data);
    else troubles.push({ line, text: describeUnknown(value) });
  }
}

/** Those of one episode. A later edit of a kind replaces an earlier one, whatever the clock said. */
export function resolveEdits(edits: readonly EpisodeEdit[], episode: string, uuid: string): ResolvedEdits {
  let resolved: ResolvedEdits = {};
  for (const edit of edits) {
    if (edit.episode === episode && edit.uuid === uuid) resolved = { ...resolved, ...effect(edit) };
  }
  return resolved;
}

function effect(edit: EpisodeEdit): ResolvedEdits {
  switch (edit.kind) {
    case "label":
      return { label: { outcome: edit.outcome, note: edit.note } };
    case "trim":
      return {
        trim: {
          fromNs: edit.fromNs === null ? null : BigInt(edit.fromNs),
          toNs: edit.toNs === null ? null : BigInt(edit.toNs),
        },
      };
    case "drop":
      return { drop: { dropped: edit.dropped, note: edit.note } };
  }
}

/** Edits that touch nothing. @param uuidOf each episode that is there, by name; undefined when it cannot be read */
export function strayEdits(
  edits: readonly EpisodeEdit[],
  uuidOf: ReadonlyMap<string, string | undefined>,
): string[] {
  const found = edits.flatMap(({ kind, episode, uuid }) => {
    if (!uuidOf.has(episode)) return [`a ${kind} is of ${episode}, which is not here`];
    const own = uuidOf.get(episode);
    return own === undefined || own === uuid
      ? []
      : [`a ${kind} of ${episode} means another recording of that name, ${uuid}`];
  });
  return [...new Set(found)];
}

function describeUnknown(value: unknown): string {
  const { schema, kind } = (value ?? {}) as { schema?: unknown; kind?: unknown };
  if (typeof schema !== "string") return "is no edit";
  if (schema !== FORM) return `is of form "${schema}"; this program reads ${FORM}`;
  return KINDS.has(kind)
    ? `is a ${String(kind)} with unusable fields`
    : `is of unknown kind "${String(kind)}"`;
}
const KINDS: ReadonlySet<unknown> = new Set(["label", "trim", "drop"]);

/** Flags: read (for the last byte), append, create; a new file is noticed, so that its folder can be synced, too. */
async function openToAppend(file: string): Promise<{ handle: FileHandle; isNew: boolean }> {
  try {
    return { handle: await open(file, "ax+"), isNew: true };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw notKept(file, errorText(cause), cause);
  }
  try {
    return { handle: await open(file, "a+"), isNew: false };
  } catch (cause) {
    throw notKept(file, errorText(cause), cause);
  }
}

/** Does the file end within a line? Two that both see it leave an empty line between theirs, which means nothing. */
async function isTorn(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  await handle.read(last, 0, 1, size - 1);
  return last[0] !== 0x0a;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const notKept = (file: string, why: string, cause?: unknown) =>
  new CerebellumError(
    "RECORDING_FAILED",
    `The edit was not kept in ${file}: ${why}`,
    "Check the folder, its permissions and the free disk space, then do it again",
    cause,
  );
