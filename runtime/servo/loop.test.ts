import { describe, expect, it } from "vitest";
import { countBelow, LATENESS_EDGES_US, LatenessHistogram } from "../../core/histogram.js";
import { type LoopOptions, MISS_CAUSES, REST_MS, ServoLoop, type Tick, type TickClock } from "./loop.js";

/** Stands still but for what the loop and the test do with it; each look at it costs a microsecond. */
class FakeTickClock implements TickClock {
  ms = 1_000_000;
  readonly collections = { count: 0, ms: 0 };
  oversleepMs = 0;
  /** Number of the sleep, from 1, that ends 13 ms late. */
  oversleepAt = 0;
  readonly parks: number[] = [];
  rests = 0;
  restOverMs = 0;

  nowMs(): number {
    this.ms += 0.001;
    return this.ms;
  }

  parkMs(durationMs: number): void {
    this.parks.push(durationMs);
    this.ms += durationMs + this.oversleepMs + (this.parks.length === this.oversleepAt ? 13 : 0);
    this.oversleepMs = 0;
  }

  rest(then: () => void): void {
    this.rests++;
    setImmediate(() => {
      this.ms += REST_MS + this.restOverMs;
      this.restOverMs = 0;
      then();
    });
  }

  spinUntilMs(dueMs: number): void {
    this.ms = Math.max(this.ms, dueMs);
  }
}

