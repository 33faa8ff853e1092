/**
 * The newest tokens in a row, oldest first, without moving any: each row is written twice, half a buffer apart, so that
 * the newest `rows` always lie side by side somewhere. For each of the places there is one view, made beforehand.
 */
export class TokenWindow {
  /** Views of the buffer; `place` says which one holds the window now. */
  readonly views: readonly Float32Array[];
  /** Where the next row is written first: for a network that writes its answer into the window by itself. */
  readonly rows: readonly Float32Array[];
  readonly #buffer: Float32Array;
  readonly #rowCount: number;
  readonly #rowLength: number;
  #place: number;

  constructor(rowCount: number, rowLength: number) {
    this.#rowCount = rowCount;
    this.#rowLength = rowLength;
    this.#buffer = new Float32Array(2 * rowCount * rowLength);
    const view = (row: number, count: number) =>
      this.#buffer.subarray(row * rowLength, (row + count) * rowLength);
    this.rows = Array.from({ length: rowCount }, (_, row) => view(row, 1));
    this.views = this.rows.map((_, row) => view(row + 1, rowCount));
    this.#place = rowCount - 1;
  }

  /** Of the newest row, and of the window that ends with it. */
  get place(): number {
    return this.#place;
  }

  /** Every row becomes the given one; the next `advance` leads to row 0. */
  fill(row: Float32Array): void {
    for (let at = 0; at < 2 * this.#rowCount; at++) this.#buffer.set(row, at * this.#rowLength);
    this.#place = this.#rowCount - 1;
  }

  /** The place of the row that is to be written next: write it to `rows[place]`, then `commit`. */
  advance(): number {
    this.#place = (this.#place + 1) % this.#rowCount;
    return this.#place;
  }

  /** The row at `place` is complete. */
  commit(): void {
    const from = this.#place * this.#rowLength;
    this.#buffer.copyWithin(from + this.#rowCount * this.#rowLength, from, from + this.#rowLength);
  }
}
