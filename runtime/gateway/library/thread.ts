/** The gateway's end of the library's thread: started when it is first asked, ended when nobody has asked for a while. */
import { type Clock, sleepMs } from "../../../core/clock.js";
import { CerebellumError, errorText } from "../../../core/errors.js";
import { toError } from "../../failure.js";
import { FromLibrary, type LibraryAnswer, type LibraryQuestion, type ToLibrary } from "./messages.js";

/** A thread as far as this needs one; `Worker` is one. */
export interface LibraryWorker {
  postMessage(message: ToLibrary): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  once(event: "exit", listener: () => void): unknown;
  terminate(): Promise<unknown>;
}

const IDLE_MS = 60_000;
const ANSWER_MS_MAX = 60_000;
/** Questions at once, of all clients together. */
const OPEN_MAX = 16;

interface Waiting {
  readonly resolve: (answer: LibraryAnswer) => void;
  readonly reject: (error: CerebellumError) => void;
}

export class LibraryThread {
  readonly #clock: Clock;
  readonly #start: () => LibraryWorker;
  readonly #waiting = new Map<number, Waiting>();
  #worker: LibraryWorker | undefined;
  #isClosed = false;
  #nextId = 0;
  /** When the last answer came; a worker that has many questions is not one that hangs. */
  #answeredMs = Number.NEGATIVE_INFINITY;
  /** Ends the wait for idleness. */
  #asked = new AbortController();

  constructor(clock: Clock, start: () => LibraryWorker) {
    this.#clock = clock;
    this.#start = start;
  }

  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /** @throws CerebellumError what the library found wrong; COMMAND_REFUSED when it has too much to do; TIMED_OUT */
  async ask<K extends LibraryAnswer["kind"]>(
    question: LibraryQuestion & { ask: K },
  ): Promise<Extract<LibraryAnswer, { kind: K }>> {
    if (this.#isClosed) throw failed("the daemon ends");
    if (this.#waiting.size >= OPEN_MAX)
      throw new CerebellumError(
        "COMMAND_REFUSED",
        `The library has ${OPEN_MAX} questions to answer already`,
        "Ask again in a moment",
      );
    this.#asked.abort();
    const worker = this.#running();
    const id = this.#nextId++;
    const answered = new Promise<LibraryAnswer>((resolve, reject) =>
      this.#waiting.set(id, { resolve, reject }),
    );
    worker.postMessage({ id, question });
    const settled = new AbortController();
    const late = sleepMs(this.#clock, ANSWER_MS_MAX, settled.signal).then((): LibraryAnswer => {
      this.#waiting.delete(id);
      if (!settled.signal.aborted) this.#endHung(worker);
      throw new CerebellumError(
        "TIMED_OUT",
        `The library did not answer within ${ANSWER_MS_MAX / 1000} s`,
        "The disk may be slow; ask again",
      );
    });
    late.catch(() => {});
    try {
      const answer = await Promise.race([answered, late]);
      if (answer.kind === "failure") throw toError(answer.failure);
      return answer as Extract<LibraryAnswer, { kind: K }>;
    } finally {
      settled.abort();
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) void this.#endWhenIdle();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#asked.abort();
    const worker = this.#worker;
    this.#worker = undefined;
    this.#failAll("the daemon ends");
    await worker?.terminate();
  }

  #running(): LibraryWorker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = this.#start();
    this.#worker = worker;
    let why = "it ended";
    worker.on("message", (raw) => {
      const { id, answer } = FromLibrary.parse(raw);
      this.#answeredMs = this.#clock.nowMs();
      this.#waiting.get(id)?.resolve(answer);
    });
    worker.on("error", (error) => {
      why = errorText(error);
    });
    worker.once("exit", () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#failAll(why);
    });
    return worker;
  }

  /** One that a disk never answers would keep every later question waiting. */
  #endHung(worker: LibraryWorker): void {
    if (this.#worker !== worker || this.#clock.nowMs() - this.#answeredMs < ANSWER_MS_MAX) return;
    this.#worker = undefined;
    this.#failAll("it did not answer");
    void worker.terminate();
  }

  async #endWhenIdle(): Promise<void> {
    const asked = new AbortController();
    this.#asked = asked;
    await sleepMs(this.#clock, IDLE_MS, asked.signal);
    if (asked.signal.aborted) return;
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #failAll(why: string): void {
    for (const { reject } of this.#waiting.values()) reject(failed(why));
  }
}

const failed = (why: string) =>
  new CerebellumError("NOT_RUNNING", `The library's thread failed: ${why}`, "Ask again");
