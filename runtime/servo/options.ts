/** What a servo is made of. */
import type { Clock } from "../../core/clock.js";
import type { FloatingBase } from "../../core/floatingBase.js";
import type { ArmDriver, LeggedDriver } from "../../drivers/contract.js";
import type { BlackBox } from "./blackBox.js";
import type { CommonServoConfig, LegServoConfig, ServoConfig } from "./config.js";
import type { MovingBody } from "./zones.js";

interface CommonOptions {
  readonly robot: string;
  readonly device: string;
  readonly config: CommonServoConfig;
  readonly driver: ArmDriver;
  readonly clock: Clock;
  readonly realtimePriority: number;
  readonly processId: number;
  readonly blackBox?: BlackBox;
  /** Start in `stopped` for this reason: after a crash of the servo process, only a reset leads on. */
  readonly startLatched?: string;
}

/** An arm or a hand. */
export interface ServoOptions extends CommonOptions {
  readonly config: ServoConfig;
  readonly body: MovingBody;
}

/**
 * Changes the target of a stand so that the robot keeps its balance. Called in every tick without a commander; allocates
 * nothing.
 */
export type Balance = (targetRad: Float64Array, base: FloatingBase) => void;

/** A robot on legs; `body` has no place in them: it tells the two kinds apart. */
export interface LegServoOptions extends CommonOptions {
  readonly config: LegServoConfig;
  readonly driver: LeggedDriver;
  readonly balance?: Balance | undefined;
}
