/**
 * `demonstrate reach-block`: the lab's scripted expert runs in the very loop that a policy runs in, through servo and
 * vendor's wire, and the daemon records what it subscribes to: wrist images, measured joints, joints as sent, and for
 * each step what the expert wanted.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { type EpochNs, type MonotonicNs, NS_PER_S, toEpochNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { type ImageView, writeCompressedImage, writeString } from "../../core/rosWire.js";
import { rosDefinition } from "../../episodes/definitions.js";
import { ReachBlockExpert } from "../../lab/experts/reachBlock.js";
import type { Actor, Observation } from "../../runtime/policy/actor.js";
import { createFrameSlots, FrameReader, FrameWriter } from "../../runtime/policy/frameSlots.js";
import { PolicyRunner } from "../../runtime/policy/runner.js";
import type { StepRecord } from "../../runtime/policy/steps.js";
import { EpisodeWriter } from "../../runtime/recorder/episodeWriter.js";
import type { Daemon } from "../daemon/daemon.js";
import { goTo } from "../tasks/trial.js";
import { enableOrFail, withDaemon } from "./running.js";

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
const JPEG = { quality: 92, chromaSubsampling: "4:4:4" } as const;
const STEP_TOPIC = "/demonstration/step";
/** Scenes of demonstrations; trials and the pre-training corpus have others. */
const SCENE_SEED = 2_000_000;

