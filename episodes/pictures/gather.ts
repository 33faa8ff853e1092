/** Reads an episode once and keeps what its plots show, in memory that does not grow with its length. */
import type { EpochNs } from "../../core/clock.js";
import { REASON_BITS } from "../../core/reasons.js";
import { readJointState } from "../../core/rosWire.js";
import type { EpisodeMessage, EpisodeReader } from "../episodeReader.js";
import type { RecordedRobot } from "../format.js";
import {
  EVENT,
  POLICY_STEP,
  type PolicyStep,
  readEvent,
  readPolicyStep,
  readServoTick,
  SERVO_TICK,
  type ServoTick,
} from "../messages.js";
import {
  type Gathered,
  JOINT_STREAMS,
  type JointTraces,
  type PolicyTraces,
  type SeenEvent,
  type TopicTimes,
} from "./gathered.js";
import { Lane } from "./lane.js";
import { Trace } from "./trace.js";

const EVENTS_MAX = 400;
/** More joints of one message are not drawn: no robot of ours has so many, and a file may state any number. */
const JOINTS_MAX = 64;
/** A stamp further than this from the moment of receipt [s] is of something else: of a file, or of another clock. */
const STAMP_S_MAX = 10;
/** Longer than this many periods, a signal is interrupted. */
const GAP_PERIODS = 2.5;
const JOINT_STATE = "sensor_msgs/msg/JointState";
/** Shortest time that is worth an axis. */
const DURATION_S_MIN = 0.001;
/** With names in words, e.g. "command expired". */
const REASONS = Object.entries(REASON_BITS).map(
  ([name, bit]) => [name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`), bit] as const,
);

type Growing<T> = {
  -readonly [K in keyof T]: T[K] extends ReadonlyMap<infer K2, infer V> ? Map<K2, V> : T[K];
};

/**
 * @param columnCount pixels that time will be drawn on
 * @param onMessage whoever else wants to see all messages in the same pass
 * @throws CerebellumError EPISODE_INVALID where the file is damaged
 */
export async function gather(
  reader: EpisodeReader,
  columnCount: number,
  onMessage: (message: EpisodeMessage) => void = () => {},
): Promise<Gathered> {
  const gathering = new Gathering(reader, columnCount);
  for await (const message of reader.messages()) {
    onMessage(message);
    gathering.take(message);
  }
  return gathering.finish();
}

class Gathering {
  readonly #startNs: bigint;
  readonly #durationS: number;
  readonly #joints = new Map<string, Growing<JointTraces>>();
  readonly #ticks = new Map<string, ServoTick>();
  readonly #topics = new Map<string, Growing<TopicTimes> & { lastS: number | undefined }>();
  readonly #events: SeenEvent[] = [];
  readonly #robotOf: ReadonlyMap<string, string>;
  #policy: Growing<PolicyTraces> | undefined;
  readonly #refusedSteps = new Map<string, number>();
  #lastStep: { readonly atS: number; readonly phase: string; readonly refusal: string } | undefined;
  #eventCount = 0;
  #unreadableCount = 0;

  constructor(
    private readonly reader: EpisodeReader,
    private readonly columnCount: number,
  ) {
    const { start, end } = reader;
    this.#startNs = BigInt(start.startedNs);
    this.#durationS = Math.max(DURATION_S_MIN, Number(BigInt(end.endedNs) - this.#startNs) / 1e9);
    this.#robotOf = new Map(Object.keys(start.robots).map((robot) => [`/${robot}/servo_tick`, robot]));
  }

  take(message: EpisodeMessage): void {
    this.#time(message);
    try {
      if (message.type === SERVO_TICK) this.#tick(message.topic, readServoTick(this.reader.decode(message)));
      else if (message.type === POLICY_STEP) this.#step(readPolicyStep(this.reader.decode(message)));
      else if (message.type === EVENT) this.#event(message);
      else if (message.type === JOINT_STATE) this.#jointState(message);
    } catch {
      // What one message holds cannot spoil the picture of the rest; the count is shown.
      this.#unreadableCount++;
    }
  }

  finish(): Gathered {
    for (const topic of this.#topics.values()) this.#closePresence(topic);
    if (this.#lastStep !== undefined && this.#policy !== undefined)
      this.#markStep(this.#policy, this.#lastStep, this.#durationS);
    const driven = [...this.#joints].filter(([, { tickCount }]) => tickCount > 0);
    return {
      durationS: this.#durationS,
      joints: new Map(driven.length > 0 ? driven : this.#joints),
      policy: this.#policy,
      topics: [...this.#topics.values()],
      events: this.#events,
      eventCount: this.#eventCount,
      unreadableCount: this.#unreadableCount,
    };
  }

  #seconds(ns: bigint): number {
    return Number(ns - this.#startNs) / 1e9;
  }

  #trace = () => new Trace(this.#durationS, this.columnCount);
  #lane = () => new Lane(this.#durationS, this.columnCount);

  #time({ topic, logNs, publishNs }: EpisodeMessage): void {
    let times = this.#topics.get(topic);
    if (times === undefined) {
      const nominalRateHz = this.reader.start.topics.find((declared) => declared.topic === topic)?.rateHz;
      times = {
        topic,
        nominalRateHz,
        count: 0,
        presence: this.#lane(),
        delayMs: this.#trace(),
        longestGapS: 0,
        lastS: undefined,
      };
      this.#topics.set(topic, times);
    }
    const receivedS = this.#seconds(logNs);
    const stampedS = this.#seconds(publishNs);
    // Stamps tell when something was there, however late it came; a topic without them is judged by receipt.
    const atS = Math.max(
      times.lastS ?? 0,
      Math.abs(receivedS - stampedS) > STAMP_S_MAX ? receivedS : stampedS,
    );
    const sinceS = atS - (times.lastS ?? 0);
    const periodS = times.nominalRateHz === undefined ? undefined : 1 / times.nominalRateHz;
    if (periodS === undefined) times.presence.mark("seen", atS, atS);
    else {
      times.presence.mark(sinceS > GAP_PERIODS * periodS ? "gap" : "seen", times.lastS ?? 0, atS);
      times.longestGapS = Math.max(times.longestGapS, sinceS);
    }
    times.delayMs.add(receivedS, Number(logNs - publishNs) / 1e6);
    times.lastS = atS;
    times.count++;
  }

  /** The stretch behind the last message. */
  #closePresence(times: Growing<TopicTimes> & { lastS: number | undefined }): void {
    if (times.nominalRateHz === undefined || times.lastS === undefined) return;
    const sinceS = this.#durationS - times.lastS;
    times.presence.mark(
      sinceS > GAP_PERIODS / times.nominalRateHz ? "gap" : "seen",
      times.lastS,
      this.#durationS,
    );
    times.longestGapS = Math.max(times.longestGapS, sinceS);
  }

  #newJoints(allNames: readonly string[], robot: RecordedRobot | undefined): Growing<JointTraces> {
    const names = allNames.slice(0, JOINTS_MAX);
    const traces = () => names.map(this.#trace);
    const streams =
      robot === undefined
        ? { measured: traces() }
        : Object.fromEntries(JOINT_STREAMS.map((stream) => [stream, traces()]));
    return {
      names,
      robot,
      streams,
      reasons: this.#lane(),
      states: this.#lane(),
      gripper: { asked: this.#trace(), measured: this.#trace() },
      stateAgeMs: this.#trace(),
      tickLateMs: this.#trace(),
      tickCount: 0,
      reasonTicks: new Map(),
    };
  }

  #tick(topic: string, tick: ServoTick): void {
    const name = this.#robotOf.get(topic) ?? topic;
    const robot = this.reader.start.robots[name];
    let joints = this.#joints.get(name);
    if (joints === undefined) {
      const names = robot?.jointNames ?? Array.from(tick.positionRad, (_, joint) => `joint ${joint + 1}`);
      joints = this.#newJoints(names, robot ?? UNKNOWN_ROBOT);
      this.#joints.set(name, joints);
    }
    const before = this.#ticks.get(name);
    const periodS = 1 / (robot?.rateHz ?? 250);
    const atS = this.#seconds(tick.stampNs);
    const fromS = before === undefined ? atS : this.#seconds(before.stampNs);
    const isGap = atS - fromS > GAP_PERIODS * periodS;
    addJoints(joints.streams.requested, atS, tick.requestedRad, isGap);
    addJoints(joints.streams.limited, atS, tick.limitedRad, isGap);
    addJoints(joints.streams.sent, atS, tick.sentRad, isGap);
    if (tick.stateSequence !== before?.stateSequence)
      addJoints(joints.streams.measured, this.#seconds(tick.stateStampNs), tick.positionRad, isGap);
    joints.gripper.asked.add(atS, tick.gripperCommandM);
    joints.gripper.measured.add(atS, tick.gripperOpeningM);
    joints.stateAgeMs.add(atS, Number(tick.stampNs - tick.stateStampNs) / 1e6);
    if (before !== undefined)
      joints.tickLateMs.add(atS, (atS - fromS - periodS * (tick.tick - before.tick)) * 1e3);
    const markFromS = isGap ? atS : fromS;
    joints.states.mark(tick.state, markFromS, atS);
    for (const [reason, bit] of REASONS) {
      if ((tick.reasons & bit) === 0) continue;
      joints.reasons.mark(reason, markFromS, atS);
      count(joints.reasonTicks, reason);
    }
    joints.tickCount++;
    this.#ticks.set(name, tick);
  }

  #step(step: PolicyStep): void {
    const atS = this.#seconds(step.stampNs);
    const policy = (this.#policy ??= {
      imageAgeMs: this.#trace(),
      startLatenessMs: this.#trace(),
      imageToWireMs: this.#trace(),
      computeMs: this.#trace(),
      phases: this.#lane(),
      refusals: this.#lane(),
      stepCount: 0,
      refusedSteps: this.#refusedSteps,
    });
    policy.imageAgeMs.add(atS, step.imageAgeMs);
    policy.startLatenessMs.add(atS, step.startLatenessMs);
    policy.computeMs.add(atS, step.preprocessMs + step.encodeMs + step.controlMs);
    if (step.wireStampNs > 0n && step.imageStampNs > 0n)
      policy.imageToWireMs.add(atS, Number(step.wireStampNs - step.imageStampNs) / 1e6);
    if (this.#lastStep !== undefined) this.#markStep(policy, this.#lastStep, atS);
    this.#lastStep = { atS, phase: step.phase, refusal: step.refusal };
    if (step.refusal !== "") count(this.#refusedSteps, step.refusal);
    policy.stepCount++;
  }

  /** A step's phase lasts until the next step, but not longer than two seconds without one. */
  #markStep(
    policy: PolicyTraces,
    { atS, phase, refusal }: { atS: number; phase: string; refusal: string },
    toS: number,
  ) {
    const untilS = Math.min(toS, atS + 2);
    if (phase !== "") policy.phases.mark(phase, atS, untilS);
    if (refusal !== "") policy.refusals.mark(refusal, atS, untilS);
  }

  #event(message: EpisodeMessage): void {
    const { stampNs, source, kind, text } = readEvent(this.reader.decode(message));
    this.#eventCount++;
    if (this.#events.length < EVENTS_MAX)
      this.#events.push({ atS: this.#seconds(stampNs), source, kind, text });
  }

  /** Only drawn when no servo tells more. */
  #jointState(message: EpisodeMessage): void {
    const parsed = readJointState(message.data);
    if (!parsed.ok) throw new Error(parsed.reason);
    const { names, positionRad, stampNs } = parsed.value;
    let joints = this.#joints.get(message.topic);
    if (joints === undefined) {
      joints = this.#newJoints(names, undefined);
      this.#joints.set(message.topic, joints);
    }
    addJoints(joints.streams.measured, this.#seconds(timeOf(stampNs, message.logNs)), positionRad, false);
  }
}

/** A driver that does not stamp leaves zero. */
const timeOf = (stampNs: EpochNs, logNs: EpochNs): EpochNs => (stampNs > 0n ? stampNs : logNs);

const UNKNOWN_ROBOT: RecordedRobot = {
  model: "unknown",
  serial: "",
  firmware: "",
  jointNames: [],
  rateHz: 250,
  positionMinRad: [],
  positionMaxRad: [],
  velocityMaxRadPerS: [],
};

/** Nothing was asked for or measured where the vector is empty. */
function addJoints(
  traces: readonly Trace[] | undefined,
  atS: number,
  valuesRad: Float64Array,
  isInterrupted: boolean,
): void {
  traces?.forEach((trace, joint) => {
    if (isInterrupted) trace.interrupt();
    trace.add(atS, valuesRad[joint] ?? Number.NaN);
  });
}

const count = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
