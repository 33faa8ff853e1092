/**
 * Images carry epoch stamps, states carry monotonic ones, and one measured pair of both joins them. When somebody steps
 * the epoch clock (a first NTP answer, `date`), every image's age is wrong by the step: that must be noticed.
 */
import { type Clock, type ClockMapping, nsToMs, sleepMs, toEpochNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";

const CHECK_EVERY_MS = 100;
/** Far above what two readings differ by, far below what a frame's age may be. */
const STEP_MS_MAX = 20;

/** How far the epoch clock is from where the mapping expects it [ms]; positive when it was set forward. */
export function clockStepMs(clock: Clock, mapping: ClockMapping): number {
  const beforeMs = nsToMs(clock.epochNs() - toEpochNs(mapping, clock.nowNs()));
  // A pause between the two readings looks like a step back; it cannot come twice.
  if (Math.abs(beforeMs) <= STEP_MS_MAX) return beforeMs;
  return nsToMs(clock.epochNs() - toEpochNs(mapping, clock.nowNs()));
}

/** Resolves with what happened when the epoch clock was stepped; with nothing when `signal` aborts before. */
export async function untilClockStep(
  clock: Clock,
  mapping: ClockMapping,
  signal: AbortSignal,
): Promise<CerebellumError | undefined> {
  while (!signal.aborted) {
    const stepMs = clockStepMs(clock, mapping);
    if (Math.abs(stepMs) > STEP_MS_MAX) return clockStepped(stepMs);
    await sleepMs(clock, CHECK_EVERY_MS, signal);
  }
  return undefined;
}

const clockStepped = (stepMs: number) =>
  new CerebellumError(
    "CLOCK_STEPPED",
    `The system's clock was set ${stepMs > 0 ? "forward" : "back"} by ${Math.abs(stepMs).toFixed(0)} ms (limit ${STEP_MS_MAX} ms), so the age of images is not known`,
    "Start the policy again, which measures the clocks anew; let the time settle first (`timedatectl` shows it)",
  );
