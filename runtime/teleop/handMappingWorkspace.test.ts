/** What the mapping leads into, judged by the servo's own motion and zones. */
import { describe, expect, it } from "vitest";
import type { ArmLimits } from "../../core/arm.js";
import { ArmChain } from "../../kinematics/chain.js";
import { type QuatXyzw, quatFromRpy } from "../../kinematics/pose.js";
import {
  TOOL_POINT_FLANGE_M,
  XARM7_HOME_RAD,
  XARM7_JOINT_NAMES,
  XARM7_JOINTS,
} from "../../kinematics/xarm7.js";
import { xarm7Body } from "../../kinematics/xarm7Collision.js";
import { Random } from "../../lab/world/random.js";
import { REASON_BITS } from "../servo/api.js";
import { ServoConfig } from "../servo/config.js";
import { limitsInForce, publicLimits } from "../servo/limits.js";
import { Motion } from "../servo/motion.js";
import { MappingConfig } from "./config.js";
import { createHandMapping } from "./handMapping.js";
import type { AlignedHand } from "./mapping.js";

const DEVICE: ArmLimits = {
  jointNames: XARM7_JOINT_NAMES,
  positionMinRad: XARM7_JOINTS.map(({ positionMinRad }) => positionMinRad),
  positionMaxRad: XARM7_JOINTS.map(({ positionMaxRad }) => positionMaxRad),
  velocityMaxRadPerS: Array(7).fill(Math.PI),
  accelerationMaxRadPerS2: Array(7).fill(20),
  jerkMaxRadPerS3: Array(7).fill(500),
  toolSpeedMaxMPerS: 1,
};
const SERVO = ServoConfig.parse({});
const LIMITS = limitsInForce(DEVICE, SERVO);
const ZONES =
  REASON_BITS.workspace | REASON_BITS.tablePlane | REASON_BITS.selfCollision | REASON_BITS.positionLimit;
const TICK_MS = 4;
const POSE_MS = 1000 / 90;
const body = () => xarm7Body({ gripper: "xarm", toolPointM: TOOL_POINT_FLANGE_M, attached: [] });

/** Hand, mapping and the servo's motion together; gives the tool's way and what was in the way. */
function operate(
  seconds: number,
  at: (s: number) => { positionM: number[]; quat?: QuatXyzw },
  fromRad: readonly number[] = XARM7_HOME_RAD,
) {
  const mapping = createHandMapping({
    config: MappingConfig.parse({}),
    limits: publicLimits(LIMITS),
    workspace: SERVO.workspace,
    body: body(),
    selfCollisionMarginM: SERVO.selfCollision.marginM,
  });
  const motion = new Motion(LIMITS, body(), TICK_MS / 1000);
  const hand = (s: number): AlignedHand => {
    const { positionM, quat = [0, 0, 0, 1] } = at(s);
    return { pose: { positionM: positionM as [number, number, number], quatXyzw: [...quat] }, gripper: 0 };
  };
  motion.startAt(Float64Array.from(fromRad));
  mapping.engage(hand(0), motion.sentRad, 0);
  const chain = new ArmChain();
  const toolM: number[][] = [];
  const words = new Set<string>();
  let zoneReasons = 0;
  let aheadRad = 0;
  for (let nowMs = 0, nextPoseMs = 0; nowMs < 1000 * seconds; nowMs += TICK_MS) {
    if (nowMs >= nextPoseMs) {
      const { targetRad, limitedBy } = mapping.step(hand(nowMs / 1000), nowMs, motion.sentRad);
      for (const word of limitedBy) words.add(word);
      targetRad.forEach((value, joint) => {
        aheadRad = Math.max(aheadRad, Math.abs(value - motion.sentRad[joint]!));
      });
      motion.follow(targetRad, 1, nowMs);
      nextPoseMs += POSE_MS;
    }
    motion.next();
    zoneReasons |= motion.reasons & ZONES;
    motion.accept();
    chain.update(motion.sentRad);
    toolM.push([...chain.toolM]);
  }
  return { toolM, words: [...words], zoneReasons, aheadRad };
}

