/**
 * A file system in memory with what matters of a disk: what is not synced is lost in a power cut, names as well as
 * contents; any call can be made to fail; writes can be short.
 */
import { dirname } from "node:path";
import type { EpisodeHandle, EpisodeIo, OpenMode } from "../../../episodes/write/io.js";

interface MemoryFile {
  data: Buffer;
  synced: Buffer;
}

interface MemoryFolder {
  readonly inode: number;
}

type Node = MemoryFile | MemoryFolder;
const isFile = (node: Node | undefined): node is MemoryFile => node !== undefined && "data" in node;

export const systemError = (code: string, what: string): Error =>
  Object.assign(new Error(`${code}: ${what}`), { code });

export interface MemoryHooks {
  /** Before every call, numbered from 1: throws to let it fail. */
  before?: (call: number, operation: string, path: string) => void;
  /** How many of the bytes a write takes. */
  taken?: (bytes: number) => number;
}

let inodes = 0;

export class MemoryDisk {
  nodes = new Map<string, Node>();
  /** Names as the disk has them. */
  #durable = new Map<string, Node>();
  calls = 0;

  constructor(root: string) {
    for (let path = root; path !== "/" && path !== "."; path = dirname(path)) {
      this.nodes.set(path, { inode: ++inodes });
    }
    this.nodes.set("/", { inode: ++inodes });
    this.#durable = new Map(this.nodes);
  }

  /** Everything unsynced is gone, except `kept` (0 to 1) of the length that each file had grown by. */
  powerCut(kept: number): void {
    this.nodes = new Map(this.#durable);
    for (const node of this.nodes.values())
      if (isFile(node)) {
        const grown = Math.max(0, node.data.length - node.synced.length);
        node.data = Buffer.concat([
          node.synced,
          node.data.subarray(node.synced.length, node.synced.length + Math.floor(kept * grown)),
        ]);
        node.synced = Buffer.from(node.data);
      }
  }

  read(path: string): Buffer {
    const node = this.nodes.get(path);
    if (!isFile(node)) throw systemError("ENOENT", path);
    return node.data;
  }

  put(path: string, data: Buffer): void {
    this.nodes.set(path, { data: Buffer.from(data), synced: Buffer.from(data) });
    this.#durable.set(path, this.nodes.get(path)!);
  }

  io(hooks: MemoryHooks = {}): EpisodeIo {
    const call = async (operation: string, path: string) => {
      // A real call answers in a later turn.
      await Promise.resolve();
      hooks.before?.(++this.calls, operation, path);
    };
    const children = (path: string) => [...this.nodes.keys()].filter((other) => dirname(other) === path);
    const need = (path: string): Node => {
      const node = this.nodes.get(path);
      if (node === undefined) throw systemError("ENOENT", path);
      return node;
    };
    return {
      makeFolder: async (path) => {
        await call("makeFolder", path);
        if (this.nodes.has(path)) throw systemError("EEXIST", path);
        need(dirname(path));
        this.nodes.set(path, { inode: ++inodes });
      },
      makeFolders: async (path) => {
        await call("makeFolders", path);
        const isNew = !this.nodes.has(path);
        for (let at = path; !this.nodes.has(at); at = dirname(at)) this.nodes.set(at, { inode: ++inodes });
        return isNew;
      },
      exists: async (path) => {
        await call("exists", path);
        return this.nodes.has(path);
      },
      identity: async (path) => {
        await call("identity", path);
        const node = need(path);
        return `memory-${process.pid}-${isFile(node) ? "file" : node.inode}`;
      },
      list: async (path) => {
        await call("list", path);
        need(path);
        return children(path).map((child) => child.slice(path.length + 1));
      },
      open: async (path, mode) => {
        await call(`open ${mode}`, path);
        return this.#open(path, mode, call, hooks);
      },
      rename: async (from, to) => {
        await call("rename", from);
        need(from);
        if (this.nodes.has(to) && children(to).length > 0) throw systemError("ENOTEMPTY", to);
        for (const [path, node] of [...this.nodes])
          if (path === from || path.startsWith(`${from}/`)) {
            this.nodes.delete(path);
            this.nodes.set(to + path.slice(from.length), node);
          }
      },
      removeFile: async (path) => {
        await call("removeFile", path);
        need(path);
        this.nodes.delete(path);
      },
      removeFolder: async (path) => {
        await call("removeFolder", path);
        if (children(path).length > 0) throw systemError("ENOTEMPTY", path);
        need(path);
        this.nodes.delete(path);
      },
      syncFolder: async (path) => {
        await call("syncFolder", path);
        need(path);
        this.#syncNames(path);
      },
    };
  }

  /** Names right in the folder become as durable as they are now; a renamed folder takes its contents along. */
  #syncNames(folder: string): void {
    for (const [path, node] of [...this.#durable])
      if (dirname(path) === folder && this.nodes.get(path) !== node) {
        const moved = [...this.nodes].find(([, other]) => other === node)?.[0];
        for (const [inner, innerNode] of [...this.#durable])
          if (inner === path || inner.startsWith(`${path}/`)) {
            this.#durable.delete(inner);
            if (moved !== undefined) this.#durable.set(moved + inner.slice(path.length), innerNode);
          }
      }
    for (const [path, node] of this.nodes) if (dirname(path) === folder) this.#durable.set(path, node);
  }

  #open(
    path: string,
    mode: OpenMode,
    call: (operation: string, path: string) => Promise<void>,
    hooks: MemoryHooks,
  ): EpisodeHandle {
    const found = this.nodes.get(path);
    if (mode === "create" && found !== undefined) throw systemError("EEXIST", path);
    if ((mode === "change" || mode === "read") && found === undefined) throw systemError("ENOENT", path);
    if (found !== undefined && !isFile(found)) throw systemError("EISDIR", path);
    const file: MemoryFile = found ?? { data: Buffer.alloc(0), synced: Buffer.alloc(0) };
    this.nodes.set(path, file);
    if (mode === "replace") file.data = Buffer.alloc(0);
    return {
      write: async (bytes, position) => {
        await call("write", path);
        const taken = hooks.taken?.(bytes.length) ?? bytes.length;
        const grown = Buffer.alloc(Math.max(file.data.length, position + taken));
        file.data.copy(grown);
        grown.set(bytes.subarray(0, taken), position);
        file.data = grown;
        return taken;
      },
      read: async (into, position) => {
        await call("read", path);
        return file.data.copy(into, 0, position);
      },
      sizeBytes: async () => {
        await call("sizeBytes", path);
        return file.data.length;
      },
      truncate: async (sizeBytes) => {
        await call("truncate", path);
        file.data = Buffer.from(file.data.subarray(0, sizeBytes));
        // The shorter length may or may not be on the disk; what is cut was not wanted either way.
        file.synced = Buffer.from(file.synced.subarray(0, sizeBytes));
      },
      datasync: async () => {
        await call("datasync", path);
        file.synced = Buffer.from(file.data);
      },
      sync: async () => {
        await call("sync", path);
        file.synced = Buffer.from(file.data);
      },
      close: () => call("close", path),
    };
  }
}
