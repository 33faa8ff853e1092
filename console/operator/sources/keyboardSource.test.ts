import { describe, expect, it } from "vitest";
import { KeyboardSource, type KeyLike } from "./keyboardSource.js";

const key = (code: string, change: Partial<KeyLike> = {}): KeyLike => ({
  code,
  repeat: false,
  shiftKey: false,
  ctrlKey: false,
  altKey: false,
  metaKey: false,
  ...change,
});
const shift = key("ShiftLeft", { shiftKey: true });
const held = (code: string, change: Partial<KeyLike> = {}) => key(code, { shiftKey: true, ...change });

function moving(): KeyboardSource {
  const keyboard = new KeyboardSource(() => {});
  keyboard.keyDown(shift);
  keyboard.keyDown(held("KeyW"));
  expect(keyboard.read()).toEqual({ isHeld: true, linear: [1, 0, 0], angular: [0, 0, 0] });
  return keyboard;
}

describe("keys without the clutch", () => {
  it("move nothing", () => {
    const keyboard = new KeyboardSource(() => {});
    keyboard.keyDown(key("KeyW"));
    keyboard.keyDown(key("ArrowLeft"));
    expect(keyboard.read()).toEqual({ isHeld: false, linear: [0, 0, 0], angular: [0, 0, 0] });
  });
});

describe("the clutch is let go", () => {
  it.each<[string, (keyboard: KeyboardSource) => void]>([
    ["by its key going up", (keyboard) => keyboard.keyUp(key("ShiftLeft"))],
    ["by the other Shift going up", (keyboard) => keyboard.keyUp(key("ShiftRight", { shiftKey: true }))],
    ["when a key goes up and Shift was up already", (keyboard) => keyboard.keyUp(key("KeyW"))],
    ["when a key goes down and Shift was up already", (keyboard) => keyboard.keyDown(key("KeyA"))],
    ["when the mouse shows that Shift is up", (keyboard) => keyboard.seeShift(false)],
    ["by Meta, which swallows key-ups", (keyboard) => keyboard.keyDown(held("KeyS", { metaKey: true }))],
    ["by Control", (keyboard) => keyboard.keyDown(held("KeyS", { ctrlKey: true }))],
    ["by Alt", (keyboard) => keyboard.keyDown(held("Tab", { altKey: true }))],
    ["by a release from outside: focus lost, page hidden", (keyboard) => keyboard.release()],
  ])("%s", (_, happens) => {
    const keyboard = moving();
    happens(keyboard);
    expect(keyboard.read().isHeld).toBe(false);
    expect(keyboard.isHeld).toBe(false);
  });

  it("and its repeats do not press it again", () => {
    const keyboard = moving();
    keyboard.release();
    keyboard.keyDown(held("ShiftLeft", { repeat: true }));
    keyboard.keyDown(held("KeyW", { repeat: true }));
    expect(keyboard.read().isHeld).toBe(false);
    keyboard.keyDown(shift);
    expect(keyboard.read().isHeld).toBe(true);
  });

  it("not by a key that goes up while it stays down", () => {
    const keyboard = moving();
    keyboard.keyUp(held("KeyW"));
    expect(keyboard.read()).toEqual({ isHeld: true, linear: [0, 0, 0], angular: [0, 0, 0] });
  });
});

describe("keys with the clutch", () => {
  it("add up, and opposite ones cancel", () => {
    const keyboard = moving();
    keyboard.keyDown(held("KeyE"));
    keyboard.keyDown(held("ArrowLeft"));
    expect(keyboard.read()).toEqual({ isHeld: true, linear: [1, 0, 1], angular: [0, 0, 1] });
    keyboard.keyDown(held("KeyS"));
    expect(keyboard.read().linear).toEqual([0, 0, 1]);
  });

  it("the gripper's key acts once a press, and only keys of ours are ours", () => {
    let presses = 0;
    const keyboard = new KeyboardSource(() => presses++);
    expect(keyboard.keyDown(key("KeyG"))).toBe(true);
    expect(keyboard.keyDown(key("KeyG", { repeat: true }))).toBe(true);
    expect(presses).toBe(1);
    expect(keyboard.keyDown(key("KeyZ"))).toBe(false);
    expect(keyboard.keyDown(key("KeyR"))).toBe(false);
  });
});
