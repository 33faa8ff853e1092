/**
 * First look at an episode that is to be resampled: when each of its streams begins and ends, how evenly it runs, and
 * which frame times they all cover. Reads everything once, decodes no image, keeps nothing.
 */
import { asEpochNs, type EpochNs, NS_PER_S } from "../../core/clock.js";
import type { EpisodeMessage, EpisodeReader } from "../episodeReader.js";
import type { QualityFlag } from "../format.js";
import { type ImageSize, imageSize } from "../pixels.js";
import { baseColumns } from "./baseColumns.js";
import { CaptureLog, type Captures } from "./captures.js";
import { readArmSample, type Streams } from "./streams.js";

/** Kept part, epoch nanoseconds of log time; null = from the start, to the end. */
export interface KeptPart {
  readonly fromNs: bigint | null;
  readonly toNs: bigint | null;
}

/**
 * Longest gap, in periods of the export or of the stream, whichever is longer: one missing image (two periods) passes,
 * two in a row (three periods) do not, and half a period is left to the jitter of stamps.
 */
export const GAP_PERIODS_MAX = 2.5;
/** Real rate over nominal rate; one message more or less is never held against an episode. */
export const RATE_SHARE_MAX = 0.01;
/** What was captured in the kept part may have been received so much later; what comes before it is needed too. */
const MARGIN_NS = NS_PER_S;

export interface StreamSurvey {
  readonly topic: string;
  /** With rising times. */
  readonly count: number;
  readonly firstNs: EpochNs;
  readonly lastNs: EpochNs;
  /** 0 when there are less than two. */
  readonly rateHz: number;
  readonly nominalRateHz: number | undefined;
  readonly gapMaxMs: number;
  readonly gapLimitMs: number;
  /** Of a camera: whose clock its stamps are of, and how far capture times may be off for that. */
  readonly clock?: Captures["clock"];
  readonly captureErrorMs?: number;
}

export interface EpisodeSurvey {
  readonly timeline: Timeline;
  readonly frameCount: number;
  readonly streams: readonly StreamSurvey[];
  readonly sizes: Readonly<Record<string, ImageSize & { readonly isDepth: boolean }>>;
  /** By camera and order of receipt, of what `readRange` reads. */
  readonly captures: Readonly<Record<string, Captures>>;
  readonly hasGripper: boolean;
  /** Joints without a motor of a robot on legs; undefined for what has no base of its own. */
  readonly passiveCount: number | undefined;
  /** Samples of the arm that could not be used: lengths differ from the joints', or values are not finite. */
  readonly unusableCount: number;
  /** Why a frame of this episode may not be what it claims; empty for an episode that can be used unseen. */
  readonly flags: readonly QualityFlag[];
}

/** Frame times: a grid of exact multiples of the period, rounded to nanoseconds each by itself. */
export class Timeline {
  constructor(
    readonly startNs: EpochNs,
    readonly rateHz: number,
  ) {}

  at(index: number): EpochNs {
    return asEpochNs(this.startNs + BigInt(Math.round((index * 1e9) / this.rateHz)));
  }

  /** First frame at or after a time; below 0 before the start. */
  atOrAfter(timeNs: bigint): number {
    let index = Math.ceil((Number(timeNs - this.startNs) * this.rateHz) / 1e9) - 1;
    while (this.at(index) < timeNs) index++;
    return index;
  }
}

/** What is read of an episode for its kept part. */
export const readRange = (streams: Streams, trim: KeptPart | undefined) => ({
  topics: [
    streams.arm.topic,
    ...streams.cameras.map(({ topic }) => topic),
    ...(streams.stepTopic === undefined ? [] : [streams.stepTopic]),
  ],
  ...(trim?.fromNs == null ? {} : { fromNs: trim.fromNs - MARGIN_NS }),
  ...(trim?.toNs == null ? {} : { toNs: trim.toNs + MARGIN_NS }),
});

