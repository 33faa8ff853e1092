/**
 * Simple solids around Digit's torso and left side, in their body's frame: what the lab's physics collides with and what
 * `robot_description` shows. Metres, degrees, Euler angles about the rotating axes x, y, z.
 *
 * Source: as `leftBodies.ts`. The vendor's cylinders are capsules of the same length here, and a short one is a ball:
 * every engine knows those.
 */
import type { Vector3 } from "../xarm7.js";

export type SolidRow =
  | {
      readonly kind: "box";
      readonly body: string;
      readonly halfSizeM: Vector3;
      readonly positionM: Vector3;
      readonly eulerDeg: Vector3;
    }
  /** Along its own z axis; `halfLengthM` is of the straight part, 0 for a ball. */
  | {
      readonly kind: "capsule";
      readonly body: string;
      readonly radiusM: number;
      readonly halfLengthM: number;
      readonly positionM: Vector3;
      readonly eulerDeg: Vector3;
    };

const STRAIGHT: Vector3 = [0, 0, 0];

const box = (
  body: string,
  halfSizeM: Vector3,
  positionM: Vector3,
  eulerDeg: Vector3 = STRAIGHT,
): SolidRow => ({ kind: "box", body, halfSizeM, positionM, eulerDeg });
const capsule = (
  body: string,
  radiusM: number,
  halfLengthM: number,
  positionM: Vector3,
  eulerDeg: Vector3 = STRAIGHT,
): SolidRow => ({ kind: "capsule", body, radiusM, halfLengthM, positionM, eulerDeg });
/** Of a cylinder's radius and half length: its ends become round. */
const rounded = (
  body: string,
  radiusM: number,
  halfLengthM: number,
  positionM: Vector3,
  eulerDeg: Vector3 = STRAIGHT,
): SolidRow => capsule(body, radiusM, Math.max(0, halfLengthM - radiusM), positionM, eulerDeg);

/** The sole's; the only solid that is to touch the ground. */
export const FOOT = "toe_roll";

export const TORSO_SOLIDS: readonly SolidRow[] = [
  box("base", [0.0975, 0.087, 0.245], [0.008, 0, 0.21]),
  rounded("base", 0.05, 0.0325, [0.02, 0, 0.49]),
];

export const LEFT_SOLIDS: readonly SolidRow[] = [
  rounded("hip_pitch", 0.05, 0.072, [0, 0, -0.04]),
  rounded("hip_pitch", 0.05, 0.072, [0.12, 0, -0.04]),
  box("hip_pitch", [0.06, 0.05, 0.072], [0.06, 0, -0.04]),
  capsule("achilles_rod", 0.007, 0.25, [0.25, 0, 0], [4.0000535, 90, 0]),
  rounded("shin", 0.03, 0.1715, [0.23, 0, 0], [0, 90, 0]),
  rounded("shin", 0.05, 0.1, [0.125, 0.009, 0], [90, 83.999998, 0]),
  capsule("tarsus", 0.02, 0.18, [0.21, -0.03, 0], [0, 90, 0]),
  box("tarsus", [0.007, 0.07, 0.03], [-0.07, -0.012, 0], [5, 0, 65]),
  capsule("toe_A_rod", 0.007, 0.17, [0.17, 0, 0], [4.0000535, 90, 0]),
  capsule("toe_B_rod", 0.007, 0.144, [0.144, 0, 0], [4.0000535, 90, 0]),
  box(FOOT, [0.04, 0.1175, 0.0115], [0, -0.0437, -0.0255], [-60.000023, 0, 0]),
  rounded("shoulder_pitch", 0.038, 0.07, [0, -0.093, -0.1], [90, 0, 0]),
  rounded("shoulder_yaw", 0.038, 0.0675, [0, 0, 0.092558]),
  rounded("shoulder_yaw", 0.03, 0.04, [0, 0.0035, 0.185], [90, 0, 22.500047]),
  rounded("elbow", 0.013, 0.1565, [0.184, 0.01, -0.026], [169.99993, 78.000009, -179.99995]),
  capsule("elbow", 0.015, 0, [0.37937, 0, -0.061912]),
];
