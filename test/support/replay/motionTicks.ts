/** Ticks of an arm as an episode holds them, made by the servo's own motion without servo or device. */
import { asEpochNs } from "../../../core/clock.js";
import type { RecordedRobot } from "../../../episodes/format.js";
import type { ServoTick } from "../../../episodes/messages.js";
import { TOOL_POINT_FLANGE_M, XARM7_HOME_RAD, XARM7_JOINT_NAMES } from "../../../kinematics/xarm7.js";
import { xarm7Body } from "../../../kinematics/xarm7Collision.js";
import type { RecordedMotion, ReplayTarget } from "../../../runtime/replay/plan.js";
import { Motion } from "../../../runtime/servo/motion.js";
import { PROFILES } from "../servo/motionJudge.js";

export const RATE_HZ = 250;
export const MODEL = "xArm7";
const START_NS = 1_800_000_000_000_000_000n;

export const targetOf = (profile = "shipped"): ReplayTarget => ({
  model: MODEL,
  rateHz: RATE_HZ,
  limits: PROFILES[profile]!,
  body: xarm7Body({ gripper: "xarm", toolPointM: TOOL_POINT_FLANGE_M, attached: [] }),
});

export const nearHome = (byRad: readonly number[]): number[] =>
  XARM7_HOME_RAD.map((value, joint) => value + (byRad[joint] ?? 0));

/** Standing, three targets at a policy's rhythm, then the way home, a gripper that closes on the way, standing. */
export function motionTicks(startRad: readonly number[] = nearHome([])): ServoTick[] {
  const { limits, body } = targetOf();
  const motion = new Motion(limits, body, 1 / RATE_HZ);
  motion.startAt(Float64Array.from(startRad));
  const ticks: ServoTick[] = [];
  let openingM = 0.08;
  const run = (count: number) => {
    for (let i = 0; i < count; i++) {
      motion.next();
      motion.accept();
      ticks.push(tickOf(ticks.length + 1000, motion.sentRad, openingM));
    }
  };
  run(30);
  for (const step of [1, 2, 3]) {
    motion.follow(
      Float64Array.from(startRad, (v, j) => v + 0.1 * step * (j % 2 ? 1 : -1)),
      1,
      ticks.length * 4,
    );
    run(50);
  }
  openingM = 0.03;
  motion.follow(Float64Array.from(startRad), 0.7, ticks.length * 4);
  run(400);
  motion.hold();
  run(40);
  return ticks;
}

export function tickOf(tick: number, sentRad: ArrayLike<number>, openingM = Number.NaN): ServoTick {
  const position = Float64Array.from(sentRad);
  const stampNs = asEpochNs(START_NS + BigInt(tick) * 4_000_000n);
  return {
    stampNs,
    tick,
    state: "following",
    epoch: 3,
    commander: "test",
    commandSeq: 1,
    reasons: 0,
    stateStampNs: stampNs,
    stateSequence: tick,
    deviceTimeUs: 0,
    requestedRad: position,
    limitedRad: position,
    sentRad: position,
    positionRad: position,
    velocityRadPerS: new Float64Array(position.length),
    effortNm: new Float64Array(position.length),
    gripperCommandM: openingM,
    gripperOpeningM: openingM,
    deviceErrorCode: 0,
  };
}

export const recorded = (
  ticks: readonly ServoTick[],
  robot: Partial<ReturnType<typeof RecordedRobot.parse>> = {},
  flags: RecordedMotion["flags"] = [],
): RecordedMotion => ({
  robot: {
    model: MODEL,
    serial: "S",
    firmware: "1",
    jointNames: [...XARM7_JOINT_NAMES],
    rateHz: RATE_HZ,
    positionMinRad: [],
    positionMaxRad: [],
    velocityMaxRadPerS: [],
    ...robot,
  },
  flags,
  ticks,
});
