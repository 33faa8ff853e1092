/**
 * What retargeting a hand costs and how it moves the robot's: `npm run bench -- retargeting`, or `node
 * dist/test/bench/retargeting.js [--json FILE]`. A synthetic hand goes through every pose of the shared vectors at 90 Hz
 * and trembles by 0.3 mm a coordinate; WebXR's joints go in, sixteen angles come out. Asked for: 2 ms at the 99th percentile.
 *
 *   step       reading, judging and solving one hand: wall time, with whatever else the machine does in it
 *   compute    processor time of this thread in blocks of steps, per step: what the step itself takes
 *   reference  the objective and the worst tip against dex_retargeting's converged solutions, right hand
 *   still      standard deviation of the worst joint while a still hand trembles
 *   delay      of the worst joint behind a slow opening and closing, by the filter's own figure
 */
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { HandChain } from "../../kinematics/allegro/fingertips.js";
import { TIP_RADIUS_M } from "../../kinematics/allegro/geometry.js";
import { FINGERS } from "../../kinematics/allegro/hand.js";
import { HandKeypoints, TIPS } from "../../kinematics/allegro/keypoints.js";
import { limitsOf } from "../../kinematics/allegro/limits.js";
import { Retargeting } from "../../kinematics/allegro/retargeting.js";
import { RETARGETING_OBJECTIVES, RetargetingConfig } from "../../kinematics/allegro/retargetingConfig.js";
import { systemClock } from "../../launch/systemClock.js";
import { blend, generator, handPose, REFERENCE_CASES, webxrJoints } from "../support/allegro/handPoses.js";

type Objective = (typeof RETARGETING_OBJECTIVES)[number];

const PERIOD_S = 1 / 90;
const POSES = ["open", "pinch_index_touch", "fist", "point", "spread", "pinch_index", "open"] as const;
const FRAMES_PER_POSE = 60;
const ROUNDS = 20;
const WARM_UP = 2000;
const BLOCK = 50;
const TREMBLE_M = 0.0003 * Math.sqrt(3);

const random = generator(11);
const trembling = (hand: Float64Array): Float64Array =>
  hand.map((value, i) => (i < 3 ? value : value + TREMBLE_M * (2 * random() - 1)));

/** All the hands of one run, made before the clock starts. */
function movingHand(): number[][] {
  const hands = [];
  for (let round = 0; round < ROUNDS; round++)
    for (let pose = 0; pose + 1 < POSES.length; pose++)
      for (let i = 0; i < FRAMES_PER_POSE; i++) {
        const share = i / FRAMES_PER_POSE;
        const eased = share * share * (3 - 2 * share);
        hands.push(webxrJoints(trembling(blend(handPose(POSES[pose]!), handPose(POSES[pose + 1]!), eased))));
      }
  return hands;
}

