/** What a trigger or button asks of the gripper, so that pressing the clutch alone never opens or closes it. */
import type { MappingConfig } from "./config.js";

/** The trigger takes over where the gripper was left; where that is not known, once it has moved so far since the press. */
const TAKEOVER_SHARE = 0.1;
/** Smaller changes are not asked for [m]. */
const STEP_M = 5e-4;
/** A button counts as pressed above the one and as released below the other. */
const PRESSED = 0.6;
const RELEASED = 0.4;

export class GripperControl {
  readonly #config: MappingConfig["gripper"];
  #engagedAt = 0;
  /** Trigger that the gripper was left at by the engagement before; NaN before the first. */
  #leftAt = Number.NaN;
  #trigger = Number.NaN;
  #follows = false;
  #isPressed = false;
  #isClosed = false;
  #askedM = Number.NaN;

  constructor(config: MappingConfig["gripper"]) {
    this.#config = config;
  }

  /** The clutch is pressed while the trigger is here: the gripper stays as it is. */
  engage(trigger: number): void {
    if (this.#follows) this.#leftAt = this.#trigger;
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
    if (!this.#follows && !this.#takesOver(trigger)) return Number.NaN;
    this.#follows = true;
    this.#trigger = trigger;
    const { openM, closedM } = this.#config;
    const openingM = openM + Math.min(1, Math.max(0, trigger)) * (closedM - openM);
    const isSmall = Math.abs(openingM - this.#askedM) < (isEnd ? Number.EPSILON : STEP_M);
    if (isSmall) return Number.NaN;
    this.#askedM = openingM;
    return openingM;
  }

  /** A hand that comes with an open trigger, and pulls it to hold on, must not open the gripper first. */
  #takesOver(trigger: number): boolean {
    const [from, at] = [this.#engagedAt, this.#leftAt];
    if (Number.isNaN(at)) return Math.abs(trigger - from) >= TAKEOVER_SHARE;
    return trigger !== from && (trigger - at) * (from - at) <= 0;
  }

  #toggle(trigger: number): number {
    if (trigger <= RELEASED) this.#isPressed = false;
    if (this.#isPressed || trigger < PRESSED) return Number.NaN;
    this.#isPressed = true;
    this.#isClosed = !this.#isClosed;
    return this.#isClosed ? this.#config.closedM : this.#config.openM;
  }
}
