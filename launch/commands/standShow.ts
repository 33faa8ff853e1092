/** What a Digit's lab shows by itself under `up`: it stands, is pushed, and falls, again and again on other grounds. */
import { sleepMs } from "../../core/clock.js";
import type { Daemon } from "../daemon/daemon.js";
import { PacedStand } from "../tasks/pacedStand.js";
import { runStandTrial } from "../tasks/standRun.js";
import { STAND_SCENARIO_NAMES, STAND_SCENARIOS, type StandScenarioName } from "../tasks/standScenarios.js";
import { describeStandTrial, planStandTrials } from "../tasks/standTrials.js";

const PLANNED = 1000;
const PERSON_POLL_MS = 200;
/** What people come to see goes first. */
const FIRST: readonly StandScenarioName[] = ["pushed", "felled"];
const SHOWN = [...FIRST, ...STAND_SCENARIO_NAMES.filter((name) => !FIRST.includes(name))];

/** Until the signal aborts. @throws what neither ends by itself nor is a person's to mend */
export async function standInLab(
  daemon: Daemon,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  const { clock, cell } = daemon;
  const stage = new PacedStand(daemon, { byPolicy: false });
  say("the robot now stands, is pushed, and falls, on one ground after another; Ctrl-C ends it");
  daemon.activity = "stands, is pushed and falls by itself";
  for (const trial of planStandTrials({ count: PLANNED, seed: cell.lab!.seed, scenarios: SHOWN })) {
    if (stage.needsPerson) {
      say(
        "the robot is stopped and stays so; `./cerebellum why` tells by what, `./cerebellum reset` goes on",
      );
      while (stage.needsPerson && !signal.aborted) await sleepMs(clock, PERSON_POLL_MS, signal);
    }
    if (signal.aborted) break;
    const { words, trialS } = STAND_SCENARIOS[trial.scenario];
    say(`${trial.scenario}: ${words}, ${trialS} s`);
    const result = await runStandTrial(stage, trial, signal).catch((thrown: unknown) => {
      if (stage.needsPerson || signal.aborted) return undefined;
      throw thrown;
    });
    if (signal.aborted) break;
    if (result !== undefined && !stage.needsPerson) say(describeStandTrial(result));
  }
  daemon.activity = "";
}
