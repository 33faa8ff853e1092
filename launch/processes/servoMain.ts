/**
 * The servo process of one robot: its configuration is one JSON line on standard input, then it prints one ready line
 * (or one error line and exits with 1) and serves its Unix socket. Log lines go to standard error.
 *
 * SIGTERM, SIGINT and SIGHUP: decelerate, leave the arm holding (a hand goes limp), exit 0; an uncaught defect: the same,
 * logged, exit 1.
 * The parent gone (its end of standard input closed):
 * the lease holders' sockets close too, so the arm decelerates to a hold. The process stays for `ORPHAN_MS`, so that
 * a daemon that is started again finds the socket; if no supervisor has connected by then, it leaves the arm holding
 * and exits, because an enabled arm without anybody to stop it should not stay enabled.
 */

import { lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { createConnection } from "node:net";
import { dirname } from "node:path";
import { setFlagsFromString } from "node:v8";
import { z } from "zod";
import { sleepMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { AllegroConfig } from "../../drivers/allegro/config.js";
import type { ArmDriver, LeggedDriver } from "../../drivers/contract.js";
import { DigitConfig } from "../../drivers/digit/config.js";
import { XArm7Config } from "../../drivers/xarm7/config.js";
import { XArm7Driver } from "../../drivers/xarm7/driver.js";
import { HandServoConfig, LegServoConfig, ServoConfig } from "../../runtime/servo/config.js";
import type { ServoOutput } from "../../runtime/servo/events.js";
import { LinkServer } from "../../runtime/servo/link/server.js";
import { ServoLoop } from "../../runtime/servo/loop.js";
import type { Balance } from "../../runtime/servo/options.js";
import { Servo } from "../../runtime/servo/servo.js";
import type { MovingBody } from "../../runtime/servo/zones.js";
import { allegroDevice } from "../allegro/device.js";
import { armBody } from "../armBody.js";
import { type RunningBlackBox, startBlackBox } from "../blackBox.js";
import { printFailure, printReady, readChildConfig } from "../child.js";
import { digitDevice } from "../digit/device.js";
import { onDefect } from "../lastResort.js";
import { createLog } from "../log.js";
import { NAP_MS } from "../naps.js";
import { makeThisThreadFifo, pinThisThread } from "../realtime.js";
import { holdLock } from "../runFolder.js";
import { createTickClock, systemClock } from "../systemClock.js";

/**
 * Scavenges run on this thread alone. By default it waits for helper threads of normal priority, which any busy process
 * holds back: on two loaded cores, collections were the cause of nearly all missed ticks, and of none with this.
 */
setFlagsFromString("--no-parallel-scavenge");

const ORPHAN_MS = 30_000;
/** After SIGTERM the process has ended by then, whatever the device does. */
const EXIT_MS_MAX = 1400;

const common = {
  robot: z.string().min(1),
  socketPath: z.string().min(1),
  startLatched: z.string().optional().describe("Start stopped for this reason, as after a crash"),
  logLevel: z.string().default("info"),
};
const ServoProcessConfig = z.discriminatedUnion("device", [
  z.strictObject({ ...common, device: z.literal("xarm7"), xarm7: XArm7Config, servo: ServoConfig }),
  z.strictObject({ ...common, device: z.literal("allegro"), allegro: AllegroConfig, servo: HandServoConfig }),
  z.strictObject({ ...common, device: z.literal("digit"), digit: DigitConfig, servo: LegServoConfig }),
]);
type ServoProcessConfig = z.infer<typeof ServoProcessConfig>;

/** What a servo needs to know of an arm or a hand, or of a robot on legs. */
type Parts =
  | { readonly driver: ArmDriver; readonly body: MovingBody; readonly config: ServoConfig }
  | { readonly driver: LeggedDriver; readonly balance: Balance; readonly config: LegServoConfig };

interface Device {
  readonly parts: Parts;
  /** Of the device, for the lock that keeps a second servo process from it. */
  readonly address: string;
  /** Longest time for which the loop may leave the device's frames unread [ms]; as long as it likes when undefined. */
  readonly napMs?: number;
  /** Told by `systemClock`, in place: the loop's grid follows them. */
  readonly reports?: { readonly receivedMs: number };
}

/** The only place that knows which devices there are. */
async function createDevice(config: ServoProcessConfig): Promise<Device> {
  if (config.device === "digit") {
    const { address, ...parts } = await digitDevice(config.digit);
    const reports = parts.driver.state();
    return { parts: { ...parts, config: config.servo }, address, napMs: NAP_MS.digit, reports };
  }
  if (config.device === "allegro") {
    const { address, ...parts } = allegroDevice(config.robot, config.allegro, config.servo);
    return { parts: { ...parts, config: config.servo }, address, napMs: NAP_MS.allegro };
  }
  const { host, commandPort } = config.xarm7;
  const driver = new XArm7Driver(config.xarm7, systemClock);
  return {
    parts: { driver, body: armBody(config.xarm7, config.servo), config: config.servo },
    address: `xarm7-${host}:${commandPort}`,
  };
}

function parseConfig(raw: unknown): ServoProcessConfig {
  const parsed = ServoProcessConfig.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new CerebellumError(
    "CONFIG_INVALID",
    `Servo configuration: ${issue.path.join(".")}: ${issue.message}`,
    "Check the robot's section of the cell file with `./cerebellum config check FILE`",
  );
}

/** Removes the socket of a process that has died; a living one is left alone and makes `listen` fail. */
async function clearSocket(socketPath: string): Promise<void> {
  mkdirSync(dirname(socketPath), { recursive: true, mode: 0o700 });
  if (!lstatSync(socketPath, { throwIfNoEntry: false })?.isSocket()) return;
  const isDead = await new Promise<boolean>((resolve) => {
    const probe = createConnection(socketPath);
    probe.once("connect", () => resolve(false));
    probe.once("error", () => resolve(true));
    probe.once("close", () => probe.destroy());
    probe.once("connect", () => probe.destroy());
  });
  if (isDead) unlinkSync(socketPath);
}

let blackBox: RunningBlackBox | undefined;

async function run(): Promise<void> {
  let parentGone: () => void = () => {};
  const orphaned = new Promise<void>((resolve) => {
    parentGone = resolve;
  });
  const config = parseConfig(await readChildConfig(() => parentGone()));
  const log = createLog(config.logLevel, 2);
  const { parts, address, ...pace } = await createDevice(config);
  await holdLock(
    `servo-${address}`,
    `The device at ${address}`,
    "Stop the other daemon with `./cerebellum stop --shutdown`, or wait until its servo process has ended",
  );
  await clearSocket(config.socketPath);

  const { robot, device } = config;
  blackBox = await startBlackBox({
    ...config,
    limits: parts.driver.limits,
    passiveCount: parts.driver.state().base?.passivePositionRad.length,
    clock: systemClock,
  });
  pinThisThread(config.servo.cpus, "servo.cpus");
  const realtimePriority = makeThisThreadFifo(config.servo.realtimePriority);
  const servo = new Servo({
    robot,
    device,
    ...parts,
    clock: systemClock,
    realtimePriority,
    processId: process.pid,
    blackBox: blackBox.recorder,
    ...(config.startLatched === undefined ? {} : { startLatched: config.startLatched }),
  });
  const server = new LinkServer(servo);
  const loop = new ServoLoop(createTickClock(), config.servo.rateHz, (tick) => servo.tick(tick), pace);
  servo.attach(withLog(server), loop);

  let isEnding = false;
  const end = async (why: string, exitCode = 0) => {
    if (isEnding) return;
    isEnding = true;
    log.info({ event: "servo.end", robot }, why);
    blackBox?.recorder.processEnds(why, systemClock.nowMs());
    const given = new AbortController();
    await Promise.race([servo.close(), sleepMs(systemClock, EXIT_MS_MAX, given.signal)]);
    given.abort();
    await loop.stop();
    await Promise.all([Promise.race([server.close(), sleepMs(systemClock, 50)]), blackBox?.close()]);
    process.exit(exitCode);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => void end(signal));
  onDefect(log, (defect) => void end(`a defect: ${errorText(defect)}`, 1));

  // The device is read before the loop blocks this thread most of the time.
  await servo.connect();
  await server.listen(config.socketPath);
  loop.start();
  printReady({ ready: true, robot, socketPath: config.socketPath, processId: process.pid, realtimePriority });

  await orphaned;
  log.warn({ event: "servo.orphaned", robot }, `the daemon is gone: hold, and exit in ${ORPHAN_MS} ms`);
  while (!isEnding) {
    await sleepMs(systemClock, ORPHAN_MS);
    if (!server.hasSupervisor()) await end("no daemon has come back");
  }

  function withLog(link: LinkServer): ServoOutput {
    return {
      broadcastSnapshot: (snapshot) => link.broadcastSnapshot(snapshot),
      broadcastInfo: () => link.broadcastInfo(),
      leaseLost: (peerId, epoch, reason) => link.leaseLost(peerId, epoch, reason),
      snapshotsDropped: () => link.snapshotsDropped(),
      broadcastEvent: (event) => {
        link.broadcastEvent(event);
        log.debug({ event: `servo.${event.kind}`, robot, fault: event.fault?.code }, event.text);
      },
    };
  }
}

run().catch(async (error: unknown) => {
  printFailure(error);
  await blackBox?.close();
  process.exit(1);
});
