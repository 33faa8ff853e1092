/** Watches one topic of an episode: rates, gaps, repeats, freezes, order, delays, forms. Constant memory. */
import type { RecordedTopic } from "../format.js";
import {
  type ClockChange,
  clockChanges,
  DelayTrack,
  longestLine,
  OVERTAKEN_SHARE_MAX,
  smallestDelayNs,
} from "./delayTrack.js";
import {
  type HeadKind,
  headKind,
  isCdr,
  type PictureHead,
  readClockOffsetNs,
  readCompressedHead,
  readImageHead,
  readStampNs,
  sampledHash,
} from "./heads.js";
import { isHostDelay, type QualityLimits } from "./limits.js";
import { Spread, type SpreadMs } from "./spread.js";
import { Freeze, TickWatch } from "./tickWatch.js";

export interface TopicClock {
  /** Changes of stamp minus receive time, at seconds since the episode's first message. */
  readonly changes: readonly { atS: number; byMs: number; kind: ClockChange["kind"] }[];
  /** How much faster the stamps run than the host's clock; null when there is too little to tell. */
  readonly driftPpm: number | null;
  /** What that drift amounts to over the part it was measured in. */
  readonly driftMs: number | null;
}

/** What was seen on one topic. Times in `S` count from the episode's first message; null = does not apply. */
export interface TopicQuality {
  readonly topic: string;
  readonly type: string;
  readonly count: number;
  readonly bytes: number;
  /** Messages too short or odd for their type's first fields. */
  readonly unreadable: number;
  readonly nominalRateHz: number | null;
  /** Of different stamps that go forward: repeats do not make a topic faster. */
  readonly rateHz: number | null;
  readonly receiveRateHz: number | null;
  /** Between such stamps; its `sd` is the jitter. */
  readonly periodMs: SpreadMs | null;
  readonly receivePeriodMs: SpreadMs | null;
  readonly firstS: number | null;
  readonly longestGap: { ms: number; atS: number } | null;
  readonly gaps: number;
  readonly repeatedStamps: number;
  /** Messages with the same content as the one before; ticks with the same device report. */
  readonly repeatedContents: number;
  readonly longestFrozen: { s: number; atS: number; what: "picture" | "stamp" | "device report" } | null;
  readonly backwards: number;
  readonly largestBackMs: number;
  /** Receive time minus stamp. */
  readonly delayMs: SpreadMs | null;
  readonly clock: TopicClock;
  /** Size and encoding of pictures, each once, in order of appearance; at most eight. */
  readonly forms: readonly string[];
  readonly formChanges: number;
  /** Of ServoTick: ticks left out by their number, and the device's own clock against the host's. */
  readonly skippedTicks: number;
  readonly deviceClock: (TopicClock & { readonly restarts: number }) | null;
  /** Of ClockMapping: the epoch clock against the monotonic one. */
  readonly epochStepMsMax: number;
  /** Time from its last message to the end of the episode. */
  readonly silentAtEndS: number | null;
}

const FORMS_MAX = 8;
export class TopicWatch {
  readonly kind: HeadKind;
  readonly #limits: QualityLimits;
  readonly #periodNs: number | undefined;
  #count = 0;
  #bytes = 0;
  #unreadable = 0;
  #baseNs = 0n;
  #firstLogNs = 0n;
  #lastLogNs = 0n;
  /** Newest stamp so far; all in nanoseconds since `#baseNs`. */
  #newest = Number.NEGATIVE_INFINITY;
  #firstStamp = 0;
  #forward = 0;
  readonly #periods: Spread;
  readonly #receivePeriods: Spread;
  readonly #delays = new Spread();
  readonly #track = new DelayTrack();
  #gaps = 0;
  #longestGapNs = 0;
  #longestGapAtNs = 0;
  #backwards = 0;
  #largestBackNs = 0;
  readonly #stampFreeze = new Freeze();
  readonly #contentFreeze = new Freeze();
  #form = "";
  readonly #forms: string[] = [];
  #formChanges = 0;
  readonly #ticks: TickWatch | undefined;
  #clockOffsetNs: bigint | undefined;
  #epochStepNs = 0;

