/** One trial of a hand's task on a running daemon in the lab: start pose, object, policy, ground truth, verdict. */
import type { LabHandTruth } from "../../lab/control/protocol.js";
import type { Daemon } from "../daemon/daemon.js";
import { HAND_TASKS, type HandTask } from "./handJudge.js";
import type { HandTrial, HandTrialResult } from "./handTrials.js";
import { runInLab, type StartPose } from "./trial.js";

/** @throws CerebellumError as `runInLab` does */
export async function runHandTrial(
  daemon: Daemon,
  task: HandTask,
  { index, seed, object, placeM, yawRad, light }: HandTrial,
  start: StartPose,
  signal: AbortSignal,
): Promise<HandTrialResult> {
  const { trialS, judge } = HAND_TASKS[task];
  const ran = await runInLab(daemon, start, signal, trialS, {
    scene: { do: "handScene", seed, object, placeM: [...placeM], yawRad, light },
    sample: async (lab, atS) => ({
      ...((await lab.ask({ do: "handTruth" })).handTruth as LabHandTruth),
      atS,
    }),
  });
  const { samples, ranToTheEnd, steps, heldSteps } = ran;
  return { index, seed, object, placeM, yawRad, ...judge(samples, ranToTheEnd), steps, heldSteps };
}
