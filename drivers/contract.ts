/**
 * What the servo process needs of an arm, whatever its vendor. A driver owns its sockets and its wire; it has no
 * loop of its own: the servo loop calls `command` once a tick and reads `state` whenever it likes.
 */
import type { ArmLimits, DeviceIdentity, GripperState } from "../core/arm.js";
import type { FloatingBase } from "../core/floatingBase.js";
import type { LatenessHistogram } from "../core/histogram.js";

/** IEC 60204-1 stop categories: 0 remove power, 1 decelerate then remove power, 2 decelerate and hold. */
export type StopCategory = 0 | 1 | 2;

export interface Fault {
  /** Our stable name, e.g. "XARM_C31_COLLISION_CURRENT". */
  readonly code: string;
  readonly deviceCode: number;
  /**
   * `link`: the connection is gone, the driver can neither command nor read the device, and it must be configured anew
   * once it answers. `device`: anything else, told by the device or seen on a connection that stands.
   */
  readonly kind: "device" | "link";
  /** `warning` is reported only; `stop` ends motion until a reset; `power` needs the device restarted by a person. */
  readonly severity: "warning" | "stop" | "power";
  readonly cause: string;
  readonly remedy: string;
}

/**
 * Newest report of the arm. The driver updates ONE object in place (the servo tick must not allocate):
 * copy what outlives the call. Arrays have one number per joint.
 */
export interface ArmState {
  /** Rises by one with each report; 0 until the first. */
  sequence: number;
  /** When the report was received, monotonic [ms]: a number, because the tick reads it. */
  receivedMs: number;
  /** The device's own clock [µs] where the report has one, else 0. */
  deviceTimeUs: number;
  readonly positionRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  readonly effortNm: Float64Array;
  /** Tool pose in the base frame as the device reports it: x y z [m], roll pitch yaw [rad]. */
  readonly toolPoseBase: Float64Array;
  /** The device says that it executes streamed commands now (mode, state, enable and errors all checked). */
  ready: boolean;
  /** Vendor codes of the newest report or status, 0 when none. */
  errorCode: number;
  warningCode: number;
  /** Vendor mode and state numbers, for people. */
  deviceMode: number;
  deviceState: number;
  gripper: GripperState | undefined;
  /** Only of a robot that stands on its feet. */
  readonly base?: FloatingBase;
}

export interface ArmDriverCounters {
  /** Commands written to the wire, replies that came, replies that never came, reports read, corrupt reports, reconnects. */
  readonly sent: number;
  readonly replied: number;
  readonly unanswered: number;
  readonly reports: number;
  readonly corrupt: number;
  readonly reconnects: number;
}

export type CommandOutcome = "sent" | "notReady" | "busy" | "refused";

/** How stiffly a joint is held to its target, one number per joint. */
export interface ImpedanceGains {
  /** [N·m/rad] */
  readonly stiffnessNmPerRad: ArrayLike<number>;
  /** [N·m·s/rad] */
  readonly dampingNmSPerRad: ArrayLike<number>;
}

export interface ArmDriver {
  /** What each stop category does on this device, for people. */
  readonly stopMeanings: Readonly<Record<StopCategory, string>>;
  /** Known before any I/O; narrowed by `configure` once the serial number is read. */
  readonly limits: ArmLimits;
  /** Link up, identity and firmware checked, limits asserted in the device; nothing enabled, nothing moves. */
  configure(signal: AbortSignal): Promise<DeviceIdentity>;
  /** Clears what may be cleared, enables, enters streaming mode. The first setpoint must equal the measured position. */
  activate(signal: AbortSignal): Promise<void>;
  /** Best effort: leaves the arm holding (category 2) or unpowered (0, 1); never rejects. */
  deactivate(category: StopCategory): Promise<void>;
  state(): ArmState;
  /** The last gate: checks readiness and finite numbers itself; writes at most one frame; never queues, never throws. */
  command(positionRad: Float64Array): CommandOutcome;
  /** Writes the vendor's stop now, ahead of anything else; returns whether bytes left. Safe in every state. */
  stopNow(category: StopCategory): boolean;
  /** Asks the gripper for an opening [m]; sent between servo frames, newest wins. */
  setGripper(openingM: number): void;
  /** Enters or leaves the arm's own free-drive mode; only while not streaming. */
  setTeachMode(on: boolean, signal: AbortSignal): Promise<void>;
  counters(): ArmDriverCounters;
  /**
   * Only of a driver that answers the device's reports by itself: from when the process had read the bytes that completed
   * a report until the answer had been handed to the port [µs].
   */
  readonly reportToCommand?: LatenessHistogram;
  /** Faults and link loss, at most once per occurrence; returns its own undo. */
  onFault(listener: (fault: Fault) => void): () => void;
  close(): Promise<void>;
}

/**
 * A robot on legs. It cannot hold a pose by standing still: `command` holds with the gains of its stand state, and who
 * commands it says the gains. `activate` resolves with the robot held so where it was found. Every stop category but 0 ends in damping; 0 in no torque at all.
 */
export interface LeggedDriver extends ArmDriver {
  /**
   * torque = stiffness (target - position) - damping velocity, within the motors' limits; the damping term runs in the
   * motor's own drive. Like `command`: the last gate, at most one frame, never queues, never throws.
   */
  commandImpedance(positionRad: ArrayLike<number>, gains: ImpedanceGains): CommandOutcome;
}
