/** A real servo process for tests, in a folder of its own, with the clients that are connected to it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { repositoryRootUrl } from "../../core/entry.js";
import { XArm7Config } from "../../drivers/xarm7/config.js";
import type { EmulatorPorts } from "../../lab/xarm7/emulator.js";
import { LAB_PRIORITY } from "../../launch/realtime.js";
import { systemClock } from "../../launch/systemClock.js";
import type { ServoClient, ServoRole, ServoStateName } from "../../runtime/servo/api.js";
import { ServoConfig } from "../../runtime/servo/config.js";
import { connectServo } from "../../runtime/servo/link/client.js";

/** Inside of the workspace, above the table [rad]. */
export const HOME_RAD = [0, -0.3, 0, 0.9, 0, 1.2, 0] as const;

export type Answer = Record<string, unknown>;

/** A process of the build that is spoken to in JSON lines. */
export class JsonProcess {
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly #lines: Interface;
  #waiting: ((line: Answer) => void)[] = [];
  #unread: Answer[] = [];

  /** @param entry name of a file in launch/processes, ending in `.js` */
  constructor(entry: string, args: readonly string[] = []) {
    const url = new URL(`dist/launch/processes/${entry}`, repositoryRootUrl());
    this.process = spawn(process.execPath, [fileURLToPath(url), ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.exited = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.stdin!.on("error", () => {});
    this.#lines = createInterface({ input: this.process.stdout! });
    this.#lines.on("line", (line) => {
      const answer = JSON.parse(line) as Answer;
      const next = this.#waiting.shift();
      if (next) next(answer);
      else this.#unread.push(answer);
    });
  }

  read(): Promise<Answer> {
    const first = this.#unread.shift();
    return first ? Promise.resolve(first) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  ask(message: Answer): Promise<Answer> {
    this.process.stdin!.write(`${JSON.stringify(message)}\n`);
    return this.read();
  }
}

/** A controller keeps its own time, also where this machine is loaded; without permission it runs less evenly. */
export function keepOwnTime({ process: { pid } }: JsonProcess): void {
  try {
    execFileSync("chrt", ["-R", "-f", "-p", String(LAB_PRIORITY), String(pid)], { stdio: "ignore" });
  } catch {}
}

/** Rejects when `condition` is still false after `withinMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`never came true within ${withinMs} ms: ${what}`);
    await sleep(5);
  }
}

export interface RigChanges {
  readonly servo?: Partial<ServoConfig>;
  readonly xarm7?: Partial<XArm7Config>;
}

export class ServoRig {
  readonly folder = mkdtempSync(join(tmpdir(), "servo-process-"));
  readonly socketPath = join(this.folder, "servo.sock");
  readonly config: Answer;
  readonly clients: ServoClient[] = [];
  #servo: JsonProcess | undefined;
  #supervisor: ServoClient | undefined;

  /** @param ports of the controller on this machine */
  constructor(ports: EmulatorPorts, changes: RigChanges = {}) {
    const { command, ...reportPorts } = ports;
    this.config = {
      robot: "arm",
      device: "xarm7",
      xarm7: XArm7Config.parse({ host: "127.0.0.1", commandPort: command, reportPorts, ...changes.xarm7 }),
      // Wide where a loaded machine must not decide whether a test passes.
      servo: ServoConfig.parse({ lateTicksMax: 100, stateAgeMsMax: 1000, ...changes.servo }),
      logLevel: "fatal",
    };
  }

  get servo(): JsonProcess {
    if (this.#servo === undefined) throw new Error("the servo process was not started");
    return this.#servo;
  }

  get supervisor(): ServoClient {
    if (this.#supervisor === undefined) throw new Error("no supervisor is connected");
    return this.#supervisor;
  }

  /** Answers with the servo's first line: ready, or why not. */
  async start(changes: Answer = {}): Promise<{ readonly started: JsonProcess; readonly ready: Answer }> {
    const started = new JsonProcess("servoMain.js");
    this.#servo ??= started;
    const ready = await started.ask({ ...this.config, socketPath: this.socketPath, ...changes });
    return { started, ready };
  }

  async connect(role: ServoRole, name: string = role): Promise<ServoClient> {
    const client = await connectServo(this.socketPath, { role, name, clock: systemClock });
    this.clients.push(client);
    if (role === "supervisor") this.#supervisor = client;
    return client;
  }

  async connectSupervisor(name?: string): Promise<ServoClient> {
    const supervisor = await this.connect("supervisor", name);
    await until("a snapshot", () => supervisor.latest() !== undefined);
    return supervisor;
  }

  inState(state: ServoStateName, withinMs?: number): Promise<void> {
    return until(state, () => this.supervisor.latest()?.state === state, withinMs);
  }

  /** The sent position does not change over many ticks that follow from now on. */
  async standsStill(): Promise<boolean> {
    const latest = () => this.supervisor.latest()!;
    const from = latest().tick;
    await until("later ticks", () => latest().tick > from + 50);
    const second = latest();
    await until("still later ticks", () => latest().tick > second.tick + 25);
    return second.sentRad.every((value, joint) => value === latest().sentRad[joint]);
  }

  async close(): Promise<void> {
    for (const client of this.clients.splice(0)) await client.close();
    if (this.#servo !== undefined) {
      this.#servo.process.kill("SIGKILL");
      await this.#servo.exited;
    }
    rmSync(this.folder, { recursive: true });
  }
}
