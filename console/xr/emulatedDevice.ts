/**
 * A headset that is not there: iwer's device, set by the poses that the wire carries. Used by the emulated headset in
 * Node and by `?emulate=1` in a browser. Where iwer differs from a headset it is put right: a controller that is
 * tracked does not say that its position is guessed, and a hand is never still to the last bit.
 */
import { metaQuest3, P_GAMEPAD, P_JOINT_SPACE, P_SPACE, XRDevice, type XRDeviceOptions } from "iwer";
import { invariant } from "../../core/errors.js";
import {
  HAND_JOINTS,
  type HandPose,
  NUMBERS_PER_HAND_JOINT,
  type TrackedPose,
} from "../../core/teleop/pose.js";
import { compose, inverse, matrixOf, type PositionM, poseOfMatrix, type QuatXyzw } from "./trackedPose.js";
import type { XrVisibility } from "./xrTypes.js";

export type Side = HandPose["hand"];

/** What is pressed; what is not named stays as it is. */
export interface EmulatedButtons {
  /** Clutch, 0 to 1. */
  readonly squeeze?: number;
  /** Gripper, 0 to 1. */
  readonly trigger?: number;
  readonly a?: boolean;
  readonly b?: boolean;
  readonly stick?: boolean;
}

/** Shares of pinches, 0 = open, 1 = the tips touch; what is not named is open. */
export interface EmulatedFingers {
  /** Clutch. */
  readonly index?: number;
  /** Gripper. */
  readonly middle?: number;
  /** Button A. */
  readonly ring?: number;
  /** Button B. */
  readonly little?: number;
}

/** What a hand shows beside its wrist: pinches of iwer's own hand, or every joint, relative to the wrist. */
type ShownHand = { readonly pinches: EmulatedFingers } | { readonly joints: readonly EmulatedJoint[] };

interface EmulatedJoint {
  readonly name: (typeof HAND_JOINTS)[number];
  /** In the wrist's frame, column by column. */
  readonly matrix: readonly number[];
  readonly radiusM: number;
}

export interface EmulationOptions {
  /** Largest tremor of each hand along each axis [m]; 0 gives a dead tracker, which the daemon refuses. */
  readonly tremorM?: number;
  /** Of the tremor. */
  readonly seed?: number;
  readonly device?: Partial<XRDeviceOptions>;
}

const TREMOR_M = 3e-5;
const BUTTON_NAMES = {
  left: { a: "x-button", b: "y-button" },
  right: { a: "a-button", b: "b-button" },
} as const;
/** How far each bone of a finger goes along when its tip comes to the thumb's. */
const BONES = [
  ["tip", 1],
  ["phalanx-distal", 0.8],
  ["phalanx-intermediate", 0.4],
] as const;
/** Of the position in a column-major matrix. */
const POSITION = [12, 13, 14] as const;
const REST: Record<Side, TrackedPose> = {
  left: { positionM: [-0.25, 1.1, -0.35], quatXyzw: [0, 0, 0, 1] },
  right: { positionM: [0.25, 1.1, -0.35], quatXyzw: [0, 0, 0, 1] },
};
const SIDES: readonly Side[] = ["left", "right"];

export class EmulatedDevice {
  readonly xrDevice: XRDevice;
  readonly #tremorM: number;
  #random: number;
  /** Grip pose of a controller, or wrist of a hand, as set. */
  readonly #wanted: Record<Side, TrackedPose> = { ...REST };
  readonly #shown: Record<Side, ShownHand> = { left: { pinches: {} }, right: { pinches: {} } };
  readonly #modes: Record<Side, HandPose["mode"]> = { left: "controller", right: "controller" };

