/**
 * One demonstration of a scripted operator in the lab: start pose and scene, then the hand over the wire until the plan
 * is done, judged from the lab's truth. What the operator sees of the tool is the truth too, as a person sees it.
 */
import { addNs, msToNs, NS_PER_S, nsToMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { ArmChain } from "../../kinematics/chain.js";
import { type Pose, quatFromRotation } from "../../kinematics/pose.js";
import type { LabTruth } from "../../lab/control/protocol.js";
import { ReachBlockExpert } from "../../lab/experts/reachBlock.js";
import { policyRobots } from "../../runtime/policy/config.js";
import type { Daemon } from "../daemon/daemon.js";
import type { Judged } from "../tasks/labTask.js";
import type { LabTask } from "../tasks/labTaskNames.js";
import { LAB_TASK_ROWS } from "../tasks/labTasks.js";
import { goTo } from "../tasks/trial.js";
import { type TruthSample, toSample } from "../tasks/truth.js";
import { gaveUp } from "./gaveUp.js";
import { type HandFrame, ScriptedOperator } from "./operator.js";
import type { OperatorWire } from "./wire.js";

const SPEED_SCALE = 0.6;
const SCENE_SETTLE_NS = NS_PER_S / 4n;
/** Between two looks at the lab's truth: an eye's own pace. */
const LOOK_MS = 30;
/** From the last frame of the hand to the end of the recording. */
const TAIL_MS = 200;
const DEMONSTRATION_S_MAX = 60;

export interface HandDemonstration {
  readonly task: LabTask;
  /** Of start pose, scene and operator. */
  readonly seed: number;
  readonly sceneSeed: number;
  /** Rises with each repetition: another try is another person's. */
  readonly attempt: number;
}

export interface HandResult extends Judged {
  readonly seconds: number;
  readonly strokes: number;
  readonly reclutches: number;
}

export const operatorSeed = ({ seed, attempt }: HandDemonstration): number => 16 * seed + attempt;

/** Start pose and scene. @returns the truth before anything moves */
export async function setTheScene(
  daemon: Daemon,
  { task, seed, sceneSeed }: HandDemonstration,
  signal: AbortSignal,
): Promise<LabTruth> {
  const positionRad = [...new ReachBlockExpert(seed).bentStartRad()];
  const start = { positionRad, gripperOpeningM: LAB_TASK_ROWS[task].startOpeningM };
  await goTo(daemon, policyRobots(daemon.cell.policy!)[0], start, SPEED_SCALE, signal);
  await daemon.lab!.ask({ do: "scene", seed: sceneSeed, light: "training" });
  await daemon.clock.sleepUntil(addNs(daemon.clock.nowNs(), SCENE_SETTLE_NS), signal);
  return (await daemon.lab!.ask({ do: "truth" })).truth!;
}

/**
 * The operator at work, until the plan is done or given up. The arm must be taken and at its start.
 * @throws CerebellumError CHECK_FAILED when the operator gives up; TIMED_OUT
 */
export async function operate(
  daemon: Daemon,
  wire: OperatorWire<HandFrame>,
  demonstration: HandDemonstration,
  first: LabTruth,
  signal: AbortSignal,
): Promise<HandResult> {
  const { clock } = daemon;
  const eyes = new Eyes(first);
  const { plan, judge } = LAB_TASK_ROWS[demonstration.task];
  const operator = new ScriptedOperator(plan(first), operatorSeed(demonstration));
  const over = new AbortController();
  const startNs = clock.nowNs();
  const sinceS = () => nsToMs(clock.nowNs() - startNs) / 1000;
  const watching = watch(daemon, eyes, sinceS, AbortSignal.any([signal, over.signal]));
  try {
    while (!operator.isDone && !signal.aborted) {
      await wire.untilFrame(signal);
      if (sinceS() > DEMONSTRATION_S_MAX) throw tooLong(operator, wire);
      eyes.throwIfBlind();
      wire.show(operator.frame(sinceS(), { tool: eyes.tool, state: wire.state }));
    }
    await clock.sleepUntil(addNs(clock.nowNs(), msToNs(TAIL_MS)), signal);
  } finally {
    over.abort();
    await watching;
  }
  if (operator.failure !== undefined) throw gaveUp(operator.failure, wire.why);
  const judged = judge(eyes.samples, !signal.aborted);
  return { ...judged, seconds: sinceS(), strokes: operator.strokes, reclutches: operator.reclutches };
}

/** The newest look at the lab, and all looks for the judge. */
class Eyes {
  readonly samples: TruthSample[] = [];
  readonly #chain = new ArmChain();
  readonly #quat = new Float64Array(4);
  tool: Pose;
  blindness: unknown;

  constructor(first: LabTruth) {
    this.tool = this.#toolOf(first);
    this.samples.push(toSample(first, 0));
  }

  see(truth: LabTruth, atS: number): void {
    this.tool = this.#toolOf(truth);
    this.samples.push(toSample(truth, atS));
  }

  throwIfBlind(): void {
    if (this.blindness !== undefined) throw this.blindness;
  }

  #toolOf({ positionRad, toolM }: LabTruth): Pose {
    this.#chain.update(positionRad);
    quatFromRotation(this.#chain.flangeRotation, this.#quat);
    const [x, y, z, w] = this.#quat as unknown as [number, number, number, number];
    return { positionM: toolM, quatXyzw: [x, y, z, w] };
  }
}

/** Never rejects. */
async function watch(daemon: Daemon, eyes: Eyes, sinceS: () => number, signal: AbortSignal): Promise<void> {
  const { clock, lab } = daemon;
  try {
    while (!signal.aborted) {
      const { truth } = await lab!.ask({ do: "truth" });
      eyes.see(truth!, sinceS());
      await clock.sleepUntil(addNs(clock.nowNs(), msToNs(LOOK_MS)), signal);
    }
  } catch (thrown) {
    eyes.blindness = thrown;
  }
}

const tooLong = (operator: ScriptedOperator, wire: OperatorWire<HandFrame>) =>
  new CerebellumError(
    "TIMED_OUT",
    `After ${DEMONSTRATION_S_MAX} s and ${operator.strokes} strokes the tool is not where it is wanted (${operator.phase}, ${wire.state}${wire.why === "" ? "" : `: ${wire.why}`})`,
    "The arm's limits may be in the way; another try begins elsewhere",
  );
