/** The doctor: gathers, judges, and words the result for people and machines. */
import type { Clock } from "../../core/clock.js";
import { CHECKS, type CheckLevel } from "./checks.js";
import type { MachineFacts, PortQuestion } from "./facts.js";
import { gatherFacts } from "./gather.js";
import type { HandQuestion } from "./hands.js";

export interface DoctorOptions {
  readonly clock: Clock;
  /** TCP ports that the cell will listen on, on this host. */
  readonly ports?: readonly PortQuestion[];
  readonly hands?: readonly HandQuestion[];
  /** State folder of a cell with a gateway; absent without one. */
  readonly consoleState?: string;
  /** The cell's ROS domain, when its file names one. */
  readonly domainId?: number;
  /** Defaults to this process's own. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export interface CheckResult {
  readonly name: string;
  readonly level: CheckLevel;
  readonly found: string;
  readonly expected: string;
  readonly remedy: string;
}

export interface DoctorReport {
  readonly checks: readonly CheckResult[];
  readonly weakCount: number;
  readonly missingCount: number;
  /** 1 if anything is missing, else 0. */
  readonly exitCode: 0 | 1;
}

export const runDoctor = async (options: DoctorOptions): Promise<DoctorReport> =>
  judgeFacts(await gatherFacts(options));

export function judgeFacts(facts: MachineFacts): DoctorReport {
  const checks = CHECKS.map(({ name, expected, remedy, judge }) => ({
    name,
    expected,
    remedy,
    ...judge(facts),
  }));
  const count = (level: CheckLevel) => checks.filter((check) => check.level === level).length;
  const missingCount = count("missing");
  return { checks, weakCount: count("weak"), missingCount, exitCode: missingCount > 0 ? 1 : 0 };
}

/** A table for a terminal; what is not ok carries what was expected and what to do. */
export function formatReport(report: DoctorReport): string {
  const nameWidth = Math.max(...report.checks.map(({ name }) => name.length));
  const lines = report.checks.flatMap(({ name, level, found, expected, remedy }) => [
    `${level.padEnd(8)} ${name.padEnd(nameWidth)}  ${found}`,
    ...(level === "ok" ? [] : [`         expected: ${expected}`, `         remedy:   ${remedy}`]),
  ]);
  const { weakCount, missingCount } = report;
  const summary =
    weakCount + missingCount === 0
      ? "Nothing is missing or weak."
      : `${missingCount} missing, ${weakCount} weak.`;
  return `${lines.join("\n")}\n\n${summary}`;
}
