/**
 * `?emulate=1`: an emulated headset in this browser, for people without one, tests and pictures. Loaded only then. It
 * goes in front of the browser's own WebXR, which exists without a headset too.
 */
import type { TrackedPose } from "../../core/teleop/pose.js";
import { EmulatedDevice, restingPose } from "./emulatedDevice.js";

declare global {
  interface Window {
    /** The emulated headset, for the browser's developer console and for tests. */
    cerebellumHeadset?: EmulatedDevice;
  }
}

const STEP_M = 0.01;
/** Keys that move the right controller or hand: axis and direction, in WebXR's axes. */
const MOVES: Readonly<Record<string, readonly [axis: 0 | 1 | 2, sign: 1 | -1]>> = {
  ArrowRight: [0, 1],
  ArrowLeft: [0, -1],
  PageUp: [1, 1],
  PageDown: [1, -1],
  ArrowDown: [2, 1],
  ArrowUp: [2, -1],
};
const BUTTONS: Readonly<Record<string, "squeeze" | "trigger" | "a" | "b" | "stick">> = {
  " ": "squeeze",
  t: "trigger",
  a: "a",
  b: "b",
  s: "stick",
};

export function installEmulatedHeadset(): EmulatedDevice {
  const device = new EmulatedDevice();
  device.xrDevice.installRuntime({ forceInstall: true });
  device.beforeFrame();
  window.cerebellumHeadset = device;
  listenToKeys(device);
  return device;
}

function listenToKeys(device: EmulatedDevice): void {
  let pose: TrackedPose = restingPose("right");
  let showsHands = false;
  let isClosed = false;
  const showRight = (): void => {
    if (showsHands) device.setHand("right", pose, { index: Number(isClosed) });
    else device.setController("right", pose);
  };
  const pressHands = (key: string, isDown: boolean): boolean => {
    if (key === " ") device.setPinch("left", isDown);
    else if (key === "f") {
      isClosed = isDown;
      showRight();
    } else return false;
    return true;
  };
  const press = (key: string, isDown: boolean): boolean => {
    if (showsHands) return pressHands(key, isDown);
    const button = BUTTONS[key];
    if (button === undefined) return false;
    const isAnalog = button === "squeeze" || button === "trigger";
    device.setButtons("right", { [button]: isAnalog ? Number(isDown) : isDown });
    return true;
  };
  window.addEventListener("keydown", (event) => {
    if (event.target instanceof HTMLInputElement) return;
    const move = MOVES[event.key];
    if (move !== undefined) {
      const [axis, sign] = move;
      const positionM = pose.positionM.map((value, index) =>
        index === axis ? value + sign * STEP_M : value,
      );
      pose = { ...pose, positionM: positionM as TrackedPose["positionM"] };
      showRight();
    }
    if (event.key === "h" && !event.repeat) {
      for (const key of Object.keys(BUTTONS)) press(key, false);
      showsHands = !showsHands;
      showRight();
    }
    if (event.key === "Escape") void device.xrDevice.activeSession?.end();
    if (press(event.key, true) || move !== undefined) event.preventDefault();
  });
  window.addEventListener("keyup", (event) => press(event.key, false));
  window.addEventListener("blur", () => {
    for (const key of [...Object.keys(BUTTONS), "f"]) press(key, false);
  });
}
