/** What an emulated hand has to tell as JSON: how it is, and what a host said to it. */
import type { AllegroEmulator } from "./emulator.js";
import { limpTimes } from "./handLog.js";

export function handStatus({
  hand,
  adapter,
  bus,
  line,
  plant,
  lateness,
}: AllegroEmulator): Record<string, unknown> {
  return {
    isOn: hand.isOn,
    isLimp: hand.isLimp,
    limp: limpTimes(hand.log.records),
    periodMs: hand.periodMs,
    command: [...hand.command],
    torqueNm: [...plant.torqueNm],
    positionRad: [...plant.positionRad],
    velocityRadPerS: [...plant.velocityRadPerS],
    celsius: [...hand.heat.celsius],
    isAdapterOpen: adapter.isOpen,
    counters: hand.counters,
    sentLateUs: { count: lateness.added, ...lateness.summaryUs() },
    framesRefused: adapter.framesRefused,
    framesLost: bus.lost,
    framesForeign: bus.foreign,
    bytesDamaged: line.damagedBytes,
  };
}

/** Everything that a host has said since the last clearing, or from index `since` on. */
export function handWire(
  { hand }: AllegroEmulator,
  { since, clear }: { readonly since: number; readonly clear: boolean },
): Record<string, unknown> {
  const { records, forgotten } = hand.log;
  const wire = {
    next: records.length,
    forgotten,
    limp: limpTimes(records),
    // Typed arrays would be objects in JSON.
    records: records.slice(since).map(({ atMs, message }) => ({
      atMs,
      message: message.kind === "torque" ? { ...message, command: [...message.command] } : message,
    })),
  };
  if (clear) hand.log.clear();
  return wire;
}
