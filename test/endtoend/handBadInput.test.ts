/**
 * What is wrong with a hand, its adapter or its cell file when a cell is started: `up` says what it found, what it
 * expected and what to do, and the hand has never been on.
 */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command } from "../support/cell.js";
import {
  EmulatedHand,
  type HandCellDraft,
  isLimpAndOff,
  wideHand,
  writeHandCell,
} from "../support/handCell.js";

const ready = Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);

describe.skipIf(!ready && !process.env.CI)("a hand that cannot be brought up", () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-bad-hand-"));
  const adapter = join(folder, "adapter");
  let hand: EmulatedHand;

  beforeAll(async () => {
    process.env.ROS_DOMAIN_ID = String(101 + (process.pid % 100));
    hand = await EmulatedHand.start(adapter);
  });
  afterAll(async () => {
    await hand?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const withHand =
    (path: string, allegro: Record<string, unknown> = {}) =>
    (cell: HandCellDraft) => {
      cell.robots.hand = wideHand(path, allegro);
    };
  async function refused(change: (cell: HandCellDraft) => void): Promise<string> {
    const { code, text } = await command("up", writeHandCell(folder, adapter, change).file, "--no-policy");
    expect(code, text).toBe(1);
    expect(text).not.toMatch(/is up;/);
    return text;
  }
  /** The hand must not answer as it should; it is as it was afterwards. */
  async function whileIt(fault: Record<string, unknown>, change: (cell: HandCellDraft) => void = () => {}) {
    await hand.ask({ do: "fault", fault });
    try {
      return await refused(change);
    } finally {
      await hand.ask({ do: "fault", fault: { ends: { what: Object.keys(fault) } } });
    }
  }

  it("no such path, with the ports that there are", async () => {
    expect(await refused(withHand(join(folder, "elsewhere")))).toMatch(
      /DEVICE_UNREACHABLE: there is no \S+elsewhere; serial ports found: .*Plug the adapter in/s,
    );
  });

  it("a path that is no serial device, and one that this user may not open", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    expect(await refused(withHand(file))).toMatch(
      /CONFIG_INVALID: \S+file is a file of another kind.*by-id/s,
    );
    // A superuser may open anything: a device that refuses by itself stands in for a missing permission.
    const device = join(folder, "null");
    symlinkSync("/dev/null", device);
    expect(await refused(withHand(device))).toMatch(
      /\S+null is a device of another kind, not a serial device/,
    );
  });

  it("a hand of the other side, and of another model, each by its name", async () => {
    expect(await refused(withHand(adapter, { side: "left" }))).toMatch(
      /DEVICE_MISMATCH: the hand says that it is a right one, but the cell file has side left.*Set `side`/s,
    );
    expect(await refused(withHand(adapter, { model: "v5a" }))).toMatch(
      /DEVICE_MISMATCH: the hand says that it is a V4 .*but the cell file has model v5a.*Set `model`/s,
    );
    expect(await refused(withHand(adapter, { expectSerial: "SAH0000X" }))).toMatch(
      /DEVICE_MISMATCH: the hand's serial number is .*expects "SAH0000X"/s,
    );
  });

  it("an adapter that stays silent, as with a wrong bitrate or a hand without power", async () => {
    expect(await whileIt({ hangs: {} })).toMatch(
      /LINK_SILENT: \S+adapter \(SLCAN\): nothing answered within 500 ms.*switched on.*1 Mbit\/s/s,
    );
    expect(await whileIt({ isUnpowered: {} })).toMatch(/LINK_SILENT: .*nothing answered within 500 ms/s);
  });

  it("another device on the bus, and no hand", async () => {
    await hand.ask({ do: "fault", fault: { isMute: { to: ["info", "serial", "pose"] } } });
    try {
      const text = await whileIt({ strangers: { from: "oldHand" }, loses: {} });
      expect(text).toMatch(/DEVICE_MISMATCH|LINK_SILENT/);
      expect(text).toMatch(/another device|positions|nothing answered/);
    } finally {
      await hand.ask({ do: "fault", fault: { ends: { what: ["isMute"] } } });
    }
  });

  it("has never been on", async () => {
    const { isOn, counters } = await hand.status();
    expect(isOn).toBe(false);
    expect(counters.torqueBeyondLimit).toBe(0);
    const { records } = (await hand.ask({ do: "log", since: 0 })) as unknown as {
      records: { message: { kind: string } }[];
    };
    expect(records.map(({ message }) => message.kind)).not.toContain("systemOn");
    expect(records.length).toBeGreaterThan(0);
  });

  it("comes up once everything is right", async () => {
    const { file } = writeHandCell(folder, adapter);
    const { code, text } = await command("doctor", "--cell", file);
    expect(text).toMatch(/ok +Adapters of hands +hand at/);
    expect([0, 1]).toContain(code);
    expect(isLimpAndOff(await hand.status()) || !(await hand.status()).isOn).toBe(true);
  });
});
