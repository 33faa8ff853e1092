import { describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { snapshotAt } from "../gateway/partTesting.js";
import type { ServoSnapshot } from "../servo/api.js";
import { ContactWatch, PULSES, PulseGate } from "./haptics.js";

const JOINTS = 7;
const TICK_MS = 4;

function snapshot(changes: { offRad?: number; effortNm?: number }): ServoSnapshot {
  const { offRad = 0, effortNm = 3 } = changes;
  const rest = Array<number>(JOINTS).fill(0.5);
  return {
    ...snapshotAt(new SimClock(), rest),
    sentRad: Float64Array.from(rest, (value) => value + offRad),
    effortNm: new Float64Array(JOINTS).fill(effortNm),
  };
}

describe("contact", () => {
  /** How often contact begins in so many ticks. */
  function begins(
    watch: ContactWatch,
    ticks: number,
    at: (tick: number) => ServoSnapshot,
    fromMs = 0,
  ): number {
    let count = 0;
    for (let tick = 0; tick < ticks; tick++) if (watch.begins(at(tick), fromMs + tick * TICK_MS)) count++;
    return count;
  }

  it("begins once when a joint stays behind its setpoint, and again after it has come back", () => {
    const watch = new ContactWatch();
    expect(begins(watch, 50, () => snapshot({ offRad: 0.05 }))).toBe(0);
    expect(begins(watch, 50, () => snapshot({ offRad: 0.13 }))).toBe(1);
    // Not far enough back to have ended.
    expect(begins(watch, 50, (tick) => snapshot({ offRad: tick % 2 === 0 ? 0.1 : 0.13 }))).toBe(0);
    expect(begins(watch, 50, (tick) => snapshot({ offRad: tick < 25 ? 0.02 : 0.13 }))).toBe(1);
  });

  it("begins when an effort rises at once, not when it drifts with the pose", () => {
    const watch = new ContactWatch();
    expect(begins(watch, 1000, (tick) => snapshot({ effortNm: 3 + tick * 0.02 }))).toBe(0);
    expect(begins(watch, 100, () => snapshot({ effortNm: 35 }), 1000 * TICK_MS)).toBe(1);
  });

  it("is told by positions alone where a device tells no efforts", () => {
    const watch = new ContactWatch();
    expect(begins(watch, 10, () => snapshot({ effortNm: Number.NaN }))).toBe(0);
    expect(begins(watch, 10, () => snapshot({ effortNm: Number.NaN, offRad: 0.2 }))).toBe(1);
  });
});

describe("pulses", () => {
  it("of one kind rest in between, as long as a hand needs to tell them apart", () => {
    const gate = new PulseGate();
    const given = Array.from({ length: 100 }, (_, i) => gate.pass("limit", 10 * i)).filter(Boolean).length;
    expect(given).toBe(Math.ceil(990 / PULSES.limit.restMs));
    expect(gate.pass("latched", 0)).toBe(true);
    expect(gate.pass("latched", 1)).toBe(true);
  });
});
