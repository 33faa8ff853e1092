/** What the operator's hand feels, and how contact is told from motion. */
import type { ServoSnapshot } from "../servo/api.js";

export interface Pulse {
  /** 0 to 1. */
  readonly strength: number;
  readonly durationMs: number;
  /** Between two pulses of this kind. */
  readonly restMs: number;
}

export const PULSES = {
  engaged: { strength: 0.5, durationMs: 40, restMs: 0 },
  latched: { strength: 1, durationMs: 250, restMs: 0 },
  limit: { strength: 0.35, durationMs: 30, restMs: 300 },
  contact: { strength: 0.8, durationMs: 80, restMs: 300 },
} as const satisfies Record<string, Pulse>;
export type PulseName = keyof typeof PULSES;

/** Lets through what a hand can tell apart. */
export class PulseGate {
  readonly #sinceMs = new Map<PulseName, number>();

  /** True when the pulse is to be given now. */
  pass(name: PulseName, nowMs: number): boolean {
    if (nowMs - (this.#sinceMs.get(name) ?? Number.NEGATIVE_INFINITY) < PULSES[name].restMs) return false;
    this.#sinceMs.set(name, nowMs);
    return true;
  }
}

/** A joint that is so far from its setpoint is held by something [rad]; well below where the servo stops. */
const CONTACT_RAD = 0.12;
/** A joint whose effort differs so much from what it was in the last half second pushes against something [N m]. */
const CONTACT_NM = 8;
const EFFORT_MEMORY_MS = 500;
/** Contact ends below this share of what began it. */
const END_SHARE = 0.6;

export class ContactWatch {
  #effortNm: Float64Array | undefined;
  #tickMs = 0;
  #touches = false;

  /** True once at the beginning of each contact. */
  begins({ sentRad, positionRad, effortNm }: ServoSnapshot, tickMs: number): boolean {
    const slowNm = (this.#effortNm ??= Float64Array.from(effortNm));
    const share = Math.min(1, Math.max(0, tickMs - this.#tickMs) / EFFORT_MEMORY_MS);
    this.#tickMs = tickMs;
    let push = 0;
    for (let joint = 0; joint < sentRad.length; joint++) {
      push = Math.max(push, Math.abs(sentRad[joint]! - positionRad[joint]!) / CONTACT_RAD);
      // Not every device tells efforts.
      if (!Number.isFinite(effortNm[joint]!)) continue;
      push = Math.max(push, Math.abs(effortNm[joint]! - slowNm[joint]!) / CONTACT_NM);
      slowNm[joint] = slowNm[joint]! + share * (effortNm[joint]! - slowNm[joint]!);
    }
    const touched = this.#touches;
    this.#touches = push > (touched ? END_SHARE : 1);
    return this.#touches && !touched;
  }

  reset(): void {
    this.#effortNm = undefined;
    this.#touches = false;
  }
}
