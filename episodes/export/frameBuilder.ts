/** Turns messages in order of receipt into frames in order of time, holding only what a coming frame can still need. */
import { asEpochNs, type EpochNs, NS_PER_S, nsToMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { EpisodeMessage, EpisodeReader } from "../episodeReader.js";
import { type PolicyStep, readPolicyStep } from "../messages.js";
import { turnBetween } from "./baseColumns.js";
import type { Frame, FrameImage } from "./resample.js";
import type { ResampleErrors } from "./resampleErrors.js";
import {
  type ActionColumn,
  type ArmSample,
  type CameraStream,
  readArmSample,
  type Streams,
} from "./streams.js";
import type { EpisodeSurvey, Timeline } from "./survey.js";

/** A step is written when it is over; frames with labels wait so long for one that began before them. */
const STEP_LATE_NS_MAX = NS_PER_S;
/** Images that wait because another stream comes late. */
const HELD_BYTES_MAX = 512 * 1024 * 1024;

export class FrameBuilder {
  readonly #cameras: readonly CameraQueue[];
  readonly #state: SampleQueue;
  readonly #ticks: SampleQueue;
  readonly #steps: PolicyStep[] = [];
  #step: PolicyStep | undefined;
  #logNs = 0n;
  #ended = false;
  #index = 0;
  #before: { timeNs: bigint; actionNs: bigint; state: Float64Array; action: Float64Array } | undefined;

  constructor(
    private readonly reader: EpisodeReader,
    private readonly streams: Streams,
    private readonly survey: EpisodeSurvey,
    private readonly action: ActionColumn,
    private readonly errors: ResampleErrors,
  ) {
    this.#cameras = streams.cameras.map(
      (camera) =>
        new CameraQueue(camera, survey.captures[camera.camera]!.captureNs, survey.timeline, () =>
          errors.skipped(camera.camera),
        ),
    );
    this.#state = new SampleQueue(({ stateNs }) => stateNs);
    this.#ticks = new SampleQueue(({ tickNs }) => tickNs);
  }

  get isDone(): boolean {
    return this.#index >= this.survey.frameCount;
  }

  /** Images that wait for their frame. */
  get heldBytes(): number {
    return this.#cameras.reduce((sum, camera) => sum + camera.heldBytes, 0);
  }

  take(message: EpisodeMessage): void {
    this.#logNs = message.logNs;
    if (message.topic === this.streams.arm.topic) {
      const sample = readArmSample(this.reader, message, this.streams.arm);
      if (sample === undefined) return;
      this.#state.push(this.#withGripper(sample));
      this.#ticks.push(sample);
    } else if (message.topic === this.streams.stepTopic) {
      const step = readPolicyStep(this.reader.decode(message));
      if (step.labelRad.length === this.streams.arm.jointNames.length) this.#steps.push(step);
    } else {
      const camera = this.#cameras.find(({ stream }) => stream.topic === message.topic);
      camera?.push(message, this.#index);
      this.#refuseOverflow();
    }
  }

  /** No more messages come. */
  end(): void {
    this.#ended = true;
  }

  /** The next frame, undefined until everything that can be in it has been taken. */
  next(): Frame | undefined {
    if (this.isDone) return undefined;
    const { timeline } = this.survey;
    const timeNs = timeline.at(this.#index);
    const nextNs = timeline.at(this.#index + 1);
    if (!this.#ended && !this.#isReady(timeNs, nextNs)) return undefined;
    const state = this.#stateAt(timeNs);
    const action = this.#actionAt(nextNs);
    const label = this.#labelAt(timeNs);
    const frame: Frame = {
      index: this.#index,
      timeNs,
      atS: this.#index / timeline.rateHz,
      state: state.values,
      stateBeforeMs: state.beforeMs,
      stateAfterMs: state.afterMs,
      action: action.values,
      actionAgeMs: action.ageMs,
      images: Object.fromEntries(this.#cameras.map((camera) => [camera.stream.camera, camera.at(timeNs)])),
      ...label,
    };
    this.errors.frame(frame);
    this.#compare(frame, nextNs);
    this.#index++;
    return frame;
  }

  #isReady(timeNs: bigint, nextNs: bigint): boolean {
    if (!this.#cameras.every((camera) => camera.hasPassed(timeNs))) return false;
    if (!this.#state.hasReached(nextNs) || !this.#ticks.hasPassed(nextNs)) return false;
    return this.streams.stepTopic === undefined || this.#logNs > timeNs + STEP_LATE_NS_MAX;
  }

  #stateAt(timeNs: bigint): { values: Float64Array; beforeMs: number; afterMs: number } {
    const [before, after] = this.#state.around(timeNs);
    const beforeMs = nsToMs(timeNs - before.stateNs);
    const afterMs = nsToMs(after.stateNs - timeNs);
    const share = beforeMs + afterMs === 0 ? 0 : beforeMs / (beforeMs + afterMs);
    const [a, b] = [this.#stateVector(before), this.#stateVector(after)];
    const values = a.map((value, column) => value + (b[column]! - value) * share);
    if (this.survey.passiveCount !== undefined) turnBetween(a, b, share, values, this.#driven);
    return { values, beforeMs, afterMs };
  }

  #actionAt(timeNs: bigint): { values: Float64Array; ageMs: number } {
    if (this.action === "measured") {
      const { values, beforeMs, afterMs } = this.#stateAt(timeNs);
      return { values: values.subarray(0, this.#driven), ageMs: Math.min(beforeMs, afterMs) };
    }
    const [tick] = this.#ticks.around(timeNs);
    const ageMs = nsToMs(timeNs - tick.tickNs);
    if (!this.survey.hasGripper || Number.isFinite(tick.gripperCommandM))
      return { values: this.#actionVector(tick, tick.gripperCommandM), ageMs };
    this.errors.gripperUncommandedCount++;
    const measured = this.#stateAt(timeNs).values.at(-1)!;
    return { values: this.#actionVector(tick, measured), ageMs };
  }

  #labelAt(timeNs: bigint): Pick<Frame, "label" | "labelAgeMs"> {
    if (this.streams.stepTopic === undefined) return { label: undefined, labelAgeMs: undefined };
    while (this.#steps[0] !== undefined && this.#steps[0].stampNs <= timeNs) this.#step = this.#steps.shift();
    return this.#step === undefined
      ? {
          label: new Float64Array(this.streams.arm.jointNames.length).fill(Number.NaN),
          labelAgeMs: Number.NaN,
        }
      : { label: this.#step.labelRad, labelAgeMs: nsToMs(timeNs - this.#step.stampNs) };
  }

  /** What a straight line from the frame before to this one misses of what was recorded between them. */
  #compare(frame: Frame, actionNs: EpochNs): void {
    const before = this.#before;
    if (before !== undefined) {
      const share = (ns: bigint, fromNs: bigint, toNs: bigint) => Number(ns - fromNs) / Number(toNs - fromNs);
      for (const sample of this.#state.between(before.timeNs, frame.timeNs)) {
        const at = share(sample.stateNs, before.timeNs, frame.timeNs);
        this.errors.between("state", this.#stateVector(sample), before.state, frame.state, at);
      }
      const isMeasured = this.action === "measured";
      const queue = isMeasured ? this.#state : this.#ticks;
      for (const sample of queue.between(before.actionNs, actionNs)) {
        const at = share(isMeasured ? sample.stateNs : sample.tickNs, before.actionNs, actionNs);
        const found = isMeasured
          ? this.#stateVector(sample)
          : this.#actionVector(sample, sample.gripperCommandM);
        this.errors.between("action", found, before.action, frame.action, at);
      }
    }
    this.#before = { timeNs: frame.timeNs, actionNs, state: frame.state, action: frame.action };
    this.#state.forgetBefore(frame.timeNs);
    this.#ticks.forgetBefore(actionNs);
  }

  /** Columns of an action: the robot's joints and its gripper. */
  get #driven(): number {
    return this.streams.arm.jointNames.length + (this.survey.hasGripper ? 1 : 0);
  }

  #stateVector({ positionRad, gripperM, base = NOTHING }: ArmSample): Float64Array {
    const { hasGripper, passiveCount } = this.survey;
    if (passiveCount !== undefined) return Float64Array.of(...positionRad, ...base);
    return hasGripper ? Float64Array.of(...positionRad, gripperM) : positionRad;
  }

  #actionVector(tick: ArmSample, gripperM: number): Float64Array {
    const joints = tick[JOINTS_OF[this.action]];
    return this.survey.hasGripper ? Float64Array.of(...joints, gripperM) : joints;
  }

  /** A gripper that is read less often than the joints keeps its newest opening. */
  #withGripper(sample: ArmSample): ArmSample {
    if (!this.survey.hasGripper || Number.isFinite(sample.gripperM)) return sample;
    return { ...sample, gripperM: this.#state.newest?.gripperM ?? Number.NaN };
  }

  #refuseOverflow(): void {
    const { heldBytes } = this;
    if (heldBytes <= HELD_BYTES_MAX) return;
    const [first, last] = [this.survey.timeline.at(this.#index), this.#logNs];
    throw new CerebellumError(
      "EPISODE_INVALID",
      `${this.reader.file} has a stream that comes ${nsToMs(last - first).toFixed(0)} ms late: ${heldBytes} bytes of images wait for it (limit ${HELD_BYTES_MAX})`,
      "Leave this episode out, or trim the part away",
    );
  }
}

const NOTHING = new Float64Array();
const JOINTS_OF = {
  sent: "sentRad",
  requested: "requestedRad",
  limited: "limitedRad",
  measured: "positionRad",
} as const satisfies Record<ActionColumn, keyof ArmSample>;

/** Samples by rising time; one that is no newer than the last is left out. */
class SampleQueue {
  #samples: ArmSample[] = [];
  constructor(private readonly timeOf: (sample: ArmSample) => EpochNs) {}

  get newest(): ArmSample | undefined {
    return this.#samples.at(-1);
  }

  push(sample: ArmSample): void {
    const { newest } = this;
    if (newest === undefined || this.timeOf(sample) > this.timeOf(newest)) this.#samples.push(sample);
  }

  hasReached(timeNs: bigint): boolean {
    return this.newest !== undefined && this.timeOf(this.newest) >= timeNs;
  }

  hasPassed(timeNs: bigint): boolean {
    return this.newest !== undefined && this.timeOf(this.newest) > timeNs;
  }

  /** The newest at or before the time, and the oldest at or after it; the same one when it lies on the time. */
  around(timeNs: bigint): [before: ArmSample, after: ArmSample] {
    const place = this.#samples.findLastIndex((sample) => this.timeOf(sample) <= timeNs);
    const before = this.#samples[place] ?? this.#samples[0]!;
    if (this.timeOf(before) >= timeNs) return [before, before];
    return [before, this.#samples[place + 1] ?? before];
  }

  between(fromNs: bigint, toNs: bigint): ArmSample[] {
    return this.#samples.filter((sample) => this.timeOf(sample) > fromNs && this.timeOf(sample) < toNs);
  }

  /** Keeps the newest at or before the time, and all after it. */
  forgetBefore(timeNs: bigint): void {
    const place = this.#samples.findLastIndex((sample) => this.timeOf(sample) <= timeNs);
    if (place > 0) this.#samples.splice(0, place);
  }
}

interface HeldImage {
  readonly message: EpisodeMessage;
  readonly capturedNs: EpochNs;
}

/** One camera's images; those that no frame will have are dropped as soon as that is known. */
class CameraQueue {
  #held: HeldImage[] = [];
  #used: HeldImage | undefined;
  #received = 0;
  heldBytes = 0;

  constructor(
    readonly stream: CameraStream,
    private readonly captureNs: BigInt64Array,
    private readonly timeline: Timeline,
    private readonly onSkip: () => void,
  ) {}

  /** @param nextIndex of the next frame to be made */
  push(message: EpisodeMessage, nextIndex: number): void {
    const capturedNs = asEpochNs(this.captureNs[this.#received++]!);
    const newest = this.#held.at(-1);
    if (newest !== undefined) {
      if (capturedNs <= newest.capturedNs) return;
      const frame = Math.max(nextIndex, this.timeline.atOrAfter(newest.capturedNs));
      if (this.timeline.at(frame) >= capturedNs) this.#drop(this.#held.pop()!, nextIndex);
    }
    this.#held.push({ message, capturedNs });
    this.heldBytes += message.data.length;
  }

  hasPassed(timeNs: bigint): boolean {
    const newest = this.#held.at(-1);
    return newest !== undefined && newest.capturedNs > timeNs;
  }

  at(timeNs: EpochNs): FrameImage {
    while (this.#held[1] !== undefined && this.#held[1].capturedNs <= timeNs)
      this.#forget(this.#held.shift()!);
    const image = this.#held[0]!;
    const isRepeat = image === this.#used;
    this.#used = image;
    return {
      capturedNs: image.capturedNs,
      ageMs: nsToMs(timeNs - image.capturedNs),
      isRepeat,
      message: image.message,
    };
  }

  /** Images before the first frame were never candidates. */
  #drop(image: HeldImage, nextIndex: number): void {
    if (image !== this.#used && !(nextIndex === 0 && image.capturedNs < this.timeline.startNs)) this.onSkip();
    this.#forget(image);
  }

  #forget(image: HeldImage): void {
    this.heldBytes -= image.message.data.length;
  }
}