  constructor({ tremorM = TREMOR_M, seed = 1, device = {} }: EmulationOptions = {}) {
    this.#tremorM = tremorM;
    this.#random = seed;
    this.xrDevice = new XRDevice(metaQuest3, device);
    // iwer knows two controllers or two hands; a headset may have one of each.
    Object.defineProperty(this.xrDevice, "activeInputs", { get: () => this.#inputs() });
    for (const side of SIDES) {
      this.setTracked(side, true);
      this.#bendFingers(side);
    }
  }

  /** Grip pose of a controller, `local-floor`. The headset shows controllers from then on. */
  setController(side: Side, pose: TrackedPose): void {
    this.#showAll("controller");
    this.#wanted[side] = pose;
  }

  /** Wrist of a hand, `local-floor`, and its pinches. The headset shows hands from then on. */
  setHand(side: Side, wrist: TrackedPose, fingers: EmulatedFingers = {}): void {
    this.#showAll("hand");
    this.#wanted[side] = wrist;
    this.#shown[side] = { pinches: fingers };
  }

  /**
   * Every joint of a hand. The headset shows hands from then on.
   * @param joints (25, 8) flat, as in core/teleop/pose.ts: x y z [m], quaternion x y z w, radius [m]; `local-floor`
   */
  setJoints(side: Side, joints: ArrayLike<number>): void {
    invariant(
      joints.length === HAND_JOINTS.length * NUMBERS_PER_HAND_JOINT,
      "an emulated hand has 25 joints",
    );
    this.#showAll("hand");
    const shown = HAND_JOINTS.map((name, joint) => ({ name, ...jointOf(joints, joint) }));
    const wrist = shown[0]!.pose;
    this.#wanted[side] = wrist;
    const toWrist = inverse(wrist);
    this.#shown[side] = {
      joints: shown.map(({ name, pose, radiusM }) => ({
        name,
        matrix: matrixOf(compose(toWrist, pose)),
        radiusM,
      })),
    };
  }

  /**
   * Thumb and index finger together, or the hand at rest; where the wrist is stays. The headset shows hands from then
   * on. Takes the place of joints that were set for this hand.
   */
  setPinch(side: Side, isOn: boolean): void {
    this.#showAll("hand");
    this.#shown[side] = { pinches: { index: Number(isOn) } };
  }

  /** One side only: some headsets show a hand beside a controller. */
  setMode(side: Side, mode: HandPose["mode"]): void {
    this.#modes[side] = mode;
  }

  setHead(pose: TrackedPose): void {
    this.xrDevice.position.set(...pose.positionM);
    this.xrDevice.quaternion.set(...pose.quatXyzw);
  }

  setButtons(side: Side, { squeeze, trigger, a, b, stick }: EmulatedButtons): void {
    const controller = this.xrDevice.controllers[side]!;
    const values: readonly (readonly [string, number | boolean | undefined])[] = [
      ["squeeze", squeeze],
      ["trigger", trigger],
      [BUTTON_NAMES[side].a, a],
      [BUTTON_NAMES[side].b, b],
      ["thumbstick", stick],
    ];
    for (const [name, value] of values)
      if (value !== undefined) controller.updateButtonValue(name, Number(value));
  }

  /** False: the cameras do not see the controller, and the headset only guesses where it is. */
  setTracked(side: Side, isTracked: boolean): void {
    const { gripSpace, targetRaySpace } = this.xrDevice.controllers[side]!.inputSource;
    for (const space of [gripSpace, targetRaySpace]) if (space) space[P_SPACE].emulated = !isTracked;
  }

  /** False: the controller is asleep, or the hand is out of sight. */
  setConnected(side: Side, isConnected: boolean): void {
    this.xrDevice.controllers[side]!.connected = isConnected;
    this.xrDevice.hands[side]!.connected = isConnected;
  }

  setVisibility(visibility: XrVisibility): void {
    this.xrDevice.updateVisibilityState(visibility as Parameters<XRDevice["updateVisibilityState"]>[0]);
  }

  /** The newest pulse of a controller; undefined before the first. */
  lastPulse(side: Side): { readonly strength: number; readonly durationMs: number } | undefined {
    const pulse =
      this.xrDevice.controllers[side]!.inputSource.gamepad?.hapticActuators[0]?.[P_GAMEPAD].lastPulse;
    return pulse == null ? undefined : { strength: pulse.value, durationMs: pulse.duration };
  }

  /** Call before each frame: iwer is set by the ray that a hand points along, the wire carries grip and wrist. */
  beforeFrame(): void {
    for (const side of SIDES) {
      const isHand = this.#modes[side] === "hand";
      const input = isHand ? this.xrDevice.hands[side]! : this.xrDevice.controllers[side]!;
      const { hand, gripSpace } = input.inputSource;
      if (isHand) {
        this.xrDevice.hands[side]!.setPinchValueImmediate(this.#pinchesOf(side).index ?? 0);
        this.xrDevice.hands[side]!.updateHandPose();
      }
      const offset = (isHand ? hand!.get("wrist" as never)! : gripSpace!)[P_SPACE].offsetMatrix;
      const ray = compose(this.#shaken(this.#wanted[side]), inverse(poseOfMatrix(offset)));
      input.position.set(...ray.positionM);
      input.quaternion.set(...ray.quatXyzw);
    }
  }

  #showAll(mode: HandPose["mode"]): void {
    for (const side of SIDES) this.#modes[side] = mode;
  }

  #inputs() {
    if (this.xrDevice.visibilityState !== "visible") return [];
    return SIDES.map((side) =>
      this.#modes[side] === "hand" ? this.xrDevice.hands[side]! : this.xrDevice.controllers[side]!,
    ).filter(({ connected }) => connected);
  }

  #pinchesOf(side: Side): EmulatedFingers {
    const shown = this.#shown[side];
    return "pinches" in shown ? shown.pinches : {};
  }

