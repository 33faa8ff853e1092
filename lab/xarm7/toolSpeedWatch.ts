/** Mean linear speed of a point over a short window of ticks, as the watch behind error C60 needs it. */

const POINTS_MAX = 256;

export class ToolSpeedWatch {
  readonly #windowS: number;
  #points: { readonly dtS: number; readonly stepMm: number }[] = [];
  #last: ArrayLike<number> | undefined;

  constructor(windowMs: number) {
    this.#windowS = windowMs / 1000;
  }

  clear(): void {
    this.#points = [];
    this.#last = undefined;
  }

  /** Adds the point [m] reached after `dtS`; returns the mean speed over the window [mm/s], 0 until it is full. */
  add(pointM: ArrayLike<number>, dtS: number): number {
    const last = this.#last;
    this.#last = Array.from(pointM);
    if (last === undefined) return 0;
    const stepM = Math.hypot(pointM[0]! - last[0]!, pointM[1]! - last[1]!, pointM[2]! - last[2]!);
    this.#points.push({ dtS, stepMm: stepM * 1000 });
    if (this.#points.length > POINTS_MAX) this.#points.shift();
    let spanS = this.#points.reduce((sum, point) => sum + point.dtS, 0);
    while (this.#points.length > 1 && spanS - this.#points[0]!.dtS >= this.#windowS - 1e-9) {
      spanS -= this.#points.shift()!.dtS;
    }
    if (spanS < this.#windowS - 1e-9) return 0;
    return this.#points.reduce((sum, point) => sum + point.stepMm, 0) / spanS;
  }
}
