/** The checks judge made-up machines; the reading of a real one is tried once, at the end. */
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { systemClock } from "../systemClock.js";
import type { CheckLevel } from "./checks.js";
import { formatReport, judgeFacts, runDoctor } from "./doctor.js";
import type { MachineFacts } from "./facts.js";

const MIB = 2 ** 20;

const GOOD: MachineFacts = {
  nodeVersion: "v20.20.2",
  python: { ok: true, text: "Python 3.11.7" },
  compiler: { ok: true, text: "c++ 12.2.0" },
  unpreparedSteps: [],
  environment: {
    ROS_DISTRO: "kilted",
    RMW_IMPLEMENTATION: "rmw_fastrtps_cpp",
    FASTDDS_DEFAULT_PROFILES_FILE: "/repo/launch/fastdds.xml",
    ROS_AUTOMATIC_DISCOVERY_RANGE: "LOCALHOST",
  },
  rosPrefixes: ["/repo/.ros2/venv"],
  addon: { ok: true, text: "loaded" },
  ownProfileFile: "/repo/launch/fastdds.xml",
  profileExists: true,
  cellDomainId: undefined,
  receiveBufferMaxBytes: 4_194_304,
  sendBufferMaxBytes: 4_194_304,
  sharedMemory: { freeBytes: 512 * MIB, leftoverCount: 0, leftoverBytes: 0 },
  fifo: { ok: true, text: "" },
  cpuCount: 2,
  cpuGovernor: undefined,
  loadAverage: 0.3,
  swap: { totalBytes: 0, usedBytes: 0 },
  servoProcesses: [],
  diskFreeBytes: 20_000 * MIB,
  clock: { stepMs: 0.4, year: 2026, ntpSynchronized: "yes" },
  console: { pagesBuilt: true, certificateDaysLeft: 300 },
  hands: [],
  guardianBuilt: true,
  ports: [],
  portsInUse: [],
  staleLocks: [],
};

const thread = (policy: string, priority = 0) => ({
  threadId: 1,
  name: "node",
  policy,
  priority,
  cpus: "0-1",
});
const servo = (loop: ReturnType<typeof thread>, other = thread("SCHED_OTHER"), swapBytes = 0) => ({
  servoProcesses: [{ processId: 7, threads: [loop, other], swapBytes }],
});

const HAND = { robot: "hand", address: "/dev/hand", isSimulated: false };

