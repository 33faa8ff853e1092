/**
 * The cell's ROS topics for Foxglove, from the messages that the main thread puts into shared memory while somebody has
 * subscribed. Read-only, and lossy wherever it would cost others time: the ring has a size, all clients together a number
 * of bytes a second, each client what it may leave untaken. What is lost is counted and told.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { measureMapping, nsToMs, sleepMs, toEpochNs } from "../../../core/clock.js";
import { CerebellumError, errorText } from "../../../core/errors.js";
import { rosDefinition } from "../../../episodes/definitions.js";
import { LatchedMessages } from "../../latched.js";
import { RingReader } from "../../recorder/ring.js";
import type { GatewayPart, PartFactory, PartServices } from "../part.js";
import { RateLimit } from "../rateLimit.js";
import type { Channel } from "./protocol.js";
import { FoxgloveServer } from "./server.js";
import type { Outgoing } from "./session.js";

/** All clients together: three colour cameras of 640 x 480 at 30 Hz, and as much again. */
const BYTES_PER_S_MAX = 160 * 2 ** 20;
/** In one go, before others have their turn: less than a millisecond's work. */
const BYTES_AT_ONCE = 2 * 2 ** 20;
const MESSAGES_AT_ONCE = 64;
const WAIT_MS = 250;
/** A client that has not answered for so long is gone, or hangs for good. */
const PING_MS = 30_000;
/** Revoked and expired tokens are looked for so often. */
const TOKENS_LOOK_MS = 1000;

const channelOf = (topic: number): number => topic + 1;

export const foxglovePart: PartFactory = async (services) => {
  const { setup, log, event } = services;
  const config = setup.gateway.foxglove;
  if (config === "off") return {};
  const part = new FoxglovePart(services, config);
  try {
    const port = await part.listen();
    log("info", "foxglove", `Foxglove server at ws://${config.host}:${port}, read-only`);
  } catch (thrown) {
    // Whoever teleoperates does not wait for somebody who wants to look on.
    const { happened, remedy } =
      thrown instanceof CerebellumError ? thrown : { happened: errorText(thrown), remedy: "" };
    log("error", "foxglove", `${happened}. ${remedy}`);
    event("warn", "foxglove", happened, remedy);
    await part.close();
    return {};
  }
  return part;
};

class FoxglovePart implements GatewayPart {
  readonly #services: PartServices;
  readonly #server: FoxgloveServer;
  readonly #reader: RingReader;
  readonly #latched = new LatchedMessages();
  readonly #budget = new RateLimit(BYTES_PER_S_MAX, BYTES_PER_S_MAX / 2);
  readonly #lostKnown = new Map<number, number>();
  #wanted: ReadonlySet<number> = new Set();
  #pumping: Promise<void> | undefined;
  readonly #ended = new AbortController();

  constructor(services: PartServices, { host, port }: { host: string; port: number }) {
    const { setup, clock, authenticate } = services;
    this.#services = services;
    this.#reader = new RingReader(setup.ring);
    const nowMs = () => nsToMs(clock.nowNs());
    this.#server = new FoxgloveServer({
      host,
      port,
      name: `Cerebellum: ${setup.cell}`,
      sessionId: String(clock.epochNs()),
      channels: channelsOf(services),
      authenticate,
      nowMs,
      onWanted: (channelIds) => this.#want(channelIds),
      latched: (channelId) => this.#latchedOf(channelId),
    });
  }

  async listen(): Promise<number> {
    const port = await this.#server.listen();
    void this.#every(PING_MS, () => this.#server.ping());
    void this.#every(TOKENS_LOOK_MS, () => this.#server.dropUnauthorised());
    return port;
  }

  async close(): Promise<void> {
    this.#ended.abort();
    this.#wanted = new Set();
    await this.#server.close();
    await this.#pumping;
  }

  #want(channelIds: ReadonlySet<number>): void {
    if (this.#ended.signal.aborted) return;
    const { post, setup } = this.#services;
    const topics = setup.topics.flatMap((_, topic) => (channelIds.has(channelOf(topic)) ? [topic] : []));
    const isSame =
      channelIds.size === this.#wanted.size && [...channelIds].every((id) => this.#wanted.has(id));
    if (isSame) return;
    // The main thread gives the latched ones of a topic anew when it is wanted again.
    for (const [topic, { latched }] of setup.topics.entries())
      if (latched !== "no" && !channelIds.has(channelOf(topic))) this.#latched.forget(topic);
    this.#wanted = channelIds;
    post({ kind: "watch", topics });
    if (channelIds.size > 0)
      this.#pumping ??= this.#pump().finally(() => {
        this.#pumping = undefined;
      });
  }

  async #every(periodMs: number, act: () => void): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await sleepMs(this.#services.clock, periodMs, signal);
      if (!signal.aborted) act();
    }
  }

  async #pump(): Promise<void> {
    while (this.#wanted.size > 0) {
      await this.#reader.filled(WAIT_MS);
      this.#drain();
      this.#countLost();
      this.#server.settle();
      await nextTurn();
    }
    // What is left was meant for somebody who has gone.
    while (this.#reader.take(() => {}));
  }

  #drain(): void {
    const { clock, setup } = this.#services;
    const mapping = measureMapping(clock);
    const nowMs = nsToMs(mapping.monotonicNs);
    let bytes = 0;
    let count = 0;
    const isMore = () =>
      this.#reader.take((topic, receivedNs, payload) => {
        bytes += payload.length;
        count++;
        const { latched } = setup.topics[topic]!;
        const isLatched = latched !== "no";
        this.#latched.keep(topic, latched, receivedNs, payload);
        const channelId = channelOf(topic);
        if (!this.#wanted.has(channelId)) return;
        if (!isLatched && !this.#budget.take(nowMs, payload.length)) this.#server.miss(channelId, 1);
        else this.#server.publish({ channelId, logNs: toEpochNs(mapping, receivedNs), payload }, isLatched);
      });
    while (bytes < BYTES_AT_ONCE && count < MESSAGES_AT_ONCE && isMore());
  }

  /** What did not fit into the ring. */
  #countLost(): void {
    for (const channelId of this.#wanted) {
      const topic = channelId - 1;
      const lost = this.#reader.droppedCount(topic);
      const known = this.#lostKnown.get(topic) ?? 0;
      if (lost > known) this.#server.miss(channelId, lost - known);
      this.#lostKnown.set(topic, lost);
    }
  }

  #latchedOf(channelId: number): readonly Outgoing[] {
    const mapping = measureMapping(this.#services.clock);
    return this.#latched.of(channelId - 1).map(({ receivedNs, cdr }) => ({
      channelId,
      logNs: toEpochNs(mapping, receivedNs),
      payload: cdr,
    }));
  }
}

/** A topic whose type this computer does not know is left out. */
function channelsOf({ setup, log }: PartServices): Channel[] {
  return setup.topics.flatMap(({ topic, type }, number) => {
    try {
      return [{ id: channelOf(number), topic, type, definition: rosDefinition(type, setup.prefixes) }];
    } catch (thrown) {
      log("warn", "foxglove", `${topic} is left out: ${errorText(thrown)}`);
      return [];
    }
  });
}
