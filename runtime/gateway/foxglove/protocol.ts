/**
 * The Foxglove WebSocket protocol as far as a read-only server needs it. Its two names on the wire are the same messages:
 * github.com/foxglove/ws-protocol, docs/spec.md (v1), and the SDK's own (`foxglove.sdk.v1`), which current clients offer.
 */
import { z } from "zod";

/** The first that a client offers and this list has is spoken. */
export const SUBPROTOCOLS = ["foxglove.sdk.v1", "foxglove.websocket.v1"] as const;

export const STATUS = { info: 0, warning: 1, error: 2 } as const;

const OPCODE_MESSAGE_DATA = 1;
/** u8 opcode, u32 subscription, u64 log time [ns], little-endian; the payload follows. */
export const MESSAGE_HEADER_BYTES = 13;

/** Largest text that a client may send [bytes]. */
export const CLIENT_BYTES_MAX = 65_536;
const IDS_MAX = 256;
const Id = z.int().min(0).max(0xffff_ffff);

const ClientMessage = z.discriminatedUnion("op", [
  z.object({
    op: z.literal("subscribe"),
    subscriptions: z.array(z.object({ id: Id, channelId: Id })).max(IDS_MAX),
  }),
  z.object({ op: z.literal("unsubscribe"), subscriptionIds: z.array(Id).max(IDS_MAX) }),
]);
type ClientMessage = z.infer<typeof ClientMessage>;

/** Other operations of the protocol: this server offers none of them, and says so. */
const NOT_OFFERED = new Set([
  "advertise",
  "unadvertise",
  "getParameters",
  "setParameters",
  "subscribeParameterUpdates",
  "unsubscribeParameterUpdates",
  "subscribeConnectionGraph",
  "unsubscribeConnectionGraph",
  "fetchAsset",
]);

export type Understood =
  | { readonly kind: "message"; readonly message: ClientMessage }
  | { readonly kind: "notOffered"; readonly what: string }
  | { readonly kind: "malformed"; readonly why: string };

/** What a client's text means; never throws. */
export function understand(text: string): Understood {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { kind: "malformed", why: "it is not JSON" };
  }
  const op = typeof json === "object" && json !== null && "op" in json ? json.op : undefined;
  if (typeof op === "string" && NOT_OFFERED.has(op)) return { kind: "notOffered", what: op };
  const parsed = ClientMessage.safeParse(json);
  if (parsed.success) return { kind: "message", message: parsed.data };
  const { path, message } = parsed.error.issues[0]!;
  return { kind: "malformed", why: `${path.map(String).join(".") || "it"}: ${message}` };
}

export interface Channel {
  readonly id: number;
  readonly topic: string;
  /** As ROS names it, e.g. "sensor_msgs/msg/Image". */
  readonly type: string;
  /** Text with all types that it needs. */
  readonly definition: string;
}

export const serverInfo = (name: string, sessionId: string): string =>
  JSON.stringify({
    op: "serverInfo",
    name,
    // Nothing that a client could write by: it only looks on.
    capabilities: [],
    supportedEncodings: ["cdr"],
    metadata: {},
    sessionId,
  });

export const advertise = (channels: readonly Channel[]): string =>
  JSON.stringify({
    op: "advertise",
    channels: channels.map(({ id, topic, type, definition }) => ({
      id,
      topic,
      encoding: "cdr",
      schemaName: type,
      schemaEncoding: "ros2msg",
      schema: definition,
    })),
  });

export const status = (level: keyof typeof STATUS, message: string): string =>
  JSON.stringify({ op: "status", level: STATUS[level], message });

export function messageData(subscriptionId: number, logNs: bigint, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(MESSAGE_HEADER_BYTES + payload.length);
  bytes.writeUInt8(OPCODE_MESSAGE_DATA, 0);
  bytes.writeUInt32LE(subscriptionId, 1);
  bytes.writeBigUInt64LE(logNs, 5);
  bytes.set(payload, MESSAGE_HEADER_BYTES);
  return bytes;
}
