/**
 * Turns a WebXR frame into the pose message of the wire. Nothing that is not a finite, plausible number leaves here,
 * and what the headset only guesses is said to be untracked: the daemon holds then.
 */
import type { HandPose, PoseMessage, TrackedPose } from "../../core/teleop/pose.js";
import { NO_BUTTONS, readGamepad } from "./gamepadReader.js";
import { HandReader } from "./handReader.js";
import { toTrackedPose } from "./trackedPose.js";
import type { XrFrameLike, XrInputLike, XrVisibility } from "./xrTypes.js";

export interface Sample {
  readonly frame: XrFrameLike;
  /** The `local-floor` space that poses are asked in. */
  readonly space: object;
  readonly inputs: Iterable<XrInputLike>;
  readonly visibility: XrVisibility;
  /** The page's monotonic clock [ms]. */
  readonly nowMs: number;
}

type Side = HandPose["hand"];
const SIDES: readonly Side[] = ["left", "right"];

export class PoseSampler {
  readonly #device: string;
  #session: string;
  #seq = 0;
  /** The newest of each hand that this session has seen: one that vanishes is reported as lost, not left out. */
  readonly #seen = new Map<Side, HandPose>();
  readonly #readers: Record<Side, HandReader> = { left: new HandReader(), right: new HandReader() };

  /** @param session random, 8 to 64 characters */
  constructor(device: string, session: string) {
    this.#device = device;
    this.#session = session;
  }

  get session(): string {
    return this.#session;
  }

  /** The source starts again (new connection, new immersive session, moved floor): whatever was engaged ends. */
  restart(session: string): void {
    this.#session = session;
    this.#seq = 0;
    this.#seen.clear();
    for (const side of SIDES) this.#readers[side].reset();
  }

  sample({ frame, space, inputs, visibility, nowMs }: Sample): PoseMessage {
    const present = bestOfEachSide(inputs);
    const hands: HandPose[] = [];
    for (const side of SIDES) {
      const input = present.get(side);
      const hand = input === undefined ? lost(this.#seen.get(side)) : this.#read(side, input, frame, space);
      if (hand === undefined) continue;
      this.#seen.set(side, hand);
      hands.push(hand);
    }
    return this.#message(hands, toTrackedPose(frame.getViewerPose(space)), visibility, nowMs);
  }

  /** Last words when no more frames will come: the page is hidden, or the headset is taken off. */
  sampleUnseen(visibility: Exclude<XrVisibility, "visible">, nowMs: number): PoseMessage {
    const hands = SIDES.flatMap((side) => lost(this.#seen.get(side)) ?? []);
    return this.#message(hands, null, visibility, nowMs);
  }

  #read(side: Side, input: XrInputLike, frame: XrFrameLike, space: object): HandPose {
    if (input.hand != null)
      return this.#readers[side].read(side, input.hand, frame, space, this.#seen.get(side));
    const grip = input.gripSpace == null ? undefined : frame.getPose(input.gripSpace, space);
    const pose = toTrackedPose(grip);
    const read = readGamepad(input.gamepad);
    const { clutch, gripper, buttons, stick } = read ?? this.#seen.get(side) ?? NO_BUTTONS;
    return {
      hand: side,
      mode: "controller",
      // A clutch that cannot be read has not been opened.
      tracked: pose !== null && grip?.emulatedPosition !== true && read !== undefined,
      pose,
      clutch,
      gripper,
      buttons,
      stick,
      joints: null,
    };
  }

  #message(
    hands: HandPose[],
    head: TrackedPose | null,
    visibility: XrVisibility,
    nowMs: number,
  ): PoseMessage {
    return {
      v: 1,
      source: "webxr",
      device: this.#device,
      session: this.#session,
      seq: this.#seq++,
      deviceTimeMs: Math.max(0, nowMs),
      space: "local-floor",
      visibility,
      head,
      hands,
    };
  }
}

/** A headset may list a controller and the hand beside it: the controller counts, it has the buttons. */
function bestOfEachSide(inputs: Iterable<XrInputLike>): Map<Side, XrInputLike> {
  const best = new Map<Side, XrInputLike>();
  for (const input of inputs) {
    const side = SIDES.find((one) => one === input.handedness);
    if (side === undefined || (input.gripSpace == null && input.hand == null)) continue;
    const other = best.get(side);
    if (other === undefined || (other.hand != null && input.hand == null)) best.set(side, input);
  }
  return best;
}

/**
 * The buttons stay as they were: a clutch that is held through the loss is still held, so that the daemon waits for a
 * release that it has seen.
 */
function lost(seen: HandPose | undefined): HandPose | undefined {
  return seen === undefined ? undefined : { ...seen, tracked: false, pose: null, joints: null };
}
