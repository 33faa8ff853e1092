/** What came over the command port: counters, and the moments of frames that move or stop the arm. */
import type { MonotonicNs } from "../../core/clock.js";
import {
  HEADER_BYTES,
  JOINT_COUNT,
  MESSAGES,
  type MessageName,
  messageOfRegister,
  SET_STATE,
  STATE_BYTE,
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
  /** Rises by one with each record since the emulator's start; `clear` does not reset it. */
  readonly index: number;
  /** When the frame was taken from the socket. */
  readonly atNs: MonotonicNs;
  readonly kind: "motion" | "stop";
  readonly client: number;
  readonly transactionId: number;
  readonly register: number;
  /** The seven angles of a joint setpoint [rad], as they came; undefined for any other frame. */
  readonly positionRad: Float64Array | undefined;
  /** State byte of the reply. */
  stateByte: number;
}

const UNTAKEN = STATE_BYTE.error | STATE_BYTE.notReady | STATE_BYTE.invalid;
/** Four minutes of setpoints at 250 Hz. */
const RECORDS_MAX = 65_536;
const SETPOINT = MESSAGES.moveServoJoint.register;
const STOPS: ReadonlySet<number> = new Set([SET_STATE.pause, SET_STATE.stop, SET_STATE.decelerate]);

/** The controller answered that it executes the frame. */
export const isTaken = ({ stateByte }: WireRecord): boolean => (stateByte & UNTAKEN) === 0;

export class WireLog {
  #records: WireRecord[] = [];
  #nextIndex = 0;
  /** Records dropped since the last `clear` because the log was full; the oldest go first. */
  droppedCount = 0;

  get records(): readonly WireRecord[] {
    return this.#records;
  }

  /** Index that the next record will have: where a reader that has read everything goes on. */
  get nextIndex(): number {
    return this.#nextIndex;
  }

  /** Records from this index on, as far as they are kept. */
  since(index: number): readonly WireRecord[] {
    const first = this.#nextIndex - this.#records.length;
    return this.#records.slice(Math.max(0, index - first));
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
    const record: WireRecord = {
      index: this.#nextIndex++,
      atNs,
      kind,
      client,
      transactionId: (bytes[0]! << 8) | bytes[1]!,
      register,
      positionRad: register === SETPOINT ? anglesOf(bytes) : undefined,
      stateByte: 0,
    };
    this.#records.push(record);
    return record;
  }
}

/** Undefined for a frame that is too short to hold them. */
function anglesOf(bytes: Uint8Array): Float64Array | undefined {
  const start = HEADER_BYTES + 1;
  if (bytes.length < start + 4 * JOINT_COUNT) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: JOINT_COUNT }, (_, joint) => view.getFloat32(start + 4 * joint, true));
}

function kindOf(name: MessageName | undefined, firstParameter: number): "motion" | "stop" | undefined {
  if (name === undefined) return undefined;
  if (MESSAGES[name].motion) return "motion";
  return name === "setState" && STOPS.has(firstParameter) ? "stop" : undefined;
}
