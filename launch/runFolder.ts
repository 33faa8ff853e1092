/**
 * Where a running cell keeps its sockets, and the locks that keep two daemons from one cell or one arm. Locks are
 * abstract Unix sockets: the kernel frees them when their owner dies, however it dies.
 */
import { mkdirSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { CerebellumError } from "../core/errors.js";

export interface RunFolder {
  readonly folder: string;
  readonly controlSocket: string;
  readonly labSocket: string;
  servoSocket(robot: string): string;
  /** Segments of the robot's black box. */
  blackBox(robot: string): string;
}

/** Beside the servo's socket, so that whoever finds the one finds the other. */
export const blackBoxFolder = (servoSocket: string): string =>
  join(dirname(servoSocket), `${basename(servoSocket, ".sock")}-blackbox`);

export function runFolder(cellName: string): RunFolder {
  const base = process.env.XDG_RUNTIME_DIR ?? join(tmpdir(), `cerebellum-${process.getuid?.() ?? 0}`);
  const folder = join(base, "cerebellum", cellName);
  const servoSocket = (robot: string) => join(folder, `servo-${robot}.sock`);
  return {
    folder,
    controlSocket: join(folder, "daemon.sock"),
    labSocket: join(folder, "lab.sock"),
    servoSocket,
    blackBox: (robot) => blackBoxFolder(servoSocket(robot)),
  };
}

export function makeRunFolder(cellName: string): RunFolder {
  const run = runFolder(cellName);
  mkdirSync(run.folder, { recursive: true, mode: 0o700 });
  return run;
}

/**
 * Holds a name machine-wide until `close` or the end of the process.
 * @throws CerebellumError ALREADY_RUNNING when another process holds it
 */
export function holdLock(name: string, what: string, remedy: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === "EADDRINUSE"
          ? new CerebellumError(
              "ALREADY_RUNNING",
              `${what} is already held by another process`,
              remedy,
              cause,
            )
          : cause,
      ),
    );
    server.listen(`\0cerebellum-${name}`, () => {
      server.unref();
      resolve(server);
    });
  });
}
