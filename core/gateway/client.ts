/**
 * What browsers, headsets and programs may say to the gateway: one JSON object per WebSocket text message, `/ws`. The
 * first message is `hello`; nothing else is answered before it.
 */
import { z } from "zod";
import { DeviceName, PoseMessage } from "../teleop/pose.js";
import { GatewayRequest } from "./requests.js";
import { AskedVelocity } from "./steering.js";

export const GATEWAY_PROTOCOL = 1;
/** Largest text message that a client may send [bytes]. */
export const CLIENT_BYTES_MAX = 65_536;
/** Path of the WebSocket. */
export const GATEWAY_PATH = "/ws";

const Text = z.string().max(200);

export const ClientMessage = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("hello"),
    protocol: z.literal(GATEWAY_PROTOCOL, {
      error: `must be ${GATEWAY_PROTOCOL}; reload the page after an update`,
    }),
    token: z.string().min(1).max(200),
    client: z.enum(["console", "headset", "program"]),
    name: DeviceName,
  }),
  /** What shall be sent from now on; replaces the former subscription. */
  z.strictObject({
    kind: z.literal("subscribe"),
    telemetryHz: z.number().min(0).max(30).describe("0 = none"),
    teleop: z.boolean(),
    events: z.boolean(),
    cameras: z
      .array(z.strictObject({ camera: z.string().max(64), rateHz: z.number().positive().max(30) }))
      .max(8),
  }),
  z.strictObject({ kind: z.literal("pose"), pose: PoseMessage }),
  /** Of a robot on legs, said again and again while the dead-man's key is down, and once more when it is let go. */
  z.strictObject({
    kind: z.literal("velocity"),
    robot: z.string().min(1).max(64),
    isHeld: z.boolean(),
    velocity: AskedVelocity,
  }),
  z.strictObject({ kind: z.literal("stop"), reason: Text.describe("Stops every robot, category 2") }),
  z.strictObject({ kind: z.literal("request"), id: z.int().min(0), request: GatewayRequest }),
  /** Answered at once with `pong`; the page learns round trip and clock offset from it. */
  z.strictObject({ kind: z.literal("ping"), id: z.int().min(0), clientTimeMs: z.number() }),
  /** What the page measured, for the operator's picture: its own part of the latency. */
  z.strictObject({
    kind: z.literal("link"),
    roundTripMs: z.number().min(0).max(60_000),
    /** Daemon's monotonic clock minus the page's [ms]. */
    clockOffsetMs: z.number(),
  }),
]);
export type ClientMessage = z.infer<typeof ClientMessage>;
export type ClientKind = ClientMessage["kind"];

/** Close codes of the WebSocket beyond the standard ones. */
export const CLOSE_CODES = {
  notAuthorised: 4401,
  helloMissing: 4408,
  malformed: 4400,
  tooFast: 4429,
  superseded: 4409,
  shuttingDown: 1001,
} as const;
