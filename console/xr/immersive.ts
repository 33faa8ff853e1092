/** From the press of "Enter VR" to the end of the immersive session: frames in, poses out, the panel kept up to date. */
import type { PoseMessage } from "../../core/teleop/pose.js";
import type { GatewayLink, Subscription } from "../link/gatewayLink.js";
import type { PageClock } from "../link/pageClock.js";
import { HeadsetSession } from "./headsetSession.js";
import { HeadsetView } from "./headsetView.js";
import { panelModel } from "./panelModel.js";
import type { XrFrameLike, XrInputLike, XrVisibility } from "./xrTypes.js";

export type ImmersiveMode = "immersive-vr" | "immersive-ar";

export interface ImmersiveOptions {
  readonly mode: ImmersiveMode;
  readonly link: GatewayLink;
  readonly device: string;
  readonly newSession: () => string;
  /** The first one when absent. */
  readonly robot?: string;
  readonly clock: PageClock;
  /** Before each frame, with an emulated headset. */
  readonly beforeFrame?: () => void;
}

/** What the page wants while it is only looked at. */
export const SEEN_FROM_OUTSIDE: Subscription = { telemetryHz: 1, teleop: true, events: false, cameras: [] };
const TELEMETRY_HZ = 5;
const PICTURES_HZ = 15;
const PANEL_MS = 200;
/** A ring that fills must be seen to fill. */
const RING_MS = 50;
/** How far a stick is tilted to change the camera. */
const TILTED = 0.8;
const HAND_COLOURS = { engaged: 0x35c46b, latched: 0xf2b233, other: 0x8fb4d8 } as const;

/**
 * Call from a click. Resolves when the person has left the headset's view.
 * @throws what the browser says when it does not start a session
 */
export async function runImmersive(options: ImmersiveOptions): Promise<void> {
  const session = await navigator.xr!.requestSession(options.mode, {
    requiredFeatures: ["local-floor"],
    // three draws into a projection layer where the browser has them.
    optionalFeatures: ["hand-tracking", "layers"],
  });
  let run: ImmersiveRun | undefined;
  const ended = new Promise<void>((resolve) => session.addEventListener("end", () => resolve()));
  try {
    run = new ImmersiveRun(session, options);
    await run.start();
    await ended;
  } catch (error) {
    await session.end().catch(() => {});
    throw error;
  } finally {
    run?.close();
  }
}

class ImmersiveRun {
  readonly #session: XRSession;
  readonly #options: ImmersiveOptions;
  readonly #worn: HeadsetSession;
  readonly #view: HeadsetView;
  readonly #undo: (() => void)[] = [];
  #space: XRReferenceSpace | undefined;
  #camera = 0;
  #wasTilted = false;
  #panelDueMs = 0;
  #recentredAtMs = 0;

