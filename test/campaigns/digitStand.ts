/**
 * `sh launch/setup/campaign.sh digitStand [RESULTS.csv [STIFFNESS]]`: how much a standing Digit bears: grounds and loads,
 * pulls of a cable, weak knees, and the largest push from each side. The stand's pose, gains and balance alone, without wire
 * and driver, as fast as the computer simulates; every trial is a row. Nothing is random.
 */
import { writeFileSync } from "node:fs";
import { argv, stdout } from "node:process";
import { addBalance } from "../../kinematics/digit/balance.js";
import { DIGIT_MOTORS, DIGIT_STAND } from "../../kinematics/digit/motors.js";
import { MujocoDigit } from "../../lab/digit/mujocoBody.js";
import {
  CALM_TRIAL,
  type DigitResult,
  type DigitTrial,
  RESULT_CSV_HEADER,
  resultCsvRow,
  TrialWatch,
} from "../../lab/digit/results.js";
import { DIGIT_SCENE_NAMES, DIGIT_SCENES, type DigitSceneName } from "../../lab/digit/scenes.js";
import { systemClock } from "../../launch/systemClock.js";

const STEP_S = 0.001;
const STAND_S = 60;
const CALM_S = 10;
/** On a slope it starts with its soles turned, and goes to the pose, which is one for level ground, as slowly as a servo. */
const RAMP_S = 1;
/** A push or a pull comes after so long, and the robot has so long to come to rest. */
const SETTLED_S = 2.5;
const AFTERWARDS_S = 4;
const PUSH_DIRECTIONS_DEG = [0, 45, 90, 135, 180];
const PUSHES = [
  { durationS: 0.1, upToN: 320, resolutionN: 10 },
  { durationS: 0.5, upToN: 80, resolutionN: 2.5 },
];
const CABLE_S = 3;
const CABLES_N = [10, 20, 30];
const WEAK_KNEES = 0.5;

const [path, given] = argv.slice(2);
/** [N·m/rad]; one number for every motor instead of the stand's own. */
const stiffnessNmPerRad =
  given === undefined ? DIGIT_STAND.stiffnessNmPerRad : DIGIT_MOTORS.map(() => Number(given));

const rows: DigitResult[] = [];
let simulatedS = 0;

interface Options {
  readonly scene?: DigitSceneName;
  readonly durationS: number;
  readonly push?: Pick<DigitTrial, "pushForceN" | "pushDurationS" | "pushTowardsDeg">;
  readonly cableForceMaxN?: number;
  readonly kneeStrength?: number;
}

async function stand({ scene = "flat", durationS, push, cableForceMaxN = 0, kneeStrength = 1 }: Options) {
  const body = await MujocoDigit.load({ scene: DIGIT_SCENES[scene], standRad: DIGIT_STAND.positionRad });
  const watch = new TrialWatch(body);
  const { dampingNmSPerRad } = DIGIT_STAND;
  body.drive.dampingNmSPerRad.set(dampingNmSPerRad);
  const targetRad = new Float64Array(DIGIT_MOTORS.length);
  const disturbedAt = Math.round(SETTLED_S / STEP_S);
  for (let step = 0; step < durationS / STEP_S && !watch.hasFallen; step++) {
    if (step === disturbedAt) disturb(body, push, cableForceMaxN, kneeStrength);
    const share = Math.min(1, (step * STEP_S) / RAMP_S);
    DIGIT_STAND.positionRad.forEach((rad, motor) => {
      targetRad[motor] = body.standRad[motor]! + share * (rad - body.standRad[motor]!);
    });
    addBalance(targetRad, body.truth.quatWorldBaseXyzw, body.truth.angularVelocityBaseRadPerS);
    for (let motor = 0; motor < DIGIT_MOTORS.length; motor++) {
      const errorRad = targetRad[motor]! - body.truth.positionRad[motor]!;
      body.drive.torqueNm[motor] = stiffnessNmPerRad[motor]! * errorRad;
    }
    body.step(STEP_S);
    watch.observe(STEP_S);
  }
  simulatedS += body.timeS;
  const result = watch.result({
    ...CALM_TRIAL,
    ...push,
    scene,
    controller: "stand",
    durationS,
    cableForceMaxN,
  });
  body.dispose();
  rows.push(result);
  return result;
}

