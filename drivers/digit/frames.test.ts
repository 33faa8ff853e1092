/** Frames against rotation matrices that are written out here, and the height against composed poses. */
import { describe, expect, it } from "vitest";
import { createFloatingBase } from "../../core/floatingBase.js";
import { digitBody } from "../../kinematics/digit/bodies.js";
import { DIGIT_STAND } from "../../kinematics/digit/motors.js";
import { compose, IDENTITY_POSE, type QuatXyzw, rotate } from "../../kinematics/pose.js";
import { readBase, tiltRad, type WireFrames } from "./frames.js";
import { heightOverFeetM } from "./height.js";
import { DigitObservation, MOTORS, PASSIVE_JOINTS } from "./protocol/index.js";

type Matrix = readonly (readonly number[])[];
const YAW = 0.7;
const PITCH = -0.3;
const ROLL = 0.2;

const about = (axis: 0 | 1 | 2, rad: number): Matrix => {
  const [c, s] = [Math.cos(rad), Math.sin(rad)];
  if (axis === 0)
    return [
      [1, 0, 0],
      [0, c, -s],
      [0, s, c],
    ];
  if (axis === 1)
    return [
      [c, 0, s],
      [0, 1, 0],
      [-s, 0, c],
    ];
  return [
    [c, -s, 0],
    [s, c, 0],
    [0, 0, 1],
  ];
};
const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, column) => row.reduce((sum, value, k) => sum + value * b[k]![column]!, 0)));
const apply = (a: Matrix, v: readonly number[]): number[] =>
  a.map((row) => row.reduce((sum, value, k) => sum + value * v[k]!, 0));

const worldHeading = about(2, YAW);
const headingBase = times(about(1, PITCH), about(0, ROLL));
const worldBase = times(worldHeading, headingBase);
/** Of a rotation by less than half a turn about each axis in turn: z, y, x. */
function quatWxyz(): number[] {
  const [cy, sy] = [Math.cos(YAW / 2), Math.sin(YAW / 2)];
  const [cp, sp] = [Math.cos(PITCH / 2), Math.sin(PITCH / 2)];
  const [cr, sr] = [Math.cos(ROLL / 2), Math.sin(ROLL / 2)];
  return [
    cr * cp * cy + sr * sp * sy,
    sr * cp * cy - cr * sp * sy,
    cr * sp * cy + sr * cp * sy,
    cr * cp * sy - sr * sp * cy,
  ];
}

/** In the base frame. */
const VELOCITY = [0.6, -0.2, 0.1];
const TURN = [0.3, -0.5, 0.9];
const FORCE = [1, 2, 9];
/** Base to the sensor's axes: x up, y left, z backward. */
const toMount = ([x, y, z]: readonly number[]) => [z!, y!, -x!];

/** What a robot with these conventions would send. */
function told({ linearVelocity, angularVelocity, imu }: WireFrames): DigitObservation {
  const observation = new DigitObservation();
  observation.baseOrientationWxyz.set(quatWxyz());
  observation.baseTranslationM.set([4, 5, 6]);
  const linear = {
    world: apply(worldBase, VELOCITY),
    heading: apply(headingBase, VELOCITY),
    base: VELOCITY,
  };
  observation.baseLinearVelocityMPerS.set(linear[linearVelocity]);
  observation.baseAngularVelocityRadPerS.set(
    angularVelocity === "imu" ? [7, 7, 7] : angularVelocity === "world" ? apply(worldBase, TURN) : TURN,
  );
  const sensed = imu === "mount" ? toMount : (vector: readonly number[]) => vector;
  observation.imuAngularVelocityRadPerS.set(angularVelocity === "imu" ? sensed(TURN) : [8, 8, 8]);
  observation.imuLinearAccelerationMPerS2.set(sensed(FORCE));
  return observation;
}

