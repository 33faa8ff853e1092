/**
 * `bench digit`: the 1 kHz loop of a real servo process beside a C loop, the way from an observation to a command, a step of
 * the policy, what wire and tick cost and leave on the heap, and how fast the lab's body is. It fails when a tick is neither
 * run nor counted as missed, or a target acted beyond its expiry; how late is too late is for `npm run bench` to say.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { CerebellumError } from "../../core/errors.js";
import type { LatenessSummary } from "../../core/histogram.js";
import { LegServoConfig } from "../../runtime/servo/config.js";
import { systemClock } from "../systemClock.js";
import {
  type DigitPhysicsPass,
  type DigitPhysicsResult,
  measureDigitPhysics,
} from "../timing/digitPhysics.js";
import { type DigitWireResult, measureDigitWire } from "../timing/digitWire.js";
import { type HistoryStepResult, measureHistoryStep } from "../timing/historyStep.js";
import { type LegTickResult, measureLegTick } from "../timing/legTick.js";
import { compileReference } from "../timing/reference.js";
import { describePass } from "./describePass.js";
import { type DigitPass, runDigitPass } from "./digitPass.js";
import type { SampleSummary } from "./statistics.js";

/** As large as a walking controller's, with random weights: it may be timed, and never moves anything. */
const BUNDLE = "digit-random";
const TICKS = 250_000;
const POLICY_STEPS = 2_000;
const PHYSICS_S = 10;

export interface DigitBenchResult {
  readonly wire: DigitWireResult;
  readonly tick: Readonly<Record<"standing" | "following", LegTickResult>>;
  readonly policy: HistoryStepResult;
  readonly physics: DigitPhysicsResult;
  /** With real-time priority where it is permitted. */
  readonly loop: DigitPass;
  readonly normalPriority?: DigitPass;
}

/** @throws CerebellumError CHECK_FAILED when a count that must be zero is not; what the servo or a bundle says */
export async function benchDigit(options: {
  readonly seconds: number;
  readonly onProgress: (text: string) => void;
}): Promise<DigitBenchResult> {
  const { seconds, onProgress } = options;
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const clock = systemClock;
  // The loop first: what comes after it leaves a large heap in this process, which commands.
  const referenceProgram = await compileReference();
  const { realtimePriority } = LegServoConfig.parse({});
  const pass = async (priority: number) => {
    onProgress(`the loop, ${seconds} s at ${priority > 0 ? `priority ${priority}` : "normal priority"}`);
    return runDigitPass({ seconds, realtimePriority: priority, referenceProgram, bundle: BUNDLE });
  };
  const loop = await pass(realtimePriority);
  const normalPriority = loop.realtimePriority > 0 ? await pass(0) : undefined;
  onProgress("wire, tick, policy and physics, one after the other");
  const result = {
    loop,
    ...(normalPriority === undefined ? {} : { normalPriority }),
    wire: measureDigitWire({ clock, periods: TICKS, collect }),
    tick: {
      standing: await measureLegTick({ clock, ticks: TICKS, what: "standing", collect }),
      following: await measureLegTick({ clock, ticks: TICKS, what: "following", collect }),
    },
    policy: await measureHistoryStep({ clock, bundle: BUNDLE, steps: POLICY_STEPS }),
    physics: await measureDigitPhysics({ clock, simulatedS: PHYSICS_S }),
  };
  for (const one of [loop, normalPriority]) if (one !== undefined) requireCounts(one);
  return result;
}

function requireCounts({ silentMissCount, ticksBeyondExpiry }: DigitPass): void {
  if (silentMissCount === 0 && ticksBeyondExpiry === 0) return;
  throw new CerebellumError(
    "CHECK_FAILED",
    `${silentMissCount} servo ticks are neither run nor counted as missed, and in ${ticksBeyondExpiry} a target acted beyond its expiry`,
    "This is a defect of the servo; keep the JSON result and report it",
  );
}

export function describeDigitBench({
  loop,
  normalPriority,
  wire,
  tick,
  policy,
  physics,
}: DigitBenchResult): string[] {
  const garbage = (bytes: number) => `${bytes.toFixed(1)} bytes of garbage each`;
  return [
    ...describeLoop(loop),
    ...(normalPriority === undefined ? [] : describeLoop(normalPriority)),
    `wire: an observation read ${us(wire.readUs)}, a command packed ${us(wire.writeUs)}, ${garbage(wire.bytesPerRun)}`,
    ...Object.entries(tick).map(
      ([what, { ticks, tickUs, bytesPerRun, heapGrowthBytes }]) =>
        `tick, ${what}: ${us(tickUs)}, ${garbage(bytesPerRun)}, ${ticks} grow the heap by ${heapGrowthBytes} bytes`,
    ),
    `policy ${policy.bundle} (${policy.kind}, ${policy.contextSteps} steps): one step on one core ${us(policy.stepUs)}`,
    ...(["standing", "lying"] as const).map((what) => describePhysics(what, physics.stepMs, physics[what])),
  ];
}

const us = ({ p50, p99, max }: LatenessSummary): string =>
  `p50 ${p50.toFixed(1)} us, p99 ${p99.toFixed(1)} us, max ${max.toFixed(0)} us`;
const ms = ({ p50Ms, p99Ms, maxMs }: SampleSummary): string =>
  `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, max ${maxMs.toFixed(2)} ms`;

function describeLoop(pass: DigitPass): string[] {
  const { robot, parts } = pass;
  const part = (summary: SampleSummary | undefined) => (summary === undefined ? "none" : ms(summary));
  return [
    ...describePass(pass, "observation to wire"),
    `    of it the observation's age at its tick ${part(parts.observationAge)}`,
    `    until the policy begins ${part(parts.untilStep)}`,
    `    the policy's step ${part(parts.step)}`,
    `    until its target leaves ${part(parts.untilWire)}`,
    `  ${pass.steps} steps, ${pass.stops} stops; ticks beyond an expiry ${pass.ticksBeyondExpiry}; from the last expiry until no motor was driven ${pass.expiryToDampingMs.toFixed(1)} ms`,
    `  at the robot: longest gap between commands ${robot.commandGapMsMax.toFixed(1)} ms; its own loop late p99 ${robot.lateUs.p99?.toFixed(0)} us, ${robot.skippedMs} ms left out`,
  ];
}

const describePhysics = (what: string, stepMs: number, { realTimeFactor, stepUs }: DigitPhysicsPass) =>
  `body, ${what}: ${realTimeFactor.toFixed(1)} times real time on one core, a step of ${stepMs} ms takes ${us(stepUs)}`;
