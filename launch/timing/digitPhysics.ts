/** How fast the lab's Digit is on one core: standing, as its own controller would make it, and lying where it fell. */
import type { Clock } from "../../core/clock.js";
import { LatenessHistogram, type LatenessSummary } from "../../core/histogram.js";
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import { DIGIT_STEP_MS, MujocoDigit } from "../../lab/digit/mujocoBody.js";

const STAND = { stiffnessNmPerRad: 1000, dampingNmSPerRad: 30 } as const;
/** Motors without torque lie down within it [ms]. */
const FALL_MS = 2000;
/** For the compiler, which has to have seen MuJoCo's code. */
const WARM_UP_MS = 500;

export interface DigitPhysicsPass {
  readonly simulatedS: number;
  /** Simulated time over time that passed: 1 is real time on a core of its own. */
  readonly realTimeFactor: number;
  /** Of one step of `stepMs` [µs]. */
  readonly stepUs: LatenessSummary;
}

export interface DigitPhysicsResult {
  readonly stepMs: number;
  readonly standing: DigitPhysicsPass;
  /** Many contacts: what the lab must bear after every trial that failed. */
  readonly lying: DigitPhysicsPass;
}

/** @throws CerebellumError CHECK_FAILED when MuJoCo refuses the model */
export async function measureDigitPhysics(options: {
  readonly clock: Clock;
  /** Of simulated time, for each of the two. */
  readonly simulatedS: number;
}): Promise<DigitPhysicsResult> {
  const { clock } = options;
  const body = await MujocoDigit.load();
  try {
    const durationMs = 1000 * options.simulatedS;
    stand(body, WARM_UP_MS);
    body.reset();
    const standing = timed(clock, durationMs, (ms) => stand(body, ms));
    for (const numbers of Object.values(body.drive) as Float64Array[]) numbers.fill(0);
    body.step(FALL_MS / 1000);
    const lying = timed(clock, durationMs, (ms) => body.step(ms / 1000));
    return { stepMs: DIGIT_STEP_MS, standing, lying };
  } finally {
    body.dispose();
  }
}

function timed(clock: Clock, durationMs: number, step: (ms: number) => void): DigitPhysicsPass {
  const histogram = new LatenessHistogram();
  const startMs = clock.nowMs();
  let beforeMs = startMs;
  for (let ms = 0; ms < durationMs; ms += DIGIT_STEP_MS) {
    step(DIGIT_STEP_MS);
    const nowMs = clock.nowMs();
    histogram.add(1000 * (nowMs - beforeMs));
    beforeMs = nowMs;
  }
  return {
    simulatedS: durationMs / 1000,
    realTimeFactor: durationMs / (beforeMs - startMs),
    stepUs: histogram.summaryUs(),
  };
}

/** Stiff control to the pose in which it started, a millisecond at a time. */
function stand(body: MujocoDigit, durationMs: number): void {
  body.drive.dampingNmSPerRad.fill(STAND.dampingNmSPerRad);
  for (let ms = 0; ms < durationMs; ms++) {
    for (let motor = 0; motor < DIGIT_MOTORS.length; motor++) {
      const errorRad = body.standRad[motor]! - body.truth.positionRad[motor]!;
      body.drive.torqueNm[motor] = STAND.stiffnessNmPerRad * errorRad;
    }
    body.step(0.001);
  }
}
