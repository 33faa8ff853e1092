/**
 * One episode while it is recorded: takes messages from the ring, ticks and events from the servos, reads the clocks,
 * and knows when it must end by itself. Runs in the recorder's thread.
 */
import {
  type Clock,
  type ClockMapping,
  type EpochNs,
  type MonotonicNs,
  measureMapping,
  msToNs,
  nsToMs,
  toEpochNs,
} from "../../core/clock.js";
import { errorText, invariant } from "../../core/errors.js";
import { readImage } from "../../core/rosWire.js";
import type { EpisodeFile } from "../../episodes/episodeFile.js";
import {
  type EpisodeEnd,
  type Outcome,
  type QualityFlag,
  type TopicCounters,
  writeMapping,
} from "../../episodes/format.js";
import {
  CLOCK_MAPPING,
  CLOCK_TOPIC,
  EVENT,
  POLICY_STEP,
  POLICY_STEP_TOPIC,
  policyInputTopic,
  RECORDER_EVENT_TOPIC,
  type RecordedEvent,
  readPolicyStep,
  SERVO_TICK,
  servoEventTopic,
  servoTickTopic,
  writeClockMapping,
  writeEvent,
  writeServoTick,
} from "../../episodes/messages.js";
import { EpisodeQuality } from "../../episodes/quality/episodeQuality.js";
import type { QualityLimits } from "../../episodes/quality/limits.js";
import type { RosMessage } from "../../episodes/rosCodec.js";
import { clockStepMs } from "../policy/clockStep.js";
import type { ServoEvent, ServoSnapshot } from "../servo/api.js";
import { Channel } from "./channel.js";
import type { ImageStore } from "./images.js";
import type { EndCause, Progress } from "./messages.js";
import type { PlannedTopic, TopicPlan } from "./plan.js";
import { toRecordedEvent, toServoTick } from "./servoTap.js";

/** What an episode needs of its file; `EpisodeFile` is one. */
export type EpisodeSink = Pick<
  EpisodeFile,
  "failure" | "bytesWritten" | "backlogBytes" | "finish" | "discard" | "write"
>;

export interface EpisodeParts {
  readonly clock: Clock;
  /** How monotonic times become this episode's stamps. */
  readonly mapping: ClockMapping;
  readonly task: string;
  readonly name: string;
  readonly strict: boolean;
  readonly msMax: number;
  readonly plan: TopicPlan;
  readonly file: EpisodeSink;
  /** One for each input that is an image to be compressed, by its number. */
  readonly stores: ReadonlyMap<number, ImageStore>;
  /** Number of the image input of each camera whose images a policy uses. */
  readonly policyCameras: ReadonlyMap<string, number>;
  readonly droppedQueue: (input: number) => number;
  /** What the episode is judged by; default: as shipped. */
  readonly limits?: QualityLimits;
  /** Something that the log should tell. */
  readonly onTrouble: (text: string) => void;
}

const CLOCK_EVERY_MS = 10_000;
/** Far above what two readings differ by. */
const CLOCK_STEP_MS_MAX = 20;
/** Images under compression; beyond it the queue has to wait, which is what it is for. */
export const IMAGES_PENDING_MAX = 8;

const NO_MAPPING_NS = 0n as EpochNs;

export class Episode {
  readonly #parts: EpisodeParts;
  readonly #channels = new Map<string, Channel>();
  readonly #byInput: { readonly channel: Channel; readonly planned: PlannedTopic }[] = [];
  readonly #flags = new Map<string, QualityFlag>();
  readonly #quality: EpisodeQuality;
  readonly #encoding = new Set<Promise<void>>();
  #reading: ClockMapping;
  #readNs: MonotonicNs;
  #isOpen = true;
  #outcome: Outcome = "unlabelled";
  #note = "";

