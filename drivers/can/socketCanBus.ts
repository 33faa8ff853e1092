/**
 * A CAN bus of the kernel (SocketCAN), through the optional package `socketcan`. Bit rate and restart after bus-off are
 * set with `ip link`, not here: that needs rights which a servo process must not have.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { CanBus, CanBusListener, CanBusState, CanStatistics, OpenCanBus } from "./bus.js";
import type { CanFrame } from "./frame.js";
import { frameFault } from "./frameFault.js";
import { GrowingPause } from "./growingPause.js";
import { ERROR_CLASS } from "./socketCanFrame.js";
import {
  loadSocketCan,
  type SocketCanChannel,
  type SocketCanMessage,
  type SocketCanPackage,
} from "./socketCanPackage.js";

export const SEEK_MS_MIN = 100;
export const SEEK_MS_MAX = 2000;
/** A kernel that takes no frame for so long has an interface that is down or a bus that nobody acknowledges. */
export const STUCK_MS = 1000;

/** `type` of a CAN interface (ARPHRD_CAN) and the flag that it is up (IFF_UP), linux/if_arp.h and if.h. */
const CAN_TYPE = 280;
const UP_FLAG = 1;

export interface SocketCanBusOptions {
  /** e.g. can0 */
  readonly interface: string;
  readonly clock: Clock;
  /** For tests: another package and another kernel. */
  readonly load?: () => Promise<SocketCanPackage>;
  readonly kernel?: CanKernel;
}

/** Where the kernel tells of its interfaces, and of CAN. */
export interface CanKernel {
  readonly interfacesFolder: string;
  readonly canFolder: string;
}

const KERNEL: CanKernel = { interfacesFolder: "/sys/class/net", canFolder: "/proc/net/can" };

/** The signal ends the opening; an open bus ends by `close`. Of states, only changes are told. */
export const openSocketCanBus =
  (options: SocketCanBusOptions): OpenCanBus =>
  async (listener, signal) => {
    const bus = new SocketCanBus(options, listener);
    await bus.open();
    if (!signal.aborted) return bus;
    await bus.close();
    throw unusable(options.interface, "the attempt was cancelled", "Start once more");
  };

class SocketCanBus implements CanBus {
  readonly name: string;
  readonly #options: SocketCanBusOptions;
  readonly #clock: Clock;
  readonly #listener: CanBusListener;
  readonly #ended = new AbortController();
  readonly #seekPause = new GrowingPause(SEEK_MS_MIN, SEEK_MS_MAX);
  #state: CanBusState = "lost";
  #channel: SocketCanChannel | undefined;
  /** Since when the kernel has taken nothing [ms]; NaN when it had. */
  #fullSinceMs = Number.NaN;
  #framesSent = 0;
  #framesReceived = 0;
  #framesDropped = 0;
  #bytesDiscarded = 0;
  #errors = 0;
  #busOffs = 0;
  #reconnects = 0;

  constructor(options: SocketCanBusOptions, listener: CanBusListener) {
    this.name = `${options.interface} (SocketCAN)`;
    this.#options = options;
    this.#clock = options.clock;
    this.#listener = listener;
  }

  get state(): CanBusState {
    return this.#state;
  }

