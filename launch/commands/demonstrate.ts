/**
 * `demonstrate reach-block`: the lab's scripted expert runs in the very loop that a policy runs in, through servo and
 * vendor's wire, and the daemon's recorder keeps what it always keeps; each step also says what the expert wanted.
 */
import { join, resolve } from "node:path";
import { type EpochNs, type MonotonicNs, NS_PER_S } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { ImageView } from "../../core/rosWire.js";
import { type EpisodeEntry, EpisodeSet, type FinishedEpisode } from "../../episodes/episodeSet.js";
import type { Outcome } from "../../episodes/format.js";
import { ReachBlockExpert } from "../../lab/experts/reachBlock.js";
import type { Actor, Observation } from "../../runtime/policy/actor.js";
import { createFrameSlots, FrameReader, FrameWriter } from "../../runtime/policy/frameSlots.js";
import { toPolicyStep } from "../../runtime/policy/recordedStep.js";
import { PolicyRunner } from "../../runtime/policy/runner.js";
import type { StepRecord } from "../../runtime/policy/steps.js";
import type { RecorderHost } from "../../runtime/recorder/host.js";
import type { CellConfig } from "../cell/schema.js";
import type { Daemon } from "../daemon/daemon.js";
import { goTo } from "../tasks/trial.js";
import { enableOrFail, withDaemon } from "./running.js";

const TASK = "reach-block";
const EXPERT = "expert";
const RATE_HZ = 5;
const EXPIRY_MS = 500;
const CLIP_RAD = 0.25;
const GRIPPER_OPENING_M = 0.08;
const SPEED_SCALE = 0.6;
/** From here on a demonstration teaches staying. */
const ARRIVED_M = 0.028;
const HOLD_STEPS = 8;
const STEPS_MAX = 60;
/** Failures in a row that end the session. */
const FAILURES_MAX = 3;
const SCENE_SETTLE_NS = NS_PER_S / 4n;
/** Scenes of demonstrations; trials and the pre-training corpus have others. */
const SCENE_SEED = 2_000_000;

export interface DemonstrateOptions {
  readonly cell: string;
  readonly episodes: number;
  readonly seed: number;
  readonly logLevel: string;
}

/** @param folder of sets, in place of the one that the cell records into */
export async function demonstrate(
  task: string,
  folder: string | undefined,
  options: DemonstrateOptions,
): Promise<void> {
  if (task !== TASK) {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `Task "${task}" has no scripted expert; expected ${TASK}`,
      "Choose a task that has one",
    );
  }
  const adjust = (cell: CellConfig) => recordingInto(cell, folder);
  const run = { cellFile: options.cell, logLevel: "warn", policy: false, adjust };
  await withDaemon(run, async (daemon, signal) => {
    const { lab, recorder, cell } = daemon;
    if (lab === undefined || cell.policy === undefined || recorder === undefined || cell.recorder === "off") {
      throw new CerebellumError(
        "LAB_REFUSED",
        "Scripted demonstrations need a cell with `lab`, `policy` and a recorder",
        "Use launch/cells/xarm7-lab.yaml",
      );
    }
    const set = join(cell.recorder.folder, TASK);
    const already = seedsIn((await (await EpisodeSet.open(set)).episodes()).filter(isFinished));
    await enableOrFail(daemon);
    for (let index = 0, failures = 0; index < options.episodes && !signal.aborted; index++) {
      const seed = options.seed * 10_000 + index;
      const label = `${index + 1}/${options.episodes} seed ${seed}`;
      const there = already.get(seed);
      if (there !== undefined) {
        say(`${label}: already there, ${there}`);
        continue;
      }
      try {
        const done = await demonstrateOnce(daemon, recorder, seed, signal);
        if (done !== undefined) say(`${label}: ${done}`);
        failures = 0;
      } catch (thrown) {
        if (!(thrown instanceof CerebellumError) || signal.aborted || ++failures > FAILURES_MAX) throw thrown;
        say(`${label}: ${thrown.message} The episode is discarded and done again`);
        await daemon.supervisor.reset();
        await enableOrFail(daemon);
        index--;
      }
    }
    say(`Episodes are in ${set}`);
  });
}

const say = (line: string) => void process.stdout.write(`${line}\n`);

function recordingInto(cell: CellConfig, folder: string | undefined): CellConfig {
  if (folder === undefined || cell.recorder === "off") return cell;
  return { ...cell, recorder: { ...cell.recorder, folder: resolve(folder) } };
}

const isFinished = (entry: EpisodeEntry): entry is FinishedEpisode => entry.state === "finished";

/**
 * Names of the demonstrations of a set by their seed: a repeated command goes on where the set ends. One without an
 * outcome was cut off, and is done again.
 */
export const seedsIn = (
  episodes: readonly Pick<FinishedEpisode, "name" | "start" | "outcome">[],
): ReadonlyMap<number, string> =>
  new Map(
    episodes.flatMap(({ name, outcome, start: { kind, context } }) =>
      kind === "demonstration" && outcome !== "unlabelled" && typeof context.seed === "number"
        ? [[context.seed, name] as const]
        : [],
    ),
  );

