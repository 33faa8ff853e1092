/**
 * Driving from this page. Of an arm: takes teleoperation, lets the chosen source send poses, and ends that when it was given back,
 * taken away, or the connection is lost. A robot on legs is steered the same way, by what its policy is asked for. What ended is
 * never resumed by itself.
 */
import type { Telemetry, TeleopStatus } from "../../../core/gateway/server.js";
import type { SteeringStatus } from "../../../core/gateway/steering.js";
import type { PoseSource } from "../../../core/teleop/pose.js";
import { type DriveSource, onlyWhile, type SpeedName, type Standpoint } from "../sources/driveInput.js";
import { type GamepadLike, GamepadSource } from "../sources/gamepadSource.js";
import { KeyboardSource } from "../sources/keyboardSource.js";
import { bothOf, PadSource } from "../sources/padSource.js";
import { PoseStream } from "../sources/poseStream.js";
import { SpaceMouseSource } from "../sources/spaceMouseSource.js";
import { type PaceName, VelocityStream } from "../sources/velocityStream.js";
import { question } from "./confirm.js";
import type { OperatorApp } from "./operatorApp.js";
import { Value } from "./value.js";

/** Sources of this page; a headset has a page of its own. */
export type PageSource = "keyboard" | "gamepad" | "spacemouse";

/** Opening [m] at which a gripper counts as open; the daemon's own setting may differ a little. */
const GRIPPER_OPEN_M = 0.08;
const START_M = [0.4, 0, 0.3] as const;

export class DriveControl {
  readonly source = new Value<PageSource>("keyboard");
  readonly speed = new Value<SpeedName>("normal");
  readonly standpoint = new Value<Standpoint>("behind");
  /** Of a robot that walks. */
  readonly pace = new Value<PaceName>("normal");
  /** Changes whenever something is pressed or let go. */
  readonly pressed = new Value({});
  readonly isHeld = new Value(false);
  /** Why the last hold ended, other than by the operator's hand. */
  readonly letGoWhy = new Value("");
  readonly isDriving = new Value(false);
  /** Of the SpaceMouse that is listened to; empty when there is none. */
  readonly spaceMouseName = new Value("");
  /** Cameras and keys are on the screen: nobody drives an arm from another page. */
  isShown = false;
  /** Gamepads are read without the focus too: then Escape would stop nothing, and the hand may mean another window. */
  hasFocus: () => boolean = () => true;
  readonly keyboard: KeyboardSource;
  readonly pad: PadSource;
  readonly gamepad: GamepadSource;
  readonly spaceMouse: SpaceMouseSource;
  /** Monotonic [ms] of the page; episode keys wait a moment after it. */
  heldMs = Number.NEGATIVE_INFINITY;
  readonly #app: OperatorApp;
  readonly #newSession: () => string;
  #stream: PoseStream | undefined;
  #walk: { readonly robot: string; readonly stream: VelocityStream } | undefined;
  #isMine = false;

  constructor(app: OperatorApp, newSession: () => string) {
    this.#app = app;
    this.#newSession = newSession;
    const changed = () => this.pressed.set({});
    const toggle = () => this.toggleGripper();
    this.keyboard = new KeyboardSource(toggle, changed);
    this.pad = new PadSource(changed);
    this.gamepad = new GamepadSource(gamepads, (share) => this.setGripper(share));
    this.spaceMouse = new SpaceMouseSource(() => app.clock.nowMs(), toggle);
  }

  get gripper(): number {
    return this.#stream?.gripper ?? 0;
  }

  /** Takes teleoperation of the robot and starts the chosen source. False when it was refused. */
  async take(robot: string): Promise<boolean> {
    const answer = await this.#app.ask({ do: "takeTeleop", robot });
    if (answer === undefined) return false;
    this.#isMine = true;
    this.#start(robot);
    return true;
  }

  /** Steers a robot on legs by the chosen source, while its policy runs. */
  walk(robot: string): void {
    this.end("another robot");
    this.#startWalk(robot);
  }

  async give(): Promise<void> {
    const isTaken = this.#isMine;
    this.end("given back");
    if (isTaken) await this.#app.ask({ do: "giveTeleop" });
  }

