/**
 * A gamepad with the standard mapping (W3C Gamepad): left stick moves, right stick turns and lifts, left bumper is the
 * clutch, right trigger the gripper. A bumper that is down when the source starts or after a release does not count until
 * it was up once.
 */
import { AT_REST, type DriveInput, type DriveSource, withoutDeadzone } from "./driveInput.js";

export interface GamepadLike {
  readonly id: string;
  readonly connected: boolean;
  readonly mapping: string;
  readonly axes: readonly number[];
  readonly buttons: readonly { readonly pressed: boolean; readonly value: number }[];
}

export const GAMEPAD_DEADZONE = 0.15;
const BUTTONS = { clutch: 4, turnInstead: 5, gripper: 7 } as const;

export class GamepadSource implements DriveSource {
  readonly #pads: () => readonly (GamepadLike | null)[];
  readonly #onGripper: (share: number) => void;
  #mustLetGo = true;
  #trigger: number | undefined;

  constructor(pads: () => readonly (GamepadLike | null)[], onGripper: (share: number) => void) {
    this.#pads = pads;
    this.#onGripper = onGripper;
  }

  /** The first one that is connected and laid out as expected. */
  get pad(): GamepadLike | undefined {
    return this.#pads().find(
      (pad): pad is GamepadLike => pad?.connected === true && pad.mapping === "standard",
    );
  }

  release(): void {
    this.#mustLetGo = true;
  }

  read(): DriveInput {
    const { pad } = this;
    if (pad === undefined) {
      this.#mustLetGo = true;
      return AT_REST;
    }
    const isDown = pad.buttons[BUTTONS.clutch]?.pressed === true;
    if (!isDown) this.#mustLetGo = false;
    this.#followTrigger(pad.buttons[BUTTONS.gripper]?.value ?? 0);
    if (!isDown || this.#mustLetGo) return AT_REST;
    const [leftX = 0, leftY = 0, rightX = 0, rightY = 0] = pad.axes.map((value) =>
      withoutDeadzone(value, GAMEPAD_DEADZONE),
    );
    // Up on a stick is negative. The right bumper makes the left stick turn the tool.
    return pad.buttons[BUTTONS.turnInstead]?.pressed === true
      ? { isHeld: true, linear: [0, 0, 0], angular: [leftX, -leftY, -rightX] }
      : { isHeld: true, linear: [-leftY, -leftX, -rightY], angular: [0, 0, -rightX] };
  }

  /** The trigger moves the gripper only when it is moved itself: at rest it does not open what holds a thing. */
  #followTrigger(value: number): void {
    if (this.#trigger === undefined) this.#trigger = value;
    if (Math.abs(value - this.#trigger) < 0.02) return;
    this.#trigger = value;
    this.#onGripper(value);
  }
}
