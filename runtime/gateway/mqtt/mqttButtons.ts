/**
 * What the buttons of a device without a screen do. A headset's page asks for these things itself; a bridge only says
 * which button is down, and hears the answer in the hand. None of them moves a robot.
 *
 *   b      recentre, while the clutch is open
 *   a      start recording; while recording: end it as a success
 *   stick  while recording: discard it
 */
import type { GatewayRequest } from "../../../core/gateway/requests.js";
import type { HandPose, PoseMessage } from "../../../core/teleop/pose.js";
import type { Answer, GatewayClient } from "../part.js";

type Buttons = HandPose["buttons"];
type ButtonName = keyof Buttons;

export interface MqttButtonsOptions {
  readonly ask: (request: GatewayRequest, client: GatewayClient) => Promise<Answer>;
  readonly isRecording: () => boolean;
  /** Set into which is recorded. */
  readonly task: string;
  readonly log: (level: "info" | "warn", event: string, text: string) => void;
}

/** What the hand feels: done, ended, refused. */
const PULSES = {
  done: { strength: 0.6, durationMs: 120 },
  refused: { strength: 1, durationMs: 500 },
} as const;
/** Clutches at least this much are held: nothing but motion is meant then. */
const HELD = 0.6;

export class MqttButtons {
  readonly #options: MqttButtonsOptions;
  /** Pressed in the newest pose, by client, hand and button; a press counts when it was seen open before. */
  readonly #down = new WeakMap<GatewayClient, Map<string, Buttons>>();
  readonly #session = new WeakMap<GatewayClient, string>();
  readonly #busy = new WeakSet<GatewayClient>();

  constructor(options: MqttButtonsOptions) {
    this.#options = options;
  }

  take(client: GatewayClient, pose: PoseMessage): void {
    const isSame = this.#session.get(client) === pose.session;
    this.#session.set(client, pose.session);
    const before = (isSame ? this.#down.get(client) : undefined) ?? new Map<string, Buttons>();
    const now = new Map<string, Buttons>();
    for (const { hand, buttons, clutch } of pose.hands) {
      const last = before.get(hand);
      now.set(hand, buttons);
      const pressed = (["a", "b", "stick"] as const).find((name) => buttons[name] && last?.[name] === false);
      if (pressed !== undefined && clutch < HELD) void this.#press(client, hand, pressed);
    }
    this.#down.set(client, now);
  }

  async #press(client: GatewayClient, hand: HandPose["hand"], button: ButtonName): Promise<void> {
    const request = this.#requestOf(button);
    if (request === undefined || this.#busy.has(client)) return;
    this.#busy.add(client);
    const answer = await this.#options.ask(request, client);
    this.#busy.delete(client);
    const text = answer.ok ? answer.message : `${answer.happened}. ${answer.remedy}.`;
    this.#options.log(answer.ok ? "info" : "warn", "mqttButton", `${client.name}, ${request.do}: ${text}`);
    const pulse = PULSES[answer.ok ? "done" : "refused"];
    client.offer({ kind: "haptic", hand, ...pulse, why: text.slice(0, 200) });
  }

  #requestOf(button: ButtonName): GatewayRequest | undefined {
    const recording = this.#options.isRecording();
    if (button === "b") return { do: "recentre" };
    if (button === "stick") return recording ? { do: "discardRecording" } : undefined;
    return recording
      ? { do: "stopRecording", outcome: "success", note: "" }
      : { do: "startRecording", task: this.#options.task, note: "" };
  }
}
