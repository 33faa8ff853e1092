/** Draws all plots of a page from one timer, 20 times a second or slower when drawing takes long; a hidden page draws none. */
import type { PageClock } from "../../link/pageClock.js";
import type { History } from "../state/history.js";

/** @param nowS page's clock: the right edge of the plot */
export type Draw = (nowS: number, history: History) => void;

const PERIOD_MS = 50;
/** Of the time that may go into drawing. */
const SHARE_MAX = 0.3;

export class PlotPacer {
  isPaused = false;
  readonly #clock: PageClock;
  readonly #isVisible: () => boolean;
  readonly #history: History;
  readonly #draws = new Set<Draw>();
  #cancel: (() => void) | undefined;
  #paused: { readonly atS: number; readonly history: History } | undefined;

  constructor(clock: PageClock, history: History, isVisible: () => boolean) {
    this.#clock = clock;
    this.#history = history;
    this.#isVisible = isVisible;
  }

  add(draw: Draw): () => void {
    this.#draws.add(draw);
    if (this.#cancel === undefined) this.#next(0);
    return () => {
      this.#draws.delete(draw);
      if (this.#draws.size > 0) return;
      this.#cancel?.();
      this.#cancel = undefined;
    };
  }

  #next(afterMs: number): void {
    this.#cancel = this.#clock.after(afterMs, () => {
      const startMs = this.#clock.nowMs();
      if (this.#isVisible()) this.#drawAll(startMs / 1000);
      const tookMs = this.#clock.nowMs() - startMs;
      if (this.#cancel !== undefined) this.#next(Math.max(PERIOD_MS - tookMs, tookMs / SHARE_MAX));
    });
  }

  #drawAll(nowS: number): void {
    // A copy: the history itself forgets after half a minute, and somebody who pauses looks for longer.
    this.#paused = this.isPaused ? (this.#paused ?? { atS: nowS, history: this.#history.copy() }) : undefined;
    const { atS, history } = this.#paused ?? { atS: nowS, history: this.#history };
    for (const draw of this.#draws) draw(atS, history);
  }
}