  async open(): Promise<void> {
    const { interface: name, load = loadSocketCan, kernel = KERNEL } = this.#options;
    checkInterface(name, kernel);
    const { createRawChannelWithOptions } = await load();
    if (this.#ended.signal.aborted) return;
    let channel: SocketCanChannel;
    try {
      channel = createRawChannelWithOptions(name, { timestamps: false, non_block_send: true });
      channel.addListener("onMessage", (message) => {
        if (channel === this.#channel) this.#onMessage(message);
      });
      channel.addListener("onStopped", () => this.#lose(channel, `${name} is down or gone`));
      channel.start();
    } catch (thrown) {
      throw unusable(name, errorText(thrown), `Look at ip -details link show ${name}`, thrown);
    }
    this.#channel = channel;
    this.#fullSinceMs = Number.NaN;
    this.#state = "up";
  }

  /**
   * Frames go one by one: where the kernel's queue ends within a piece, the rest of it is dropped and counted, and the
   * piece does not count as written, so that a stop is told again.
   */
  write(frames: readonly CanFrame[]): boolean {
    const channel = this.#channel;
    const isGood = frames.every((frame) => frameFault(frame) === undefined);
    let sent = 0;
    if (channel !== undefined && this.#state === "up" && isGood)
      while (sent < frames.length && send(channel, frames[sent]!)) sent++;
    this.#framesSent += sent;
    this.#framesDropped += frames.length - sent;
    if (sent > 0) this.#fullSinceMs = Number.NaN;
    else if (channel !== undefined && this.#state === "up" && isGood && frames.length > 0)
      this.#noteFull(channel);
    return sent === frames.length && sent > 0;
  }

  /** The package reads on a thread of its own; what it has read comes with the next turn of the event loop. */
  readNow(): void {}

  statistics(): CanStatistics {
    return {
      framesSent: this.#framesSent,
      framesReceived: this.#framesReceived,
      framesDropped: this.#framesDropped,
      bytesDiscarded: this.#bytesDiscarded,
      errors: this.#errors,
      busOffs: this.#busOffs,
      reconnects: this.#reconnects,
    };
  }

  /** The kernel sends what it took before, also afterwards. */
  async close(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    this.#state = "lost";
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel !== undefined) stop(channel);
  }

  #onMessage(message: SocketCanMessage): void {
    if (message.err === true) {
      this.#errors++;
      if ((message.id & ERROR_CLASS.busOff) !== 0) this.#goOff();
      else if ((message.id & ERROR_CLASS.restarted) !== 0) this.#comeBack();
      return;
    }
    const isRemote = message.rtr === true;
    const frame: CanFrame = {
      id: message.id,
      isExtended: message.ext === true,
      isRemote,
      length: message.data.length,
      data: isRemote ? message.data.subarray(0, 0) : message.data,
    };
    if (frameFault(frame) !== undefined) {
      // A frame of CAN FD; this bus is a classic one.
      this.#bytesDiscarded += message.data.length;
      return;
    }
    this.#framesReceived++;
    this.#comeBack();
    const readMs = this.#clock.nowMs();
    this.#listener.onFrame(frame);
    this.#listener.onPause?.(readMs);
  }

  #goOff(): void {
    if (this.#state !== "up") return;
    this.#busOffs++;
    const { interface: name } = this.#options;
    this.#change("busOff", `it stays so unless restarted: ip link set ${name} type can restart-ms 100`);
  }

  #comeBack(): void {
    if (this.#state === "busOff") this.#change("up", "");
  }

  #noteFull(channel: SocketCanChannel): void {
    const nowMs = this.#clock.nowMs();
    if (Number.isNaN(this.#fullSinceMs)) this.#fullSinceMs = nowMs;
    else if (nowMs - this.#fullSinceMs >= STUCK_MS)
      this.#lose(channel, `the kernel takes nothing for ${STUCK_MS} ms`);
  }

  #lose(channel: SocketCanChannel, why: string): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    stop(channel);
    this.#change("lost", why);
    void this.#seek(why);
  }

  /** Waits for the interface until it is up or the bus is closed; tells each new reason why it is not. */
  async #seek(lostWhy: string): Promise<void> {
    let why = lostWhy;
    for (;;) {
      await sleepMs(this.#clock, this.#seekPause.next(), this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      try {
        await this.open();
      } catch (thrown) {
        const found = thrown instanceof CerebellumError ? thrown.happened : errorText(thrown);
        if (found !== why && !this.#ended.signal.aborted) this.#listener.onState("lost", found);
        why = found;
        continue;
      }
      if (this.#ended.signal.aborted) return;
      this.#seekPause.reset();
      this.#reconnects++;
      this.#listener.onState("up", "");
      return;
    }
  }

  #change(state: CanBusState, why: string): void {
    this.#state = state;
    this.#listener.onState(state, why);
  }
}

function send(channel: SocketCanChannel, frame: CanFrame): boolean {
  const data = Buffer.alloc(frame.length);
  data.set(frame.data);
  try {
    return channel.send({ id: frame.id, ext: frame.isExtended, rtr: frame.isRemote, data }) > 0;
  } catch {
    // The package throws where the channel has just stopped: nothing was sent, and `onStopped` says the rest.
    return false;
  }
}

function stop(channel: SocketCanChannel): void {
  try {
    channel.stop();
  } catch {
    // It had stopped by itself.
  }
}

/** @throws CerebellumError when there is no such CAN interface, or it is down */
function checkInterface(name: string, kernel: CanKernel): void {
  const folder = join(kernel.interfacesFolder, name);
  const type = readNumber(join(folder, "type"));
  if (type === undefined) {
    if (!existsSync(kernel.canFolder))
      throw unusable(
        name,
        "this kernel has no CAN, or its module is not loaded",
        "sudo modprobe can_raw; where that fails, as in most containers, use an adapter with SLCAN (`slcan`)",
      );
    throw unusable(
      name,
      `there is no such interface; CAN interfaces found: ${listInterfaces(kernel)}`,
      "Plug the adapter in, or set `interface` in the cell file to one of them",
    );
  }
  if (type !== CAN_TYPE)
    throw new CerebellumError(
      "CONFIG_INVALID",
      `${name} is no CAN interface; CAN interfaces found: ${listInterfaces(kernel)}`,
      "Set `interface` in the cell file to one of them",
    );
  const flags = readNumber(join(folder, "flags")) ?? 0;
  if ((flags & UP_FLAG) === 0)
    throw unusable(
      name,
      "the interface is down",
      `sudo ip link set ${name} up type can bitrate 1000000 restart-ms 100`,
    );
}

function listInterfaces(kernel: CanKernel): string {
  const folder = kernel.interfacesFolder;
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.filter((name) => readNumber(join(folder, name, "type")) === CAN_TYPE).join(", ") || "none";
}

/** A number of the kernel's, decimal or 0x..; undefined where there is none. These files are memory: no wait. */
function readNumber(file: string): number | undefined {
  return existsSync(file) ? Number(readFileSync(file, "utf8")) : undefined;
}

const unusable = (name: string, why: string, remedy: string, cause?: unknown): CerebellumError =>
  new CerebellumError("DEVICE_UNREACHABLE", `no CAN bus at ${name}: ${why}`, remedy, cause);
