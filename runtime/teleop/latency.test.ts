import { expect, it } from "vitest";
import { LatencyMeter } from "./latency.js";

it("measures from arrival to the wire, of commands that left; those that were overtaken never did", () => {
  const meter = new LatencyMeter();
  meter.commanded(1, 100, 100.5);
  meter.commanded(2, 101, 101.25);
  expect(meter.figures()).toMatchObject({ mappingMs: 0.25, toWireMs: null, toWireP50Ms: null });
  meter.left(2, 104);
  expect(meter.toWireMs).toBe(3);
  meter.left(2, 104);
  expect(meter.toWireP50Ms).toBe(3);
});

it("forgets commands of the lease before, whose numbers come again", () => {
  const meter = new LatencyMeter();
  meter.commanded(1, 100, 100);
  meter.startLease();
  meter.left(1, 500);
  expect(meter.toWireMs).toBeNull();
});

it("gives quantiles of the newest samples only", () => {
  const meter = new LatencyMeter();
  let seq = 0;
  const sample = (ms: number) => {
    meter.commanded(++seq, 0, 0);
    meter.left(seq, ms);
  };
  for (let i = 0; i < 608; i++) sample(50);
  for (let i = 0; i < 512; i++) sample(i < 506 ? 4 : 20);
  expect(meter.toWireP50Ms).toBe(4);
  expect(meter.toWireP99Ms).toBe(20);
});
