/**
 * What became of a press of STOP. Pressing sends at once, every time; what is shown is only what the daemon has said
 * since: a stop that nobody acknowledges is called one.
 */
import type { Telemetry } from "../../../core/gateway/server.js";
import type { PageClock } from "../../link/pageClock.js";
import { Value } from "./value.js";

export type StopReport =
  | { readonly kind: "none" }
  /** There was no connection to send it on. */
  | { readonly kind: "unsent" }
  /** There is one again: nobody knows of that press. It is not sent now, when nobody may expect it. */
  | { readonly kind: "missed" }
  | { readonly kind: "sent" }
  | { readonly kind: "acknowledged"; readonly afterMs: number }
  | { readonly kind: "unanswered" };

/** Robots in these states do not move, or brake. */
const STILL_STATES = new Set(["stopping", "stopped", "faulted"]);
/** A daemon that lives has told its state by then. */
export const STOP_ANSWER_MS_MAX = 1000;

export class StopButton {
  readonly report = new Value<StopReport>({ kind: "none" });
  readonly #clock: PageClock;
  readonly #send: (reason: string) => boolean;
  readonly #onPress: () => void;
  #sentMs: number | undefined;
  #cancelWait: (() => void) | undefined;

  /** @param onPress called before anything else at each press: the page's own sources of motion let go */
  constructor(clock: PageClock, send: (reason: string) => boolean, onPress: () => void) {
    this.#clock = clock;
    this.#send = send;
    this.#onPress = onPress;
  }

  press(reason: string): void {
    this.#onPress();
    this.#cancelWait?.();
    if (!this.#send(reason)) {
      this.#sentMs = undefined;
      this.report.set({ kind: "unsent" });
      return;
    }
    this.#sentMs = this.#clock.nowMs();
    this.report.set({ kind: "sent" });
    this.#cancelWait = this.#clock.after(STOP_ANSWER_MS_MAX, () => this.report.set({ kind: "unanswered" }));
  }

  /** Also a late acknowledgement is one. @param names of all robots: one of which nothing is told confirms nothing */
  take({ robots }: Telemetry, names: readonly string[]): void {
    const isStill = names.length > 0 && names.every((name) => STILL_STATES.has(robots[name]?.state ?? ""));
    if (this.#sentMs !== undefined && isStill) {
      this.#cancelWait?.();
      this.report.set({ kind: "acknowledged", afterMs: this.#clock.nowMs() - this.#sentMs });
      this.#sentMs = undefined;
    } else if (this.report.current.kind === "unsent") this.report.set({ kind: "missed" });
    else if (this.#sentMs === undefined && this.report.current.kind === "acknowledged" && !isStill)
      this.report.set({ kind: "none" });
  }
}
