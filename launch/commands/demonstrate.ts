/**
 * `demonstrate TASK`: demonstrations in the lab without a person, by the privileged expert in the policy's own loop or by
 * a scripted operator with an emulated headset. The daemon's recorder keeps what it always keeps.
 */
import { join } from "node:path";
import { type MonotonicNs, NS_PER_S } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { ReachBlockExpert } from "../../lab/experts/reachBlock.js";
import { policyRobots } from "../../runtime/policy/config.js";
import type { RecorderHost } from "../../runtime/recorder/host.js";
import type { CellConfig } from "../cell/schema.js";
import type { Daemon } from "../daemon/daemon.js";
import { handOf, leadFingers, prepareFingers } from "../demonstrator/byFingers.js";
import { type HandDemonstration, operate, operatorSeed, setTheScene } from "../demonstrator/byHand.js";
import { runExpert } from "../demonstrator/expert.js";
import type { FingerFrame } from "../demonstrator/fingerOperator.js";
import { openFingers, openHeadset } from "../demonstrator/headsetWire.js";
import type { HandFrame } from "../demonstrator/operator.js";
import type { OperatorWire } from "../demonstrator/wire.js";
import { HAND_TASK_NAMES, type HandTask, isHandTask } from "../tasks/handJudge.js";
import { isLabTask, LAB_TASKS, type LabTask } from "../tasks/labTaskNames.js";
import { inWorldOf } from "../tasks/labTasks.js";
import { goTo } from "../tasks/trial.js";
import {
  ATTEMPT_SEED,
  demonstrateSeeds,
  demonstrationsIn,
  recordingInto,
  SCENE_SEED,
  type SessionOptions,
  say,
} from "./demonstrateSession.js";
import { enableOrFail, withDaemon } from "./running.js";

/** What the arm is moved through; the first one unless another is asked for. */
type Way = "servo" | "headset";
/** Every task has a person's plan; an expert in the policy's own loop only this one. */
const waysOf = (task: LabTask | HandTask): readonly Way[] =>
  task === "reach-block" ? ["servo", "headset"] : ["headset"];

const GRIPPER_OPENING_M = 0.08;
const SPEED_SCALE = 0.6;
const SCENE_SETTLE_NS = NS_PER_S / 4n;

export interface DemonstrateOptions extends SessionOptions {
  readonly through?: Way;
  readonly logLevel: string;
  readonly ledBy?: string;
}

/** Records one demonstration. @returns what to say about it; undefined when it was interrupted */
type Demonstrate = (seed: number, attempt: number, signal: AbortSignal) => Promise<string | undefined>;

/** @param folder of sets, in place of the one that the cell records into */
export async function demonstrate(
  name: string,
  folder: string | undefined,
  options: DemonstrateOptions,
): Promise<void> {
  const { task, way } = checked(name, options.through);
  if (options.ledBy !== undefined) throw ledInRealTime();
  const adjust = (cell: CellConfig) => recordingInto(isLabTask(task) ? inWorldOf(task, cell) : cell, folder);
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
    const set = join(cell.recorder.folder, task);
    const already = await demonstrationsIn(set, way);
    await enableOrFail(daemon);
    const { one, close } = await demonstrator(daemon, recorder, task, way);
    try {
      await recordAll(daemon, options, already, one, signal);
    } finally {
      await close();
    }
    say(`Episodes are in ${set}`);
  });
}

interface Demonstrator {
  readonly one: Demonstrate;
  close(): Promise<void>;
}

/** Who demonstrates: an expert, a person with a controller, or a person's fingers. */
async function demonstrator(
  daemon: Daemon,
  recorder: RecorderHost,
  task: LabTask | HandTask,
  way: Way,
): Promise<Demonstrator> {
  if (isHandTask(task)) {
    const wire = await openFingers(daemon, handOf(daemon.cell).allegro.side);
    const one: Demonstrate = (seed, attempt, signal) =>
      byFingers(daemon, recorder, wire, task, seed, attempt, signal);
    return { one, close: () => wire.close() };
  }
  if (way === "servo")
    return {
      one: (seed, _attempt, signal) => byExpert(daemon, recorder, seed, signal),
      close: async () => {},
    };
  const wire = await openHeadset(daemon);
  return {
    one: (seed, attempt, signal) => byHand(daemon, recorder, wire, task, seed, attempt, signal),
    close: () => wire.close(),
  };
}

function checked(name: string, through: Way | undefined): { task: LabTask | HandTask; way: Way } {
  if (!isLabTask(name) && !isHandTask(name)) {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `Task "${name}" has no scripted demonstrator; expected ${[...LAB_TASKS, ...HAND_TASK_NAMES].join(" or ")}`,
      "Choose a task that has one",
    );
  }
  const ways = waysOf(name);
  const way = through ?? ways[0]!;
  if (!ways.includes(way)) {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `${name} cannot be demonstrated through ${way}; expected ${ways.join(" or ")}`,
      "It needs the hand of an operator: use --through headset",
    );
  }
  return { task: name, way };
}

