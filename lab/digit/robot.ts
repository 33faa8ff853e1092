/**
 * The emulated Digit's control program: operation modes, the low-level interface's time-out and fallback, limits, and the
 * robot's own controller, which stands and is carried along. A millisecond at a time; it neither waits nor reads time.
 */
import { MOTOR_COUNT, MOTORS } from "../../drivers/digit/protocol/joints.js";
import { addBalance } from "../../kinematics/digit/balance.js";
import type { WalkVelocity } from "../../kinematics/digit/stepping.js";
import { type DigitBody, type MotorDrive, tiltRad } from "./body.js";
import { CommandLog } from "./commandLog.js";
import type { DigitFaults, Events, OperationMode } from "./digitFaults.js";
import { type DriveCause, effectOf, MotorLog } from "./motorLog.js";
import {
  COMMAND_TIMEOUT_MS,
  DAMPING_SHARE,
  ERROR_SHUTDOWN_DELAY_S,
  FALLEN_TILT_RAD,
  MODE_CHANGE_MS,
  MOTOR_LIMITS,
  STAND_DAMPING_NM_S_PER_RAD,
  STAND_RAMP_MS,
  STAND_STIFFNESS_NM_PER_RAD,
  UPRIGHT_HEIGHT_M,
  UPRIGHT_TILT_RAD,
  WALK_MAX,
} from "./specs.js";
import { VendorWalk } from "./vendorWalk.js";

/** As it came over the wire. */
export interface LowLevelCommand extends MotorDrive {
  readonly fallback: number;
  readonly apply: boolean;
}

export type ModeReason =
  | "start"
  | "request"
  | "timeout"
  | "error"
  | "emergencyStop"
  | "fall"
  | "restart"
  | "other";
export interface ModeChange {
  readonly atMs: number;
  readonly mode: OperationMode;
  readonly why: ModeReason;
}
export interface ModeOutcome {
  readonly status: "success" | "failure" | "inactive";
  readonly info: string;
}

export interface RobotCounters {
  commands: number;
  /** Commands with a number that is none: not taken. */
  notFinite: number;
  /** Values beyond a motor's limit, cut to it. */
  clampedTorques: number;
  clampedDampings: number;
  clampedVelocities: number;
  /** Applied commands in another mode than low-level-api: without effect. */
  appliedInOtherMode: number;
  timeouts: number;
}

const FALLBACKS: readonly OperationMode[] = ["disabled", "damping", "locomotion"];
const TICK_S = 0.001;
const MODE_CHANGES_MAX = 1000;

export class EmulatedRobot {
  /** Another one where people have carried the robot elsewhere. */
  body: DigitBody;
  readonly motorLog = new MotorLog();
  readonly commandLog = new CommandLog();
  readonly counters: RobotCounters = {
    commands: 0,
    notFinite: 0,
    clampedTorques: 0,
    clampedDampings: 0,
    clampedVelocities: 0,
    appliedInOtherMode: 0,
    timeouts: 0,
  };
  readonly modeChanges: ModeChange[] = [];
  /** Offsets of encoders that have slipped [rad]. */
  readonly encoderOffsetRad = new Float64Array(MOTOR_COUNT);
  /** Told to whoever listens to the robot's warnings. */
  onWarning: (info: string) => void = () => {};
  readonly #faults: DigitFaults;
  readonly #command: LowLevelCommand & { fallback: number; apply: boolean };
  readonly #entryRad = new Float64Array(MOTOR_COUNT);
  readonly #targetRad = new Float64Array(MOTOR_COUNT);
  readonly #walk = new VendorWalk();
  #mode: OperationMode = "locomotion";
  #enteredMs: number;
  #nowMs: number;
  #commandMs = Number.NEGATIVE_INFINITY;
  #errorMs: number | undefined;
  #startMs: number;
  #timeOffsetS = 0;
  #pending: { mode: OperationMode; dueMs: number; done: (outcome: ModeOutcome) => void } | undefined;

