/** What a cell with an Allegro Hand would tell its console: one on a stand, and one on the flange of an arm. */
import type { RobotDescription, RobotTelemetry } from "../../../core/gateway/server.js";
import { ALLEGRO_JOINT_NAMES, FINGERS, type HandModel } from "../../../kinematics/allegro/hand.js";
import { handUrdf } from "../../../kinematics/allegro/handUrdf.js";
import { HAND_LIMITS } from "../../../kinematics/allegro/limits.js";

export function fakeHand(model: HandModel, carriedBy: string | null = null): RobotDescription {
  const limits = HAND_LIMITS[model].right!;
  return {
    robot: "hand",
    device: "allegro",
    rateHz: 333,
    jointNames: [...ALLEGRO_JOINT_NAMES],
    positionMinRad: [...limits.positionMinRad],
    positionMaxRad: [...limits.positionMaxRad],
    velocityMaxRadPerS: [...limits.velocityMaxRadPerS],
    workspaceMinM: [-0.2, -0.6, 0],
    workspaceMaxM: [0.8, 0.6, 1.2],
    tableM: 0,
    urdf: handUrdf(model, "right", { robotName: "hand" }),
    hasGripper: false,
    jointGroups: FINGERS.map((name) => ({ name, joints: 4 })),
    mount:
      carriedBy === null
        ? { robot: null, positionM: [0, 0, 0.15], quatXyzw: [Math.SQRT1_2, 0, Math.SQRT1_2, 0] }
        : { robot: carriedBy, positionM: [0, 0, 0.13], quatXyzw: [0, 0, 0, 1] },
  };
}

/** Fingers that bend and stretch in turn. */
export function fakeHandTelemetry(seconds: number): RobotTelemetry {
  const at = (time: number) =>
    ALLEGRO_JOINT_NAMES.map((_, joint) =>
      joint % 4 === 0 && joint < 12 ? 0 : 0.6 + 0.35 * Math.sin(time + 0.8 * (joint >> 2)),
    );
  const positionRad = at(seconds - 0.04);
  const sentRad = at(seconds);
  return {
    state: "holding",
    epoch: 1,
    commander: "",
    positionRad,
    velocityRadPerS: sentRad.map((value, joint) => (value - positionRad[joint]!) / 0.04),
    effortNm: sentRad.map((value) => 0.05 * value),
    requestedRad: at(seconds + 0.05),
    limitedRad: sentRad,
    sentRad,
    reasons: 0,
    gripperOpeningM: null,
    gripperCommandM: null,
    tool: null,
    base: null,
    stateAgeMs: 2.1,
    deviceErrorCode: 0,
    latenessUs: { p50: 12, p99: 80, p999: 160, max: 400 },
  };
}
