/** What an emulated Digit has to tell as JSON: how it is, and what clients have said to it. */
import { msToMonotonicNs } from "../../core/clock.js";
import { type DigitTruth, tiltRad } from "./body.js";
import type { DigitEmulator } from "./emulator.js";
import { effectOf } from "./motorLog.js";

const MODES_TOLD = 20;
const SPANS_TOLD = 50;

/** Ground truth, which no client of a real robot could have. */
export function digitTruth({ robot }: DigitEmulator): Record<string, unknown> {
  const { truth } = robot.body;
  return {
    simulatedS: robot.timeS,
    atNs: msToMonotonicNs(robot.nowMs).toString(),
    mode: robot.mode,
    positionM: [...truth.positionWorldM],
    quatXyzw: [...truth.quatWorldBaseXyzw],
    linearVelocityMPerS: [...truth.linearVelocityWorldMPerS],
    tiltRad: tiltRad(truth),
    ...joints(truth),
    footContact: [...truth.footContact].map((bears) => bears === 1),
    isUpright: robot.isUpright,
  };
}

const joints = (truth: DigitTruth) => ({
  positionRad: [...truth.positionRad],
  velocityRadPerS: [...truth.velocityRadPerS],
  torqueNm: [...truth.torqueNm],
  passivePositionRad: [...truth.passivePositionRad],
});

export function digitStatus(emulator: DigitEmulator): Record<string, unknown> {
  const { robot, json, commands, faults, toRobot, toClient } = emulator;
  return {
    mode: robot.mode,
    timeS: robot.timeS,
    nowMs: robot.nowMs,
    isUpright: robot.isUpright,
    drive: effectOf(robot.body.drive),
    /** Since when no motor has been driven, the monotonic clock [ms]; null while one is. */
    quietSinceMs: robot.motorLog.quietSinceMs ?? null,
    client: commands.client ?? null,
    hasCommands: robot.hasCommands,
    observationsSent: emulator.observations.sentCount,
    source: emulator.source,
    commandGapMsMax: robot.commandLog.gapMsMax,
    counters: robot.counters,
    commandsWire: { ...commands.counters, impossible: commands.impossibleCount, lost: commands.lostCount },
    json: { ...json.counters, sessions: json.sessionCount, isHeld: json.isHeld },
    lost: { commands: toRobot.lost, observations: toClient.lost },
    damaged: { commands: toRobot.damaged, observations: toClient.damaged },
    skippedMs: emulator.skippedMs,
    lateUs: { count: emulator.lateness.added, ...emulator.lateness.summaryUs() },
    modes: robot.modeChanges.slice(-MODES_TOLD),
    faults: faults.names,
  };
}

/**
 * Commands from index `since` on, and what the motors got. Times are the robot's clock, which is the monotonic clock of
 * this computer where it keeps real time [ms].
 */
export function digitWire(
  { robot }: DigitEmulator,
  { since, clear, records }: { readonly since: number; readonly clear: boolean; readonly records: boolean },
): Record<string, unknown> {
  const { commandLog, motorLog } = robot;
  const wire = {
    nowMs: robot.nowMs,
    next: commandLog.nextIndex,
    lastCommandMs: commandLog.nextIndex === 0 ? null : commandLog.lastMs,
    gapMsMax: commandLog.gapMsMax,
    quietSinceMs: motorLog.quietSinceMs ?? null,
    spans: motorLog.spans.slice(-SPANS_TOLD),
    spansForgotten: motorLog.forgotten,
    modes: [...robot.modeChanges],
    ...(records ? { records: commandLog.since(since) } : {}),
  };
  if (clear) {
    commandLog.clear();
    motorLog.clear();
  }
  return wire;
}
