/** What a servo tells of its loop, its process and its device since it was started. */
import type { ArmDriver } from "../../drivers/contract.js";
import type { ServoStatistics } from "./api.js";
import type { EventDesk } from "./events.js";
import type { ServoLoop } from "./loop.js";

export function servoStatistics(
  loop: ServoLoop | undefined,
  driver: ArmDriver,
  { refused, triggers, output }: EventDesk,
): ServoStatistics {
  const { reportToCommand } = driver;
  const histogram = loop?.lateness;
  const { rss, heapUsed } = process.memoryUsage();
  return {
    ticks: loop?.ticks ?? 0,
    missed: { ...loop?.missed },
    latenessUs: histogram?.summaryUs() ?? { p50: 0, p99: 0, p999: 0, max: 0 },
    latenessSumUs: histogram?.sumUs ?? 0,
    gridShiftMs: loop?.shiftMs ?? 0,
    bucketsUs: histogram?.bucketsUs ?? [],
    counts: histogram?.counts() ?? [],
    memory: {
      rssBytes: rss,
      heapUsedBytes: heapUsed,
      collections: loop?.collections.count ?? 0,
      collectionMs: loop?.collections.ms ?? 0,
    },
    refusedCommands: { ...refused },
    triggers: { ...triggers },
    driver: { ...driver.counters(), snapshotsDropped: output?.snapshotsDropped() ?? 0 },
    ...(reportToCommand === undefined
      ? {}
      : { reportToCommandUs: { count: reportToCommand.added, ...reportToCommand.summaryUs() } }),
  };
}
