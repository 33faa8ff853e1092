/**
 * Every way to stop a cruising arm that the rig can pull, as one table: what is done, from which moment time counts,
 * and what the emulator's log must show.
 */
import { rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { addNs, asMonotonicNs, type MonotonicNs, msToNs, sleepMs } from "../../core/clock.js";
import type { StopCategory } from "../../drivers/contract.js";
import { encodeRequest, MODE, PROTOCOL_ID } from "../../drivers/xarm7/protocol/index.js";
import type { ServoClient } from "../../runtime/servo/api.js";
import { blackBoxFolder } from "../runFolder.js";
import { systemClock } from "../systemClock.js";
import type { ArmRig, RigRole } from "./armRig.js";
import { StopSources, stopByCommand } from "./stopSources.js";

/**
 * `reaction`: the first braking setpoint or stop frame. `lastSetpoint`: the device stops the arm itself, so what counts
 * is how long setpoints still came. `stands`: no frame can come, so what counts is when the emulated setpoint stood.
 */
export type Judged = "reaction" | "lastSetpoint" | "stands";

/** From when time counts, and the call that led there where the system has a part of its own in between. */
export interface Pulled {
  readonly fromNs: MonotonicNs;
  readonly calledNs?: MonotonicNs;
}

export interface StopTrigger {
  readonly name: string;
  /** From what moment to what, for people. */
  readonly measures: string;
  readonly judged: Judged;
  /** Reported only: what lies before the servo's part is the system's or the network's. */
  readonly ungated?: true;
  /** What must be there before the cruise; undefined from it means that this machine lacks it. */
  prepare?(rig: ArmRig): Promise<boolean>;
  /** Validity of the commands of the cruise; long where another limit shall act first. */
  readonly validMs: number;
  pull(rig: ArmRig, observer: ServoClient): Promise<Pulled>;
  /** Takes back what `pull` did and the next round could not mend. */
  undo?(rig: ArmRig): Promise<void>;
}

/** Short limits, so that rounds are short; what is measured begins when they are reached. */
export const RIG_SERVO = { leaseSilenceMsMax: 300, supervisorSilenceMsMax: 300, stateAgeMsMax: 100 } as const;
const LONG_MS = 900;
const SHORT_MS = 150;
/** Longer than all watchdogs of the rig. */
const STALL_MS = 400;
/** The black box's writer looks at its files and tries again once a second. */
const BLACK_BOX_MS = 1300;

const fromCall = async (work: () => Promise<unknown>): Promise<Pulled> => {
  const fromNs = systemClock.nowNs();
  await work();
  return { fromNs };
};

const from = (atNs: unknown): Pulled => ({ fromNs: asMonotonicNs(BigInt(atNs as string)) });

const stopOf = (category: StopCategory): StopTrigger => ({
  name: `stop category ${category}`,
  measures: "a client's call to the first braking setpoint or stop frame",
  judged: "reaction",
  validMs: LONG_MS,
  pull: (_rig, observer) => fromCall(() => observer.stop(category, "bench stop")),
});

const killed = (role: RigRole): StopTrigger => ({
  name: `${role} killed`,
  measures: `the system's closing of the sockets of the ${role}'s process after its SIGKILL to the first braking setpoint`,
  judged: "reaction",
  validMs: LONG_MS,
  pull: async (rig) => {
    const client = rig.client(role)!;
    const calledNs = client.kill("SIGKILL");
    return { fromNs: await client.closedNs, calledNs };
  },
});

const silent = (role: RigRole, limitMs: number): StopTrigger => ({
  name: `${role} silent`,
  measures: `SIGSTOP of the ${role}'s process: from its last frame and the limit of ${limitMs} ms to the first braking setpoint`,
  judged: "reaction",
  validMs: LONG_MS,
  pull: async (rig) => {
    rig.client(role)!.kill("SIGSTOP");
    await sleepMs(systemClock, limitMs);
    return { fromNs: addNs(rig.lastHeardNs(role), msToNs(limitMs)) };
  },
  undo: async (rig) => rig.client(role)?.end(),
});

export const STOP_TRIGGERS: readonly StopTrigger[] = [
  stopOf(0),
  stopOf(1),
  stopOf(2),
  killed("commander"),
  silent("commander", RIG_SERVO.leaseSilenceMsMax),
  killed("supervisor"),
  silent("supervisor", RIG_SERVO.supervisorSilenceMsMax),
  {
    name: "lease revoked",
    measures: "the supervisor's call to the first braking setpoint",
    judged: "reaction",
    validMs: LONG_MS,
    pull: async (rig) => from((await rig.client("supervisor")!.ask({ do: "revokeLease" })).atNs),
  },
  {
    name: "command expired",
    measures: "the newest command's expiry, its commander alive, to the first braking setpoint",
    judged: "reaction",
    validMs: SHORT_MS,
    pull: async (rig) => {
      const { expiresNs } = await rig.client("commander")!.ask({ do: "quiet" });
      await sleepMs(systemClock, SHORT_MS);
      return from(expiresNs);
    },
  },
  {
    name: "command not a number",
    measures: "the commander's call with NaN targets to the first braking setpoint",
    judged: "reaction",
    validMs: LONG_MS,
    pull: async (rig) => {
      const commander = rig.client("commander")!;
      await commander.ask({ do: "quiet" });
      return from((await commander.ask({ do: "nan" })).atNs);
    },
  },
  {
    name: "device reports frozen",
    measures: `from the receipt of the last report and the limit of ${RIG_SERVO.stateAgeMsMax} ms to the first braking setpoint`,
    judged: "reaction",
    validMs: LONG_MS,
    pull: async (rig, observer) => {
      await rig.emulator.ask({ do: "freezeReports", on: true });
      await sleepMs(systemClock, RIG_SERVO.stateAgeMsMax);
      return { fromNs: addNs(observer.latest()!.stateNs, msToNs(RIG_SERVO.stateAgeMsMax)) };
    },
    undo: async (rig) => void (await rig.emulator.ask({ do: "freezeReports", on: false })),
  },
  {
    name: "servo loop stalled",
    measures: `SIGCONT of the servo process after ${STALL_MS} ms of SIGSTOP to the first setpoint that does not go on`,
    judged: "reaction",
    validMs: LONG_MS,
    pull: async (rig) => {
      const servo = rig.servo!;
      servo.kill("SIGSTOP");
      await sleepMs(systemClock, STALL_MS);
      return { fromNs: servo.kill("SIGCONT") };
    },
  },
  {
    name: "servo process SIGTERM",
    measures: "the signal to the first braking setpoint or stop frame",
    judged: "reaction",
    validMs: LONG_MS,
    pull: async (rig) => {
      const servo = rig.servo!;
      const fromNs = servo.kill("SIGTERM");
      await servo.exited;
      return { fromNs };
    },
    undo: (rig) => rig.endClients(),
  },
  {
    name: "servo process killed",
    measures:
      "SIGKILL of the servo process to the emulated setpoint standing: the device keeps its last target",
    judged: "stands",
    validMs: LONG_MS,
    pull: async (rig) => ({ fromNs: rig.servo!.kill("SIGKILL") }),
    undo: async (rig) => {
      await rig.servo?.exited;
      await rig.endClients();
    },
  },
  {
    name: "cable pulled",
    measures: "the device's sockets closed to the emulated setpoint standing: no frame can reach it",
    judged: "stands",
    validMs: LONG_MS,
    pull: (rig) => fromCall(() => rig.emulator.ask({ do: "dropClients" })),
  },
  {
    name: "collision seen by the device (C31)",
    measures:
      "the device's error to the last setpoint that the servo still sent: the device stops the arm itself",
    judged: "lastSetpoint",
    validMs: LONG_MS,
    pull: (rig) => fromCall(() => rig.emulator.ask({ do: "error", code: 31 })),
  },
  {
    name: "mode changed by another client",
    measures: "the other client's request to the last setpoint: the device ignores setpoints in mode 0",
    judged: "lastSetpoint",
    validMs: LONG_MS,
    pull: (rig) => changeMode(rig.commandPort),
  },
  {
    name: "black box failed",
    measures: "its folder made unwritable to the first braking setpoint; the writer looks once a second",
    judged: "reaction",
    ungated: true,
    validMs: LONG_MS,
    pull: breakBlackBox,
    undo: mendBlackBox,
  },
  {
    name: "./cerebellum stop",
    measures: "the command's start, its process included, to the first braking setpoint",
    judged: "reaction",
    ungated: true,
    validMs: LONG_MS,
    pull: stopByCommand,
  },
  {
    name: "button line",
    measures: "the line written to a FIFO to the first braking setpoint",
    judged: "reaction",
    ungated: true,
    validMs: LONG_MS,
    prepare: async (rig) => (await needSources(rig)) !== undefined,
    pull: async (rig) => ({ fromNs: (await needSources(rig)).press() }),
  },
  {
    name: "page button",
    measures: "POST /stop on this machine to the first braking setpoint",
    judged: "reaction",
    ungated: true,
    validMs: LONG_MS,
    prepare: async (rig) => (await needSources(rig)) !== undefined,
    pull: async (rig) => ({ fromNs: (await needSources(rig)).click() }),
  },
  {
    name: "MQTT message",
    measures: "publication at a broker on this machine to the first braking setpoint",
    judged: "reaction",
    ungated: true,
    validMs: LONG_MS,
    prepare: async (rig) => (await needSources(rig)).hasBroker,
    pull: async (rig) => ({ fromNs: (await needSources(rig)).publish() }),
  },
];

const sourcesOf = new WeakMap<ArmRig, StopSources>();

async function needSources(rig: ArmRig): Promise<StopSources> {
  const present = sourcesOf.get(rig);
  if (present !== undefined) return present;
  const sources = await StopSources.start(rig);
  sourcesOf.set(rig, sources);
  return sources;
}

export const closeSources = async (rig: ArmRig): Promise<void> => sourcesOf.get(rig)?.close();

/** The folder makes place for a file of its name, as a disk that turns bad would refuse every write. */
async function breakBlackBox(rig: ArmRig): Promise<Pulled> {
  const folder = blackBoxFolder(rig.socketPath);
  rmSync(folder, { recursive: true, force: true });
  writeFileSync(folder, "");
  const fromNs = systemClock.nowNs();
  await sleepMs(systemClock, BLACK_BOX_MS);
  return { fromNs };
}

async function mendBlackBox(rig: ArmRig): Promise<void> {
  rmSync(blackBoxFolder(rig.socketPath), { recursive: true, force: true });
  await sleepMs(systemClock, BLACK_BOX_MS);
}

/** As the vendor's own software does when somebody uses it beside the servo. */
async function changeMode(port: number): Promise<Pulled> {
  const socket = createConnection(port, "127.0.0.1");
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  socket.setNoDelay(true);
  const replied = new Promise<void>((resolve) => socket.once("data", () => resolve()));
  const fromNs = systemClock.nowNs();
  socket.write(encodeRequest(1, PROTOCOL_ID.current, "setMode", [MODE.position, 0]));
  await replied;
  socket.destroy();
  return { fromNs };
}
