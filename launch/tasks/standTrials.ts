/** Trials of a standing Digit: which scenario, pushed towards where; the same for the same seed. */
import { Random } from "../../lab/world/random.js";
import { type StandVerdict, wordsOf } from "./stand.js";
import {
  type Disturbance,
  STAND_SCENARIO_NAMES,
  STAND_SCENARIOS,
  type StandScenario,
  type StandScenarioName,
} from "./standScenarios.js";

export interface StandTrial {
  readonly index: number;
  readonly seed: number;
  readonly scenario: StandScenarioName;
  /** Of each disturbance, where the scenario leaves it open [rad]; from the robot's front counter-clockwise. */
  readonly towardsRad: readonly number[];
}

export interface StandTrialResult extends StandTrial {
  readonly verdict: StandVerdict;
}

/** Every one of these scenarios in turn, each time with directions of its own. */
export function planStandTrials({
  count,
  seed,
  scenarios = STAND_SCENARIO_NAMES,
}: {
  readonly count: number;
  readonly seed: number;
  readonly scenarios?: readonly StandScenarioName[] | undefined;
}): StandTrial[] {
  const random = new Random(seed).fork("stand");
  return Array.from({ length: count }, (_, index) => {
    const scenario = scenarios[index % scenarios.length]!;
    const { disturbances }: StandScenario = STAND_SCENARIOS[scenario];
    const towardsRad = disturbances.map((disturbance) => {
      const drawnRad = random.uniform(-Math.PI, Math.PI);
      return disturbance.kind === "push" ? (disturbance.towardsRad ?? drawnRad) : drawnRad;
    });
    return { index, seed, scenario, towardsRad };
  });
}

/** Level, in the robot's frame as it stands at the start [N]. */
export const forceOf = (
  { forceN }: Pick<Extract<Disturbance, { forceN: number }>, "forceN">,
  towardsRad: number,
): [number, number, number] => [forceN * Math.cos(towardsRad), forceN * Math.sin(towardsRad), 0];

/** What scenarios are there to be asked for. */
export const scenarioList = (): string =>
  STAND_SCENARIO_NAMES.map((name) => `${name} (${STAND_SCENARIOS[name].words})`).join(", ");

const QUARTER_RAD = Math.PI / 2;
const SIDES = ["forward", "to the left", "backward", "to the right"] as const;

/** The nearest of four directions, in a word. */
export const directionWord = (rad: number): string => {
  const quarter = ((Math.round(rad / QUARTER_RAD) % SIDES.length) + SIDES.length) % SIDES.length;
  return SIDES[quarter]!;
};

export function describeStandTrial({ verdict, scenario, towardsRad }: StandTrialResult): string {
  const directions = [...new Set(towardsRad.map(directionWord))];
  const moved = STAND_SCENARIOS[scenario].disturbances.some(({ kind }) => kind !== "weaken");
  return [
    verdict.success ? "success" : "FAILED ",
    `${scenario}${moved ? ` ${directions.join(", ")}` : ""}`,
    ...wordsOf(verdict),
    verdict.endedBecause,
  ].join(" · ");
}
