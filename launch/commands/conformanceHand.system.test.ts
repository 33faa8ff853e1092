/** The check-list for a real hand, on the emulated one behind its serial adapter. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FirstContact } from "../../drivers/allegro/firstContact.js";
import { JsonProcess } from "../../test/support/servoRig.js";
import { LAB_PRIORITY } from "../realtime.js";
import { conformance } from "./conformanceCommand.js";

const SYSTEM_ON = "systemOn";

describe("conformance allegro --device", () => {
  let folder: string;
  let hand: JsonProcess;
  let path: string;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "hand-check-"));
    path = join(folder, "adapter");
    hand = new JsonProcess("allegroEmulatorMain.js", [
      JSON.stringify({ path, realtimePriority: LAB_PRIORITY }),
    ]);
    await hand.read();
  });
  afterEach(async () => {
    hand.process.kill("SIGTERM");
    await hand.exited;
    rmSync(folder, { recursive: true });
  });

  const check = async (json = join(folder, "found.json")) => {
    await conformance("allegro", undefined, { device: path, seconds: 3, json });
    return JSON.parse(readFileSync(json, "utf8")) as FirstContact;
  };
  const said = async () =>
    (
      (await hand.ask({ do: "log" })) as { records: { message: { kind: string; command?: number[] } }[] }
    ).records.map(({ message }) => message);

  it("says which hand it is and that it passes, and exerts nothing", async () => {
    expect(await check()).toMatchObject({ model: "v4", side: "right", serial: "A080R001", passed: true });
    const messages = await said();
    expect(messages.map(({ kind }) => kind)).not.toContain(SYSTEM_ON);
    for (const { command } of messages) if (command !== undefined) expect(command).toEqual([0, 0, 0, 0]);
    expect(await hand.ask({ do: "status" })).toMatchObject({ isOn: false, periodMs: { joint: 0 } });
  });

  it("fails where a finger is dumb, and still exerts nothing", async () => {
    await hand.ask({ do: "fault", fault: { loses: { fingers: ["ring"], share: 1 } } });
    await expect(check()).rejects.toMatchObject({ code: "CHECK_FAILED" });
    expect((await said()).map(({ kind }) => kind)).not.toContain(SYSTEM_ON);
  });

  it("wants one thing to check", async () => {
    for (const [device, file, options] of [
      ["allegro", "vectors.json", { device: path, seconds: 1 }],
      ["allegro", undefined, { seconds: 1 }],
      ["xarm7", undefined, { device: path, seconds: 1 }],
      ["allegro", undefined, { device: path, interface: "can0", seconds: 1 }],
    ] as const)
      await expect(conformance(device, file, options)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});