/** A hand that wanders and turns as no person does. */
function wanderingHand(random: Random): (s: number) => { positionM: number[]; quat: QuatXyzw } {
  const [atM, mPerS, turnRad, radPerS] = Array.from({ length: 4 }, () => [0, 0, 0]) as [
    number[],
    number[],
    number[],
    number[],
  ];
  const wander = (place: number[], speed: number[], push: number, most: number) => {
    for (let axis = 0; axis < 3; axis++) {
      speed[axis] = 0.98 * speed[axis]! + random.uniform(-push, push);
      const next = place[axis]! + (speed[axis]! * POSE_MS) / 1000;
      place[axis] = Math.min(most, Math.max(-most, next));
    }
  };
  return () => {
    wander(atM, mPerS, 0.05, 0.8);
    wander(turnRad, radPerS, 0.08, 1);
    return { positionM: [...atM], quat: quatFromRpy(turnRad[0]!, turnRad[1]!, turnRad[2]!) };
  };
}

describe("a hand that pushes", () => {
  it("into the table slides along it: the servo never has to stop it", () => {
    const { toolM, words, zoneReasons } = operate(8, (s) => ({
      positionM: [0.02 * s, 0.2 * Math.sin(s), -0.15 * Math.min(3, s)],
    }));
    expect(words).toContain("workspace");
    expect(words).not.toContain("servo limits");
    expect(zoneReasons).toBe(0);
    const low = toolM.filter(([, , z]) => z! < 0.05);
    expect(low.length).toBeGreaterThan(500);
    expect(Math.max(...low.map(([, y]) => y!)) - Math.min(...low.map(([, y]) => y!))).toBeGreaterThan(0.2);
    expect(Math.min(...low.map(([, , z]) => z!))).toBeGreaterThan(0.01);
  });

  it("a tilted tool into the table keeps its fingers out of it", () => {
    const { words, zoneReasons } = operate(6, (s) => ({
      positionM: [0, 0, -0.12 * Math.min(3, s)],
      quat: quatFromRpy(0.9 * Math.sin(s), 0.5 * Math.sin(0.7 * s), 0),
    }));
    expect(words).toContain("workspace");
    expect(zoneReasons).toBe(0);
  });

  it("out of the box at the side or the top slides along its faces", () => {
    for (const direction of [
      [0, 1, 0],
      [0, -1, 0],
    ]) {
      const { toolM, zoneReasons } = operate(7, (s) => ({
        positionM: direction.map(
          (way, axis) => 0.25 * way * Math.min(5, s) + (axis === 2 ? 0.05 * Math.sin(s) : 0),
        ),
      }));
      expect(zoneReasons).toBe(0);
      expect(Math.abs(toolM.at(-1)![1]!)).toBeLessThanOrEqual(0.6);
    }
  });

  it("towards the arm's own base stops at a distance, by itself", () => {
    const { zoneReasons, words } = operate(7, (s) => ({ positionM: [-0.15 * Math.min(5, s), 0, 0.03 * s] }));
    expect(zoneReasons).toBe(0);
    expect(words.length).toBeGreaterThan(0);
  });

  // Among sixty seeds some where the servo, which slides along nothing, stands before its own links or the table.
  it.each([4, 30])("and is held by the servo is not left behind: nothing is wound up (seed %i)", (seed) => {
    const random = new Random(seed);
    const fromRad = XARM7_HOME_RAD.map((value) => value + random.uniform(-0.9, 0.9));
    const { aheadRad, zoneReasons, words } = operate(12, wanderingHand(random), fromRad);
    expect(zoneReasons).not.toBe(0);
    expect(aheadRad).toBeLessThan(0.4);
    expect(words).toContain("servo limits");
  });

  it("out of reach comes to rest at the edge, without a tremor, and comes back at once", () => {
    const { toolM, words } = operate(12, (s) => ({
      positionM: [s < 8 ? 0.2 * Math.min(4, s) : 0.8 - 0.1 * (s - 8), 0, 0.3 * Math.min(1, s)],
    }));
    expect(words).toContain("reach");
    const at = (s: number) => toolM[Math.floor((1000 * s) / TICK_MS)]!;
    const way = (from: number, to: number) => {
      let sum = 0;
      for (let k = Math.floor((1000 * from) / TICK_MS); k < (1000 * to) / TICK_MS; k++)
        sum += Math.hypot(...[0, 1, 2].map((axis) => toolM[k + 1]![axis]! - toolM[k]![axis]!));
      return sum;
    };
    expect(way(7, 7.9)).toBeLessThan(0.002);
    // The leash is all that there is to take up.
    expect(at(11)[0]!).toBeLessThan(at(7.9)[0]! - 0.12);
  });
});
