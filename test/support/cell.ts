/** Cells and commands for end-to-end tests: the lab's cell on ports of its own, the command line as users run it. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { repositoryRootUrl } from "../../core/entry.js";

export const ROOT = fileURLToPath(repositoryRootUrl());
const MAIN = join(ROOT, "dist/launch/main.js");

/** Logs of the cells that tests start, instead of this checkout's. */
export const STATE_HOME = mkdtempSync(join(tmpdir(), "cerebellum-state-"));
process.once("exit", () => rmSync(STATE_HOME, { recursive: true, force: true }));

/** The parts of a cell file that tests change; everything else is as shipped. */
export interface CellDraft {
  name: string;
  robots: Record<string, { xarm7: Record<string, unknown>; servo: Record<string, unknown> }>;
  cameras: Record<string, Record<string, unknown>>;
  policy?: Record<string, unknown>;
  lab?: Record<string, unknown>;
  recorder?: Record<string, unknown> | "off";
  estop?: Record<string, unknown>;
  log?: Record<string, unknown>;
  gateway?: Record<string, unknown> | "off";
  teleop?: Record<string, unknown>;
}

/** Ports that nobody listens on right now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const { port } = server.address() as { port: number };
      await new Promise((resolve) => server.close(resolve));
      return port;
    }),
  );
}

let cells = 0;

/** Writes the lab's cell under another name, on free ports, changed by `change`; returns the file. */
export async function writeCell(
  folder: string,
  change: (cell: CellDraft) => void = () => {},
): Promise<string> {
  const cell = parse(readFileSync(join(ROOT, "launch/cells/xarm7-lab.yaml"), "utf8")) as CellDraft;
  const [commandPort, highRate, normal, rich, realTime] = await freePorts(5);
  cell.name = `test_${process.pid}_${++cells}`;
  Object.assign(cell.robots.arm!.xarm7, { commandPort, reportPorts: { highRate, normal, rich, realTime } });
  cell.gateway = "off";
  change(cell);
  const file = join(folder, `${cell.name}.yaml`);
  writeFileSync(file, stringify(cell));
  return file;
}

export interface Finished {
  readonly code: number | null;
  readonly text: string;
}

/** One run of the command line. */
export class Running {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
  #text = "";

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.process = spawn(process.execPath, [MAIN, ...args], {
      cwd: ROOT,
      env: { ...process.env, XDG_STATE_HOME: STATE_HOME, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const take = (chunk: Buffer) => {
      this.#text += String(chunk);
    };
    this.process.stdout!.on("data", take);
    this.process.stderr!.on("data", take);
    this.finished = new Promise((resolve) =>
      this.process.once("close", (code) => resolve({ code, text: this.#text })),
    );
  }

  get text(): string {
    return this.#text;
  }

  /** Resolves when the output holds `pattern`; rejects with all output when the process ends or time is up before. */
  async until(pattern: RegExp, withinS = 60): Promise<void> {
    const startMs = performance.now();
    let ended = false;
    void this.finished.then(() => {
      ended = true;
    });
    while (!pattern.test(this.#text)) {
      if (ended || performance.now() - startMs > 1000 * withinS) {
        throw new Error(
          `no ${pattern} within ${withinS} s${ended ? " and the process ended" : ""}:\n${this.#text}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async interrupt(): Promise<Finished> {
    this.process.kill("SIGINT");
    return this.finished;
  }
}

export const command = (...args: string[]): Promise<Finished> => new Running(args).finished;