describe("the base in our frames", () => {
  const conventions = (["world", "heading", "base"] as const).flatMap((linearVelocity) =>
    (["imu", "base", "world"] as const).flatMap((angularVelocity) =>
      (["mount", "base"] as const).map((imu) => ({ linearVelocity, angularVelocity, imu })),
    ),
  );
  it.each(conventions)(
    "is the same from $linearVelocity velocity, $angularVelocity turn rate, axes of the $imu",
    (frames) => {
      const base = createFloatingBase(PASSIVE_JOINTS.length);
      readBase(told(frames), frames, base);
      const [w, x, y, z] = quatWxyz();
      expect([...base.quatWorldBaseXyzw]).toEqual([x, y, z, w]);
      expect([...base.translationWorldM]).toEqual([4, 5, 6]);
      for (let axis = 0; axis < 3; axis++) {
        expect(base.linearVelocityBaseMPerS[axis]).toBeCloseTo(VELOCITY[axis]!, 12);
        expect(base.angularVelocityBaseRadPerS[axis]).toBeCloseTo(TURN[axis]!, 12);
        expect(base.specificForceBaseMPerS2[axis]).toBeCloseTo(FORCE[axis]!, 12);
      }
    },
  );

  it("leans by the angle between both z axes", () => {
    const [w, x, y, z] = quatWxyz();
    expect(tiltRad([x!, y!, z!, w!])).toBeCloseTo(Math.acos(worldBase[2]![2]!), 12);
  });
});

describe("the height over the lower foot", () => {
  const LEG = ["hip_roll", "hip_yaw", "hip_pitch", "knee", "shin", "tarsus", "toe_pitch", "toe_roll"];
  const observed = (): DigitObservation => {
    const observation = new DigitObservation();
    observation.motorPositionRad.set(DIGIT_STAND.positionRad);
    for (const [joint, name] of PASSIVE_JOINTS.entries()) {
      const knee = MOTORS.indexOf(name.replace("tarsus", "knee") as (typeof MOTORS)[number]);
      if (name.endsWith("tarsus")) observation.jointPositionRad[joint] = -DIGIT_STAND.positionRad[knee]!;
    }
    return observation;
  };

  it("is that of composed poses, and about that of a standing Digit", () => {
    const observation = observed();
    observation.motorPositionRad[1] = 0.2;
    observation.jointPositionRad[2] = 0.1;
    const quat: QuatXyzw = [0.1, -0.05, 0, Math.sqrt(1 - 0.1 ** 2 - 0.05 ** 2)];
    const heights = ["left", "right"].map((side) => {
      let pose = IDENTITY_POSE;
      for (const name of LEG.map((joint) => `${side}_${joint}`)) {
        const { positionM, quatXyzw, joint } = digitBody(name);
        const motor = (MOTORS as readonly string[]).indexOf(name);
        const passive = (PASSIVE_JOINTS as readonly string[]).indexOf(name);
        const rad =
          motor >= 0 ? observation.motorPositionRad[motor]! : observation.jointPositionRad[passive]!;
        const half = (joint?.kind === "hinge" ? joint.axisZ * rad : 0) / 2;
        pose = compose(pose, { positionM, quatXyzw });
        pose = compose(pose, { positionM: [0, 0, 0], quatXyzw: [0, 0, Math.sin(half), Math.cos(half)] });
      }
      return -rotate(quat, pose.positionM)[2];
    });
    expect(heightOverFeetM(observation, quat)).toBeCloseTo(Math.max(...heights), 12);
    expect(heightOverFeetM(observed(), [0, 0, 0, 1])).toBeGreaterThan(0.85);
    expect(heightOverFeetM(observed(), [0, 0, 0, 1])).toBeLessThan(1.05);
  });

  it("is no number when a joint's angle is none, whichever side", () => {
    for (const motor of [3, 9]) {
      const observation = observed();
      observation.motorPositionRad[motor] = Number.NaN;
      expect(heightOverFeetM(observation, [0, 0, 0, 1])).toBeNaN();
    }
  });
});
