/**
 * The dead-man's key of every source that moves a robot from a page: what it means is asked for so many times a second while
 * it is held, and whatever ends the hold is said once, with the key up; nothing follows it.
 */
import type { PageClock } from "../../link/pageClock.js";
import type { DriveInput, DriveSource } from "./driveInput.js";

export interface HoldOptions {
  readonly clock: PageClock;
  readonly rateHz: number;
  /** A page that stood still for longer lets go: the person cannot have seen what would follow. */
  readonly stallMsMax: number;
  readonly input: DriveSource;
  /** The key went down. */
  readonly begin: (nowMs: number) => void;
  /** It is down since the last call. */
  readonly move: (input: DriveInput, elapsedMs: number) => void;
  /** Nothing moves from here on, whether or not anything did. */
  readonly rest: () => void;
  /** False when the connection does not take it. */
  readonly say: (nowMs: number, isHeld: boolean) => boolean;
  readonly onChange?: ((isHeld: boolean, why: string) => void) | undefined;
}

export class HoldLoop {
  readonly #options: HoldOptions;
  #isHeld = false;
  #lastMs = 0;
  #stop: (() => void) | undefined;

  constructor(options: HoldOptions) {
    this.#options = options;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  start(): void {
    const { clock, rateHz } = this.#options;
    this.#stop ??= clock.every(1000 / rateHz, () => this.tick());
  }

  close(): void {
    this.release("the source was closed");
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Ends the hold now, and tells the daemon so. */
  release(why: string): void {
    this.#options.input.release();
    this.#letGo(why);
  }

  tick(): void {
    const { clock, stallMsMax, input: source, begin, move, say, onChange } = this.#options;
    const nowMs = clock.nowMs();
    const elapsedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (this.#isHeld && elapsedMs > stallMsMax) {
      this.release(`the page stood still for ${Math.round(elapsedMs)} ms; press again`);
      return;
    }
    const input = source.read();
    if (!input.isHeld) {
      this.#letGo("released");
      return;
    }
    if (this.#isHeld) move(input, elapsedMs);
    else {
      this.#isHeld = true;
      begin(nowMs);
      onChange?.(true, "");
    }
    if (!say(nowMs, true)) this.release("the connection takes no more");
  }

  #letGo(why: string): void {
    const { clock, rest, say, onChange } = this.#options;
    rest();
    if (!this.#isHeld) return;
    this.#isHeld = false;
    say(clock.nowMs(), false);
    onChange?.(false, why);
  }
}
