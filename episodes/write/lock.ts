/**
 * Whoever writes or repairs an episode holds its lock: an abstract Unix socket named for the folder's device and inode,
 * which the kernel frees when its owner dies, however it dies. It needs no file and no permission, so it works between
 * users; it does not reach into another network namespace (a container with a network of its own).
 */
import { connect, createServer } from "node:net";
import { codeOf } from "./io.js";

export interface EpisodeLock {
  release(): Promise<void>;
}

/** @returns undefined when another holds it. @param identity of the episode's folder, from `EpisodeIo.identity` */
export function takeLock(identity: string): Promise<EpisodeLock | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (cause) =>
      codeOf(cause) === "EADDRINUSE" ? resolve(undefined) : reject(cause as Error),
    );
    server.listen(`\0cerebellum-episode-${identity}`, () => {
      server.unref();
      resolve({ release: () => new Promise((done) => server.close(() => done())) });
    });
  });
}

/** Does anybody hold it? Asks without taking it, so nobody who wants it is turned away meanwhile. */
export function isLockHeld(identity: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(`\0cerebellum-episode-${identity}`);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
