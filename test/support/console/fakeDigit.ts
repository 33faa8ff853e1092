/** What a cell with a Digit whose policy walks would tell its console. */
import type { PolicyTelemetry, RobotDescription, RobotTelemetry } from "../../../core/gateway/server.js";
import type { SteeringStatus } from "../../../core/gateway/steering.js";
import {
  DIGIT_JOINT_GROUPS,
  DIGIT_MOTORS,
  DIGIT_PASSIVE_JOINTS,
  DIGIT_POSES,
} from "../../../kinematics/digit/motors.js";
import { digitUrdf } from "../../../kinematics/digit/urdf.js";

export const fakeDigit = (): RobotDescription => ({
  robot: "digit",
  device: "digit",
  rateHz: 1000,
  jointNames: DIGIT_MOTORS.map(({ name }) => name),
  positionMinRad: DIGIT_MOTORS.map(({ positionMinRad }) => positionMinRad),
  positionMaxRad: DIGIT_MOTORS.map(({ positionMaxRad }) => positionMaxRad),
  velocityMaxRadPerS: DIGIT_MOTORS.map((motor) => motor.announcedVelocityMaxRadPerS),
  workspaceMinM: [-0.6, -0.6, 0],
  workspaceMaxM: [0.6, 0.6, 1.8],
  tableM: 0,
  urdf: digitUrdf({ robotName: "digit" }),
  hasGripper: false,
  jointGroups: [...DIGIT_JOINT_GROUPS],
  legs: { passiveJointNames: [...DIGIT_PASSIVE_JOINTS] },
});

/** Walks forward at a slow pace, with a nod of its torso. */
export function fakeDigitTelemetry(seconds: number): RobotTelemetry {
  const joints = [...DIGIT_POSES.stand];
  const still = joints.map(() => 0);
  const nod = 0.05 * Math.sin(seconds);
  return {
    state: "following",
    epoch: 1,
    commander: "policy",
    positionRad: joints,
    velocityRadPerS: still,
    effortNm: still,
    requestedRad: joints,
    limitedRad: joints,
    sentRad: joints,
    reasons: 0,
    gripperOpeningM: null,
    gripperCommandM: null,
    tool: null,
    base: {
      positionM: [0.1 * seconds, 0, 0.97],
      quatXyzw: [0, Math.sin(nod / 2), 0, Math.cos(nod / 2)],
      passiveRad: DIGIT_PASSIVE_JOINTS.map(() => 0),
    },
    stateAgeMs: 1.1,
    deviceErrorCode: 0,
    latenessUs: { p50: 4, p99: 60, p999: 160, max: 400 },
  };
}

export const FAKE_STEERING: SteeringStatus = {
  robot: "digit",
  cutoff: { forwardMPerS: 0.1, leftMPerS: 0.1, yawRateRadPerS: 0.26 },
  range: { forwardMPerS: [-0.3, 1], leftMPerS: [-0.3, 0.3], yawRateRadPerS: [-1, 1] },
  by: "",
  given: { forwardMPerS: 0, leftMPerS: 0, yawRateRadPerS: 0 },
};

export const fakeWalkPolicy = (phase: string, steering: SteeringStatus | null): PolicyTelemetry => ({
  phase,
  policy: "digit-walk",
  task: "walk",
  failure: null,
  commands: 12,
  refusals: {},
  partsMs: { control: { p50: 0.6, p99: 1.1 } },
  steering,
});
