/** What a trigger or button asks of the gripper, so that pressing the clutch alone never opens or closes it. */
import type { MappingConfig } from "./config.js";

/** The trigger takes over once it has moved so far since the clutch was pressed. */
const TAKEOVER_SHARE = 0.1;
/** Smaller changes are not asked for [m]. */
const STEP_M = 5e-4;
/** A button counts as pressed above the one and as released below the other. */
const PRESSED = 0.6;
const RELEASED = 0.4;

export class GripperControl {
  readonly #config: MappingConfig["gripper"];
  #engagedAt = 0;
  #follows = false;
  #isPressed = false;
  #isClosed = false;
  #askedM = Number.NaN;

  constructor(config: MappingConfig["gripper"]) {
    this.#config = config;
  }

  /** The clutch is pressed while the trigger is here: the gripper stays as it is. */
  engage(trigger: number): void {
    this.#engagedAt = trigger;
    this.#follows = false;
    this.#isPressed = trigger >= PRESSED;
    this.#askedM = Number.NaN;
  }

  /** Opening [m] to ask for, or NaN when nothing new is wanted. */
  next(trigger: number): number {
    if (!Number.isFinite(trigger)) return Number.NaN;
    return this.#config.control === "button" ? this.#toggle(trigger) : this.#follow(trigger);
  }

  #follow(trigger: number): number {
    const isEnd = trigger <= 0 || trigger >= 1;
    if (!this.#follows && Math.abs(trigger - this.#engagedAt) < TAKEOVER_SHARE) return Number.NaN;
    this.#follows = true;
    const { openM, closedM } = this.#config;
    const openingM = openM + Math.min(1, Math.max(0, trigger)) * (closedM - openM);
    const isSmall = Math.abs(openingM - this.#askedM) < (isEnd ? Number.EPSILON : STEP_M);
    if (isSmall) return Number.NaN;
    this.#askedM = openingM;
    return openingM;
  }

  #toggle(trigger: number): number {
    if (trigger <= RELEASED) this.#isPressed = false;
    if (this.#isPressed || trigger < PRESSED) return Number.NaN;
    this.#isPressed = true;
    this.#isClosed = !this.#isClosed;
    return this.#isClosed ? this.#config.closedM : this.#config.openM;
  }
}
