/**
 * `bench console`: what a console with three cameras costs the daemon, and what one that hangs costs the robot. Three
 * synthetic cameras at 640x480 and 30 Hz, the simulated arm in motion; first nobody looks, then a program and (where
 * there is one) a real Chromium each look at everything, then each is stopped in its tracks and never reads again.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleepMs } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import { type Lateness, latenessBetween } from "../../runtime/servo/lateness.js";
import type { CellConfig } from "../cell/schema.js";
import type { Daemon } from "../daemon/daemon.js";
import { startCameraSource, syntheticCameras } from "../rig/cameraSource.js";
import { JsonChild } from "../rig/jsonChild.js";
import { swing } from "../rig/swing.js";
import { enableOrFail, withDaemon } from "./running.js";
import { summariseMs } from "./statistics.js";

const CAMERAS = ["left", "middle", "right"] as const;
const TELEMETRY_HZ = 30;
const WARM_UP_MS = 3000;
/** A page loads, pairs and draws its first pictures. */
const OPEN_MS_MAX = 60_000;
/** Of one core. */
const CPU_SHARE_MAX = 0.15;
const CHROMIUM = [process.env.CHROMIUM_PATH, "/usr/bin/chromium", "/usr/bin/chromium-browser"];

export interface ConsoleBenchOptions {
  readonly cell: string;
  /** Of all phases together. */
  readonly seconds: number;
  readonly onProgress: (line: string) => void;
}

interface Phase {
  readonly seconds: number;
  /** Of one core, the daemon's whole process with all its threads. */
  readonly daemonCpuShare: number;
  /** Camera frames that the daemon received, all cameras together: where phases differ in it, so does their load. */
  readonly framesPerS: number;
  readonly latenessUs: Lateness;
}

interface LookedAt extends Phase {
  /** What the daemon's process used more than while nobody looked, before and after it, of one core. */
  readonly consoleCpuShare: number;
  readonly latenessRatioP99: number;
}

export interface ConsoleBenchResult {
  readonly cameras: number;
  readonly cameraRateHz: number;
  readonly telemetryHz: number;
  readonly realtimePriority: number;
  /** Before the first who looks, and after each. */
  readonly nobody: readonly Phase[];
  /** By who looks: `program`, `chromium`. */
  readonly open: Readonly<Record<string, LookedAt>>;
  readonly hung: Readonly<Record<string, LookedAt>>;
  /** What the program got while it read. */
  readonly received: {
    readonly picturesPerS: number;
    readonly telemetryPerS: number;
    readonly kilobytesPerS: number;
    readonly pictureAgeMs: { readonly p50: number; readonly p99: number };
  };
}

/** @throws CerebellumError LAB_REFUSED, CHECK_FAILED when interrupted or when a console costs more than it may */
export async function benchConsole(options: ConsoleBenchOptions): Promise<ConsoleBenchResult> {
  const port = await freePort();
  return withDaemon(
    {
      cellFile: options.cell,
      logLevel: "warn",
      policy: false,
      logToStderr: true,
      adjust: (cell) => benchCell(cell, port),
    },
    (daemon, signal) => measure(daemon, `http://localhost:${port}`, options, signal),
  );
}

/** Three cameras that the bench publishes itself; nothing records and nothing commands the arm but the bench. */
function benchCell({ policy: _, ...cell }: CellConfig, port: number): CellConfig {
  const [first] = Object.values(cell.cameras);
  if (cell.lab === undefined || first === undefined || cell.gateway === "off")
    throw new CerebellumError(
      "LAB_REFUSED",
      "The console is measured with a cell that has `lab`, a camera and a gateway",
      "Use launch/cells/xarm7-lab.yaml",
    );
  return {
    ...cell,
    cameras: syntheticCameras(CAMERAS, first),
    gateway: { ...cell.gateway, host: "127.0.0.1", port, mqtt: "off", foxglove: "off" },
    lab: { ...cell.lab, publishCameras: false },
    recorder: "off",
  };
}

