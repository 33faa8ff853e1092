/** The doctor's checks as a table: what is expected, how a finding is judged, what to do about it. Pure. */
import type { ThreadClass } from "../realtime.js";
import type { MachineFacts, ServoProcessFacts } from "./facts.js";
import { HAND_CHECKS } from "./hands.js";

/** weak: works, with a loss that the remedy names; missing: a cell cannot run. */
export type CheckLevel = "ok" | "weak" | "missing";

export interface Finding {
  readonly level: CheckLevel;
  readonly found: string;
  /** In place of the check's own, where troubles of several kinds have a remedy each. */
  readonly remedy?: string;
}

export interface Check {
  readonly name: string;
  readonly expected: string;
  readonly remedy: string;
  judge(facts: MachineFacts): Finding;
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** launch/fastdds.xml asks for socket buffers of this size. */
const SOCKET_BUFFER_BYTES_MIN = 4 * MIB;
/** Each ROS process takes a segment of about 9 MiB; a cell in the lab has three, and peers come on top. */
const SHARED_MEMORY_FREE_MIN = { ok: 128 * MIB, weak: 32 * MIB };
const DISK_FREE_MIN = { ok: 5 * GIB, weak: GIB };
/** Reading the wall clock means starting a program, which takes some milliseconds. */
const CLOCK_STEP_MS_MAX = 50;
const YEARS_PLAUSIBLE = [2025, 2100] as const;

const ok = (found: string): Finding => ({ level: "ok", found });
const weak = (found: string): Finding => ({ level: "weak", found });
const missing = (found: string): Finding => ({ level: "missing", found });
const mib = (bytes: number) => `${Math.round(bytes / MIB).toLocaleString("en")} MiB`;

const byAmount = (bytes: number, least: { ok: number; weak: number }, found: string): Finding =>
  bytes >= least.ok ? ok(found) : bytes >= least.weak ? weak(found) : missing(found);

const className = ({ policy, priority }: ThreadClass) => (priority > 0 ? `${policy} ${priority}` : policy);

function describeThreads({ processId, threads: [loop, ...others] }: ServoProcessFacts): string {
  const counts = new Map<string, number>();
  for (const name of others.map(className)) counts.set(name, (counts.get(name) ?? 0) + 1);
  const rest = [...counts].map(([name, count]) => `${count} others ${name}`).join(", ");
  return `process ${processId}: loop ${className(loop!)} on CPUs ${loop!.cpus}, ${rest}`;
}

export const CHECKS: readonly Check[] = [
  {
    name: "Node.js",
    expected: "20.20 to 24",
    remedy: "Install a Node.js between 20.20 and 24 and run ./cerebellum prepare",
    judge: ({ nodeVersion }) => {
      const [major = 0, minor = 0] = nodeVersion.replace(/^v/, "").split(".").map(Number);
      const fits = (major === 20 && minor >= 20) || (major > 20 && major < 25);
      return fits ? ok(nodeVersion) : missing(nodeVersion);
    },
  },
  {
    name: "Python of ROS",
    expected: "3.10 to 3.14 in .ros2",
    remedy: "Run ./cerebellum prepare; it needs python3 with venv and python3-dev",
    judge: ({ python }) => {
      const minor = /Python 3\.(\d+)/.exec(python.text)?.[1];
      const fits = python.ok && minor !== undefined && Number(minor) >= 10 && Number(minor) <= 14;
      return fits ? ok(python.text) : missing(python.text);
    },
  },
  {
    name: "C++ compiler",
    expected: "a C++17 compiler",
    remedy: "Install g++; it is needed when the preparation has to be repeated",
    judge: ({ compiler }) => (compiler.ok ? ok(compiler.text) : weak(compiler.text)),
  },
  {
    name: "Preparation",
    expected: "every step done",
    remedy: "Run ./cerebellum prepare",
    judge: ({ unpreparedSteps }) =>
      unpreparedSteps.length === 0 ? ok("complete") : missing(`not done: ${unpreparedSteps.join(", ")}`),
  },
  {
    name: "Locks of the set-up",
    expected: "none without an owner",
    remedy: "Run ./cerebellum prepare: it takes over such a lock by itself",
    judge: ({ staleLocks }) => (staleLocks.length === 0 ? ok("none") : weak(staleLocks.join(", "))),
  },
  {
    name: "ROS 2",
    expected: "a prefix with Fast DDS as the middleware",
    remedy: "Start through ./cerebellum, which sets the environment; unset RMW_IMPLEMENTATION",
    judge: ({ environment, rosPrefixes }) => {
      const middleware = environment.RMW_IMPLEMENTATION ?? "default middleware";
      const found = `${environment.ROS_DISTRO ?? "no ROS_DISTRO"}, ${middleware}, in ${rosPrefixes.join(":") || "no folder"}`;
      if (environment.ROS_DISTRO === undefined || rosPrefixes.length === 0) return missing(found);
      return middleware === "rmw_fastrtps_cpp" ? ok(found) : weak(found);
    },
  },
  {
    name: "rclnodejs",
    expected: "its native part loads",
    remedy: "Delete node_modules/.cerebellum/rclnodejs and run ./cerebellum prepare",
    judge: ({ addon }) => (addon.ok ? ok("loads") : missing(addon.text)),
  },
  {
    name: "ROS domain",
    expected: "an ID of your own, or discovery on this host only",
    remedy:
      "Set ros.domainId in the cell file or export ROS_DOMAIN_ID: on domain 0 others in the network hear and may command",
    judge: ({ environment, cellDomainId }) => {
      const named = cellDomainId?.toString() ?? environment.ROS_DOMAIN_ID;
      const local =
        environment.ROS_AUTOMATIC_DISCOVERY_RANGE === "LOCALHOST" || environment.ROS_LOCALHOST_ONLY === "1";
      const found = `${named === undefined || named === "" ? "0 (not set)" : named}, ${local ? "this host only" : "whole network"}`;
      return local || (named !== undefined && named !== "" && named !== "0") ? ok(found) : weak(found);
    },
  },
  {
    name: "Fast DDS profile",
    expected: "launch/fastdds.xml in force",
    remedy:
      "Unset FASTDDS_DEFAULT_PROFILES_FILE, FASTRTPS_DEFAULT_PROFILES_FILE and FASTDDS_BUILTIN_TRANSPORTS: " +
      "without this profile camera images are lost. Camera drivers need it too",
    judge: ({ environment, ownProfileFile, profileExists }) => {
      const file = environment.FASTDDS_DEFAULT_PROFILES_FILE;
      if (file === undefined || !profileExists) return missing(file ? `${file}, which is absent` : "not set");
      const overriding = ["FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_BUILTIN_TRANSPORTS"].filter(
        (name) => environment[name] !== undefined,
      );
      if (overriding.length > 0) return weak(`${overriding.join(" and ")} set besides`);
      return file === ownProfileFile ? ok("in force") : weak(file);
    },
  },
  {
    name: "Socket buffers",
    expected: `net.core.rmem_max and wmem_max of at least ${SOCKET_BUFFER_BYTES_MIN}`,
    remedy: `sudo sysctl -w net.core.rmem_max=${SOCKET_BUFFER_BYTES_MIN} net.core.wmem_max=${SOCKET_BUFFER_BYTES_MIN}, and the same in /etc/sysctl.d/60-cerebellum.conf`,
    judge: ({ receiveBufferMaxBytes, sendBufferMaxBytes }) => {
      const found = `${receiveBufferMaxBytes ?? "unknown"} and ${sendBufferMaxBytes ?? "unknown"}`;
      const known = Math.min(receiveBufferMaxBytes ?? Infinity, sendBufferMaxBytes ?? Infinity);
      return known >= SOCKET_BUFFER_BYTES_MIN ? ok(found) : weak(found);
    },
  },
  {
    name: "Shared memory",
    expected: `${mib(SHARED_MEMORY_FREE_MIN.ok)} free in /dev/shm`,
    remedy: "Free space in /dev/shm, or give it more (containers: --shm-size=512m)",
    judge: ({ sharedMemory }) =>
      sharedMemory === undefined
        ? missing("/dev/shm is not readable")
        : byAmount(sharedMemory.freeBytes, SHARED_MEMORY_FREE_MIN, `${mib(sharedMemory.freeBytes)} free`),
  },
  {
    name: "Shared memory left behind",
    expected: "no Fast DDS segment without an owner",
    remedy:
      "With no ROS process running: rm -f /dev/shm/*fastdds_*; such segments come from ROS processes that were killed",
    judge: ({ sharedMemory }) => {
      const count = sharedMemory?.leftoverCount ?? 0;
      return count === 0
        ? ok("none")
        : weak(`${count} segments, ${mib(sharedMemory?.leftoverBytes ?? 0)} together`);
    },
  },
  {
    name: "Real-time priority",
    expected: "SCHED_FIFO permitted",
    remedy:
      'Put "@realtime - rtprio 80" into /etc/security/limits.d/realtime.conf, add your user to that group and log in ' +
      "again; without it the servo loop is late when the machine is busy",
    judge: ({ fifo }) => (fifo.ok ? ok("permitted") : weak(fifo.text)),
  },
  {
    name: "Processors",
    expected: "2 or more, governor performance",
    remedy:
      "sudo cpupower frequency-set -g performance; with one processor the encoder delays everything else",
    judge: ({ cpuCount, cpuGovernor }) => {
      const found = `${cpuCount}, ${cpuGovernor ?? "frequency not adjustable here"}`;
      return cpuCount >= 2 && (cpuGovernor ?? "performance") === "performance" ? ok(found) : weak(found);
    },
  },
  {
    name: "Servo threads",
    expected: "each running servo's loop in SCHED_FIFO, and only it",
    remedy:
      "Permit real-time priority (above) and start the cell again; where `servo.realtimePriority` is 0, that is why",
    judge: ({ servoProcesses }) => {
      if (servoProcesses.length === 0) return ok("no servo is running");
      const found = servoProcesses.map(describeThreads).join("; ");
      const good = servoProcesses.every(({ threads: [loop, ...others] }) => {
        const othersAreNormal = others.every(({ policy }) => policy === "SCHED_OTHER");
        return loop?.policy === "SCHED_FIFO" && othersAreNormal;
      });
      return good ? ok(found) : weak(found);
    },
  },
  {
    name: "Swap",
    expected: "no servo process in it",
    remedy:
      "A Node process cannot lock its memory. Free memory or turn swap off (sudo swapoff -a); as a systemd unit, " +
      "MemorySwapMax=0 keeps the daemon out of it",
    judge: ({ swap, servoProcesses }) => {
      const swapped = servoProcesses.reduce((sum, { swapBytes }) => sum + swapBytes, 0);
      const found =
        swap === undefined
          ? "unknown"
          : swap.totalBytes === 0
            ? "this computer has none"
            : `${mib(swap.usedBytes)} of ${mib(swap.totalBytes)} in use, ${mib(swapped)} by servo processes`;
      return swapped > 0 ? weak(found) : ok(found);
    },
  },
  {
    name: "Disk",
    expected: `${mib(DISK_FREE_MIN.ok)} free`,
    remedy: "Free some space: recordings grow by gigabytes an hour",
    judge: ({ diskFreeBytes }) => byAmount(diskFreeBytes, DISK_FREE_MIN, `${mib(diskFreeBytes)} free`),
  },
  {
    name: "Clock",
    expected: "set by a time service, without steps",
    remedy: "Enable time synchronisation (timedatectl set-ntp true, or chrony) and wait until it has settled",
    judge: ({ clock: { stepMs, year, ntpSynchronized } }) => {
      const found = `year ${year}, ${
        stepMs === undefined ? "steps unknown" : `${stepMs.toFixed(1)} ms off in 200 ms`
      }, synchronised: ${ntpSynchronized ?? "unknown"}`;
      if (year < YEARS_PLAUSIBLE[0] || year > YEARS_PLAUSIBLE[1]) return missing(found);
      const steady = Math.abs(stepMs ?? 0) <= CLOCK_STEP_MS_MAX;
      return steady && ntpSynchronized !== "no" ? ok(found) : weak(found);
    },
  },
  {
    name: "Console",
    expected: "pages that are built",
    remedy: "Run ./cerebellum prepare, which builds them",
    judge: ({ console }) => {
      if (console === undefined) return ok("this cell has no gateway");
      if (!console.pagesBuilt) return missing("the pages are not built");
      const days = console.certificateDaysLeft;
      if (days === undefined) return ok("pages built; the certificate is made at the next start");
      return ok(
        `pages built; certificate ${days > 0 ? `good for ${days} days` : "expired: renewed at the next start"}`,
      );
    },
  },
  ...HAND_CHECKS,
  {
    name: "Ports of the cell",
    expected: "free, unless this cell is running",
    remedy: "If no cell is running, find who listens (ss -ltnp) or give the cell other ports",
    judge: ({ ports, portsInUse }) =>
      portsInUse.length === 0
        ? ok(ports.length === 0 ? "none asked for" : `${ports.length} free`)
        : weak(`in use: ${portsInUse.map(({ name, port }) => `${port} (${name})`).join(", ")}`),
  },
];
