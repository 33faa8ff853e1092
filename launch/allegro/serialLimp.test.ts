/** LIMP through a terminal that another program drives, that was unplugged, and that takes nothing. */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { limpLines } from "../../drivers/allegro/limp.js";
import { SlcanConfig } from "../../drivers/can/config.js";
import { slcanOpening } from "../../drivers/can/slcan.js";
import { openPty, type Pty } from "../../test/support/ptyPair.js";
import { systemClock } from "../systemClock.js";
import { SerialLimp } from "./serialLimp.js";

const LIMP_TEXT = Buffer.from(limpLines()).toString("latin1");

describe("LIMP on a serial port", () => {
  let pty: Pty;
  let limp: SerialLimp;

  beforeEach(async () => {
    pty = await openPty();
    limp = new SerialLimp(SlcanConfig.parse({ path: pty.path }), systemClock);
  });
  afterEach(async () => {
    limp.letGo();
    await pty.close();
  });

  it("leaves through the port that was held, and nothing else does", async () => {
    await limp.hold();
    expect(pty.text).toBe("");
    expect(limp.send()).toMatch(/held open/);
    await pty.until(LIMP_TEXT);
    expect(pty.text).toBe(LIMP_TEXT);
  });

  it("opens the port and the adapter's channel where the one that was held is dead, or none was", async () => {
    await limp.hold();
    await pty.unplug();
    await pty.replug();
    expect(limp.send()).toMatch(/opened anew/);
    await pty.until(slcanOpening(1_000_000) + LIMP_TEXT);
    limp.letGo();
    pty.forget();
    expect(limp.send()).toMatch(/opened anew/);
    await pty.until(LIMP_TEXT);
  });

  it("says so when there is no port", async () => {
    await limp.hold();
    await pty.unplug();
    expect(() => limp.send()).toThrow(/ENOENT/);
    await expect(limp.hold()).rejects.toThrow(/ENOENT/);
  });

  it("waits for an adapter that has no room for the moment", async () => {
    await limp.hold();
    await pty.pause();
    const full = openSync(pty.path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    expect(() => {
      for (;;) writeSync(full, "\r");
    }).toThrow(/EAGAIN/);
    closeSync(full);
    const resumed = pty.resume();
    expect(limp.send()).toMatch(/held open/);
    await resumed;
    await pty.until(LIMP_TEXT);
  });

  it("gives up an adapter that takes nothing, after a while", async () => {
    await limp.hold();
    await pty.pause();
    expect(() => {
      for (let turn = 0; turn < 10_000; turn++) limp.send();
    }).toThrow(/EAGAIN/);
  });
});
