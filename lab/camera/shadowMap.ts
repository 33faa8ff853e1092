/**
 * Which points the light reaches: a parallel view from the light, fitted to what the camera can see. It keeps the
 * faces that look away from the light, so that a lit face never shadows itself. Nearness is the distance towards the
 * light, so the map holds, for each place, where the nearest body ends.
 */
import { DepthBuffer } from "./depthBuffer.js";
import {
  CORNERS_MAX,
  placeInView,
  type Shape,
  type ShapePoses,
  transformCorners,
  type View,
} from "./shapes.js";

const EMPTY = -1e9;
/** Side of the cells that say whether anything was drawn near them [map pixels]. */
export const CELL_PX = 16;
/** The map never covers less than this, so that edges of shadows stay soft in near views. */
const WINDOW_MIN_M = 0.55;
const WINDOW_MAX_M = 3;

export class ShadowMap {
  readonly buffer: DepthBuffer;
  /** Rows: two axes across the light, then the axis towards it; base frame. */
  readonly axes = new Float64Array(9);
  /** Not 0 where a cell or one of its eight neighbours has anything drawn. */
  readonly nearby: Uint8Array;
  readonly #occupied: Uint8Array;
  /** Base-frame point to map pixels: px = dot(axis, point) * pxPerM + offset. */
  pxPerM = 1;
  offsetXPx = 0;
  offsetYPx = 0;
  readonly #frame = new Float64Array(12);
  readonly #corners = new Float64Array(3 * CORNERS_MAX);
  readonly #view: View;

  constructor(readonly sizePx = 512) {
    this.buffer = new DepthBuffer(sizePx, sizePx);
    this.nearby = new Uint8Array((sizePx / CELL_PX) ** 2);
    this.#occupied = new Uint8Array(this.nearby.length);
    this.#view = { axes: this.axes, originM: new Float64Array(3) };
  }

  /**
   * @param direction unit vector towards the light, base frame
   * @param skipped a shape whose shadow the camera cannot see
   * @param seenM points of the base frame (x y z each) whose hull holds all that the camera sees
   */
  render(
    shapes: readonly Shape[],
    poses: ShapePoses,
    direction: readonly [number, number, number],
    seenM: Float64Array,
    skipped: Shape | undefined,
  ): void {
    this.#aim(direction);
    this.#fit(seenM);
    this.buffer.clear(EMPTY);
    this.#occupied.fill(0);
    for (const shape of shapes) {
      if (!shape.hidden && shape !== skipped && shape.source.kind !== "plane") this.#draw(shape, poses);
    }
    this.#spread();
  }

  #aim([lx, ly, lz]: readonly [number, number, number]): void {
    // Any axis across the light will do; the one that is least along it is the best conditioned.
    const [hx, hy] = Math.abs(lx) < 0.9 ? [1, 0] : [0, 1];
    const dot = hx * lx + hy * ly;
    let [ux, uy, uz] = [hx - dot * lx, hy - dot * ly, -dot * lz];
    const length = Math.hypot(ux, uy, uz);
    [ux, uy, uz] = [ux / length, uy / length, uz / length];
    this.axes.set([ux, uy, uz, ly * uz - lz * uy, lz * ux - lx * uz, lx * uy - ly * ux, lx, ly, lz]);
  }

  #fit(seenM: Float64Array): void {
    const low = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    const high = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let k = 0; k < seenM.length; k += 3) {
      for (let axis = 0; axis < 2; axis++) {
        const a = this.axes;
        const at =
          a[3 * axis]! * seenM[k]! + a[3 * axis + 1]! * seenM[k + 1]! + a[3 * axis + 2]! * seenM[k + 2]!;
        low[axis] = Math.min(low[axis]!, at);
        high[axis] = Math.max(high[axis]!, at);
      }
    }
    const widestM = Math.max(high[0]! - low[0]!, high[1]! - low[1]!);
    const windowM = Math.min(WINDOW_MAX_M, Math.max(WINDOW_MIN_M, widestM * 1.02));
    this.pxPerM = this.sizePx / windowM;
    this.offsetXPx = this.sizePx / 2 - ((low[0]! + high[0]!) / 2) * this.pxPerM;
    this.offsetYPx = this.sizePx / 2 - ((low[1]! + high[1]!) / 2) * this.pxPerM;
  }

  #draw(shape: Shape, poses: ShapePoses): void {
    const frame = this.#frame;
    placeInView(this.#view, poses, shape.index, frame);
    const radiusPx = shape.boundRadiusM * this.pxPerM;
    const centreX = frame[9]! * this.pxPerM + this.offsetXPx;
    const centreY = frame[10]! * this.pxPerM + this.offsetYPx;
    if (centreX < -radiusPx || centreY < -radiusPx) return;
    if (centreX > this.sizePx + radiusPx || centreY > this.sizePx + radiusPx) return;
    const mesh = shape.shadowMesh;
    const corners = this.#corners;
    transformCorners(mesh, frame, corners);
    const { triangles } = mesh;
    const { pxPerM, offsetXPx, offsetYPx, buffer } = this;
    for (let k = 0; k < triangles.length; k += 3) {
      const [a, b, c] = [3 * triangles[k]!, 3 * triangles[k + 1]!, 3 * triangles[k + 2]!];
      const [ax, ay] = [corners[a]! * pxPerM + offsetXPx, corners[a + 1]! * pxPerM + offsetYPx];
      const [bx, by] = [corners[b]! * pxPerM + offsetXPx, corners[b + 1]! * pxPerM + offsetYPx];
      const [cx, cy] = [corners[c]! * pxPerM + offsetXPx, corners[c + 1]! * pxPerM + offsetYPx];
      if ((bx - ax) * (cy - ay) - (cx - ax) * (by - ay) >= 0) continue;
      buffer.fill(ax, ay, corners[a + 2]!, bx, by, corners[b + 2]!, cx, cy, corners[c + 2]!, 1);
      this.#occupy(Math.min(ax, bx, cx), Math.max(ax, bx, cx), Math.min(ay, by, cy), Math.max(ay, by, cy));
    }
  }

  #occupy(lowX: number, highX: number, lowY: number, highY: number): void {
    const cells = this.sizePx / CELL_PX;
    // Two pixels early, since a lookup at one place also reads the next pixel right and below.
    const firstX = Math.max(0, Math.floor((lowX - 2) / CELL_PX));
    const lastX = Math.min(cells - 1, Math.floor(highX / CELL_PX));
    const firstY = Math.max(0, Math.floor((lowY - 2) / CELL_PX));
    const lastY = Math.min(cells - 1, Math.floor(highY / CELL_PX));
    for (let y = firstY; y <= lastY; y++) {
      for (let x = firstX; x <= lastX; x++) this.#occupied[y * cells + x] = 1;
    }
  }

  #spread(): void {
    const cells = this.sizePx / CELL_PX;
    this.nearby.fill(0);
    for (let cell = 0; cell < this.#occupied.length; cell++) {
      if (this.#occupied[cell] === 0) continue;
      const [x, y] = [cell % cells, Math.floor(cell / cells)];
      for (let row = Math.max(0, y - 1); row <= Math.min(cells - 1, y + 1); row++) {
        for (let column = Math.max(0, x - 1); column <= Math.min(cells - 1, x + 1); column++) {
          this.nearby[row * cells + column] = 1;
        }
      }
    }
  }
}
