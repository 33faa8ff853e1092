import { describe, expect, it } from "vitest";
import {
  type Chance,
  chance,
  DELAY_KINDS,
  DELAY_MS_MIN,
  type DelayKind,
  delaysMs,
  quantile,
} from "../../test/support/episodes/delays.js";
import { type ReceivedStamp, recoverCaptureTimes } from "./captureTimes.js";

const EPOCH_NS = 1_800_000_000_000_000_000n;

interface Truth {
  readonly samples: ReceivedStamp[];
  readonly capturedNs: bigint[];
}

/** Messages of a device whose clock shows `offsetNs` at the episode's start and runs `driftPpm` fast. */
function simulate(
  kind: DelayKind,
  {
    seconds,
    rateHz,
    driftPpm,
    offsetNs,
  }: { seconds: number; rateHz: number; driftPpm: number; offsetNs: bigint },
  random: Chance,
): Truth {
  const count = Math.round(seconds * rateHz);
  const delays = delaysMs(kind, count, rateHz, random);
  const samples: ReceivedStamp[] = [];
  const capturedNs: bigint[] = [];
  for (let i = 0; i < count; i++) {
    const atNs = Math.round((i * 1e9) / rateHz + 1e5 * random());
    capturedNs.push(EPOCH_NS + BigInt(atNs));
    samples.push({
      stampNs: offsetNs + BigInt(Math.round(atNs * (1 + driftPpm / 1e6))),
      receivedNs: EPOCH_NS + BigInt(atNs) + BigInt(Math.round(delays[i]! * 1e6)),
    });
  }
  // As they come in: with independent delays, many are overtaken.
  const order = Array.from(samples.keys()).sort((a, b) =>
    Number(samples[a]!.receivedNs - samples[b]!.receivedNs),
  );
  return { samples: order.map((i) => samples[i]!), capturedNs: order.map((i) => capturedNs[i]!) };
}

const errorsMs = (captureNs: BigInt64Array, capturedNs: readonly bigint[]) =>
  Float64Array.from(captureNs, (found, i) => Number(found - capturedNs[i]!) / 1e6);

describe("recovered capture times under delays of 5 to 200 ms and drift of 50 ppm", () => {
  // Runs of one row are taken together: one episode of 10 s has one draw of its fastest message.
  const rows = [
    { what: "state", rateHz: 100, seconds: 10, runs: 60, p99Ms: 2 },
    { what: "state", rateHz: 250, seconds: 10, runs: 40, p99Ms: 2 },
    { what: "state", rateHz: 250, seconds: 60, runs: 6, p99Ms: 2 },
    { what: "state", rateHz: 100, seconds: 600, runs: 2, p99Ms: 2 },
    { what: "image", rateHz: 30, seconds: 10, runs: 150, p99Ms: 4 },
    { what: "image", rateHz: 30, seconds: 60, runs: 40, p99Ms: 4 },
    { what: "image", rateHz: 30, seconds: 600, runs: 6, p99Ms: 4 },
  ];
  const cases = rows.flatMap((row) => DELAY_KINDS.map((kind) => ({ ...row, kind })));

  it.each(cases)(
    "$what at $rateHz Hz, $seconds s, $kind delays: within $p99Ms ms at p99, and within their bound",
    ({ kind, rateHz, seconds, runs, p99Ms }) => {
      const random = chance(rateHz * 1000 + seconds + kind.length);
      const all: number[] = [];
      let outside = 0;
      for (let run = 0; run < runs; run++) {
        const driftPpm = [50, -50, 100 * random() - 50][run % 3]!;
        const offsetNs = BigInt(Math.floor(1e15 * random()));
        const { samples, capturedNs } = simulate(kind, { seconds, rateHz, driftPpm, offsetNs }, random);
        const found = recoverCaptureTimes(samples, { latencyMs: DELAY_MS_MIN });
        expect(found.segments).toHaveLength(1);
        expect(found.segments[0]!.clock).toBe("other");
        const errors = errorsMs(found.captureNs, capturedNs).map(Math.abs);
        const worst = errors.reduce((a, b) => Math.max(a, b));
        if (worst > found.segments[0]!.errorMs) outside++;
        // Enough of each run to see its ends, which are worst.
        for (let i = 0; i < errors.length; i += Math.max(1, Math.floor(errors.length / 500)))
          all.push(errors[i]!);
      }
      expect(quantile(all, 0.99)).toBeLessThanOrEqual(p99Ms);
      // 99 % are promised; of few runs one may always be outside.
      expect(outside).toBeLessThanOrEqual(Math.max(1, 0.02 * runs));
    },
  );
});

