/** Whether somebody who could stop the arm is alive. A lease is granted and kept only while this is so. */
import type { Peer } from "./link/server.js";

export class Supervision {
  readonly #heardMs = new Map<number, number>();
  #newestMs = Number.NEGATIVE_INFINITY;

  heard(peer: Peer, nowMs: number): void {
    if (peer.role !== "supervisor") return;
    this.#heardMs.set(peer.id, nowMs);
    this.#newestMs = nowMs;
  }

  gone(peer: Peer): void {
    if (!this.#heardMs.delete(peer.id)) return;
    this.#newestMs = Math.max(Number.NEGATIVE_INFINITY, ...this.#heardMs.values());
  }

  get isAlone(): boolean {
    return this.#heardMs.size === 0;
  }

  /** Since any supervisor was last heard [ms]; infinite when none is connected. */
  silentMs(nowMs: number): number {
    return nowMs - this.#newestMs;
  }
}