async function measure(
  daemon: Daemon,
  origin: string,
  { seconds, onProgress }: ConsoleBenchOptions,
  signal: AbortSignal,
): Promise<ConsoleBenchResult> {
  const { clock, cell } = daemon;
  const [robot] = Object.keys(cell.robots);
  const source = startCameraSource(cell.cameras);
  await enableOrFail(daemon);
  const ended = new AbortController();
  const swinging = swing(daemon, robot!, AbortSignal.any([signal, ended.signal]));
  const chromium = CHROMIUM.find((path) => path !== undefined && existsSync(path));
  const viewers = [programViewer, ...(chromium === undefined ? [] : [chromiumViewer(chromium)])];
  const phaseS = seconds / (1 + 3 * viewers.length);
  const during = (what: string) => phase(daemon, robot!, phaseS, what, onProgress, signal);
  try {
    await sleepMs(clock, WARM_UP_MS, signal);
    const nobody = [await during("nobody looks")];
    const open: Record<string, LookedAt> = {};
    const hung: Record<string, LookedAt> = {};
    let received: ConsoleBenchResult["received"] | undefined;
    for (const start of viewers) {
      const viewer = await start(daemon, origin);
      try {
        await untilWatched(daemon, signal);
        const looks = await during(`${viewer.name} looks at everything`);
        received ??= viewer.received(phaseS);
        viewer.hang();
        const hangs = await during(`${viewer.name} hangs`);
        await viewer.end();
        await sleepMs(clock, WARM_UP_MS, signal);
        nobody.push(await during("nobody looks"));
        open[viewer.name] = compare(looks, nobody.slice(-2));
        hung[viewer.name] = compare(hangs, nobody.slice(-2));
      } finally {
        await viewer.end();
      }
    }
    return {
      cameras: CAMERAS.length,
      cameraRateHz: cell.gateway === "off" ? 0 : cell.gateway.camera.rateHzMax,
      telemetryHz: TELEMETRY_HZ,
      realtimePriority: daemon.servo(robot!).info.realtimePriority,
      nobody,
      open,
      hung,
      received: received!,
    };
  } finally {
    ended.abort();
    await swinging;
    source.closeInput();
    await source.exited;
  }
}

const meanOf = (phases: readonly Phase[], of: (one: Phase) => number): number =>
  phases.reduce((sum, one) => sum + of(one), 0) / phases.length;

const compare = (one: Phase, nobody: readonly Phase[]): LookedAt => ({
  ...one,
  consoleCpuShare: one.daemonCpuShare - meanOf(nobody, ({ daemonCpuShare }) => daemonCpuShare),
  latenessRatioP99: one.latenessUs.p99 / meanOf(nobody, ({ latenessUs }) => latenessUs.p99),
});

async function phase(
  daemon: Daemon,
  robot: string,
  seconds: number,
  what: string,
  onProgress: (line: string) => void,
  signal: AbortSignal,
): Promise<Phase> {
  const { clock } = daemon;
  onProgress(`${what}, ${seconds.toFixed(0)} s`);
  const frames = () =>
    CAMERAS.reduce((sum, name) => sum + (daemon.camera(name)?.stream.counters.receivedCount ?? 0), 0);
  const framesBefore = frames();
  const before = await daemon.servo(robot).statistics();
  const cpuBefore = process.cpuUsage();
  const startNs = clock.nowNs();
  await sleepMs(clock, seconds * 1000, signal);
  const cpu = process.cpuUsage(cpuBefore);
  const after = await daemon.servo(robot).statistics();
  if (signal.aborted)
    throw new CerebellumError("CHECK_FAILED", "The measurement was interrupted", "Let it run to its end");
  const spentS = Number(clock.nowNs() - startNs) / 1e9;
  return {
    seconds: spentS,
    daemonCpuShare: (cpu.user + cpu.system) / 1e6 / spentS,
    framesPerS: (frames() - framesBefore) / spentS,
    latenessUs: latenessBetween(before, after),
  };
}

/** Somebody who looks on in a process of its own. */
interface Viewer {
  readonly name: string;
  received(seconds: number): ConsoleBenchResult["received"] | undefined;
  /** From now on it neither reads nor answers. */
  hang(): void;
  end(): Promise<void>;
}

async function programViewer(daemon: Daemon, origin: string): Promise<Viewer> {
  const { code } = await daemon.gateway!.pair("observer");
  const child = new JsonChild("console", entryUrl("../processes/consoleClientMain.js", import.meta.url));
  child.tell({
    origin,
    code,
    telemetryHz: TELEMETRY_HZ,
    cameras: CAMERAS.map((camera) => ({ camera, rateHz: 30 })),
  });
  const lines: { pictures: number; pictureBytes: number; telemetry: number; telemetryBytes: number }[] = [];
  const agesMs: number[] = [];
  void (async () => {
    for (;;) {
      const line = await child.read();
      if (!("pictures" in line)) continue;
      lines.push(line as unknown as (typeof lines)[number]);
      agesMs.push(...(line.agesMs as number[]));
    }
  })().catch(() => {});
  return {
    name: "program",
    received: (seconds) => {
      const [first, last] = [lines.at(-Math.floor(seconds)) ?? lines[0], lines.at(-1)];
      const spentS = Math.min(Math.floor(seconds), lines.length) - 1;
      if (first === undefined || last === undefined || spentS < 1) return undefined;
      const ages = summariseMs(agesMs);
      return {
        picturesPerS: (last.pictures - first.pictures) / spentS,
        telemetryPerS: (last.telemetry - first.telemetry) / spentS,
        kilobytesPerS:
          (last.pictureBytes + last.telemetryBytes - first.pictureBytes - first.telemetryBytes) /
          spentS /
          1000,
        pictureAgeMs: { p50: ages?.p50Ms ?? Number.NaN, p99: ages?.p99Ms ?? Number.NaN },
      };
    },
    hang: () => void child.kill("SIGSTOP"),
    end: () => child.end(),
  };
}

