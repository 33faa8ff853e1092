/**
 * Every call to the file system that writing and repairing episodes makes, so that tests can let any one of them fail.
 * All paths are absolute; all promises reject with the system's own error.
 */
import { lstat, mkdir, open, readdir, rename, rmdir, unlink } from "node:fs/promises";

export interface EpisodeHandle {
  /** @returns bytes taken from the front, perhaps fewer than given */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /** @returns bytes read, 0 at the end of the file */
  read(into: Uint8Array, position: number): Promise<number>;
  sizeBytes(): Promise<number>;
  truncate(sizeBytes: number): Promise<void>;
  /** Contents reach the disk; what only the folder knows may not. */
  datasync(): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** `create`: must not be there; `replace`: emptied when there; `change`: read and write in place. */
export type OpenMode = "create" | "replace" | "change" | "read";

export interface EpisodeIo {
  /** The folder above must be there, the folder itself must not. */
  makeFolder(path: string): Promise<void>;
  /** With all folders above. @returns whether any was made */
  makeFolders(path: string): Promise<boolean>;
  /** Whatever it is: file, folder, link. */
  exists(path: string): Promise<boolean>;
  /** The same for two paths of one folder, different for any two folders of this host. */
  identity(path: string): Promise<string>;
  list(path: string): Promise<string[]>;
  open(path: string, mode: OpenMode): Promise<EpisodeHandle>;
  rename(from: string, to: string): Promise<void>;
  removeFile(path: string): Promise<void>;
  /** Only when empty. */
  removeFolder(path: string): Promise<void>;
  /** Names of what is in it reach the disk. */
  syncFolder(path: string): Promise<void>;
}

const FLAGS: Readonly<Record<OpenMode, string>> = { create: "wx+", replace: "w+", change: "r+", read: "r" };
/** Some file systems cannot sync a folder, and need not. */
const CANNOT_SYNC = new Set(["EINVAL", "ENOTSUP", "EISDIR"]);

export const codeOf = (cause: unknown): string => String((cause as NodeJS.ErrnoException | undefined)?.code);

async function openNode(path: string, mode: OpenMode): Promise<EpisodeHandle> {
  const handle = await open(path, FLAGS[mode]);
  return {
    write: async (bytes, position) => (await handle.write(bytes, 0, bytes.length, position)).bytesWritten,
    read: async (into, position) => (await handle.read(into, 0, into.length, position)).bytesRead,
    sizeBytes: async () => (await handle.stat()).size,
    truncate: (sizeBytes) => handle.truncate(sizeBytes),
    datasync: () => handle.datasync(),
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}

export const nodeIo: EpisodeIo = {
  makeFolder: (path) => mkdir(path),
  makeFolders: async (path) => (await mkdir(path, { recursive: true })) !== undefined,
  exists: (path) =>
    lstat(path).then(
      () => true,
      (cause) => {
        if (codeOf(cause) === "ENOENT") return false;
        throw cause;
      },
    ),
  identity: async (path) => {
    const { dev, ino } = await lstat(path, { bigint: true });
    return `${dev}-${ino}`;
  },
  list: (path) => readdir(path),
  open: openNode,
  rename: (from, to) => rename(from, to),
  removeFile: (path) => unlink(path),
  removeFolder: (path) => rmdir(path),
  syncFolder: async (path) => {
    const handle = await open(path, "r");
    try {
      await handle.sync();
    } catch (cause) {
      if (!CANNOT_SYNC.has(codeOf(cause))) throw cause;
    } finally {
      await handle.close();
    }
  },
};

/** Writes all of it, however little is taken at a time. */
export async function writeAll(handle: EpisodeHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const taken = await handle.write(bytes.subarray(done), position + done);
    if (taken <= 0) throw new Error(`the disk took ${done} of ${bytes.length} bytes`);
    done += taken;
  }
}

/** A whole small file, on the disk when this resolves. */
export async function writeWhole(io: EpisodeIo, path: string, text: string): Promise<void> {
  const handle = await io.open(path, "replace");
  try {
    await writeAll(handle, Buffer.from(text, "utf8"), 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
