/** Threads of the lab, asked by message: each request has a number, and its answer carries the same. */
import { Worker } from "node:worker_threads";
import { CerebellumError, errorText } from "../core/errors.js";

interface Reply {
  readonly id: number;
  readonly error?: string;
}

/** A request before it has its number. */
export type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;

export class LabThread<Request extends { readonly id: number }, Answer extends Reply> {
  readonly #worker: Worker;
  readonly #name: string;
  readonly #waiting = new Map<
    number,
    { resolve: (answer: Answer) => void; reject: (error: Error) => void }
  >();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #failure: CerebellumError | undefined;
  #isEndedByForce = false;

  /**
   * Resolves when the thread has said that it is ready (answer 0).
   * @param onOther messages that answer nothing, such as frames
   * @param onFailure called once if the thread ends without being asked to
   */
  static async start<Request extends { readonly id: number }, Answer extends Reply>(
    name: string,
    url: URL,
    workerData: object,
    onOther: (message: object) => void,
    onFailure: (error: CerebellumError) => void,
  ): Promise<LabThread<Request, Answer>> {
    const thread = new LabThread<Request, Answer>(name, url, workerData, onOther, onFailure);
    await new Promise<void>((resolve, reject) => {
      thread.#waiting.set(0, { resolve: () => resolve(), reject });
    });
    return thread;
  }

  private constructor(
    name: string,
    url: URL,
    workerData: object,
    onOther: (message: object) => void,
    onFailure: (error: CerebellumError) => void,
  ) {
    this.#name = name;
    this.#worker = new Worker(url, { workerData });
    this.#worker.on("message", (message: object) => {
      if (!("id" in message)) return onOther(message);
      const answer = message as Answer;
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) waiting?.resolve(answer);
      else
        waiting?.reject(
          new CerebellumError("LAB_REFUSED", `${name}: ${answer.error}`, "Correct the request"),
        );
    });
    const fail = (happened: string, cause?: unknown) => {
      if (this.#failure !== undefined) return;
      this.#failure = new CerebellumError(
        "CHECK_FAILED",
        happened,
        "Keep the log and restart the lab",
        cause,
      );
      for (const { reject } of this.#waiting.values()) reject(this.#failure);
      this.#waiting.clear();
      onFailure(this.#failure);
    };
    this.#worker.on("error", (thrown) =>
      fail(`The lab's ${name} thread failed: ${errorText(thrown)}`, thrown),
    );
    this.#exited = new Promise((resolve) => {
      this.#worker.on("exit", (code) => {
        if (!this.#isEndedByForce && (code !== 0 || this.#waiting.size > 0))
          fail(`The lab's ${name} thread ended with code ${code}`);
        resolve();
      });
    });
  }

  ask(request: WithoutId<Request>): Promise<Answer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...request, id });
    });
  }

  /** Asks the thread to end and waits for it; ends it by force if it does not within `grace`. */
  async stop(request: WithoutId<Request>, grace: Promise<void>): Promise<void> {
    if (this.#failure === undefined) {
      void this.ask(request).catch(() => {});
      await Promise.race([this.#exited, grace]);
    }
    // Slow, as on a machine with other work, but asked for: no failure of the thread.
    this.#isEndedByForce = true;
    await this.#worker.terminate();
  }

  get name(): string {
    return this.#name;
  }
}
