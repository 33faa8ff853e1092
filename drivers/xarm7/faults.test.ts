/** The fault table: every documented code, one name each, words that a person can act on. */
import { describe, expect, it } from "vitest";
import { allFaults, errorFault, gripperFault, jointFault, warningFault } from "./faults.js";

describe("fault table", () => {
  it("knows every code of the vendor's list", () => {
    const errors = [
      1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34,
      35, 36, 37, 38, 39, 40, 41, 42, 50, 51, 52, 53, 60, 110, 111,
    ];
    for (const code of errors) expect(errorFault(code).code, `${code}`).not.toMatch(/_UNKNOWN$/);
    for (const code of [11, 12, 13, 14, 15]) expect(warningFault(code).code).not.toMatch(/_UNKNOWN$/);
    for (const code of [9, 11, 12, 14, 15, 20, 21, 23, 25, 26, 33, 34, 36])
      expect(gripperFault(code).code).not.toMatch(/_UNKNOWN$/);
    expect(errorFault(31)).toMatchObject({
      code: "XARM_C31_COLLISION_CURRENT",
      severity: "stop",
      deviceCode: 31,
    });
    expect(errorFault(12).severity).toBe("power");
    expect(jointFault(2, 11)).toMatchObject({ code: "XARM_J2_S11", severity: "power" });
  });

  it("has a fault for codes of newer firmware, too", () => {
    expect(errorFault(99)).toMatchObject({ code: "XARM_C99_UNKNOWN", severity: "stop" });
    expect(warningFault(99).severity).toBe("warning");
    expect(gripperFault(99).severity).toBe("warning");
    expect(jointFault(3, 99).severity).toBe("power");
  });

  it("gives each code one name, a cause and a remedy", () => {
    const faults = allFaults();
    expect(new Set(faults.map((fault) => fault.code)).size).toBe(faults.length);
    for (const { code, cause, remedy } of faults) {
      expect(code).toMatch(/^XARM_[CWGJ]\d+_[A-Z0-9_]+$/);
      expect(cause.length).toBeGreaterThan(10);
      expect(remedy.length).toBeGreaterThan(10);
      expect(cause + remedy).not.toMatch(/\.$/);
    }
  });
});
