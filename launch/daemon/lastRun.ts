/**
 * What an earlier run of a cell may have left: a note that it did not end in order, and children that outlived their
 * daemon. Children are ended, not adopted: an old servo process may have been started from another configuration, and
 * its log and its standard input died with the old daemon. It is asked to stop in order first, so the arm holds.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { addNs, type Clock, msToNs, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";

/** A servo brakes, leaves its device and has ended by then. */
const ORDERLY_MS_MAX = 2000;
const KILLED_MS_MAX = 1000;
const LOOK_MS = 20;
/** In every child's command line; a process id that was given to somebody else since is left alone. */
const CHILD_ENTRY = "launch/processes/";

const noteFile = (folder: string) => join(folder, "running.json");

export const pidFileOf = (folder: string, child: string): string => join(folder, `${child}.pid`);

/**
 * Why the robots must start stopped; undefined when the last run ended in order. A run before the last boot does not
 * count: the robots have been without this computer since.
 */
export function unfinishedRun(folder: string): string | undefined {
  try {
    const note = JSON.parse(readFileSync(noteFile(folder), "utf8")) as { boot?: string; processId?: number };
    return note.boot === bootId()
      ? `the daemon before this one (process ${note.processId}) did not end in order`
      : undefined;
  } catch {
    return undefined;
  }
}

export function noteRunning(folder: string): void {
  writeFileSync(noteFile(folder), `${JSON.stringify({ boot: bootId(), processId: process.pid })}\n`);
}

export function noteEndedInOrder(folder: string): void {
  rmSync(noteFile(folder), { force: true });
}

/** @throws CerebellumError ALREADY_RUNNING when a child of a former daemon cannot be ended */
export async function endFormerChildren(folder: string, clock: Clock, log: Logger): Promise<void> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".pid"));
  await Promise.all(names.map((name) => endFormerChild(join(folder, name), clock, log)));
}

async function endFormerChild(pidFile: string, clock: Clock, log: Logger): Promise<void> {
  const processId = Number(readFileSync(pidFile, "utf8"));
  if (isOurChild(processId)) {
    log.warn({ event: "formerChild", processId }, `ending process ${processId}, left by a former daemon`);
    for (const [signal, msMax] of [
      ["SIGTERM", ORDERLY_MS_MAX],
      ["SIGKILL", KILLED_MS_MAX],
    ] as const) {
      kill(processId, signal);
      const limitNs = addNs(clock.nowNs(), msToNs(msMax));
      while (isOurChild(processId) && clock.nowNs() < limitNs) await sleepMs(clock, LOOK_MS);
    }
    if (isOurChild(processId)) {
      throw new CerebellumError(
        "ALREADY_RUNNING",
        `Process ${processId} of a former daemon does not end`,
        `End it by hand: kill -9 ${processId}`,
      );
    }
  }
  rmSync(pidFile, { force: true });
}

/** Alive, and started as one of our children; a dead one that nobody has collected yet has no command line. */
function isOurChild(processId: number): boolean {
  if (!Number.isInteger(processId) || processId <= 1) return false;
  try {
    return readFileSync(`/proc/${processId}/cmdline`, "utf8").includes(CHILD_ENTRY);
  } catch {
    return false;
  }
}

function kill(processId: number, signal: NodeJS.Signals): void {
  try {
    process.kill(processId, signal);
  } catch {
    // It has ended by itself in between.
  }
}

const bootId = () => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
