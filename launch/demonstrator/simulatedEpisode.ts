/**
 * One episode of a cell in simulated time, written by the recorder's own parts: the same file as of the paced cell, with
 * an image of each camera for each step of whoever moves the arm, every servo tick and every step. Its clock is the simulated one, and its
 * context says so.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { addNs, type EpochNs, type MonotonicNs, msToMonotonicNs, toEpochNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { ImageMessage } from "../../core/rosWire.js";
import { SimClock } from "../../core/simClock.js";
import { EpisodeFile } from "../../episodes/episodeFile.js";
import type { EpisodeStart, Outcome } from "../../episodes/format.js";
import { POLICY_STEP, POLICY_STEP_TOPIC, writePolicyStep } from "../../episodes/messages.js";
import { limitsOf } from "../../episodes/quality/limits.js";
import { opticalFrame } from "../../kinematics/urdf.js";
import { type StepOrigin, toPolicyStep } from "../../runtime/policy/recordedStep.js";
import type { StepRecord } from "../../runtime/policy/steps.js";
import { type Begun, beginEpisode } from "../../runtime/recorder/begin.js";
import { Episode, IMAGES_PENDING_MAX } from "../../runtime/recorder/episode.js";
import { ImageStore } from "../../runtime/recorder/images.js";
import type { RecorderInput, RecorderSetup } from "../../runtime/recorder/messages.js";
import { imageTopicOf } from "../../runtime/ros/cameraSubscription.js";
import type { ServoInfo } from "../../runtime/servo/api.js";
import { recordedCell } from "../cell/load.js";
import type { CellConfig } from "../cell/schema.js";
import type { ArmTick, CameraPicture, LockstepArm } from "../tasks/lockstepArm.js";

export interface SimulatedRequest {
  readonly task: string;
  readonly note: string;
  readonly context: EpisodeStart["context"];
}

/** Where and how episodes are recorded; the same for all of a session. */
export interface SimulatedSet {
  readonly cell: CellConfig;
  readonly arm: LockstepArm;
  /** As the cell names them: the robot, and the camera whose images are the steps' own. All that `arm` renders are kept. */
  readonly robot: string;
  readonly camera: string;
  /** Folder of sets. */
  readonly folder: string;
  readonly rateHz: number;
  readonly software: Record<string, string>;
}

/** Simulated time begins here: a round number that nobody takes for a measured one. */
const START_NS = 1_000_000_000n;
const EPOCH_START_NS = 1_700_000_000_000_000_000n;
const RGB_BYTES = 3;

export class SimulatedEpisode {
  readonly #set: SimulatedSet;
  readonly #clock: SimClock;
  readonly #startNs: MonotonicNs;
  readonly #begun: Begun;
  readonly #episode: Episode;
  /** Of each camera; their places are those of the recorder's inputs, and the steps' input follows them. */
  readonly #images: readonly ImageMessage[];
  #ticks = 0;

  /** @throws CerebellumError CONFIG_INVALID for a cell without a recorder, RECORDING_FAILED, ROS_UNAVAILABLE */
  static async begin(set: SimulatedSet, request: SimulatedRequest): Promise<SimulatedEpisode> {
    const clock = new SimClock(START_NS, EPOCH_START_NS);
    const setup = setupOf(set);
    const begun = await beginEpisode(
      setup,
      {
        kind: "start",
        request: { ...request, kind: "demonstration", strict: false },
        bundle: null,
        engine: {},
        calibration: {},
      },
      new Map([[set.robot, servoInfo(set)]]),
      {
        clock,
        uuid: () => uuidOf(JSON.stringify([request.task, request.context])),
        freeBytes: async () => Number.POSITIVE_INFINITY,
        // Without a clock its chunks end by their size, whatever the machine does meanwhile.
        createFile: (at, start, topics) => EpisodeFile.create(at, start, topics),
      },
    );
    return new SimulatedEpisode(set, setup, clock, begun);
  }

