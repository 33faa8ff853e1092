/** Readers of Linux's own text files, pure: text in, facts out. Formats: proc(5). */

const TCP_LISTEN = "0A";

/** Ports with a listener, from the text of /proc/net/tcp or tcp6. */
export function listeningPorts(procNetTcp: string): Set<number> {
  const ports = new Set<number>();
  for (const line of procNetTcp.split("\n").slice(1)) {
    const [, local, , state] = line.trim().split(/\s+/);
    if (state === TCP_LISTEN && local !== undefined) ports.add(Number.parseInt(local.split(":").at(-1)!, 16));
  }
  return ports;
}

/** Inode numbers of all locked files, from the text of /proc/locks. */
export function lockedInodes(procLocks: string): Set<number> {
  const inodes = new Set<number>();
  for (const line of procLocks.split("\n")) {
    const device = line.split(/\s+/).find((word) => /^[0-9a-f]+:[0-9a-f]+:\d+$/.test(word));
    if (device !== undefined) inodes.add(Number(device.split(":")[2]));
  }
  return inodes;
}

/** Start time of a process in ticks since boot, from the text of /proc/PID/stat; its name may hold spaces and brackets. */
export const processStartTicks = (procStat: string): string | undefined =>
  procStat.slice(procStat.lastIndexOf(")") + 2).split(" ")[19];

export interface ShmFile {
  readonly name: string;
  readonly inode: number;
  readonly bytes: number;
}

/**
 * Fast DDS segments that nobody holds. Each segment `fastdds_ID` has a file `fastdds_ID_el` that its owner keeps locked
 * while it lives; ports (`fastdds_portN`) are shared and are reused by the next process.
 */
export function leftoverSegments(files: readonly ShmFile[], locked: ReadonlySet<number>): ShmFile[] {
  const byName = new Map(files.map((file) => [file.name, file]));
  return files.filter(({ name }) => {
    if (!/^fastdds_[0-9a-f]{8,}$/.test(name)) return false;
    const guard = byName.get(`${name}_el`);
    return guard === undefined || !locked.has(guard.inode);
  });
}

/** A value in KiB from the text of /proc/meminfo or /proc/PID/status, e.g. "VmSwap:  12 kB". */
export function kibOf(name: string, text: string): number | undefined {
  const found = new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(text);
  return found === null ? undefined : Number(found[1]);
}

/** From the text of /proc/meminfo. */
export function swapOf(meminfo: string): { totalBytes: number; usedBytes: number } | undefined {
  const totalKib = kibOf("SwapTotal", meminfo);
  const freeKib = kibOf("SwapFree", meminfo);
  if (totalKib === undefined || freeKib === undefined) return undefined;
  return { totalBytes: 1024 * totalKib, usedBytes: 1024 * (totalKib - freeKib) };
}

/** From the text of /proc/PID/cmdline: arguments that end with NUL. */
export const isServoProcess = (cmdline: string): boolean => /\/processes\/servoMain\.js(\0|$)/.test(cmdline);
