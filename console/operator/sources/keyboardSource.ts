/**
 * Keys that drive the tool while Shift is held, and nothing otherwise. Browsers lose key-ups in several ways (another
 * window takes the focus, Meta swallows them, two Shift keys report one), so every later event that shows Shift up, every
 * system modifier and every loss of focus releases everything. A key that repeats does not press Shift again.
 */
import { AT_REST, type DriveInput, type DriveSource } from "./driveInput.js";

interface KeyAxis {
  readonly kind: "linear" | "angular";
  readonly axis: 0 | 1 | 2;
  readonly sign: 1 | -1;
  readonly words: string;
}

/** By `KeyboardEvent.code`: places on the keyboard, whatever is printed on them. */
export const KEY_AXES: Readonly<Record<string, KeyAxis>> = {
  KeyW: { kind: "linear", axis: 0, sign: 1, words: "forward" },
  KeyS: { kind: "linear", axis: 0, sign: -1, words: "back" },
  KeyA: { kind: "linear", axis: 1, sign: 1, words: "left" },
  KeyD: { kind: "linear", axis: 1, sign: -1, words: "right" },
  KeyE: { kind: "linear", axis: 2, sign: 1, words: "up" },
  KeyQ: { kind: "linear", axis: 2, sign: -1, words: "down" },
  ArrowUp: { kind: "angular", axis: 1, sign: 1, words: "tip forward" },
  ArrowDown: { kind: "angular", axis: 1, sign: -1, words: "tip back" },
  ArrowLeft: { kind: "angular", axis: 2, sign: 1, words: "turn left" },
  ArrowRight: { kind: "angular", axis: 2, sign: -1, words: "turn right" },
  Comma: { kind: "angular", axis: 0, sign: -1, words: "roll left" },
  Period: { kind: "angular", axis: 0, sign: 1, words: "roll right" },
};
export const GRIPPER_KEY = "KeyG";
const CLUTCH_KEYS = new Set(["ShiftLeft", "ShiftRight"]);

/** Of a KeyboardEvent what is needed, so that a test needs no browser. */
export interface KeyLike {
  readonly code: string;
  readonly repeat: boolean;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
}

export class KeyboardSource implements DriveSource {
  readonly #down = new Set<string>();
  readonly #onGripper: () => void;
  readonly #onChange: () => void;
  #isHeld = false;

  constructor(onGripper: () => void, onChange: () => void = () => {}) {
    this.#onGripper = onGripper;
    this.#onChange = onChange;
  }

  get down(): ReadonlySet<string> {
    return this.#down;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Whether the key is one of ours, now: the page must not scroll with it, nor label an episode. */
  keyDown(event: KeyLike): boolean {
    if (event.ctrlKey || event.altKey || event.metaKey) {
      this.release();
      return false;
    }
    if (CLUTCH_KEYS.has(event.code)) {
      if (!event.repeat) this.#setHeld(true);
      return true;
    }
    if (!event.shiftKey) this.#setHeld(false);
    if (event.code === GRIPPER_KEY) {
      if (!event.repeat) this.#onGripper();
      return true;
    }
    if (!(event.code in KEY_AXES)) return false;
    this.#down.add(event.code);
    this.#onChange();
    return event.shiftKey;
  }

  keyUp(event: KeyLike): void {
    this.#down.delete(event.code);
    if (CLUTCH_KEYS.has(event.code) || !event.shiftKey) this.#setHeld(false);
    this.#onChange();
  }

  /** Any other event that tells whether Shift is down, e.g. of the mouse. */
  seeShift(isDown: boolean): void {
    if (!isDown) this.#setHeld(false);
  }

  release(): void {
    this.#down.clear();
    this.#setHeld(false);
    this.#onChange();
  }

  read(): DriveInput {
    if (!this.#isHeld) return AT_REST;
    const sums = { linear: [0, 0, 0], angular: [0, 0, 0] } satisfies Record<KeyAxis["kind"], number[]>;
    for (const code of this.#down) {
      const key = KEY_AXES[code];
      if (key !== undefined) sums[key.kind][key.axis]! += key.sign;
    }
    return {
      isHeld: true,
      linear: sums.linear as [number, number, number],
      angular: sums.angular as [number, number, number],
    };
  }

  #setHeld(isHeld: boolean): void {
    if (this.#isHeld === isHeld) return;
    this.#isHeld = isHeld;
    this.#onChange();
  }
}
