/**
 * What the emulated Digit's motors got, from whom and when: the evidence for "after a loss the robot damps within its own
 * time-out". One span for as long as cause and effect stay the same; bounded, the oldest goes first.
 */
import type { MotorDrive } from "./body.js";

/** Who decides over the motors: an operation mode of the robot's own, or a client's command. */
export type DriveCause =
  | "disabled"
  | "damping"
  | "locomotion"
  | "joint"
  /** A low-level command that is applied. */
  | "command"
  /** Mode low-level-api, and no command that is to be applied. */
  | "idle"
  /** Emergency stop, or a control program that stands still. */
  | "unpowered";

/** `limp`: neither torque nor damping anywhere; `damping`: no torque and no velocity wanted; `driven`: anything else. */
export type DriveEffect = "limp" | "damping" | "driven";

export interface MotorSpan {
  /** The robot's clock [ms]. */
  readonly fromMs: number;
  readonly cause: DriveCause;
  readonly effect: DriveEffect;
  /** When the next span began; undefined while this one lasts. */
  untilMs: number | undefined;
  /** Largest torque that was asked of a motor, and that a motor exerted [N m]. */
  askedPeakNm: number;
  exertedPeakNm: number;
}

const SPANS_MAX = 4096;

export function effectOf({ torqueNm, velocityRadPerS, dampingNmSPerRad }: MotorDrive): DriveEffect {
  let damps = false;
  for (let motor = 0; motor < torqueNm.length; motor++) {
    if (torqueNm[motor] !== 0) return "driven";
    if (dampingNmSPerRad[motor] === 0) continue;
    if (velocityRadPerS[motor] !== 0) return "driven";
    damps = true;
  }
  return damps ? "damping" : "limp";
}

export class MotorLog {
  #spans: MotorSpan[] = [];
  /** Spans that were dropped because there were too many. */
  forgotten = 0;

  get spans(): readonly MotorSpan[] {
    return this.#spans;
  }

  /** Since when no motor has been driven, without a break [ms]; undefined while one is. */
  get quietSinceMs(): number | undefined {
    let sinceMs: number | undefined;
    for (let index = this.#spans.length - 1; index >= 0; index--) {
      const span = this.#spans[index]!;
      if (span.effect === "driven") break;
      sinceMs = span.fromMs;
    }
    return sinceMs;
  }

  /** @param exertedNm what the motors exert now; the drive acts from `nowMs` on */
  note(nowMs: number, cause: DriveCause, drive: MotorDrive, exertedNm: ArrayLike<number>): void {
    const effect = effectOf(drive);
    let span = this.#spans.at(-1);
    if (span === undefined || span.cause !== cause || span.effect !== effect) {
      if (span !== undefined) span.untilMs = nowMs;
      span = { fromMs: nowMs, cause, effect, untilMs: undefined, askedPeakNm: 0, exertedPeakNm: 0 };
      this.#spans.push(span);
      this.#forgetOldest();
    }
    for (let motor = 0; motor < drive.torqueNm.length; motor++) {
      span.askedPeakNm = Math.max(span.askedPeakNm, Math.abs(drive.torqueNm[motor]!));
      span.exertedPeakNm = Math.max(span.exertedPeakNm, Math.abs(exertedNm[motor]!));
    }
  }

  /** The span that lasts stays. */
  clear(): void {
    this.#spans = this.#spans.slice(-1);
    this.forgotten = 0;
  }

  #forgetOldest(): void {
    if (this.#spans.length < 2 * SPANS_MAX) return;
    this.forgotten += this.#spans.length - SPANS_MAX;
    this.#spans = this.#spans.slice(-SPANS_MAX);
  }
}