function disturb(body: MujocoDigit, push: Options["push"], cableN: number, kneeStrength: number): void {
  if (push !== undefined) {
    const rad = (push.pushTowardsDeg * Math.PI) / 180;
    const forceN = push.pushForceN;
    body.push([forceN * Math.cos(rad), forceN * Math.sin(rad), 0], push.pushDurationS);
  }
  if (cableN > 0) {
    const behind = { anchorWorldM: [-3, 0, 1.2], lengthM: 2.9, stiffnessNPerM: 500 } as const;
    body.pull({ ...behind, forceMaxN: cableN }, CABLE_S);
  }
  DIGIT_MOTORS.forEach(({ name }, motor) => {
    if (name.endsWith("knee")) body.motorStrength[motor] = kneeStrength;
  });
}

const say = (line: string) => stdout.write(`${line}\n`);
const outcome = ({ outcome, fellAtS, tiltMaxRad, torqueShareMax }: DigitResult): string =>
  `${outcome === "stood" ? "stands" : `falls after ${fellAtS?.toFixed(2)} s`}, leans up to ${tiltMaxRad.toFixed(3)} rad, torque up to ${(100 * torqueShareMax).toFixed(0)} % of a motor's`;

const startMs = systemClock.nowMs();
say(`flat, ${STAND_S} s: ${outcome(await stand({ durationS: STAND_S }))}`);
for (const scene of DIGIT_SCENE_NAMES) {
  say(`${scene}, ${CALM_S} s: ${outcome(await stand({ scene, durationS: CALM_S }))}`);
}
say(
  `knees give half from ${SETTLED_S} s: ${outcome(await stand({ durationS: CALM_S, kneeStrength: WEAK_KNEES }))}`,
);
for (const cableForceMaxN of CABLES_N) {
  const result = await stand({ durationS: SETTLED_S + CABLE_S + AFTERWARDS_S, cableForceMaxN });
  say(`a cable from behind pulls ${cableForceMaxN} N for ${CABLE_S} s: ${outcome(result)}`);
}
for (const pushTowardsDeg of PUSH_DIRECTIONS_DEG) {
  for (const { durationS, upToN, resolutionN } of PUSHES) {
    const standsAt = async (pushForceN: number): Promise<boolean> => {
      const push = { pushForceN, pushDurationS: durationS, pushTowardsDeg };
      return (await stand({ durationS: SETTLED_S + durationS + AFTERWARDS_S, push })).outcome === "stood";
    };
    const largestN = await largest(standsAt, upToN, resolutionN);
    say(
      `pushed towards ${pushTowardsDeg}° for ${durationS} s: stands at ${largestN} N (${(largestN * durationS).toFixed(1)} N s), falls at ${largestN + resolutionN} N`,
    );
  }
}
const spentS = (systemClock.nowMs() - startMs) / 1000;
say(`${rows.length} trials, ${simulatedS.toFixed(0)} s simulated in ${spentS.toFixed(0)} s`);
if (path !== undefined) {
  writeFileSync(path, `${[RESULT_CSV_HEADER, ...rows.map(resultCsvRow)].join("\n")}\n`);
}

/** By halving: of a step of the resolution, the last that stands before one that falls. */
async function largest(standsAt: (forceN: number) => Promise<boolean>, upToN: number, resolutionN: number) {
  let [stands, falls] = [0, upToN / resolutionN];
  while (falls - stands > 1) {
    const middle = Math.floor((stands + falls) / 2);
    if (await standsAt(middle * resolutionN)) stands = middle;
    else falls = middle;
  }
  return stands * resolutionN;
}
