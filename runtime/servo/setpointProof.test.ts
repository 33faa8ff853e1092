/**
 * Streams of setpoints through the motion of one arm. What planned motion has sent passes again bit for bit; what
 * anybody makes up passes only as far as it keeps every limit, as the judge of planned motion sees it.
 *
 * `CEREBELLUM_PROOF_RUNS=10000` runs the whole proof; the default is a part of it.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  between,
  body,
  JOINTS,
  type Life,
  life,
  MotionJudge,
  PERIOD_S,
  PROFILES,
  restTicksMax,
} from "../../test/support/servo/motionJudge.js";
import type { LimiterLimits } from "./limits.js";
import { Motion } from "./motion.js";
import { splineAccelerations } from "./splineAccelerations.js";

const RUNS = Number(process.env.CEREBELLUM_PROOF_RUNS ?? 60);
const SEED = Number(process.env.CEREBELLUM_PROOF_SEED ?? 20_261_127);
/** Fewer than make the arm come to rest at the last one that left. */
const UNSENT_TICKS = 4;

/** Setpoints from rest to rest, tick by tick. */
interface Recording {
  readonly startRad: readonly number[];
  readonly sentRad: number[];
}

/** What a life has sent: one recording for each time that the arm was enabled. */
function record({ profile, start, events }: Life): Recording[] {
  const limits = PROFILES[profile]!;
  const motion = new Motion(limits, body, PERIOD_S);
  const recordings: Recording[] = [];
  let nowMs = 0;
  const startAt = (positionRad: readonly number[]) => {
    motion.startAt(Float64Array.from(positionRad));
    recordings.push({ startRad: positionRad, sentRad: [...positionRad] });
  };
  const run = (count: number) => {
    for (let tick = 0; tick < count; tick++, nowMs += 1000 * PERIOD_S) {
      recordings.at(-1)!.sentRad.push(...motion.next());
      motion.accept();
    }
  };
  const rest = () => {
    motion.hold();
    run(restTicksMax(limits) + 5);
    expect(motion.atRest).toBe(true);
  };
  startAt(start);
  for (const happens of events) {
    if (happens.kind === "target") {
      motion.follow(Float64Array.from(happens.pose), happens.scale, nowMs);
      run(happens.ticks);
    } else if (happens.kind === "stream") {
      for (let time = 0; time < happens.times; time++) {
        motion.follow(
          motion.sentRad.map((value, joint) => value + happens.delta[joint]!),
          happens.scale,
          nowMs,
        );
        run(happens.every);
      }
    } else if (happens.kind === "hold") {
      motion.hold();
      run(happens.ticks);
    } else if (happens.kind === "reconnect") {
      rest();
      startAt(happens.pose);
    } else {
      motion.next();
      motion.skip(Math.min(UNSENT_TICKS, happens.ticks));
      run(1);
    }
  }
  rest();
  return recordings;
}

const setpointAt = (row: ArrayLike<number>, tick: number) =>
  Float64Array.from({ length: JOINTS }, (_, joint) => row[tick * JOINTS + joint]!);

/** Feeds a stream until its end or its first setpoint that does not pass; then the arm brakes. @returns how many passed */
function stream(
  motion: Motion,
  positionRad: ArrayLike<number>,
  accelerationRadPerS2: ArrayLike<number>,
  judge?: MotionJudge,
): number {
  const ticks = positionRad.length / JOINTS;
  for (let tick = 0; tick < ticks; tick++) {
    const wanted = setpointAt(positionRad, tick);
    const setpoint = motion.nextSetpoint(wanted, setpointAt(accelerationRadPerS2, tick));
    judge?.sees(setpoint);
    // An expectation for each of a million numbers takes longer than the motion itself.
    if (!motion.isStreamed) expect(motion.reasons).not.toBe(0);
    else if (setpoint.some((value, joint) => !Object.is(value, wanted[joint])))
      expect([...setpoint]).toEqual([...wanted]);
    const passed = motion.isStreamed;
    motion.accept();
    if (!passed) return tick;
  }
  return ticks;
}

