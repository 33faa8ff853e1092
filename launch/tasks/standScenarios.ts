/**
 * What happens to a standing Digit in a trial, by name: ground and load, pushes and pulls, motors that weaken; one row
 * each. How much of it the stand bears was measured on the lab's body (docs/digit.md); what is larger makes it fall, and
 * then the question is how it falls.
 */
import type { MotorName } from "../../drivers/digit/protocol/joints.js";
import type { DigitSceneName } from "../../lab/digit/scenes.js";

/** From the trial's start [s]; forces on the torso [N]. */
export type Disturbance =
  | {
      readonly kind: "push";
      readonly atS: number;
      readonly forceN: number;
      readonly ms: number;
      /** Towards where, from the robot's front counter-clockwise [rad]; drawn for each trial when absent. */
      readonly towardsRad?: number;
    }
  /** A rope at the torso becomes taut and draws it that way, up to a force, until it is let go. */
  | { readonly kind: "pull"; readonly atS: number; readonly forceN: number; readonly ms: number }
  /** Torque and damping of these motors are that share of what is asked: P and D gains so much smaller. */
  | {
      readonly kind: "weaken";
      readonly atS: number;
      readonly motors: readonly MotorName[];
      readonly share: number;
      readonly ms: number;
    };

export interface StandScenario {
  readonly words: string;
  readonly scene: DigitSceneName;
  readonly trialS: number;
  readonly disturbances: readonly Disturbance[];
  /** `stands`: to the end. `falls`: it is made to fall, and must do so safely. */
  readonly aim: "stands" | "falls";
}

const TRIAL_S = 60;
const FALL_TRIAL_S = 6;
const KNEES: readonly MotorName[] = ["left_knee", "right_knee"];

/** Borne in every direction, see docs/decisions/0048. */
const BORNE_N = 50;
const PUSH_MS = 200;
/** For three seconds; forward and backward it bears 25 N, to the side 10 N. */
const BORNE_ROPE_N = 10;
/** Six times that, for longer: no stand without a step bears it. */
const FELLING_N = 300;
const FELLING_MS = 400;
const FELLS = { kind: "push", atS: 2, forceN: FELLING_N, ms: FELLING_MS } as const;

const pushes = (forceN: number, ...atS: number[]): Disturbance[] =>
  atS.map((s) => ({ kind: "push", atS: s, forceN, ms: PUSH_MS }));
const quiet = (words: string, scene: DigitSceneName): StandScenario => ({
  words,
  scene,
  trialS: TRIAL_S,
  disturbances: [],
  aim: "stands",
});
const pushed = (words: string, scene: DigitSceneName): StandScenario => ({
  ...quiet(words, scene),
  disturbances: pushes(BORNE_N, 10, 25, 40),
});
const felled = (words: string, scene: DigitSceneName, ...disturbances: Disturbance[]): StandScenario => ({
  words,
  scene,
  trialS: FALL_TRIAL_S,
  disturbances,
  aim: "falls",
});

export const STAND_SCENARIOS = {
  quiet: quiet("on flat ground, left alone", "flat"),
  pushed: pushed(`on flat ground, pushed three times with ${BORNE_N} N for ${PUSH_MS} ms`, "flat"),
  "low-friction": pushed("on smooth ground, pushed", "low-friction"),
  "slope-up": quiet("on a slope of 8.7 % that rises before it", "slope-up-8.7"),
  "slope-down": quiet("on a slope of 8.7 % that falls before it", "slope-down-8.7"),
  rough: quiet("on tiles of up to 1 cm", "rough-1cm"),
  "rough-2cm": quiet("on tiles of up to 2 cm", "rough-2cm"),
  "steps-4cm": pushed("before steps of 4 cm, pushed", "steps-4cm"),
  "steps-8cm": pushed("before steps of 8 cm, pushed", "steps-8cm"),
  "steps-16cm": pushed("before steps of 16 cm, pushed", "steps-16cm"),
  backpack: pushed("with 5 kg on its back, pushed", "backpack-5kg"),
  bag: quiet("with a bag of 2 kg on an arm", "bag-2kg"),
  "bag-pushed": pushed("with a bag of 2 kg on an arm, pushed", "bag-2kg"),
  rope: {
    ...quiet(`drawn by a rope with ${BORNE_ROPE_N} N for three seconds`, "flat"),
    disturbances: [{ kind: "pull", atS: 10, forceN: BORNE_ROPE_N, ms: 3000 }],
  },
  "weak-knees": {
    ...quiet("with P and D of the knees halved for five seconds", "flat"),
    disturbances: [{ kind: "weaken", atS: 10, motors: KNEES, share: 0.5, ms: 5000 }],
  },
  felled: felled(`pushed with ${FELLING_N} N for ${FELLING_MS} ms, which fells it`, "flat", FELLS),
  "felled-on-steps": felled("pushed as hard onto steps of 8 cm", "steps-8cm", { ...FELLS, towardsRad: 0 }),
  "drawn-over": felled("drawn by a rope with 60 N until it falls", "flat", {
    kind: "pull",
    atS: 2,
    forceN: 60,
    ms: 4000,
  }),
  "limp-knees": felled("with knees that give way", "flat", {
    kind: "weaken",
    atS: 2,
    motors: KNEES,
    share: 0,
    ms: 1000 * FALL_TRIAL_S,
  }),
} as const satisfies Readonly<Record<string, StandScenario>>;

export type StandScenarioName = keyof typeof STAND_SCENARIOS;
export const STAND_SCENARIO_NAMES = Object.keys(STAND_SCENARIOS) as StandScenarioName[];
export const isStandScenario = (name: string): name is StandScenarioName =>
  Object.hasOwn(STAND_SCENARIOS, name);
