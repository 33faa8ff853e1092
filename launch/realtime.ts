/** Real-time priority for the calling thread alone; threads and processes that it starts later stay normal. */
import { execFileSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";

/**
 * A robot's controller keeps its own time; the emulated one and its world ask for it, below the servo process, so that
 * a loaded machine does not look like an arm that stopped reporting. Both have one priority: the controller reads what
 * the world writes and must never keep it from finishing.
 */
export const LAB_PRIORITY = 20;

/**
 * Asks for SCHED_FIFO. Needs CAP_SYS_NICE or an rtprio limit; without them everything works, only less evenly.
 * @returns the priority in force, 0 when the system refused it or none was asked for
 */
export function makeThisThreadFifo(priority: number): number {
  if (priority === 0) return 0;
  try {
    const threadId = ownThreadId();
    execFileSync("chrt", ["-R", "-f", "-p", String(priority), threadId], { stdio: "ignore" });
    return priority;
  } catch {
    return 0;
  }
}

/** A niceness of -10 for the calling thread alone: served sooner, without keeping others from running as FIFO would. */
export function makeThisThreadEager(): boolean {
  try {
    setPriority(Number(ownThreadId()), -10);
    return true;
  } catch {
    return false;
  }
}

const ownThreadId = () => readlinkSync("/proc/thread-self").split("/").at(-1)!;
