/**
 * What a servo process offers through its Unix socket, as seen by the daemon's threads. The wire itself is in
 * `link/`. Roles: many observers; one commander at a time, by lease; supervisors, which may enable, stop, reset and
 * revoke. A stop raises the epoch, so nothing that was queued before it can run.
 */
import type { ArmLimits, DeviceIdentity } from "../../core/arm.js";
import type { MonotonicNs } from "../../core/clock.js";
import type { FloatingBase } from "../../core/floatingBase.js";
import type { Fault, ImpedanceGains, StopCategory } from "../../drivers/contract.js";
import type { TriggerName } from "./triggers.js";

/**
 * `holding` is enabled without a commander; `stopped` is latched until an explicit reset; in `teaching` the device lets
 * a person move it by hand, and nothing is sent.
 */
export const SERVO_STATES = [
  "disconnected",
  "connected",
  "holding",
  "following",
  "stopping",
  "stopped",
  "faulted",
  // Last, because the black box stores places in this list.
  "teaching",
] as const;
export type ServoStateName = (typeof SERVO_STATES)[number];

export { REASON_BITS, type ReasonName } from "../../core/reasons.js";

export type ServoRole = "observer" | "commander" | "supervisor";

/** One number per joint; commands with more are cut to it. */
export interface GainsMax {
  readonly stiffnessNmPerRad: readonly number[];
  readonly dampingNmSPerRad: readonly number[];
}

/** Sent once on connection. */
export interface ServoInfo {
  readonly robot: string;
  readonly device: string;
  readonly rateHz: number;
  readonly limits: ArmLimits;
  readonly identity: DeviceIdentity | undefined;
  /** SCHED_FIFO priority in force, 0 when the system refused it. */
  readonly realtimePriority: number;
  readonly processId: number;
  /** A lease ends when no supervisor was heard for longer [ms]. */
  readonly supervisorSilenceMsMax: number;
  /** Only of a robot on legs, which is commanded with gains. */
  readonly gainsMax?: GainsMax;
  /** Of a group (`group.ts`): the robots that it is made of, in the order of its joints. */
  readonly members?: readonly ServoInfo[];
}

/** One servo tick as everybody else sees it. Arrays have one number per joint, base to tool. */
export interface ServoSnapshot {
  readonly tick: number;
  /** When the tick ran. */
  readonly tickNs: MonotonicNs;
  readonly state: ServoStateName;
  readonly epoch: number;
  /** Name of the lease holder, "" when nobody commands. */
  readonly commander: string;
  /** When the device state below was received, and its age limit's subject. */
  readonly stateNs: MonotonicNs;
  readonly stateSequence: number;
  readonly positionRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  readonly effortNm: Float64Array;
  /** Newest accepted command's target; equals `sentRad` while holding. */
  readonly requestedRad: Float64Array;
  /** What the limiter let through in this tick. */
  readonly limitedRad: Float64Array;
  /** Newest setpoint that left for the device: `limitedRad`, unless the device took none in this tick. */
  readonly sentRad: Float64Array;
  readonly reasons: number;
  /** `seq` of the newest command that took effect and when its first frame left for the device; 0 when none. */
  readonly commandSeq: number;
  readonly commandWireNs: MonotonicNs;
  /** Newest gripper opening that was asked for [m]; NaN when none was. */
  readonly gripperCommandM: number;
  /** Opening between the finger pads [m]; NaN without a gripper. */
  readonly gripperOpeningM: number;
  /** The device's own clock in the report of the state above [µs]; 0 when it has none. */
  readonly deviceTimeUs: number;
  readonly deviceErrorCode: number;
  /** Only of a robot that stands on its feet. */
  readonly base?: FloatingBase | undefined;
}

/** Loop health since the servo process started. Lateness is in microseconds after the deadline. */
export interface ServoStatistics {
  readonly ticks: number;
  /** Ticks skipped because the loop was late by more than a period, by cause: see `MISS_CAUSES`. */
  readonly missed: Readonly<Record<string, number>>;
  readonly latenessUs: {
    readonly p50: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
  };
  /** All ticks' lateness together [µs]. */
  readonly latenessSumUs: number;
  /** By how much the grid of ticks was shifted to follow the device's reports, later is positive [ms]. */
  readonly gridShiftMs: number;
  /** Counts per bucket; bucket i covers [bucketsUs[i-1], bucketsUs[i]). */
  readonly bucketsUs: readonly number[];
  readonly counts: readonly number[];
  readonly refusedCommands: Readonly<Record<string, number>>;
  /** Of the servo process; collections are those of its loop's thread. */
  readonly memory: {
    readonly rssBytes: number;
    readonly heapUsedBytes: number;
    readonly collections: number;
    readonly collectionMs: number;
  };
  /** How often each trigger has acted; see `triggers.ts`. */
  readonly triggers: Readonly<Record<string, number>>;
  readonly driver: Readonly<Record<string, number>>;
  /** Where the driver answers the device's reports by itself: from bytes read to command written [µs]. */
  readonly reportToCommandUs?: {
    readonly count: number;
    readonly p50: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
  };
}

