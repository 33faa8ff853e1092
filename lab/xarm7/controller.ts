/** The controller box without its sockets: state machine, motion, tool connector and settings, moved on by ticks. */
import {
  encodeFeedback,
  encodeSerials,
  encodeVersion,
  JOINT_COUNT,
} from "../../drivers/xarm7/protocol/index.js";
import type { JointLimits } from "../../kinematics/inverse.js";
import { NARROW_LIMITS_RAD, XARM7_JOINTS } from "../../kinematics/xarm7.js";
import type { ArmPlant } from "../plant.js";
import { ControllerState } from "./controllerState.js";
import { Gripper } from "./gripper.js";
import { Motion } from "./motion.js";
import type { Move } from "./moveQueue.js";
import { poseFromWire, poseToWire, toolPose } from "./pose.js";
import { defaultSettings, type Settings } from "./settings.js";
import { ToolPort } from "./toolPort.js";

/** Joint limits by hardware generation: `narrow` from serial generation 1305 on. */
export type LimitsGeneration = "wide" | "narrow";

export interface ControllerOptions {
  readonly plant: ArmPlant;
  /** Answer to the version request, e.g. "7,7,XS1305,AC1304,v2.7.1". */
  readonly version: string;
  readonly serial: string;
  readonly boxSerial: string;
  readonly limits: LimitsGeneration;
  readonly toolBaudIndex: number;
  readonly speedFaultWindowMs: number;
  readonly toolSpeedWindowMs: number;
  /** Time since the last `step` [s], where that is not the caller's doing. */
  readonly behindS?: () => number;
}

/** Who sent a command, and how to tell it of progress later. */
export interface Origin {
  readonly transactionId: number;
  readonly protocolId: number;
  readonly register: number;
  send(frame: Uint8Array): void;
}

export const FEEDBACK = { start: 1, finish: 2, trigger: 4 } as const;

/** Raised when nothing answers on the tool's bus. */
const TOOL_COMMUNICATION_ERROR = 19;
const MM_PER_S_PER_FACTOR = 1000;

export class Controller {
  readonly state: ControllerState;
  readonly motion: Motion;
  readonly gripper: Gripper;
  readonly tool: ToolPort;
  readonly plant: ArmPlant;
  readonly limits: JointLimits;
  readonly versionBytes: readonly number[];
  readonly serialBytes: readonly number[];
  readonly version: string;
  settings: Settings = defaultSettings();
  /** Code of the servo behind errors 11 to 17, as the rich report tells it; 0 for none. */
  jointDetail = 0;
  #elapsedS = 0;
  #taskId = 0;

  constructor(options: ControllerOptions) {
    this.plant = options.plant;
    this.limits = jointLimits(options.limits);
    this.version = options.version;
    this.versionBytes = encodeVersion(options.version);
    this.serialBytes = encodeSerials(options.serial, options.boxSerial);
    this.motion = new Motion(options.plant, {
      limits: this.limits,
      speedFaultWindowMs: options.speedFaultWindowMs,
      toolSpeedWindowMs: options.toolSpeedWindowMs,
      behindS: options.behindS ?? (() => 0),
      onFault: (code) => this.state.fault(code),
    });
    this.state = new ControllerState(this.motion);
    this.gripper = new Gripper(options.plant);
    this.tool = new ToolPort(this.gripper, options.toolBaudIndex);
  }

  /** The controller's own clock [µs], 0 at its start. */
  get timeUs(): number {
    return Math.round(this.#elapsedS * 1e6);
  }

  step(dtS: number): void {
    this.#elapsedS += dtS;
    this.motion.step(dtS);
    this.gripper.advance(dtS);
  }

  /** Call after every change of `settings` that motion depends on. */
  applySettings(): void {
    this.motion.toolOffset = poseFromWire(this.settings.toolOffset);
    this.motion.toolSpeedMaxMmPerS = this.settings.servoSpeedFactor * MM_PER_S_PER_FACTOR;
  }

  resetSettings(): void {
    this.settings = defaultSettings();
    this.applySettings();
  }

  /** Tool pose of the planned setpoint, and of the arm itself, in wire units. */
  plannedPose(): number[] {
    return poseToWire(toolPose(this.motion.setpointRad, this.motion.toolOffset));
  }

  actualPose(): number[] {
    return poseToWire(toolPose(this.plant.positionRad, this.motion.toolOffset));
  }

  /** Nothing answered on the tool's bus: an error like any other. */
  toolSilent(): void {
    this.state.fault(TOOL_COMMUNICATION_ERROR);
  }

  /** A move with the feedback that its sender has switched on at this moment. */
  withFeedback(move: Move, origin: Origin): Move {
    const { feedbackType } = this.settings;
    if (feedbackType === 0) return move;
    this.#taskId = (this.#taskId + 1) & 0xffff;
    const taskId = this.#taskId;
    return {
      ...move,
      started: () => this.#tell(origin, feedbackType & FEEDBACK.start, taskId, 0),
      finished: (outcome) => this.#tell(origin, feedbackType & FEEDBACK.finish, taskId, outcome),
    };
  }

  /** A feedback frame that only proves that feedback works. */
  tellNow(origin: Origin): void {
    this.#tell(origin, this.settings.feedbackType & FEEDBACK.finish, 0, 0);
  }

  #tell(origin: Origin, type: number, taskId: number, code: number): void {
    if (type === 0) return;
    const { transactionId, protocolId, register } = origin;
    const { timeUs } = this;
    origin.send(encodeFeedback({ transactionId, protocolId, type, register, taskId, code, timeUs }));
  }
}

function jointLimits(generation: LimitsGeneration): JointLimits {
  const narrow = generation === "narrow";
  const pick = (joint: number, side: 0 | 1): number => {
    const { positionMinRad, positionMaxRad } = XARM7_JOINTS[joint]!;
    return narrow ? NARROW_LIMITS_RAD[joint]![side] : [positionMinRad, positionMaxRad][side]!;
  };
  const joints = Array.from({ length: JOINT_COUNT }, (_, joint) => joint);
  return {
    positionMinRad: joints.map((joint) => pick(joint, 0)),
    positionMaxRad: joints.map((joint) => pick(joint, 1)),
  };
}