  #shaken({ positionM, quatXyzw }: TrackedPose): TrackedPose {
    const moved = positionM.map((value) => value + this.#tremor());
    return { positionM: moved as PositionM, quatXyzw };
  }

  /**
   * iwer's hand pinches with its index finger only, and knows no other attitude: the other fingers are moved to the
   * thumb, or every joint to where it was set, each time that it sets the hand.
   */
  #bendFingers(side: Side): void {
    const input = this.xrDevice.hands[side]!;
    const setHand = input.updateHandPose.bind(input);
    const spaceOf = (joint: string) => input.inputSource.hand!.get(joint as never)!;
    const offsetOf = (joint: string) => spaceOf(joint)[P_SPACE].offsetMatrix;
    input.updateHandPose = () => {
      setHand();
      const shown = this.#shown[side];
      if ("joints" in shown) {
        for (const { name, matrix, radiusM } of shown.joints) {
          const offset = offsetOf(name);
          for (let i = 0; i < matrix.length; i++) offset[i] = matrix[i]!;
          spaceOf(name)[P_JOINT_SPACE].radius = radiusM;
        }
        this.#shakeFingers(offsetOf);
        return;
      }
      const thumb = offsetOf("thumb-tip");
      const { middle = 0, ring = 0, little = 0 } = shown.pinches;
      const bent = [
        ["middle-finger", middle],
        ["ring-finger", ring],
        ["pinky-finger", little],
      ] as const;
      for (const [finger, share] of bent) {
        for (const [bone, along] of BONES) {
          const joint = offsetOf(`${finger}-${bone}`);
          for (const index of POSITION) joint[index]! += share * along * (thumb[index]! - joint[index]!);
        }
      }
      this.#shakeFingers(offsetOf);
    };
  }

  /** Each joint by itself: fingers that stand to their own hand are those of a dead tracker. */
  #shakeFingers(offsetOf: (joint: string) => { [index: number]: number }): void {
    for (const name of HAND_JOINTS.slice(1)) {
      const offset = offsetOf(name);
      for (const index of POSITION) offset[index]! += this.#tremor();
    }
  }

  #tremor(): number {
    return this.#tremorM * (2 * this.#chance() - 1);
  }

  /** Numerical Recipes' 32-bit generator: tremor wants no better. */
  #chance(): number {
    this.#random = (Math.imul(1_664_525, this.#random) + 1_013_904_223) >>> 0;
    return this.#random / 2 ** 32;
  }
}

/** Where the hands rest until they are moved. */
export const restingPose = (side: Side): TrackedPose => REST[side];

function jointOf(joints: ArrayLike<number>, joint: number): { pose: TrackedPose; radiusM: number } {
  const at = (index: number): number => joints[NUMBERS_PER_HAND_JOINT * joint + index]!;
  const quatXyzw: QuatXyzw = [at(3), at(4), at(5), at(6)];
  return { pose: { positionM: [at(0), at(1), at(2)], quatXyzw }, radiusM: at(7) };
}