/** Start pose, scene, recording. @returns what to say about it; undefined when it was interrupted */
async function demonstrateOnce(daemon: Daemon, recorder: RecorderHost, seed: number, signal: AbortSignal) {
  const expert = new ReachBlockExpert(seed);
  const start = { positionRad: [...expert.spreadStartRad()], gripperOpeningM: GRIPPER_OPENING_M };
  await goTo(daemon, daemon.cell.policy!.robot, start, SPEED_SCALE, signal);
  const scene = { seed: SCENE_SEED + seed, light: "training" } as const;
  await daemon.lab!.ask({ do: "scene", ...scene });
  await daemon.clock.sleepUntil((daemon.clock.nowNs() + SCENE_SETTLE_NS) as MonotonicNs, signal);
  const { blockM } = (await daemon.lab!.ask({ do: "truth" })).truth!;
  const { episode } = await recorder.start({
    task: TASK,
    kind: "demonstration",
    note: "",
    context: { seed, scene, blockM: [...blockM], expert: "lab/experts/reachBlock" },
  });
  try {
    const { outcome, steps, finalM } = await runExpert(daemon, recorder, expert, blockM, signal);
    if (signal.aborted) {
      await recorder.discard();
      return undefined;
    }
    await recorder.stop({ outcome, note: "" });
    return `${episode} ${outcome}, ${steps} steps, ${(100 * finalM).toFixed(1)} cm at the end`;
  } catch (thrown) {
    // It may have ended by itself: whatever is left of it has no outcome and is not trained on.
    await recorder.discard().catch(() => {});
    throw thrown;
  }
}

/** The expert in the runner's loop; ends the run when it has held long enough. */
class ExpertActor implements Actor {
  readonly #expert: ReachBlockExpert;
  readonly #blockM: readonly [number, number, number];
  readonly #end: () => void;
  readonly wanted = new Map<EpochNs, { cleanRad: number[]; phase: "reach" | "hold" }>();
  #holdSteps = 0;
  #steps = 0;
  finalM = Number.NaN;

  constructor(expert: ReachBlockExpert, blockM: readonly [number, number, number], end: () => void) {
    this.#expert = expert;
    this.#blockM = blockM;
    this.#end = end;
  }

  get arrived(): boolean {
    return this.#holdSteps >= HOLD_STEPS;
  }

  act({ frame, positionRad }: Observation): Float64Array {
    const { cleanRad, executedRad, distanceM } = this.#expert.step(positionRad, this.#blockM);
    this.finalM = distanceM;
    if (distanceM < ARRIVED_M || this.#holdSteps > 0) this.#holdSteps++;
    this.wanted.set(frame.stampNs, {
      cleanRad: [...cleanRad],
      phase: this.#holdSteps > 0 ? "hold" : "reach",
    });
    if (this.arrived || ++this.#steps >= STEPS_MAX) this.#end();
    return executedRad;
  }
}

async function runExpert(
  daemon: Daemon,
  recorder: RecorderHost,
  expert: ReachBlockExpert,
  blockM: readonly [number, number, number],
  signal: AbortSignal,
) {
  const { clock, cell } = daemon;
  const policy = cell.policy!;
  const camera = cell.cameras[policy.camera]!;
  const finished = new AbortController();
  const actor = new ExpertActor(expert, blockM, () => finished.abort());
  const slots = createFrameSlots(camera);
  const writer = new FrameWriter(slots, camera);
  const takeFrame = (name: string, image: ImageView, receivedNs: MonotonicNs) => {
    if (name === policy.camera) writer.write(image.data, image.stepBytes, image.stampNs, receivedNs);
  };
  daemon.frameListeners.add(takeFrame);
  const servo = await daemon.connectCommander(policy.robot, EXPERT);
  let steps = 0;
  const onStep = (record: StepRecord) => {
    // A refused step may name the image of the one before.
    const wanted = record.outputRad === undefined ? undefined : actor.wanted.get(record.imageStampNs!);
    const { mapping } = recorder;
    if (mapping === undefined) return;
    if (record.commandSeq !== undefined) steps++;
    const origin = { policy: EXPERT, camera: policy.camera };
    const label = wanted === undefined ? {} : { labelRad: wanted.cleanRad, phase: wanted.phase };
    recorder.policyStep(toPolicyStep(record, mapping, { ...origin, ...label }));
  };
  const runner = new PolicyRunner({
    clock,
    servo,
    frames: new FrameReader(slots, camera),
    actor,
    mapping: daemon.mapping,
    name: EXPERT,
    rateHz: RATE_HZ,
    expiryMs: EXPIRY_MS,
    clipRad: CLIP_RAD,
    frameAgeMsMax: policy.frameAgeMsMax,
    onStep,
  });
  try {
    await runner.run(AbortSignal.any([signal, finished.signal]));
  } finally {
    daemon.frameListeners.delete(takeFrame);
    await servo.close();
  }
  const outcome: Outcome = actor.arrived ? "success" : "failure";
  return { outcome, steps, finalM: actor.finalM };
}
