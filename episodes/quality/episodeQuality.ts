/**
 * Whether an episode is what it says it is, from each message as it is written: bounded memory, no decoding. It runs
 * live in the recorder, and `measureQuality` over a file gives the same result.
 */
import { CerebellumError } from "../../core/errors.js";
import type { QualityFlag, RecordedTopic, TopicCounters } from "../format.js";
import { judge } from "./flags.js";
import { readStampNs, readStepHead } from "./heads.js";
import { DEFAULT_LIMITS, QualityLimits } from "./limits.js";
import { Spread } from "./spread.js";
import { type AgesAtSteps, StateAgeWatch } from "./stateAge.js";
import { type TopicQuality, TopicWatch } from "./topicQuality.js";

export interface MeasuredTopic extends TopicQuality {
  /** At policy steps that gave a command. Of ServoTick: age of the state. Of PolicyStep: age of the image. */
  readonly agesAtSteps: AgesAtSteps | null;
  /** Lost before the subscription, in the queue, in compression, on the way to disk; null when not counted. */
  readonly lost: number | null;
}

export interface QualityResult {
  readonly topics: Readonly<Record<string, MeasuredTopic>>;
  readonly flags: readonly QualityFlag[];
}

/** When the episode began and ended; left out, the first and last message's log time. */
export interface EpisodeRange {
  readonly startedNs?: bigint;
  readonly endedNs?: bigint;
}

export class EpisodeQuality {
  readonly #limits: QualityLimits;
  readonly #watches = new Map<string, TopicWatch>();
  readonly #states = new Map<string, StateAgeWatch>();
  readonly #images = new Map<string, { ages: Spread; tooOld: number; missing: number }>();

  /** @throws CerebellumError CONFIG_INVALID for limits that are none */
  constructor(topics: readonly RecordedTopic[], limits: Partial<QualityLimits> = {}) {
    const parsed = QualityLimits.safeParse({ ...DEFAULT_LIMITS, ...limits });
    if (!parsed.success)
      throw new CerebellumError(
        "CONFIG_INVALID",
        `Limits of an episode's quality are unusable: ${parsed.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`).join(", ")}`,
        "Correct them; every one has a default",
      );
    this.#limits = parsed.data;
    for (const topic of topics) this.#watch(topic);
  }

  /**
   * @param publishNs used where the message has no stamp of its own
   * @param logNs when it was received, on the episode's clock; must not fall within a topic
   * @param bytes the message's CDR, only read, and not kept
   */
  observe(topic: string, publishNs: bigint, logNs: bigint, bytes: Uint8Array): void {
    const watch = this.#watches.get(topic) ?? this.#watch({ topic, type: "", source: "ros" });
    watch.observe(publishNs, logNs, bytes);
    if (watch.kind === "tick") this.#states.get(topic)!.tick(readStampNs(bytes) ?? publishNs, bytes);
    if (watch.kind === "step") this.#step(topic, readStampNs(bytes) ?? publishNs, bytes);
  }

  /** What is known so far; steps of the last moment may not be in it yet. */
  topics(range: EpisodeRange = {}): Record<string, TopicQuality> {
    const { startNs, endNs } = this.#range(range);
    return Object.fromEntries(
      [...this.#watches].map(([topic, watch]) => [topic, watch.quality(startNs, endNs)]),
    );
  }

  /** @param counters of the recorder, by topic; a topic that is not in it is not judged for loss */
  finish(counters: Readonly<Record<string, TopicCounters>>, range: EpisodeRange = {}): QualityResult {
    const { startNs, endNs } = this.#range(range);
    const topics: Record<string, MeasuredTopic> = {};
    const flags: QualityFlag[] = [];
    for (const [topic, watch] of this.#watches) {
      this.#states.get(topic)?.finish();
      const counted = counters[topic];
      const measured = {
        ...watch.quality(startNs, endNs),
        agesAtSteps: this.#ages(topic),
        lost: counted === undefined ? null : lostOf(counted),
      };
      topics[topic] = measured;
      flags.push(...judge(measured, watch.info, counted, this.#limits));
    }
    return { topics, flags };
  }

  #watch(info: RecordedTopic): TopicWatch {
    const watch = new TopicWatch(info, this.#limits);
    this.#watches.set(info.topic, watch);
    if (watch.kind === "tick") this.#states.set(info.topic, new StateAgeWatch(this.#limits.stateAgeMsMax));
    if (watch.kind === "step") this.#images.set(info.topic, { ages: new Spread(0), tooOld: 0, missing: 0 });
    return watch;
  }

  #step(topic: string, stampNs: bigint, bytes: Uint8Array): void {
    const head = readStepHead(bytes);
    // A step that was refused used nothing: refusing is what an old input should lead to.
    if (head === undefined || head.isRefused) return;
    for (const state of this.#states.values()) state.step(stampNs);
    const images = this.#images.get(topic)!;
    const imageNs = head.imageStampNs;
    if (imageNs === 0n) {
      images.missing++;
      return;
    }
    const ageNs = Number(stampNs - imageNs);
    images.ages.add(ageNs);
    if (ageNs > this.#limits.imageAgeMsMax * 1e6) images.tooOld++;
  }

  #ages(topic: string): AgesAtSteps | null {
    const images = this.#images.get(topic);
    if (images === undefined) return this.#states.get(topic)?.summary() ?? null;
    if (images.ages.count + images.missing === 0) return null;
    return { ms: images.ages.summary(), tooOld: images.tooOld, missing: images.missing };
  }

  #range({ startedNs, endedNs }: EpisodeRange): { startNs: bigint; endNs: bigint } {
    const seen = [...this.#watches.values()].filter(({ count }) => count > 0);
    const first = seen.map(({ firstLogNs }) => firstLogNs).sort(ascending)[0];
    const last = seen
      .map(({ lastLogNs }) => lastLogNs)
      .sort(ascending)
      .at(-1);
    return { startNs: startedNs ?? first ?? 0n, endNs: endedNs ?? last ?? 0n };
  }
}

const ascending = (a: bigint, b: bigint): number => (a < b ? -1 : Number(a > b));
const lostOf = ({ lostBefore, droppedQueue, droppedEncode, droppedDisk }: TopicCounters): number =>
  lostBefore + droppedQueue + droppedEncode + droppedDisk;
