/**
 * A process under test that is spoken to in JSON lines: one answer a line, in order. Unlike `Child` it is meant to be
 * killed, stopped and started again.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { MonotonicNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { systemClock } from "../systemClock.js";

export type Answer = Readonly<Record<string, unknown>>;

export class JsonChild {
  readonly name: string;
  readonly exited: Promise<void>;
  /** When the system closed what the process had open, its sockets among it: how others hear of its death. */
  readonly closedNs: Promise<MonotonicNs>;
  readonly #process: ChildProcess;
  #running = true;
  #waiting: { resolve: (line: Answer) => void; reject: (error: Error) => void }[] = [];
  #unread: Answer[] = [];

  constructor(name: string, entry: URL, args: readonly string[] = []) {
    this.name = name;
    this.#process = spawn(process.execPath, [fileURLToPath(entry), ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#process.stdin!.on("error", () => {});
    this.closedNs = new Promise((resolve) =>
      this.#process.stdout!.once("end", () => resolve(systemClock.nowNs())),
    );
    this.exited = new Promise((resolve) => {
      this.#process.once("exit", () => {
        this.#running = false;
        for (const { reject } of this.#waiting.splice(0)) reject(this.#ended());
        resolve();
      });
    });
    createInterface({ input: this.#process.stdout! }).on("line", (line) => {
      const answer = JSON.parse(line) as Answer;
      const next = this.#waiting.shift();
      if (next === undefined) this.#unread.push(answer);
      else next.resolve(answer);
    });
  }

  get running(): boolean {
    return this.#running;
  }

  get processId(): number {
    return this.#process.pid!;
  }

  /** The next line that it prints. @throws CerebellumError NOT_RUNNING when it ends before */
  read(): Promise<Answer> {
    const first = this.#unread.shift();
    if (first !== undefined) return Promise.resolve(first);
    if (!this.#running) return Promise.reject(this.#ended());
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** @throws CerebellumError NOT_RUNNING, or DEVICE_REFUSED with what it answered */
  async ask(message: Answer): Promise<Answer> {
    this.tell(message);
    const answer = await this.read();
    if (answer.ok === false || answer.error !== undefined)
      throw new CerebellumError(
        "DEVICE_REFUSED",
        `${this.name} refused ${String(message.do ?? "its configuration")}: ${JSON.stringify(answer.error)}`,
        "Read its log lines above",
      );
    return answer;
  }

  tell(message: Answer): void {
    this.#process.stdin!.write(`${JSON.stringify(message)}\n`);
  }

  /** What processes of ours take for the end of their parent. */
  closeInput(): void {
    this.#process.stdin!.end();
  }

  /** @returns the moment just before the signal was sent */
  kill(signal: NodeJS.Signals): MonotonicNs {
    const atNs = systemClock.nowNs();
    this.#process.kill(signal);
    return atNs;
  }

  async end(): Promise<void> {
    if (this.#running) this.kill("SIGKILL");
    await this.exited;
  }

  #ended(): CerebellumError {
    return new CerebellumError("NOT_RUNNING", `${this.name} has ended`, "Read its log lines above");
  }
}
