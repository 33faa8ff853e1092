/** What the emulated controller has seen on its wire, as plain JSON: for tests and campaigns that use it as a witness. */
import type { XArm7Emulator } from "./emulator.js";
import type { SetpointFigures } from "./setpointMonitor.js";
import { isTaken, type WireRecord } from "./wireLog.js";

export type WireForm = "records" | "times";

/** Motion and stop frames from index `since` on; see `WireLog`. Times are monotonic nanoseconds as text. */
export function reportFrames(
  emulator: XArm7Emulator,
  form: WireForm,
  since: number,
): Record<string, unknown> {
  const { droppedCount: dropped, nextIndex } = emulator.wireLog;
  const records = emulator.wireLog.since(since);
  if (form === "records")
    return {
      dropped,
      nextIndex,
      records: records.map(({ atNs, positionRad, ...rest }) => ({
        ...rest,
        atNs: atNs.toString(),
        positionRad: positionRad && [...positionRad],
      })),
    };
  const firstNs = records[0]?.atNs ?? 0n;
  return {
    dropped,
    nextIndex,
    firstIndex: records[0]?.index ?? nextIndex,
    firstNs: firstNs.toString(),
    /** Microseconds after `firstNs`, one per frame. */
    afterUs: records.map(({ atNs }) => Number(atNs - firstNs) / 1000),
    /** Places in `afterUs` of stop frames, and of frames that the controller did not take. */
    stops: placesOf(records, ({ kind }) => kind === "stop"),
    refused: placesOf(records, (record) => record.kind === "motion" && !isTaken(record)),
  };
}

/** The setpoint monitor's figures. */
export function reportSetpoints(figures: SetpointFigures): Record<string, unknown> {
  return {
    ...figures,
    stepRad: [...figures.stepRad],
    velocityRadPerS: [...figures.velocityRadPerS],
    accelerationRadPerS2: [...figures.accelerationRadPerS2],
    jerkRadPerS3: [...figures.jerkRadPerS3],
    starts: figures.starts.map((start) => ({ ...start, atNs: start.atNs.toString() })),
    firstNs: figures.firstNs?.toString(),
    lastNs: figures.lastNs?.toString(),
  };
}

function placesOf(records: readonly WireRecord[], wanted: (record: WireRecord) => boolean): number[] {
  return records.flatMap((record, place) => (wanted(record) ? [place] : []));
}
