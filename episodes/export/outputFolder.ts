/**
 * The folder of an export. It is written under another name and gets its own only when everything in it is on disk: an
 * export that was interrupted, even by a power cut, never looks whole, and the next one clears it away.
 */
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { CerebellumError, errorText } from "../../core/errors.js";

export const PARTIAL_SUFFIX = ".partial";
/** In an unfinished folder: says that it is ours to clear away, and which process is at it. */
const MARKER = ".cerebellum-export";
const SYNC_AT_ONCE = 16;

export class OutputFolder {
  private constructor(
    /** Where the finished export will be. */
    readonly folder: string,
    /** Where it is being written. */
    readonly partial: string,
  ) {}

  /** @throws CerebellumError EXPORT_FAILED when the folder exists, or somebody else is writing it */
  static async create(path: string): Promise<OutputFolder> {
    const folder = resolve(path);
    const partial = `${folder}${PARTIAL_SUFFIX}`;
    if (await exists(folder)) {
      throw failed(`${folder} exists already`, "Name another folder with --out, or remove that one");
    }
    try {
      await mkdir(dirname(folder), { recursive: true });
      await clearLeftover(partial);
      await mkdir(partial);
      await writeFile(join(partial, MARKER), String(process.pid));
    } catch (cause) {
      if (cause instanceof CerebellumError) throw cause;
      throw failed(
        `${partial} cannot be made: ${errorText(cause)}`,
        "Check the folder and its permissions",
        cause,
      );
    }
    return new OutputFolder(folder, partial);
  }

  /** Makes it last, then gives it its name. @throws CerebellumError EXPORT_FAILED */
  async finish(): Promise<void> {
    try {
      await rm(join(this.partial, MARKER));
      await syncAll(this.partial);
      await rename(this.partial, this.folder);
      await sync(dirname(this.folder));
    } catch (cause) {
      throw failed(
        `${this.folder} cannot be finished: ${errorText(cause)}`,
        "Check the free disk space and that nothing else is there",
        cause,
      );
    }
  }

  async discard(): Promise<void> {
    await rm(this.partial, { recursive: true, force: true });
  }
}

/** @throws CerebellumError EXPORT_FAILED unless it is the leftover of an export that runs no more */
async function clearLeftover(partial: string): Promise<void> {
  if (!(await exists(partial))) return;
  const owner = await readFile(join(partial, MARKER), "utf8").catch(() => undefined);
  if (owner === undefined) {
    throw failed(`${partial} exists and is no leftover of an export`, "Remove it, or name another folder");
  }
  if (isAlive(Number(owner))) {
    throw failed(`${partial} is being written by process ${owner}`, "Wait for it, or name another folder");
  }
  await rm(partial, { recursive: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function syncAll(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries) if (entry.isDirectory()) await syncAll(join(folder, entry.name));
  const files = entries.filter((entry) => entry.isFile());
  for (let from = 0; from < files.length; from += SYNC_AT_ONCE)
    await Promise.all(files.slice(from, from + SYNC_AT_ONCE).map(({ name }) => sync(join(folder, name))));
  await sync(folder);
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const failed = (happened: string, remedy: string, cause?: unknown) =>
  new CerebellumError("EXPORT_FAILED", happened, remedy, cause);