describe("a stream of setpoints", () => {
  it(`that motion itself has sent passes bit for bit (${RUNS} random lives)`, () => {
    const counts = { recordings: 0, ticks: 0 };
    fc.assert(
      fc.property(life, (lived) => {
        const limits = PROFILES[lived.profile]!;
        for (const { startRad, sentRad } of record(lived)) {
          const motion = new Motion(limits, body, PERIOD_S);
          motion.startAt(Float64Array.from(startRad));
          const ticks = sentRad.length / JOINTS;
          const passed = stream(motion, sentRad, splineAccelerations(sentRad, JOINTS, PERIOD_S));
          expect(passed, `setpoints that passed, of ${ticks}; reasons ${motion.reasons}`).toBe(ticks);
          motion.hold();
          expect([...motion.next()]).toEqual(sentRad.slice(-JOINTS));
          expect(motion.atRest).toBe(true);
          counts.recordings++;
          counts.ticks += ticks;
        }
      }),
      { numRuns: RUNS, seed: SEED, endOnFailure: true },
    );
    if (process.env.CEREBELLUM_PROOF_RUNS !== undefined) console.log(JSON.stringify(counts));
  }, 3_000_000);

  it(`that anybody has made up keeps every limit (${RUNS} random lives)`, () => {
    const counts: Record<string, number> = { streams: 0, asked: 0, passed: 0, whole: 0 };
    const worstOfAll: Record<string, number> = {};
    fc.assert(
      fc.property(hostileLife, ({ lived, profile, spoilers }) => {
        const limits = PROFILES[profile]!;
        const judge = new MotionJudge(limits, lived.start);
        const motion = new Motion(limits, body, PERIOD_S);
        motion.startAt(Float64Array.from(lived.start));
        for (const [part, { sentRad: recorded }] of record(lived).entries()) {
          const spoiler = spoilers[part % spoilers.length]!;
          const moved = fromWhereItStands(recorded, motion.sentRad);
          const { positionRad, accelerationRadPerS2 } = SPOIL[spoiler.how](moved, spoiler, limits);
          const passed = stream(motion, positionRad, accelerationRadPerS2, judge);
          counts.streams!++;
          counts.asked! += positionRad.length / JOINTS;
          counts.passed! += passed;
          if (passed === positionRad.length / JOINTS) counts.whole!++;
          motion.hold();
          const ticks = spoiler.at < 0.5 ? restTicksMax(limits) + 5 : 3;
          for (let tick = 0; tick < ticks; tick++) {
            judge.sees(motion.next());
            expect(motion.cutReasons).toBe(0);
            motion.accept();
          }
        }
        for (let tick = 0; tick < restTicksMax(limits); tick++) {
          judge.sees(motion.next());
          motion.accept();
        }
        expect(motion.atRest).toBe(true);
        judge.looks();
        for (const [what, value] of Object.entries(judge.worst))
          worstOfAll[what] = Math.max(worstOfAll[what] ?? 0, value);
      }),
      { numRuns: RUNS, seed: SEED, endOnFailure: true },
    );
    if (process.env.CEREBELLUM_PROOF_RUNS !== undefined) console.log(JSON.stringify({ counts, worstOfAll }));
    expect(counts.passed).toBeGreaterThan(counts.streams! * 20);
    expect(counts.whole).toBeLessThan(counts.streams!);
  }, 3_000_000);
});

// Hostile streams

const HOWS = ["other", "jump", "faster", "drift", "wild", "accelerations", "turn", "holes"] as const;
interface Spoiler {
  readonly how: (typeof HOWS)[number];
  /** Where in the stream, and how much: 0..1. */
  readonly at: number;
  readonly size: number;
  readonly seeds: readonly number[];
}
interface Stream {
  readonly positionRad: number[];
  readonly accelerationRadPerS2: ArrayLike<number>;
}
const hostileLife = fc.record({
  lived: life,
  profile: fc.constantFrom(...Object.keys(PROFILES)),
  spoilers: fc.array(
    fc.record({
      how: fc.constantFrom(...HOWS),
      at: between(0, 1),
      size: between(0, 1),
      seeds: fc.array(between(-1, 1), { minLength: 50, maxLength: 50 }),
    }),
    { minLength: 2, maxLength: 3 },
  ),
});

/** The same motion, seen from another start. */
function fromWhereItStands(recorded: readonly number[], sentRad: Float64Array): number[] {
  return recorded.map((value, i) => value - recorded[i % JOINTS]! + sentRad[i % JOINTS]!);
}

const splined = (positionRad: number[]): Stream => ({
  positionRad,
  accelerationRadPerS2: splineAccelerations(positionRad, JOINTS, PERIOD_S),
});
const tickOf = (row: readonly number[], share: number) => Math.floor((share * row.length) / JOINTS);