  constructor(body: DigitBody, faults: DigitFaults, nowMs: number) {
    this.body = body;
    this.#faults = faults;
    this.#nowMs = nowMs;
    this.#startMs = nowMs;
    this.#enteredMs = nowMs;
    const motors = () => new Float64Array(MOTOR_COUNT);
    this.#command = {
      torqueNm: motors(),
      velocityRadPerS: motors(),
      dampingNmSPerRad: motors(),
      fallback: 0,
      apply: false,
    };
    this.#enter("locomotion", "start");
  }

  get mode(): OperationMode {
    return this.#mode;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Since the control program's start [s]. */
  get timeS(): number {
    return (this.#nowMs - this.#startMs) / 1000 + this.#timeOffsetS;
  }

  /** Whether low-level commands arrive. */
  get hasCommands(): boolean {
    return this.#nowMs - this.#commandMs <= COMMAND_TIMEOUT_MS;
  }

  get hasError(): boolean {
    return this.#errorMs !== undefined;
  }

  get isUpright(): boolean {
    const { truth } = this.body;
    return tiltRad(truth) < UPRIGHT_TILT_RAD && truth.positionWorldM[2]! > UPRIGHT_HEIGHT_M;
  }

  /** A low-level command has arrived. */
  take(command: LowLevelCommand, atMs: number): void {
    if (this.#faults.has("isDeaf") || this.#faults.has("hangs")) return;
    this.counters.commands++;
    let peakNm = 0;
    for (let motor = 0; motor < MOTOR_COUNT; motor++) {
      const [torque, velocity, damping] = [
        command.torqueNm[motor]!,
        command.velocityRadPerS[motor]!,
        command.dampingNmSPerRad[motor]!,
      ];
      if (!Number.isFinite(torque + velocity + damping)) {
        this.counters.notFinite++;
        return;
      }
      peakNm = Math.max(peakNm, Math.abs(torque));
    }
    this.#commandMs = atMs;
    this.commandLog.note(atMs, command.apply, command.fallback, effectOf(command), peakNm);
    this.#keepWithinLimits(command);
    this.#command.fallback = command.fallback;
    this.#command.apply = command.apply;
    if (command.apply && this.#mode !== "low-level-api") this.counters.appliedInOtherMode++;
  }

  /** Somebody asks for a mode; `done` is called once, now or after a while. */
  requestMode(mode: OperationMode, done: (outcome: ModeOutcome) => void): void {
    const refusal = this.#refusalOf(mode);
    if (refusal !== undefined) {
      done({ status: "failure", info: refusal });
      return;
    }
    this.dropRequest("another mode was asked for");
    const waitMs = this.#faults.get("slowsMode")?.ms ?? MODE_CHANGE_MS;
    this.#pending = { mode, dueMs: this.#nowMs + waitMs, done };
  }

  /** Its own controller is to walk at this velocity, or to stand. @returns why it does not, empty where it does */
  walk(velocity: WalkVelocity | undefined): string {
    if (this.#mode !== "locomotion") return `not available in mode ${this.#mode}`;
    const refusal = velocity === undefined ? "" : this.#refusalToWalk(velocity);
    if (refusal === "") this.#walk.ask(velocity);
    return refusal;
  }

  get isWalking(): boolean {
    return this.#walk.isWalking;
  }

  #refusalToWalk(velocity: WalkVelocity): string {
    if (!this.body.isOnLevelGround) return "the emulated controller walks on level ground only";
    for (const [name, limit] of Object.entries(WALK_MAX) as [keyof WalkVelocity, number][])
      if (!(Math.abs(velocity[name]) <= limit)) return `${name} is ${velocity[name]}, at most ${limit}`;
    return "";
  }

  /** Whoever asked has no say any more. */
  dropRequest(info: string): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.done({ status: "inactive", info });
  }

  /** The mode changes by something else than a request. */
  force(mode: OperationMode, why: ModeReason): void {
    this.dropRequest(`mode is ${mode}: ${why}`);
    this.#enter(mode, why);
  }

  happen(name: "timeJumps" | "jumps" | "pushes" | "pulls" | "standsUp", event: Events[typeof name]): void {
    switch (name) {
      case "timeJumps":
        this.#timeOffsetS += (event as Events["timeJumps"]).s;
        return;
      case "jumps": {
        const { motor, rad } = event as Events["jumps"];
        this.encoderOffsetRad[MOTORS.indexOf(motor as (typeof MOTORS)[number])]! += rad;
        return;
      }
      case "pushes": {
        const { forceN, ms } = event as Events["pushes"];
        this.body.push(forceN, ms / 1000);
        return;
      }
      case "pulls": {
        const { anchorM: anchorWorldM, lengthM, stiffnessNPerM, forceMaxN, ms } = event as Events["pulls"];
        this.body.pull({ anchorWorldM, lengthM, stiffnessNPerM, forceMaxN }, ms / 1000);
        return;
      }
      case "standsUp":
        this.#walk.end(this.body);
        this.body.reset();
        this.force("locomotion", "other");
    }
  }

  /** As after a power cycle of the computer: nothing is known of before, and nothing moves by itself. */
  restart(): void {
    this.#startMs = this.#nowMs;
    this.#timeOffsetS = 0;
    this.#commandMs = Number.NEGATIVE_INFINITY;
    this.#command.fallback = 0;
    this.#command.apply = false;
    this.force("disabled", "restart");
  }

  /** The process that plays the robot has lost time: the robot has not lived through it. */
  skip(ms: number): void {
    this.#nowMs += ms;
    this.#startMs += ms;
    this.#enteredMs += ms;
    // Commands of before the pause are as old as they were; those that came meanwhile are new.
    this.#commandMs = Math.min(this.#commandMs + ms, this.#nowMs);
  }

  /** One millisecond passes. */
  tick(): void {
    this.#nowMs += 1;
    this.#watch();
    const cause = this.#drive();
    if (cause !== "locomotion") this.#walk.end(this.body);
    this.motorLog.note(this.#nowMs, cause, this.body.drive, this.body.truth.torqueNm);
    this.body.step(TICK_S);
  }

  #watch(): void {
    const faults = this.#faults;
    if (faults.has("hangs")) return;
    if (faults.has("emergencyStop") && this.#mode !== "disabled") this.force("disabled", "emergencyStop");
    this.#errorMs = faults.has("tellsError") ? (this.#errorMs ?? this.#nowMs) : undefined;
    const pending = this.#pending;
    if (pending !== undefined && this.#nowMs >= pending.dueMs) {
      this.#pending = undefined;
      this.#enter(pending.mode, "request");
      pending.done({ status: "success", info: "" });
    }
    if (this.#mode === "locomotion" && tiltRad(this.body.truth) > FALLEN_TILT_RAD) {
      this.force("damping", "fall");
      this.onWarning("the robot has fallen");
    }
    if (this.#mode !== "low-level-api") return;
    if (!this.hasCommands) {
      this.counters.timeouts++;
      this.force(this.#fallback, "timeout");
      this.onWarning(`no low-level command for ${COMMAND_TIMEOUT_MS} ms: ${this.#mode}`);
    } else if (this.#errorMs !== undefined && this.#nowMs - this.#errorMs >= 1000 * ERROR_SHUTDOWN_DELAY_S) {
      this.force(this.#fallback, "error");
      this.onWarning(`the low-level interface is off after an error: ${this.#mode}`);
    }
  }

  /** A number that is none of the enumeration falls back to no power. */
  get #fallback(): OperationMode {
    return FALLBACKS[this.#command.fallback] ?? "disabled";
  }

  #refusalOf(mode: OperationMode): string | undefined {
    const faults = this.#faults;
    if (faults.has("emergencyStop") && mode !== "disabled") return "the emergency stop is pressed";
    const refuses = faults.get("refusesMode");
    if (refuses !== undefined) return refuses.info;
    if (mode === "low-level-api" && !this.hasCommands) return "no low-level commands are present";
    if (mode === "low-level-api" && this.hasError) return "the robot has an error";
    if (mode === "locomotion" && !this.isUpright) return "the robot does not stand";
    return undefined;
  }

  #enter(mode: OperationMode, why: ModeReason): void {
    this.#mode = mode;
    this.#enteredMs = this.#nowMs;
    this.#entryRad.set(this.body.truth.positionRad);
    this.modeChanges.push({ atMs: this.#nowMs, mode, why });
    if (this.modeChanges.length > MODE_CHANGES_MAX) this.modeChanges.shift();
  }

  #drive(): DriveCause {
    if (this.#faults.has("hangs") || this.#faults.has("emergencyStop")) return this.#limp("unpowered");
    const cause = this.#driveInMode();
    const weakens = this.#faults.get("weakens");
    for (const name of weakens?.motors ?? []) {
      const motor = MOTORS.indexOf(name as (typeof MOTORS)[number]);
      this.body.drive.torqueNm[motor]! *= weakens!.share;
      this.body.drive.dampingNmSPerRad[motor]! *= weakens!.share;
    }
    return cause;
  }

  #driveInMode(): DriveCause {
    switch (this.#mode) {
      case "disabled":
        return this.#limp("disabled");
      case "damping":
        return this.#damp("damping");
      case "locomotion":
        return this.#stand();
      case "joint":
        return this.#hold("joint", this.#entryRad);
      case "low-level-api":
        if (this.#command.apply) return this.#follow();
        return this.#fallback === "disabled" ? this.#limp("idle") : this.#damp("idle");
    }
  }

  #limp(cause: DriveCause): DriveCause {
    const { drive } = this.body;
    drive.torqueNm.fill(0);
    drive.velocityRadPerS.fill(0);
    drive.dampingNmSPerRad.fill(0);
    return cause;
  }

  #damp(cause: DriveCause): DriveCause {
    this.#limp(cause);
    for (let motor = 0; motor < MOTOR_COUNT; motor++)
      this.body.drive.dampingNmSPerRad[motor] = DAMPING_SHARE * MOTOR_LIMITS[motor]!.dampingNmSPerRad;
    return cause;
  }

  #stand(): DriveCause {
    const share = Math.min(1, (this.#nowMs - this.#enteredMs) / STAND_RAMP_MS);
    const { truth, standRad } = this.body;
    for (let motor = 0; motor < MOTOR_COUNT; motor++)
      this.#targetRad[motor] = this.#entryRad[motor]! + share * (standRad[motor]! - this.#entryRad[motor]!);
    addBalance(this.#targetRad, truth.quatWorldBaseXyzw, truth.angularVelocityBaseRadPerS);
    this.#walk.tick(this.body, this.#targetRad, TICK_S);
    return this.#hold("locomotion", this.#targetRad);
  }

  /** Stiffly. */
  #hold(cause: DriveCause, targetRad: ArrayLike<number>): DriveCause {
    const { drive, truth } = this.body;
    for (let motor = 0; motor < MOTOR_COUNT; motor++) {
      const limits = MOTOR_LIMITS[motor]!;
      const torqueNm = STAND_STIFFNESS_NM_PER_RAD * (targetRad[motor]! - truth.positionRad[motor]!);
      drive.torqueNm[motor] = clamp(torqueNm, limits.torqueNm);
      drive.velocityRadPerS[motor] = 0;
      drive.dampingNmSPerRad[motor] = Math.min(STAND_DAMPING_NM_S_PER_RAD, limits.dampingNmSPerRad);
    }
    return cause;
  }

  #follow(): DriveCause {
    const { drive } = this.body;
    drive.torqueNm.set(this.#command.torqueNm);
    drive.velocityRadPerS.set(this.#command.velocityRadPerS);
    drive.dampingNmSPerRad.set(this.#command.dampingNmSPerRad);
    return "command";
  }

  #keepWithinLimits(command: LowLevelCommand): void {
    const { counters } = this;
    const kept = this.#command;
    for (let motor = 0; motor < MOTOR_COUNT; motor++) {
      const limits = MOTOR_LIMITS[motor]!;
      const torqueNm = clamp(command.torqueNm[motor]!, limits.torqueNm);
      const velocity = clamp(command.velocityRadPerS[motor]!, limits.velocityRadPerS);
      const damping = Math.min(Math.max(0, command.dampingNmSPerRad[motor]!), limits.dampingNmSPerRad);
      if (torqueNm !== command.torqueNm[motor]) counters.clampedTorques++;
      if (velocity !== command.velocityRadPerS[motor]) counters.clampedVelocities++;
      if (damping !== command.dampingNmSPerRad[motor]) counters.clampedDampings++;
      kept.torqueNm[motor] = torqueNm;
      kept.velocityRadPerS[motor] = velocity;
      kept.dampingNmSPerRad[motor] = damping;
    }
  }
}

const clamp = (value: number, limit: number): number => Math.max(-limit, Math.min(limit, value));
