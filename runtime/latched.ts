/** Messages of latched topics, for whoever comes later. */
import type { MonotonicNs } from "../core/clock.js";

/** Most messages that are kept, of all topics together. */
const KEPT_MAX = 64;

export interface LatchedMessage {
  /** Number of its topic. */
  readonly topic: number;
  readonly receivedNs: MonotonicNs;
  readonly cdr: Uint8Array;
}

export class LatchedMessages {
  readonly #kept: LatchedMessage[] = [];

  /**
   * @param how `each`: several publishers of one topic, as /tf_static has, each have a message that counts; `no`: nothing
   *   is kept
   * @param cdr is copied
   */
  keep(topic: number, how: "no" | "newest" | "each", receivedNs: MonotonicNs, cdr: Uint8Array): void {
    if (how === "no") return;
    if (how === "newest") this.forget(topic);
    const same = this.#kept.findIndex((one) => one.topic === topic && Buffer.compare(one.cdr, cdr) === 0);
    if (same >= 0) this.#kept.splice(same, 1);
    this.#kept.push({ topic, receivedNs, cdr: new Uint8Array(cdr) });
    if (this.#kept.length > KEPT_MAX) this.#kept.shift();
  }

  forget(topic: number): void {
    for (let at = this.#kept.length - 1; at >= 0; at--)
      if (this.#kept[at]!.topic === topic) this.#kept.splice(at, 1);
  }

  /** Oldest first. */
  all(): readonly LatchedMessage[] {
    return this.#kept;
  }

  of(topic: number): readonly LatchedMessage[] {
    return this.#kept.filter((one) => one.topic === topic);
  }
}
