/**
 * From commands to setpoints. Every tick moves one joint setpoint according to the mode: planned moves, newest servo
 * target, velocities, online targets; watches joint limits and speeds; hands the result to the plant.
 */
import { JOINT_COUNT, MODE } from "../../drivers/xarm7/protocol/index.js";
import type { JointLimits } from "../../kinematics/inverse.js";
import { compose, IDENTITY_POSE, type Pose } from "../../kinematics/pose.js";
import type { ArmPlant } from "../plant.js";
import type { MotionControl } from "./controllerState.js";
import { type Move, MoveQueue } from "./moveQueue.js";
import { quatFromRotationVector, solveToolPose, toolPose } from "./pose.js";
import { approachVelocity, slew } from "./profile.js";
import { ToolSpeedWatch } from "./toolSpeedWatch.js";

export const ARM_ERROR = { kinematic: 21, jointLimit: 23, jointSpeed: 24, linearSpeed: 60 } as const;

export interface MotionOptions {
  readonly limits: JointLimits;
  /**
   * How much of the way at full speed a servo target may be ahead [ms] before it counts as too fast (C24). The
   * vendor's threshold is not documented; zero would fault on every late packet.
   */
  readonly speedFaultWindowMs: number;
  /** Over how long the tool's linear speed is averaged for C60 [ms]. */
  readonly toolSpeedWindowMs: number;
  /** How long ago the last step was [s]: a late tick is this process's fault, not the client's. */
  readonly behindS: () => number;
  readonly onFault: (code: number) => void;
}

const VELOCITY_MAX = Math.PI;
const ACCELERATION_MAX = 20;
const TOOL_ACCELERATION_MM_PER_S2 = 5000;
/** The SDK refuses at 0.1° beyond the limit; the controller is as generous. */
const LIMIT_SLACK_RAD = 0.00175;
/** A servo stream counts as moving this long after its last step [s]. */
const SERVO_REST_S = 0.05;
const PAUSE_RAMP_S = 0.15;
/** Longest step in one go [s]: after a stall the arm goes on slower, not further. */
const STEP_MAX_S = 0.1;

