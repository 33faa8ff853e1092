import { describe, expect, it } from "vitest";
import { turnAboutZ, withoutDeadzone } from "./driveInput.js";
import { type GamepadLike, GamepadSource } from "./gamepadSource.js";
import { bothOf, PadSource } from "./padSource.js";
import { chooseSpaceMouse, type HidDeviceLike, SpaceMouseSource } from "./spaceMouseSource.js";

function gamepad(down: readonly number[], axes: readonly number[] = [0, 0, 0, 0], trigger = 0): GamepadLike {
  return {
    id: "pad",
    connected: true,
    mapping: "standard",
    axes,
    buttons: Array.from({ length: 17 }, (_, index) => ({
      pressed: down.includes(index),
      value: index === 7 ? trigger : 0,
    })),
  };
}

describe("a gamepad", () => {
  it("counts a bumper only after it was seen up", () => {
    let pad = gamepad([4], [0, -1, 0, 0]);
    const source = new GamepadSource(
      () => [null, pad],
      () => {},
    );
    expect(source.read().isHeld).toBe(false);
    pad = gamepad([]);
    source.read();
    pad = gamepad([4], [0, -1, 0, 0]);
    const { isHeld, linear, angular } = source.read();
    expect([isHeld, ...[...linear, ...angular].map((value) => value + 0)]).toEqual([true, 1, 0, 0, 0, 0, 0]);
    source.release();
    expect(source.read().isHeld).toBe(false);
  });

  it("that is gone, or laid out unknown, holds nothing and must be let go of", () => {
    let pads: (GamepadLike | null)[] = [gamepad([])];
    const source = new GamepadSource(
      () => pads,
      () => {},
    );
    source.read();
    pads = [gamepad([4])];
    expect(source.read().isHeld).toBe(true);
    pads = [null];
    expect(source.read().isHeld).toBe(false);
    pads = [gamepad([4])];
    expect(source.read().isHeld).toBe(false);
    pads = [{ ...gamepad([4]), mapping: "" }];
    expect(source.pad).toBeUndefined();
  });

  it("has a deadzone, without a step at its edge", () => {
    expect(withoutDeadzone(0.15, 0.15)).toBe(0);
    expect(withoutDeadzone(0.16, 0.15)).toBeCloseTo(0.0118, 3);
    expect(withoutDeadzone(-1, 0.15)).toBe(-1);
    expect(withoutDeadzone(7, 0.15)).toBe(1);
    expect(withoutDeadzone(Number.NaN, 0.15)).toBe(0);
  });

  it("moves the gripper only when its trigger moves", () => {
    const shares: number[] = [];
    let trigger = 0;
    const source = new GamepadSource(
      () => [gamepad([], [0, 0, 0, 0], trigger)],
      (share) => shares.push(share),
    );
    for (let i = 0; i < 5; i++) source.read();
    expect(shares).toEqual([]);
    trigger = 0.6;
    source.read();
    source.read();
    expect(shares).toEqual([0.6]);
  });
});

describe("pads on the screen", () => {
  it("hold while a finger is down, and nothing after", () => {
    const pads = new PadSource();
    expect(pads.read().isHeld).toBe(false);
    pads.press("move", 1);
    expect(pads.read()).toEqual({ isHeld: true, linear: [0, 0, 0], angular: [0, 0, 0] });
    pads.move("move", 1, 200, 0);
    expect(pads.read().linear).toEqual([0, -1, 0]);
    pads.press("lift", 2);
    pads.move("lift", 2, 0, 33);
    expect(pads.read().linear[2]).toBeCloseTo(0.5, 9);
    pads.lift("move", 2);
    expect(pads.read().isHeld).toBe(true);
    pads.lift("move", 1);
    pads.lift("lift", 2);
    expect(pads.read().isHeld).toBe(false);
  });

  it("a finger that was released from outside moves nothing any more", () => {
    const pads = new PadSource();
    pads.press("turn", 3);
    pads.release();
    pads.move("turn", 3, 100, 100);
    expect(pads.read().isHeld).toBe(false);
  });

  it("and keys together never go beyond full speed", () => {
    const one = {
      read: () => ({ isHeld: true, linear: [1, 0, 0], angular: [0, 0, -1] }) as const,
      release: () => {},
    };
    expect(bothOf(one, one).read()).toEqual({ isHeld: true, linear: [1, 0, 0], angular: [0, 0, -1] });
  });
});

