/**
 * A CAN bus as drivers see it, whatever the adapter: SLCAN over a serial port, or SocketCAN. A bus owns its file and
 * has no loop; frames come by callback on the thread that opened it.
 */
import type { CanFrame } from "./frame.js";

export interface CanStatistics {
  readonly framesSent: number;
  readonly framesReceived: number;
  /** Frames that were not written because the adapter was behind. */
  readonly framesDropped: number;
  /** Bytes that belonged to no frame. */
  readonly bytesDiscarded: number;
  /** Error frames and error answers of the adapter. */
  readonly errors: number;
  /** Times the bus went off, and times the adapter came back. */
  readonly busOffs: number;
  readonly reconnects: number;
}

/** `lost`: nothing more can be written until `back`; the adapter is looked for again by itself. */
export type CanBusState = "up" | "busOff" | "lost";

export interface CanBusListener {
  onFrame(frame: CanFrame): void;
  /**
   * All frames that were read together have been passed on: what answers them need not answer each.
   * @param readMs when the process had read them, monotonic
   */
  onPause?(readMs: number): void;
  /** @param why for people, empty for `up` */
  onState(state: CanBusState, why: string): void;
}

export interface CanBus {
  /** For people, e.g. "/dev/ttyACM0 (SLCAN)". */
  readonly name: string;
  readonly state: CanBusState;
  /**
   * Writes all of them as one piece, or none. Never queues behind an adapter that does not take them, never throws.
   * @returns false unless all of it was written (SocketCAN can write the beginning of a piece: then false, too)
   */
  write(frames: readonly CanFrame[]): boolean;
  /**
   * Reads now what the kernel has and passes it on, ahead of the event loop's own turn. A serial port of Linux first
   * waits for its worker to hand over what has come, which takes as long as other programs keep that worker waiting.
   */
  readNow(): void;
  statistics(): CanStatistics;
  /** Waits until what was written has left, for at most a few milliseconds, then closes. */
  close(): Promise<void>;
}

/** @throws CerebellumError with the device, what was found and the remedy, when there is no bus to be had */
export type OpenCanBus = (listener: CanBusListener, signal: AbortSignal) => Promise<CanBus>;
