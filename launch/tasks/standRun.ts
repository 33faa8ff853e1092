/**
 * Runs one trial of a standing Digit on a stage: the paced cell, or simulated time. The stage knows how a robot is put on its
 * feet and enabled there; here is what happens to it then.
 */
import type { DigitFault } from "../../lab/digit/digitFaults.js";
import type { DigitSceneName } from "../../lab/digit/scenes.js";
import type { DigitSample, DriveSpan } from "./digitTruth.js";
import { isFallen, judgeStand } from "./stand.js";
import { type Disturbance, STAND_SCENARIOS, type StandScenario } from "./standScenarios.js";
import { forceOf, type StandTrial, type StandTrialResult } from "./standTrials.js";

/** The servo has left its stand by itself. */
export interface LetGo {
  /** By the clock of the stage [ms]. */
  readonly atMs: number;
  readonly because: string;
}

export interface StandStage {
  /** Clock of everything that the stage says [ms]. */
  nowMs(): number;
  /** The robot stands there, enabled and at rest; what its motors got before is forgotten. */
  begin(scene: DigitSceneName, signal: AbortSignal): Promise<void>;
  disturb(fault: DigitFault): Promise<void>;
  sample(atS: number): Promise<DigitSample>;
  /** Since `begin`; undefined while it stands. */
  letGo(): LetGo | undefined;
  /** What the motors got since `begin`. */
  spans(): Promise<readonly DriveSpan[]>;
  waitUntil(atMs: number, signal: AbortSignal): Promise<void>;
}

const SAMPLE_MS = 50;
/** A trial goes on for so long after a fall: whether motors are driven again is seen then. */
const AFTER_FALL_S = 3;
/** A rope to a point so far away, taut from the start; it gives way at its force. */
const ROPE = { anchorM: 3, heightM: 1, lengthM: 1, stiffnessNPerM: 200 } as const;

/** @throws CerebellumError what the stage throws */
export async function runStandTrial(
  stage: StandStage,
  trial: StandTrial,
  signal: AbortSignal,
): Promise<StandTrialResult> {
  const scenario: StandScenario = STAND_SCENARIOS[trial.scenario];
  await stage.begin(scenario.scene, signal);
  const startMs = stage.nowMs();
  const waiting = scenario.disturbances
    .map((disturbance, index) => ({
      atS: disturbance.atS,
      fault: faultOf(disturbance, trial.towardsRad[index]!),
    }))
    .sort((one, other) => one.atS - other.atS);
  const samples: DigitSample[] = [];
  let endS = scenario.trialS;
  while (!signal.aborted) {
    const atS = (stage.nowMs() - startMs) / 1000;
    while (waiting[0] !== undefined && waiting[0].atS <= atS) await stage.disturb(waiting.shift()!.fault);
    const sample = await stage.sample(atS);
    samples.push(sample);
    if (stage.letGo() !== undefined || isFallen(sample, samples[0]!))
      endS = Math.min(endS, atS + AFTER_FALL_S);
    if (atS >= endS) break;
    await stage.waitUntil(startMs + 1000 * atS + SAMPLE_MS, signal);
  }
  const letGo = stage.letGo();
  const run = {
    samples,
    spans: await stage.spans(),
    letGoMs: letGo?.atMs,
    letGoBecause: letGo?.because,
  };
  return { ...trial, verdict: judgeStand(scenario, run, startMs) };
}

/** As the lab's people do it, world frame; the robot looks along x at the start. */
function faultOf(disturbance: Disturbance, towardsRad: number): DigitFault {
  switch (disturbance.kind) {
    case "push":
      return { pushes: { forceN: forceOf(disturbance, towardsRad), ms: disturbance.ms } };
    case "pull":
      return {
        pulls: {
          anchorM: [ROPE.anchorM * Math.cos(towardsRad), ROPE.anchorM * Math.sin(towardsRad), ROPE.heightM],
          lengthM: ROPE.lengthM,
          stiffnessNPerM: ROPE.stiffnessNPerM,
          forceMaxN: disturbance.forceN,
          ms: disturbance.ms,
        },
      };
    case "weaken":
      return {
        weakens: { motors: [...disturbance.motors], share: disturbance.share },
        forMs: disturbance.ms,
      };
  }
}
