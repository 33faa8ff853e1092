/**
 * The control loop of a hand at 333 Hz: `node dist/test/bench/handLoop.js [--seconds N] [--silentPeriods N] [--json FILE]`.
 * A real servo process with its guardian against the emulated hand, which lives in this process. Three times are told:
 *
 * - `reportToCommandUs`: inside the driver, from the bytes that completed a position set to its torques, handed to the port;
 * - `answerMs`: at the hand, from a complete set that it has written until the four torque frames are here: the same, the
 *   terminal both ways, and the servo's nap;
 * - `handLateUs`: how late the hand itself was with its sets. Where it left a gap, a fault is its own.
 *
 * A fault is counted, and the hand powered again.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { sleepMs } from "../../core/clock.js";
import { AllegroConfig } from "../../drivers/allegro/config.js";
import { AllegroEmulator } from "../../lab/allegro/emulator.js";
import { IdealHandPlant } from "../../lab/allegro/idealPlant.js";
import { PtyPort } from "../../launch/ptyPort.js";
import { LAB_PRIORITY, makeThisThreadFifo } from "../../launch/realtime.js";
import { createPacedClock, systemClock } from "../../launch/systemClock.js";
import { HandServoConfig } from "../../runtime/servo/config.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { JsonProcess, until } from "../support/servoRig.js";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    silentPeriods: { type: "string", default: "2" },
    json: { type: "string" },
  },
});
/** Four frames of 22 characters, which the adapter gives at once. */
const SET_BYTES = 88;
const LAST_TORQUE = "t18C8";

// A hand keeps its own time, and collects its garbage without helpers that a busy machine holds back.
setFlagsFromString("--no-parallel-scavenge");
const folder = mkdtempSync(join(tmpdir(), "bench-hand-"));
const path = join(folder, "adapter");
const port = await PtyPort.open(path, { priority: LAB_PRIORITY });
const answersMs: number[] = [];
let setMs = Number.NaN;
const emulator = new AllegroEmulator({
  model: "v4",
  side: "right",
  plant: new IdealHandPlant(),
  clock: createPacedClock(),
  send: (bytes) => {
    port.write(bytes);
    if (bytes.length >= SET_BYTES) setMs = systemClock.nowMs();
  },
});
port.onBytes = (bytes) => {
  if (!Number.isNaN(setMs) && Buffer.from(bytes).includes(LAST_TORQUE)) {
    answersMs.push(systemClock.nowMs() - setMs);
    setMs = Number.NaN;
  }
  emulator.receive(bytes);
};
emulator.start();
const labPriority = makeThisThreadFifo(LAB_PRIORITY);

const servo = new JsonProcess("servoMain.js");
const socketPath = join(folder, "hand.sock");
await servo.ask({
  robot: "hand",
  device: "allegro",
  allegro: AllegroConfig.parse({
    can: { slcan: { path } },
    model: "v4",
    side: "right",
    silentPeriodsMax: Number(values.silentPeriods),
  }),
  servo: HandServoConfig.parse({}),
  socketPath,
  logLevel: "fatal",
});
const supervisor = await connectServo(socketPath, { role: "supervisor", name: "bench", clock: systemClock });
await until("a snapshot", () => supervisor.latest() !== undefined);
const faults: Record<string, number> = {};
supervisor.onEvent(({ kind, fault }) => {
  if (kind !== "fault" || fault === undefined) return;
  faults[fault.code] = (faults[fault.code] ?? 0) + 1;
  // The set that was not answered is no late answer's.
  setMs = Number.NaN;
});
const endMs = systemClock.nowMs() + 1000 * Number(values.seconds);
while (systemClock.nowMs() < endMs) {
  const state = supervisor.latest()?.state;
  if (state === "faulted") await supervisor.reset().catch(() => {});
  if (state === "connected") await supervisor.enable().catch(() => {});
  await sleepMs(systemClock, 50);
}
const { ticks, missed, latenessUs, driver, reportToCommandUs } = await supervisor.statistics();
await supervisor.stop(2, "the bench ends");
servo.process.kill("SIGTERM");
await servo.exited;
await emulator.close();
port.close();
rmSync(folder, { recursive: true });

answersMs.sort((one, other) => one - other);
const at = (share: number) => answersMs[Math.min(answersMs.length - 1, Math.floor(share * answersMs.length))];
const result = {
  seconds: Number(values.seconds),
  silentPeriodsMax: Number(values.silentPeriods),
  realtimePriority: { servo: supervisor.info.realtimePriority, hand: labPriority },
  answers: answersMs.length,
  reportToCommandUs,
  handLateUs: { count: emulator.lateness.added, ...emulator.lateness.summaryUs() },
  answerMs: { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) },
  ticks,
  missed,
  tickLatenessUs: latenessUs,
  torqueSetsSent: driver.sent,
  faults,
};
console.log(JSON.stringify(result, undefined, 2));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
process.exit(0);
