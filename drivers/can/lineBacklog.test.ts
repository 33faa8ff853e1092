import { expect, it } from "vitest";
import { LineBacklog } from "./lineBacklog.js";

it("a line of 1 Mbaud carries 100 bytes a millisecond", () => {
  const backlog = new LineBacklog(1_000_000);
  backlog.add(88, 10);
  expect(backlog.leftMs(10)).toBeCloseTo(0.88);
  expect(backlog.leftMs(10.5)).toBeCloseTo(0.38);
  expect(backlog.leftMs(11)).toBe(0);
  backlog.add(100, 20);
  backlog.add(100, 20.5);
  expect(backlog.leftMs(20.5)).toBeCloseTo(1.5);
});

it("is not more because time seems to go back, and nothing after clearing", () => {
  const backlog = new LineBacklog(115_200);
  backlog.add(88, 10);
  expect(backlog.leftMs(9)).toBeCloseTo(88 / 11.52);
  backlog.clear();
  expect(backlog.leftMs(9)).toBe(0);
});