export async function demonstrate(
  task: string,
  folder: string,
  options: { cell: string; episodes: number; seed: number; logLevel: string },
): Promise<void> {
  if (task !== "reach-block") {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `Task "${task}" has no scripted expert; expected reach-block`,
      "Choose a task that has one",
    );
  }
  await withDaemon({ cellFile: options.cell, logLevel: "warn", policy: false }, async (daemon, signal) => {
    const lab = daemon.lab;
    const policy = daemon.cell.policy;
    if (lab === undefined || policy === undefined) {
      throw new CerebellumError(
        "LAB_REFUSED",
        "Scripted demonstrations need a cell with `lab` and `policy`",
        "Use launch/cells/xarm7-lab.yaml",
      );
    }
    await enableOrFail(daemon);
    for (let index = 0, failures = 0; index < options.episodes && !signal.aborted; index++) {
      const seed = options.seed * 10_000 + index;
      const file = join(resolve(folder), `episode-${String(seed).padStart(6, "0")}.mcap`);
      const label = `${index + 1}/${options.episodes} ${file}`;
      if (existsSync(file)) {
        say(`${label}: already there`);
        continue;
      }
      try {
        const { outcome, steps, finalM } = await demonstrateOnce(daemon, seed, file, signal);
        if (!signal.aborted)
          say(`${label}: ${outcome}, ${steps} steps, ${(100 * finalM).toFixed(1)} cm at the end`);
        failures = 0;
      } catch (thrown) {
        if (!(thrown instanceof CerebellumError) || signal.aborted || ++failures > FAILURES_MAX) throw thrown;
        say(`${label}: ${thrown.message} The episode is discarded and done again`);
        await daemon.supervisor.reset();
        await enableOrFail(daemon);
        index--;
      }
    }
  });
}

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** Start pose, scene, recording. */
async function demonstrateOnce(daemon: Daemon, seed: number, file: string, signal: AbortSignal) {
  const expert = new ReachBlockExpert(seed);
  const start = { positionRad: [...expert.spreadStartRad()], gripperOpeningM: GRIPPER_OPENING_M };
  await goTo(daemon, daemon.cell.policy!.robot, start, SPEED_SCALE, signal);
  await daemon.lab!.ask({ do: "scene", seed: SCENE_SEED + seed, light: "training" });
  await daemon.clock.sleepUntil((daemon.clock.nowNs() + SCENE_SETTLE_NS) as MonotonicNs, signal);
  return recordOne(daemon, expert, file, seed, signal);
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

async function recordOne(
  daemon: Daemon,
  expert: ReachBlockExpert,
  file: string,
  seed: number,
  signal: AbortSignal,
) {
  const { clock, cell, lab } = daemon;
  const policy = cell.policy!;
  const camera = cell.cameras[policy.camera]!;
  const truth = (await lab!.ask({ do: "truth" })).truth!;
  const finished = new AbortController();
  const actor = new ExpertActor(expert, truth.blockM, () => finished.abort());
  const recording = await Recording.start(daemon, file);
  const slots = createFrameSlots(camera);
  const writer = new FrameWriter(slots, camera);
  const takeFrame = (name: string, image: ImageView, receivedNs: MonotonicNs) => {
    if (name === policy.camera) writer.write(image.data, image.stepBytes, image.stampNs, receivedNs);
  };
  daemon.frameListeners.add(takeFrame);
  const servo = await daemon.connectCommander(policy.robot, "expert");
  let steps = 0;
  const runner = new PolicyRunner({
    clock,
    servo,
    frames: new FrameReader(slots, camera),
    actor,
    mapping: daemon.mapping,
    name: "expert",
    rateHz: RATE_HZ,
    expiryMs: EXPIRY_MS,
    clipRad: CLIP_RAD,
    frameAgeMsMax: policy.frameAgeMsMax,
    onStep: (record) => {
      const wanted = record.imageStampNs === undefined ? undefined : actor.wanted.get(record.imageStampNs);
      if (record.commandSeq === undefined || wanted === undefined) return;
      steps++;
      recording.step(record, wanted);
    },
  });
  try {
    await runner.run(AbortSignal.any([signal, finished.signal]));
  } catch (thrown) {
    await recording.episode.discard();
    throw thrown;
  } finally {
    daemon.frameListeners.delete(takeFrame);
    await servo.close();
    recording.detach();
  }
  const outcome = actor.arrived ? "success" : "failure";
  if (signal.aborted) await recording.episode.discard();
  else {
    await recording.episode.finish({
      task: "reach-block",
      seed: String(seed),
      outcome,
      blockM: JSON.stringify(truth.blockM),
      cell: JSON.stringify(cell),
      cameraMount: JSON.stringify({ ...camera.mount, fovYDeg: camera.fovYDeg }),
      clockMapping: JSON.stringify({
        monotonicNs: String(daemon.mapping.monotonicNs),
        epochNs: String(daemon.mapping.epochNs),
      }),
    });
  }
  return { outcome, steps, finalM: actor.finalM };
}

/** What one demonstration writes: subscriptions of the daemon's node, and the steps. */
class Recording {
  readonly #undo: (() => void)[] = [];
  readonly #daemon: Daemon;

  private constructor(
    daemon: Daemon,
    readonly episode: EpisodeWriter,
  ) {
    this.#daemon = daemon;
  }

  static async start(daemon: Daemon, file: string): Promise<Recording> {
    const { robot, camera } = daemon.cell.policy!;
    const imageTopic = `${daemon.cell.cameras[camera]!.topic}/color/image_raw/compressed`;
    const topics = {
      [imageTopic]: "sensor_msgs/msg/CompressedImage",
      [`/${robot}/joint_states`]: "sensor_msgs/msg/JointState",
      [`/${robot}/joint_command`]: "sensor_msgs/msg/JointState",
      [STEP_TOPIC]: "std_msgs/msg/String",
    };
    const prefixes = (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== "");
    const episode = await EpisodeWriter.create(
      file,
      Object.entries(topics).map(([topic, type]) => ({
        topic,
        type,
        definition: rosDefinition(type, prefixes),
      })),
    );
    const recording = new Recording(daemon, episode);
    for (const [topic, type] of Object.entries(topics)) {
      if (type === "sensor_msgs/msg/JointState") recording.#record(topic, type);
    }
    const takeImage = (name: string, image: ImageView, receivedNs: MonotonicNs) => {
      if (name !== camera) return;
      const { widthPx, heightPx, stampNs, frameId } = image;
      const packed = sharp(image.data, { raw: { width: widthPx, height: heightPx, channels: 3 } })
        .jpeg(JPEG)
        .toBuffer()
        .then((data) => writeCompressedImage(stampNs, frameId, "jpeg", data));
      episode.writeLater(imageTopic, stampNs, toEpochNs(daemon.mapping, receivedNs), packed);
    };
    daemon.frameListeners.add(takeImage);
    recording.#undo.push(() => daemon.frameListeners.delete(takeImage));
    return recording;
  }

  step(record: StepRecord, wanted: { cleanRad: number[]; phase: string }): void {
    const stampNs = toEpochNs(this.#daemon.mapping, record.startNs);
    const text = JSON.stringify({
      imageStampNs: String(record.imageStampNs),
      positionRad: record.positionRad,
      actionRad: wanted.cleanRad,
      executedRad: record.actionRad,
      stepNs: String(stampNs),
      phase: wanted.phase,
    });
    this.episode.write(STEP_TOPIC, stampNs, stampNs, writeString(text));
  }

  detach(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  #record(topic: string, type: string): void {
    const { clock } = this.#daemon;
    this.#undo.push(
      this.#daemon.rosNode.subscribeRaw(type, topic, "reliable", (bytes) => {
        const nowNs = clock.epochNs();
        this.episode.write(topic, nowNs, nowNs, bytes);
      }),
    );
  }
}
