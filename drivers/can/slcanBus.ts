/**
 * A CAN bus behind an SLCAN adapter on a serial port.
 *
 * - Nothing is awaited: many adapters acknowledge nothing, and those that do differ. Answers are only counted.
 * - A piece is written at once or not at all. A piece is dropped while the line is behind, which is told by the kernel's
 *   buffer and by the line's rate: a torque that comes late is worse than one that does not come.
 * - An adapter that is unplugged, or takes nothing for a second, is closed and looked for again, with growing pauses,
 *   until `close`. What it had not taken is forgotten.
 * - Bus-off is known only from adapters that report their state (`s` lines). The channel is then closed and opened
 *   again, which resets the controller, with growing pauses; meanwhile frames are dropped, because they would come out
 *   old.
 */
import { addNs, type Clock, msToNs, sleepMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { CanBus, CanBusListener, CanBusState, CanStatistics, OpenCanBus } from "./bus.js";
import type { CanFrame } from "./frame.js";
import { GrowingPause } from "./growingPause.js";
import { LineBacklog } from "./lineBacklog.js";
import { type OpenSerialLine, openSerialLine, type SerialLine } from "./serialLine.js";
import { SLCAN_CLOSING, SLCAN_FRAME_BYTES_MAX, SlcanReader, slcanOpening, writeSlcan } from "./slcan.js";

/** A piece may follow when earlier ones leave within this time: less than two steps of a hand at 333 Hz. */
export const LINE_BACKLOG_MS_MAX = 5;
/** An adapter that takes no byte for so long hangs. */
export const STUCK_MS = 1000;
export const SEEK_MS_MIN = 100;
export const SEEK_MS_MAX = 2000;
export const RESTART_MS_MIN = 100;
export const RESTART_MS_MAX = 2000;
/** Most frames of one piece. */
export const PIECE_FRAMES_MAX = 32;
/** Between the last frame and the command that closes the channel: some adapters close at once, with frames waiting. */
const SETTLE_MS = 5;
/** Longest wait for what was written, at closing. */
const CLOSING_MS_MAX = 20;

export interface SlcanBusOptions {
  readonly path: string;
  /** Of the serial line; USB adapters ignore it, but their backlog is judged by it. */
  readonly baudRate: number;
  /** Of the CAN bus, one of `SLCAN_BITRATES` [bit/s]. */
  readonly bitrate: number;
  readonly clock: Clock;
  /** Another line than a real port, for tests. */
  readonly openLine?: OpenSerialLine;
}

/** The signal ends the opening; an open bus ends by `close`. Of states, only changes are told. */
export const openSlcanBus =
  (options: SlcanBusOptions): OpenCanBus =>
  async (listener, signal) => {
    const bus = new SlcanBus(options, listener);
    await bus.open(signal);
    return bus;
  };

class SlcanBus implements CanBus {
  readonly name: string;
  readonly #options: SlcanBusOptions;
  readonly #clock: Clock;
  readonly #listener: CanBusListener;
  readonly #reader: SlcanReader;
  readonly #backlog: LineBacklog;
  readonly #piece = new Uint8Array(PIECE_FRAMES_MAX * SLCAN_FRAME_BYTES_MAX);
  /** The tail of a piece whose beginning the kernel took. */
  readonly #rest = new Uint8Array(PIECE_FRAMES_MAX * SLCAN_FRAME_BYTES_MAX);
  readonly #ended = new AbortController();
  #restBytes = 0;
  #state: CanBusState = "lost";
  #line: SerialLine | undefined;
  /** Since when the kernel has had no room [ms]; NaN when it had. */
  #fullSinceMs = Number.NaN;
  readonly #seekPause = new GrowingPause(SEEK_MS_MIN, SEEK_MS_MAX);
  readonly #restartPause = new GrowingPause(RESTART_MS_MIN, RESTART_MS_MAX);
  /** Closing a channel that is closed already is refused by some adapters: no error. */
  #isRefusalUsual = false;
  #framesSent = 0;
  #framesDropped = 0;
  #errors = 0;
  #busOffs = 0;
  #reconnects = 0;

  constructor(options: SlcanBusOptions, listener: CanBusListener) {
    this.name = `${options.path} (SLCAN)`;
    this.#options = options;
    this.#clock = options.clock;
    this.#listener = listener;
    this.#backlog = new LineBacklog(options.baudRate);
    this.#reader = new SlcanReader({
      onFrame: (frame) => this.#onFrame(frame),
      onRefused: () => {
        if (!this.#isRefusalUsual) this.#errors++;
        this.#isRefusalUsual = false;
      },
      onErrors: () => this.#errors++,
      onBusState: (state, receiveErrors, sendErrors) => {
        if (state === "off") this.#goOff(`error counters ${receiveErrors} receiving, ${sendErrors} sending`);
        else this.#comeBack();
      },
    });
  }

  get state(): CanBusState {
    return this.#state;
  }

  async open(signal: AbortSignal): Promise<void> {
    if (!signal.aborted) await this.#attach();
    if (!signal.aborted) return;
    await this.close();
    throw unreachable(this.name, "the attempt was cancelled");
  }

  write(frames: readonly CanFrame[]): boolean {
    const nowMs = this.#clock.nowMs();
    const isBehind = this.#restBytes > 0 || this.#backlog.leftMs(nowMs) > LINE_BACKLOG_MS_MAX;
    if (this.#state !== "up" || isBehind || frames.length > PIECE_FRAMES_MAX) return this.#drop(frames);
    let length = 0;
    for (const frame of frames) {
      const end = writeSlcan(frame, this.#piece, length);
      if (end === length) return this.#drop(frames);
      length = end;
    }
    if (length === 0 || !this.#put(this.#piece, length)) return this.#drop(frames);
    this.#framesSent += frames.length;
    return true;
  }

  readNow(): void {
    this.#line?.readNow();
  }

  statistics(): CanStatistics {
    return {
      framesSent: this.#framesSent,
      framesReceived: this.#reader.frames,
      framesDropped: this.#framesDropped,
      bytesDiscarded: this.#reader.bytesDiscarded,
      errors: this.#errors,
      busOffs: this.#busOffs,
      reconnects: this.#reconnects,
    };
  }

  async close(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    this.#state = "lost";
    const line = this.#line;
    if (line !== undefined) {
      await this.#leave();
      this.#put(CLOSING, CLOSING.length);
      await this.#leave();
      this.#line = undefined;
      await line.close();
    }
  }

  #drop(frames: readonly CanFrame[]): false {
    this.#framesDropped += frames.length;
    return false;
  }

  /** Waits until what was written has reached the bus, as far as that can be known. */
  async #leave(): Promise<void> {
    const endNs = addNs(this.#clock.nowNs(), msToNs(CLOSING_MS_MAX));
    while (this.#restBytes > 0 && this.#clock.nowNs() < endNs) await sleepMs(this.#clock, 1);
    const leftMs = this.#backlog.leftMs(this.#clock.nowMs()) + SETTLE_MS;
    await sleepMs(this.#clock, Math.min(leftMs, CLOSING_MS_MAX));
  }

  /** Opens port and channel. */
  async #attach(): Promise<void> {
    const { path, baudRate, bitrate, openLine = openSerialLine } = this.#options;
    let line: SerialLine | undefined;
    line = await openLine(path, baudRate, {
      onBytes: (bytes) => {
        if (line !== this.#line || this.#ended.signal.aborted) return;
        this.#seekPause.reset();
        const readMs = this.#clock.nowMs();
        this.#reader.push(bytes);
        this.#listener.onPause?.(readMs);
      },
      onLost: (why) => {
        if (line === this.#line) this.#lose(why);
      },
    });
    if (this.#ended.signal.aborted) return line.close();
    this.#reader.clear();
    this.#backlog.clear();
    this.#restBytes = 0;
    this.#fullSinceMs = Number.NaN;
    this.#line = line;
    if (!this.#openChannel(bitrate)) {
      const isLost = this.#line !== line;
      this.#line = undefined;
      if (!isLost) await line.close();
      throw unreachable(this.name, "it does not take the commands that open its channel");
    }
    this.#state = "up";
  }

  #openChannel(bitrate: number): boolean {
    const commands = Uint8Array.from(Buffer.from(slcanOpening(bitrate), "latin1"));
    this.#isRefusalUsual = true;
    return this.#put(commands, commands.length);
  }

  /** @returns whether the kernel took the piece or its beginning, whose rest then follows by itself */
  #put(bytes: Uint8Array, length: number): boolean {
    const line = this.#line;
    if (line === undefined) return false;
    const taken = line.write(bytes, length);
    const nowMs = this.#clock.nowMs();
    if (taken > 0) {
      this.#fullSinceMs = Number.NaN;
      this.#backlog.add(taken, nowMs);
      if (taken < length) {
        this.#rest.set(bytes.subarray(taken, length));
        this.#restBytes = length - taken;
        void this.#putRest(line);
      }
      return true;
    }
    if (taken === 0) this.#noteFull(nowMs);
    return false;
  }

  async #putRest(line: SerialLine): Promise<void> {
    while (this.#restBytes > 0) {
      await sleepMs(this.#clock, 1);
      if (this.#line !== line) return;
      const taken = line.write(this.#rest, this.#restBytes);
      if (taken > 0) {
        this.#fullSinceMs = Number.NaN;
        this.#backlog.add(taken, this.#clock.nowMs());
        this.#rest.copyWithin(0, taken, this.#restBytes);
        this.#restBytes -= taken;
      } else if (taken === 0) {
        this.#noteFull(this.#clock.nowMs());
      }
    }
  }

  #noteFull(nowMs: number): void {
    if (Number.isNaN(this.#fullSinceMs)) this.#fullSinceMs = nowMs;
    else if (nowMs - this.#fullSinceMs >= STUCK_MS)
      this.#lose(`the adapter takes nothing for ${STUCK_MS} ms`);
  }

  #lose(why: string): void {
    const line = this.#line;
    if (line === undefined) return;
    this.#line = undefined;
    void line.close();
    // One that dies while it is attached was lost before: whoever attaches it says so, and goes on seeking.
    if (this.#ended.signal.aborted || this.#state === "lost") return;
    this.#change("lost", why);
    void this.#seek(why);
  }

  /** Looks for the adapter until it is there or the bus is closed; tells each new reason why it is not. */
  async #seek(lostWhy: string): Promise<void> {
    let why = lostWhy;
    for (;;) {
      await sleepMs(this.#clock, this.#seekPause.next(), this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      try {
        await this.#attach();
      } catch (thrown) {
        const found = thrown instanceof CerebellumError ? thrown.happened : errorText(thrown);
        if (found !== why && !this.#ended.signal.aborted) this.#listener.onState("lost", found);
        why = found;
        continue;
      }
      // Lost again already: that has its own search.
      if (this.#ended.signal.aborted || this.#state !== "up") return;
      this.#reconnects++;
      this.#listener.onState("up", "");
      return;
    }
  }

  #onFrame(frame: CanFrame): void {
    this.#restartPause.reset();
    this.#isRefusalUsual = false;
    this.#comeBack();
    this.#listener.onFrame(frame);
  }

  #goOff(why: string): void {
    if (this.#state !== "up") return;
    this.#busOffs++;
    this.#change("busOff", why);
    void this.#restart(this.#line);
  }

  /** Only a controller that is on the bus receives, or counts errors again. */
  #comeBack(): void {
    if (this.#state === "busOff") this.#change("up", "");
  }

  async #restart(line: SerialLine | undefined): Promise<void> {
    const pauseMs = this.#restartPause.next();
    const occasion = this.#busOffs;
    for (;;) {
      await sleepMs(this.#clock, pauseMs, this.#ended.signal);
      if (this.#ended.signal.aborted || this.#line !== line || this.#state !== "busOff") return;
      if (this.#busOffs !== occasion) return;
      if (this.#restBytes === 0 && this.#openChannel(this.#options.bitrate)) return this.#comeBack();
    }
  }

  #change(state: CanBusState, why: string): void {
    this.#state = state;
    this.#listener.onState(state, why);
  }
}

const CLOSING = Uint8Array.from(Buffer.from(SLCAN_CLOSING, "latin1"));

const unreachable = (name: string, why: string): CerebellumError =>
  new CerebellumError(
    "DEVICE_UNREACHABLE",
    `no CAN bus at ${name}: ${why}`,
    "Unplug the adapter, plug it in again and start once more",
  );
