/** Pads on the screen for fingers and mice: a finger down is the clutch, its distance from where it went down the speed. */
import { AT_REST, type DriveInput, type DriveSource } from "./driveInput.js";

/** What a pad's two directions do; x is right, y is up on the screen. */
export const PADS = {
  move: { words: "Move", across: ["linear", 1, -1], along: ["linear", 0, 1] },
  lift: { words: "Up, down", across: undefined, along: ["linear", 2, 1] },
  turn: { words: "Turn, tip", across: ["angular", 2, -1], along: ["angular", 1, 1] },
} as const;
export type PadName = keyof typeof PADS;

/** A finger's way for full speed [px]. */
const FULL_PX = 60;
const DEADZONE_PX = 6;

export class PadSource implements DriveSource {
  readonly #fingers = new Map<PadName, { readonly pointer: number; across: number; along: number }>();
  readonly #onChange: () => void;

  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange;
  }

  get isHeld(): boolean {
    return this.#fingers.size > 0;
  }

  /** The finger that counts; others on the same pad do not. */
  pointerOn(pad: PadName): number | undefined {
    return this.#fingers.get(pad)?.pointer;
  }

  press(pad: PadName, pointer: number): void {
    if (this.#fingers.has(pad)) return;
    this.#fingers.set(pad, { pointer, across: 0, along: 0 });
    this.#onChange();
  }

  /** @param rightPx of where the finger went down; @param upPx likewise */
  move(pad: PadName, pointer: number, rightPx: number, upPx: number): void {
    const finger = this.#fingers.get(pad);
    if (finger?.pointer !== pointer) return;
    finger.across = share(rightPx);
    finger.along = share(upPx);
  }

  lift(pad: PadName, pointer: number): void {
    if (this.#fingers.get(pad)?.pointer !== pointer) return;
    this.#fingers.delete(pad);
    this.#onChange();
  }

  release(): void {
    this.#fingers.clear();
    this.#onChange();
  }

  read(): DriveInput {
    if (this.#fingers.size === 0) return AT_REST;
    const sums = { linear: [0, 0, 0], angular: [0, 0, 0] };
    for (const [name, finger] of this.#fingers) {
      for (const direction of ["across", "along"] as const) {
        const effect = PADS[name][direction];
        if (effect !== undefined) sums[effect[0]][effect[1]]! += effect[2] * finger[direction];
      }
    }
    return {
      isHeld: true,
      linear: sums.linear as [number, number, number],
      angular: sums.angular as [number, number, number],
    };
  }
}

function share(px: number): number {
  const beyond = Math.abs(px) - DEADZONE_PX;
  return beyond <= 0 ? 0 : Math.sign(px) * Math.min(1, beyond / (FULL_PX - DEADZONE_PX));
}

/** Several sources of one operator: each that is held counts. */
export function bothOf(...sources: readonly DriveSource[]): DriveSource {
  return {
    read: () => {
      const held = sources.map((source) => source.read()).filter(({ isHeld }) => isHeld);
      if (held.length === 0) return AT_REST;
      const sum = (kind: "linear" | "angular") =>
        [0, 1, 2].map((axis) =>
          Math.min(
            1,
            Math.max(
              -1,
              held.reduce((total, input) => total + input[kind][axis]!, 0),
            ),
          ),
        ) as [number, number, number];
      return { isHeld: true, linear: sum("linear"), angular: sum("angular") };
    },
    release: () => {
      for (const source of sources) source.release();
    },
  };
}
