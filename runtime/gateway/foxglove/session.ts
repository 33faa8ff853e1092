/**
 * One Foxglove client: what it has subscribed to, and what it gets. It may only look on; what it does not take in time it
 * misses, counted, except for the newest latched messages, which it gets once it reads again.
 */
import { RateLimit } from "../rateLimit.js";
import { type Channel, messageData, status, understand } from "./protocol.js";

/** A client that has not taken so much gets nothing more: two colour images of 1280 x 720. */
export const UNTAKEN_BYTES_MAX = 6 * 2 ** 20;
/** Images may fill half of that, so that a client too slow for them still gets everything else. */
const LARGE_BYTES = 65_536;
/** It hears of what it missed at most once in so long. */
const TOLD_EVERY_MS = 5000;
/** Messages that are none, before it is cut off. */
const MALFORMED_MAX = 20;
/** Texts a second, and at once. */
const TEXTS_PER_S = 50;
const TEXTS_BURST = 100;

export interface SessionSocket {
  readonly bufferedBytes: number;
  send(data: string | Uint8Array): void;
  close(code: number, reason: string): void;
}

export interface SessionOptions {
  readonly socket: SessionSocket;
  readonly channels: ReadonlyMap<number, Channel>;
  readonly nowMs: () => number;
  /** Its subscriptions have changed. @param channelId of one that is new, whose latched messages it wants */
  readonly onChanged: (channelId: number | undefined) => void;
}

/** A message on its way to clients. */
export interface Outgoing {
  readonly channelId: number;
  readonly logNs: bigint;
  readonly payload: Uint8Array;
}

export class FoxgloveSession {
  readonly #options: SessionOptions;
  /** Subscription by channel, and the reverse. */
  readonly #byChannel = new Map<number, number>();
  readonly #bySubscription = new Map<number, number>();
  #malformedCount = 0;
  readonly #texts = new RateLimit(TEXTS_PER_S, TEXTS_BURST);
  #untoldCount = 0;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  wants(channelId: number): boolean {
    return this.#byChannel.has(channelId);
  }

  get channelIds(): readonly number[] {
    return [...this.#byChannel.keys()];
  }

  takeText(text: string): void {
    if (!this.#texts.take(this.#options.nowMs())) {
      this.#options.socket.close(1008, "too many messages");
      return;
    }
    const understood = understand(text);
    if (understood.kind === "malformed") this.#takeMalformed(understood.why);
    else if (understood.kind === "notOffered")
      this.#say("warning", `${understood.what}: this server is read-only and offers no such thing`);
    else if (understood.message.op === "subscribe")
      for (const { id, channelId } of understood.message.subscriptions) this.#subscribe(id, channelId);
    else for (const id of understood.message.subscriptionIds) this.#unsubscribe(id);
  }

  takeBinary(): void {
    this.#takeMalformed("this server is read-only and takes no binary messages");
  }

  /** @returns false when the client has not taken enough of what it has */
  offer({ channelId, logNs, payload }: Outgoing): boolean {
    const subscriptionId = this.#byChannel.get(channelId);
    if (subscriptionId === undefined) return true;
    const { socket } = this.#options;
    const bytesMax = payload.length > LARGE_BYTES ? UNTAKEN_BYTES_MAX / 2 : UNTAKEN_BYTES_MAX;
    if (socket.bufferedBytes > 0 && socket.bufferedBytes + payload.length > bytesMax) return false;
    socket.send(messageData(subscriptionId, logNs, payload));
    return true;
  }

  /** So many that it will not get. */
  missed(count: number): void {
    this.#untoldCount += count;
  }

  /** Says what it missed, once it reads again. */
  tellMissed(): void {
    const nowMs = this.#options.nowMs();
    if (this.#untoldCount === 0 || nowMs - this.#toldMs < TOLD_EVERY_MS) return;
    if (this.#options.socket.bufferedBytes > UNTAKEN_BYTES_MAX / 2) return;
    this.#say(
      "warning",
      `${this.#untoldCount} messages were left out: this connection is slower than what it has subscribed to`,
    );
    this.#untoldCount = 0;
    this.#toldMs = nowMs;
  }

  #subscribe(id: number, channelId: number): void {
    const { channels, onChanged } = this.#options;
    if (!channels.has(channelId)) this.#say("error", `There is no channel ${channelId}`);
    else if (this.#bySubscription.has(id)) this.#say("error", `Subscription ${id} is in use`);
    else if (this.#byChannel.has(channelId))
      this.#say("warning", `Channel ${channelId} has a subscription already`);
    else {
      this.#byChannel.set(channelId, id);
      this.#bySubscription.set(id, channelId);
      onChanged(channelId);
    }
  }

  #unsubscribe(id: number): void {
    const channelId = this.#bySubscription.get(id);
    if (channelId === undefined) {
      this.#say("warning", `There is no subscription ${id}`);
      return;
    }
    this.#bySubscription.delete(id);
    this.#byChannel.delete(channelId);
    this.#options.onChanged(undefined);
  }

  #takeMalformed(why: string): void {
    if (++this.#malformedCount > MALFORMED_MAX)
      this.#options.socket.close(1008, `${MALFORMED_MAX} messages that are none`);
    else this.#say("error", `A message was not understood: ${why}`);
  }

  /** A client that does not read gets no answers either. */
  #say(level: "info" | "warning" | "error", message: string): void {
    const { socket } = this.#options;
    if (socket.bufferedBytes <= UNTAKEN_BYTES_MAX) socket.send(status(level, message));
  }
}
