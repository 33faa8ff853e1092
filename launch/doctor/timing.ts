/** The timing self-test: runs the servo's loop for a while and says whether this computer can hold its rate. */
import type { Clock } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import type { MissCause } from "../../runtime/servo/loop.js";
import { Child } from "../child.js";
import { createLog } from "../log.js";
import type { TimingConfig, TimingResult } from "../processes/timingMain.js";
import type { MachineFacts } from "./facts.js";

type TimedRobot = Pick<TimingConfig, "device" | "servo">;

interface TimingLimit {
  /** The servo is late by at most so much in 99 and in 99.9 of a hundred ticks [µs]. */
  readonly p99: number;
  readonly p999: number;
  /** Share of ticks that may be missed. */
  readonly missedShare: number;
}

/**
 * What a robot PC must hold. At a thousand ticks a second one in ten thousand may be missed: a robot on legs waits 50 ms for
 * a command, and its servo bears tens of missed ticks in a row.
 */
export const TIMING_LIMITS: Readonly<Record<TimedRobot["device"], TimingLimit>> = {
  xarm7: { p99: 1000, p999: 3000, missedShare: 0 },
  allegro: { p99: 1000, p999: 3000, missedShare: 0 },
  digit: { p99: 200, p999: 1000, missedShare: 1e-4 },
};
/** Start, warm-up and a loaded machine. */
const SLACK_MS = 20_000;

export interface TimingVerdict {
  readonly holds: boolean;
  /** E.g. "250 Hz: yes, p99 0.1 ms, p99.9 0.8 ms, 0 missed". */
  readonly text: string;
  /** Empty when it holds and nothing could be better. */
  readonly remedies: readonly string[];
}

/** @throws CerebellumError of the child, TIMED_OUT */
export async function runTimingTest(options: {
  readonly clock: Clock;
  readonly robot: TimedRobot;
  readonly seconds: number;
}): Promise<TimingResult> {
  const { clock, robot, seconds } = options;
  const { device, servo } = robot;
  const config = { device, servo, seconds };
  const { child, ready } = await Child.start<TimingResult>({
    name: "timing",
    entry: entryUrl("../processes/timingMain.js", import.meta.url),
    config,
    clock,
    log: createLog("warn", 2),
    readyWithinMs: 1000 * seconds + SLACK_MS,
  });
  await child.stop(1000);
  return ready;
}

type TimingFacts = Pick<MachineFacts, "fifo" | "cpuCount" | "cpuGovernor" | "loadAverage">;

/** What to do about each cause of missed ticks, most telling first. */
const BY_CAUSE: Readonly<Record<MissCause, string>> = {
  lateWake:
    "The system woke the loop late: keep a CPU free for it (kernel parameter isolcpus=N, and `servo.cpus: [N]` in the " +
    "cell file); in a virtual machine, give it CPUs of its own",
  garbageCollection:
    "Collections held the loop: they wait for helper threads of normal priority, which other work keeps from running; " +
    "end other work, or keep a CPU free",
  driverSend: "Writing to the device held the loop: see the network",
  socketDrain: "Reading sockets held the loop: another process of the same priority may have run; end it",
  tickWork: "The tick itself took too long: this CPU is too slow or was taken away; lower `servo.rateHz`",
};

export function judgeTiming(
  result: TimingResult,
  facts: TimingFacts,
  device: TimedRobot["device"],
): TimingVerdict {
  const { rateHz, latenessUs, missedByCause, tickCount } = result;
  const missed = Object.values(missedByCause).reduce((sum, count) => sum + count, 0);
  const limit = TIMING_LIMITS[device];
  const holds =
    missed <= limit.missedShare * (tickCount + missed) &&
    latenessUs.p99 <= limit.p99 &&
    latenessUs.p999 <= limit.p999;
  const causes = Object.entries(missedByCause).filter(([, count]) => count > 0);
  const ms = (us: number) => `${(us / 1000).toFixed(us < 100 ? 3 : us < 9950 ? 1 : 0)} ms`;
  const text =
    `${rateHz} Hz: ${holds ? "yes" : "no"}, p99 ${ms(latenessUs.p99)}, p99.9 ${ms(latenessUs.p999)}, ` +
    `max ${ms(latenessUs.max)}, ${missed} missed` +
    (causes.length === 0 ? "" : ` (${causes.map(([cause, count]) => `${cause} ${count}`).join(", ")})`);
  return { holds, text, remedies: remediesFor(result, facts, holds) };
}

function remediesFor(result: TimingResult, facts: TimingFacts, holds: boolean): string[] {
  const remedies: string[] = [];
  if (result.realtimePriority === 0)
    remedies.push(
      facts.fifo.ok
        ? "The loop ran without real-time priority: set `servo.realtimePriority` (80) in the cell file"
        : 'Permit real-time priority: "@realtime - rtprio 80" in /etc/security/limits.d/realtime.conf, add your user ' +
            "to that group and log in again",
    );
  if (facts.cpuGovernor !== undefined && facts.cpuGovernor !== "performance")
    remedies.push(`The CPU governor is ${facts.cpuGovernor}: sudo cpupower frequency-set -g performance`);
  if (holds) return remedies;
  if (facts.loadAverage > facts.cpuCount)
    remedies.push(
      `The load was ${facts.loadAverage.toFixed(1)} on ${facts.cpuCount} CPUs: end other work, then test again`,
    );
  for (const [cause, remedy] of Object.entries(BY_CAUSE))
    if ((result.missedByCause[cause] ?? 0) > 0) remedies.push(remedy);
  if (remedies.length === 0) remedies.push(BY_CAUSE.lateWake);
  return remedies;
}

export const describeTiming = (result: TimingResult, verdict: TimingVerdict): string =>
  [
    verdict.text,
    `  ${result.tickCount} ticks in ${result.seconds} s, ` +
      (result.realtimePriority > 0 ? `SCHED_FIFO priority ${result.realtimePriority}` : "normal priority") +
      `, ${result.collections} collections, ${Math.round(result.rssBytes / 2 ** 20)} MiB`,
    ...verdict.remedies.map((remedy) => `  remedy: ${remedy}`),
  ].join("\n");
