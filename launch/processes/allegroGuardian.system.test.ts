/** A real process that drives a hand over a pseudo-terminal, its guardian, and every way in which it can end. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  writeSync,
} from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { repositoryRootUrl } from "../../core/entry.js";
import { LIMP } from "../../drivers/allegro/limp.js";
import { FakeHand } from "../../drivers/allegro/testing.js";
import { SlcanCommandReader, slcanText } from "../../drivers/can/slcan.js";
import { openPty, type Pty } from "../../test/support/ptyPair.js";
import { until } from "../../test/support/servoRig.js";
import { systemClock } from "../systemClock.js";

const HOME_RAD = [
  0, -0.17, 0.79, 0.79, 0, -0.17, 0.79, 0.79, 0.09, -0.09, 0.87, 0.79, 1.05, 0.44, 0.26, 0.79,
];
const LIMP_TEXT = LIMP.map((frame) => slcanText(frame)).join("");
const url = (path: string) => JSON.stringify(new URL(`dist/${path}`, repositoryRootUrl()).href);

/**
 * Drives the hand to where it stands. A slow stream, so that this process, in which the hand lives, may be held up on a
 * loaded machine without a finger being missed; words on standard input: close, exit, throw, start.
 */
const script = (path: string) => `
  import { createInterface } from "node:readline";
  import { AllegroConfig } from ${url("drivers/allegro/config.js")};
  import { AllegroDriver } from ${url("drivers/allegro/driver.js")};
  import { openCanBus } from ${url("drivers/can/config.js")};
  import { GuardianProcess } from ${url("launch/allegro/guardianProcess.js")};
  import { systemClock as clock } from ${url("launch/systemClock.js")};
  const path = ${JSON.stringify(path)};
  const config = AllegroConfig.parse({ can: { slcan: { path } }, model: "v4", side: "right", periodMs: 20, silentPeriodsMax: 5, stallMsMax: 200 });
  const guardian = new GuardianProcess(
    { robot: "hand", can: config.can, silenceMsMax: 200, realtimePriority: 0 },
    new URL(${url("launch/processes/allegroGuardianMain.js")}),
    clock,
  );
  const openBus = openCanBus(config.can, clock);
  const driver = new AllegroDriver(config, { clock, openBus, guardian });
  const say = (message) => console.log(JSON.stringify(message));
  driver.onFault(({ code }) => say({ fault: code }));
  const never = new AbortController().signal;
  const start = async () => {
    await driver.configure(never);
    await driver.activate(never);
    say({ active: true });
  };
  const words = {
    close: () => driver.close().then(() => process.exit(0)),
    exit: () => process.exit(3),
    throw: () => setTimeout(() => { throw new Error("a defect"); }),
    start: () => start().catch((error) => say({ refused: error.message })),
  };
  createInterface({ input: process.stdin }).on("line", (line) => words[line]());
  await start();
  setInterval(() => driver.command(Float64Array.from(driver.state().positionRad)), 3);
`;