  private constructor(set: SimulatedSet, setup: RecorderSetup, clock: SimClock, begun: Begun) {
    this.#set = set;
    this.#clock = clock;
    this.#startNs = clock.nowNs();
    this.#begun = begun;
    this.#images = set.arm.cameras.map(
      ({ name, widthPx, heightPx }) =>
        new ImageMessage(opticalFrame(name), widthPx, heightPx, "rgb8", RGB_BYTES * widthPx),
    );
    const { images, jpegQuality, episodeMsMax } = setup;
    const stores = new Map<number, ImageStore>();
    if (images !== "raw")
      for (const input of this.#images.keys())
        stores.set(
          input,
          new ImageStore({ storage: images, jpegQuality, pendingMax: IMAGES_PENDING_MAX, keptMax: 0 }),
        );
    this.#episode = new Episode({
      clock,
      mapping: begun.mapping,
      task: begun.start.task,
      name: begun.start.name,
      strict: false,
      msMax: episodeMsMax,
      plan: begun.plan,
      file: begun.file,
      stores,
      policyCameras: new Map(),
      droppedQueue: () => 0,
      limits: limitsOf(begun.start),
      onTrouble: (text) => {
        throw new CerebellumError("RECORDING_FAILED", `${begun.start.name}: ${text}`, "Look at the disk");
      },
    });
  }

  get name(): string {
    return this.#begun.start.name;
  }

  /** A moment of the run as this episode's times. */
  atNs(atMs: number): MonotonicNs {
    return addNs(this.#startNs, msToMonotonicNs(atMs));
  }

  /** What the arm's cameras saw at `atMs`, in their order; written before this resolves. @returns their stamp */
  async images(pictures: readonly CameraPicture[], atMs: number): Promise<EpochNs> {
    const stampNs = toEpochNs(this.#begun.mapping, this.atNs(atMs));
    for (const [input, { pixels }] of pictures.entries()) {
      const image = this.#images[input]!;
      image.pixels.set(pixels);
      image.stamp(stampNs);
      this.#episode.take(input, this.atNs(atMs), image.bytes);
      // One after another: which of two is compressed sooner must not decide their order in the file.
      await this.#episode.settle();
    }
    return stampNs;
  }

  step(record: StepRecord, origin: Omit<StepOrigin, "camera">): void {
    const step = toPolicyStep(record, this.#begun.mapping, { ...origin, camera: this.#set.camera });
    this.#episode.take(
      this.#images.length,
      record.startNs,
      this.#begun.plan.codec(POLICY_STEP).encode(writePolicyStep(step)),
    );
  }

  /** Ticks come in order; time stands at the newest one. */
  async tick(tick: ArmTick, commander: string): Promise<void> {
    const tickNs = this.atNs(tick.atMs);
    await this.#clock.advance(Number(tickNs - this.#clock.nowNs()) / 1e6);
    const { positionRad, velocityRadPerS, effortNm, requestedRad, limitedRad, sentRad, reasons } = tick;
    this.#episode.takeTick(this.#set.robot, {
      tick: ++this.#ticks,
      tickNs,
      state: "following",
      epoch: 1,
      commander,
      stateNs: tickNs,
      stateSequence: this.#ticks,
      positionRad,
      velocityRadPerS,
      effortNm,
      requestedRad,
      limitedRad,
      sentRad,
      reasons,
      commandSeq: tick.commandCount,
      commandWireNs: tickNs,
      gripperCommandM: tick.askedM,
      gripperOpeningM: tick.openingM,
      deviceTimeUs: 0,
      deviceErrorCode: 0,
    });
  }

  async finish(outcome: Outcome, note: string): Promise<void> {
    this.#episode.label(outcome, note);
    await this.#episode.finish("stopped", "");
  }

  discard(): Promise<void> {
    return this.#episode.discard();
  }
}

function setupOf({ cell, arm, robot, folder, rateHz, software }: SimulatedSet): RecorderSetup {
  if (cell.recorder === "off") {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `Cell ${cell.name} has no recorder`,
      "Use launch/cells/xarm7-lab.yaml",
    );
  }
  const { images, jpegQuality, diskFreeMiBMin, episodeMinutesMax } = cell.recorder;
  const { cameras } = arm;
  const one = { latched: false, countsGaps: false };
  const inputs: RecorderInput[] = [
    ...cameras.map(
      ({ topic }): RecorderInput => ({
        ...one,
        topic: imageTopicOf(topic),
        type: "sensor_msgs/msg/Image",
        source: "ros",
        rateHz,
      }),
    ),
    { ...one, topic: POLICY_STEP_TOPIC, type: POLICY_STEP, source: "policy" },
  ];
  return {
    ring: new SharedArrayBuffer(0),
    inputs,
    folder,
    images,
    jpegQuality,
    diskFreeBytesMin: diskFreeMiBMin * 2 ** 20,
    episodeMsMax: episodeMinutesMax * 60_000,
    sockets: { [robot]: join(folder, "none") },
    cameras: Object.fromEntries(
      cameras.map(({ name, widthPx, heightPx, fovYDeg, parentFrame, positionM, quatXyzw }) => [
        name,
        {
          widthPx,
          heightPx,
          rateHz,
          fovYDeg,
          mount: { robot, parentFrame, positionM: [...positionM], quatXyzw: [...quatXyzw] },
        },
      ]),
    ),
    imageTopics: Object.fromEntries(cameras.map(({ name, topic }) => [name, imageTopicOf(topic)])),
    policyCameras: [],
    prefixes: (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== ""),
    cell: recordedCell(cell),
    software,
  };
}

const servoInfo = ({ arm, robot }: SimulatedSet): ServoInfo => ({
  robot,
  device: "xarm7",
  rateHz: arm.servoRateHz,
  limits: arm.limits,
  identity: undefined,
  realtimePriority: 0,
  processId: 0,
  supervisorSilenceMsMax: 0,
});

/** The same demonstration has the same name for ever, in whatever set it is. */
function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
