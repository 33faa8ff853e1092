/** When something was so, over the length of an episode: named states that may overlap, a bit a name and column. */
import { columnOf } from "./trace.js";

export interface Run {
  readonly name: string;
  readonly fromS: number;
  readonly toS: number;
}

const NAMES_MAX = 30;
const REST = "other";

export class Lane {
  readonly #names: string[] = [];
  readonly #marks: Uint32Array;

  constructor(
    readonly durationS: number,
    readonly columnCount: number,
  ) {
    this.#marks = new Uint32Array(columnCount);
  }

  /** Those that were marked, in order of appearance. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** Times are cut to the episode. */
  mark(name: string, fromS: number, toS: number): void {
    const from = columnOf(Math.max(0, fromS), this.durationS, this.columnCount);
    const to = columnOf(Math.min(this.durationS, toS), this.durationS, this.columnCount);
    if (from === undefined || to === undefined) return;
    const bit = 1 << this.#index(name);
    for (let column = from; column <= to; column++) this.#marks[column]! |= bit;
  }

  /** Stretches of columns that have the name. */
  runs(name: string): Run[] {
    const index = this.#names.indexOf(name);
    if (index < 0) return [];
    return this.#stretches((marks) => (marks & (1 << index)) !== 0).map((span) => ({ name, ...span }));
  }

  /** A lane of one name only. */
  only(name: string): Lane {
    const lane = new Lane(this.durationS, this.columnCount);
    for (const { fromS, toS } of this.runs(name))
      lane.mark(name, fromS, toS - this.durationS / this.columnCount / 2);
    return lane;
  }

  /** Stretches of columns that have any name. */
  anyRuns(): { fromS: number; toS: number }[] {
    return this.#stretches((marks) => marks !== 0);
  }

  #stretches(isMarked: (marks: number) => boolean): { fromS: number; toS: number }[] {
    const runs: { fromS: number; toS: number }[] = [];
    const columnS = this.durationS / this.columnCount;
    for (let column = 0, from = -1; column <= this.columnCount; column++) {
      const isOn = column < this.columnCount && isMarked(this.#marks[column]!);
      if (isOn && from < 0) from = column;
      if (!isOn && from >= 0) {
        runs.push({ fromS: from * columnS, toS: column * columnS });
        from = -1;
      }
    }
    return runs;
  }

  #index(name: string): number {
    const found = this.#names.indexOf(name);
    if (found >= 0) return found;
    if (this.#names.length <= NAMES_MAX)
      return this.#names.push(this.#names.length < NAMES_MAX ? name : REST) - 1;
    return NAMES_MAX;
  }
}
