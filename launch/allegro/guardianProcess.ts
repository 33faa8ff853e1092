/** The guardian process of a hand, as the driver asks for it: started at need, in a process group of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { Guardian } from "../../drivers/allegro/guardian.js";
import type { GuardianConfig } from "./guardianConfig.js";

const ANSWER_MS_MAX = 5000;
const DISMISS_MS_MAX = 300;
/** While it hears beats, the guardian answers every tenth of a second; one that hangs would watch over nothing. */
const ALIVE_MS_MAX = 500;

const Message = z.union([
  z.strictObject({ alive: z.literal(true) }),
  z.strictObject({ holds: z.string() }),
  z.strictObject({ error: z.string() }),
]);
interface Answer {
  readonly holds?: string;
  readonly error?: string;
}

export class GuardianProcess implements Guardian {
  readonly #config: GuardianConfig;
  readonly #entry: URL;
  readonly #clock: Clock;
  #process: ChildProcess | undefined;
  #failure: string | undefined = "it was not started";
  #onAnswer: ((answer: Answer) => void) | undefined;
  /** When the guardian was heard last, or was to be heard first [ms]; NaN while the hand is limp: it then says nothing. */
  #aliveMs = Number.NaN;

  /** @param entry the built `allegroGuardianMain.js` */
  constructor(config: GuardianConfig, entry: URL, clock: Clock) {
    this.#config = config;
    this.#entry = entry;
    this.#clock = clock;
  }

  get failure(): string | undefined {
    return this.#failure ?? this.#silence();
  }

  async watch(signal: AbortSignal): Promise<void> {
    if (this.#process === undefined) this.#start();
    const answer = await this.#ask("hold", signal);
    this.#failure = answer.error;
    if (answer.error === undefined) return;
    throw new CerebellumError(
      "DEVICE_UNREACHABLE",
      `the hand's guardian process cannot watch over it: ${answer.error}`,
      "Check the path of the adapter and who may write to it, then try again",
    );
  }

  beat(): void {
    if (Number.isNaN(this.#aliveMs)) this.#aliveMs = this.#clock.nowMs();
    this.#say("beat");
  }

  rest(): void {
    const silence = this.#silence();
    this.#aliveMs = Number.NaN;
    if (silence === undefined) this.#say("rest");
    else this.#giveUp(silence);
  }

  letGo(): void {
    this.#failure ??= "the adapter is gone";
    this.#say("letGo");
  }

  async dismiss(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#failure = "it was dismissed";
    this.#process = undefined;
    child.stdin?.write("orderly\n");
    const waited = new AbortController();
    const exited = new Promise((resolve) => child.once("exit", resolve));
    await Promise.race([exited, sleepMs(this.#clock, DISMISS_MS_MAX, waited.signal)]);
    waited.abort();
    // The hand is limp: one that hangs would only keep the adapter.
    child.kill("SIGKILL");
  }

  #silence(): string | undefined {
    const silentMs = this.#clock.nowMs() - this.#aliveMs;
    return silentMs > ALIVE_MS_MAX ? `it gives no sign of life for ${Math.round(silentMs)} ms` : undefined;
  }

  /** The next `watch` starts another one; this one must not wake up beside it. */
  #giveUp(why: string): void {
    this.#failure = why;
    this.#process?.kill("SIGKILL");
    this.#process = undefined;
  }

  #start(): void {
    // Of its own group: what ends this process and its group must leave the guardian alive for a moment longer.
    const child = spawn(process.execPath, [fileURLToPath(this.#entry)], {
      stdio: ["pipe", "pipe", "inherit"],
      detached: true,
    });
    this.#process = child;
    const lose = (why: string) => {
      if (this.#process !== child) return;
      this.#process = undefined;
      this.#failure = why;
      this.#onAnswer?.({ error: why });
    };
    child.once("error", (error) => lose(error.message));
    child.once("exit", (code, signal) => lose(`it ended with ${signal ?? `exit code ${code}`}`));
    // A process without a file descriptor left gets a child without pipes, and the error a moment later.
    child.stdin?.on("error", () => {});
    child.stdin?.write(`${JSON.stringify(this.#config)}\n`);
    if (child.stdout) createInterface({ input: child.stdout }).on("line", (line) => this.#hear(line));
  }

  #hear(line: string): void {
    const message = Message.parse(JSON.parse(line));
    if (!("alive" in message)) this.#onAnswer?.(message);
    else if (!Number.isNaN(this.#aliveMs)) this.#aliveMs = this.#clock.nowMs();
  }

  async #ask(word: string, signal: AbortSignal): Promise<Answer> {
    const waited = new AbortController();
    const late = `no answer within ${ANSWER_MS_MAX} ms`;
    try {
      const answer = await Promise.race([
        new Promise<Answer>((resolve) => {
          this.#onAnswer = resolve;
          this.#say(word);
        }),
        sleepMs(this.#clock, ANSWER_MS_MAX, AbortSignal.any([signal, waited.signal])).then(() => ({
          error: signal.aborted ? "the attempt was cancelled" : late,
        })),
      ]);
      if (answer.error === late) this.#giveUp(late);
      return answer;
    } finally {
      waited.abort();
      this.#onAnswer = undefined;
    }
  }

  #say(word: string): void {
    this.#process?.stdin?.write(`${word}\n`);
  }
}