describe("the guardian of a hand", () => {
  let pty: Pty;
  let hand: FakeHand;
  let driving: ChildProcess;
  let said: Record<string, unknown>[];
  let guardianPid: number;

  const has = (key: string) => said.some((message) => key in message);
  const faults = () => said.flatMap(({ fault }) => (fault === undefined ? [] : [fault]));
  const isAlive = (pid: number) => {
    try {
      return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    } catch {
      return false;
    }
  };
  const openFiles = (pid: number) =>
    readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  /** Torques flow. A machine so loaded that this process, and with it the hand, missed a cycle stopped them: once more. */
  const drives = async () => {
    for (;;) {
      await until("an answer", () => said.length > 0 || driving.exitCode !== null, 20_000);
      expect(driving.exitCode, "the process that drives has ended").toBeNull();
      if (has("active") && faults().length === 0) {
        pty.forget();
        await until("torques or a fault", () => pty.text.includes("t1808") || faults().length > 0);
        if (faults().length === 0) return;
      }
      said.length = 0;
      driving.stdin!.write("start\n");
    }
  };
  /** What came last is LIMP in its order, and the hand has obeyed. */
  const expectLimp = async () => {
    await until("a limp hand", () => !hand.isOn && hand.periodMs === 0);
    expect(pty.text, `faults: ${faults()}`).toContain(LIMP_TEXT);
    expect([...hand.command].every((value) => value === 0)).toBe(true);
  };

  beforeEach(async () => {
    pty = await openPty();
    hand = new FakeHand(systemClock);
    hand.positionRad.set(HOME_RAD);
    const bus = await hand.open(
      { onFrame: (frame) => pty.write(slcanText(frame)), onState: () => {} },
      new AbortController().signal,
    );
    const reader = new SlcanCommandReader((command) => {
      if (command.kind === "frame") bus.write([command.frame]);
    });
    pty.onBytes((bytes) => reader.push(bytes));
    said = [];
    driving = spawn(process.execPath, ["--input-type=module", "-e", script(pty.path)], {
      stdio: ["pipe", "pipe", "inherit"],
      // As a service's processes are: a signal to the group must not take the guardian with it.
      detached: true,
    });
    createInterface({ input: driving.stdout! }).on("line", (line) => said.push(JSON.parse(line)));
    await drives();
    const { pid } = driving;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
    guardianPid = children[0]!;
    expect(isAlive(guardianPid)).toBe(true);
  });

  afterEach(async () => {
    driving.kill("SIGKILL");
    // While the terminal is there: a guardian of a powered hand waits for one that has gone.
    await until("the guardian's end", () => !isAlive(guardianPid));
    hand.end();
    await pty.close();
  });

  it.each(["SIGKILL", "SIGTERM", "SIGINT"] as const)(
    "zero torque, off, period 0, in this order, when %s takes the whole group of the process that drives",
    async (signal) => {
      pty.forget();
      process.kill(-driving.pid!, signal);
      await expectLimp();
      await until("the guardian's end", () => !isAlive(guardianPid));
      // The dead process's last torques, then LIMP, and LIMP again, each in one piece, and nothing else.
      await until("both", () => pty.text.split(LIMP_TEXT).length === 3);
      const first = pty.text.indexOf(LIMP_TEXT);
      expect(pty.text.slice(0, first)).toMatch(/^[0-9A-Ft\r]*\r$/);
      expect(pty.text.slice(0, first)).not.toContain("t1040");
      expect(pty.text.slice(first)).toBe(`${LIMP_TEXT}\r${LIMP_TEXT}`);
    },
  );

  it.each(["exit", "throw"])("the same when the process ends by itself: %s", async (word) => {
    driving.stdin!.write(`${word}\n`);
    await expectLimp();
  });

  it("the same when the process hangs, which then finds itself late", async () => {
    driving.kill("SIGSTOP");
    await expectLimp();
    await sleep(200);
    driving.kill("SIGCONT");
    await until("the fault", () => faults().includes("ALLEGRO_LATE"));
    expect(isAlive(guardianPid)).toBe(true);
  });

  it("writes nothing at an orderly end", async () => {
    pty.forget();
    driving.stdin!.write("close\n");
    await expectLimp();
    await until("the guardian's end", () => !isAlive(guardianPid));
    await sleep(100);
    expect(pty.text.split("t1040").length - 1, "servo off was written once, by the driver").toBe(1);
  });

  it("does not die unnoticed: the driver stops the hand, and enables it again with a new one", async () => {
    process.kill(guardianPid, "SIGKILL");
    await expectLimp();
    await until("the fault", () => faults().includes("ALLEGRO_GUARDIAN_GONE"));
    await drives();
    pty.forget();
    driving.kill("SIGKILL");
    await expectLimp();
  });

  it("outlives the signals that end every process of a service, and is there afterwards", async () => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.kill(guardianPid, signal);
    await sleep(300);
    expect(isAlive(guardianPid)).toBe(true);
    expect(faults()).not.toContain("ALLEGRO_GUARDIAN_GONE");
    pty.forget();
    driving.kill("SIGKILL");
    await expectLimp();
  });

  it("does not hang unnoticed either: nobody would be there if the driver died next", async () => {
    process.kill(guardianPid, "SIGSTOP");
    await expectLimp();
    await until("the fault", () => faults().includes("ALLEGRO_GUARDIAN_GONE"));
    await drives();
    expect(isAlive(guardianPid), "the one that hangs is replaced").toBe(false);
    pty.forget();
    driving.kill("SIGKILL");
    await expectLimp();
  });

  it("takes beats that wait in its pipe for life, when it was held up itself", async () => {
    pty.forget();
    process.kill(guardianPid, "SIGSTOP");
    await sleep(300);
    process.kill(guardianPid, "SIGCONT");
    await sleep(300);
    // A machine on which this process, and with it the hand, was held up for as long has shown nothing.
    if (!faults().includes("ALLEGRO_LATE")) expect(pty.text).not.toContain("t1040");
  });

  it("waits for an adapter that was unplugged when the process died", async () => {
    await pty.unplug();
    await until("the fault", () => faults().includes("ALLEGRO_BUS_LOST"));
    expect(hand.isOn, "nobody could reach it").toBe(true);
    driving.kill("SIGKILL");
    await sleep(500);
    pty.forget();
    await pty.replug();
    await expectLimp();
    await until("the guardian's end", () => !isAlive(guardianPid));
  });

  it("waits for an adapter that took nothing when the process died", async () => {
    await pty.pause();
    driving.kill("SIGSTOP");
    // What the terminal keeps by itself is full, as the buffer of an adapter that hangs.
    const full = openSync(pty.path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    expect(() => {
      for (;;) writeSync(full, "\r");
    }).toThrow(/EAGAIN/);
    closeSync(full);
    driving.kill("SIGKILL");
    await sleep(1500);
    expect(hand.isOn, "nobody could reach it").toBe(true);
    await pty.resume();
    await expectLimp();
    await until("the guardian's end", () => !isAlive(guardianPid));
  });

  it("lets go of an adapter that is unplugged, and guards it again when it is back", async () => {
    const port = realpathSync(pty.path);
    expect(openFiles(guardianPid)).toContain(port);
    await pty.unplug();
    await until("the fault", () => faults().includes("ALLEGRO_BUS_LOST"));
    await until("the guardian's port closed", () => !openFiles(guardianPid).includes(port));
    pty.forget();
    await pty.replug();
    await pty.until(LIMP_TEXT);
    await drives();
    pty.forget();
    driving.kill("SIGKILL");
    await expectLimp();
  });
});
