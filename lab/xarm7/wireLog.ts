/** What came over the command port: counters, and the moments of frames that move or stop the arm. */
import type { MonotonicNs } from "../../core/clock.js";
import {
  HEADER_BYTES,
  MESSAGES,
  type MessageName,
  messageOfRegister,
  SET_STATE,
} from "../../drivers/xarm7/protocol/index.js";

export interface EmulatorCounters {
  connections: number;
  requests: number;
  heartbeats: number;
  modbusRequests: number;
  /** Frames that no framing can begin with: the connection was closed. */
  malformedFrames: number;
  /** Requests whose parameters had the wrong length: answered with warning 12. */
  badParameters: number;
  /** Report clients cut off because they did not read. */
  slowClients: number;
  setpointTicks: number;
  missedTicks: number;
}

export const emptyCounters = (): EmulatorCounters => ({
  connections: 0,
  requests: 0,
  heartbeats: 0,
  modbusRequests: 0,
  malformedFrames: 0,
  badParameters: 0,
  slowClients: 0,
  setpointTicks: 0,
  missedTicks: 0,
});

export interface WireRecord {
  /** When the frame was taken from the socket. */
  readonly atNs: MonotonicNs;
  readonly kind: "motion" | "stop";
  readonly client: number;
  readonly transactionId: number;
  readonly register: number;
  /** First bytes of the frame: header, register and at most the first two angles. */
  readonly head: Uint8Array;
  /** State byte of the reply. */
  stateByte: number;
}

const HEAD_BYTES = 15;
const RECORDS_MAX = 16_384;
const STOPS: ReadonlySet<number> = new Set([SET_STATE.pause, SET_STATE.stop, SET_STATE.decelerate]);

export class WireLog {
  #records: WireRecord[] = [];
  /** Records dropped since the last `clear` because the log was full; the oldest go first. */
  droppedCount = 0;

  get records(): readonly WireRecord[] {
    return this.#records;
  }

  clear(): void {
    this.#records = [];
    this.droppedCount = 0;
  }

  /** Keeps a frame of a motion or stop command; other frames leave nothing. */
  note(atNs: MonotonicNs, client: number, bytes: Uint8Array): WireRecord | undefined {
    const register = bytes[HEADER_BYTES]!;
    const kind = kindOf(messageOfRegister(register), bytes[HEADER_BYTES + 1] ?? 0);
    if (kind === undefined) return undefined;
    if (this.#records.length >= RECORDS_MAX) {
      this.#records.splice(0, RECORDS_MAX / 4);
      this.droppedCount += RECORDS_MAX / 4;
    }
    const head = bytes.slice(0, HEAD_BYTES);
    const transactionId = (head[0]! << 8) | head[1]!;
    const record: WireRecord = { atNs, kind, client, transactionId, register, head, stateByte: 0 };
    this.#records.push(record);
    return record;
  }
}

function kindOf(name: MessageName | undefined, firstParameter: number): "motion" | "stop" | undefined {
  if (name === undefined) return undefined;
  if (MESSAGES[name].motion) return "motion";
  return name === "setState" && STOPS.has(firstParameter) ? "stop" : undefined;
}