  constructor(
    readonly info: RecordedTopic,
    limits: QualityLimits,
  ) {
    this.kind = headKind(info.type);
    this.#limits = limits;
    this.#ticks = this.kind === "tick" ? new TickWatch() : undefined;
    this.#periodNs = info.rateHz === undefined ? undefined : 1e9 / info.rateHz;
    this.#periods = new Spread(this.#periodNs);
    this.#receivePeriods = new Spread(this.#periodNs);
  }

  get lastLogNs(): bigint {
    return this.#lastLogNs;
  }
  get firstLogNs(): bigint {
    return this.#firstLogNs;
  }
  get count(): number {
    return this.#count;
  }

  observe(publishNs: bigint, logNs: bigint, bytes: Uint8Array): void {
    if (this.#count === 0) {
      this.#baseNs = logNs;
      this.#firstLogNs = logNs;
      this.#lastLogNs = logNs;
    }
    const hasStamp = this.kind !== "plain" && this.kind !== "clock";
    const found = hasStamp ? readStampNs(bytes) : undefined;
    const stamp = Number((found ?? publishNs) - this.#baseNs);
    const log = Number(logNs - this.#baseNs);
    if (this.#count > 0) this.#receivePeriods.add(Number(logNs - this.#lastLogNs));
    this.#count++;
    this.#bytes += bytes.length;
    this.#lastLogNs = logNs;
    this.#takeStamp(stamp, log);
    this.#takeContent(log, bytes);
  }

  #takeStamp(stamp: number, log: number): void {
    this.#delays.add(log - stamp);
    const interval = stamp - this.#newest;
    const usual = this.#periodNs ?? this.#periods.mean;
    this.#track.add(log, log - stamp, this.#periods.count > 0 ? interval - usual : 0);
    this.#stampFreeze.see(stamp, log);
    if (this.#newest === Number.NEGATIVE_INFINITY) {
      this.#firstStamp = stamp;
      this.#newest = stamp;
      return;
    }
    if (interval === 0) return;
    if (interval < 0) {
      this.#backwards++;
      this.#largestBackNs = Math.max(this.#largestBackNs, -interval);
      // A clock that was set back goes on from there; one message out of order does not.
      if (-interval > this.#limits.clockStepMsMax * 1e6) this.#newest = stamp;
      return;
    }
    this.#forward++;
    this.#periods.add(interval);
    if (interval > this.#longestGapNs) {
      this.#longestGapNs = interval;
      this.#longestGapAtNs = log - interval;
    }
    if (interval > gapBoundNs(this.#limits, this.#periodNs)) this.#gaps++;
    this.#newest = stamp;
  }

  #takeContent(log: number, bytes: Uint8Array): void {
    const { kind } = this;
    if (kind === "image") this.#takePicture(log, bytes, readImageHead(bytes));
    else if (kind === "compressed") this.#takePicture(log, bytes, readCompressedHead(bytes));
    else if (kind === "clock") this.#takeClock(bytes);
    else if (this.#ticks !== undefined) {
      if (!this.#ticks.see(bytes, log, this.#baseNs)) this.#unreadable++;
    } else {
      if (kind !== "plain" && !isCdr(bytes)) this.#unreadable++;
      // Without the stamp, which differs in every message.
      const from = Math.min(kind === "plain" ? 4 : 12, bytes.length);
      this.#contentFreeze.see(sampledHash(bytes, from, bytes.length), log);
    }
  }

  #takePicture(log: number, bytes: Uint8Array, head: PictureHead | undefined): void {
    if (head === undefined) {
      this.#unreadable++;
      return;
    }
    this.#contentFreeze.see(sampledHash(bytes, head.dataFrom, head.dataEnd), log);
    if (head.form === this.#form) return;
    if (this.#form !== "") this.#formChanges++;
    this.#form = head.form;
    if (!this.#forms.includes(head.form) && this.#forms.length < FORMS_MAX) this.#forms.push(head.form);
  }

  #takeClock(bytes: Uint8Array): void {
    const offsetNs = readClockOffsetNs(bytes);
    if (offsetNs === undefined) {
      this.#unreadable++;
      return;
    }
    this.#clockOffsetNs ??= offsetNs;
    const byNs = Number(offsetNs - this.#clockOffsetNs);
    if (Math.abs(byNs) > Math.abs(this.#epochStepNs)) this.#epochStepNs = byNs;
  }

  /** Changes nothing, so that it may be asked at any time. @param startNs, endNs of the episode */
  quality(startNs: bigint, endNs: bigint): TopicQuality {
    const offsetS = this.#count === 0 ? 0 : Number(this.#baseNs - startNs) / 1e9;
    const at = (ns: number) => ns / 1e9 + offsetS;
    const spanNs = this.#newest - this.#firstStamp;
    const receiveSpanNs = Number(this.#lastLogNs - this.#firstLogNs);
    const device = this.#ticks?.device;
    return {
      topic: this.info.topic,
      type: this.info.type,
      count: this.#count,
      bytes: this.#bytes,
      unreadable: this.#unreadable,
      nominalRateHz: this.info.rateHz ?? null,
      rateHz: this.#forward > 0 && spanNs > 0 ? (this.#forward * 1e9) / spanNs : null,
      receiveRateHz: receiveSpanNs > 0 ? ((this.#count - 1) * 1e9) / receiveSpanNs : null,
      periodMs: this.#periods.summary(),
      receivePeriodMs: this.#receivePeriods.summary(),
      firstS: this.#count === 0 ? null : Number(this.#firstLogNs - startNs) / 1e9,
      longestGap:
        this.#forward === 0 ? null : { ms: this.#longestGapNs / 1e6, atS: at(this.#longestGapAtNs) },
      gaps: this.#gaps,
      repeatedStamps: this.#stampFreeze.repeats,
      repeatedContents: (this.#ticks?.reports ?? this.#contentFreeze).repeats,
      longestFrozen: this.#frozen(at),
      backwards: this.#backwards,
      largestBackMs: this.#largestBackNs / 1e6,
      delayMs: this.#delays.summary(),
      clock: this.#clock(this.#track, at),
      forms: [...this.#forms],
      formChanges: this.#formChanges,
      skippedTicks: this.#ticks?.skipped ?? 0,
      deviceClock:
        device === undefined ? null : { ...this.#clock(device.track, at), restarts: device.restarts },
      epochStepMsMax: this.#epochStepNs / 1e6,
      silentAtEndS: this.#count === 0 ? null : Number(endNs - this.#lastLogNs) / 1e9,
    };
  }

  /** The longest of what must not stand still. A still arm says the same in many messages; a picture has noise. */
  #frozen(at: (ns: number) => number): TopicQuality["longestFrozen"] {
    const isPicture = this.kind === "image" || this.kind === "compressed";
    const candidates = [
      ...(isPicture ? [{ what: "picture" as const, freeze: this.#contentFreeze }] : []),
      { what: "stamp" as const, freeze: this.#stampFreeze },
      ...(this.#ticks === undefined ? [] : [{ what: "device report" as const, freeze: this.#ticks.reports }]),
    ].filter(({ freeze }) => freeze.longestNs > 0);
    const longest = candidates.sort((a, b) => b.freeze.longestNs - a.freeze.longestNs)[0];
    if (longest === undefined) return null;
    const { longestNs, longestAtNs } = longest.freeze;
    return { s: longestNs / 1e9, atS: at(longestAtNs), what: longest.what };
  }

  #clock(track: DelayTrack, at: (ns: number) => number): TopicClock {
    const windows = track.windows();
    const isOrdered = this.#backwards <= OVERTAKEN_SHARE_MAX * this.#count;
    const found = clockChanges(windows, this.#limits.clockStepMsMax * 1e6, { isOrdered });
    // A host's stamps that jump ahead, but never beyond its time: messages were lost and a queue was emptied.
    const isHost = isHostDelay(smallestDelayNs(windows), this.#limits);
    const changes = found.filter(({ kind, byNs }) => kind === "delay" || byNs < 0 || !isHost);
    const line = longestLine(windows, changes);
    return {
      changes: changes.map(({ atNs, byNs, kind }) => ({ atS: at(atNs), byMs: byNs / 1e6, kind })),
      driftPpm: line === undefined ? null : 0 - line.slope * 1e6,
      driftMs: line === undefined ? null : 0 - (line.slope * line.spanNs) / 1e6,
    };
  }
}

/** Longest time without anything new that is no gap [ns]; infinite without a stated rate. */
export const gapBoundNs = (limits: QualityLimits, periodNs: number | undefined): number =>
  periodNs === undefined
    ? Number.POSITIVE_INFINITY
    : Math.max(limits.gapPeriods * periodNs, limits.gapMsMin * 1e6);
