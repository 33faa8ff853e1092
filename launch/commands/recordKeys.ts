/**
 * `record TASK` at a terminal: one key an action, one line that shows how the episode goes. It works over SSH; a
 * terminal that closes finishes the running episode, because nobody watches it any more.
 */
import { sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { Outcome } from "../../episodes/format.js";
import type { RecorderStatus } from "../../runtime/recorder/host.js";
import { systemClock } from "../systemClock.js";
import { type AskRecorder, recorderOf } from "./record.js";

const LOOK_MS = 400;

/** What a key does; the terminal sends these. */
const KEYS: Readonly<Record<string, KeyAction>> = {
  " ": "toggle",
  "\r": "toggle",
  "\n": "toggle",
  s: "success",
  f: "failure",
  d: "discard",
  q: "quit",
  // Ctrl-C and Ctrl-D do not reach the process as signals while keys are read one by one.
  "\u0003": "quit",
  "\u0004": "quit",
};
export type KeyAction = "toggle" | "success" | "failure" | "discard" | "quit";
export const keyAction = (key: string): KeyAction | undefined => KEYS[key.toLowerCase()];

export const KEYS_HELP = "space starts and stops · s success · f failure · d discard · q quit";

/** One terminal's session; the daemon holds all state, so that another door may act at the same time. */
export class KeySession {
  readonly #ask: AskRecorder;
  readonly #task: string;
  readonly #note: string;

  constructor(ask: AskRecorder, task: string, note: string) {
    this.#ask = ask;
    this.#task = task;
    this.#note = note;
  }

  async status(): Promise<Pick<RecorderStatus, "state" | "task" | "episode" | "seconds">> {
    const { status } = await this.#ask({ do: "recorderStatus" });
    return status as unknown as RecorderStatus;
  }

  /** @returns what to show; a refusal is shown too, and changes nothing */
  async act(action: KeyAction): Promise<string> {
    try {
      const isRecording = (await this.status()).state === "recording";
      if (action === "discard") return (await this.#ask({ do: "discardRecording" })).message;
      if (action === "success" || action === "failure") return await this.#label(action, isRecording);
      if (isRecording) return await this.#stop("unlabelled");
      if (action === "quit") return "";
      const request = { task: this.#task, note: this.#note, kind: "demonstration", context: {} } as const;
      return (await this.#ask({ do: "startRecording", request })).message;
    } catch (thrown) {
      if (thrown instanceof CerebellumError) return thrown.message;
      throw thrown;
    }
  }

  /** s and f end a running episode with that label, and label the one before when none runs. */
  async #label(outcome: Outcome, isRecording: boolean): Promise<string> {
    if (isRecording) return this.#stop(outcome);
    return (await this.#ask({ do: "labelEpisode", request: { outcome, note: "" } })).message;
  }

  async #stop(outcome: Outcome): Promise<string> {
    return (await this.#ask({ do: "stopRecording", request: { outcome, note: "" } })).message;
  }
}

/** @throws CerebellumError CONFIG_INVALID without a terminal, NOT_RUNNING without a daemon */
export async function recordWithKeys(task: string, options: { cell: string; note: string }): Promise<void> {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) {
    throw new CerebellumError(
      "CONFIG_INVALID",
      "`record TASK` reads keys, and this is no terminal",
      "Use `record start --task TASK` and `record stop` in scripts",
    );
  }
  const session = new KeySession(recorderOf(options.cell), task, options.note);
  await session.status();
  const ended = new AbortController();
  const keys = readKeys(ended);
  const showing = showLine(session, ended.signal);
  say(KEYS_HELP);
  for await (const action of keys) {
    const text = await session.act(action);
    if (text !== "") say(text);
    if (action === "quit") break;
  }
  ended.abort();
  await showing;
}

/** Keys as actions, in order; a closed terminal is a last "quit". */
async function* readKeys(ended: AbortController): AsyncGenerator<KeyAction, void, void> {
  const { stdin } = process;
  const waiting: KeyAction[] = [];
  let wake = () => {};
  const push = (action: KeyAction) => {
    waiting.push(action);
    wake();
  };
  const onData = (chunk: Buffer) => {
    for (const key of String(chunk)) {
      const action = keyAction(key);
      if (action !== undefined) push(action);
    }
  };
  const onEnd = () => push("quit");
  stdin.setRawMode(true);
  stdin.on("data", onData);
  // The terminal is gone: by its end, by a write to it that fails, or by the signal for it.
  stdin.once("end", onEnd);
  for (const stream of [stdin, process.stdout]) stream.on("error", onEnd);
  for (const signal of ["SIGHUP", "SIGTERM", "SIGINT"] as const) process.on(signal, onEnd);
  try {
    while (!ended.signal.aborted) {
      const next = waiting.shift();
      if (next !== undefined) yield next;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    stdin.off("data", onData);
    if (!stdin.destroyed && stdin.isTTY) stdin.setRawMode(false);
    stdin.pause();
    for (const signal of ["SIGHUP", "SIGTERM", "SIGINT"] as const) process.off(signal, onEnd);
  }
}

async function showLine(session: KeySession, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    await sleepMs(systemClock, LOOK_MS, ended);
    if (ended.aborted) return;
    const status = await session.status().catch(() => undefined);
    if (status?.state === "recording")
      process.stdout.write(`\r\u001b[K${statusLine(status as RecorderStatus)}`);
  }
}

export function statusLine({
  task,
  episode,
  seconds,
  bytes,
  dropped,
  lostBefore,
}: Pick<RecorderStatus, "task" | "episode" | "seconds" | "bytes" | "dropped" | "lostBefore">): string {
  const lost = dropped + lostBefore === 0 ? "" : ` · ${dropped} dropped · ${lostBefore} lost before`;
  return `● ${task}/${episode} · ${seconds.toFixed(1)} s · ${(bytes / 1e6).toFixed(1)} MB${lost}`;
}

const say = (line: string) => void process.stdout.write(`\r\u001b[K${line}\r\n`);
