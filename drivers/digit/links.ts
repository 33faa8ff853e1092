/**
 * The two wires of one Digit, as its driver sees them: UDP for what the motors do, a thousand times a second, and JSON over a
 * WebSocket for who may say so.
 */
import type { DigitCommand, DigitLimits, DigitObservation, StreamState } from "./protocol/index.js";
import type { OperationMode } from "./protocol/jsonMessages.js";

export interface DigitUdpCounters {
  /** Commands handed to the kernel, and those that it did not take. */
  readonly sent: number;
  readonly unsent: number;
  /** Observations handed to listeners. */
  readonly observations: number;
  /** Of these, whose `time` was that of the one before: a datagram that came twice, or a clock that stands still. */
  readonly repeated: number;
  /** Observations older than one that came before them, thrown away. */
  readonly reordered: number;
  /** Datagrams that are no chunk, messages of another size than described, compressed ones that cannot be read. */
  readonly corrupt: number;
  /** Datagrams of other senders: another address than the robot's, or not the port that is listened to. */
  readonly foreign: number;
  /** How often the connection ended by itself. */
  readonly lost: number;
}

export interface DigitUdp {
  /** Binds the port for observations. The robot speaks only to whom sends commands: see `send`. */
  open(signal: AbortSignal): Promise<void>;
  /**
   * Sends one command, and with the first the whole description, later a part of it each 100 ms. To be called in every
   * state, at least each 50 ms: silence makes the robot fall back by itself. Never throws, never queues.
   */
  send(command: DigitCommand): boolean;
  /** `live`: the description is whole and observations count. */
  readonly state: StreamState;
  /** Newest observation, one object updated in place, and when it came, monotonic [ms]; -Infinity before the first. */
  readonly observation: DigitObservation;
  readonly receivedMs: number;
  /** Of the robot's description; undefined until it is live. */
  readonly limits: DigitLimits | undefined;
  /** Fields and limits that the live robot does not send, or not as they must be; empty when all is there. */
  readonly missing: readonly string[];
  readonly counters: DigitUdpCounters;
  /** Why it is not live, for people. */
  describeState(): string;
  /** Each observation as it is read; returns its own undo. */
  onObservation(listener: (observation: DigitObservation, receivedMs: number) => void): () => void;
  /** Live, or no longer, with the reason; returns its own undo. */
  onState(listener: (state: StreamState, reason: string) => void): () => void;
  close(): Promise<void>;
}

export type { OperationMode };

/** Why low-level control is not ours any more. */
export interface JsonLoss {
  readonly kind: "closed" | "silent" | "privilege" | "mode";
  readonly happened: string;
}

export interface DigitJsonCounters {
  readonly sent: number;
  readonly received: number;
  /** Texts that are no message. */
  readonly malformed: number;
  readonly unanswered: number;
  readonly warnings: number;
}

export interface RobotStatus {
  readonly mode: OperationMode | undefined;
  readonly leftFootInContact: boolean | undefined;
  readonly rightFootInContact: boolean | undefined;
}

export interface DigitJson {
  /** Connects and asks who answers. @throws DEVICE_UNREACHABLE, DEVICE_MISMATCH, LINK_SILENT */
  open(signal: AbortSignal): Promise<void>;
  /** Empty until known. */
  readonly robotName: string;
  /** As of the newest status, asked for five times a second; undefined until known. */
  readonly mode: OperationMode | undefined;
  readonly status: RobotStatus;
  /** Whether this client may command actions, as of the newest answer. */
  readonly hasPrivilege: boolean;
  readonly counters: DigitJsonCounters;
  /** Newest warning or error of the robot without a question of ours, empty without one. */
  readonly lastNote: string;
  /**
   * Privilege, then the mode low-level-api. Commands must be arriving at the robot already. Whatever was taken is given back
   * where a later step fails. @throws DEVICE_REFUSED, LINK_SILENT, LINK_CLOSED
   */
  takeControl(signal: AbortSignal): Promise<void>;
  /**
   * Best effort, in the reverse order; never rejects. `locomotion` makes the vendor's controller stand up: only for a robot
   * that stands. @returns what could not be given back, empty when all could
   */
  giveBack(mode: "locomotion" | "damping" | "disabled"): Promise<string>;
  /**
   * The privilege alone, for the vendor's own controller in mode locomotion; a lost mode or privilege is told as of control
   * that was taken. @throws DEVICE_REFUSED, LINK_SILENT, LINK_CLOSED
   */
  takeActions(signal: AbortSignal): Promise<void>;
  /** Best effort; never rejects. @returns what could not be given back, empty when all could */
  dropActions(): Promise<string>;
  /** The vendor's own controller, in mode locomotion: stand, or walk at a velocity in the heading frame. */
  stand(): Promise<void>;
  walk(velocity: { forwardMPerS: number; leftMPerS: number; yawRateRadPerS: number }): Promise<void>;
  /**
   * `closed` and `silent`: the connection ended by itself, and must be opened anew. `privilege` and `mode`: control that was
   * taken is gone. At most once each time; returns its own undo.
   */
  onLost(listener: (loss: JsonLoss) => void): () => void;
  close(): Promise<void>;
}
