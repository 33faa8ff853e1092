/**
 * What a headset does while it is worn: sends a pose each frame, takes teleoperation and gives it back, turns held
 * buttons into requests, and passes pulses on to the hands. The page and the emulated headset both run this.
 */
import type { GatewayRequest } from "../../core/gateway/requests.js";
import type { Refusal, ServerMessage, Telemetry, TeleopStatus } from "../../core/gateway/server.js";
import type { HandPose, PoseMessage } from "../../core/teleop/pose.js";
import { type GatewayLink, RequestRefused } from "../link/gatewayLink.js";
import { PoseSampler, type Sample } from "./poseSampler.js";
import { type Holding, type KeyAction, RecordingKeys, type RecordingPhase } from "./recordingKeys.js";
import type { XrInputLike, XrVisibility } from "./xrTypes.js";

export interface HeadsetSessionOptions {
  readonly link: GatewayLink;
  /** Name of this headset in pose messages. */
  readonly device: string;
  /** A random name for each start of the source, 8 to 64 characters. */
  readonly newSession: () => string;
  /** The page's monotonic clock [ms]. */
  readonly nowMs: () => number;
  /** Which robot to take; the first one when absent. */
  readonly robot?: string;
}

/** What was last done by a button, for the person's eyes. */
export interface Notice {
  readonly text: string;
  readonly tone: "good" | "bad" | "plain";
  readonly atMs: number;
}

export interface EpisodeCount {
  readonly success: number;
  readonly failure: number;
  readonly unlabelled: number;
  readonly discarded: number;
}

type Side = HandPose["hand"];
const CLUTCH_PRESSED = 0.8;
const CLUTCH_OPEN = 0.6;
/** Trigger, or middle finger at the thumb: held down for sure. */
const SIZE_KEY_DOWN = 0.9;
/** Between two changes from tool to tool and fingers: a headset takes a moment to tell hands from controllers. */
const CHOICE_MS = 1000;
const POSE_RATE_WINDOW_MS = 1000;
/** A confirmation is felt; a refusal is felt otherwise. */
const PULSES = {
  good: { strength: 0.6, durationMs: 120 },
  bad: { strength: 1, durationMs: 400 },
} as const;

