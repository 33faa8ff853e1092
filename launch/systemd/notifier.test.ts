import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type NotifySocket, openNotifySocket } from "../../test/support/notifySocket.js";
import { serviceUnit } from "../commands/service.js";
import { systemClock } from "../systemClock.js";
import { SystemdNotifier } from "./notifier.js";

const log = pino({ level: "silent" });
let folder: string;
let socket: NotifySocket | undefined;
let notifier: SystemdNotifier | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "notify-"));
});
afterEach(() => {
  notifier?.close();
  socket?.close();
  rmSync(folder, { recursive: true, force: true });
});

const until = async (what: string, condition: () => boolean) => {
  for (let turn = 0; turn < 1000 && !condition(); turn++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  if (!condition()) throw new Error(`never happened: ${what}`);
};
const pings = () => socket!.messages.filter((message) => message === "WATCHDOG=1").length;

function start(env: NodeJS.ProcessEnv, whyNotAlive: () => string | undefined = () => undefined) {
  notifier = SystemdNotifier.start({
    env: { PATH: process.env.PATH, NOTIFY_SOCKET: socket?.address, ...env },
    clock: systemClock,
    log,
    whyNotAlive,
  });
  return notifier;
}

describe("systemd notifier", () => {
  it("does nothing outside of a unit", () => {
    expect(start({})).toBeUndefined();
  });

  it.each([
    ["a path", () => join(folder, "notify")],
    ["an abstract name", () => `@cerebellum-test-${process.pid}`],
  ])("tells ready and stopping, on %s; without a watchdog it never pings", async (_name, address) => {
    socket = await openNotifySocket(address());
    start({})!.ready();
    await until("ready", () => socket!.messages.includes("READY=1"));
    notifier!.stopping();
    await until("stopping", () => socket!.messages.includes("STOPPING=1"));
    expect(socket.messages).toEqual(["READY=1", "STOPPING=1"]);
  });

  it("pings three times within the limit while all is well, and is silent while it is not", async () => {
    socket = await openNotifySocket(join(folder, "notify"));
    let trouble: string | undefined;
    start({ WATCHDOG_USEC: "150000", WATCHDOG_PID: String(process.pid) }, () => trouble)!.ready();
    await until("pings", () => pings() >= 4);
    trouble = "the servo of arm does not tick";
    await new Promise((resolve) => setTimeout(resolve, 120));
    const before = pings();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(pings()).toBe(before);
    trouble = undefined;
    await until("pings again", () => pings() > before);
  });

  it("does not ping for another process", async () => {
    socket = await openNotifySocket(join(folder, "notify"));
    start({ WATCHDOG_USEC: "30000", WATCHDOG_PID: "1" })!.ready();
    await until("ready", () => socket!.messages.includes("READY=1"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(pings()).toBe(0);
  });
});

describe("systemd unit", () => {
  const cell = new URL("../cells/xarm7-lab.yaml", import.meta.url).href.slice("file://".length);
  const unit = serviceUnit(cell, "robot");
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(unit)?.[1];

  it("is filled in: no word is left, nothing is put in twice", () => {
    expect(unit).not.toMatch(/@[A-Z]+@/);
    expect(value("User")).toBe("robot");
    expect(value("ExecStart")).toMatch(/^\/\S+\/cerebellum up \/\S+\.yaml$/);
  });

  it("gives the daemon time to stop, and lets it have its priority", () => {
    expect(value("Type")).toBe("notify");
    expect(Number(value("TimeoutStopSec"))).toBeGreaterThan(8);
    expect(Number(value("LimitRTPRIO"))).toBeGreaterThanOrEqual(98);
    for (const forbidden of [
      "RestrictRealtime=",
      "MemoryDenyWriteExecute=",
      "PrivateDevices=",
      "PrivateTmp=",
      "ProtectClock=",
      "DeviceAllow=",
    ])
      expect(unit).not.toMatch(new RegExp(`^${forbidden}`, "m"));
  });

  it("refuses paths and users that a unit cannot hold", () => {
    expect(() => serviceUnit(cell, "two words")).toThrow(/cannot hold the user/);
  });

  it("matches the checked-in template in everything but its words", () => {
    const template = readFileSync(new URL("./cerebellum.service", import.meta.url), "utf8");
    expect(unit.split("\n")).toHaveLength(template.split("\n").length);
  });
});