export interface ServoEvent {
  readonly atNs: MonotonicNs;
  readonly kind: "state" | "stop" | "fault" | "lease" | "refused" | "watchdog" | "overrun";
  readonly text: string;
  /** What ended or refused motion, when this event says so. */
  readonly trigger?: TriggerName;
  readonly fault?: Fault;
}

export interface TargetCommand {
  /** Joint target [rad], one per joint. */
  readonly positionRad: ArrayLike<number>;
  /** After this moment the target is no longer pursued and the arm decelerates to a hold. */
  readonly expiresNs: MonotonicNs;
  /** 0 < scale <= 1 on velocity, acceleration and jerk limits: guarded approaches are slow. Default 1. */
  readonly speedScale?: number;
  /** Age of the oldest input that the target was made from, now [ms]; for the black box. */
  readonly inputAgeMs?: number;
  /**
   * How stiffly the joints are held to the target. A robot on legs refuses a command without them, and takes the target
   * as it is in the next tick and in every tick until a newer command or its expiry; any other robot refuses them.
   */
  readonly gains?: ImpedanceGains;
}

/** Setpoints for consecutive ticks, up to 64 of them; numbers lie tick by tick, base to tool. */
export interface SetpointStretch {
  /** Place of the first one in its stream, counted from 0, which begins a stream. */
  readonly firstIndex: number;
  readonly jointCount: number;
  /** Joint angles [rad]: what is sent, bit for bit, or not at all. */
  readonly positionRad: ArrayLike<number>;
  /** Acceleration at which the motion passes each of them [rad/s²], as `splineAccelerations` finds it. */
  readonly accelerationRadPerS2: ArrayLike<number>;
  /** What has not left by then is dropped, and the arm brakes to a hold. */
  readonly expiresNs: MonotonicNs;
  /** The stream ends with the last of these. */
  readonly isLast: boolean;
}

export interface Lease {
  readonly epoch: number;
  /** Fire and forget, copied; refusals come back as events and in the statistics. Returns the command's seq. */
  command(target: TargetCommand): number;
  /**
   * Appends setpoints to the servo's queue (1 s), of which one leaves in every tick. The first that does not continue
   * the motion within the limits, a gap, or a queue that runs dry before its announced end makes the arm brake to a
   * hold, and nothing of the stream runs any more. A command replaces a stream and the reverse.
   * @returns seq of the first; `ServoSnapshot.commandSeq` follows the setpoints that have left
   */
  setpoints(stretch: SetpointStretch): number;
  /**
   * Opening between the finger pads [m]: the fingers go there at the gripper's own speed and stay.
   * @param expiresNs an opening that comes later is refused, as a command is; default: half a second from now
   */
  gripper(openingM: number, expiresNs?: MonotonicNs): void;
  release(): void;
  readonly lost: AbortSignal;
}

export interface ServoClient {
  readonly info: ServoInfo;
  /** Newest snapshot, undefined until the first. */
  latest(): ServoSnapshot | undefined;
  /**
   * Measured joint positions at a past moment [rad], linear between device states; undefined when the moment is
   * outside of the last 2 s that are kept.
   */
  positionAt(atNs: MonotonicNs): Float64Array | undefined;
  onSnapshot(listener: (snapshot: ServoSnapshot) => void): () => void;
  onEvent(listener: (event: ServoEvent) => void): () => void;
  /** Rejects with LEASE_REFUSED while another commander holds it or the servo is not `holding`. */
  acquireLease(name: string): Promise<Lease>;
  /** Supervisor only. Resolves when the servo is `holding`; rejects with the device's reason. */
  enable(): Promise<void>;
  /** Anybody; resolves when motion has ended. */
  stop(category: StopCategory, reason: string): Promise<void>;
  /** Supervisor only: takes the lease away; the arm brakes to a hold. */
  revokeLease(reason: string): Promise<void>;
  /**
   * Supervisor only. On: from `connected` or from `holding` at rest; resolves when the arm is free. Off: refused while the
   * arm moves; resolves when the device holds it, not enabled.
   */
  teach(on: boolean): Promise<void>;
  /** Supervisor only: leaves `stopped` or `faulted` for `connected`, re-reading the device and re-asserting limits. */
  reset(): Promise<void>;
  statistics(): Promise<ServoStatistics>;
  /** Ends when the socket closed, for whatever reason. */
  readonly closed: AbortSignal;
  close(): Promise<void>;
}
