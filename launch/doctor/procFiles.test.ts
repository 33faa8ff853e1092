/** Parsers of /proc files on lines as the kernel writes them (proc(5), Linux 6.18). */
import { describe, expect, it } from "vitest";
import {
  isServoProcess,
  kibOf,
  leftoverSegments,
  listeningPorts,
  lockedInodes,
  processStartTicks,
  swapOf,
} from "./procFiles.js";

describe("procFiles", () => {
  it("finds listening ports only, in IPv4 and IPv6 tables", () => {
    const tcp = [
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
      "   0: 0100007F:4846 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0",
      "   1: 0100007F:4847 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4",
      "",
    ].join("\n");
    expect([...listeningPorts(tcp)]).toEqual([0x4846]);
    const tcp6 =
      "header\n 0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0\n";
    expect([...listeningPorts(tcp6)]).toEqual([8080]);
    expect(listeningPorts("").size).toBe(0);
  });

  it("reads inodes of locked files, also of those that wait", () => {
    const locks = [
      "1: FLOCK  ADVISORY  WRITE 573 00:1a:42 0 EOF",
      "2: POSIX  ADVISORY  READ  88 fe:00:131 0 EOF",
      "2: -> POSIX  ADVISORY  WRITE 99 fe:00:132 0 EOF",
    ].join("\n");
    expect([...lockedInodes(locks)]).toEqual([42, 131, 132]);
  });

  it("reads the start time behind a name with spaces and brackets", () => {
    const fields = Array.from({ length: 30 }, (_, index) => String(index + 4));
    // Field 3 is the state; field 22 is the start time.
    expect(processStartTicks(`77 (a) b (c) S ${fields.join(" ")}`)).toBe("22");
    expect(processStartTicks("")).toBeUndefined();
  });

  it("takes only unguarded segments for leftovers", () => {
    const file = (name: string, inode: number, bytes = 0) => ({ name, inode, bytes });
    const files = [
      file("fastdds_b4b66a6f31384b85", 1, 8_782_368),
      file("fastdds_b4b66a6f31384b85_el", 2),
      file("fastdds_122c16735955521b", 3, 549_408),
      file("fastdds_122c16735955521b_el", 4),
      file("fastdds_0123456789abcdef", 5, 100),
      file("fastdds_port7000", 6, 52_400),
      file("sem.fastdds_port7000_mutex", 7, 32),
      file("lttng-ust-wait-6", 8, 4096),
    ];
    expect(leftoverSegments(files, new Set([2])).map(({ inode }) => inode)).toEqual([3, 5]);
  });

  it("reads swap, and says nothing where the kernel says nothing", () => {
    const meminfo = "MemTotal:       16000000 kB\nSwapTotal:       2048 kB\nSwapFree:        1536 kB\n";
    expect(swapOf(meminfo)).toEqual({ totalBytes: 2_097_152, usedBytes: 524_288 });
    expect(swapOf("MemTotal: 5 kB\n")).toBeUndefined();
    expect(kibOf("VmSwap", "VmRSS:\t 100 kB\nVmSwap:\t      12 kB\n")).toBe(12);
  });

  it("knows a servo process by the program that it runs", () => {
    expect(isServoProcess("/usr/bin/node\0/opt/x y/dist/launch/processes/servoMain.js\0")).toBe(true);
    expect(isServoProcess("vim\0launch/processes/servoMain.ts\0")).toBe(false);
  });
});
