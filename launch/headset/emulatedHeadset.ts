/**
 * A headset without a headset, in Node: iwer's emulated device, the page's own code for poses and buttons, and the real
 * wire to a gateway. For scripted demonstrations, benches and tests.
 *
 * ```ts
 * const headset = new EmulatedHeadset({ clock: systemClock });
 * await headset.connect("http://127.0.0.1:8443", token, { robot: "xarm7" });   // takes teleoperation
 * headset.setController("right", { positionM: [0.3, 1.2, -0.4], quatXyzw: [0, 0, 0, 1] });
 * await headset.recenter();
 * headset.setButtons("right", { squeeze: 1 });                                 // engage
 * headset.setController("right", { positionM: [0.3, 1.25, -0.4], quatXyzw: [0, 0, 0, 1] });
 * await headset.untilStatus((status) => status.state === "engaged");
 * headset.setButtons("right", { squeeze: 0 });
 * headset.close();
 * ```
 *
 * Poses are in WebXR's `local-floor`: x right, y up, z backwards [m]. Frames come at `rateHz` on the given clock, and a
 * pose that was set is in the next one. Hands tremble by some micrometres as real ones do; what stands still to the
 * last bit is taken for a dead tracker by the daemon.
 */
import {
  P_DEVICE,
  P_SESSION,
  P_SYSTEM,
  type XRFrame,
  type XRReferenceSpace,
  type XRSession,
  XRSystem,
  XRWebGLLayer,
} from "iwer";
import { GatewayLink, type Subscription } from "../../console/link/gatewayLink.js";
import type { OpenSocket } from "../../console/link/pageSocket.js";
import {
  type EmulatedButtons,
  EmulatedDevice,
  type EmulatedFingers,
  type Side,
} from "../../console/xr/emulatedDevice.js";
import { HeadsetSession } from "../../console/xr/headsetSession.js";
import type { XrVisibility } from "../../console/xr/xrTypes.js";
import { addNs, type Clock, msToNs, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { GatewayRequest } from "../../core/gateway/requests.js";
import type { Refusal, ServerMessage, TeleopStatus } from "../../core/gateway/server.js";
import { DeviceName, type PoseMessage, type TrackedPose } from "../../core/teleop/pose.js";
import { withBrowserGlobals } from "./browserGlobals.js";
import { createNodeSocket } from "./nodeSocket.js";
import { createPageClock } from "./pageTime.js";

export interface EmulatedHeadsetOptions {
  readonly clock: Clock;
  /** Name in pose messages and at the gateway. */
  readonly device?: string;
  /** Frames a second, 72 to 120 on headsets. */
  readonly rateHz?: number;
  /** Of the tremor and of the sessions' names. */
  readonly seed?: number;
  /** Largest tremor along each axis [m]. */
  readonly tremorM?: number;
  /** The connection; a WebSocket of Node when absent. */
  readonly openSocket?: OpenSocket;
}

export interface ConnectOptions {
  /** Robot to take; the gateway's first when absent. */
  readonly robot?: string;
  readonly subscription?: Partial<Subscription>;
  /** Longest wait for the gateway's welcome [ms]. */
  readonly timeoutMs?: number;
}

type Haptic = Extract<ServerMessage, { kind: "haptic" }>;
const CONNECT_MS = 10_000;
const STATUS_MS = 10_000;
const SUBSCRIPTION: Subscription = { telemetryHz: 5, teleop: true, events: false, cameras: [] };

export class EmulatedHeadset {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #periodMs: number;
  readonly #openSocket: OpenSocket;
  readonly #device: EmulatedDevice;
  readonly #poseListeners = new Set<(pose: PoseMessage) => void>();
  readonly #messageListeners = new Set<(message: ServerMessage) => void>();
  readonly #ended = new AbortController();
  #sessions: number;
  #link: GatewayLink | undefined;
  #worn: HeadsetSession | undefined;
  #xrSession: XRSession | undefined;
  #isAsleep = false;

  constructor({
    clock,
    device = "emulated-quest3",
    rateHz = 72,
    seed = 1,
    tremorM,
    openSocket = createNodeSocket(),
  }: EmulatedHeadsetOptions) {
    this.#clock = clock;
    this.#name = DeviceName.parse(device);
    this.#periodMs = 1000 / rateHz;
    this.#openSocket = openSocket;
    this.#sessions = seed;
    this.#device = new EmulatedDevice({
      seed,
      ...(tremorM !== undefined ? { tremorM } : {}),
      device: { canvasContainer: { dataset: {}, style: {} } as never },
    });
  }

  /** The gateway's newest word on teleoperation; undefined before the first. */
  get status(): TeleopStatus | undefined {
    return this.#worn?.status;
  }
  /** Whether this headset is the one whose poses count. */
  get isMine(): boolean {
    return this.#worn?.isMine ?? false;
  }
  get link(): GatewayLink {
    return this.#link ?? notConnected();
  }
  /** What the page would show: notices, counts, held buttons. */
  get session(): HeadsetSession {
    return this.#worn ?? notConnected();
  }

  /**
   * Says hello, puts the headset on and asks for teleoperation; frames run from then on until `close`. When somebody
   * else has it, `isMine` is false and `session.refusal` says who.
   * @param origin for instance "http://127.0.0.1:8443"
   * @throws CerebellumError with the gateway's own words when it refuses, LINK_CLOSED when it does not answer in time
   */
  async connect(origin: string, token: string, options: ConnectOptions = {}): Promise<void> {
    const { robot, subscription, timeoutMs = CONNECT_MS } = options;
    const clock = createPageClock(this.#clock);
    const link = new GatewayLink({
      origin,
      token,
      client: "headset",
      name: this.#name,
      clock,
      openSocket: this.#openSocket,
    });
    this.#link = link;
    link.onMessage((message) => {
      for (const listener of this.#messageListeners) listener(message);
    });
    link.subscribe({ ...SUBSCRIPTION, ...subscription });
    await this.#untilOpen(link, timeoutMs);
    this.#worn = new HeadsetSession({
      link,
      device: this.#name,
      newSession: () => `${this.#name}-${this.#sessions++}`.padEnd(8, "0").slice(-64),
      nowMs: () => clock.nowMs(),
      ...(robot !== undefined ? { robot } : {}),
    });
    const { session, space } = await startSession(this.#device);
    this.#xrSession = session;
    space.addEventListener("reset", () => this.session.onSpaceMoved());
    void this.#runFrames(session, space);
    await this.#worn.takeTeleop();
  }

  close(): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    this.#worn?.end();
    const session = this.#xrSession;
    if (session !== undefined) withBrowserGlobals(() => void session.end());
    this.#link?.close();
  }

  /** Grip pose of a controller; the headset shows controllers from then on. */
  setController(side: Side, pose: TrackedPose): void {
    this.#device.setController(side, pose);
  }
  /** Squeeze is the clutch, trigger the gripper; what is not named stays. */
  setButtons(side: Side, buttons: EmulatedButtons): void {
    this.#device.setButtons(side, buttons);
  }
  /** Wrist of a hand, and its pinches with the thumb: index = clutch, middle = gripper, ring = A, little = B. */
  setHandPose(side: Side, wrist: TrackedPose, fingers: EmulatedFingers = {}): void {
    this.#device.setHand(side, wrist, fingers);
  }
  /**
   * A whole hand, e.g. the one that leads a robot's fingers; the headset shows hands from then on.
   * @param joints (25, 8) flat, as in core/teleop/pose.ts: x y z [m], quaternion x y z w, radius [m]; `local-floor`
   */
  setHand(side: Side, joints: ArrayLike<number>): void {
    this.#device.setJoints(side, joints);
  }
  /** Thumb and index finger together, or the hand at rest; beside a hand that leads fingers this is the clutch. */
  setPinch(side: Side, isOn: boolean): void {
    this.#device.setPinch(side, isOn);
  }
  /** One side only, after the other calls: some headsets show a hand beside a controller. */
  setMode(side: Side, mode: "controller" | "hand"): void {
    this.#device.setMode(side, mode);
  }
  setHead(pose: TrackedPose): void {
    this.#device.setHead(pose);
  }
  setVisibility(visibility: XrVisibility): void {
    this.#device.setVisibility(visibility);
  }
  /** False: the cameras do not see the controller; its pose goes on, guessed. */
  setTracked(side: Side, isTracked: boolean): void {
    this.#device.setTracked(side, isTracked);
  }
  /** False: the controller is asleep or the hand out of sight. */
  setConnected(side: Side, isConnected: boolean): void {
    this.#device.setConnected(side, isConnected);
  }
  /** True: no frames come any more, without a word: what a headset does that is taken off or has lost its network. */
  setAsleep(isAsleep: boolean): void {
    this.#isAsleep = isAsleep;
  }

  /** What the headset's own recentring does: poses before and after it do not belong together. */
  moveFloor(): void {
    this.#device.xrDevice.recenter();
  }
  /** The newest pulse that a controller was given; undefined before the first. */
  lastPulse(side: Side): { readonly strength: number; readonly durationMs: number } | undefined {
    return this.#device.lastPulse(side);
  }

  /** The operator faces along the robot's x axis now. False when the gateway refuses. */
  recenter(): Promise<boolean> {
    return this.session.recentre();
  }
  /** Asks for teleoperation again, after it was lost or refused. */
  takeTeleop(): Promise<void> {
    return this.session.takeTeleop();
  }
  /** @throws RequestRefused with the gateway's words */
  request(request: GatewayRequest): ReturnType<GatewayLink["request"]> {
    return this.link.request(request);
  }
  /** Holds a controller's button as long as a person would to record, label or discard, then lets go. */
  async hold(side: Side, button: "a" | "b" | "stick", ms = HOLD_MS[button]): Promise<void> {
    this.setButtons(side, { [button]: true });
    await sleepMs(this.#clock, ms, this.#ended.signal);
    this.setButtons(side, { [button]: false });
    await sleepMs(this.#clock, 3 * this.#periodMs, this.#ended.signal);
  }

  /** Each pose message, sent or dropped. Returns its own undo. */
  onPose(listener: (pose: PoseMessage) => void): () => void {
    this.#poseListeners.add(listener);
    return () => this.#poseListeners.delete(listener);
  }
  /** Everything that the gateway says. Returns its own undo. */
  onMessage(listener: (message: ServerMessage) => void): () => void {
    this.#messageListeners.add(listener);
    return () => this.#messageListeners.delete(listener);
  }
  onStatus(listener: (status: TeleopStatus) => void): () => void {
    return this.onMessage((message) => message.kind === "teleop" && listener(message.status));
  }
  onHaptic(listener: (haptic: Haptic) => void): () => void {
    return this.onMessage((message) => message.kind === "haptic" && listener(message));
  }

  /** @throws TIMED_OUT with the newest status when none fits in time */
  async untilStatus(fits: (status: TeleopStatus) => boolean, timeoutMs = STATUS_MS): Promise<TeleopStatus> {
    const done = new AbortController();
    let found: TeleopStatus | undefined;
    const look = (status: TeleopStatus | undefined): void => {
      if (status === undefined || !fits(status)) return;
      found ??= status;
      done.abort();
    };
    look(this.status);
    const undo = this.onStatus(look);
    await sleepMs(this.#clock, timeoutMs, done.signal);
    undo();
    if (found !== undefined) return found;
    throw new CerebellumError(
      "TIMED_OUT",
      `In ${timeoutMs} ms no state of teleoperation came that was waited for; the newest is ${JSON.stringify(this.status ?? null)}`,
      "Look at its `why`, and at the daemon's events",
    );
  }

  async #untilOpen(link: GatewayLink, timeoutMs: number): Promise<void> {
    const done = new AbortController();
    const undo = link.onState((state) => {
      if (state === "open" || state === "refused") done.abort();
    });
    link.connect();
    await sleepMs(this.#clock, timeoutMs, done.signal);
    undo();
    if (link.state === "open") return;
    link.close();
    throw refused(link.refusal ?? NO_WELCOME);
  }

  /** On a fixed grid; what was missed is skipped, as a headset does. */
  async #runFrames(session: XRSession, space: XRReferenceSpace): Promise<void> {
    const periodNs = msToNs(this.#periodMs);
    let dueNs = addNs(this.#clock.nowNs(), periodNs);
    while (!this.#ended.signal.aborted) {
      await this.#clock.sleepUntil(dueNs, this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      if (!this.#isAsleep) this.#frame(session, space);
      const missed = (this.#clock.nowNs() - dueNs) / periodNs;
      dueNs = addNs(dueNs, (missed + 1n) * periodNs);
    }
  }

  #frame(session: XRSession, space: XRReferenceSpace): void {
    let pose: PoseMessage | undefined;
    session.requestAnimationFrame((_time: number, frame: XRFrame) => {
      pose = this.session.onFrame({
        frame: frame as never,
        space,
        inputs: session.inputSources as never,
        visibility: session.visibilityState as XrVisibility,
      });
    });
    this.#device.beforeFrame();
    withBrowserGlobals(() => session[P_SESSION].onDeviceFrame());
    if (pose !== undefined) for (const listener of this.#poseListeners) listener(pose);
  }
}

/** Longer than the page wants: see console/xr/recordingKeys.ts. */
const HOLD_MS = { a: 600, b: 600, stick: 1400 } as const;

/** An immersive session of iwer that draws on nothing. Nothing of it is left in the process's globals. */
function startSession(device: EmulatedDevice): Promise<{ session: XRSession; space: XRReferenceSpace }> {
  const system = new XRSystem(device.xrDevice);
  const starting = withBrowserGlobals(
    () =>
      new Promise<XRSession>((resolve, reject) => {
        system[P_SYSTEM].grantSession({
          resolve: resolve as never,
          reject,
          mode: "immersive-vr" as never,
          options: { requiredFeatures: ["local-floor"], optionalFeatures: ["hand-tracking"] } as never,
        });
      }),
  );
  return starting.then(async (session) => {
    const layer = new XRWebGLLayer(session, BLIND_GL as never);
    session[P_SESSION].device[P_DEVICE].onBaseLayerSet = () => {};
    session.updateRenderState({ baseLayer: layer as never });
    const space = await session.requestReferenceSpace("local-floor" as never);
    return { session, space };
  });
}

const refused = ({ code, happened, remedy }: Refusal): CerebellumError =>
  new CerebellumError(code as CerebellumError["code"], happened, remedy);

/** Nothing is drawn, but iwer wants something to clear before each frame. */
const BLIND_GL = {
  canvas: { width: 1, height: 1 },
  drawingBufferWidth: 1,
  drawingBufferHeight: 1,
  getParameter: () => [0, 0, 0, 0],
  clearColor: () => {},
  clearDepth: () => {},
  clearStencil: () => {},
  clear: () => {},
};

const NO_WELCOME: Refusal = {
  code: "LINK_CLOSED",
  happened: "The gateway gave no welcome",
  remedy: "Check that the daemon runs, that `gateway` is on in its cell file, and the port",
};

function notConnected(): never {
  throw new CerebellumError("LINK_CLOSED", "The emulated headset is not connected", "Call connect first");
}