const percentile = (sorted: ArrayLike<number>, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;

function measureSteps(objective: Objective, hands: readonly number[][]) {
  const retargeting = new Retargeting({ model: "v4", side: "right" }, RetargetingConfig.parse({ objective }));
  const keypoints = new HandKeypoints();
  const step = (joints: readonly number[]) => {
    if (keypoints.read(joints, "right")) retargeting.step(keypoints.pointsM, PERIOD_S);
  };
  for (let i = 0; i < WARM_UP; i++) step(hands[i % hands.length]!);
  const stepsUs = new Float64Array(hands.length);
  const iterations = new Float64Array(hands.length);
  const blocksUs = new Float64Array(Math.floor(hands.length / BLOCK));
  let cpuFrom = process.cpuUsage();
  for (const [i, joints] of hands.entries()) {
    const fromNs = systemClock.nowNs();
    step(joints);
    stepsUs[i] = Number(systemClock.nowNs() - fromNs) / 1e3;
    iterations[i] = retargeting.iterations;
    if ((i + 1) % BLOCK !== 0) continue;
    const { user, system } = process.cpuUsage(cpuFrom);
    blocksUs[(i + 1) / BLOCK - 1] = (user + system) / BLOCK;
    cpuFrom = process.cpuUsage();
  }
  for (const each of [stepsUs, iterations, blocksUs]) each.sort();
  return {
    stepP50Us: percentile(stepsUs, 0.5),
    stepP99Us: percentile(stepsUs, 0.99),
    stepMaxUs: percentile(stepsUs, 1),
    computeP50Us: percentile(blocksUs, 0.5),
    computeP99Us: percentile(blocksUs, 0.99),
    iterationsP50: percentile(iterations, 0.5),
    iterationsP99: percentile(iterations, 0.99),
    iterationsMax: percentile(iterations, 1),
  };
}

/** Worst of all right-hand cases: objective as share of the reference's, and how much further a tip is [mm]. */
function compareWithReference(objective: Objective) {
  let objectiveShare = 0;
  let furtherMm = Number.NEGATIVE_INFINITY;
  for (const each of REFERENCE_CASES) {
    if (each.side !== "right" || (each.type === "vector") !== (objective === "vector")) continue;
    const limits = { ...limitsOf("v4", "right"), velocityMaxRadPerS: Array<number>(16).fill(1e4) };
    const config = RetargetingConfig.parse({
      objective,
      scale: 1.6,
      smoothingS: 0,
      pinch: { gapM: 1e-4, rampS: 0 },
    });
    const retargeting = new Retargeting(
      { model: "v4", side: "right", limits, tipExtraM: TIP_RADIUS_M },
      config,
    );
    for (let i = 0; i < 30; i++) retargeting.step(Float64Array.from(each.keypoints21.flat()), PERIOD_S);
    objectiveShare = Math.max(objectiveShare, retargeting.value / each.final_objective);
    for (const [finger, name] of FINGERS.entries()) {
      const human = each.keypoints21[TIPS[name]]!;
      const theirs = Math.hypot(
        ...each.robot_tip_vectors_from_wrist[name].map((value, axis) => value - 1.6 * human[axis]!),
      );
      furtherMm = Math.max(furtherMm, 1000 * (retargeting.tipErrorM(finger) - theirs));
    }
  }
  return { objectiveShare, furtherMm };
}

function measureStillness(objective: Objective): { stillMrad: number; stillTipMm: number } {
  let [stillMrad, stillTipMm] = [0, 0];
  const chain = new HandChain("v4", "right");
  for (const pose of POSES) {
    const retargeting = new Retargeting(
      { model: "v4", side: "right" },
      RetargetingConfig.parse({ objective }),
    );
    for (let i = 0; i < 300; i++) retargeting.step(handPose(pose), PERIOD_S);
    const angles: number[][] = [];
    const tips: number[][] = [];
    for (let i = 0; i < 900; i++) {
      retargeting.step(trembling(handPose(pose)), PERIOD_S);
      chain.update(retargeting.positionRad);
      angles.push([...retargeting.positionRad]);
      tips.push([...chain.tipsM]);
    }
    stillMrad = Math.max(stillMrad, 1000 * worstDeviation(angles));
    stillTipMm = Math.max(stillTipMm, 1000 * worstDeviation(tips));
  }
  return { stillMrad, stillTipMm };
}

function worstDeviation(rows: readonly number[][]): number {
  const deviations = rows[0]!.map((_, column) => {
    const mean = rows.reduce((sum, row) => sum + row[column]! / rows.length, 0);
    return Math.sqrt(rows.reduce((sum, row) => sum + (row[column]! - mean) ** 2 / rows.length, 0));
  });
  return Math.max(...deviations);
}

/** Phase of joint 1 of the middle finger behind a half closing at 0.5 Hz, against the answer without filter or memory. */
function measureDelayMs(objective: Objective): number {
  const hz = 0.5;
  const phaseOf = (change: object, settleSteps: number) => {
    const config = RetargetingConfig.parse({ objective, ...change });
    const retargeting = new Retargeting({ model: "v4", side: "right" }, config);
    let [sine, cosine] = [0, 0];
    const steps = Math.round(4 / hz / PERIOD_S);
    for (let i = 0; i < 2 * steps; i++) {
      const angle = 2 * Math.PI * hz * i * PERIOD_S;
      const hand = blend(handPose("open"), handPose("fist"), 0.3 - 0.1 * Math.cos(angle));
      for (let k = 0; k < settleSteps; k++) retargeting.step(hand, PERIOD_S);
      if (i < steps) continue;
      sine += retargeting.positionRad[5]! * Math.sin(angle);
      cosine += retargeting.positionRad[5]! * Math.cos(angle);
    }
    return Math.atan2(sine, cosine);
  };
  const late = phaseOf({}, 1) - phaseOf({ smoothingS: 0 }, 20);
  return (1000 * Math.atan2(Math.sin(late), Math.cos(late))) / (2 * Math.PI * hz);
}

const { values } = parseArgs({ options: { json: { type: "string" } } });
const hands = movingHand();
const machine = `${cpus().length} x ${cpus()[0]?.model}, load ${loadavg()[0]!.toFixed(2)}`;
console.log(`${machine}; ${hands.length} hands for each objective`);
const results = RETARGETING_OBJECTIVES.map((objective) => {
  const filter = new Retargeting({ model: "v4", side: "right" }, RetargetingConfig.parse({ objective }));
  const result = {
    objective,
    ...measureSteps(objective, hands),
    ...compareWithReference(objective),
    ...measureStillness(objective),
    delayMs: measureDelayMs(objective),
    filterDelayMs: 1000 * filter.delayS(PERIOD_S),
  };
  console.log(
    `${objective.padEnd(9)} step p50 ${result.stepP50Us.toFixed(0)} us, p99 ${result.stepP99Us.toFixed(0)}, ` +
      `max ${result.stepMaxUs.toFixed(0)}; compute p50 ${result.computeP50Us.toFixed(0)} us, ` +
      `p99 ${result.computeP99Us.toFixed(0)}; Newton steps p50 ${result.iterationsP50}, p99 ${result.iterationsP99}, ` +
      `max ${result.iterationsMax}\n` +
      `          objective at most ${result.objectiveShare.toFixed(4)} of the reference's, a tip at most ` +
      `${result.furtherMm.toFixed(2)} mm further\n` +
      `          still hand: worst joint ${result.stillMrad.toFixed(1)} mrad, worst tip ${result.stillTipMm.toFixed(2)} mm; ` +
      `late by ${result.delayMs.toFixed(0)} ms at 0.5 Hz, of which the low-pass ${result.filterDelayMs.toFixed(0)}`,
  );
  return result;
});
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ machine, results }, undefined, 2)}\n`);
