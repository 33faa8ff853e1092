/** What is known of an episode after one pass over it, ready to be drawn. Times count from its start. */
import type { RecordedRobot } from "../format.js";
import type { Lane } from "./lane.js";
import type { Trace } from "./trace.js";

export const JOINT_STREAMS = ["requested", "limited", "sent", "measured"] as const;
export type JointStream = (typeof JOINT_STREAMS)[number];

export interface JointTraces {
  readonly names: readonly string[];
  /** Of the servo's ticks; undefined where only joint states were recorded. */
  readonly robot: RecordedRobot | undefined;
  /** One trace a joint [rad]. */
  readonly streams: Readonly<Partial<Record<JointStream, readonly Trace[]>>>;
  readonly reasons: Lane;
  readonly states: Lane;
  /** Opening [m]. */
  readonly gripper: { readonly asked: Trace; readonly measured: Trace };
  /** Of the measured state at each tick [ms]. */
  readonly stateAgeMs: Trace;
  /** How much later than one period after the tick before [ms]. */
  readonly tickLateMs: Trace;
  readonly tickCount: number;
  /** Ticks by reason. */
  readonly reasonTicks: ReadonlyMap<string, number>;
}

export interface PolicyTraces {
  readonly imageAgeMs: Trace;
  readonly startLatenessMs: Trace;
  readonly imageToWireMs: Trace;
  readonly computeMs: Trace;
  readonly phases: Lane;
  readonly refusals: Lane;
  readonly stepCount: number;
  /** Steps by the reason why they gave no command. */
  readonly refusedSteps: ReadonlyMap<string, number>;
}

export interface TopicTimes {
  readonly topic: string;
  readonly nominalRateHz: number | undefined;
  readonly count: number;
  /** "seen" where messages follow each other as they should, "gap" where they do not. */
  readonly presence: Lane;
  /** Receive time minus stamp [ms]. */
  readonly delayMs: Trace;
  readonly longestGapS: number;
}

export interface SeenEvent {
  readonly atS: number;
  readonly source: string;
  readonly kind: string;
  readonly text: string;
}

export interface Gathered {
  readonly durationS: number;
  /** By robot, or by topic where only joint states tell of it. */
  readonly joints: ReadonlyMap<string, JointTraces>;
  readonly policy: PolicyTraces | undefined;
  readonly topics: readonly TopicTimes[];
  /** The first of them; `eventCount` are all. */
  readonly events: readonly SeenEvent[];
  readonly eventCount: number;
  /** Messages that could not be decoded. */
  readonly unreadableCount: number;
}
