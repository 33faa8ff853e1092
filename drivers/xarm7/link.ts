/**
 * The command connection: bytes in and out, who may write when, deadlines and counters. It knows no meanings.
 *
 * The vendor's client keeps strictly one request outstanding; whether a controller tolerates more is not documented.
 * So:
 * - Slow requests (everything but setpoints) go one at a time. While setpoints stream, one may start only directly
 *   after a setpoint's reply, which leaves it the longest time before the next tick. While it is out, `sendServo`
 *   answers "busy": a controller that works through its socket in order could not take a setpoint earlier anyway.
 *   A slow request that was given up no longer blocks.
 * - A setpoint does not wait for the previous one's reply: it replaces it, and a late reply is told by its transaction
 *   id. But at most SERVO_IN_FLIGHT_MAX may be unanswered. When the network stalls (190 ms about every 10 s was
 *   reported with firmware 2.7.1), more would only pile up in the pipe and come out as a burst of steps, which trips the
 *   controller's speed checks (C24, C60). After SERVO_REPLY_EXPIRY_MS, longer than such a stall, a missing reply counts
 *   as unanswered and its place is free again.
 * - A stop is written at once, whatever is out.
 * - A controller that owes replies and gives no good one for COMMAND_SILENCE_MS is as good as gone, although nobody has
 *   closed the connection. It is then reset, not closed: the kernel would go on delivering what was written, and
 *   setpoints or an enabling of long ago would be executed when the cable is plugged in again.
 */
import { connect, type Socket } from "node:net";
import { addNs, type Clock, msToNs, sleepMs } from "../../core/clock.js";
import { CerebellumError, invariant } from "../../core/errors.js";
import {
  bytesOfFrame,
  type CommandReply,
  CommandStream,
  decodeReply,
  encodeRequest,
  HEADER_BYTES,
  MESSAGES,
  type MessageName,
  nextTransactionId,
  PROTOCOL_ID,
  ServoFrame,
} from "./protocol/index.js";

export const SERVO_IN_FLIGHT_MAX = 3;
export const SERVO_REPLY_EXPIRY_MS = 250;
/** Longer than any stall that was reported, and than a lost reply's expiry. */
export const COMMAND_SILENCE_MS = 500;
/** Slow requests that may wait; the driver has at most a handful. */
const WAITING_MAX = 16;
/** Setpoints count as streaming for this long after the newest. */
const STREAMING_MS = 40;

export interface LinkEvents {
  /** State byte of a setpoint's reply. */
  onServoReply(stateByte: number): void;
  /** The connection ended by itself. Called once per connection; not after `close`. */
  onClosed(reason: string): void;
}

interface SlowRequest {
  readonly name: MessageName;
  readonly values: readonly number[];
  readonly timeoutMs: number;
  readonly resolve: (reply: CommandReply) => void;
  readonly reject: (error: CerebellumError) => void;
}