export class HeadsetSession {
  readonly #options: HeadsetSessionOptions;
  readonly #sampler: PoseSampler;
  readonly #keys = new RecordingKeys();
  readonly #undo: (() => void)[];
  readonly #sentAtMs: number[] = [];
  #inputs: readonly XrInputLike[] = [];
  #status: TeleopStatus | undefined;
  #telemetry: Telemetry | undefined;
  #isMine = false;
  #taking: Promise<void> | undefined;
  /** Episode whose outcome is asked for; `wasSeenEnded` once the recorder has said that it runs no more. */
  #asked: { readonly name: { task?: string; episode?: string }; wasSeenEnded: boolean } | undefined;
  #isWaiting = false;
  #wasPressed = true;
  #isEnded = false;
  #refusal: Refusal | undefined;
  #notice: Notice | undefined;
  #counts: EpisodeCount = { success: 0, failure: 0, unlabelled: 0, discarded: 0 };
  #dropped = 0;
  #recentredAtMs = 0;
  #wantsFingers = false;
  #chosenAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: HeadsetSessionOptions) {
    this.#options = options;
    this.#sampler = new PoseSampler(options.device, options.newSession());
    this.#undo = [
      options.link.onMessage((message) => this.#onMessage(message)),
      options.link.onState((state) => {
        this.#isMine = false;
        this.#status = undefined;
        // The poses go on as the same session: the floor has not moved, so what was recentred still holds.
        if (state === "open") void this.takeTeleop();
      }),
    ];
  }

  get status(): TeleopStatus | undefined {
    return this.#status;
  }
  get telemetry(): Telemetry | undefined {
    return this.#telemetry;
  }
  /** Whether this headset is the one whose poses count. */
  get isMine(): boolean {
    return this.#isMine;
  }
  /** Why it is not; undefined when nothing was refused. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }
  get notice(): Notice | undefined {
    return this.#notice;
  }
  get holding(): Holding | undefined {
    return this.#keys.holding;
  }
  /** Episodes since this page was entered. */
  get counts(): EpisodeCount {
    return this.#counts;
  }
  /** Poses that the connection did not take. */
  get dropped(): number {
    return this.#dropped;
  }
  /** When the person last recentred [page's clock, ms]; 0 = never. */
  get recentredAtMs(): number {
    return this.#recentredAtMs;
  }
  /** Poses sent in the last second. */
  get rateHz(): number {
    return this.#sentAtMs.length;
  }
  get phase(): RecordingPhase {
    if (this.#isRecording) return "recording";
    return this.#asked !== undefined ? "asking" : "idle";
  }
  get #isRecording(): boolean {
    const state = this.#telemetry?.recorder?.state;
    return state === undefined ? (this.#status?.recording ?? "") !== "" : state === "recording";
  }

  /** Call in each frame of the immersive session. */
  onFrame(sample: Omit<Sample, "nowMs">): PoseMessage {
    const nowMs = this.#options.nowMs();
    this.#inputs = [...sample.inputs];
    const pose = this.#sampler.sample({ ...sample, inputs: this.#inputs, nowMs });
    this.#send(pose, nowMs);
    this.#chooseFingers(pose, nowMs);
    if (sample.visibility === "visible") this.#readKeys(pose, nowMs);
    else this.#keys.forget();
    return pose;
  }

  /** The page or the headset's view is covered or gone: frames may stop without another word. */
  onUnseen(visibility: Exclude<XrVisibility, "visible">): void {
    const nowMs = this.#options.nowMs();
    this.#keys.forget();
    this.#send(this.#sampler.sampleUnseen(visibility, nowMs), nowMs);
  }

  /** The headset has moved its floor or its forward direction: poses before and after do not belong together. */
  onSpaceMoved(): void {
    this.#sampler.restart(this.#options.newSession());
    this.#say("plain", "The headset's view was recentred: recentre the robot's directions, too");
  }

  /** The immersive session is over. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.onUnseen("hidden");
    for (const undo of this.#undo) undo();
    this.#giveBack();
  }

  /** Asks for teleoperation, once at a time; afterwards `isMine` or `refusal` says how it went. Never rejects. */
  takeTeleop(): Promise<void> {
    this.#taking ??= this.#askForTeleop().finally(() => {
      this.#taking = undefined;
    });
    return this.#taking;
  }

  async recentre(): Promise<boolean> {
    const isDone = await this.#ask({ do: "recentre" }, "Recentred: your forward is the robot's forward");
    if (isDone) this.#recentredAtMs = this.#options.nowMs();
    return isDone;
  }

  /** Begins the five seconds in which the leading hand is held flat; calls them off while they run. */
  async measureHand(): Promise<boolean> {
    const isRunning = this.#status?.handSize?.measuring != null;
    return this.#ask(
      { do: "measureHand", phase: isRunning ? "cancel" : "begin" },
      isRunning ? "Not measured" : "Hold your leading hand flat, fingers spread",
    );
  }

  /**
   * An arm that carries a hand is led with its fingers while the person's leading hand is bare, and without them while it
   * holds a controller. Changes only while nothing is led.
   */
  #chooseFingers({ hands }: PoseMessage, nowMs: number): void {
    const status = this.#status;
    if (!this.#isMine || status === undefined || !status.carriesHand) return;
    if (status.state === "engaged" || status.state === "engaging") return;
    const leading = hands.find(({ hand, tracked }) => hand === status.hand && tracked);
    if (leading === undefined) return;
    this.#wantsFingers = leading.mode === "hand";
    if (this.#wantsFingers === (status.leads === "toolAndFingers")) return;
    if (this.#taking !== undefined || nowMs - this.#chosenAtMs < CHOICE_MS) return;
    this.#chosenAtMs = nowMs;
    void this.takeTeleop();
  }

  async #askForTeleop(): Promise<void> {
    const { link, robot } = this.#options;
    const name = robot ?? link.welcome?.robots[0]?.robot;
    if (name === undefined || this.#isEnded) return;
    const fingers = this.#wantsFingers ? { fingers: true } : {};
    this.#isMine = await this.#ask({ do: "takeTeleop", robot: name, ...fingers });
    // Granted to nobody: the headset was taken off meanwhile.
    if (this.#isEnded) this.#giveBack();
  }

  #giveBack(): void {
    if (this.#isMine) this.#options.link.request({ do: "giveTeleop" }).catch(() => {});
  }

  #send(pose: PoseMessage, nowMs: number): void {
    if (this.#options.link.sendPose(pose)) this.#sentAtMs.push(nowMs);
    else this.#dropped++;
    while (nowMs - (this.#sentAtMs[0] ?? nowMs) > POSE_RATE_WINDOW_MS) this.#sentAtMs.shift();
  }

  #readKeys(pose: PoseMessage, nowMs: number): void {
    const hands = this.#handsWithButtons(pose);
    const { alignment, handSize } = this.#status ?? {};
    const down = {
      a: hands.some(({ buttons }) => buttons.a),
      // Where there is nothing to recentre it is good for labels only.
      b: hands.some(({ buttons }) => buttons.b) && (alignment !== "unneeded" || this.phase === "asking"),
      stick: hands.some(({ buttons }) => buttons.stick),
      size: handSize != null && hands.some(({ gripper }) => gripper > SIZE_KEY_DOWN),
    };
    const isOpen = hands.every(({ clutch }) => clutch < CLUTCH_OPEN);
    const isPressed = hands.some(({ clutch, tracked }) => tracked && clutch > CLUTCH_PRESSED);
    if (isPressed && !this.#wasPressed && !this.#isMine) void this.takeTeleop();
    this.#wasPressed = isPressed || (this.#wasPressed && !isOpen);
    if (this.#isWaiting) {
      this.#keys.forget();
      return;
    }
    const action = this.#keys.update(down, this.phase, isOpen, nowMs);
    if (action !== undefined) void this.#act(action);
  }

  /** A hand that leads fingers says nothing by what its fingers do: clutch and buttons are the other's. */
  #handsWithButtons({ hands }: PoseMessage): readonly HandPose[] {
    if (this.#status === undefined || this.#status.leads === "tool") return hands;
    return hands.filter(({ hand }) => hand !== this.#status?.hand);
  }

  async #act(action: KeyAction): Promise<void> {
    const task = this.#options.link.welcome?.defaultTask ?? "demonstrations";
    switch (action) {
      case "recentre":
        await this.recentre();
        return;
      case "measure":
        await this.measureHand();
        return;
      case "start":
        this.#asked = undefined;
        await this.#ask({ do: "startRecording", task, note: "" }, "Recording");
        return;
      case "stop": {
        // On the disk before anything is asked: what is lost afterwards is a label, never an episode.
        const recorder = this.#telemetry?.recorder;
        const name = recorder == null ? {} : { task: recorder.task, episode: recorder.episode };
        if (await this.#ask({ do: "stopRecording", outcome: "unlabelled", note: "" }, "Saved: how was it?"))
          this.#asked = { name, wasSeenEnded: false };
        return;
      }
      case "discard":
        if (await this.#ask({ do: "discardRecording" }, "Discarded")) this.#count("discarded");
        return;
      case "leaveUnlabelled":
        this.#asked = undefined;
        this.#count("unlabelled");
        this.#say("plain", "Saved without a label");
        return;
      default: {
        const outcome = action === "labelSuccess" ? "success" : "failure";
        const request = { do: "labelEpisode", outcome, note: "", ...this.#asked?.name } as const;
        if (!(await this.#ask(request, `Labelled: ${outcome}`))) return;
        this.#asked = undefined;
        this.#count(outcome);
      }
    }
  }

  /** One at a time. True when it was done; otherwise the refusal is said. */
  async #ask(request: GatewayRequest, done?: string): Promise<boolean> {
    this.#isWaiting = true;
    try {
      await this.#options.link.request(request);
      this.#refusal = undefined;
      if (done !== undefined) this.#say("good", done);
      return true;
    } catch (error) {
      if (!(error instanceof RequestRefused)) throw error;
      this.#refusal = error.refusal;
      this.#say("bad", `${error.refusal.happened}. ${error.refusal.remedy}`);
      return false;
    } finally {
      this.#isWaiting = false;
    }
  }

  #onMessage(message: ServerMessage): void {
    if (message.kind === "teleop") {
      this.#tellSize(this.#status?.handSize, message.status.handSize);
      this.#status = message.status;
      const { operator, state } = message.status;
      if (state === "off" || operator !== this.#options.link.welcome?.client) this.#isMine = false;
    } else if (message.kind === "telemetry") {
      this.#telemetry = message;
    } else if (message.kind === "haptic") {
      this.#pulse(message.hand, message.strength, message.durationMs);
    }
    this.#forgetOutcome();
  }

  #tellSize(before: TeleopStatus["handSize"] | undefined, now: TeleopStatus["handSize"]): void {
    if (before == null || now === null) return;
    if (now.problem !== before.problem && now.problem !== "") this.#say("bad", now.problem);
    else if (now.measuredEpochMs !== before.measuredEpochMs)
      this.#say(
        "good",
        `Your hand is measured: it leads with scale ${now.scale.toFixed(2)} from the next pinch on`,
      );
  }

  /** Somebody else has started another episode: the question about the one before is over. */
  #forgetOutcome(): void {
    if (this.#asked === undefined) return;
    if (!this.#isRecording) this.#asked.wasSeenEnded = true;
    else if (this.#asked.wasSeenEnded) this.#asked = undefined;
  }

  #count(outcome: keyof EpisodeCount): void {
    this.#counts = { ...this.#counts, [outcome]: this.#counts[outcome] + 1 };
  }

  #say(tone: Notice["tone"], text: string): void {
    this.#notice = { text, tone, atMs: this.#options.nowMs() };
    if (tone === "plain") return;
    for (const side of ["left", "right"] as const)
      this.#pulse(side, PULSES[tone].strength, PULSES[tone].durationMs);
  }

  /** A hand without a motor, and a browser without the call, feel nothing: the panel says the same. */
  #pulse(hand: Side, strength: number, durationMs: number): void {
    const input = this.#inputs.find(({ handedness }) => handedness === hand);
    input?.gamepad?.hapticActuators?.[0]?.pulse?.(strength, durationMs);
  }
}
