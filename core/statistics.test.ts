import { describe, expect, it } from "vitest";
import { wilsonInterval } from "./statistics.js";

describe("Wilson interval", () => {
  it("agrees with values worked out by hand", () => {
    // 8 of 10: centre (0.8 + 0.19208) / 1.38416 = 0.71674, half 1.41602 * sqrt(0.016 + 0.0096040) = 0.22658
    expect(wilsonInterval(8, 10).low).toBeCloseTo(0.4902, 3);
    expect(wilsonInterval(8, 10).high).toBeCloseTo(0.9433, 3);
  });
  it("stays inside 0 and 1", () => {
    expect(wilsonInterval(16, 16)).toMatchObject({ high: 1 });
    expect(wilsonInterval(0, 16).low).toBe(0);
  });
});
