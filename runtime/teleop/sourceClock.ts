/**
 * How late a pose is, by the source's own clock. Nobody sets that clock, so only differences count: of all poses, the
 * one that took the shortest way is the measure of the others. A clock that goes back or runs ahead is told apart from
 * a slow way.
 */
import type { DeadmanCode } from "./deadmanFailures.js";

/** Crystals differ by less: the shortest way is forgotten at this rate. */
const DRIFT_SHARE_MAX = 2e-4;
/** A source that is late for so long while nothing follows it has a new clock: after sleep, for instance. */
const SETTLE_MS = 3000;

export interface ClockTrouble {
  readonly code: Extract<DeadmanCode, "DEVICE_CLOCK" | "POSE_LATE">;
  readonly detail: string;
}

export class SourceClock {
  readonly #latenessMsMax: number;
  #deviceMs = Number.NaN;
  #receivedMs = Number.NaN;
  /** Receive time minus device time, at its least. */
  #shortestMs = Number.NaN;
  #lateSinceMs = Number.NaN;

  /** @param latenessMsMax a pose later than this is an old pose, and a way that is shorter by this is a jump */
  constructor(latenessMsMax: number) {
    this.#latenessMsMax = latenessMsMax;
  }

  /** @param wantsRobot whether something hangs on it: then nothing is learnt anew */
  judge(deviceMs: number, receivedMs: number, wantsRobot: boolean): ClockTrouble | undefined {
    const wayMs = receivedMs - deviceMs;
    const wentBackMs = this.#deviceMs - deviceMs;
    const sinceMs = receivedMs - this.#receivedMs;
    this.#deviceMs = deviceMs;
    this.#receivedMs = receivedMs;
    if (Number.isNaN(this.#shortestMs)) {
      this.#startAnew(wayMs);
      return undefined;
    }
    const aheadMs = this.#shortestMs - wayMs;
    if (wentBackMs > 0 || aheadMs > this.#latenessMsMax) {
      this.#startAnew(wayMs);
      const detail =
        wentBackMs > 0
          ? `it went back by ${wentBackMs.toFixed(0)} ms`
          : `it ran ahead by ${aheadMs.toFixed(0)} ms`;
      return { code: "DEVICE_CLOCK", detail };
    }
    this.#shortestMs = Math.min(this.#shortestMs + DRIFT_SHARE_MAX * Math.max(0, sinceMs), wayMs);
    const latenessMs = wayMs - this.#shortestMs;
    if (latenessMs <= this.#latenessMsMax) {
      this.#lateSinceMs = Number.NaN;
      return undefined;
    }
    if (Number.isNaN(this.#lateSinceMs)) this.#lateSinceMs = receivedMs;
    const detail = `by ${latenessMs.toFixed(0)} ms (limit ${this.#latenessMsMax} ms)`;
    if (!wantsRobot && receivedMs - this.#lateSinceMs > SETTLE_MS) this.#startAnew(wayMs);
    return { code: "POSE_LATE", detail };
  }

  #startAnew(wayMs: number): void {
    this.#shortestMs = wayMs;
    this.#lateSinceMs = Number.NaN;
  }
}