  constructor(parts: EpisodeParts) {
    this.#parts = parts;
    this.#quality = new EpisodeQuality(
      parts.plan.topics.map(({ topic }) => topic),
      parts.limits,
    );
    this.#reading = parts.mapping;
    this.#readNs = parts.mapping.monotonicNs;
    for (const planned of parts.plan.topics) {
      const { topic, isStamped, countsGaps, input } = planned;
      const droppedQueue = input === undefined ? () => 0 : () => parts.droppedQueue(input);
      const channel = new Channel({ topic, isStamped, countsGaps, droppedQueue });
      this.#channels.set(topic.topic, channel);
      if (input !== undefined) this.#byInput[input] = { channel, planned };
    }
    this.#writeClock(parts.mapping);
  }

  get name(): string {
    return this.#parts.name;
  }

  get mapping(): ClockMapping {
    return this.#parts.mapping;
  }

  /** What the disk has not taken yet. */
  get backlogBytes(): number {
    return this.#parts.file.backlogBytes;
  }

  get outcome(): Outcome {
    return this.#outcome;
  }

  /** May be said while it runs; the newest counts. */
  label(outcome: Outcome, note: string): void {
    this.#outcome = outcome;
    this.#note = note;
  }

  /** As many images are under compression as may be: nothing should be taken from the ring now. */
  get isBusy(): boolean {
    return this.#encoding.size >= IMAGES_PENDING_MAX;
  }

  /** Resolves when one image less is under compression. */
  async lessBusy(): Promise<void> {
    await Promise.race(this.#encoding);
  }

  /** One message of the ring; the bytes are used up when this returns. */
  take(input: number, receivedNs: MonotonicNs, cdr: Uint8Array): void {
    const found = this.#byInput[input];
    invariant(found !== undefined, `input ${input} is one of ${this.#byInput.length}`);
    const { channel, planned } = found;
    const stampNs = channel.arrived(receivedNs, cdr);
    const { mapping } = this.#parts;
    // A latched message may be older than the episode.
    const logNs = toEpochNs(mapping, max(receivedNs, mapping.monotonicNs));
    const publishNs = stampNs ?? toEpochNs(mapping, receivedNs);
    if (planned.image !== "none") this.#noteLayout(channel, cdr);
    const store = planned.image === "compressed" ? this.#parts.stores.get(input) : undefined;
    if (store === undefined) this.#write(channel, publishNs, logNs, cdr);
    else this.#later(channel, publishNs, logNs, store.store(cdr));
    if (planned.topic.topic === POLICY_STEP_TOPIC) this.#keepPolicyInput(logNs, cdr);
  }

  takeTick(robot: string, snapshot: ServoSnapshot): void {
    const message = writeServoTick(toServoTick(snapshot, this.#parts.mapping));
    const stampNs = toEpochNs(this.#parts.mapping, snapshot.tickNs);
    this.#make(servoTickTopic(robot), SERVO_TICK, stampNs, message);
  }

  takeEvent(robot: string, event: ServoEvent): void {
    const message = toRecordedEvent(robot, event, this.#parts.mapping);
    this.#make(servoEventTopic(robot), EVENT, message.stampNs, writeEvent(message));
  }

  ticksLost(robot: string, count: number): void {
    this.#channels.get(servoTickTopic(robot))!.lost(count);
  }

  /** Writes what happened to the recorder or to a topic into the episode, and tells it. */
  event(kind: string, text: string): void {
    const event: RecordedEvent = {
      stampNs: this.#nowNs(),
      source: "recorder",
      kind,
      trigger: "",
      text,
    };
    this.#make(RECORDER_EVENT_TOPIC, EVENT, event.stampNs, writeEvent(event));
    this.#parts.onTrouble(text);
  }

  flag(code: QualityFlag["code"], topic: string, text: string): void {
    const key = `${code} ${topic}`;
    if (!this.#flags.has(key)) this.#flags.set(key, { code, topic, text });
  }

  /** Looks at clocks and topics. @returns why the episode must end now, if it must */
  check(diskFreeBytes: number, diskFreeBytesMin: number): { because: EndCause; detail: string } | undefined {
    const { clock, mapping, file, strict, msMax } = this.#parts;
    const nowNs = clock.nowNs();
    this.#checkClock(nowNs);
    for (const channel of this.#channels.values()) {
      const silence = channel.silence(mapping.monotonicNs, nowNs);
      if (silence === undefined) continue;
      this.event(silence.vanished ? "vanished" : "back", silence.text);
      if (silence.vanished) this.flag("vanished", channel.topic.topic, silence.text);
    }
    if (file.failure !== undefined) return { because: "writeFailed", detail: file.failure.happened };
    if (diskFreeBytes < diskFreeBytesMin)
      return {
        because: "diskFull",
        detail: `${mib(Math.max(0, diskFreeBytes))} MiB of disk would be left, the limit is ${mib(diskFreeBytesMin)} MiB`,
      };
    if (nsToMs(nowNs - mapping.monotonicNs) > msMax)
      return { because: "tooLong", detail: `longer than ${(msMax / 60_000).toFixed(1)} minutes` };
    const lost = strict ? this.#firstLoss() : undefined;
    return lost === undefined ? undefined : { because: "lost", detail: lost };
  }

  progress(): Progress {
    const topics = this.#counters();
    const sum = (of: (counters: TopicCounters) => number) =>
      Object.values(topics).reduce((total, counters) => total + of(counters), 0);
    const { clock, mapping, task, name, file } = this.#parts;
    return {
      task,
      episode: name,
      seconds: nsToMs(clock.nowNs() - mapping.monotonicNs) / 1000,
      bytes: file.bytesWritten,
      messages: sum(({ written }) => written),
      dropped: sum((one) => one.droppedQueue + one.droppedEncode + one.droppedDisk),
      lostBefore: sum(({ lostBefore }) => lostBefore),
      topics,
    };
  }

  /** Nothing is taken any more; what is under compression is waited for. @throws what the file did not like */
  async finish(because: EndCause, detail: string): Promise<EpisodeEnd> {
    await this.settle();
    const clock = measureMapping(this.#parts.clock);
    this.#writeClock(clock);
    this.#isOpen = false;
    for (const channel of this.#channels.values()) channel.ended();
    const topics = this.#counters();
    const endedNs = toEpochNs(this.#parts.mapping, clock.monotonicNs);
    const range = { startedNs: this.#parts.mapping.epochNs, endedNs };
    for (const { code, topic, text } of this.#quality.finish(topics, range).flags)
      this.flag(code, topic, text);
    const end: EpisodeEnd = {
      endedNs: String(endedNs),
      endedBecause: because,
      detail,
      outcome: this.#outcome,
      note: this.#note,
      clock: writeMapping(clock),
      topics,
      flags: [...this.#flags.values()],
    };
    await this.#parts.file.finish(end);
    return end;
  }

  async discard(): Promise<void> {
    await this.settle();
    this.#isOpen = false;
    await this.#parts.file.discard();
  }

  async settle(): Promise<void> {
    for (const { tail } of this.#channels.values()) await tail;
  }

  #counters(): Record<string, TopicCounters> {
    return Object.fromEntries([...this.#channels].map(([topic, channel]) => [topic, channel.counters()]));
  }

  #firstLoss(): string | undefined {
    for (const [topic, found] of Object.entries(this.#counters())) {
      const { lostBefore, droppedQueue, droppedEncode, droppedDisk } = found;
      if (lostBefore + droppedQueue + droppedEncode + droppedDisk > 0)
        return `${topic} lost messages (before the subscription ${lostBefore}, in the queue ${droppedQueue}, in compression ${droppedEncode}, at the disk ${droppedDisk})`;
    }
    return undefined;
  }

  #nowNs(): EpochNs {
    return toEpochNs(this.#parts.mapping, this.#parts.clock.nowNs());
  }

  /** A message that this thread makes itself. */
  #make(topic: string, type: string, stampNs: EpochNs, message: RosMessage): void {
    if (!this.#isOpen) return;
    const cdr = this.#parts.plan.codec(type).encode(message);
    const channel = this.#channels.get(topic)!;
    channel.arrived(this.#parts.clock.nowNs(), cdr);
    this.#write(channel, stampNs === NO_MAPPING_NS ? this.#nowNs() : stampNs, this.#nowNs(), cdr);
  }

  #write(channel: Channel, publishNs: EpochNs, logNs: EpochNs, cdr: Uint8Array): void {
    const { topic } = channel.topic;
    if (!this.#parts.file.write(topic, publishNs, logNs, cdr)) {
      channel.notTaken();
      return;
    }
    channel.written(cdr.length);
    this.#quality.observe(topic, publishNs, logNs, cdr);
  }

  /** Writes when it is made, behind everything of its topic that came before. */
  #later(channel: Channel, publishNs: EpochNs, logNs: EpochNs, made: Promise<Uint8Array>): void {
    const before = channel.tail;
    const work = (async () => {
      const encoded = await made.catch((thrown: unknown) => ({ why: errorText(thrown) }));
      await before;
      if ("why" in encoded) {
        channel.notEncoded();
        this.#toldOnce(channel.topic.topic, encoded.why);
      } else this.#write(channel, publishNs, logNs, encoded);
    })();
    channel.tail = work;
    this.#encoding.add(work);
    void work.finally(() => this.#encoding.delete(work));
  }

  readonly #told = new Set<string>();
  #toldOnce(topic: string, why: string): void {
    if (this.#told.has(topic)) return;
    this.#told.add(topic);
    this.event("notEncoded", `${topic}: ${why}`);
  }

  #noteLayout(channel: Channel, cdr: Uint8Array): void {
    const image = readImage(cdr);
    const change = image.ok ? channel.imageChange(image.value) : undefined;
    if (change === undefined) return;
    this.event("changed", change);
    this.flag("changed", channel.topic.topic, change);
  }

  /** The image that a policy's step has used, as it was, once for each step. */
  #keepPolicyInput(logNs: EpochNs, cdr: Uint8Array): void {
    const { plan, policyCameras, stores } = this.#parts;
    if (policyCameras.size === 0) return;
    // Its own memory: a decoder of texts refuses shared bytes.
    const step = readPolicyStep(plan.codec(POLICY_STEP).decode(new Uint8Array(cdr)));
    const input = policyCameras.get(step.camera);
    if (input === undefined || step.imageStampNs === 0n || step.outputRad.length === 0) return;
    const topic = policyInputTopic(step.camera);
    const channel = this.#channels.get(topic);
    if (channel === undefined) return;
    const made = stores.get(input)?.lossless(step.imageStampNs);
    if (made === undefined) {
      channel.lost(1);
      this.#toldOnce(topic, `the image of step ${step.step} was not kept long enough`);
      return;
    }
    channel.arrived(this.#parts.clock.nowNs(), cdr.subarray(0, 0));
    this.#later(channel, step.imageStampNs, logNs, made);
  }

  #checkClock(nowNs: MonotonicNs): void {
    const { clock } = this.#parts;
    const stepMs = clockStepMs(clock, this.#reading);
    const stepped = Math.abs(stepMs) > CLOCK_STEP_MS_MAX;
    if (!stepped && nowNs - this.#readNs < msToNs(CLOCK_EVERY_MS)) return;
    if (stepped) {
      const text = `CLOCK_STEPPED: the system's clock was set ${stepMs > 0 ? "forward" : "back"} by ${Math.abs(stepMs).toFixed(0)} ms`;
      this.event("clockStepped", text);
      this.flag("clock", CLOCK_TOPIC, text);
    }
    this.#writeClock(measureMapping(clock));
  }

  #writeClock(mapping: ClockMapping): void {
    this.#reading = mapping;
    this.#readNs = mapping.monotonicNs;
    this.#make(CLOCK_TOPIC, CLOCK_MAPPING, NO_MAPPING_NS, writeClockMapping(mapping));
  }
}

const max = (one: MonotonicNs, other: MonotonicNs): MonotonicNs => (one > other ? one : other);
const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
