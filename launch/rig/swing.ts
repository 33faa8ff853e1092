/** Leads an arm's first joint to and fro while something is measured, so that ticks have something to do. */
import { addNs, type Clock, type MonotonicNs, msToNs, sleepMs } from "../../core/clock.js";
import type { Daemon } from "../daemon/daemon.js";

const SWING_RAD = 0.4;
const SWING_PERIOD_S = 8;
const COMMAND_PERIOD_MS = 100;

/** Until the signal; the arm is left holding. */
export async function swing(daemon: Daemon, robot: string, signal: AbortSignal): Promise<void> {
  const servo = await daemon.connectCommander(robot, "bench");
  try {
    const lease = await servo.acquireLease("bench");
    const homeRad = [...servo.latest()!.positionRad];
    for (let step = 0; !signal.aborted && !lease.lost.aborted; step++) {
      const phaseRad = (2 * Math.PI * step * COMMAND_PERIOD_MS) / (1000 * SWING_PERIOD_S);
      lease.command({
        positionRad: [homeRad[0]! + SWING_RAD * Math.sin(phaseRad), ...homeRad.slice(1)],
        expiresNs: expiry(daemon.clock),
      });
      await sleepMs(daemon.clock, COMMAND_PERIOD_MS, signal);
    }
    lease.release();
  } finally {
    await servo.close();
  }
}

const expiry = (clock: Clock): MonotonicNs => addNs(clock.nowNs(), msToNs(5 * COMMAND_PERIOD_MS));