/** [check, change to the good machine, level expected] */
const CASES: readonly (readonly [string, Partial<MachineFacts>, CheckLevel])[] = [
  ["Node.js", { nodeVersion: "v20.19.9" }, "missing"],
  ["Node.js", { nodeVersion: "v24.1.0" }, "ok"],
  ["Node.js", { nodeVersion: "v25.0.0" }, "missing"],
  ["Python of ROS", { python: { ok: false, text: "python3 was not found" } }, "missing"],
  ["Python of ROS", { python: { ok: true, text: "Python 3.9.2" } }, "missing"],
  ["Python of ROS", { python: { ok: true, text: "Python 3.14.1" } }, "ok"],
  ["C++ compiler", { compiler: { ok: false, text: "c++ was not found" } }, "weak"],
  ["Preparation", { unpreparedSteps: ["overlay"] }, "missing"],
  ["Locks of the set-up", { staleLocks: ["/repo/.cerebellum/prepare.lock"] }, "weak"],
  ["ROS 2", { environment: {} }, "missing"],
  ["ROS 2", { rosPrefixes: [] }, "missing"],
  ["ROS 2", { environment: { ...GOOD.environment, RMW_IMPLEMENTATION: "rmw_cyclonedds_cpp" } }, "weak"],
  ["rclnodejs", { addon: { ok: false, text: "undefined symbol: PyExc_RuntimeError" } }, "missing"],
  ["ROS domain", { environment: {} }, "weak"],
  ["ROS domain", { environment: { ROS_DOMAIN_ID: "0" } }, "weak"],
  ["ROS domain", { environment: { ROS_DOMAIN_ID: "42" } }, "ok"],
  ["ROS domain", { environment: {}, cellDomainId: 42 }, "ok"],
  ["ROS domain", { environment: { ROS_DOMAIN_ID: "42" }, cellDomainId: 0 }, "weak"],
  ["Fast DDS profile", { profileExists: false }, "missing"],
  ["Fast DDS profile", { environment: {} }, "missing"],
  ["Fast DDS profile", { ownProfileFile: "/other/fastdds.xml" }, "weak"],
  [
    "Fast DDS profile",
    { environment: { ...GOOD.environment, FASTDDS_BUILTIN_TRANSPORTS: "LARGE_DATA" } },
    "weak",
  ],
  ["Socket buffers", { receiveBufferMaxBytes: 212_992 }, "weak"],
  ["Socket buffers", { sendBufferMaxBytes: 4_194_303 }, "weak"],
  ["Shared memory", { sharedMemory: undefined }, "missing"],
  ["Shared memory", { sharedMemory: { freeBytes: 64 * MIB, leftoverCount: 0, leftoverBytes: 0 } }, "weak"],
  ["Shared memory", { sharedMemory: { freeBytes: 9 * MIB, leftoverCount: 0, leftoverBytes: 0 } }, "missing"],
  [
    "Shared memory left behind",
    { sharedMemory: { freeBytes: 512 * MIB, leftoverCount: 3, leftoverBytes: 27 * MIB } },
    "weak",
  ],
  ["Real-time priority", { fifo: { ok: false, text: "Operation not permitted" } }, "weak"],
  ["Processors", { cpuCount: 1 }, "weak"],
  ["Processors", { cpuGovernor: "powersave" }, "weak"],
  ["Processors", { cpuGovernor: "performance" }, "ok"],
  ["Servo threads", servo(thread("SCHED_FIFO", 80)), "ok"],
  ["Servo threads", servo(thread("SCHED_OTHER")), "weak"],
  ["Servo threads", servo(thread("SCHED_FIFO", 80), thread("SCHED_FIFO", 80)), "weak"],
  ["Swap", servo(thread("SCHED_FIFO", 80), thread("SCHED_OTHER"), 4096), "weak"],
  ["Swap", { swap: { totalBytes: 1024 * MIB, usedBytes: 100 * MIB } }, "ok"],
  ["Swap", { swap: undefined }, "ok"],
  ["Disk", { diskFreeBytes: 2_000 * MIB }, "weak"],
  ["Disk", { diskFreeBytes: 500 * MIB }, "missing"],
  ["Clock", { clock: { stepMs: -400, year: 2026, ntpSynchronized: "yes" } }, "weak"],
  ["Clock", { clock: { stepMs: 0, year: 1970, ntpSynchronized: undefined } }, "missing"],
  ["Clock", { clock: { stepMs: 0, year: 2026, ntpSynchronized: "no" } }, "weak"],
  ["Clock", { clock: { stepMs: undefined, year: 2026, ntpSynchronized: undefined } }, "ok"],
  ["Console", { console: undefined }, "ok"],
  ["Console", { console: { pagesBuilt: true, certificateDaysLeft: undefined } }, "ok"],
  ["Console", { console: { pagesBuilt: true, certificateDaysLeft: -3 } }, "ok"],
  ["Console", { console: { pagesBuilt: false, certificateDaysLeft: 300 } }, "missing"],
  [
    "Adapters of hands",
    { hands: [{ ...HAND, trouble: { happened: "there is no /dev/hand", remedy: "Plug it in" } }] },
    "missing",
  ],
  ["Adapters of hands", { hands: [HAND] }, "ok"],
  ["Guardian of hands", { hands: [HAND], guardianBuilt: false }, "missing"],
  ["Guardian of hands", { guardianBuilt: false }, "ok"],
  ["Ports of the cell", { portsInUse: [{ name: "arm.commandPort", port: 18502 }] }, "weak"],
];

describe("checks", () => {
  it("finds nothing wrong with a good machine", () => {
    const report = judgeFacts(GOOD);
    expect(report.checks.filter(({ level }) => level !== "ok")).toEqual([]);
    expect(report.exitCode).toBe(0);
    expect(formatReport(report)).toContain("Nothing is missing or weak.");
  });

  it.each(CASES)("%s with %j is %s", (name, change, level) => {
    const report = judgeFacts({ ...GOOD, ...change });
    const result = report.checks.find((check) => check.name === name);
    expect(result?.level).toBe(level);
    if (level === "missing") expect(report.exitCode).toBe(1);
    if (level !== "ok") {
      const text = formatReport(report);
      expect(text).toContain(result!.remedy);
      expect(text).toContain(result!.found);
    }
  });

  it("is one case of at least one kind for every check", () => {
    const names = judgeFacts(GOOD).checks.map(({ name }) => name);
    expect(names.filter((name) => !CASES.some(([tried]) => tried === name))).toEqual([]);
  });

  it("reads this machine, sees a port in use, and can be written as JSON", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const report = await runDoctor({ clock: systemClock, ports: [{ name: "taken", port }] });
    server.close();
    expect(report.checks.find(({ name }) => name === "Ports of the cell")?.found).toContain(
      `${port} (taken)`,
    );
    expect(report.checks.find(({ name }) => name === "Node.js")?.found).toBe(process.version);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });
});