/** @throws CerebellumError EPISODE_INVALID where the file is damaged or a message cannot be read */
export async function surveyEpisode(
  reader: EpisodeReader,
  streams: Streams,
  rateHz: number,
  trim: KeptPart | undefined,
): Promise<EpisodeSurvey> {
  const arm = new Track(streams.arm.topic, streams.arm.rateHz, rateHz, trim, true);
  const cameras = streams.cameras.map((camera) => new Track(camera.topic, camera.rateHz, rateHz, trim));
  const logs = streams.cameras.map(({ latencyNs }) => new CaptureLog(latencyNs));
  const sizes = new Sizes();
  let unusableCount = 0;
  let firstGripperNs: EpochNs | undefined;
  let passiveCount: number | undefined;
  let [firstTickNs, lastTickNs]: [EpochNs | undefined, EpochNs | undefined] = [undefined, undefined];
  for await (const message of reader.messages(readRange(streams, trim))) {
    if (message.topic === streams.arm.topic) {
      const sample = readArmSample(reader, message, streams.arm);
      if (sample === undefined) unusableCount++;
      else {
        arm.add(sample.stateNs);
        firstTickNs ??= sample.tickNs;
        lastTickNs = sample.tickNs;
        if (Number.isFinite(sample.gripperM)) firstGripperNs ??= sample.stateNs;
        if (sample.base !== undefined) passiveCount ??= sample.base.length - baseColumns(0).length;
      }
      continue;
    }
    const index = streams.cameras.findIndex(({ topic }) => topic === message.topic);
    if (index < 0) continue;
    logs[index]!.add(message);
    sizes.add(reader, message, streams.cameras[index]!.camera);
  }
  const captures = Object.fromEntries(
    streams.cameras.map(({ camera }, index) => [camera, logs[index]!.finish()]),
  );
  for (const [index, { camera }] of streams.cameras.entries()) cameras[index]!.addAll(captures[camera]!);
  const tracks = [arm, ...cameras];
  const flags = [...tracks.flatMap((track) => track.flags()), ...sizes.flags];
  if (tracks.some((track) => track.count === 0))
    return { ...nothing(rateHz), streams: tracks.map((track) => track.survey()), unusableCount, flags };
  const endNs = latestOf(tracks.map((track) => track.lastNs));
  for (const track of tracks) flags.push(...track.vanished(endNs));
  const starts = [firstTickNs!, arm.firstNs, firstGripperNs ?? 0n, trim?.fromNs ?? 0n];
  const startNs = latestOf([...starts, ...cameras.map((track) => track.firstNs)]);
  const timeline = new Timeline(inPhase(startNs, cameras[0]), rateHz);
  const ends = [
    lastTickNs!,
    arm.lastNs,
    ...(trim?.toNs == null ? [] : [trim.toNs]),
    ...cameras.map((track) => track.lastNs + track.periodNs),
  ];
  // The action of a frame is that of the next frame's time, so there must be one.
  const frameCount = Math.max(0, timeline.atOrAfter(earliestOf(ends) + 1n) - 1);
  return {
    timeline,
    frameCount,
    streams: tracks.map((track) => track.survey()),
    sizes: sizes.found,
    captures,
    hasGripper: firstGripperNs !== undefined,
    passiveCount,
    unusableCount,
    flags,
  };
}

/** One stream's times, only those of the kept part. */
class Track {
  count = 0;
  firstNs = asEpochNs(0n);
  lastNs = asEpochNs(0n);
  #keptCount = 0;
  #repeatedCount = 0;
  #keptFirstNs = 0n;
  #keptLastNs = 0n;
  #backwardsCount = 0;
  #gapNs = 0n;
  #gapAtNs = 0n;
  #captures: Captures | undefined;
  readonly #gapLimitMs: number;
  readonly #longerPeriodNs: bigint;

  constructor(
    readonly topic: string,
    private readonly nominalHz: number | undefined,
    exportHz: number,
    private readonly trim: KeptPart | undefined,
    /** A message may hold the time of the one before: two ticks that saw the same report of the device. */
    private readonly mayRepeat = false,
  ) {
    const slowerHz = Math.min(exportHz, nominalHz ?? exportHz);
    this.#gapLimitMs = (GAP_PERIODS_MAX * 1000) / slowerHz;
    this.#longerPeriodNs = BigInt(Math.round(1e9 / slowerHz));
  }

  /** For how long its newest value stands for the next one. */
  get periodNs(): bigint {
    return this.#longerPeriodNs;
  }

