/** The poses that the shipped task and its demonstrations use are far from what the limiter forbids. */
import { describe, expect, it } from "vitest";
import { XArm7Config } from "../drivers/xarm7/config.js";
import {
  XARM7_ACCELERATION_MAX_RAD_PER_S2,
  XARM7_HOME_RAD,
  XARM7_JERK_MAX_RAD_PER_S3,
  XARM7_JOINT_NAMES,
  XARM7_JOINTS,
  XARM7_VELOCITY_MAX_RAD_PER_S,
} from "../kinematics/xarm7.js";
import { xarm7Body } from "../kinematics/xarm7Collision.js";
import { ReachBlockExpert } from "../lab/experts/reachBlock.js";
import { REASON_BITS } from "../runtime/servo/api.js";
import { ServoConfig } from "../runtime/servo/config.js";
import { limitsInForce } from "../runtime/servo/limits.js";
import { Motion } from "../runtime/servo/motion.js";

const { gripper, toolPointM } = XArm7Config.parse({ host: "127.0.0.1" });
const body = xarm7Body({ gripper, toolPointM, attached: [] });
const { workspace, selfCollision } = ServoConfig.parse({});

/** Least distance [m] between parts, of moving parts above the table, and of tool and elbow from the box. */
function roomM(positionRad: ArrayLike<number>) {
  body.update(positionRad);
  const { toolM, elbowM } = body;
  const heightsM = new Float64Array(body.capsules.length);
  body.measureHeights(heightsM);
  const pairsM = new Float64Array(body.pairs.length);
  body.measurePairs(pairsM);
  const toFaces = (pointM: Float64Array) =>
    [0, 1, 2].flatMap((axis) => [
      pointM[axis]! - workspace.minM[axis]!,
      workspace.maxM[axis]! - pointM[axis]!,
    ]);
  return {
    pairs: Math.min(...pairsM),
    table: Math.min(...heightsM.filter((_, capsule) => body.capsules[capsule]!.frame > 1)) - workspace.tableM,
    box: Math.min(...toFaces(toolM), ...toFaces(elbowM)),
  };
}

describe("task poses", () => {
  it("home and the start pose have room on every side", () => {
    for (const positionRad of [
      XARM7_HOME_RAD,
      [0, -0.3, 0, 0.9, 0, 1.2, 0],
      new ReachBlockExpert(1).startRad(),
    ]) {
      const room = roomM(positionRad);
      expect(room.pairs).toBeGreaterThan(selfCollision.marginM + 0.01);
      expect(room.table).toBeGreaterThan(0.1);
      expect(room.box).toBeGreaterThan(0.1);
    }
  });

  it("every pose of a demonstration, from any start to any block", () => {
    const least = { pairs: 9, table: 9, box: 9 };
    for (let seed = 0; seed < 40; seed++) {
      const expert = new ReachBlockExpert(seed);
      const blockM = [0.28 + 0.09 * (seed % 5), -0.2 + 0.1 * (Math.floor(seed / 5) % 5), 0.02] as const;
      const positionRad = expert.spreadStartRad();
      for (let step = 0; step < 60; step++) {
        const room = roomM(positionRad);
        for (const key of ["pairs", "table", "box"] as const) least[key] = Math.min(least[key], room[key]);
        const { executedRad } = expert.step(positionRad, blockM);
        for (let joint = 0; joint < 7; joint++) positionRad[joint]! += executedRad[joint]!;
      }
    }
    expect(least.pairs).toBeGreaterThan(selfCollision.marginM + 0.01);
    expect(least.table).toBeGreaterThan(workspace.tableMarginM + 0.01);
    expect(least.box).toBeGreaterThan(0.02);
  });

  it("the way to any block, streamed at 5 Hz through the servo's motion, meets no zone and no limit that cuts", () => {
    const limits = limitsInForce(
      {
        jointNames: XARM7_JOINT_NAMES,
        positionMinRad: XARM7_JOINTS.map((joint) => joint.positionMinRad),
        positionMaxRad: XARM7_JOINTS.map((joint) => joint.positionMaxRad),
        velocityMaxRadPerS: Array(7).fill(XARM7_VELOCITY_MAX_RAD_PER_S),
        accelerationMaxRadPerS2: Array(7).fill(XARM7_ACCELERATION_MAX_RAD_PER_S2),
        jerkMaxRadPerS3: Array(7).fill(XARM7_JERK_MAX_RAD_PER_S3),
        toolSpeedMaxMPerS: 1,
      },
      ServoConfig.parse({}),
    );
    for (const [x, y] of [
      [0.28, -0.2],
      [0.28, 0.2],
      [0.46, 0],
      [0.64, -0.2],
      [0.64, 0.2],
    ] as const) {
      const expert = new ReachBlockExpert(1);
      const motion = new Motion(limits, body, 1 / 250);
      motion.startAt(expert.startRad());
      let reasons = 0;
      let distanceM = Number.POSITIVE_INFINITY;
      for (let step = 0; step < 60; step++) {
        const clean = expert.step(motion.sentRad, [x, y, 0.02]);
        distanceM = clean.distanceM;
        motion.follow(
          motion.sentRad.map((value, joint) => value + clean.cleanRad[joint]!),
          1,
          200 * step,
        );
        for (let tick = 0; tick < 50; tick++) {
          motion.next();
          reasons |= motion.reasons;
          motion.accept();
        }
      }
      expect(reasons & ~REASON_BITS.toolSpeed, `reasons at (${x}, ${y})`).toBe(0);
      expect(distanceM).toBeLessThan(0.025);
    }
  });
});
