/** The Vive bridge as a process of its own, with a scripted hand in place of SteamVR. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { repositoryRootUrl } from "../../core/entry.js";

const BRIDGE = fileURLToPath(new URL("bridges/vive", repositoryRootUrl()));
export const BRIDGE_PYTHON =
  process.env.CEREBELLUM_PYTHON ?? fileURLToPath(new URL(".ros2/venv/bin/python", repositoryRootUrl()));
export const hasBridgePython = existsSync(BRIDGE_PYTHON);

export class ViveBridge {
  /** What it has said, both streams. */
  readonly lines: string[] = [];
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;

  /** @param args of the command line @param settings file of settings, which need not be there */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(BRIDGE_PYTHON, ["-m", "cerebellum_vive_bridge", ...args], {
      env: { ...process.env, PYTHONPATH: BRIDGE, PYTHONUNBUFFERED: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (chunk: Buffer) => this.lines.push(...chunk.toString().split("\n").filter(Boolean)));
    this.ended = new Promise((resolve) => this.#child.once("exit", (code) => resolve(code)));
  }

  get said(): string {
    return this.lines.join("\n");
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async close(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}