  constructor(session: XRSession, options: ImmersiveOptions) {
    this.#session = session;
    this.#options = options;
    const nowMs = () => options.clock.nowMs();
    // First: it may fail, and then nothing listens to the connection.
    this.#view = new HeadsetView(options.mode === "immersive-ar", options.beforeFrame !== undefined, nowMs);
    this.#worn = new HeadsetSession({ ...options, nowMs });
    document.body.append(this.#view.renderer.domElement);
  }

  async start(): Promise<void> {
    const { link } = this.#options;
    await this.#view.renderer.xr.setSession(this.#session);
    this.#space = await this.#session.requestReferenceSpace("local-floor");
    this.#listen(this.#space, "reset", () => {
      this.#worn.onSpaceMoved();
      this.#view.bringBoard();
    });
    this.#listen(this.#session, "visibilitychange", () => {
      const visibility = this.#session.visibilityState as XrVisibility;
      if (visibility !== "visible") this.#worn.onUnseen(visibility);
    });
    // The page may go without a word to the session: tab hidden, device locked, address changed.
    this.#listen(document, "visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#worn.onUnseen("hidden");
    });
    this.#listen(window, "pagehide", () => this.#worn.onUnseen("hidden"));
    this.#undo.push(
      link.onFrame((frame) => {
        if (frame.cameraIndex === this.#described?.index) this.#view.picture.take(frame);
      }),
      link.onState((state) => {
        if (state === "open") this.#subscribe();
        else this.#view.picture.clear();
      }),
    );
    this.#subscribe();
    void this.#worn.takeTeleop();
    this.#view.renderer.setAnimationLoop((_time, frame) => {
      if (frame !== undefined) this.#onFrame(frame);
    });
  }

  close(): void {
    for (const undo of this.#undo) undo();
    this.#worn.end();
    this.#options.link.subscribe(SEEN_FROM_OUTSIDE);
    this.#view.dispose();
  }

  get #described() {
    const cameras = this.#options.link.welcome?.cameras ?? [];
    return cameras[this.#camera % Math.max(1, cameras.length)];
  }

  #subscribe(): void {
    const camera = this.#described?.camera;
    this.#options.link.subscribe({
      telemetryHz: TELEMETRY_HZ,
      teleop: true,
      events: false,
      cameras: camera === undefined ? [] : [{ camera, rateHz: PICTURES_HZ }],
    });
  }

  #onFrame(frame: XRFrame): void {
    const pose = this.#worn.onFrame({
      frame: frame as XrFrameLike,
      space: this.#space!,
      inputs: this.#session.inputSources as Iterable<XrInputLike>,
      visibility: this.#session.visibilityState as XrVisibility,
    });
    this.#switchCamera(pose.hands.map(({ stick }) => stick[0]));
    const nowMs = this.#options.clock.nowMs();
    const transitMs = (this.#options.link.timing?.roundTripMs ?? 0) / 2;
    const ageMs = this.#view.picture.ageMs(transitMs);
    if (nowMs >= this.#panelDueMs) {
      this.#panelDueMs = nowMs + (this.#worn.holding === undefined ? PANEL_MS : RING_MS);
      this.#showPanel(ageMs, this.#usesHands(pose));
    }
    this.#view.draw(pose.head, pose.hands, ageMs);
    this.#options.beforeFrame?.();
  }

  /** The words are for whoever holds the clutch: beside a hand that leads fingers, the other one. */
  #usesHands({ hands }: PoseMessage): boolean {
    const { status } = this.#worn;
    const counted =
      status === undefined || status.leads === "tool"
        ? hands
        : hands.filter(({ hand }) => hand !== status.hand);
    return counted.some(({ mode }) => mode === "hand");
  }

  #showPanel(ageMs: number | undefined, usesHands: boolean): void {
    const { link, clock } = this.#options;
    const worn = this.#worn;
    const name = this.#described?.camera;
    this.#view.showPanel(
      panelModel({
        link: link.state,
        linkRefusal: link.refusal,
        isMine: worn.isMine,
        refusal: worn.refusal,
        status: worn.status,
        telemetry: worn.telemetry,
        phase: worn.phase,
        holding: worn.holding,
        notice: worn.notice,
        counts: worn.counts,
        roundTripMs: link.timing?.roundTripMs,
        sentHz: worn.rateHz,
        dropped: worn.dropped,
        usesHands,
        camera: ageMs === undefined || name === undefined ? undefined : { name, ageMs },
        nowMs: clock.nowMs(),
      }),
    );
    const state = worn.isMine ? worn.status?.state : undefined;
    this.#view.colourHands(
      state === "engaged" || state === "latched" ? HAND_COLOURS[state] : HAND_COLOURS.other,
    );
    if (worn.recentredAtMs !== this.#recentredAtMs) {
      this.#recentredAtMs = worn.recentredAtMs;
      this.#view.bringBoard();
    }
  }

  /** A stick to the side shows the next camera. */
  #switchCamera(tilts: readonly number[]): void {
    const tilt = tilts.find((one) => Math.abs(one) > TILTED) ?? 0;
    const cameras = this.#options.link.welcome?.cameras.length ?? 0;
    if (tilt !== 0 && !this.#wasTilted && cameras > 1) {
      this.#camera = (this.#camera + Math.sign(tilt) + cameras) % cameras;
      this.#view.picture.clear();
      this.#subscribe();
    }
    this.#wasTilted = tilt !== 0;
  }

  #listen(target: EventTarget, type: string, call: () => void): void {
    target.addEventListener(type, call);
    this.#undo.push(() => target.removeEventListener(type, call));
  }
}