describe("a SpaceMouse", () => {
  const int16 = (...values: number[]) => new DataView(new Int16Array(values).buffer);
  const buttons = (mask: number) => new DataView(new Uint8Array([mask]).buffer);

  function held() {
    const clock = { nowMs: 0 };
    const mouse = new SpaceMouseSource(
      () => clock.nowMs,
      () => {},
    );
    mouse.read();
    mouse.report(3, buttons(1));
    return { clock, mouse };
  }

  it("moves only while its button is held, in the base's axes", () => {
    const { mouse } = held();
    mouse.report(1, int16(0, -350, 0));
    expect(mouse.read().linear.map((value) => value + 0)).toEqual([1, 0, 0]);
    mouse.report(3, buttons(0));
    expect(mouse.read().isHeld).toBe(false);
  });

  it("takes six axes in one report as well as in two", () => {
    const { mouse } = held();
    mouse.report(1, int16(0, 0, -350, 0, 0, 350));
    const whole = mouse.read();
    mouse.report(1, int16(0, 0, -350));
    mouse.report(2, int16(0, 0, 350));
    expect(mouse.read()).toEqual(whole);
    expect(whole.linear[2]).toBe(1);
    expect(whole.angular[2]).toBe(-1);
  });

  it("lets go when it falls silent off centre, and when it is unplugged", () => {
    const { clock, mouse } = held();
    mouse.report(1, int16(0, -350, 0));
    expect(mouse.read().isHeld).toBe(true);
    clock.nowMs = 400;
    expect(mouse.read().isHeld).toBe(false);
    mouse.report(1, int16(0, -350, 0));
    expect(mouse.read().isHeld).toBe(false);
    const other = held();
    other.mouse.disconnect();
    expect(other.mouse.read().isHeld).toBe(false);
  });

  it("is opened once, heard until it is unplugged, and its trouble is not swallowed", async () => {
    const { mouse } = held();
    const listeners = new Set<(event: { device: unknown }) => void>();
    let report: Parameters<HidDeviceLike["addEventListener"]>[1] = () => {};
    let opens = 0;
    const device = {
      productName: "SpaceMouse Compact",
      opened: false,
      open: async () => {
        if (device.opened) throw new Error("already open");
        opens++;
        device.opened = true;
      },
      addEventListener: (_kind: string, listener: typeof report) => {
        report = listener;
      },
    };
    const hid = {
      requestDevice: async () => [device],
      addEventListener: (_kind: string, listener: (event: { device: unknown }) => void) =>
        void listeners.add(listener),
      removeEventListener: (_kind: string, listener: (event: { device: unknown }) => void) =>
        void listeners.delete(listener),
    };
    let isGone = false;
    const choose = () =>
      chooseSpaceMouse(hid, mouse, () => {
        isGone = true;
      });
    expect(await choose()).toBe("SpaceMouse Compact");
    expect(await choose()).toBe("SpaceMouse Compact");
    expect([opens, listeners.size]).toEqual([1, 1]);
    report({ reportId: 1, data: int16(0, -350, 0) });
    expect(mouse.read().isHeld).toBe(true);
    for (const listener of listeners) listener({ device: "another" });
    expect(mouse.read().isHeld).toBe(true);
    for (const listener of [...listeners]) listener({ device });
    expect([mouse.read().isHeld, isGone, listeners.size]).toEqual([false, true, 0]);
    device.open = () => Promise.reject(new Error("Failed to open the device"));
    device.opened = false;
    await expect(choose()).rejects.toThrow("Failed to open");
    expect(await chooseSpaceMouse({ ...hid, requestDevice: async () => [] }, mouse, () => {})).toBe("");
  });

  it("short and strange reports change nothing that they do not carry", () => {
    const { mouse } = held();
    for (const bytes of [0, 1, 3]) mouse.report(1, new DataView(new ArrayBuffer(bytes)));
    mouse.report(99, int16(350, 350, 350));
    expect(mouse.read()).toEqual({ isHeld: true, linear: [-0, -0, -0], angular: [-0, -0, -0] });
  });
});

it("a turn of the standpoint keeps lengths and heights", () => {
  const [x, y, z] = turnAboutZ([1, 0, 0.5], Math.PI / 2);
  expect([x, y, z].map((value) => Math.round(value * 1e9) / 1e9)).toEqual([0, 1, 0.5]);
});
