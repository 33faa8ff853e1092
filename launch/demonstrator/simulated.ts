/**
 * Demonstrations in simulated time, without ROS, processes and the vendor's wire, and as fast as they go: a privileged
 * expert moves the lab's arm through the servo's own interpolator and limiter, and every step says what the expert wanted.
 * The same seed gives the same demonstration.
 */
import { CerebellumError } from "../../core/errors.js";
import type { EpisodeStart } from "../../episodes/format.js";
import { CLOSED_M, OPEN_M } from "../../lab/experts/pickCubeExpert.js";
import type { SceneRequest } from "../../lab/world/scene.js";
import { type DecodedAction, decodeAction } from "../../runtime/policy/boundAction.js";
import type { StepRecord } from "../../runtime/policy/steps.js";
import type { Demonstrator, ExpertAnswer } from "../tasks/labTask.js";
import type { LabTask } from "../tasks/labTaskNames.js";
import { LAB_TASK_ROWS } from "../tasks/labTasks.js";
import { commandOf, decide as decideByPolicy } from "../tasks/lockstep.js";
import { IMAGE_TO_WIRE_MS, type Seen, type Wanted } from "../tasks/lockstepArm.js";
import type { TruthSample } from "../tasks/truth.js";
import { HOLD_FACTOR, type Leader, STEPS_MORE, Stretches } from "./ledBy.js";
import { SimulatedEpisode, type SimulatedSet } from "./simulatedEpisode.js";

const EXPERT = "expert";
export const EXPERT_RATE_HZ = 5;
const CLIP_RAD = 0.25;
const STEPS_MAX = 110;
export interface SimulatedDemonstration {
  /** Its place among the others of a set. */
  readonly seed: number;
  readonly expertSeed: number;
  readonly scene: SceneRequest;
  /** A policy that leads a part of the way. */
  readonly leader?: Leader | undefined;
}

export interface SimulatedResult {
  readonly episode: string;
  readonly steps: number;
  readonly words: readonly string[];
}

/**
 * Records one demonstration. @param expertSeed of the expert's start and tremor; another one for each attempt
 * @throws CerebellumError CHECK_FAILED when it did not succeed: nothing is kept of it then
 */
export async function demonstrateSimulated(
  set: SimulatedSet,
  task: LabTask,
  { seed, expertSeed, scene, leader }: SimulatedDemonstration,
): Promise<SimulatedResult> {
  const { arm } = set;
  const { startOpeningM, judge, demonstrator: open } = LAB_TASK_ROWS[task];
  const demonstrator = open(expertSeed);
  arm.begin(scene, { positionRad: [...demonstrator.startRad], gripperOpeningM: startOpeningM });
  const { blockM, fridge, fruit } = arm.truth();
  const context: EpisodeStart["context"] = {
    seed,
    expertSeed,
    scene: { seed: scene.seed, light: scene.light },
    blockM: fridge?.placeM ?? blockM,
    ...(fruit === undefined ? {} : { object: fruit.name }),
    expert: demonstrator.source,
    through: "lockstep",
    ...(leader === undefined ? {} : { ledBy: leader.pipeline.manifest.name, ledShare: leader.share }),
  };
  const episode = await SimulatedEpisode.begin(set, { task, note: "", context });
  try {
    const { samples, steps } = await perform(set, episode, demonstrator, ledBy(leader, expertSeed));
    const { verdict, words } = judge(samples, true);
    if (!verdict.success) throw failed(verdict.endedBecause, words);
    await episode.finish("success", "");
    return { episode: episode.name, steps, words };
  } catch (thrown) {
    await episode.discard().catch(() => {});
    throw thrown;
  }
}

interface Led extends Leader {
  readonly stretches: Stretches;
}

const ledBy = (leader: Leader | undefined, seed: number): Led | undefined =>
  leader && { ...leader, stretches: new Stretches(seed, leader.share) };

/** The expert at work until it has held long enough, or for as many steps as are allowed; a policy leads a part of them. */
async function perform(
  { arm }: SimulatedSet,
  episode: SimulatedEpisode,
  demonstrator: Demonstrator,
  led: Led | undefined,
) {
  const holdSteps = demonstrator.holdSteps * (led === undefined ? 1 : HOLD_FACTOR);
  const stepsMax = STEPS_MAX + (led === undefined ? 0 : STEPS_MORE);
  const samples: TruthSample[] = [];
  const periodMs = 1000 / EXPERT_RATE_HZ;
  let [steps, held] = [0, 0];
  const { jointNames } = arm.limits;
  const decide = async (seen: Seen): Promise<Wanted> => {
    const answer = demonstrator.answer(seen, arm.truth());
    held = answer.phase === "hold" ? held + 1 : 0;
    const isLed = led?.stretches.next() === true;
    const decoded = isLed
      ? await decideByPolicy(led.pipeline, seen)
      : decode(answer, seen.positionRad, jointNames);
    const imageStampNs = await episode.images(seen.pictures, seen.atMs);
    episode.step(
      { ...stepRecord(episode, seen, steps, decoded), imageStampNs },
      {
        policy: isLed ? led.pipeline.manifest.name : EXPERT,
        labelRad: answer.cleanRad,
        phase: answer.phase,
        ...(answer.cleanOpeningM === undefined ? {} : { gripperLabelM: answer.cleanOpeningM }),
      },
    );
    steps++;
    return commandOf(decoded);
  };
  await arm.run({
    endMs: stepsMax * periodMs,
    periodMs,
    decide,
    onSample: (sample) => samples.push(sample),
    onTick: (tick) => episode.tick(tick, EXPERT),
    isOver: () => steps >= stepsMax || held >= holdSteps,
  });
  return { samples, steps };
}

const decode = (
  { executedRad, executedOpeningM }: ExpertAnswer,
  positionRad: Float64Array,
  jointNames: readonly string[],
): DecodedAction =>
  executedOpeningM === undefined
    ? decodeAction(executedRad, positionRad, { clipRad: CLIP_RAD }, jointNames)
    : decodeAction([...executedRad, executedOpeningM], positionRad, EXPERT_BOUNDS, jointNames);

const EXPERT_BOUNDS = {
  clipRad: CLIP_RAD,
  gripper: { kind: "opening", unit: "m", minM: CLOSED_M, maxM: OPEN_M },
} as const;

function stepRecord(
  episode: SimulatedEpisode,
  { atMs, positionRad, openingM }: Seen,
  step: number,
  decoded: DecodedAction,
): StepRecord {
  const startNs = episode.atNs(atMs);
  return {
    step,
    dueNs: startNs,
    startNs,
    startLatenessMs: 0,
    skippedSteps: 0,
    framesMissed: 0,
    frameSequence: step + 1,
    imageAgeMs: 0,
    queueMs: 0,
    positionRad: [...positionRad],
    gripperOpeningM: openingM,
    ...decoded,
    commandSeq: step + 1,
    commandWireNs: episode.atNs(atMs + IMAGE_TO_WIRE_MS),
  };
}

const failed = (why: string, words: readonly string[]) =>
  new CerebellumError(
    "CHECK_FAILED",
    `The demonstration failed: ${why} (${words.join(", ")})`,
    "Another try is at another scene",
  );
