import { describe, expect, it } from "vitest";
import type { DriveEffect, DriveSpan } from "./digitTruth.js";
import { isSafe, LET_GO_MS_MAX, safeEnd } from "./safeEnd.js";

/** Spans one after another: `[effect, length]`, the last one without end. */
function spans(...parts: readonly [DriveEffect, number][]): DriveSpan[] {
  let fromMs = 0;
  return parts.map(([effect, ms], index) => {
    const span: DriveSpan = {
      fromMs,
      ...(index === parts.length - 1 ? {} : { untilMs: fromMs + ms }),
      cause: effect === "limp" ? "disabled" : "command",
      effect,
      askedPeakNm: effect === "driven" ? 60 + index : 0,
      exertedPeakNm: 70,
    };
    fromMs += ms;
    return span;
  });
}

describe("how motors are let go of", () => {
  it("is counted from the moment to the first span in which none is driven", () => {
    const end = safeEnd(spans(["damping", 100], ["driven", 1000], ["damping", 500]), 1080);
    expect(end).toEqual({
      quietAfterMs: 20,
      by: "damping",
      cause: "command",
      askedPeakNm: 61,
      droveAgain: false,
    });
    expect(isSafe(end)).toBe(true);
  });

  it("is at once where no motor was driven at the moment", () => {
    expect(safeEnd(spans(["driven", 1000], ["damping", 1]), 1000)).toMatchObject({
      quietAfterMs: 0,
      askedPeakNm: 0,
    });
  });

  it("never was while a motor is still driven at the end", () => {
    const end = safeEnd(spans(["damping", 100], ["driven", 1]), 500);
    expect(end).toMatchObject({ quietAfterMs: undefined, by: undefined, askedPeakNm: 61 });
    expect(isSafe(end)).toBe(false);
  });

  it("is not for good where a motor is driven again: a burst of a millisecond counts", () => {
    const end = safeEnd(spans(["driven", 100], ["damping", 5], ["driven", 1], ["damping", 1]), 98);
    expect(end).toMatchObject({ quietAfterMs: 8, droveAgain: true });
    expect(isSafe(end)).toBe(false);
  });

  it("tells no torque from damping, and goes over from one to the other without being driven", () => {
    expect(safeEnd(spans(["driven", 100], ["limp", 1]), 90)).toMatchObject({ by: "limp", cause: "disabled" });
    const both = safeEnd(spans(["driven", 100], ["damping", 50], ["limp", 1]), 90);
    expect(both).toMatchObject({ by: "damping", quietAfterMs: 10, droveAgain: false });
  });

  it("is safe up to the robot's own time-out and no longer", () => {
    const record = spans(["driven", 100], ["damping", 1]);
    expect(isSafe(safeEnd(record, 100 - LET_GO_MS_MAX))).toBe(true);
    expect(isSafe(safeEnd(record, 99.9 - LET_GO_MS_MAX))).toBe(false);
  });

  it("does not hold without a record", () => {
    expect(isSafe(safeEnd([], 0))).toBe(false);
  });
});
