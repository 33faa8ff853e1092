/** Reads the machine for the doctor. It changes nothing, and no single unreadable thing ends it. */
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Clock, nsToMs, sleepMs } from "../../core/clock.js";
import { repositoryRootUrl } from "../../core/entry.js";
import { errorText } from "../../core/errors.js";
import { CERTIFICATE_FILE } from "../../runtime/gateway/certificate.js";
import { threadsOf } from "../realtime.js";
import type { DoctorOptions } from "./doctor.js";
import type {
  Answer,
  ClockFacts,
  ConsoleFacts,
  MachineFacts,
  PortQuestion,
  ServoProcessFacts,
  SharedMemoryFacts,
} from "./facts.js";
import { gatherHand } from "./hands.js";
import {
  isServoProcess,
  kibOf,
  leftoverSegments,
  listeningPorts,
  lockedInodes,
  processStartTicks,
  type ShmFile,
  swapOf,
} from "./procFiles.js";

const PROGRAM_MS_MAX = 10_000;
const CLOCK_WINDOW_MS = 200;
const MS_PER_DAY = 86_400_000;
const SHARED_MEMORY_FOLDER = "/dev/shm";

/** Stamps that set-up leaves (launch/setup/keys.sh), by step. */
const STAMPS: Readonly<Record<string, string>> = {
  packages: "node_modules/.cerebellum/packages",
  ros: ".ros2/stamps/ros",
  overlay: ".ros2/stamps/overlay",
  rclnodejs: "node_modules/.cerebellum/rclnodejs",
  messages: "node_modules/.cerebellum/messages",
  build: "dist/.cerebellum-build",
};

export async function gatherFacts(options: DoctorOptions): Promise<MachineFacts> {
  const root = fileURLToPath(repositoryRootUrl());
  const environment = options.environment ?? process.env;
  const ports = options.ports ?? [];
  const venv = join(root, ".ros2", environment.CEREBELLUM_ROS_KIND === "system" ? "system-venv" : "venv");
  const [python, compiler, addon, fifo, clock] = await Promise.all([
    answer(join(venv, "bin/python3"), ["--version"], environment),
    answer(environment.CXX ?? "c++", ["--version"], environment),
    loadAddon(root, environment),
    answer("chrt", ["-f", "1", "true"], environment),
    gatherClock(options.clock),
  ]);
  const profileFile = environment.FASTDDS_DEFAULT_PROFILES_FILE;
  return {
    nodeVersion: process.version,
    python,
    compiler,
    unpreparedSteps: Object.keys(STAMPS).filter((step) => !existsSync(join(root, STAMPS[step]!))),
    environment,
    rosPrefixes: (environment.AMENT_PREFIX_PATH ?? "")
      .split(delimiter)
      .filter((folder) => existsSync(folder)),
    addon,
    ownProfileFile: join(root, "launch/fastdds.xml"),
    profileExists: profileFile !== undefined && existsSync(profileFile),
    cellDomainId: options.domainId,
    receiveBufferMaxBytes: readNumber("/proc/sys/net/core/rmem_max"),
    sendBufferMaxBytes: readNumber("/proc/sys/net/core/wmem_max"),
    sharedMemory: gatherSharedMemory(),
    fifo,
    cpuCount: availableParallelism(),
    cpuGovernor: readText("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    loadAverage: loadavg()[0]!,
    swap: swapOf(readText("/proc/meminfo") ?? ""),
    servoProcesses: gatherServoProcesses(),
    diskFreeBytes: freeBytes(root),
    clock,
    console: options.consoleState === undefined ? undefined : gatherConsole(root, options),
    hands: await Promise.all((options.hands ?? []).map(gatherHand)),
    guardianBuilt: existsSync(join(root, "dist/launch/processes/allegroGuardianMain.js")),
    ports,
    portsInUse: portsInUse(ports),
    staleLocks: [join(root, ".cerebellum/prepare.lock")].filter(isStaleLock),
  };
}

function gatherConsole(root: string, { consoleState = "", clock }: DoctorOptions): ConsoleFacts {
  const certificate = readText(join(consoleState, CERTIFICATE_FILE));
  let certificateDaysLeft: number | undefined;
  try {
    if (certificate !== undefined) {
      const leftMs = Date.parse(new X509Certificate(certificate).validTo) - nsToMs(clock.epochNs());
      certificateDaysLeft = Math.floor(leftMs / MS_PER_DAY);
    }
  } catch {
    // Not a certificate: the gateway replaces it.
  }
  return { pagesBuilt: existsSync(join(root, "dist/pages/index.html")), certificateDaysLeft };
}

/** Runs a program; its first line when it ended well, else the last line of its complaint. */
function answer(
  program: string,
  args: readonly string[],
  environment: MachineFacts["environment"],
): Promise<Answer> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: PROGRAM_MS_MAX, env: environment }, (error, stdout, stderr) => {
      if (error === null) resolve({ ok: true, text: stdout.trim().split("\n")[0] ?? "" });
      else if (error.code === "ENOENT") resolve({ ok: false, text: `${program} was not found` });
      else resolve({ ok: false, text: stderr.trim().split("\n").at(-1) || errorText(error) });
    });
  });
}

