/**
 * Moments spread evenly over an episode, and what was seen and done at each. Filled while somebody reads the episode
 * once; images are only remembered by their place, so memory does not grow with their size.
 */
import type { EpisodeMessage, EpisodeReader } from "../episodeReader.js";
import { POLICY_STEP, readPolicyStep, readServoTick, SERVO_TICK } from "../messages.js";

export interface ImageTopic {
  readonly topic: string;
  /** Of its camera, where one is declared. */
  readonly name: string;
  /** Height by width. */
  readonly aspect: number;
}

/** Where an image lies in the file, and when it was taken. */
export interface ImagePlace {
  readonly logNs: bigint;
  readonly sequence: number;
  readonly publishNs: bigint;
}

export interface Moment {
  readonly atNs: bigint;
  /** Nearest image of each topic, in their order; undefined where none is near enough. */
  readonly images: readonly (ImagePlace | undefined)[];
  /** e.g. "reach · gripper 43 mm"; empty when neither is known. */
  readonly state: string;
}

/** By number of cameras; fewer moments for more cameras keep the picture on a page. */
const COUNTS = [0, 24, 18, 12, 12] as const;
const COUNT_LEAST = 6;
/** An image counts for a moment when it is at most so many periods, and so many seconds, away. */
const NEAR_PERIODS = 3;
const NEAR_S_MIN = 0.05;
/** How far back the state of the task is looked for. */
const STATE_NS = 2_000_000_000n;

interface Watched extends ImageTopic {
  readonly toleranceNs: bigint;
  readonly nearest: (ImagePlace | undefined)[];
}

export class Moments {
  readonly count: number;
  readonly #watched: readonly Watched[];
  /** The moments; at least one. */
  readonly #timesNs: readonly bigint[];
  readonly #spacingNs: number;
  /** Newest message that was made by each moment, by topic. */
  readonly #states = new Map<string, (EpisodeMessage | undefined)[]>();

  /** @param count by default as many as fit a page */
  constructor(
    private readonly reader: EpisodeReader,
    count?: number,
  ) {
    const topics = imageTopics(reader);
    this.count = count ?? (COUNTS[topics.length] || COUNT_LEAST);
    const startNs = BigInt(reader.start.startedNs);
    const lengthNs = BigInt(reader.end.endedNs) - startNs;
    const gaps = BigInt(Math.max(1, this.count - 1));
    this.#timesNs = Array.from({ length: this.count }, (_, index) =>
      this.count === 1 ? startNs + lengthNs / 2n : startNs + (lengthNs * BigInt(index)) / gaps,
    );
    this.#spacingNs = Math.max(1, Number(lengthNs / gaps));
    this.#watched = topics.map((topic) => ({ ...topic, nearest: Array(this.count).fill(undefined) }));
  }

  get topics(): readonly ImageTopic[] {
    return this.#watched;
  }

  /** Messages come in order of log time. */
  take(message: EpisodeMessage): void {
    const watched = this.#watched.find(({ topic }) => topic === message.topic);
    if (watched !== undefined) this.#image(watched, message);
    else if (message.type === SERVO_TICK || message.type === POLICY_STEP) this.#state(message);
  }

  moments(): Moment[] {
    return this.#timesNs.map((atNs, index) => ({
      atNs,
      images: this.#watched.map(({ nearest }) => nearest[index]),
      state: this.#stateAt(index),
    }));
  }

  /** First moment at or after a time; `count` when there is none. */
  #indexFrom(ns: bigint): number {
    let index = Math.ceil(Number(ns - this.#timesNs[0]!) / this.#spacingNs);
    index = Math.min(this.count, Math.max(0, index));
    // What was rounded on the way may be one place off.
    while (index > 0 && this.#timesNs[index - 1]! >= ns) index--;
    while (index < this.count && this.#timesNs[index]! < ns) index++;
    return index;
  }

  #image({ toleranceNs, nearest }: Watched, { logNs, sequence, publishNs }: EpisodeMessage): void {
    for (let index = this.#indexFrom(publishNs - toleranceNs); index < this.count; index++) {
      const atNs = this.#timesNs[index]!;
      if (atNs > publishNs + toleranceNs) return;
      const known = nearest[index];
      if (known === undefined || distance(publishNs, atNs) < distance(known.publishNs, atNs))
        nearest[index] = { logNs, sequence, publishNs };
    }
  }

  #state(message: EpisodeMessage): void {
    let states = this.#states.get(message.topic);
    if (states === undefined) {
      states = Array(this.count).fill(undefined);
      this.#states.set(message.topic, states);
    }
    const index = this.#indexFrom(message.publishNs);
    // A copy: the message's own bytes would hold the whole chunk in memory.
    if (index < this.count) states[index] = { ...message, data: message.data.slice() };
  }

  #stateAt(index: number): string {
    const newest = [...this.#states.values()]
      .map((states) => states.slice(0, index + 1).findLast((found) => found !== undefined))
      .filter((found) => found !== undefined)
      .filter(({ publishNs }) => this.#timesNs[index]! - publishNs <= STATE_NS);
    // What the task is about comes before what the hand does.
    const steps = newest.filter(({ type }) => type === POLICY_STEP);
    const ticks = newest.filter(({ type }) => type !== POLICY_STEP);
    return [...steps, ...ticks]
      .map((message) => this.#stateWords(message))
      .filter((words) => words !== "")
      .join(" · ");
  }

  #stateWords(message: EpisodeMessage): string {
    const decoded = this.reader.decode(message);
    if (message.type === POLICY_STEP) return readPolicyStep(decoded).phase;
    const { gripperOpeningM } = readServoTick(decoded);
    return Number.isFinite(gripperOpeningM) ? `gripper ${(gripperOpeningM * 1000).toFixed(0)} mm` : "";
  }
}

const distance = (a: bigint, b: bigint): bigint => (a > b ? a - b : b - a);

/** Images that a policy used are those of a camera once more, and left out. */
function imageTopics({ start, topics }: EpisodeReader): Omit<Watched, "nearest">[] {
  const images = topics.filter(
    ({ topic, type, count }) =>
      /\/(Compressed)?Image$/.test(type) && count > 0 && !topic.startsWith("/cerebellum/"),
  );
  return images.map(({ topic }) => {
    const [name, camera] = Object.entries(start.cameras).find(
      ([, { imageTopic }]) => imageTopic === topic,
    ) ?? [topic];
    const { widthPx, heightPx } = camera ?? { widthPx: 4, heightPx: 3 };
    const rateHz = camera?.rateHz || start.topics.find((declared) => declared.topic === topic)?.rateHz || 10;
    return {
      topic,
      name,
      aspect: widthPx > 0 && heightPx > 0 ? Math.min(2, heightPx / widthPx) : 0.75,
      toleranceNs: BigInt(Math.round(Math.max(NEAR_S_MIN, NEAR_PERIODS / rateHz) * 1e9)),
    };
  });
}