const regular = (
  count: number,
  rateHz: number,
  stampNs: (atNs: number) => bigint,
  delayMs = (_index: number) => 12,
) =>
  Array.from({ length: count }, (_, i): ReceivedStamp => {
    const atNs = Math.round((i * 1e9) / rateHz);
    return {
      stampNs: stampNs(atNs),
      receivedNs: EPOCH_NS + BigInt(atNs) + BigInt(Math.round(delayMs(i) * 1e6)),
    };
  });
const hostStamp = (atNs: number) => EPOCH_NS + BigInt(atNs);

describe("recovered capture times", () => {
  it("uses stamps of the host's own clock as they are, less the declared latency", () => {
    const random = chance(1);
    const samples = regular(300, 30, hostStamp, () => 12 + 90 * random());
    const { captureNs, segments, unusable } = recoverCaptureTimes(samples, { latencyMs: 8 });
    expect(segments).toMatchObject([{ first: 0, last: 299, clock: "host", driftPpm: 0 }]);
    expect(segments[0]!.delayMsMin).toBeGreaterThanOrEqual(12);
    expect([...captureNs]).toEqual(samples.map(({ stampNs }) => stampNs - 8_000_000n));
    expect(unusable).toEqual([]);
  });

  it("does not take a clock that drifts for the host's, though it was set by it", () => {
    const random = chance(2);
    const drifting = (atNs: number) => EPOCH_NS + BigInt(Math.round(atNs * (1 - 50e-6)));
    const samples = regular(18_000, 30, drifting, () => 5 + 195 * random());
    const { captureNs, segments } = recoverCaptureTimes(samples, { latencyMs: 5 });
    expect(segments).toMatchObject([{ clock: "other" }]);
    expect(segments[0]!.driftPpm).toBeCloseTo(-50, 0);
    for (const [i, { stampNs }] of samples.entries()) {
      const trueNs = EPOCH_NS + BigInt(Math.round(Number(stampNs - EPOCH_NS) / (1 - 50e-6)));
      expect(Math.abs(Number(captureNs[i]! - trueNs)) / 1e6).toBeLessThanOrEqual(segments[0]!.errorMs);
    }
  });

  it("hides no constant: an undeclared one is in every time, whole, and in no bound", () => {
    const random = chance(3);
    const samples = regular(
      2000,
      100,
      (atNs) => BigInt(atNs),
      () => 40 + 20 * random(),
    );
    const { captureNs, segments } = recoverCaptureTimes(samples);
    const errors = captureNs.map((found, i) => found - EPOCH_NS - samples[i]!.stampNs);
    for (const error of errors) expect(Number(error) / 1e6).toBeCloseTo(40, 0);
    expect(segments[0]!.errorMs).toBeLessThan(2);
    const declared = recoverCaptureTimes(samples, { latencyMs: 40 });
    for (const [i, found] of declared.captureNs.entries())
      expect(Math.abs(Number(found - EPOCH_NS - samples[i]!.stampNs)) / 1e6).toBeLessThan(
        declared.segments[0]!.errorMs,
      );
  });

  it("begins anew where a controller restarts, a counter wraps, or a clock is set", () => {
    const random = chance(4);
    for (const jumpNs of [-7_700_000_000_000n, -(2n ** 32n) * 1000n, 86_400_000_000_000n]) {
      const device = (atNs: number) => 8_000_000_000_000n + BigInt(atNs) + (atNs >= 6e9 ? jumpNs : 0n);
      const samples = regular(3000, 250, device, () => 5 + 30 * random());
      const { captureNs, segments, unusable } = recoverCaptureTimes(samples, { latencyMs: 5 });
      expect(segments.map(({ first, last }) => [first, last])).toEqual([
        [0, 1499],
        [1500, 2999],
      ]);
      expect(unusable).toEqual([]);
      for (const [i, found] of captureNs.entries())
        expect(Math.abs(Number(found - EPOCH_NS) / 1e6 - i * 4)).toBeLessThan(1.5);
    }
  });

  it("finds where the epoch clock was set by little, and takes the path to be as fast as before", () => {
    const random = chance(5);
    for (const stepMs of [40, -90, 400]) {
      const stamp = (atNs: number) => EPOCH_NS + BigInt(atNs + (atNs >= 7e9 ? stepMs * 1e6 : 0));
      const samples = regular(600, 30, stamp, () => 12 + 3 * random());
      const { captureNs, segments } = recoverCaptureTimes(samples);
      expect(segments.map(({ first }) => first)).toEqual([0, 210]);
      expect(segments[0]!.clock).toBe("host");
      for (const [i, found] of captureNs.entries())
        expect(Math.abs(Number(found - EPOCH_NS) / 1e6 - (i * 1000) / 30)).toBeLessThan(1);
    }
  });

  it("does not take a computer that stalls, loses messages and catches up for a clock that was set", () => {
    const samples = regular(600, 30, hostStamp, (i) => (i < 200 ? 900 - 1.5 * i : 12)).filter(
      (_, i) => i < 190 || i > 215,
    );
    const { captureNs, segments } = recoverCaptureTimes(samples);
    expect(segments).toMatchObject([{ clock: "host" }]);
    expect([...captureNs]).toEqual(samples.map(({ stampNs }) => stampNs));
    const steady = regular(600, 30, hostStamp, (i) => (i < 200 ? 400 : 12)).filter(
      (_, i) => i < 190 || i > 215,
    );
    expect(recoverCaptureTimes(steady).segments).toMatchObject([{ clock: "host" }]);
  });

  it("leaves a stamp that fits nothing to the time of its receipt", () => {
    const samples = regular(100, 30, (atNs) => BigInt(atNs) + 10n ** 13n);
    samples[40] = { ...samples[40]!, stampNs: 5n };
    samples[99] = { ...samples[99]!, stampNs: 10n ** 15n };
    const { captureNs, segments, unusable } = recoverCaptureTimes(samples, { latencyMs: 2 });
    expect(unusable).toEqual([40, 99]);
    expect(segments).toHaveLength(1);
    expect(captureNs[40]).toBe(samples[40].receivedNs - 2_000_000n);
    expect(captureNs[41]! - captureNs[39]!).toBe(samples[41]!.stampNs - samples[39]!.stampNs);
  });

  it("promises nothing of few messages, and takes none", () => {
    expect(recoverCaptureTimes([])).toEqual({ captureNs: new BigInt64Array(0), segments: [], unusable: [] });
    for (const count of [1, 2, 7]) {
      const { captureNs, segments } = recoverCaptureTimes(regular(count, 30, (atNs) => BigInt(atNs)));
      expect(captureNs).toHaveLength(count);
      expect(segments[0]!.errorMs).toBe(Number.POSITIVE_INFINITY);
    }
  });

  it("counts a report that is told of several times as one", () => {
    const random = chance(6);
    const once = regular(
      500,
      100,
      (atNs) => BigInt(atNs),
      () => 5 + 50 * random(),
    );
    const thrice = once.flatMap((sample) => [sample, sample, sample]);
    const [a, b] = [recoverCaptureTimes(once), recoverCaptureTimes(thrice)];
    expect(b.segments[0]!.errorMs).toBe(a.segments[0]!.errorMs);
    expect([...b.captureNs].filter((_, i) => i % 3 === 0)).toEqual([...a.captureNs]);
  });
});
