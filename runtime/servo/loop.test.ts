import { describe, expect, it } from "vitest";
import { LatenessHistogram } from "./histogram.js";
import { ServoLoop, type Tick, type TickClock } from "./loop.js";

/** Stands still but for what the loop and the test do with it; each look at it costs a microsecond. */
class FakeTickClock implements TickClock {
  ms = 1_000_000;
  collected = 0;
  oversleepMs = 0;
  readonly parks: number[] = [];

  nowMs(): number {
    this.ms += 0.001;
    return this.ms;
  }

  parkMs(durationMs: number): void {
    this.parks.push(durationMs);
    this.ms += durationMs + this.oversleepMs;
    this.oversleepMs = 0;
  }

  spinUntilMs(dueMs: number): void {
    this.ms = Math.max(this.ms, dueMs);
  }

  collectedMs(): number {
    return this.collected;
  }
}

const runTicks = async (clock: FakeTickClock, count: number, onTick: (tick: Tick) => void = () => {}) => {
  const seen: Tick[] = [];
  const loop = new ServoLoop(clock, 250, (tick) => {
    seen.push({ ...tick });
    onTick(tick);
  });
  const startMs = clock.ms;
  loop.start();
  while (seen.length < count) await new Promise((resolve) => setImmediate(resolve));
  await loop.stop();
  return { loop, seen, startMs };
};

describe("ServoLoop", () => {
  it("ticks on a fixed grid without drift, and blocks instead of spinning", async () => {
    const clock = new FakeTickClock();
    const { loop, seen, startMs } = await runTicks(clock, 500);
    const last = seen.at(-1)!;
    expect(last.index).toBe(seen.length);
    expect(last.nowMs - startMs - 4 * last.index).toBeLessThan(0.01);
    // Of each period, all but the work and the last microseconds is slept.
    expect(clock.parks.reduce((sum, ms) => sum + ms) / seen.length).toBeGreaterThan(3.8);
    expect(Object.values(loop.missed)).toEqual([0, 0, 0, 0]);
    expect(loop.lateness.percentileUs(0.99)).toBeLessThan(5);
  });

  it.each([
    ["systemLate", (clock: FakeTickClock) => void (clock.oversleepMs = 13)],
    ["tickWork", (clock: FakeTickClock) => void (clock.ms += 17)],
    ["eventLoop", (clock: FakeTickClock) => void queueMicrotask(() => (clock.ms += 13))],
  ] as [string, (clock: FakeTickClock) => void][])(
    "skips missed ticks, never in a burst, and blames %s",
    async (cause: string, disturb: (clock: FakeTickClock) => void) => {
      const clock = new FakeTickClock();
      const { loop, seen } = await runTicks(clock, 20, (tick) => {
        if (tick.index === 10) disturb(clock);
      });
      expect(seen.map(({ index }) => index).slice(8, 13)).toEqual([9, 10, 14, 15, 16]);
      expect(seen[10]!.skipped).toBe(3);
      expect(loop.missed).toMatchObject({ [cause]: 3 });
      expect(Object.values(loop.missed).reduce((sum, count) => sum + count)).toBe(3);
      expect(loop.ticks + 3).toBe(seen.at(-1)!.index);
      for (let i = 1; i < seen.length; i++) expect(seen[i]!.nowMs - seen[i - 1]!.nowMs).toBeGreaterThan(1);
    },
  );

  it("wakes earlier where its turns of the event loop take longer", async () => {
    const clock = new FakeTickClock();
    let late = 0;
    await runTicks(clock, 200, (tick) => {
      if (tick.index > 100 && tick.nowMs % 4 > 0.1) late++;
      setImmediate(() => {
        clock.ms += 0.6;
      });
    });
    expect(late).toBeLessThan(5);
    expect(clock.parks.filter((ms) => ms > 1).at(-1)).toBeLessThan(3.5);
  });

  it.each([
    ["by the time of the tick", (tick: Tick) => tick.index === 10],
    ["a turn later", (tick: Tick) => tick.skipped > 0],
  ])("blames garbage collection when its time becomes known %s", async (_name, becomesKnown) => {
    const clock = new FakeTickClock();
    const { loop } = await runTicks(clock, 20, (tick) => {
      if (tick.index === 10) clock.oversleepMs = 9;
      if (becomesKnown(tick)) clock.collected += 8;
    });
    expect(loop.missed).toMatchObject({ garbageCollection: 2, systemLate: 0 });
  });
});

describe("LatenessHistogram", () => {
  it("keeps count, maximum and percentiles", () => {
    const histogram = new LatenessHistogram();
    for (let us = 1; us <= 1000; us++) histogram.add(us);
    expect(histogram.counts().reduce((sum, count) => sum + count)).toBe(1000);
    expect(histogram.maxUs).toBe(1000);
    expect(histogram.percentileUs(0.5)).toBeGreaterThan(490);
    expect(histogram.percentileUs(0.5)).toBeLessThan(510);
    expect(histogram.percentileUs(1)).toBe(1000);
  });
});