export class Motion implements MotionControl {
  readonly setpointRad = new Float64Array(JOINT_COUNT);
  readonly velocityRadPerS = new Float64Array(JOINT_COUNT);
  readonly accelerationRadPerS2 = new Float64Array(JOINT_COUNT);
  readonly queue = new MoveQueue();
  readonly limits: JointLimits;
  /** Tool point in the flange frame, for speeds and Cartesian modes. */
  toolOffset: Pose = IDENTITY_POSE;
  /** Linear speed above which C60 follows [mm/s]. */
  toolSpeedMaxMmPerS = 1200;
  readonly #plant: ArmPlant;
  readonly #options: MotionOptions;
  readonly #toolSpeed: ToolSpeedWatch;
  readonly #servoTargetRad = new Float64Array(JOINT_COUNT);
  readonly #online = {
    targetRad: new Float64Array(JOINT_COUNT),
    speed: VELOCITY_MAX,
    acceleration: ACCELERATION_MAX,
  };
  readonly #wish = { values: new Float64Array(JOINT_COUNT), toolFrame: false, leftS: 0 };
  readonly #twist = new Float64Array(6);
  #mode = 0;
  #motorsOn = false;
  #running = false;
  #freeDrive = false;
  #halting = false;
  #rate = 1;
  #restS = SERVO_REST_S;

  constructor(plant: ArmPlant, options: MotionOptions) {
    this.#plant = plant;
    this.#options = options;
    this.limits = options.limits;
    this.#toolSpeed = new ToolSpeedWatch(options.toolSpeedWindowMs);
    this.#standAtPlant();
  }

  moving(): boolean {
    const fast = this.velocityRadPerS.some((value) => Math.abs(value) > 1e-9);
    return fast || this.queue.count > 0 || (this.#mode === MODE.servo && this.#restS < SERVO_REST_S);
  }

  abort(): void {
    this.queue.clear();
    this.#running = false;
    this.#wish.leftS = 0;
    this.#twist.fill(0);
    this.#halting = this.velocityRadPerS.some((value) => value !== 0);
    if (!this.#halting) this.#holdTargets();
    if (this.#freeDrive) this.#setFreeDrive(false);
  }

  pause(): void {
    this.#running = false;
  }

  resume(): void {
    this.#running = true;
    this.#restS = SERVO_REST_S;
    // Made ready while still braking: it stops dead, so that new commands start from a standing setpoint.
    if (this.#halting) this.#endHalt();
    this.#toolSpeed.clear();
    if (this.#mode === MODE.teach) this.#setFreeDrive(true);
  }

  modeChanged(mode: number): void {
    this.#mode = mode;
    this.#rate = 1;
  }

  motorsChanged(on: boolean): void {
    if (on === this.#motorsOn) return;
    this.#motorsOn = on;
    this.#halting = false;
    this.#standAtPlant();
    this.#plant.setTarget(this.setpointRad);
    this.#plant.setEnabled(on);
  }

  /** Inside the limits, with the slack of the wire's float32 and the SDK's rounding. */
  withinLimits(positionRad: ArrayLike<number>): boolean {
    for (let joint = 0; joint < JOINT_COUNT; joint++) {
      const value = positionRad[joint]!;
      if (value < this.limits.positionMinRad[joint]! - LIMIT_SLACK_RAD) return false;
      if (value > this.limits.positionMaxRad[joint]! + LIMIT_SLACK_RAD) return false;
    }
    return true;
  }

  /** Queues a planned move; undefined when the queue is full. */
  addMove(move: Move): number | undefined {
    if (this.queue.count === 0) this.queue.standAt(this.setpointRad);
    return this.queue.add(move);
  }

  /** Newest servo target. Faults (C23, C24) instead of following an impossible one. */
  servoTo(targetRad: ArrayLike<number>): void {
    const reachRad = VELOCITY_MAX * (this.#options.speedFaultWindowMs / 1000 + this.#options.behindS());
    const aheadRad = this.setpointRad.map((standing, joint) => Math.abs(targetRad[joint]! - standing));
    if (!this.withinLimits(targetRad)) this.#options.onFault(ARM_ERROR.jointLimit);
    else if (Math.max(...aheadRad) > reachRad) this.#options.onFault(ARM_ERROR.jointSpeed);
    else {
      this.#servoTargetRad.set(targetRad);
      this.#restS = 0;
    }
  }

  /** Newest target of the online planner (modes 6 and 7). */
  onlineTo(targetRad: ArrayLike<number>, speed: number, acceleration: number): void {
    this.#online.targetRad.set(targetRad);
    this.#online.speed = Math.min(VELOCITY_MAX, Math.max(1e-4, speed));
    this.#online.acceleration = Math.min(ACCELERATION_MAX, Math.max(0.01, acceleration));
  }

  /** Joint velocities [rad/s] or a tool twist [mm/s, rad/s], for a while [s]; without an end: until the next. */
  velocityFor(values: ArrayLike<number>, durationS: number, toolFrame = false): void {
    this.#wish.values.fill(0);
    this.#wish.values.set(values);
    this.#wish.toolFrame = toolFrame;
    this.#wish.leftS = durationS > 0 ? durationS : Number.POSITIVE_INFINITY;
  }

  /** Moves the setpoint on by `dtS` and hands it to the plant. */
  step(dtS: number): void {
    if (dtS <= 0) return;
    if (!this.#motorsOn || this.#freeDrive) {
      this.#standAtPlant();
    } else {
      const beforeRad = Float64Array.from(this.setpointRad);
      const stepS = Math.min(dtS, STEP_MAX_S);
      if (this.#halting) this.#halt(stepS);
      else this.#follow(stepS, dtS);
      this.#differentiate(beforeRad, stepS);
      const moved = this.velocityRadPerS.some((value) => value !== 0);
      if (moved && !this.withinLimits(this.setpointRad)) {
        const byCommand = !this.#halting;
        this.setpointRad.set(beforeRad);
        this.velocityRadPerS.fill(0);
        if (byCommand) this.#options.onFault(ARM_ERROR.jointLimit);
      }
    }
    this.#plant.setTarget(this.setpointRad);
  }

  /** `passedS` is the time that really passed; `dtS` is cut after a stall. */
  #follow(dtS: number, passedS: number): void {
    this.#rate = Math.min(1, Math.max(0, this.#rate + (this.#running ? dtS : -dtS) / PAUSE_RAMP_S));
    switch (this.#mode) {
      case MODE.position:
        if (this.queue.count > 0) this.queue.step(dtS * this.#rate, this.setpointRad);
        return;
      case MODE.servo:
        this.#followServo(dtS, passedS);
        return;
      case MODE.jointVelocity:
        this.#followVelocity(dtS);
        return;
      case MODE.cartesianVelocity:
        this.#followTwist(dtS);
        return;
      case MODE.jointOnline:
      case MODE.cartesianOnline:
        this.#followOnline(dtS);
        return;
      default:
        return;
    }
  }

  /** Straight to the newest target, each joint at most at full speed. */
  #followServo(dtS: number, passedS: number): void {
    this.#restS += dtS;
    if (!this.#running) return;
    if (this.#restS > SERVO_REST_S && this.velocityRadPerS.every((value) => value === 0)) {
      this.#toolSpeed.clear();
      return;
    }
    const reachRad = VELOCITY_MAX * dtS;
    for (let joint = 0; joint < JOINT_COUNT; joint++) {
      this.setpointRad[joint] = slew(this.setpointRad[joint]!, this.#servoTargetRad[joint]!, reachRad);
    }
    const speed = this.#toolSpeed.add(toolPose(this.setpointRad, this.toolOffset).positionM, passedS);
    if (speed > this.toolSpeedMaxMmPerS) this.#options.onFault(ARM_ERROR.linearSpeed);
  }

  #followVelocity(dtS: number): void {
    this.#wish.leftS -= dtS;
    const on = this.#running && this.#wish.leftS > 0 ? 1 : 0;
    for (let joint = 0; joint < JOINT_COUNT; joint++) {
      const wish = on * Math.min(VELOCITY_MAX, Math.max(-VELOCITY_MAX, this.#wish.values[joint]!));
      const velocity = slew(this.velocityRadPerS[joint]!, wish, ACCELERATION_MAX * dtS);
      this.setpointRad[joint] = this.setpointRad[joint]! + velocity * dtS;
    }
  }

  #followTwist(dtS: number): void {
    this.#wish.leftS -= dtS;
    const on = this.#running && this.#wish.leftS > 0 ? 1 : 0;
    for (let axis = 0; axis < 6; axis++) {
      const change = (axis < 3 ? TOOL_ACCELERATION_MM_PER_S2 : ACCELERATION_MAX) * dtS;
      this.#twist[axis] = slew(this.#twist[axis]!, on * this.#wish.values[axis]!, change);
    }
    if (this.#twist.every((value) => value === 0)) return;
    const [vx, vy, vz, wx, wy, wz] = this.#twist.map((value) => value * dtS) as unknown as number[];
    const shift: Pose = {
      positionM: [vx! / 1000, vy! / 1000, vz! / 1000],
      quatXyzw: quatFromRotationVector(wx!, wy!, wz!),
    };
    const pose = toolPose(this.setpointRad, this.toolOffset);
    const next = this.#wish.toolFrame ? compose(pose, shift) : turnAbout(pose, shift);
    const solved = solveToolPose(next, this.toolOffset, this.setpointRad, this.limits);
    if (solved === undefined) this.#options.onFault(ARM_ERROR.kinematic);
    else this.setpointRad.set(solved);
  }

  #followOnline(dtS: number): void {
    const { targetRad, speed, acceleration } = this.#online;
    for (let joint = 0; joint < JOINT_COUNT; joint++) {
      const leftRad = this.#running ? targetRad[joint]! - this.setpointRad[joint]! : 0;
      const velocity = approachVelocity(leftRad, this.velocityRadPerS[joint]!, speed, acceleration, dtS);
      this.setpointRad[joint] = this.setpointRad[joint]! + velocity * dtS;
    }
  }

  #halt(dtS: number): void {
    let resting = true;
    for (let joint = 0; joint < JOINT_COUNT; joint++) {
      const velocity = slew(this.velocityRadPerS[joint]!, 0, ACCELERATION_MAX * dtS);
      this.setpointRad[joint] = this.setpointRad[joint]! + velocity * dtS;
      if (velocity !== 0) resting = false;
    }
    if (resting) this.#endHalt();
  }

  #endHalt(): void {
    this.#halting = false;
    this.velocityRadPerS.fill(0);
    this.#holdTargets();
  }

  #differentiate(beforeRad: Float64Array, dtS: number): void {
    for (let joint = 0; joint < JOINT_COUNT; joint++) {
      const velocity = (this.setpointRad[joint]! - beforeRad[joint]!) / dtS;
      this.accelerationRadPerS2[joint] = (velocity - this.velocityRadPerS[joint]!) / dtS;
      this.velocityRadPerS[joint] = velocity;
    }
  }

  #setFreeDrive(on: boolean): void {
    this.#freeDrive = on;
    this.#standAtPlant();
    this.#halting = false;
    this.#plant.setFreeDrive(on);
  }

  #standAtPlant(): void {
    this.setpointRad.set(this.#plant.positionRad);
    this.velocityRadPerS.fill(0);
    this.accelerationRadPerS2.fill(0);
    this.#holdTargets();
  }

  #holdTargets(): void {
    this.#servoTargetRad.set(this.setpointRad);
    this.#online.targetRad.set(this.setpointRad);
    if (this.queue.count === 0) this.queue.standAt(this.setpointRad);
  }
}

/** A small motion whose axes are those of the base frame: translation adds, rotation turns about the tool point. */
function turnAbout(pose: Pose, shift: Pose): Pose {
  const [x, y, z] = pose.positionM;
  const [dx, dy, dz] = shift.positionM;
  const turned = compose(
    { positionM: [0, 0, 0], quatXyzw: shift.quatXyzw },
    { ...pose, positionM: [0, 0, 0] },
  );
  return { positionM: [x + dx, y + dy, z + dz], quatXyzw: turned.quatXyzw };
}