  add(timeNs: EpochNs): void {
    if (this.count > 0 && timeNs <= this.lastNs) {
      if (timeNs < this.lastNs) this.#backwardsCount++;
      else if (this.mayRepeat && this.#keptLastNs === timeNs) this.#repeatedCount++;
      return;
    }
    const { fromNs = null, toNs = null } = this.trim ?? {};
    if (this.count > 0 && !(fromNs !== null && timeNs < fromNs) && !(toNs !== null && this.lastNs > toNs)) {
      const gapNs = timeNs - this.lastNs;
      if (gapNs > this.#gapNs) [this.#gapNs, this.#gapAtNs] = [gapNs, this.lastNs];
    }
    if (this.count === 0) this.firstNs = timeNs;
    this.lastNs = timeNs;
    this.count++;
    if ((fromNs !== null && timeNs < fromNs) || (toNs !== null && timeNs > toNs)) return;
    if (this.#keptCount === 0) this.#keptFirstNs = timeNs;
    this.#keptLastNs = timeNs;
    this.#keptCount++;
  }

  addAll(captures: Captures): void {
    this.#captures = captures;
    for (const captureNs of captures.captureNs) this.add(asEpochNs(captureNs));
  }

  survey(): StreamSurvey {
    const seconds = Number(this.#keptLastNs - this.#keptFirstNs) / 1e9;
    return {
      topic: this.topic,
      count: this.#keptCount,
      firstNs: this.firstNs,
      lastNs: this.lastNs,
      rateHz: seconds > 0 ? (this.#keptCount + this.#repeatedCount - 1) / seconds : 0,
      nominalRateHz: this.nominalHz,
      gapMaxMs: Number(this.#gapNs) / 1e6,
      gapLimitMs: this.#gapLimitMs,
      ...(this.#captures === undefined
        ? {}
        : { clock: this.#captures.clock, captureErrorMs: this.#captures.errorMs }),
    };
  }

  flags(): QualityFlag[] {
    const { topic } = this;
    const { gapMaxMs, gapLimitMs, rateHz } = this.survey();
    const flags: QualityFlag[] = [];
    if (this.count === 0) flags.push({ code: "vanished", topic, text: "nothing usable in the kept part" });
    if (gapMaxMs > gapLimitMs) {
      const atS = (Number(this.#gapAtNs - this.firstNs) / 1e9).toFixed(3);
      const text = `gap of ${gapMaxMs.toFixed(1)} ms ${atS} s after its first, limit ${gapLimitMs.toFixed(1)} ms`;
      flags.push({ code: "gap", topic, text });
    }
    if (this.nominalHz !== undefined && this.#keptCount > 1) {
      const expected = (Number(this.#keptLastNs - this.#keptFirstNs) / 1e9) * this.nominalHz + 1;
      if (
        Math.abs(this.#keptCount + this.#repeatedCount - expected) > Math.max(RATE_SHARE_MAX * expected, 1.5)
      ) {
        const text = `real rate ${rateHz.toFixed(3)} Hz, nominal ${this.nominalHz} Hz, limit 1 % off`;
        flags.push({ code: "rate", topic, text });
      }
    }
    if (this.#backwardsCount > 0)
      flags.push({ code: "clock", topic, text: `${this.#backwardsCount} stamps go back in time` });
    const errorMs = this.#captures?.errorMs ?? 0;
    const errorMsMax = Number(this.periodNs) / 1e6 / 2;
    if (errorMs > errorMsMax) {
      const text = `stamps are of another clock, capture times may be ${errorMs.toFixed(1)} ms off, limit ${errorMsMax.toFixed(1)} ms`;
      flags.push({ code: "clock", topic, text });
    }
    return flags;
  }

  /** @param endNs last time of any stream */
  vanished(endNs: bigint): QualityFlag[] {
    const { toNs = null } = this.trim ?? {};
    const silentMs = Number((toNs !== null && toNs < endNs ? toNs : endNs) - this.lastNs) / 1e6;
    if (silentMs <= this.#gapLimitMs) return [];
    const text = `ends ${silentMs.toFixed(1)} ms before the episode, limit ${this.#gapLimitMs.toFixed(1)} ms`;
    return [{ code: "vanished", topic: this.topic, text }];
  }
}

/** Sizes of each camera's images; one that changes is flagged once. */
class Sizes {
  readonly found: Record<string, ImageSize & { isDepth: boolean }> = {};
  readonly flags: QualityFlag[] = [];

  add(reader: EpisodeReader, message: EpisodeMessage, camera: string): void {
    const size = imageSize(reader, message);
    const first = (this.found[camera] ??= size);
    if (first.widthPx === size.widthPx && first.heightPx === size.heightPx && first.isDepth === size.isDepth)
      return;
    if (this.flags.some(({ topic }) => topic === message.topic)) return;
    const text = `images change from ${sizeText(first)} to ${sizeText(size)}`;
    this.flags.push({ code: "changed", topic: message.topic, text });
  }
}

export const sizeText = ({ widthPx, heightPx, isDepth }: ImageSize & { isDepth?: boolean }): string =>
  `${widthPx}x${heightPx}${isDepth ? " depth" : ""}`;

/**
 * Moves a start forward so that frame times stay at least a quarter of the camera's period away from its captures:
 * jitter of stamps below that then neither repeats nor skips an image when both rates are equal.
 */
function inPhase(startNs: bigint, camera: Track | undefined): EpochNs {
  const rateHz = camera?.survey().nominalRateHz ?? camera?.survey().rateHz ?? 0;
  if (camera === undefined || rateHz === 0) return asEpochNs(startNs);
  const periodNs = 1e9 / rateHz;
  const phaseNs = Number(startNs - camera.firstNs) % periodNs;
  const aheadNs =
    phaseNs < periodNs / 4
      ? periodNs / 4 - phaseNs
      : phaseNs > (3 * periodNs) / 4
        ? (5 * periodNs) / 4 - phaseNs
        : 0;
  return asEpochNs(startNs + BigInt(Math.round(aheadNs)));
}

const nothing = (rateHz: number) => ({
  timeline: new Timeline(asEpochNs(0n), rateHz),
  frameCount: 0,
  sizes: {},
  captures: {},
  hasGripper: false,
  passiveCount: undefined,
});
const inOrder = (times: readonly bigint[]) => times.toSorted((a, b) => Number(a - b));
const latestOf = (times: readonly bigint[]) => inOrder(times).at(-1)!;
const earliestOf = (times: readonly bigint[]) => inOrder(times)[0]!;
