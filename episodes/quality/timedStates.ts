/** A robot's measured joints and a camera's images of an episode, each with the time at which it was captured. */
import { asEpochNs, msToNs } from "../../core/clock.js";
import { readJointState } from "../../core/rosWire.js";
import type { EpisodeMessage, EpisodeReader } from "../episodeReader.js";
import { readServoTick, servoTickTopic } from "../messages.js";
import { type ClockSegment, type ReceivedStamp, recoverCaptureTimes } from "./captureTimes.js";
import { readStampNs, readTickHead } from "./heads.js";

/** How the capture times of a topic were found, for the report. */
export interface TopicTimes {
  readonly topic: string;
  /** `device`: from the device's own clock. `stamps`: from the messages' stamps. `receipt`: nothing better is there. */
  readonly from: "device" | "stamps" | "receipt";
  /** Declared fixed delay that was taken away. */
  readonly latencyMs: number;
  readonly segments: readonly ClockSegment[];
  readonly unusable: number;
}

export interface TimedState {
  readonly capturedNs: bigint;
  readonly receivedNs: bigint;
  /** 99 % bound of the clocks; infinite when it is not known. */
  readonly errorMs: number;
  /** Base to tool. */
  readonly positionRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
}

export interface TimedImage {
  readonly stampNs: bigint;
  readonly capturedNs: bigint;
  readonly receivedNs: bigint;
  readonly errorMs: number;
}

const latencyOf = (reader: EpisodeReader, topic: string): number =>
  reader.start.topics.find((found) => found.topic === topic)?.latencyMs ?? 0;

const errorOf = (segments: readonly ClockSegment[], count: number): Float64Array => {
  const errors = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
  for (const { first, last, errorMs } of segments) errors.fill(errorMs, first, last + 1);
  return errors;
};

/** Takes a camera's messages, in order of receipt. */
export class ImageTimes {
  readonly #samples: ReceivedStamp[] = [];
  constructor(readonly topic: string) {}

  add({ data, publishNs, logNs }: EpisodeMessage): void {
    this.#samples.push({ stampNs: readStampNs(data) ?? publishNs, receivedNs: logNs });
  }

  /** By stamp; of two with one stamp, the first. */
  result(reader: EpisodeReader): { images: Map<bigint, TimedImage>; times: TopicTimes } {
    const latencyMs = latencyOf(reader, this.topic);
    const { captureNs, segments, unusable } = recoverCaptureTimes(this.#samples, { latencyMs });
    const errors = errorOf(segments, captureNs.length);
    for (const index of unusable) errors[index] = Number.POSITIVE_INFINITY;
    const images = new Map<bigint, TimedImage>();
    for (const [index, { stampNs, receivedNs }] of this.#samples.entries())
      if (!images.has(stampNs))
        images.set(stampNs, {
          stampNs,
          receivedNs,
          capturedNs: captureNs[index]!,
          errorMs: errors[index]!,
        });
    return {
      images,
      times: { topic: this.topic, from: "stamps", latencyMs, segments, unusable: unusable.length },
    };
  }
}

/** Topic that has a robot's measured joints: servo ticks, or joint states in a bag from elsewhere. */
export function stateTopic(reader: EpisodeReader, robot: string): string | undefined {
  const has = (topic: string) => reader.topics.some((found) => found.topic === topic && found.count > 0);
  return [servoTickTopic(robot), `/${robot}/joint_states`].find(has);
}

interface Report extends Omit<TimedState, "capturedNs" | "errorMs"> {
  readonly stampNs: bigint;
  readonly hasDeviceTime: boolean;
}

/** Takes a robot's messages, in order of receipt. */
export class StateTimes {
  readonly #reports: Report[] = [];
  #sequence: number | undefined;
  readonly #isTicks: boolean;

  constructor(
    readonly topic: string,
    robot: string,
  ) {
    this.#isTicks = topic === servoTickTopic(robot);
  }

  /** @throws CerebellumError EPISODE_INVALID for a tick that cannot be read; a joint state that cannot be is left out */
  add(reader: EpisodeReader, message: EpisodeMessage): void {
    if (this.#isTicks) this.#addTick(reader, message);
    else this.#addJointState(message);
  }

  #addTick(reader: EpisodeReader, message: EpisodeMessage): void {
    // A tick that shows the report of the one before tells nothing new, and is not worth decoding.
    const sequence = readTickHead(message.data)?.stateSequence;
    if (sequence !== undefined && sequence === this.#sequence) return;
    this.#sequence = sequence;
    const tick = readServoTick(reader.decode(message));
    if (tick.stateStampNs === 0n || tick.positionRad.length === 0) return;
    this.#reports.push({
      stampNs: BigInt(tick.deviceTimeUs) * 1000n,
      hasDeviceTime: tick.deviceTimeUs !== 0,
      receivedNs: tick.stateStampNs,
      positionRad: tick.positionRad,
      velocityRadPerS: tick.velocityRadPerS,
    });
  }

  #addJointState({ data, logNs }: EpisodeMessage): void {
    const parsed = readJointState(data);
    if (!parsed.ok || parsed.value.positionRad.length === 0) return;
    const { stampNs, positionRad, velocityRadPerS } = parsed.value;
    this.#reports.push({ stampNs, hasDeviceTime: true, receivedNs: logNs, positionRad, velocityRadPerS });
  }

  /** In order of capture. Where a device gives its time, reports without one are left out. */
  result(reader: EpisodeReader): { states: TimedState[]; times: TopicTimes } {
    const latencyMs = latencyOf(reader, this.topic);
    const timed = this.#reports.filter(({ hasDeviceTime }) => hasDeviceTime);
    if (timed.length === 0) return this.#byReceipt(latencyMs);
    const clock = this.#isTicks ? "other" : "auto";
    const { captureNs, segments, unusable } = recoverCaptureTimes(timed, { latencyMs, clock });
    const errors = errorOf(segments, timed.length);
    for (const index of unusable) errors[index] = Number.POSITIVE_INFINITY;
    const states = timed.map(
      (report, index): TimedState => ({
        ...strip(report),
        capturedNs: captureNs[index]!,
        errorMs: errors[index]!,
      }),
    );
    return {
      states: states.filter(({ errorMs }) => Number.isFinite(errorMs)).sort(byCapture),
      times: {
        topic: this.topic,
        from: this.#isTicks ? "device" : "stamps",
        latencyMs,
        segments,
        unusable: unusable.length + this.#reports.length - timed.length,
      },
    };
  }

  #byReceipt(latencyMs: number): { states: TimedState[]; times: TopicTimes } {
    const states = this.#reports.map(
      (report): TimedState => ({
        ...strip(report),
        capturedNs: report.receivedNs - msToNs(latencyMs),
        errorMs: Number.POSITIVE_INFINITY,
      }),
    );
    return {
      states: states.sort(byCapture),
      times: { topic: this.topic, from: "receipt", latencyMs, segments: [], unusable: 0 },
    };
  }
}

const strip = ({ receivedNs, positionRad, velocityRadPerS }: Report) => ({
  receivedNs: asEpochNs(receivedNs),
  positionRad,
  velocityRadPerS,
});
const byCapture = (a: TimedState, b: TimedState): number =>
  a.capturedNs < b.capturedNs ? -1 : Number(a.capturedNs > b.capturedNs);
