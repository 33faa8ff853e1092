/**
 * The operator's headset: paired like any other, the page's own code for poses and buttons, and a real WebSocket to the
 * gateway. The person stands behind the robot's base, not quite along its x axis, and recentres.
 */
import { pairWithCode } from "../../console/link/pairing.js";
import { sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { TeleopState } from "../../core/gateway/server.js";
import type { TrackedPose } from "../../core/teleop/pose.js";
import type { HandSide } from "../../kinematics/allegro/hand.js";
import { multiplyQuat, type Pose, type QuatXyzw, quatFromRpy, rotate } from "../../kinematics/pose.js";
import { policyRobots } from "../../runtime/policy/config.js";
import type { Daemon } from "../daemon/daemon.js";
import { EmulatedHeadset } from "../headset/emulatedHeadset.js";
import type { FingerFrame } from "./fingerOperator.js";
import type { HandFrame } from "./operator.js";
import type { OperatorWire } from "./wire.js";

const DEVICE = "scripted-operator";
const RATE_HZ = 72;
/** Which way the person faces in the room, seen from above, counter-clockwise. */
const FACING = quatFromRpy(0, 0, 0.35);
const HEAD_M = [0, 0, 1.6] as const;
const FRAME_MS_MAX = 1000;
/** Poses that have to be there before anybody can recentre by them. */
const FIRST_POSES_MS = 300;

/** What an operator shows with a headset, and how it lets go. */
interface Showing<Frame> {
  /** Before the first frame, and after the last one. */
  rest(headset: EmulatedHeadset): void;
  show(headset: EmulatedHeadset, frame: Frame): void;
  /** Where ahead is matters to what is led by a wrist. */
  readonly recentres: boolean;
}

const CONTROLLER: Showing<HandFrame> = {
  recentres: true,
  rest: (headset) => headset.setButtons("right", { squeeze: 0, trigger: 0 }),
  show: (headset, { hand, clutch, gripper }) => {
    headset.setController("right", toFloor(hand, FACING));
    headset.setButtons("right", { squeeze: clutch, trigger: gripper });
  },
};

/** The right or left hand leads, the other one pinches. */
const fingersOf = (side: HandSide): Showing<FingerFrame> => {
  const other = side === "right" ? "left" : "right";
  return {
    recentres: false,
    rest: (headset) => headset.setPinch(other, false),
    show: (headset, { joints, pinch }) => {
      headset.setHand(side, joints);
      headset.setPinch(other, pinch);
    },
  };
};

/**
 * A controller that leads a tool.
 * @throws CerebellumError NOT_RUNNING for a cell without a gateway, and what the gateway refuses with
 */
export const openHeadset = (daemon: Daemon): Promise<OperatorWire<HandFrame>> => open(daemon, CONTROLLER);

/** Tracked fingers that lead those of a robot's hand. @throws as `openHeadset` */
export const openFingers = (daemon: Daemon, side: HandSide): Promise<OperatorWire<FingerFrame>> =>
  open(daemon, fingersOf(side));

async function open<Frame>(daemon: Daemon, showing: Showing<Frame>): Promise<OperatorWire<Frame>> {
  const { gateway, cell, clock } = daemon;
  if (gateway === undefined) {
    throw new CerebellumError(
      "NOT_RUNNING",
      `Cell ${cell.name} has no gateway, which a headset needs`,
      "Add `gateway` to the cell file, or record with --through servo",
    );
  }
  const { code } = await gateway.pair("operator");
  const origin = `http://127.0.0.1:${gateway.status().port}`;
  const token = await pairedToken(origin, code);
  const headset = new EmulatedHeadset({ clock, device: DEVICE, rateHz: RATE_HZ });
  headset.setHead(toFloor({ positionM: HEAD_M, quatXyzw: [0, 0, 0, 1] }, FACING));
  showing.rest(headset);
  await headset.connect(origin, token, { robot: policyRobots(cell.policy!)[0] });
  return new HeadsetWire(daemon, headset, showing);
}

class HeadsetWire<Frame> implements OperatorWire<Frame> {
  readonly #daemon: Daemon;
  readonly #headset: EmulatedHeadset;
  readonly #showing: Showing<Frame>;
  #isTaken = true;

  constructor(daemon: Daemon, headset: EmulatedHeadset, showing: Showing<Frame>) {
    this.#daemon = daemon;
    this.#headset = headset;
    this.#showing = showing;
  }

  get state(): TeleopState {
    return this.#headset.status?.state ?? "off";
  }

  get why(): string {
    const why = this.#headset.status?.why;
    return why === undefined || why === null ? "" : `${why.code}: ${why.happened}`;
  }

  async take(): Promise<void> {
    if (!this.#isTaken) await this.#headset.takeTeleop();
    this.#isTaken = true;
    const { refusal } = this.#headset.session;
    if (!this.#headset.isMine) throw refused("take the arm", refusal?.happened ?? "", refusal?.remedy ?? "");
    await sleepMs(this.#daemon.clock, FIRST_POSES_MS);
    if (this.#showing.recentres && !(await this.#headset.recenter()))
      throw refused("recentre", this.#headset.session.notice?.text ?? "", "See `./cerebellum status`");
  }

  async untilFrame(signal: AbortSignal): Promise<void> {
    const came = new AbortController();
    const undo = this.#headset.onPose(() => came.abort());
    await sleepMs(this.#daemon.clock, FRAME_MS_MAX, AbortSignal.any([signal, came.signal]));
    undo();
    if (came.signal.aborted || signal.aborted) return;
    throw new CerebellumError(
      "TIMED_OUT",
      `The headset made no frame for ${FRAME_MS_MAX} ms`,
      "This computer is too busy; end other programs",
    );
  }

  show(frame: Frame): void {
    this.#showing.show(this.#headset, frame);
  }

  async startRecording(task: string, note: string): Promise<void> {
    await this.#headset.request({ do: "startRecording", task, note });
  }

  async stopRecording(outcome: "success" | "failure", note: string): Promise<void> {
    await this.#headset.request({ do: "stopRecording", outcome, note });
  }

  async discardRecording(): Promise<void> {
    await this.#headset.request({ do: "discardRecording" });
  }

  async give(): Promise<void> {
    this.#showing.rest(this.#headset);
    this.#isTaken = false;
    await this.#headset.request({ do: "giveTeleop" });
  }

  async close(): Promise<void> {
    this.#headset.close();
  }
}

async function pairedToken(origin: string, code: string): Promise<string> {
  const nothing = { getItem: () => null, setItem: () => {}, removeItem: () => {} };
  const pairing = await pairWithCode(code, {
    address: { origin, hash: "", clearHash: () => {} },
    storage: nothing,
    post: async (url, body) => {
      const headers = { "content-type": "application/json" };
      return (await fetch(url, { method: "POST", headers, body })).text();
    },
    deviceName: DEVICE,
  });
  if (pairing.kind === "paired") return pairing.token;
  const { happened, remedy } =
    pairing.kind === "refused" ? pairing.refusal : { happened: "no answer", remedy: "Start it again" };
  throw refused("pair", happened, remedy);
}

/** From axes x ahead of the person, y left, z up to a headset's local floor: x right, y up, z backwards. */
export function toFloor({ positionM, quatXyzw }: Pose, facing: QuatXyzw): TrackedPose {
  const [x, y, z] = rotate(facing, positionM);
  const [qx, qy, qz, qw] = multiplyQuat(facing, quatXyzw);
  return { positionM: [-y, z, -x], quatXyzw: [-qy, qz, -qx, qw] };
}

const refused = (what: string, happened: string, remedy: string) =>
  new CerebellumError(
    "COMMAND_REFUSED",
    `The headset could not ${what}: ${happened.replace(/\.$/, "")}`,
    remedy.replace(/\.$/, ""),
  );