export class CommandLink {
  protocolId: number = PROTOCOL_ID.initial;
  sent = 0;
  replied = 0;
  unanswered = 0;
  /** Replies whose request was given up or replaced. */
  late = 0;
  corrupt = 0;
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  readonly #stream = new CommandStream(
    (view, offset, frameBytes) => this.#onReply(view, offset, frameBytes),
    () => {},
  );
  readonly #servoFrame = new ServoFrame();
  /** Transaction ids of unanswered setpoints, 0 = free, and when they left. */
  readonly #servoIds = new Uint16Array(SERVO_IN_FLIGHT_MAX);
  readonly #servoSentMs = new Float64Array(SERVO_IN_FLIGHT_MAX);
  #socket: Socket | undefined;
  #transactionId = 0;
  #lastServoMs = 0;
  /** When the oldest request left that no good reply has followed; NaN when none is owed. */
  #owedSinceMs = Number.NaN;
  #waiting: SlowRequest[] = [];
  #slow:
    | { readonly request: SlowRequest; readonly transactionId: number; readonly end: AbortController }
    | undefined;
  #wakePlanned = false;

  constructor(clock: Clock, events: LinkEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  get isOpen(): boolean {
    return this.#socket !== undefined;
  }

  async connect(host: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    invariant(this.#socket === undefined, "the command link is connected twice");
    const socket = await openSocket(this.#clock, host, port, timeoutMs, signal);
    this.#stream.clear();
    this.#servoIds.fill(0);
    this.#transactionId = 0;
    this.#owedSinceMs = Number.NaN;
    this.protocolId = PROTOCOL_ID.initial;
    this.#socket = socket;
    socket.on("data", (chunk) => {
      const lost = this.#stream.push(chunk);
      if (lost === "") return;
      this.corrupt++;
      this.#lose(socket, `the reply stream is corrupt: ${lost}`);
    });
    socket.on("error", (error) => this.#lose(socket, error.message));
    socket.on("close", () => this.#lose(socket, "the controller closed the connection"));
  }

  /**
   * A slow request: resolves with its reply, or rejects with LINK_SILENT after `timeoutMs`, LINK_CLOSED or WIRE_CORRUPT.
   * The time counts from the moment it is written; waiting before that is bounded by those ahead.
   */
  request(name: MessageName, values: readonly number[], timeoutMs: number): Promise<CommandReply> {
    return new Promise((resolve, reject) => {
      if (this.#socket === undefined) return reject(linkClosed("there is no connection"));
      if (this.#waiting.length >= WAITING_MAX)
        return reject(
          new CerebellumError(
            "LINK_SILENT",
            `${WAITING_MAX} requests wait for the controller`,
            "Check the load of this computer and the cable",
          ),
        );
      this.#waiting.push({ name, values, timeoutMs, resolve, reject });
      if (!this.#isStreaming()) this.#startNext();
      else this.#planWake();
    });
  }

  /** Writes one setpoint, or nothing. Allocates nothing of its own. `positionRad` has been checked by the caller. */
  sendServo(positionRad: Float64Array): "sent" | "busy" | "closed" {
    const socket = this.#socket;
    if (socket === undefined) return "closed";
    // Bytes that the kernel has not taken mean that the pipe is full; the frame's buffer is then still in use, too.
    const nowMs = this.#clock.nowMs();
    if (this.#slow === undefined && this.#isMute(nowMs)) {
      this.#loseMute(socket);
      return "closed";
    }
    if (this.#slow !== undefined || socket.writableLength > 0) return "busy";
    const slot = this.#freeSlot(nowMs);
    if (slot < 0) return "busy";
    const transactionId = this.#nextId();
    this.#servoFrame.fill(transactionId, positionRad, this.protocolId);
    socket.write(this.#servoFrame.bytes);
    this.#servoIds[slot] = transactionId;
    this.#servoSentMs[slot] = nowMs;
    this.#lastServoMs = nowMs;
    this.#owe(nowMs);
    this.sent++;
    return "sent";
  }

  /** Writes ahead of everything that waits and expects no reply; answers whether bytes left. */
  sendNow(name: MessageName, values: readonly number[]): boolean {
    if (this.#socket === undefined) return false;
    this.#socket.write(encodeRequest(this.#nextId(), this.protocolId, name, values));
    return true;
  }

  /** No more setpoints follow: slow requests need not keep out of their way. */
  endStream(): void {
    this.#lastServoMs = 0;
    if (this.#slow === undefined) this.#owedSinceMs = Number.NaN;
    this.#startNext();
  }

  /** Ends the connection without an event. What was written and answered stays written; the rest may be dropped. */
  close(): void {
    const socket = this.#socket;
    const isOwed = !Number.isNaN(this.#owedSinceMs);
    this.#socket = undefined;
    this.#failAll("the connection was closed by us");
    if (isOwed) socket?.resetAndDestroy();
    else socket?.destroy();
  }

  #isStreaming(): boolean {
    return this.#clock.nowMs() - this.#lastServoMs < STREAMING_MS;
  }

  #owe(nowMs: number): void {
    if (Number.isNaN(this.#owedSinceMs)) this.#owedSinceMs = nowMs;
  }

  /** A good reply came; what is still out is owed from now on. */
  #paid(): void {
    const isMoreOut = this.#slow !== undefined || this.#servoIds.some((id) => id !== 0);
    this.#owedSinceMs = isMoreOut ? this.#clock.nowMs() : Number.NaN;
  }

  #isMute(nowMs: number): boolean {
    return nowMs - this.#owedSinceMs >= COMMAND_SILENCE_MS;
  }

  #loseMute(socket: Socket): void {
    this.#lose(socket, `no good reply for ${COMMAND_SILENCE_MS} ms`);
  }

  #freeSlot(nowMs: number): number {
    for (let slot = 0; slot < SERVO_IN_FLIGHT_MAX; slot++) {
      if (this.#servoIds[slot] === 0) return slot;
      if (nowMs - (this.#servoSentMs[slot] ?? 0) < SERVO_REPLY_EXPIRY_MS) continue;
      this.#servoIds[slot] = 0;
      this.unanswered++;
      return slot;
    }
    return -1;
  }

  #nextId(): number {
    this.#transactionId = nextTransactionId(this.#transactionId);
    return this.#transactionId;
  }

  #onReply(view: DataView, offset: number, frameBytes: number): void {
    const transactionId = view.getUint16(offset);
    for (let slot = 0; slot < SERVO_IN_FLIGHT_MAX; slot++) {
      if (this.#servoIds[slot] !== transactionId) continue;
      this.#servoIds[slot] = 0;
      const register = view.getUint8(offset + HEADER_BYTES);
      const isGood =
        frameBytes >= HEADER_BYTES + 2 &&
        register === MESSAGES.moveServoJoint.register &&
        view.getUint16(offset + 2) === this.protocolId;
      if (!isGood) {
        this.corrupt++;
        return;
      }
      this.replied++;
      this.#paid();
      this.#events.onServoReply(view.getUint8(offset + HEADER_BYTES + 1));
      this.#startNext();
      return;
    }
    const slow = this.#slow;
    if (slow === undefined || slow.transactionId !== transactionId) {
      this.late++;
      return;
    }
    this.#endSlow();
    const decoded = decodeReply(bytesOfFrame(view, offset, frameBytes));
    const { name, resolve, reject } = slow.request;
    if (decoded.kind !== "frame" || decoded.value.register !== MESSAGES[name].register) {
      this.corrupt++;
      const found =
        decoded.kind === "corrupt" ? decoded.reason : `register ${view.getUint8(offset + HEADER_BYTES)}`;
      reject(wireCorrupt(`the reply to ${name} is wrong: ${found}`));
    } else if (decoded.value.protocolId !== this.protocolId) {
      this.corrupt++;
      reject(wireCorrupt(`the reply to ${name} has protocol id ${decoded.value.protocolId}`));
    } else {
      this.#paid();
      resolve(decoded.value);
    }
    if (!this.#isStreaming()) this.#startNext();
    else this.#planWake();
  }

  /** Writes the next slow request when nothing is out. */
  #startNext(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#slow !== undefined || this.#waiting.length === 0) return;
    if (this.#servoIds.some((id) => id !== 0) && this.#isStreaming()) {
      this.#planWake();
      return;
    }
    const request = this.#waiting.shift();
    if (request === undefined) return;
    const transactionId = this.#nextId();
    const end = new AbortController();
    this.#slow = { request, transactionId, end };
    this.#owe(this.#clock.nowMs());
    socket.write(encodeRequest(transactionId, this.protocolId, request.name, request.values));
    void this.#expire(transactionId, request, end.signal);
  }

  async #expire(transactionId: number, request: SlowRequest, ended: AbortSignal): Promise<void> {
    await sleepMs(this.#clock, request.timeoutMs, ended);
    if (this.#slow?.transactionId !== transactionId) return;
    this.#endSlow();
    request.reject(
      new CerebellumError(
        "LINK_SILENT",
        `the controller did not answer ${request.name} within ${request.timeoutMs} ms`,
        "Check the controller's power and cable, then reset and enable again",
      ),
    );
    const socket = this.#socket;
    if (socket !== undefined && this.#isMute(this.#clock.nowMs())) this.#loseMute(socket);
    else this.#startNext();
  }

  #endSlow(): void {
    this.#slow?.end.abort();
    this.#slow = undefined;
  }

  /** A setpoint's reply normally starts what waits; this does when the stream of setpoints ends instead. */
  #planWake(): void {
    if (this.#wakePlanned || this.#waiting.length === 0) return;
    this.#wakePlanned = true;
    void sleepMs(this.#clock, STREAMING_MS).then(() => {
      this.#wakePlanned = false;
      if (this.#isStreaming()) this.#planWake();
      else this.#startNext();
    });
  }

  #lose(socket: Socket, reason: string): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    socket.resetAndDestroy();
    this.#failAll(reason);
    this.#events.onClosed(reason);
  }

  #failAll(reason: string): void {
    const failed = [...(this.#slow === undefined ? [] : [this.#slow.request]), ...this.#waiting];
    this.#endSlow();
    this.#waiting = [];
    for (const id of this.#servoIds) if (id !== 0) this.unanswered++;
    this.#servoIds.fill(0);
    this.#owedSinceMs = Number.NaN;
    for (const request of failed) request.reject(linkClosed(reason));
  }
}

/** A connected socket without Nagle's delay, or DEVICE_UNREACHABLE. */
export function openSocket(
  clock: Clock,
  host: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 1000 });
    const end = new AbortController();
    const fail = (reason: string, cause?: unknown) => {
      if (end.signal.aborted) return;
      end.abort();
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      reject(unreachable(host, port, reason, cause));
    };
    const onAbort = () => fail("the attempt was cancelled");
    const onError = (error: Error) => fail(error.message, error);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    void sleepMs(clock, timeoutMs, end.signal).then(() => fail(`no answer within ${timeoutMs} ms`));
    socket.on("error", onError);
    socket.once("connect", () => {
      if (end.signal.aborted) return;
      end.abort();
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      resolve(socket);
    });
  });
}

const unreachable = (host: string, port: number, reason: string, cause: unknown): CerebellumError =>
  new CerebellumError(
    "DEVICE_UNREACHABLE",
    `no connection to the xArm controller at ${host}:${port}: ${reason}`,
    "Check the controller's power, the cable and `host` in the cell file; with a lab cell, start the lab first",
    cause,
  );

export const linkClosed = (reason: string): CerebellumError =>
  new CerebellumError(
    "LINK_CLOSED",
    `the connection to the xArm controller ended: ${reason}`,
    "Check the controller's power and cable, then reset and enable again",
  );

const wireCorrupt = (happened: string): CerebellumError =>
  new CerebellumError(
    "WIRE_CORRUPT",
    happened,
    "Check the firmware version; another program may answer at this address",
  );

/** Waits until `check` answers something, looking every `everyMs`; undefined at the deadline or when aborted. */
export async function pollUntil<T>(
  clock: Clock,
  check: () => Promise<T | undefined> | T | undefined,
  everyMs: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T | undefined> {
  const deadlineNs = addNs(clock.nowNs(), msToNs(timeoutMs));
  for (;;) {
    const found = await check();
    if (found !== undefined) return found;
    if (signal.aborted || clock.nowNs() >= deadlineNs) return undefined;
    await sleepMs(clock, everyMs, signal);
  }
}
