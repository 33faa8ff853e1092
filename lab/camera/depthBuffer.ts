/**
 * A z-buffer that keeps, for each pixel, the nearest surface's number and a nearness that is linear over the picture:
 * 1/depth in a perspective view, minus depth in a parallel one. Triangles are filled row by row; two that share an
 * edge leave no gap and no overlap, because both compute that edge from the same ordered corners.
 */
export class DepthBuffer {
  readonly nearness: Float32Array;
  /** 0 where nothing was drawn. */
  readonly surface: Uint16Array;

  constructor(
    readonly widthPx: number,
    readonly heightPx: number,
  ) {
    this.nearness = new Float32Array(widthPx * heightPx);
    this.surface = new Uint16Array(widthPx * heightPx);
  }

  /** @param farthest nearness that everything drawn exceeds */
  clear(farthest = 0): void {
    this.nearness.fill(farthest);
    this.surface.fill(0);
  }

  /**
   * Draws a triangle given by picture positions [px] and nearness of its corners. Covers the pixels whose centre lies
   * inside; left and top edges belong to it. Corners may lie far outside the picture.
   */
  fill(
    ax: number,
    ay: number,
    an: number,
    bx: number,
    by: number,
    bn: number,
    cx: number,
    cy: number,
    cn: number,
    surface: number,
  ): void {
    if (by < ay) {
      if (cy < by) this.#fillOrdered(cx, cy, cn, bx, by, bn, ax, ay, an, surface);
      else if (cy < ay) this.#fillOrdered(bx, by, bn, cx, cy, cn, ax, ay, an, surface);
      else this.#fillOrdered(bx, by, bn, ax, ay, an, cx, cy, cn, surface);
    } else if (cy < ay) this.#fillOrdered(cx, cy, cn, ax, ay, an, bx, by, bn, surface);
    else if (cy < by) this.#fillOrdered(ax, ay, an, cx, cy, cn, bx, by, bn, surface);
    else this.#fillOrdered(ax, ay, an, bx, by, bn, cx, cy, cn, surface);
  }

  /** As `fill`, corners from top to bottom. */
  #fillOrdered(
    ax: number,
    ay: number,
    an: number,
    bx: number,
    by: number,
    bn: number,
    cx: number,
    cy: number,
    cn: number,
    surface: number,
  ): void {
    const doubleArea = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    const rowFirst = Math.max(0, Math.ceil(ay - 0.5));
    const rowEnd = Math.min(this.heightPx, Math.ceil(cy - 0.5));
    if (doubleArea === 0 || rowFirst >= rowEnd) return;
    const perX = ((bn - an) * (cy - ay) - (cn - an) * (by - ay)) / doubleArea;
    const perY = ((cn - an) * (bx - ax) - (bn - an) * (cx - ax)) / doubleArea;
    const longSlope = (cx - ax) / (cy - ay);
    const upperSlope = (bx - ax) / (by - ay);
    const lowerSlope = (cx - bx) / (cy - by);
    const bendsLeft = doubleArea < 0;
    const { nearness, surface: surfaces, widthPx } = this;
    for (let row = rowFirst; row < rowEnd; row++) {
      const y = row + 0.5;
      const longX = ax + (y - ay) * longSlope;
      const bentX = y < by ? ax + (y - ay) * upperSlope : bx + (y - by) * lowerSlope;
      const columnFirst = Math.max(0, Math.ceil((bendsLeft ? bentX : longX) - 0.5));
      const columnEnd = Math.min(widthPx, Math.ceil((bendsLeft ? longX : bentX) - 0.5));
      let value = an + (columnFirst + 0.5 - ax) * perX + (y - ay) * perY;
      const end = row * widthPx + columnEnd;
      for (let pixel = row * widthPx + columnFirst; pixel < end; pixel++) {
        if (value > nearness[pixel]!) {
          nearness[pixel] = value;
          surfaces[pixel] = surface;
        }
        value += perX;
      }
    }
  }
}
