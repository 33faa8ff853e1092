/** Reads the 25 joints of a tracked hand, and what the fingers say by pinching. */
import { HAND_JOINTS, type HandPose, NUMBERS_PER_HAND_JOINT } from "../../core/teleop/pose.js";
import { NO_BUTTONS } from "./gamepadReader.js";
import { checkedPose, matrixOf, poseOfMatrix, toTrackedPose } from "./trackedPose.js";
import type { XrFrameLike, XrInputLike } from "./xrTypes.js";

type XrHandLike = NonNullable<XrInputLike["hand"]>;

const tipOf = (finger: string): number =>
  HAND_JOINTS.indexOf(`${finger}-tip` as (typeof HAND_JOINTS)[number]);
const WRIST = HAND_JOINTS.indexOf("wrist");
const THUMB_TIP = tipOf("thumb");
const INDEX_TIP = tipOf("index-finger");
const MIDDLE_TIP = tipOf("middle-finger");
const RING_TIP = tipOf("ring-finger");
const LITTLE_TIP = tipOf("pinky-finger");

/** Tips whose middles are this near touch: a joint's middle lies some 8 mm below the skin. */
const TOUCHING_M = 0.018;
/** Tips this far apart are open for sure. */
const OPEN_M = 0.045;
/** A pinch that stands for a button: pressed above, released below. */
const BUTTON_ON = 0.9;
const BUTTON_OFF = 0.5;

/**
 * Joints are rounded to a micrometre and a millionth: noise of a camera is far larger, and a message with two hands
 * becomes half as long. The wrist, by which a frozen tracker is told, stays as it came.
 */
const JOINT_STEPS_PER_UNIT = 1e6;
const MATRIX_NUMBERS = 16;

export class HandReader {
  readonly #matrices = new Float32Array(MATRIX_NUMBERS * HAND_JOINTS.length);
  readonly #radiiM = new Float32Array(HAND_JOINTS.length);
  #hand: XrHandLike | undefined;
  #spaces: object[] | undefined;
  #ring = false;
  #little = false;

  reset(): void {
    this.#ring = this.#little = false;
  }

  /**
   * Clutch: thumb and index finger. Gripper: thumb and middle finger. Buttons A and B: thumb and ring or little finger.
   * @param before the same hand in the message before: what a lost hand still holds
   */
  read(
    side: HandPose["hand"],
    hand: XrHandLike,
    frame: XrFrameLike,
    space: object,
    before: HandPose | undefined,
  ): HandPose {
    const joints = this.#readJoints(hand, frame, space);
    if (joints === undefined) {
      const { clutch, gripper, buttons, stick } = before ?? NO_BUTTONS;
      return {
        hand: side,
        mode: "hand",
        tracked: false,
        pose: null,
        clutch,
        gripper,
        buttons,
        stick,
        joints: null,
      };
    }
    this.#ring = hysteresis(this.#ring, pinch(joints, RING_TIP));
    this.#little = hysteresis(this.#little, pinch(joints, LITTLE_TIP));
    const pose = poseOf(this.#matrices, WRIST);
    return {
      hand: side,
      mode: "hand",
      tracked: pose !== null,
      pose,
      clutch: pinch(joints, INDEX_TIP),
      gripper: pinch(joints, MIDDLE_TIP),
      buttons: { a: this.#ring, b: this.#little, stick: false },
      stick: [0, 0],
      joints,
    };
  }

  /** Undefined unless the headset sees every joint. */
  #readJoints(hand: XrHandLike, frame: XrFrameLike, space: object): number[] | undefined {
    const spaces = this.#spacesOf(hand);
    if (spaces === undefined) return undefined;
    const filled =
      frame.fillPoses !== undefined
        ? frame.fillPoses(spaces, space, this.#matrices)
        : fillOneByOne(spaces, frame, space, this.#matrices, this.#radiiM);
    if (!filled) return undefined;
    if (frame.fillPoses !== undefined) {
      this.#radiiM.fill(0);
      frame.fillJointRadii?.(spaces, this.#radiiM);
    }
    const joints: number[] = [];
    for (let joint = 0; joint < spaces.length; joint++) {
      const pose = poseOf(this.#matrices, joint);
      if (pose === null) return undefined;
      const radiusM = this.#radiiM[joint]!;
      joints.push(...pose.positionM, ...pose.quatXyzw, radiusM >= 0 && radiusM < 1 ? radiusM : 0);
    }
    return joints.map((value) => Math.round(value * JOINT_STEPS_PER_UNIT) / JOINT_STEPS_PER_UNIT);
  }

  #spacesOf(hand: XrHandLike): object[] | undefined {
    if (hand !== this.#hand) {
      const spaces = HAND_JOINTS.flatMap((joint) => hand.get(joint) ?? []);
      this.#hand = hand;
      this.#spaces = spaces.length === HAND_JOINTS.length ? spaces : undefined;
    }
    return this.#spaces;
  }
}

const hysteresis = (isOn: boolean, share: number): boolean => share > (isOn ? BUTTON_OFF : BUTTON_ON);

/** 0 = the tips are apart, 1 = they touch. */
function pinch(joints: readonly number[], tip: number): number {
  const at = (joint: number, axis: number): number => joints[joint * NUMBERS_PER_HAND_JOINT + axis]!;
  const apartM = Math.hypot(
    at(tip, 0) - at(THUMB_TIP, 0),
    at(tip, 1) - at(THUMB_TIP, 1),
    at(tip, 2) - at(THUMB_TIP, 2),
  );
  return Math.min(1, Math.max(0, (OPEN_M - apartM) / (OPEN_M - TOUCHING_M)));
}

/** Null when the joint's matrix is no rigid transform. */
function poseOf(matrices: Float32Array, joint: number) {
  const { positionM, quatXyzw } = poseOfMatrix(matrices, joint * MATRIX_NUMBERS);
  return checkedPose(positionM, quatXyzw);
}

/** For a browser without `fillPoses`. */
function fillOneByOne(
  spaces: readonly object[],
  frame: XrFrameLike,
  space: object,
  matrices: Float32Array,
  radiiM: Float32Array,
): boolean {
  for (const [joint, jointSpace] of spaces.entries()) {
    const found = frame.getJointPose?.(jointSpace, space);
    const pose = toTrackedPose(found);
    if (pose === null) return false;
    matrices.set(matrixOf(pose), joint * MATRIX_NUMBERS);
    radiiM[joint] = found?.radius ?? 0;
  }
  return true;
}