const SPOIL: Record<Spoiler["how"], (row: number[], spoiler: Spoiler, limits: LimiterLimits) => Stream> = {
  /** A good motion of an arm with other limits, at another place. */
  other: (row) => splined(row),
  /** One joint jumps by something between far too little to see and far too much. */
  jump: (row, { at, size, seeds }) => {
    const { accelerationRadPerS2 } = splined(row);
    const first = tickOf(row, at) * JOINTS + Math.floor(Math.abs(seeds[0]!) * 6.99);
    const byRad = Math.sign(seeds[1]!) * 10 ** (-12 + 12 * size);
    const positionRad = row.map((value, i) =>
      i >= first && (i - first) % JOINTS === 0 ? value + byRad : value,
    );
    return seeds[2]! > 0 ? splined(positionRad) : { positionRad, accelerationRadPerS2 };
  },
  /** The same way at up to three times the speed, or with steps that grow. */
  faster: (row, { size }) => {
    const positionRad: number[] = [];
    const ticks = row.length / JOINTS;
    for (let at = 0; at < ticks - 1; at += 1 + 2 * size) {
      const [tick, share] = [Math.floor(at), at % 1];
      for (let joint = 0; joint < JOINTS; joint++) {
        const from = row[tick * JOINTS + joint]!;
        positionRad.push(from + share * (row[(tick + 1) * JOINTS + joint]! - from));
      }
    }
    return splined(positionRad);
  },
  /** Creeps on by less than a setpoint may be off. */
  drift: (row, { size, seeds }) => {
    const { accelerationRadPerS2 } = splined(row);
    const byRad = size * 4e-10;
    return {
      positionRad: row.map((v, i) => v + byRad * seeds[0]! * Math.floor(i / JOINTS)),
      accelerationRadPerS2,
    };
  },
  /** Consistent, and as violent as the limits of jerk and acceleration allow, to anywhere. */
  wild: (row, { size, seeds }, limits) => {
    const ticks = Math.min(400, row.length / JOINTS);
    const [x, v, a] = [row.slice(0, JOINTS), Array(JOINTS).fill(0), Array(JOINTS).fill(0)];
    const positionRad: number[] = [];
    const accelerationRadPerS2: number[] = [];
    const every = 1 + Math.floor(60 * size);
    for (let tick = 0; tick < ticks; tick++)
      for (let joint = 0; joint < JOINTS; joint++) {
        const seed = seeds[(joint + Math.floor(tick / every)) % seeds.length]!;
        const step =
          limits.jerkMaxRadPerS3[joint]! * PERIOD_S * (size < 0.3 ? seed : Math.sign(seed)) * 0.999;
        const most = limits.accelerationMaxRadPerS2[joint]!;
        const y = Math.min(most, Math.max(-most, a[joint] + step));
        x[joint]! += v[joint] * PERIOD_S + ((2 * a[joint] + y) * PERIOD_S ** 2) / 6;
        v[joint] += ((a[joint] + y) * PERIOD_S) / 2;
        a[joint] = y;
        positionRad.push(x[joint]!);
        accelerationRadPerS2.push(y);
      }
    return { positionRad, accelerationRadPerS2 };
  },
  /** Right places with wrong accelerations, not-a-number among them. */
  accelerations: (row, { at, size, seeds }) => {
    const { accelerationRadPerS2 } = splined(row);
    const first = tickOf(row, at) * JOINTS;
    const wrong = Float64Array.from(accelerationRadPerS2, (value, i) =>
      i < first ? value : value * (1 + size * seeds[i % seeds.length]!) + 1e-3 * size,
    );
    if (size > 0.8) wrong[first] = Number.NaN;
    return { positionRad: row, accelerationRadPerS2: wrong };
  },
  /** Turns round in one tick. */
  turn: (row, { at }) => {
    const tick = tickOf(row, at);
    const there = row.slice(0, tick * JOINTS);
    const back: number[] = [];
    for (let k = tick - 1; k >= 0; k--) back.push(...there.slice(k * JOINTS, (k + 1) * JOINTS));
    return splined([...there, ...back, ...(tick === 0 ? row : [])]);
  },
  /** Setpoints are missing, or not numbers. */
  holes: (row, { at, size, seeds }) => {
    const tick = tickOf(row, at);
    const missing = 1 + Math.floor(6 * size);
    const positionRad = [...row.slice(0, tick * JOINTS), ...row.slice((tick + missing) * JOINTS)];
    if (seeds[0]! > 0.7 && positionRad.length > JOINTS) positionRad[tick * JOINTS] = Number.NaN;
    const { accelerationRadPerS2 } = splined(row);
    return seeds[1]! > 0 ? splined(positionRad) : { positionRad, accelerationRadPerS2 };
  },
};
