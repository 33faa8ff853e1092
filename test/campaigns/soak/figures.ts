/** What a soak found, and whether it holds. */

import type { TickCount } from "../../../launch/commands/tickGrid.js";
import type { Lateness } from "../../../runtime/servo/lateness.js";

export const GATE = { p99Us: 1000, p999Us: 3000, rssMb: 120 } as const;

export interface SoakResult extends TickCount {
  readonly rateHz: number;
  readonly realtimePriority: number;
  readonly latenessUs: Lateness;
  readonly servoRssMb: { readonly first: number; readonly last: number; readonly max: number };
  readonly daemonHeapMb: { readonly first: number; readonly last: number };
  readonly cameras: Readonly<
    Record<string, { readonly received: number; readonly lost: number; readonly expected: number }>
  >;
  readonly recorder: Readonly<Record<string, number>>;
  readonly policySteps: number;
  readonly policyCommands: number;
  readonly refusals: Readonly<Record<string, number>>;
  /** What made the arm hold or stop, with how often; a hold is no failure of the servo. */
  readonly triggers: Readonly<Record<string, number>>;
  /** Ticks in states other than holding and following, and faults. */
  readonly unexpected: Readonly<Record<string, number>>;
  readonly policyRestarts: number;
}

/** Names of what does not hold; lateness is only judged where real-time priority is in force. */
export function brokenGates(result: SoakResult): string[] {
  const { latenessUs, servoRssMb, silentMissCount, unexpected } = result;
  const broken: string[] = [];
  if (silentMissCount !== 0) broken.push(`${silentMissCount} silent misses (must be 0)`);
  if (result.realtimePriority > 0) {
    if (latenessUs.p99 > GATE.p99Us) broken.push(`p99 ${latenessUs.p99.toFixed(0)} us (limit ${GATE.p99Us})`);
    if (latenessUs.p999 > GATE.p999Us)
      broken.push(`p99.9 ${latenessUs.p999.toFixed(0)} us (limit ${GATE.p999Us})`);
  }
  if (servoRssMb.max > GATE.rssMb)
    broken.push(`servo RSS ${servoRssMb.max.toFixed(0)} MB (limit ${GATE.rssMb})`);
  for (const [what, count] of Object.entries(unexpected)) broken.push(`${what} ${count} times`);
  return broken;
}

export function describeSoak(result: SoakResult): string[] {
  const { latenessUs, missedByCause } = result;
  const list = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ") || "none";
  const cameras = Object.entries(result.cameras).map(
    ([name, { received, lost, expected }]) => `${name} ${received} of ${expected.toFixed(0)} (gaps ${lost})`,
  );
  return [
    `soak: ${result.seconds.toFixed(0)} s, ${result.ranTickCount} ticks at ${result.rateHz} Hz, SCHED_FIFO priority ${result.realtimePriority || "not in force"}`,
    `  lateness p50 ${latenessUs.p50.toFixed(0)} us, p99 ${latenessUs.p99.toFixed(0)} us, p99.9 ${latenessUs.p999.toFixed(0)} us, max ${latenessUs.max.toFixed(0)} us`,
    `  missed ${result.missedTickCount} (${list(missedByCause)}), silent ${result.silentMissCount}`,
    `  servo RSS ${result.servoRssMb.first.toFixed(0)} to ${result.servoRssMb.last.toFixed(0)} MB, most ${result.servoRssMb.max.toFixed(0)}; daemon heap ${result.daemonHeapMb.first.toFixed(0)} to ${result.daemonHeapMb.last.toFixed(0)} MB`,
    `  frames ${cameras.join(", ")}; recorder ${list(result.recorder)}`,
    `  policy ${result.policySteps} steps, ${result.policyCommands} commands, held by ${list(result.refusals)}; started again ${result.policyRestarts} times`,
    `  triggers ${list(result.triggers)}; unexpected: ${list(result.unexpected)}`,
  ];
}