/** In a process of its own: a native part that does not fit may end the process that loads it. */
async function loadAddon(root: string, environment: MachineFacts["environment"]): Promise<Answer> {
  const script = join(root, "launch/setup/loadAddon.mjs");
  const prebuilt = await answer(process.execPath, [script, "prebuilt"], environment);
  return prebuilt.ok ? prebuilt : answer(process.execPath, [script, "built"], environment);
}

/** `date` reads the wall clock itself; the process's own epoch time runs on the monotonic clock and sees no step. */
async function gatherClock(clock: Clock): Promise<ClockFacts> {
  const before = await wallAgainstMonotonicMs(clock);
  await sleepMs(clock, CLOCK_WINDOW_MS);
  const after = await wallAgainstMonotonicMs(clock);
  const { ok, text } = await answer("timedatectl", ["show", "-p", "NTPSynchronized", "--value"], process.env);
  const year = await answer("date", ["-u", "+%Y"], process.env);
  return {
    stepMs: before === undefined || after === undefined ? undefined : after - before,
    year: Number(year.text),
    ntpSynchronized: ok && text !== "" ? text : undefined,
  };
}

/** Wall clock less monotonic clock, the latter taken in the middle of the reading [ms]. */
async function wallAgainstMonotonicMs(clock: Clock): Promise<number | undefined> {
  const beginNs = clock.nowNs();
  const { ok, text } = await answer("date", ["+%s%N"], process.env);
  const endNs = clock.nowNs();
  return ok && /^\d{19}$/.test(text) ? nsToMs(BigInt(text) - (beginNs + endNs) / 2n) : undefined;
}

function gatherSharedMemory(): SharedMemoryFacts | undefined {
  try {
    const files = readdirSync(SHARED_MEMORY_FOLDER).flatMap((name): ShmFile[] => {
      const stats = statSync(join(SHARED_MEMORY_FOLDER, name), { throwIfNoEntry: false });
      return stats === undefined ? [] : [{ name, inode: stats.ino, bytes: stats.size }];
    });
    const leftover = leftoverSegments(files, lockedInodes(readText("/proc/locks") ?? ""));
    return {
      freeBytes: freeBytes(SHARED_MEMORY_FOLDER),
      leftoverCount: leftover.length,
      leftoverBytes: leftover.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  } catch {
    return undefined;
  }
}

function gatherServoProcesses(): ServoProcessFacts[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((processId) => processId > 0 && isServoProcess(readText(`/proc/${processId}/cmdline`) ?? ""))
    .map((processId) => ({
      processId,
      threads: threadsOf(processId),
      swapBytes: 1024 * (kibOf("VmSwap", readText(`/proc/${processId}/status`) ?? "") ?? 0),
    }))
    .filter(({ threads }) => threads.length > 0);
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function portsInUse(ports: readonly PortQuestion[]): PortQuestion[] {
  const listening = new Set(
    ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => [...listeningPorts(readText(file) ?? "")]),
  );
  return ports.filter(({ port }) => listening.has(port));
}

/** A lock names its holder by process number and start time (launch/setup/common.sh). */
function isStaleLock(folder: string): boolean {
  if (!existsSync(folder)) return false;
  const [pid, startTicks] = (readText(join(folder, "holder")) ?? "").split(" ");
  return pid === "" || processStartTicks(readText(`/proc/${pid}/stat`) ?? "") !== startTicks;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}

function readNumber(file: string): number | undefined {
  const text = readText(file);
  return text === undefined ? undefined : Number(text);
}
