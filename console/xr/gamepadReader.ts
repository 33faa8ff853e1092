/** Reads clutch, gripper, buttons and stick of a controller. */
import type { HandPose } from "../../core/teleop/pose.js";
import type { XrButtonLike, XrGamepadLike } from "./xrTypes.js";

/** Buttons of the WebXR Gamepads Module's "xr-standard" mapping; A and B are X and Y on a left controller. */
const XR_STANDARD = { trigger: 0, squeeze: 1, stick: 3, a: 4, b: 5 } as const;
/** First axis of the thumbstick; a device without one has a touchpad at 0. */
const STICK_AXIS = 2;

export type Buttons = Pick<HandPose, "clutch" | "gripper" | "buttons" | "stick">;
export const NO_BUTTONS: Buttons = {
  clutch: 0,
  gripper: 0,
  buttons: { a: false, b: false, stick: false },
  stick: [0, 0],
};

/** Undefined where no clutch can be read: a gamepad of another mapping has its buttons who knows where. */
export function readGamepad(gamepad: XrGamepadLike | null | undefined): Buttons | undefined {
  if (gamepad == null || gamepad.mapping !== "xr-standard") return undefined;
  const { buttons, axes } = gamepad;
  if (buttons[XR_STANDARD.squeeze] === undefined) return undefined;
  const first = axes.length > STICK_AXIS ? STICK_AXIS : 0;
  return {
    clutch: share(buttons[XR_STANDARD.squeeze]),
    gripper: share(buttons[XR_STANDARD.trigger]),
    buttons: {
      a: buttons[XR_STANDARD.a]?.pressed === true,
      b: buttons[XR_STANDARD.b]?.pressed === true,
      stick: buttons[XR_STANDARD.stick]?.pressed === true,
    },
    stick: [axis(axes[first]), axis(axes[first + 1])],
  };
}

function share(button: XrButtonLike | undefined): number {
  if (button === undefined) return 0;
  return Number.isFinite(button.value) ? Math.min(1, Math.max(0, button.value)) : button.pressed ? 1 : 0;
}

const axis = (value: number | null | undefined): number =>
  typeof value === "number" && Number.isFinite(value) ? Math.min(1, Math.max(-1, value)) : 0;
