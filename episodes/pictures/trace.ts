/**
 * A signal over the length of an episode in constant memory: each column of the picture keeps its first, last, least
 * and greatest sample (Jugel et al., "M4", VLDB 2014). Drawn as lines, that looks as if every sample had been drawn.
 */

export interface Point {
  readonly atS: number;
  readonly value: number;
}

const FIRST = 0;
const LEAST = 2;
const GREATEST = 4;
const LAST = 6;
const FIELDS = 8;

export class Trace {
  readonly #columns: Float64Array;
  readonly #isUsed: Uint8Array;
  readonly #startsAnew: Uint8Array;
  #isBroken = false;
  #least = Number.POSITIVE_INFINITY;
  #greatest = Number.NEGATIVE_INFINITY;

  /** @param columnCount pixels that it will be drawn on */
  constructor(
    readonly durationS: number,
    readonly columnCount: number,
  ) {
    this.#columns = new Float64Array(columnCount * FIELDS);
    this.#isUsed = new Uint8Array(columnCount);
    this.#startsAnew = new Uint8Array(columnCount);
  }

  /** Least and greatest value, undefined when there is none. */
  get range(): readonly [number, number] | undefined {
    return this.#least > this.#greatest ? undefined : [this.#least, this.#greatest];
  }

  /** A value that is not finite ends the line, as `interrupt` does; a time outside the episode is left out. */
  add(atS: number, value: number): void {
    if (!Number.isFinite(value)) {
      this.interrupt();
      return;
    }
    const column = columnOf(atS, this.durationS, this.columnCount);
    if (column === undefined) return;
    this.#least = Math.min(this.#least, value);
    this.#greatest = Math.max(this.#greatest, value);
    const at = column * FIELDS;
    const columns = this.#columns;
    if (this.#isUsed[column] === 0) {
      this.#isUsed[column] = 1;
      this.#startsAnew[column] = this.#isBroken ? 1 : 0;
      for (let field = at; field < at + FIELDS; field += 2) {
        columns[field] = atS;
        columns[field + 1] = value;
      }
    } else {
      if (value < columns[at + LEAST + 1]!) put(columns, at + LEAST, atS, value);
      if (value > columns[at + GREATEST + 1]!) put(columns, at + GREATEST, atS, value);
      put(columns, at + LAST, atS, value);
    }
    this.#isBroken = false;
  }

  /** The next sample is not joined to the one before. */
  interrupt(): void {
    this.#isBroken = true;
  }

  /** Lines to draw, each a sequence of points in order of columns. */
  lines(): Point[][] {
    const lines: Point[][] = [];
    for (let column = 0; column < this.columnCount; column++) {
      if (this.#isUsed[column] === 0) continue;
      if (lines.length === 0 || this.#startsAnew[column] === 1) lines.push([]);
      lines.at(-1)!.push(...this.#points(column));
    }
    return lines;
  }

  #points(column: number): Point[] {
    const at = column * FIELDS;
    const point = (field: number): Point => ({
      atS: this.#columns[at + field]!,
      value: this.#columns[at + field + 1]!,
    });
    const [first, least, greatest, last] = [point(FIRST), point(LEAST), point(GREATEST), point(LAST)];
    const between = least.atS <= greatest.atS ? [least, greatest] : [greatest, least];
    return [first, ...between, last].filter(
      (here, index, all) =>
        index === 0 || here.atS !== all[index - 1]!.atS || here.value !== all[index - 1]!.value,
    );
  }
}

function put(columns: Float64Array, at: number, atS: number, value: number): void {
  columns[at] = atS;
  columns[at + 1] = value;
}

/** Column that a moment falls into, undefined outside the episode. */
export function columnOf(atS: number, durationS: number, columnCount: number): number | undefined {
  if (!(atS >= 0 && atS <= durationS)) return undefined;
  return Math.min(columnCount - 1, Math.floor((atS / durationS) * columnCount));
}
