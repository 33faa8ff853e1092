/** One place for the servo's newest snapshot: whoever takes them sees each at most once, and never an older one. */
import type { ServoSnapshot } from "../servo/api.js";

export class SnapshotMailbox {
  #newest: ServoSnapshot | undefined;
  #waiting: ((snapshot: ServoSnapshot | undefined) => void) | undefined;

  /** One has come that nobody has taken. */
  get isFull(): boolean {
    return this.#newest !== undefined;
  }

  put(snapshot: ServoSnapshot): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#newest = snapshot;
    else waiting(snapshot);
  }

  /** The newest that was not taken yet, else the next one; undefined once `ended` aborts. One taker at a time. */
  next(ended: AbortSignal): Promise<ServoSnapshot | undefined> {
    const newest = this.#newest;
    this.#newest = undefined;
    if (ended.aborted || newest !== undefined) return Promise.resolve(ended.aborted ? undefined : newest);
    return new Promise((resolve) => {
      const end = () => this.#waiting?.(undefined);
      this.#waiting = (snapshot) => {
        this.#waiting = undefined;
        ended.removeEventListener("abort", end);
        resolve(snapshot);
      };
      ended.addEventListener("abort", end, { once: true });
    });
  }
}
