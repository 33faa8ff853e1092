/** What the metrics show, asked of the daemon's parts at the moment of a scrape. */
import type { Daemon } from "../daemon/daemon.js";
import type { CellFigures, RobotFigures } from "./render.js";

export async function gatherFigures(daemon: Daemon): Promise<CellFigures> {
  const { cell, clock, mapping } = daemon;
  const robots = await Promise.all(
    Object.keys(cell.robots).map(async (robot): Promise<[string, RobotFigures]> => {
      const { supervisor, restarts } = daemon.keeper(robot);
      const statistics = await supervisor.statistics().catch(() => undefined);
      return [
        robot,
        {
          restarts,
          realtimePriority: supervisor.info.realtimePriority,
          nowMs: clock.nowMs(),
          snapshot: supervisor.latest(),
          statistics,
        },
      ];
    }),
  );
  return {
    cell: cell.name,
    upS: Number(clock.nowNs() - mapping.monotonicNs) / 1e9,
    robots: Object.fromEntries(robots),
    policy: daemon.policy?.status(),
    recorder: daemon.recorder?.status(),
  };
}
