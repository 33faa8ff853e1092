/**
 * What the servo needs of whoever makes commands for the driver out of what the lease holder asks for. An arm or a hand
 * brakes to a hold when anything is in doubt (`follower.ts`); a robot on legs cannot (`legFollower.ts`).
 */
import type { ArmLimits } from "../../core/arm.js";
import type { Clock } from "../../core/clock.js";
import type { ServoInfo, ServoStateName } from "./api.js";
import type { BlackBox, InputAges } from "./blackBox.js";
import type { Commander } from "./commander.js";
import type { CommonServoConfig } from "./config.js";
import type { EventDesk } from "./events.js";
import type { Tick } from "./loop.js";
import type { TriggerName } from "./triggers.js";

/** A device that holds its stream back for longer than this has stopped following. */
export const BUSY_MS_MAX = 1000;

/** What every follower is given by its servo. */
export interface FollowerHooks {
  readonly clock: Clock;
  readonly commander: Commander;
  readonly events: EventDesk;
  readonly blackBox: BlackBox | undefined;
  /** Trouble that braking to a hold does not answer. */
  readonly stop: (trigger: TriggerName, reason: string) => void;
  readonly endLease: (trigger: TriggerName, reason: string) => void;
  /** Since somebody was heard who could stop the robot [ms]. */
  readonly supervisorSilentMs: (nowMs: number) => number;
}

export interface RobotFollower {
  /** Motion can be led to rest within limits, and a hold answers doubt; if not, doubt ends in a stop. */
  readonly brakes: boolean;
  /** Why this robot, left by its commander, could not hold; undefined when it can. */
  readonly whyNotHold: string | undefined;
  /** Sequence number of the newest command that moved the robot, and when its first setpoint left, monotonic. */
  readonly commandSeq: number;
  readonly commandWireMs: number;
  readonly atRest: boolean;
  readonly sentRad: Float64Array;
  /** What the limits let through in the newest tick. */
  readonly limitedRad: Float64Array;
  /** What the newest tick was asked for; undefined when nobody asks for anything. */
  readonly requestedRad: Float64Array | undefined;
  /** Reason bits that stay set until the next command or the end of their cause. */
  readonly doubts: number;
  /** Only of a robot that is commanded with gains: the most that is let through. */
  readonly gainsMax: ServoInfo["gainsMax"];
  /** In force, as clients are told. */
  readonly limits: ArmLimits;
  /** The device's limits may have changed with what was learnt of it. Only while nothing moves. */
  takeLimits(): void;
  /** The device was enabled; this is where it is. */
  startAt(positionRad: Float64Array): void;
  startLease(): void;
  /** Forgets what was asked for and holds, for a reason that snapshots show until the next lease or command; 0 for none. */
  hold(reasonBit?: number): void;
  clearDoubts(): void;
  /** Of a robot whose commands do not wait for their tick: one is in the mailbox. */
  commandCame?(state: ServoStateName): void;
  /** @returns reason bits of this tick */
  tick(tick: Tick, state: ServoStateName): number;
  stateAgeMs(nowMs: number): number;
  /** How old everything is that this tick rests on. */
  readAges(nowMs: number, ages: InputAges): void;
}

/** The lease holder and whoever could stop the robot must be heard. */
export function watchLease(hooks: FollowerHooks, config: CommonServoConfig, nowMs: number): void {
  const { commander, endLease, supervisorSilentMs } = hooks;
  if (commander.isSilent(nowMs))
    endLease("leaseSilent", `silent for more than ${config.leaseSilenceMsMax} ms`);
  else if (commander.holder !== undefined && supervisorSilentMs(nowMs) > config.supervisorSilenceMsMax)
    endLease("supervisorSilent", `no supervisor was heard for ${config.supervisorSilenceMsMax} ms`);
}
