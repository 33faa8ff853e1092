/** Draws all plots of a page from one timer, 20 times a second or slower when drawing takes long; a hidden page draws none. */
import type { PageClock } from "../../link/pageClock.js";

const PERIOD_MS = 50;
/** Of the time that may go into drawing. */
const SHARE_MAX = 0.3;

export class PlotPacer {
  isPaused = false;
  readonly #clock: PageClock;
  readonly #isVisible: () => boolean;
  readonly #draws = new Set<(nowS: number) => void>();
  #cancel: (() => void) | undefined;
  #pausedS: number | undefined;

  constructor(clock: PageClock, isVisible: () => boolean) {
    this.#clock = clock;
    this.#isVisible = isVisible;
  }

  add(draw: (nowS: number) => void): () => void {
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
    this.#pausedS = this.isPaused ? (this.#pausedS ?? nowS) : undefined;
    // A paused plot stands still at the moment in which it was paused; what came since is not shown.
    for (const draw of this.#draws) draw(this.#pausedS ?? nowS);
  }
}
