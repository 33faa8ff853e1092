/** Real-time priority for the calling thread alone; threads and processes that it starts later stay normal. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { cpus, setPriority } from "node:os";
import { CerebellumError, errorText } from "../core/errors.js";

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

/**
 * For short work that is due at once, as a step of a policy on legs: SCHED_FIFO half as urgent as the servo's loop, which
 * always comes first and for which the kernel moves this thread to another CPU. Where the servo has no priority, or the
 * system refuses, as `makeThisThreadEager`.
 */
export function hurryThisThread(servoPriority: number): void {
  if (makeThisThreadFifo(Math.floor(servoPriority / 2)) === 0) makeThisThreadEager();
}

/**
 * Keeps the calling thread on the given CPUs; threads and processes that it starts later inherit that. An empty list
 * changes nothing.
 * @throws CerebellumError CONFIG_INVALID when the system refuses it
 */
export function pinThisThread(cpuNumbers: readonly number[], field: string): void {
  if (cpuNumbers.length === 0) return;
  try {
    execFileSync("taskset", ["-p", "-c", cpuNumbers.join(","), ownThreadId()], {
      stdio: ["ignore", "ignore", "pipe"],
    });
  } catch (cause) {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `${field} is [${cpuNumbers.join(", ")}], which the system refuses: ${errorText(cause).trim().split("\n").at(-1)}`,
      `Name CPUs of this computer (it has 0 to ${cpuNumberMax()}), or leave the field out`,
      cause,
    );
  }
}

/** One thread's scheduling, as the kernel tells it. */
export interface ThreadClass {
  readonly threadId: number;
  readonly name: string;
  /** SCHED_FIFO, SCHED_RR, ... ; SCHED_OTHER is the normal class. */
  readonly policy: string;
  /** 1 to 99 in the real-time classes, else 0. */
  readonly priority: number;
  /** CPUs that it may use, e.g. "0-3". */
  readonly cpus: string;
}

/** Every thread of a process, first its main one; empty when there is no such process. */
export function threadsOf(processId: number | "self"): ThreadClass[] {
  const folder = `/proc/${processId}/task`;
  const mainId = processId === "self" ? process.pid : processId;
  // Numbers begin again at a low one: a thread's may be lower than that of the process which started it.
  const rank = (threadId: number) => (threadId === mainId ? -1 : threadId);
  try {
    return readdirSync(folder)
      .map(Number)
      .sort((one, other) => rank(one) - rank(other))
      .map((threadId) =>
        parseThread(
          threadId,
          readFileSync(`${folder}/${threadId}/stat`, "utf8"),
          readFileSync(`${folder}/${threadId}/status`, "utf8"),
        ),
      );
  } catch {
    // The process has ended, perhaps in the middle of this.
    return [];
  }
}

const POLICIES = [
  "SCHED_OTHER",
  "SCHED_FIFO",
  "SCHED_RR",
  "SCHED_BATCH",
  "?",
  "SCHED_IDLE",
  "SCHED_DEADLINE",
];

/** From the texts of /proc/PID/task/TID/stat and status, proc(5). The name may hold spaces and brackets. */
export function parseThread(threadId: number, stat: string, status: string): ThreadClass {
  const end = stat.lastIndexOf(")");
  // Fields are numbered from 1, and the first after the name is the third.
  const field = (number: number) => Number(stat.slice(end + 2).split(" ")[number - 3]);
  return {
    threadId,
    name: stat.slice(stat.indexOf("(") + 1, end),
    policy: POLICIES[field(41)] ?? "?",
    priority: field(40),
    cpus: /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? "?",
  };
}

const cpuNumberMax = () => cpus().length - 1;
const ownThreadId = () => readlinkSync("/proc/thread-self").split("/").at(-1)!;
