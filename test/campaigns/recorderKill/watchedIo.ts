/** The real disk, watched: told before each call, and how far a file is written when it has been synced. */
import { type EpisodeHandle, type EpisodeIo, nodeIo } from "../../../episodes/write/io.js";

export interface Watch {
  /** Before each call; a promise that never ends stops everything there. */
  before(): Promise<void> | void;
  /** @param bytes of the file that were written before the sync began */
  synced?(path: string, bytes: number): void;
}

export function watchedIo(watch: Watch): EpisodeIo {
  const first =
    <A extends unknown[], R>(work: (...values: A) => Promise<R>) =>
    async (...values: A): Promise<R> => {
      await watch.before();
      return work(...values);
    };
  return {
    makeFolder: first(nodeIo.makeFolder),
    makeFolders: first(nodeIo.makeFolders),
    exists: first(nodeIo.exists),
    identity: first(nodeIo.identity),
    list: first(nodeIo.list),
    rename: first(nodeIo.rename),
    removeFile: first(nodeIo.removeFile),
    removeFolder: first(nodeIo.removeFolder),
    syncFolder: first(nodeIo.syncFolder),
    open: first(async (path, mode) => watchedHandle(path, await nodeIo.open(path, mode), watch)),
  };
}

function watchedHandle(path: string, handle: EpisodeHandle, watch: Watch): EpisodeHandle {
  let writtenBytes = 0;
  const sync = (work: () => Promise<void>) => async () => {
    await watch.before();
    const bytes = writtenBytes;
    await work();
    watch.synced?.(path, bytes);
  };
  return {
    write: async (bytes, position) => {
      await watch.before();
      const taken = await handle.write(bytes, position);
      writtenBytes = Math.max(writtenBytes, position + taken);
      return taken;
    },
    read: (into, position) => handle.read(into, position),
    sizeBytes: () => handle.sizeBytes(),
    truncate: async (sizeBytes) => {
      await watch.before();
      await handle.truncate(sizeBytes);
    },
    datasync: sync(() => handle.datasync()),
    sync: sync(() => handle.sync()),
    close: () => handle.close(),
  };
}
