/** A pass of the servo's loop in words. */
import type { LoopPass } from "./loopPass.js";

export function describePass(pass: LoopPass, toWire = "command to wire"): string[] {
  const { latenessUs, reference, ratio, commandToWire, memory } = pass;
  const causes = Object.entries(pass.missedByCause).map(([cause, count]) => `${cause} ${count}`);
  const us = (value: number) => `${value.toFixed(1)} us`;
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return [
    `servo: ${pass.ranTickCount} ticks at ${pass.rateHz} Hz in ${pass.seconds.toFixed(1)} s, ` +
      (pass.realtimePriority > 0 ? `SCHED_FIFO priority ${pass.realtimePriority}` : "normal priority"),
    `  lateness p50 ${us(latenessUs.p50)}, p99 ${us(latenessUs.p99)}, p99.9 ${us(latenessUs.p999)}, max ${us(latenessUs.max)}`,
    `  C beside it p50 ${us(reference.p50)}, p99 ${us(reference.p99)}, p99.9 ${us(reference.p999)}, max ${us(reference.max)}, ${reference.missed} missed`,
    `  servo / C at p99 ${ratio.p99.toFixed(2)}, at p99.9 ${ratio.p999.toFixed(2)}`,
    `  missed ${pass.missedTickCount} (${causes.join(", ")}), missed without being counted ${pass.silentMissCount}`,
    `  ${toWire} p50 ${commandToWire.p50Ms.toFixed(2)} ms, p99 ${commandToWire.p99Ms.toFixed(2)} ms, max ${commandToWire.maxMs.toFixed(2)} ms over ${commandToWire.count} commands`,
    `  memory ${mib(memory.rssBytesMax)}, ${memory.bytesPerTick.toFixed(0)} bytes a tick, ${memory.collections} collections of ${memory.collectionMs.toFixed(1)} ms together, heap after them ${mib(memory.heapFloorGrowthBytes)} more than at first`,
  ];
}
