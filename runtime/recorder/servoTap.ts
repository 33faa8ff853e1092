/**
 * One robot's ticks and events for the recorder, from the servo's own socket: never through the main thread. A servo
 * that is started again is connected to again. A gap in the tick numbers is either ticks that the loop missed, which
 * the servo counts, or snapshots that did not reach this thread: only those are lost.
 */
import { type Clock, type ClockMapping, type MonotonicNs, sleepMs, toEpochNs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import type { RecordedEvent, ServoTick } from "../../episodes/messages.js";
import type { ServoClient, ServoEvent, ServoInfo, ServoSnapshot, ServoStatistics } from "../servo/api.js";

export interface ServoTapOptions {
  readonly robot: string;
  readonly clock: Clock;
  readonly connect: () => Promise<ServoClient>;
  readonly onTick: (snapshot: ServoSnapshot) => void;
  readonly onEvent: (event: ServoEvent) => void;
  /** So many ticks ran and did not come. */
  readonly onLost: (count: number) => void;
  /** The connection closed, or is there again. */
  readonly onLink: (text: string) => void;
}

const RECONNECT_MS = 250;

const missedCount = ({ missed }: ServoStatistics): number =>
  Object.values(missed).reduce((sum, count) => sum + count, 0);

export class ServoTap {
  readonly #options: ServoTapOptions;
  readonly #ended = new AbortController();
  #client: ServoClient | undefined;
  #watching: Promise<void> = Promise.resolve();
  #lastTick: number | undefined;
  /** Tick numbers that did not come since the servo's count of missed ticks was last asked for. */
  #gap = 0;
  #missedBefore = 0;
  /** The question that is under way, if any. */
  #judging: Promise<void> | undefined;

  constructor(options: ServoTapOptions) {
    this.#options = options;
  }

  /** Connects; ticks come from then on. @throws what the connection did not like, LINK_CLOSED above all */
  async start(): Promise<ServoInfo> {
    const client = await this.#attach();
    this.#watching = this.#watch(client);
    return client.info;
  }

  /** Resolves when nothing comes any more and every gap has been judged. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#judging;
    await this.#judgeGap();
    await this.#client?.close();
    await this.#watching;
  }

  async #attach(): Promise<ServoClient> {
    const client = await this.#options.connect();
    this.#client = client;
    this.#lastTick = undefined;
    this.#gap = 0;
    this.#missedBefore = missedCount(await client.statistics());
    client.onSnapshot((snapshot) => this.#take(snapshot));
    client.onEvent((event) => {
      if (!this.#ended.signal.aborted) this.#options.onEvent(event);
    });
    return client;
  }

  #take(snapshot: ServoSnapshot): void {
    if (this.#ended.signal.aborted) return;
    const { tick } = snapshot;
    if (this.#lastTick !== undefined && tick > this.#lastTick + 1) {
      this.#gap += tick - this.#lastTick - 1;
      void this.#judgeGap();
    }
    this.#lastTick = tick;
    this.#options.onTick(snapshot);
  }

  #judgeGap(): Promise<void> {
    if (this.#gap === 0 || this.#client === undefined) return Promise.resolve();
    this.#judging ??= this.#askForMissed(this.#client).finally(() => {
      this.#judging = undefined;
    });
    return this.#judging;
  }

  async #askForMissed(client: ServoClient): Promise<void> {
    // A gap that opens while the question is under way may be in the answer or not: it waits for the next one.
    const gap = this.#gap;
    try {
      const missed = missedCount(await client.statistics());
      const lost = Math.max(0, gap - (missed - this.#missedBefore));
      this.#gap -= gap;
      this.#missedBefore = Math.max(this.#missedBefore, Math.min(missed, this.#missedBefore + gap));
      if (lost > 0) this.#options.onLost(lost);
    } catch {
      // Nobody can tell any more: what did not come counts as lost.
      this.#gap -= gap;
      this.#options.onLost(gap);
    }
  }

  async #watch(first: ServoClient): Promise<void> {
    const { clock, robot, onLink } = this.#options;
    const { signal } = this.#ended;
    for (let client: ServoClient | undefined = first; !signal.aborted; ) {
      await closed(client, signal);
      if (signal.aborted) return;
      onLink(`the connection to the servo of ${robot} closed: ${errorText(client.closed.reason, 200)}`);
      for (client = undefined; client === undefined; ) {
        await sleepMs(clock, RECONNECT_MS, signal);
        if (signal.aborted) return;
        client = await this.#attach().catch(() => undefined);
      }
      // A close that came meanwhile did not see this connection.
      if (signal.aborted) await client.close();
      else onLink(`connected to the servo of ${robot} again`);
    }
  }
}

const closed = (client: ServoClient, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (client.closed.aborted || signal.aborted) resolve();
    client.closed.addEventListener("abort", () => resolve(), { once: true });
    signal.addEventListener("abort", () => resolve(), { once: true });
  });

/** Whole and not negative: what the wire's unsigned fields take. */
const count = (value: number): number => (Number.isFinite(value) && value > 0 ? Math.round(value) : 0);

/** A tick as an episode keeps it; times that are not known yet are 0. */
export function toServoTick(snapshot: ServoSnapshot, mapping: ClockMapping): ServoTick {
  const epochNs = (atNs: MonotonicNs) =>
    atNs === 0n ? (0n as ServoTick["stampNs"]) : toEpochNs(mapping, atNs);
  return {
    stampNs: epochNs(snapshot.tickNs),
    tick: snapshot.tick,
    state: snapshot.state,
    epoch: snapshot.epoch,
    commander: snapshot.commander,
    commandSeq: snapshot.commandSeq,
    reasons: snapshot.reasons,
    stateStampNs: epochNs(snapshot.stateNs),
    stateSequence: count(snapshot.stateSequence),
    deviceTimeUs: count(snapshot.deviceTimeUs),
    requestedRad: snapshot.requestedRad,
    limitedRad: snapshot.limitedRad,
    sentRad: snapshot.sentRad,
    positionRad: snapshot.positionRad,
    velocityRadPerS: snapshot.velocityRadPerS,
    effortNm: snapshot.effortNm,
    gripperCommandM: snapshot.gripperCommandM,
    gripperOpeningM: snapshot.gripperOpeningM,
    deviceErrorCode: snapshot.deviceErrorCode,
    base: snapshot.base,
  };
}

export const toRecordedEvent = (robot: string, event: ServoEvent, mapping: ClockMapping): RecordedEvent => ({
  stampNs: toEpochNs(mapping, event.atNs),
  source: `servo: ${robot}`,
  kind: event.kind,
  trigger: event.trigger ?? "",
  text: event.fault === undefined ? event.text : `${event.fault.code}: ${event.text}`,
});
