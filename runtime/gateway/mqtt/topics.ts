/**
 * Topics below PREFIX/CELL/ and what their messages are. A pose is PoseMessage (core/teleop/pose.ts), the same JSON as on
 * the gateway's WebSocket.
 */
import { z } from "zod";
import { RobotTelemetry, type ServerMessage, TeleopState } from "../../../core/gateway/server.js";
import { DeviceName } from "../../../core/teleop/pose.js";

export const ONLINE = "online";
export const OFFLINE = "offline";

export interface MqttTopics {
  /** With a final slash. */
  readonly root: string;
  readonly state: string;
  readonly telemetry: string;
  readonly stop: string;
  readonly stopAck: string;
  pose(device: string): string;
  presence(device: string): string;
  haptic(device: string): string;
}

export function mqttTopics(prefix: string, cell: string): MqttTopics {
  const root = `${prefix}/${cell}/`;
  return {
    root,
    state: `${root}state`,
    telemetry: `${root}telemetry`,
    stop: `${root}stop`,
    stopAck: `${root}stop/ack`,
    pose: (device) => `${root}pose/${device}`,
    presence: (device) => `${root}presence/${device}`,
    haptic: (device) => `${root}haptic/${device}`,
  };
}

/** The device of `pose/<device>` or `presence/<device>`; undefined for any other topic. */
export function deviceOf(topics: MqttTopics, kind: "pose" | "presence", topic: string): string | undefined {
  const start = `${topics.root}${kind}/`;
  if (!topic.startsWith(start)) return undefined;
  const parsed = DeviceName.safeParse(topic.slice(start.length));
  return parsed.success ? parsed.data : undefined;
}

/** To `haptic/<device>`: a pulse for the operator's hand. */
export const HapticMessage = z.strictObject({
  v: z.literal(1),
  hand: z.enum(["left", "right"]),
  strength: z.number().min(0).max(1),
  durationMs: z.number().positive().max(1000),
  why: z.string(),
});
export type HapticMessage = z.infer<typeof HapticMessage>;

export const hapticText = ({
  hand,
  strength,
  durationMs,
  why,
}: Extract<ServerMessage, { kind: "haptic" }>): string =>
  JSON.stringify({ v: 1, hand, strength, durationMs, why } satisfies HapticMessage);

/**
 * From `stop`. Whatever else the message is like, it stops: this is only looked at for the answer. Its id comes back in
 * `stop/ack`, so that who stopped knows that it was heard.
 */
export const StopMessage = z.object({
  id: z.string().max(64).catch(""),
  reason: z.string().max(200).catch(""),
});

export function readStop(payload: Uint8Array): z.infer<typeof StopMessage> {
  try {
    const parsed = StopMessage.safeParse(JSON.parse(Buffer.from(payload).toString("utf8")));
    if (parsed.success) return parsed.data;
  } catch {
    // Not JSON: somebody who wants everything to stop does not have to get a message right.
  }
  return { id: "", reason: "" };
}

/** On `stop/ack`. */
export const StopAck = z.strictObject({
  v: z.literal(1),
  id: z.string(),
  by: z.string(),
  ok: z.boolean(),
  message: z.string(),
  epochMs: z.number(),
});
export type StopAck = z.infer<typeof StopAck>;

/** On `state`, retained: what a fleet's list shows. */
export const StateMessage = z.strictObject({
  v: z.literal(1),
  /** False = this daemon is gone; the rest is what was known last. */
  online: z.boolean(),
  epochMs: z.number(),
  cell: z.string(),
  software: z.string(),
  robots: z.record(z.string(), z.strictObject({ state: z.string(), commander: z.string(), epoch: z.int() })),
  teleop: z.strictObject({ state: TeleopState, robot: z.string(), operator: z.string() }),
  recorder: z.strictObject({ state: z.string(), task: z.string(), episode: z.string() }).nullable(),
  policy: z.strictObject({ phase: z.string(), policy: z.string(), task: z.string() }).nullable(),
  activity: z.string(),
  clients: z.array(z.strictObject({ name: z.string(), role: z.string(), kind: z.string() })),
});
export type StateMessage = z.infer<typeof StateMessage>;

/** On `telemetry`, at `telemetryHz`, lossy. */
export const MqttTelemetry = z.strictObject({
  v: z.literal(1),
  epochMs: z.number(),
  robots: z.record(z.string(), RobotTelemetry),
});
export type MqttTelemetry = z.infer<typeof MqttTelemetry>;

/** Answer of `GET /api/mqtt` with a device's token: `path` of the WebSocket of the embedded broker, or another `broker`. */
export const MqttInfo = z.strictObject({
  v: z.literal(1),
  root: z.string(),
  path: z.string().optional(),
  broker: z.string().optional(),
});
export type MqttInfo = z.infer<typeof MqttInfo>;
