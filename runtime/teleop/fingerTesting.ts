/** A person's two hands that a test moves: the right one leads fingers, the left one pinches; for tests only. */
import type { ArmLimits } from "../../core/arm.js";
import type { HandPose, PoseMessage } from "../../core/teleop/pose.js";
import { ALLEGRO_JOINT_NAMES, HAND_JOINT_COUNT, type HandSide } from "../../kinematics/allegro/hand.js";
import { limitsOf } from "../../kinematics/allegro/limits.js";
import { poseOf, SESSION } from "./testing.js";

const each = (value: number): number[] => Array(HAND_JOINT_COUNT).fill(value);
const MARGIN_RAD = 0.02;

/** As a servo with the defaults of a cell file has them. */
export function handServoLimits(model: "v4" | "v5a", side: HandSide): ArmLimits {
  const { positionMinRad, positionMaxRad } = limitsOf(model, side);
  return {
    jointNames: ALLEGRO_JOINT_NAMES,
    positionMinRad: positionMinRad.map((min) => min + MARGIN_RAD),
    positionMaxRad: positionMaxRad.map((max) => max - MARGIN_RAD),
    velocityMaxRadPerS: each(3),
    accelerationMaxRadPerS2: each(60),
    jerkMaxRadPerS3: each(3000),
    toolSpeedMaxMPerS: 0.5,
  };
}

/** Messages of a headset that sees both hands; the leading wrist and the other one tremble by a micrometre. */
export class TwoHands {
  seq = 0;
  session = SESSION;
  leads: HandSide = "right";
  pinch = 0;
  joints: readonly number[] | null;
  leading: Partial<HandPose> = {};
  other: Partial<HandPose> = {};
  /** Whether the other hand is in the message at all. */
  hasOther = true;

  constructor(joints: readonly number[] | null) {
    this.joints = joints;
  }

  next(nowMs: number, changes: Partial<PoseMessage> = {}): PoseMessage {
    this.seq++;
    const shake = (this.seq % 2) * 1e-6;
    const rest = poseOf().hands[0]!;
    const at = (x: number) => ({ positionM: [x + shake, 1, -0.3] as never, quatXyzw: [0, 0, 0, 1] as never });
    const leading: HandPose = {
      ...rest,
      hand: this.leads,
      mode: "hand",
      pose: at(0.2),
      joints: this.joints === null ? null : [...this.joints],
      ...this.leading,
    };
    const other: HandPose = {
      ...rest,
      hand: this.leads === "right" ? "left" : "right",
      mode: "hand",
      pose: at(-0.2),
      clutch: this.pinch,
      ...this.other,
    };
    return {
      ...poseOf({ session: this.session, seq: this.seq, deviceTimeMs: nowMs + 5000 }),
      hands: this.hasOther ? [other, leading] : [leading],
      ...changes,
    };
  }
}
