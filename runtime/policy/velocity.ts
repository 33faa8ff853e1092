/** The newest velocity that a walking policy was asked for, and for how long it counts. */
import { addNs, type MonotonicNs, msToNs } from "../../core/clock.js";
import type { VelocityCommand } from "../../core/floatingBase.js";
import { STANDING } from "../../policies/history/command.js";

export class VelocityMailbox {
  #newest: VelocityCommand = STANDING;
  #receivedNs: MonotonicNs | undefined;

  put(command: VelocityCommand, nowNs: MonotonicNs): void {
    this.#newest = command;
    this.#receivedNs = nowNs;
  }

  /** Zero when nobody asked for anything, or only longer ago than `staleMs`: whoever steers says so again and again. */
  at(nowNs: MonotonicNs, staleMs: number): VelocityCommand {
    if (this.#receivedNs === undefined || nowNs > addNs(this.#receivedNs, msToNs(staleMs))) return STANDING;
    return this.#newest;
  }
}
