/**
 * What the outside may ask of a running cell, whatever the door: ROS services, the console or the command line.
 * Methods never reject: a refusal is an outcome whose message says what happened and what to do.
 */
import type { StopCategory } from "../drivers/contract.js";

export interface Outcome {
  readonly success: boolean;
  readonly message: string;
}

/** Ordered by how bad it is; `stale` means that nothing is known any more. */
export const DIAGNOSTIC_LEVELS = ["ok", "warn", "error", "stale"] as const;
export type DiagnosticLevel = (typeof DIAGNOSTIC_LEVELS)[number];

/** One line of the operator's picture, as diagnostic_msgs/DiagnosticStatus has it. */
export interface DiagnosticItem {
  /** "part: subject", e.g. "servo: arm" or "camera: wrist". */
  readonly name: string;
  readonly hardwareId: string;
  readonly level: DiagnosticLevel;
  /** What is going on; at warn and above also the remedy. */
  readonly message: string;
  /** Names carry units. */
  readonly values: Readonly<Record<string, string | number>>;
}

export interface Supervisor {
  /** Powers the robots and holds them where they stand. */
  enable(): Promise<Outcome>;
  /** Ends motion of every robot; the stop stays until `reset`. */
  stop(category: StopCategory, reason: string): Promise<Outcome>;
  /** Leaves the stopped or faulted state; nothing moves. */
  reset(): Promise<Outcome>;
  /** On: the robot can be moved by hand, and is recorded like any other. Off: it holds, and is not enabled. */
  teach(robot: string, on: boolean): Promise<Outcome>;
  /** Without a bundle, the one that the cell file names. */
  startPolicy(bundle?: string): Promise<Outcome>;
  stopPolicy(): Promise<Outcome>;
  diagnostics(): Promise<readonly DiagnosticItem[]>;
}
