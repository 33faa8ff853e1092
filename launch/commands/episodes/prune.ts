/** Pruning as people do it: after each replay somebody who has watched it says whether the episode is kept. */
import { dirname } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { EpisodeSet, type FinishedEpisode } from "../../../episodes/episodeSet.js";
import { editStamp } from "./edit.js";

export type Verdict = "keep" | "drop" | "again" | "quit";
const VERDICTS: Readonly<Record<string, Verdict>> = { k: "keep", d: "drop", a: "again", q: "quit" };

/** Who is asked. Only what is typed after a question answers it. */
export class Person {
  readonly #lines: Interface;
  readonly #say: (line: string) => void;
  #answer: ((line: string) => void) | undefined;
  #isGone = false;

  constructor(input: NodeJS.ReadableStream, say: (line: string) => void) {
    this.#say = say;
    this.#lines = createInterface({ input });
    this.#lines.on("line", (line) => this.#give(line));
    this.#lines.once("close", () => {
      this.#isGone = true;
      this.#give("q");
    });
  }

  /** Asks until the answer is one. Nobody there any more, or `ended`, is the end of it. */
  async judges(name: string, ended: AbortSignal): Promise<Verdict> {
    const onEnd = () => this.#give("q");
    ended.addEventListener("abort", onEnd, { once: true });
    try {
      for (;;) {
        if (this.#isGone || ended.aborted) return "quit";
        this.#say(`${name}: [k]eep, [d]rop, [a]gain or [q]uit?`);
        const line = await new Promise<string>((resolve) => {
          this.#answer = resolve;
        });
        const verdict = VERDICTS[line.trim().slice(0, 1).toLowerCase()];
        if (verdict !== undefined) return verdict;
      }
    } finally {
      ended.removeEventListener("abort", onEnd);
    }
  }

  close(): void {
    this.#lines.close();
  }

  #give(line: string): void {
    this.#answer?.(line);
    this.#answer = undefined;
  }
}

/** Writes a verdict into the set's edits, where it changes anything; the episode itself is never touched. */
export async function settle(
  { folder, name, dropped, start }: FinishedEpisode,
  verdict: "keep" | "drop",
  say: (line: string) => void,
): Promise<void> {
  const drops = verdict === "drop";
  if (drops === dropped) return;
  const set = await EpisodeSet.open(dirname(folder));
  await set.drop(name, { dropped: drops, note: "after a replay" }, editStamp());
  const what = drops ? "dropped: left out of exports and training; the file stays" : "taken in again";
  say(`${start.task}/${name} is ${what}`);
}
