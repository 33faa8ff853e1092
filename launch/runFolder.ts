/**
 * Where a running cell keeps its sockets, and the locks that keep two daemons from one cell or one arm. Locks are
 * abstract Unix sockets: the kernel frees them when their owner dies, however it dies.
 */
import { accessSync, constants, mkdirSync, readdirSync, statSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { repositoryRootUrl } from "../core/entry.js";
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

/** Linux refuses longer socket paths (sun_path). */
const SOCKET_PATH_BYTES_MAX = 107;
const SERVO_SOCKET = /^servo-.+\.sock$/;

const userId = () => process.getuid?.() ?? 0;
const temporaryBase = () => join(tmpdir(), `cerebellum-${userId()}`);

/** Folders in which a daemon may have put its cell: it and the one who looks for it may differ in XDG_RUNTIME_DIR. */
export function runBases(env: NodeJS.ProcessEnv = process.env): string[] {
  const bases = [env.XDG_RUNTIME_DIR, `/run/user/${userId()}`, temporaryBase(), "/run"];
  return [...new Set(bases.filter((base) => base !== undefined))];
}

/** Of the cell as it runs or last ran, wherever its daemon put it; else where this process would put it. */
export function runFolder(cellName: string): RunFolder {
  const own = process.env.XDG_RUNTIME_DIR ?? temporaryBase();
  const folders = [own, ...runBases()].map((base) => join(base, "cerebellum", cellName));
  const running = folders.find((folder) => has(join(folder, "daemon.sock")));
  return runFolderAt(running ?? folders.find(has) ?? folders[0]!);
}

export function runFolderAt(folder: string): RunFolder {
  const servoSocket = (robot: string) => join(folder, `servo-${robot}.sock`);
  return {
    folder,
    controlSocket: join(folder, "daemon.sock"),
    labSocket: join(folder, "lab.sock"),
    servoSocket,
    blackBox: (robot) => blackBoxFolder(servoSocket(robot)),
  };
}

/**
 * The folder for a cell that this process runs.
 * @throws CerebellumError FILE_UNREADABLE when it cannot be made, is somebody else's, or makes socket paths too long
 */
export function makeRunFolder(cellName: string): RunFolder {
  const folder = join(process.env.XDG_RUNTIME_DIR ?? temporaryBase(), "cerebellum", cellName);
  const unusable = (what: string, cause?: unknown) =>
    new CerebellumError(
      "FILE_UNREADABLE",
      `The run folder ${folder} ${what}`,
      "Set XDG_RUNTIME_DIR to a short path of a folder that this user may write to, or remove the folder",
      cause,
    );
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw unusable(`cannot be written: ${(cause as NodeJS.ErrnoException).code ?? "unknown reason"}`, cause);
  }
  const owner = statSync(folder).uid;
  if (owner !== userId()) throw unusable(`belongs to user ${owner}, not to ${userId()}`);
  const run = runFolderAt(folder);
  const longest = run.servoSocket("x".repeat(16));
  if (Buffer.byteLength(longest) > SOCKET_PATH_BYTES_MAX) {
    throw unusable(
      `makes socket paths of ${longest.length} bytes; the system allows ${SOCKET_PATH_BYTES_MAX}`,
    );
  }
  return run;
}

/** Socket files of servo processes in a run folder, living or dead. */
export function servoSocketsIn(folder: string): string[] {
  return list(folder)
    .filter((name) => SERVO_SOCKET.test(name))
    .map((name) => join(folder, name));
}

/** Run folders of all cells, or of one, that this user can see. */
export function knownRunFolders(cellName?: string): RunFolder[] {
  return runBases()
    .map((base) => join(base, "cerebellum"))
    .flatMap((base) => list(base).map((name) => ({ name, folder: join(base, name) })))
    .filter(({ name }) => cellName === undefined || name === cellName)
    .map(({ folder }) => runFolderAt(folder));
}

/** Where a cell keeps what outlives its run, such as its log. */
export function stateFolder(cellName: string, env: NodeJS.ProcessEnv = process.env): string {
  const own = env.STATE_DIRECTORY ?? (env.XDG_STATE_HOME && join(env.XDG_STATE_HOME, "cerebellum"));
  return join(own || join(fileURLToPath(repositoryRootUrl()), ".cerebellum", "state"), cellName);
}

/** Where a cell keeps its calibrations. */
export const calibrationFolder = (cellName: string): string => join(stateFolder(cellName), "calibration");

function has(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Not there, or not ours to read: either way nothing of this user runs in it.
    return [];
  }
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
