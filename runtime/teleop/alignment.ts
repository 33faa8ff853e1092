/**
 * How a source's axes lie to the robot's base frame. Only directions matter: control is relative, so no origin is ever
 * aligned. What is known comes from the frame's definition (which axis is up), from a calibrated tracker frame, and from
 * recentring: a person faces along the robot's x axis and says so, which fixes the heading and nothing else.
 */
import type { TrackerFrame } from "../../calibration/trackerFrame.js";
import type { Refusal } from "../../core/gateway/server.js";
import type { PoseSpace, TrackedPose } from "../../core/teleop/pose.js";
import { conjugate, multiplyQuat, type QuatXyzw, rotate } from "../../kinematics/pose.js";

/** Turns x right, y up, z backwards (WebXR, OpenXR, SteamVR) into x forward, y left, z up: p(x, y, z) -> (-z, -x, y). */
const FORWARD_LEFT_UP: QuatXyzw = [0.5, -0.5, -0.5, 0.5];
const AS_IS: QuatXyzw = [0, 0, 0, 1];

/** Axes of each space, by definition, turned into x forward, y left, z up; a tracked body's own axes turn alike. */
const AXES: Readonly<Record<PoseSpace, QuatXyzw>> = {
  "local-floor": FORWARD_LEFT_UP,
  "openvr-standing": FORWARD_LEFT_UP,
  ros: AS_IS,
  base: AS_IS,
};

/** Shorter horizontal directions say nothing about a heading: sine of the least angle to the upright. */
const HORIZONTAL_MIN = 0.4;

/** What one recentring has found, for one session of one source. */
export interface Recentring {
  readonly space: PoseSpace;
  /** Heading of the person about the upright, in axes that are x forward, y left, z up by definition or calibration [rad]. */
  readonly yawRad: number;
}

export interface Alignment {
  readonly space: PoseSpace;
  /** Turns directions of the source's frame into the robot's base frame. */
  readonly quatBaseSource: QuatXyzw;
  readonly by: "calibration" | "recentre" | "definition";
}

type Found<T> = { readonly ok: true; readonly value: T } | ({ readonly ok: false } & Refusal);

/** What faces along the robot's x axis: a head, whose neck does not roll, or something that a hand points. */
export type Facing =
  | { readonly head: TrackedPose; readonly pointer?: undefined }
  | { readonly pointer: TrackedPose; readonly head?: undefined };

/**
 * The heading of a person who faces along the robot's x axis.
 * @param facing pose in the source's frame; the head says it best, a pointer must not stand upright
 * @param frame the calibrated frame of this device, if any: recentring then corrects its heading
 */
export function recentre(
  space: PoseSpace,
  facing: Facing,
  frame?: TrackerFrame | undefined,
): Found<Recentring> {
  const { quatXyzw } = facing.head ?? facing.pointer;
  const quat = multiplyQuat(multiplyQuat(axesOf(space, frame), unit(quatXyzw)), conjugate(AXES[space]));
  const [x, y] = rotate(quat, [1, 0, 0]);
  if (Math.hypot(x, y) >= HORIZONTAL_MIN) return { ok: true, value: { space, yawRad: Math.atan2(y, x) } };
  if (facing.head !== undefined) {
    // Somebody who looks at his feet faces at right angles to his left hand.
    const [leftX, leftY] = rotate(quat, [0, 1, 0]);
    return { ok: true, value: { space, yawRad: Math.atan2(-leftX, leftY) } };
  }
  return {
    ok: false,
    code: "RECENTRE_UPRIGHT",
    happened: "Recentring found no heading: what should point along the robot's x axis stands upright",
    remedy: "Hold the controller level, point it along the robot's x axis, and recentre again",
  };
}

/**
 * How a source lies to the base, or why that is not known well enough to move a robot.
 * @param frame newest calibration of this device, if any; one of another space does not count
 * @param recentring newest of this session, if any; what a person has just shown corrects a stored heading
 */
export function alignmentOf(
  space: PoseSpace,
  frame?: TrackerFrame | undefined,
  recentring?: Recentring | undefined,
): Found<Alignment> {
  if (space === "base") return { ok: true, value: { space, quatBaseSource: AS_IS, by: "definition" } };
  const isCalibrated = frame !== undefined && frame.space === space;
  const axes = axesOf(space, frame);
  if (recentring !== undefined && recentring.space === space)
    return {
      ok: true,
      value: {
        space,
        quatBaseSource: multiplyQuat(aboutUpright(-recentring.yawRad), axes),
        by: "recentre",
      },
    };
  if (isCalibrated) return { ok: true, value: { space, quatBaseSource: axes, by: "calibration" } };
  return {
    ok: false,
    code: "NOT_ALIGNED",
    happened: `Nobody has said how this source (${space}) lies to the robot`,
    remedy: "Face along the robot's x axis and press recentre (B), or calibrate the tracker",
  };
}

/** A source's pose with directions of the base frame: positions keep the source's origin, which means nothing. */
export function alignPose({ space, quatBaseSource }: Alignment, pose: TrackedPose): TrackedPose {
  const quat = multiplyQuat(multiplyQuat(quatBaseSource, unit(pose.quatXyzw)), conjugate(AXES[space]));
  return { positionM: [...rotate(quatBaseSource, pose.positionM)], quatXyzw: [...quat] };
}

/** Directions of the source's frame to x forward, y left, z up: by calibration, which is the base frame then, or by definition. */
const axesOf = (space: PoseSpace, frame: TrackerFrame | undefined): QuatXyzw =>
  frame !== undefined && frame.space === space ? unit(frame.quatBaseTracker) : AXES[space];

const aboutUpright = (yawRad: number): QuatXyzw => [0, 0, Math.sin(yawRad / 2), Math.cos(yawRad / 2)];

function unit(quat: QuatXyzw): QuatXyzw {
  const norm = Math.hypot(...quat);
  return [quat[0] / norm, quat[1] / norm, quat[2] / norm, quat[3] / norm];
}
