/** One topic of a running episode: what came, what was written, what was lost and where, and whether it still comes. */
import type { EpochNs, MonotonicNs } from "../../core/clock.js";
import { msToNs } from "../../core/clock.js";
import { type ImageView, readLeadingStamp } from "../../core/rosWire.js";
import type { RecordedTopic, TopicCounters } from "../../episodes/format.js";
import { GapEstimate } from "../gapEstimate.js";

export interface ChannelOptions {
  /** As it is in the file. */
  readonly topic: RecordedTopic;
  /** Its messages begin with a stamp. */
  readonly isStamped: boolean;
  /** Lost messages can be told from gaps between stamps. */
  readonly countsGaps: boolean;
  /** Messages that the queue has dropped so far. */
  readonly droppedQueue: () => number;
}

/** Silence of a topic with a rate that means it has vanished: this many periods, and at least so long. */
const SILENT_PERIODS = 10;
const SILENT_MS_MIN = 1000;
/** A camera that changes with every image must not fill the episode with words about it. */
const CHANGES_TOLD_MAX = 20;
/** A topic that never came is told after this. */
const ABSENT_MS = 3000;

export class Channel {
  readonly topic: RecordedTopic;
  /** The newest write; images that are under compression keep their order by it. */
  tail: Promise<void> = Promise.resolve();
  readonly #options: ChannelOptions;
  readonly #gaps: GapEstimate | undefined;
  readonly #droppedQueueBefore: number;
  #written = 0;
  #bytes = 0;
  #pending = 0;
  #estimatedLost = 0;
  #toldLost = 0;
  #droppedEncode = 0;
  #droppedDisk = 0;
  #newestNs: MonotonicNs | undefined;
  #vanished = false;
  #layout: string | undefined;
  #changes = 0;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.topic = options.topic;
    this.#droppedQueueBefore = options.droppedQueue();
    const { rateHz } = options.topic;
    if (options.countsGaps && rateHz !== undefined) this.#gaps = new GapEstimate(rateHz);
  }

  /** @returns when the message was captured, as it says; undefined when it does not */
  arrived(receivedNs: MonotonicNs, cdr: Uint8Array): EpochNs | undefined {
    this.#newestNs = receivedNs;
    this.#pending++;
    const stampNs = this.#options.isStamped ? readLeadingStamp(cdr) : undefined;
    if (stampNs !== undefined && this.#gaps !== undefined) this.#estimatedLost += this.#gaps.next(stampNs);
    return stampNs;
  }

  /** Nothing more comes: a gap that is still open is judged. */
  ended(): void {
    this.#estimatedLost += this.#gaps?.end() ?? 0;
  }

  written(bytes: number): void {
    this.#pending--;
    this.#written++;
    this.#bytes += bytes;
  }

  notEncoded(): void {
    this.#pending--;
    this.#droppedEncode++;
  }

  notTaken(): void {
    this.#pending--;
    this.#droppedDisk++;
  }

  /** So many never arrived, as somebody told who knows. */
  lost(count: number): void {
    this.#toldLost += count;
  }

  /** Messages under compression count as received. */
  counters(): TopicCounters {
    const droppedQueue = this.#options.droppedQueue() - this.#droppedQueueBefore;
    const [droppedEncode, droppedDisk] = [this.#droppedEncode, this.#droppedDisk];
    return {
      received: this.#written + this.#pending + droppedQueue + droppedEncode + droppedDisk,
      written: this.#written,
      bytes: this.#bytes,
      // What the queue has dropped shows as a gap too, and the same loss may be told and show as a gap.
      lostBefore: Math.max(this.#toldLost, this.#estimatedLost - droppedQueue),
      droppedQueue,
      droppedEncode,
      droppedDisk,
    };
  }

  /** @returns what to say when the topic has just vanished or come back */
  silence(startedNs: MonotonicNs, nowNs: MonotonicNs): { vanished: boolean; text: string } | undefined {
    const { topic, rateHz } = this.topic;
    if (rateHz === undefined) return undefined;
    const silentMsMax = Math.max(SILENT_MS_MIN, (SILENT_PERIODS * 1000) / rateHz);
    const limitMs = this.#newestNs === undefined ? Math.max(ABSENT_MS, silentMsMax) : silentMsMax;
    const silentNs = nowNs - (this.#newestNs ?? startedNs);
    const vanished = silentNs > msToNs(limitMs);
    if (vanished === this.#vanished) return undefined;
    this.#vanished = vanished;
    const silentS = (Number(silentNs) / 1e9).toFixed(1);
    if (!vanished) return { vanished, text: `${topic} comes again` };
    const text =
      this.#newestNs === undefined
        ? `${topic} has not come since the start, expected at ${rateHz} Hz`
        : `${topic} has not come for ${silentS} s, expected at ${rateHz} Hz`;
    return { vanished, text };
  }

  /** @returns what to say when an image differs in size or encoding from the one before */
  imageChange({ widthPx, heightPx, encoding }: ImageView): string | undefined {
    const layout = `${widthPx}x${heightPx} ${encoding}`;
    const before = this.#layout;
    this.#layout = layout;
    if (before === undefined || before === layout || this.#changes === CHANGES_TOLD_MAX) return undefined;
    this.#changes++;
    return `${this.topic.topic} changed from ${before} to ${layout}`;
  }
}
