/**
 * One report connection: reads frames, and connects anew with a bounded pause when it ends, falls silent or is corrupt
 * (reports have no sync word, so a new connection is the only way to find the frames again).
 */
import type { Socket } from "node:net";
import { type Clock, msToNs, sleepMs } from "../../core/clock.js";
import { openSocket } from "./link.js";
import { type OnFrame, type ReportKind, ReportStream } from "./protocol/index.js";

const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 2000;
/** The vendor's client gives up after three silent seconds, too. */
const SILENCE_MS_MAX = 3000;

export class ReportLink {
  reports = 0;
  corrupt = 0;
  /** Connections after the first. */
  reconnects = 0;
  readonly #clock: Clock;
  readonly #stream: ReportStream;
  #socket: Socket | undefined;
  #lastFrameNs = 0n;
  #end: AbortController | undefined;

  constructor(
    clock: Clock,
    readonly kind: ReportKind,
    onFrame: OnFrame,
  ) {
    this.#clock = clock;
    this.#stream = new ReportStream(kind, (view, offset, frameBytes) => {
      if (this.#end === undefined) return;
      this.reports++;
      this.#lastFrameNs = this.#clock.nowNs();
      onFrame(view, offset, frameBytes);
    });
  }

  /** Connects and stays connected in the background until `close`. */
  open(host: string, port: number, timeoutMs: number): void {
    if (this.#end !== undefined) return;
    this.#end = new AbortController();
    void this.#run(host, port, timeoutMs, this.#end.signal);
  }

  close(): void {
    this.#end?.abort();
    this.#end = undefined;
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  async #run(host: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    let pauseMs = PAUSE_MS_MIN;
    while (!signal.aborted) {
      const reportsBefore = this.reports;
      try {
        const socket = await openSocket(this.#clock, host, port, timeoutMs, signal);
        await this.#read(socket, signal);
      } catch {
        // Not reachable now: the next attempt follows; the age of the state tells everybody.
      }
      if (signal.aborted) return;
      this.reconnects++;
      pauseMs = this.reports > reportsBefore ? PAUSE_MS_MIN : Math.min(2 * pauseMs, PAUSE_MS_MAX);
      await sleepMs(this.#clock, pauseMs, signal);
    }
  }

  /** Resolves when this connection is over. */
  async #read(socket: Socket, signal: AbortSignal): Promise<void> {
    this.#stream.clear();
    this.#socket = socket;
    this.#lastFrameNs = this.#clock.nowNs();
    const over = new AbortController();
    socket.on("data", (chunk) => {
      if (this.#stream.push(chunk) === "") return;
      this.corrupt++;
      over.abort();
    });
    socket.on("error", () => over.abort());
    socket.on("close", () => over.abort());
    signal.addEventListener("abort", () => over.abort(), { once: true, signal: over.signal });
    const silenceNs = msToNs(SILENCE_MS_MAX);
    while (!over.signal.aborted && this.#clock.nowNs() - this.#lastFrameNs < silenceNs)
      await sleepMs(this.#clock, SILENCE_MS_MAX / 4, over.signal);
    over.abort();
    if (this.#socket === socket) this.#socket = undefined;
    socket.destroy();
  }
}