async function recordAll(
  daemon: Daemon,
  options: DemonstrateOptions,
  already: ReadonlyMap<number, string>,
  one: Demonstrate,
  signal: AbortSignal,
): Promise<void> {
  await demonstrateSeeds(
    options,
    already,
    (seed, attempt) => one(seed, attempt, signal),
    signal,
    async () => {
      await daemon.supervisor.reset();
      await enableOrFail(daemon);
    },
  );
}

async function byExpert(daemon: Daemon, recorder: RecorderHost, seed: number, signal: AbortSignal) {
  const expert = new ReachBlockExpert(seed);
  const start = { positionRad: [...expert.spreadStartRad()], gripperOpeningM: GRIPPER_OPENING_M };
  await goTo(daemon, policyRobots(daemon.cell.policy!)[0], start, SPEED_SCALE, signal);
  const scene = { seed: SCENE_SEED + seed, light: "training" } as const;
  await daemon.lab!.ask({ do: "scene", ...scene });
  await daemon.clock.sleepUntil((daemon.clock.nowNs() + SCENE_SETTLE_NS) as MonotonicNs, signal);
  const { blockM } = (await daemon.lab!.ask({ do: "truth" })).truth!;
  const { episode } = await recorder.start({
    task: "reach-block",
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

/** Only the recorder's context goes past the headset's wire: a headset knows nothing of seeds and scenes. */
async function byHand(
  daemon: Daemon,
  recorder: RecorderHost,
  wire: OperatorWire<HandFrame>,
  task: LabTask,
  seed: number,
  attempt: number,
  signal: AbortSignal,
) {
  const sceneSeed = SCENE_SEED + seed + attempt * ATTEMPT_SEED;
  const demonstration: HandDemonstration = { task, seed, sceneSeed, attempt };
  const first = await setTheScene(daemon, demonstration, signal);
  recorder.setContext({
    seed,
    attempt,
    operatorSeed: operatorSeed(demonstration),
    scene: { seed: sceneSeed, light: "training" },
    blockM: [...(first.fridge?.placeM ?? first.blockM)],
    expert: "launch/demonstrator",
    through: "headset",
  });
  return throughHeadset(recorder, wire, task, operatorSeed(demonstration), signal, async () => {
    const result = await operate(daemon, wire, demonstration, first, signal);
    const { strokes, reclutches } = result;
    return { ...result, hand: `, ${strokes} strokes${reclutches === 0 ? "" : `, ${reclutches} times anew`}` };
  });
}

/** As `byHand`, by a person's fingers. */
async function byFingers(
  daemon: Daemon,
  recorder: RecorderHost,
  wire: OperatorWire<FingerFrame>,
  task: HandTask,
  seed: number,
  attempt: number,
  signal: AbortSignal,
) {
  const sceneSeed = SCENE_SEED + seed + attempt * ATTEMPT_SEED;
  const person = 16 * seed + attempt;
  const demonstration = { task, seed, sceneSeed, operatorSeed: person };
  const prepared = await prepareFingers(daemon, demonstration, signal);
  recorder.setContext({
    seed,
    attempt,
    operatorSeed: person,
    scene: prepared.scene,
    expert: "launch/demonstrator",
    through: "headset",
  });
  return throughHeadset(recorder, wire, task, person, signal, async () => {
    const result = await leadFingers(daemon, wire, task, prepared, signal);
    return { ...result, hand: "" };
  });
}

interface ByOperator {
  readonly verdict: { readonly success: boolean; readonly endedBecause: string };
  readonly words: readonly string[];
  readonly seconds: number;
  /** What else is to be said of it. */
  readonly hand: string;
}

/** Takes the robot, records what the operator does, and keeps it if it succeeded. */
async function throughHeadset(
  recorder: RecorderHost,
  wire: OperatorWire<never>,
  task: LabTask | HandTask,
  person: number,
  signal: AbortSignal,
  work: () => Promise<ByOperator>,
) {
  await wire.take();
  await wire.startRecording(task, `scripted operator ${person} through the headset`);
  const { episode } = recorder.status();
  try {
    const { verdict, words, seconds, hand } = await work();
    if (signal.aborted) {
      await wire.discardRecording();
      return undefined;
    }
    if (!verdict.success) throw failed(verdict.endedBecause, words);
    await wire.stopRecording("success", "");
    return `${episode} success, ${seconds.toFixed(1)} s${hand}, ${words.join(", ")}`;
  } catch (thrown) {
    await wire.discardRecording().catch(() => {});
    throw thrown;
  } finally {
    recorder.setContext({});
    await wire.give().catch(() => {});
  }
}

const failed = (why: string, words: readonly string[]) =>
  new CerebellumError(
    "CHECK_FAILED",
    `The demonstration failed: ${why} (${words.join(", ")})`,
    "Another try is at another scene",
  );

const ledInRealTime = () =>
  new CerebellumError(
    "CONFIG_INVALID",
    "A policy leads demonstrations (--led-by) only in simulated time",
    "Add --clock lockstep",
  );