const runTicks = async (
  clock: FakeTickClock,
  count: number,
  onTick: (tick: Tick) => void = () => {},
  options: LoopOptions = {},
) => {
  const seen: Tick[] = [];
  const loop = new ServoLoop(
    clock,
    250,
    (tick) => {
      seen.push({ ...tick });
      onTick(tick);
    },
    options,
  );
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
    expect(Object.values(loop.missed)).toEqual(MISS_CAUSES.map(() => 0));
    expect(loop.lateness.percentileUs(0.99)).toBeLessThan(5);
  });

  it.each([
    ["lateWake", (clock: FakeTickClock) => void (clock.oversleepMs = 13)],
    ["tickWork", (clock: FakeTickClock) => void (clock.ms += 17)],
    ["socketDrain", (clock: FakeTickClock) => void queueMicrotask(() => (clock.ms += 13))],
    [
      "driverSend",
      (clock: FakeTickClock, tick: Tick) => {
        clock.ms += 17;
        tick.sendMs = 12;
      },
    ],
  ] as [string, (clock: FakeTickClock, tick: Tick) => void][])(
    "skips missed ticks, never in a burst, and blames %s",
    async (cause: string, disturb: (clock: FakeTickClock, tick: Tick) => void) => {
      const clock = new FakeTickClock();
      const { loop, seen } = await runTicks(clock, 20, (tick) => {
        if (tick.index === 10) disturb(clock, tick);
      });
      expect(seen.map(({ index }) => index).slice(8, 13)).toEqual([9, 10, 14, 15, 16]);
      expect(seen[10]).toMatchObject({ skipped: 3, missCause: cause });
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

  it("lets others in after each nap, on the same grid", async () => {
    const clock = new FakeTickClock();
    const turnsMs: number[] = [];
    let isOver = false;
    const look = () => {
      turnsMs.push(clock.ms);
      if (!isOver) setImmediate(look);
    };
    look();
    const { seen, startMs } = await runTicks(clock, 50, () => {}, { napMs: 0.2 });
    isOver = true;
    expect(seen.at(-1)!.index).toBe(50);
    expect(seen.at(-1)!.nowMs - startMs - 200).toBeLessThan(0.01);
    expect(Math.max(...clock.parks)).toBeLessThanOrEqual(0.2);
    const pauses = turnsMs.slice(1).map((ms, turn) => ms - turnsMs[turn]!);
    // The event loop itself waits no longer than a rest, and the thread is held no longer than a nap.
    expect(Math.max(...pauses)).toBeLessThan(REST_MS + 0.45);
    expect(clock.rests).toBe(3 * 51);
  });

  it("never rests where the device asks for no answers", async () => {
    const clock = new FakeTickClock();
    await runTicks(clock, 10);
    expect(clock.rests).toBe(0);
  });

  it("blames the event loop where a rest did not end in time", async () => {
    const clock = new FakeTickClock();
    const { loop } = await runTicks(
      clock,
      20,
      (tick) => {
        if (tick.index === 10) clock.restOverMs = 13;
      },
      { napMs: 0.2 },
    );
    expect(loop.missed).toMatchObject({ socketDrain: 2, lateWake: 0, tickWork: 0 });
  });

  it("blames the turn after a nap when that is what lasted", async () => {
    const clock = new FakeTickClock();
    const { loop } = await runTicks(
      clock,
      20,
      (tick) => {
        if (tick.index !== 10) return;
        setImmediate(() => {
          clock.ms += 13;
        });
      },
      { napMs: 0.2 },
    );
    expect(loop.missed).toMatchObject({ socketDrain: 2, lateWake: 0, tickWork: 0 });
  });

  it.each([
    ["by the time of the tick", (tick: Tick) => tick.index === 10],
    ["a turn later", (tick: Tick) => tick.skipped > 0],
  ])("blames garbage collection when its time becomes known %s", async (_name, becomesKnown) => {
    const clock = new FakeTickClock();
    const { loop } = await runTicks(clock, 20, (tick) => {
      if (tick.index === 10) clock.oversleepMs = 9;
      if (becomesKnown(tick)) clock.collections.ms += 8;
    });
    expect(loop.missed).toMatchObject({ garbageCollection: 2, lateWake: 0 });
  });

  it("blames late waking where the last short sleep before the deadline or the spin is what lasted", async () => {
    const clock = new FakeTickClock();
    const { loop } = await runTicks(clock, 20, (tick) => {
      // The second sleep of the next period.
      if (tick.index === 10) clock.oversleepAt = clock.parks.length + 2;
    });
    expect(loop.missed).toMatchObject({ lateWake: 3, socketDrain: 0 });
  });

  it("does not blame a collection that ended long before, or that took too little of the lateness", async () => {
    const clock = new FakeTickClock();
    const { loop } = await runTicks(clock, 30, (tick) => {
      if (tick.index === 5 || tick.index === 25) clock.collections.ms += 20;
      if (tick.index === 10) clock.oversleepMs = 9;
      if (tick.index === 13) clock.collections.ms += 2;
    });
    expect(loop.missed).toMatchObject({ garbageCollection: 0, lateWake: 2 });
  });

  describe("of a device whose reports it follows", () => {
    /** The newest of reports that come every `everyMs` from `firstMs` after the start on, as the event loop has read it. */
    const reportsOf = (clock: FakeTickClock, everyMs: number, firstMs: number) => {
      const beginMs = clock.ms + firstMs;
      return {
        get receivedMs() {
          return beginMs + Math.floor((clock.ms - beginMs) / everyMs) * everyMs;
        },
      };
    };
    const follow = async (everyMs: number, firstMs: number, count: number) => {
      const clock = new FakeTickClock();
      const reports = reportsOf(clock, everyMs, firstMs);
      const agesMs: number[] = [];
      const note = ({ nowMs }: Tick) => agesMs.push(nowMs - reports.receivedMs);
      const run = await runTicks(clock, count, note, { reports });
      const periodsMs = run.seen.slice(1).map(({ nowMs }, before) => nowMs - run.seen[before]!.nowMs);
      return { ...run, agesMs, periodsMs };
    };

    it.each([
      ["as often, right after the ticks", 4, 0.5],
      ["as often, right before the ticks", 4, 3.9],
      ["twice as often", 2, 0.5],
      ["by a clock that is a little slow", 4.0008, 0.5],
      ["by a clock that is a little quick", 3.9992, 0.5],
    ])("ticks shortly after a report: %s", async (_, everyMs, firstMs) => {
      const { agesMs } = await follow(everyMs, firstMs, 3000);
      const settled = agesMs.slice(2000);
      expect(Math.max(...settled)).toBeLessThan(0.38);
      expect(Math.min(...settled)).toBeGreaterThan(0.22);
    });

    it("never changes a period by more than a thousandth, and misses nothing for it", async () => {
      const { periodsMs, loop, seen } = await follow(4, 0.5, 3000);
      expect(Math.max(...periodsMs)).toBeLessThan(4 * 1.001 + 0.004);
      expect(Math.min(...periodsMs)).toBeGreaterThan(4 * 0.999 - 0.004);
      expect(seen.at(-1)!.index).toBe(seen.length);
      expect(Object.values(loop.missed)).toEqual(MISS_CAUSES.map(() => 0));
    });

    it("keeps its own pace beside a device that has another one", async () => {
      const { periodsMs, seen } = await follow(4.4, 0.5, 1000);
      expect(Math.max(...periodsMs.map((ms) => Math.abs(ms - 4)))).toBeLessThan(0.008);
      expect(seen.at(-1)!.index).toBe(seen.length);
    });

    it.each([
      ["has never reported", Number.NEGATIVE_INFINITY],
      ["reported long ago", 999_000],
      ["has reports from the future", 9e9],
      ["says no number", Number.NaN],
    ])("keeps to its own grid where a device %s", async (_, receivedMs) => {
      const { seen, startMs } = await runTicks(new FakeTickClock(), 500, () => {}, {
        reports: { receivedMs },
      });
      const last = seen.at(-1)!;
      expect(Math.abs(last.nowMs - startMs - 4 * last.index)).toBeLessThan(0.01);
    });
  });

  it("asks the driver's own time of each tick anew", async () => {
    const clock = new FakeTickClock();
    const { loop } = await runTicks(clock, 20, (tick) => {
      if (tick.index === 8) tick.sendMs = 30;
      if (tick.index === 10) clock.ms += 17;
    });
    expect(loop.missed).toMatchObject({ driverSend: 0, tickWork: 3 });
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

  it("puts every lateness into the bucket whose edges enclose it", () => {
    const edges = [0, ...LATENESS_EDGES_US];
    const tried = edges.slice(0, -1).flatMap((edge) => [edge, edge * 1.0001 + 1e-9, edge * 0.9999]);
    for (const us of [...tried, 3e6, 1e12]) {
      const histogram = new LatenessHistogram();
      histogram.add(us);
      const bucket = histogram.counts().indexOf(1);
      expect(us).toBeGreaterThanOrEqual(edges[bucket]!);
      expect(us).toBeLessThan(edges[bucket + 1]!);
    }
  });

  it("counts what lies below an edge, whole buckets exactly", () => {
    const histogram = new LatenessHistogram();
    for (let us = 0.5; us < 1000; us++) histogram.add(us);
    const below = (edgeUs: number) => countBelow(LATENESS_EDGES_US, histogram.counts(), edgeUs);
    for (const edgeUs of [10, 50, 250, 500, 1000]) expect(below(edgeUs)).toBe(edgeUs);
    expect(Math.abs(below(333) - 333)).toBeLessThan(1);
    expect(below(1e6)).toBe(1000);
  });
});
