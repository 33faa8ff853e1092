/**
 * Random lives of an arm, judged by the sent setpoints alone.
 *
 * `CEREBELLUM_PROOF_RUNS=10000` runs the whole proof; the default is a part of it.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  body,
  type Life,
  life,
  MotionJudge,
  PERIOD_S,
  PROFILES,
  restTicksMax,
  UNSENT_TICKS_TO_REST,
} from "../../test/support/servo/motionJudge.js";
import { REASON_BITS } from "./api.js";
import { Motion } from "./motion.js";

const RUNS = Number(process.env.CEREBELLUM_PROOF_RUNS ?? 100);
const counts = { runs: 0, ticks: 0, cut: 0, rejected: 0, looks: 0 };
/** Largest values of all lives, as shares of the limits where there is a limit. */
const worstOfAll: Record<string, number> = {};

function live({ profile, start, events }: Life): void {
  const limits = PROFILES[profile]!;
  const motion = new Motion(limits, body, PERIOD_S);
  motion.startAt(Float64Array.from(start));
  const judge = new MotionJudge(limits, start);
  let nowMs = 0;
  let unsentTicks = 0;
  const run = (count: number) => {
    unsentTicks = 0;
    for (let tick = 0; tick < count; tick++, nowMs += 1000 * PERIOD_S) {
      const setpoint = motion.next();
      if (motion.cutReasons !== 0) counts.cut++;
      if (motion.cutReasons !== 0) expect(motion.cutReasons, "reasons for a cut").toBe(0);
      judge.sees(setpoint);
      if ((motion.reasons & (REASON_BITS.selfCollision | REASON_BITS.tablePlane)) !== 0) counts.rejected++;
      motion.accept();
    }
  };
  counts.runs++;
  for (const happens of events) {
    if (happens.kind === "target") {
      motion.follow(Float64Array.from(happens.pose), happens.scale, nowMs);
      run(happens.ticks);
    } else if (happens.kind === "stream") {
      for (let time = 0; time < happens.times; time++) {
        const next = motion.sentRad.map((value, joint) => value + happens.delta[joint]!);
        motion.follow(next, happens.scale, nowMs);
        run(happens.every);
      }
    } else if (happens.kind === "hold") {
      motion.hold();
      run(happens.ticks);
    } else if (happens.kind === "reconnect") {
      motion.startAt(Float64Array.from(happens.pose));
      judge.standsAt(happens.pose);
      unsentTicks = 0;
      expect([...motion.next()]).toEqual(happens.pose);
    } else {
      motion.next();
      motion.skip(happens.ticks);
      unsentTicks += happens.ticks;
      if (unsentTicks >= UNSENT_TICKS_TO_REST) judge.standsAt(motion.sentRad, false);
    }
  }
  judge.looks();
  motion.hold();
  run(restTicksMax(limits));
  expect(motion.atRest).toBe(true);
  const stands = [...motion.sentRad];
  run(1);
  expect([...motion.sentRad]).toEqual(stands);
  judge.looks();
  counts.ticks += judge.ticks;
  counts.looks += judge.lookCount;
  for (const [what, value] of Object.entries(judge.worst))
    worstOfAll[what] = Math.max(worstOfAll[what] ?? 0, value);
}

describe("motion", () => {
  it(`keeps every declared limit through ${RUNS} random lives`, () => {
    try {
      fc.assert(fc.property(life, live), { numRuns: RUNS, seed: 20_261_127, endOnFailure: true });
    } finally {
      if (process.env.CEREBELLUM_PROOF_RUNS !== undefined)
        console.log(JSON.stringify({ counts, worstOfAll }));
    }
    expect(counts.cut).toBe(0);
  }, 3_000_000);
});
