/** The guardian process of a hand, as the driver asks for it: started at need, in a process group of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { Guardian } from "../../drivers/allegro/guardian.js";
import type { GuardianConfig } from "./guardianConfig.js";

const ANSWER_MS_MAX = 5000;
const DISMISS_MS_MAX = 300;

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

  /** @param entry the built `allegroGuardianMain.js` */
  constructor(config: GuardianConfig, entry: URL, clock: Clock) {
    this.#config = config;
    this.#entry = entry;
    this.#clock = clock;
  }

  get failure(): string | undefined {
    return this.#failure;
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
    this.#say("beat");
  }

  rest(): void {
    this.#say("rest");
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
    child.stdin!.write("orderly\n");
    const waited = new AbortController();
    const exited = new Promise((resolve) => child.once("exit", resolve));
    await Promise.race([exited, sleepMs(this.#clock, DISMISS_MS_MAX, waited.signal)]);
    waited.abort();
  }

  #start(): void {
    // Of its own group: what ends this process and its group must leave the guardian alive for a moment longer.
    const child = spawn(process.execPath, [fileURLToPath(this.#entry)], {
      stdio: ["pipe", "pipe", "inherit"],
      detached: true,
    });
    this.#process = child;
    child.stdin!.on("error", () => {});
    createInterface({ input: child.stdout! }).on("line", (line) =>
      this.#onAnswer?.(JSON.parse(line) as Answer),
    );
    const lose = (why: string) => {
      if (this.#process !== child) return;
      this.#process = undefined;
      this.#failure = why;
      this.#onAnswer?.({ error: why });
    };
    child.once("error", (error) => lose(error.message));
    child.once("exit", (code, signal) => lose(`it ended with ${signal ?? `exit code ${code}`}`));
    child.stdin!.write(`${JSON.stringify(this.#config)}\n`);
  }

  async #ask(word: string, signal: AbortSignal): Promise<Answer> {
    const waited = new AbortController();
    try {
      return await Promise.race([
        new Promise<Answer>((resolve) => {
          this.#onAnswer = resolve;
          this.#say(word);
        }),
        sleepMs(this.#clock, ANSWER_MS_MAX, AbortSignal.any([signal, waited.signal])).then(() => ({
          error: signal.aborted ? "the attempt was cancelled" : `no answer within ${ANSWER_MS_MAX} ms`,
        })),
      ]);
    } finally {
      waited.abort();
      this.#onAnswer = undefined;
    }
  }

  #say(word: string): void {
    this.#process?.stdin?.write(`${word}\n`);
  }
}