  choose(source: PageSource): void {
    this.source.set(source);
    if (this.#walk !== undefined) this.#startWalk(this.#walk.robot);
    const robot = this.#app.teleop.current?.robot;
    if (this.#isMine && robot !== undefined) this.#start(robot);
  }

  setSpeed(speed: SpeedName): void {
    this.speed.set(speed);
    if (this.#stream !== undefined) this.#stream.speed = speed;
  }

  setPace(pace: PaceName): void {
    this.pace.set(pace);
    if (this.#walk !== undefined) this.#walk.stream.pace = pace;
  }

  setStandpoint(standpoint: Standpoint): void {
    // Under a hand that moves, forward would become backward.
    this.release("the standpoint was changed");
    this.standpoint.set(standpoint);
    if (this.#stream !== undefined) this.#stream.standpoint = standpoint;
  }

  /** Only while something is held: the gripper does not move without, and would then stand elsewhere than is shown. */
  toggleGripper(): void {
    if (this.isHeld.current) this.#stream?.toggleGripper();
    this.pressed.set({});
  }

  setGripper(share: number): void {
    if (this.#stream !== undefined) this.#stream.gripper = share;
    this.pressed.set({});
  }

  /** Lets go of every source at once; a new press moves again. */
  release(why: string): void {
    for (const source of [this.keyboard, this.pad, this.gamepad, this.spaceMouse]) source.release();
    this.#stream?.release(why);
    this.#walk?.stream.release(why);
  }

  /** This page drives no more, until it takes again. */
  end(why: string): void {
    this.release(why);
    this.#stream?.close();
    this.#stream = undefined;
    this.#walk?.stream.close();
    this.#walk = undefined;
    this.#isMine = false;
    this.isDriving.set(false);
  }

  follow({ operator, hand, state }: TeleopStatus): void {
    const me = this.#app.welcome.current?.client;
    if (!this.#isMine) return;
    if (state === "off" || operator !== me) this.end("teleoperation was given back");
    else if (this.#stream !== undefined) this.#stream.hand = hand;
  }

  #start(robot: string): void {
    this.release("another source");
    this.#stream?.close();
    this.#walk?.stream.close();
    this.#walk = undefined;
    const { link, clock, newest, teleop } = this.#app;
    const state = newest?.robots[robot];
    const source = this.source.current;
    const openingM = state?.gripperCommandM ?? state?.gripperOpeningM ?? GRIPPER_OPEN_M;
    this.#stream = new PoseStream({
      clock,
      send: (pose) => link.sendPose(pose),
      session: this.#newSession(),
      source: source satisfies PoseSource,
      device: `console-${source}`,
      input: this.#input(() => true),
      hand: teleop.current?.hand ?? "right",
      startM: state?.tool?.positionM ?? START_M,
      gripper: Math.min(1, Math.max(0, 1 - openingM / GRIPPER_OPEN_M)),
      onChange: (isHeld, why) => this.#onHold(isHeld, why),
    });
    this.#stream.speed = this.speed.current;
    this.#stream.standpoint = this.standpoint.current;
    this.#stream.start();
    this.isDriving.set(true);
  }

  #startWalk(robot: string): void {
    this.release("another source");
    this.#walk?.stream.close();
    const { link, clock } = this.#app;
    const range = () => walkOf(this.#app.newest, robot)?.range;
    const stream = new VelocityStream({
      clock,
      robot,
      range,
      send: (asked) => link.sendVelocity(asked),
      input: this.#input(() => range() !== undefined),
      onChange: (isHeld, why) => this.#onHold(isHeld, why),
    });
    stream.pace = this.pace.current;
    stream.start();
    this.#walk = { robot, stream };
    this.isDriving.set(true);
  }

  /** The chosen source and the pads, while the robot is before the operator's eyes and may be moved. */
  #input(mayMove: () => boolean): DriveSource {
    const focused = () => this.hasFocus();
    const inputs = {
      keyboard: this.keyboard,
      gamepad: onlyWhile(focused, this.gamepad),
      spacemouse: onlyWhile(focused, this.spaceMouse),
    };
    const { isTelemetryOld } = this.#app;
    const isSeen = () =>
      this.isShown && question.current === undefined && !isTelemetryOld.current && mayMove();
    return onlyWhile(isSeen, bothOf(inputs[this.source.current], this.pad));
  }

  #onHold(isHeld: boolean, why: string): void {
    this.isHeld.set(isHeld);
    this.heldMs = this.#app.clock.nowMs();
    this.letGoWhy.set(isHeld || why !== "released" ? why : "");
  }
}

/** What a policy that runs on the robot takes; undefined when none does that takes a velocity. */
export function walkOf(telemetry: Telemetry | undefined, robot: string): SteeringStatus | undefined {
  const { phase, steering } = telemetry?.policy ?? {};
  return phase === "running" && steering?.robot === robot ? steering : undefined;
}

/** Browsers without the Gamepad API, and pages in Node, have none. */
function gamepads(): readonly (GamepadLike | null)[] {
  return typeof navigator !== "undefined" && "getGamepads" in navigator ? navigator.getGamepads() : [];
}
