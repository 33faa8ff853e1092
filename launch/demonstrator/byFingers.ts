/**
 * One demonstration of a scripted person's fingers in the lab: start pose and scene, then the hand over the wire until the
 * person is done, judged from the lab's truth. What the person sees is the truth too, as a person sees it.
 */
import { addNs, msToNs, nsToMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { limitsOf } from "../../drivers/allegro/limits.js";
import type { LabHandTruth } from "../../lab/control/protocol.js";
import { Random } from "../../lab/world/random.js";
import { policyRobots } from "../../runtime/policy/config.js";
import { limitsInForce } from "../../runtime/servo/limits.js";
import { type HandRobotConfig, handsOf } from "../cell/robotConfig.js";
import type { CellConfig } from "../cell/schema.js";
import type { Daemon } from "../daemon/daemon.js";
import { HAND_TASKS, type HandJudged, type HandTask } from "../tasks/handJudge.js";
import { placed } from "../tasks/handTrials.js";
import type { HandSample } from "../tasks/handTruth.js";
import { goTo } from "../tasks/trial.js";
import { type FingerFrame, FingerOperator } from "./fingerOperator.js";
import { gaveUp } from "./gaveUp.js";
import type { OperatorWire } from "./wire.js";

const SPEED_SCALE = 0.6;
const SCENE_SETTLE_MS = 400;
/** Between two looks at the lab's truth: an eye's own pace. */
const LOOK_MS = 30;
/** From the last frame of the hand to the end of the recording. */
const TAIL_MS = 200;
const DEMONSTRATION_S_MAX = 40;

export interface FingerDemonstration {
  readonly task: HandTask;
  readonly seed: number;
  readonly sceneSeed: number;
  /** Of the person. */
  readonly operatorSeed: number;
}

export interface PreparedFingers {
  readonly operator: FingerOperator;
  readonly scene: {
    readonly seed: number;
    readonly object: string;
    readonly placeM: [number, number];
    readonly yawRad: number;
    readonly light: "training";
  };
  readonly first: LabHandTruth;
}

export interface FingerResult extends HandJudged {
  readonly seconds: number;
}

/** @throws CerebellumError CONFIG_INVALID */
export function handOf(cell: CellConfig): HandRobotConfig {
  const hand = handsOf(cell.robots)[0]?.[1];
  if (hand !== undefined) return hand;
  throw new CerebellumError(
    "CONFIG_INVALID",
    `Cell ${cell.name} has no hand`,
    "Use launch/cells/allegro-lab.yaml",
  );
}

/** A person, the robot's hand where that person's open hand leads it, and the scene. */
export async function prepareFingers(
  daemon: Daemon,
  { task, seed, sceneSeed, operatorSeed }: FingerDemonstration,
  signal: AbortSignal,
): Promise<PreparedFingers> {
  const { cell, lab, clock } = daemon;
  const { allegro, servo } = handOf(cell);
  const { model, side } = allegro;
  const { retargeting } = cell.teleop.fingers;
  const operator = new FingerOperator(task, operatorSeed, side, retargeting.scale);
  const limits = limitsInForce(limitsOf(allegro), servo);
  const start = { positionRad: [...operator.startRad({ model, side, limits }, retargeting)] };
  await goTo(daemon, policyRobots(cell.policy!), start, SPEED_SCALE, signal);
  const seen = HAND_TASKS[task].objects.filter((object) => object.seen);
  const { placeM, yawRad } = placed(new Random(sceneSeed).fork("place"), HAND_TASKS[task].patch, side);
  const [y, z] = placeM;
  const object = seen[seed % seen.length]!.name;
  const scene = {
    seed: sceneSeed,
    object,
    placeM: [y, z] as [number, number],
    yawRad,
    light: "training",
  } as const;
  await lab!.ask({ do: "handScene", ...scene });
  await clock.sleepUntil(addNs(clock.nowNs(), msToNs(SCENE_SETTLE_MS)), signal);
  return { operator, scene, first: (await lab!.ask({ do: "handTruth" })).handTruth! };
}

/**
 * The person at work, until done or given up. The hand must be taken and at its start.
 * @throws CerebellumError CHECK_FAILED when the person gives up; TIMED_OUT
 */
export async function leadFingers(
  daemon: Daemon,
  wire: OperatorWire<FingerFrame>,
  task: HandTask,
  { operator, first }: PreparedFingers,
  signal: AbortSignal,
): Promise<FingerResult> {
  const { clock } = daemon;
  const eyes: Eyes = { look: first, samples: [{ ...first, atS: 0 }], blindness: undefined };
  const over = new AbortController();
  const startNs = clock.nowNs();
  const sinceS = () => nsToMs(clock.nowNs() - startNs) / 1000;
  const watching = watch(daemon, eyes, sinceS, AbortSignal.any([signal, over.signal]));
  try {
    while (!operator.isDone && !signal.aborted) {
      await wire.untilFrame(signal);
      if (sinceS() > DEMONSTRATION_S_MAX) throw tooLong(operator, wire);
      if (eyes.blindness !== undefined) throw eyes.blindness;
      wire.show(operator.frame(sinceS(), { look: eyes.look, state: wire.state }));
    }
    await clock.sleepUntil(addNs(clock.nowNs(), msToNs(TAIL_MS)), signal);
  } finally {
    over.abort();
    await watching;
  }
  if (operator.failure !== undefined) throw gaveUp(operator.failure, wire.why);
  return { ...HAND_TASKS[task].judge(eyes.samples, !signal.aborted), seconds: sinceS() };
}

interface Eyes {
  look: LabHandTruth;
  readonly samples: HandSample[];
  blindness: unknown;
}

/** Never rejects. */
async function watch(daemon: Daemon, eyes: Eyes, sinceS: () => number, signal: AbortSignal): Promise<void> {
  const { clock, lab } = daemon;
  try {
    while (!signal.aborted) {
      eyes.look = (await lab!.ask({ do: "handTruth" })).handTruth!;
      eyes.samples.push({ ...eyes.look, atS: sinceS() });
      await clock.sleepUntil(addNs(clock.nowNs(), msToNs(LOOK_MS)), signal);
    }
  } catch (thrown) {
    eyes.blindness = thrown;
  }
}

const tooLong = (operator: FingerOperator, wire: OperatorWire<FingerFrame>) =>
  new CerebellumError(
    "TIMED_OUT",
    `After ${DEMONSTRATION_S_MAX} s the fingers are not done (${operator.phase}, ${wire.state}${wire.why === "" ? "" : `: ${wire.why}`})`,
    "Another try is at another scene",
  );