const chromiumViewer =
  (path: string) =>
  async (daemon: Daemon, origin: string): Promise<Viewer> => {
    const { code } = await daemon.gateway!.pair("operator");
    const profile = mkdtempSync(join(tmpdir(), "cerebellum-chromium-"));
    const browser: ChildProcess = spawn(
      path,
      [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--enable-unsafe-swiftshader",
        "--window-size=1400,900",
        // One group of processes, so that all of it can be stopped at once.
        "--no-zygote",
        `--user-data-dir=${profile}`,
        `${origin}/#pair=${code}`,
      ],
      { stdio: "ignore", detached: true },
    );
    const exited = new Promise<void>((resolve) => browser.once("exit", () => resolve()));
    const signalAll = (name: NodeJS.Signals) => {
      try {
        process.kill(-browser.pid!, name);
      } catch {
        // It has ended.
      }
    };
    return {
      name: "chromium",
      received: () => undefined,
      hang: () => signalAll("SIGSTOP"),
      end: async () => {
        signalAll("SIGKILL");
        await exited;
        rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
      },
    };
  };

async function untilWatched(daemon: Daemon, signal: AbortSignal): Promise<void> {
  const { clock } = daemon;
  const startMs = clock.nowMs();
  while (daemon.gateway!.watchedCameras.size < CAMERAS.length) {
    if (signal.aborted || clock.nowMs() - startMs > OPEN_MS_MAX)
      throw new CerebellumError(
        "CHECK_FAILED",
        `Only ${daemon.gateway!.watchedCameras.size} of ${CAMERAS.length} cameras were looked at within ${OPEN_MS_MAX / 1000} s`,
        "Build the pages (`./cerebellum prepare`) and read the log lines above",
      );
    await sleepMs(clock, 100, signal);
  }
  await sleepMs(clock, WARM_UP_MS, signal);
}

/** @throws CerebellumError CHECK_FAILED when a console costs the daemon more than it may */
export function requireCheapConsole({ open, hung }: ConsoleBenchResult): void {
  const shares = [...Object.entries(open), ...Object.entries(hung)];
  const dear = shares.find(([, { consoleCpuShare }]) => consoleCpuShare > CPU_SHARE_MAX);
  if (dear === undefined) return;
  throw new CerebellumError(
    "CHECK_FAILED",
    `A console (${dear[0]}) costs the daemon ${(100 * dear[1].consoleCpuShare).toFixed(1)} % of a core; at most ${100 * CPU_SHARE_MAX} % are wanted`,
    "Lower `gateway.camera` of the cell file, or measure on a computer that does nothing else",
  );
}

export function describeConsoleBench(result: ConsoleBenchResult): string[] {
  const { nobody, open, hung, received } = result;
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const line = (who: string, { daemonCpuShare, framesPerS, latenessUs }: Phase, more = "") =>
    `  ${who.padEnd(18)} daemon ${percent(daemonCpuShare)} of a core${more}; ${framesPerS.toFixed(0)} frames/s; servo lateness p50 ${latenessUs.p50.toFixed(0)}, p99 ${latenessUs.p99.toFixed(0)}, max ${latenessUs.max.toFixed(0)} us`;
  const lookedAt = (who: string, one: LookedAt) =>
    `${line(who, one, ` (console ${percent(one.consoleCpuShare)})`)}, p99 ratio ${one.latenessRatioP99.toFixed(2)}`;
  return [
    `console: ${result.cameras} cameras, pictures at ${result.cameraRateHz} Hz each, telemetry at ${result.telemetryHz} Hz`,
    ...nobody.map((one) => line("nobody", one)),
    ...Object.entries(open).map(([who, one]) => lookedAt(`${who} looks`, one)),
    ...Object.entries(hung).map(([who, one]) => lookedAt(`${who} hangs`, one)),
    `  received: ${received.picturesPerS.toFixed(1)} pictures/s, ${received.telemetryPerS.toFixed(1)} telemetry/s, ${received.kilobytesPerS.toFixed(0)} kB/s; pictures ${received.pictureAgeMs.p50.toFixed(0)} ms old at the median, ${received.pictureAgeMs.p99.toFixed(0)} ms at p99`,
  ];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
