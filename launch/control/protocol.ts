/** What other shells ask of a running daemon through its Unix socket: one JSON object a line, one answer a line. */
import { z } from "zod";
import { Role } from "../../core/gateway/requests.js";
import { LabelRequest, StartRequest, StopRequest } from "../../runtime/recorder/messages.js";

export const ControlRequest = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("status") }),
  z.strictObject({
    do: z.literal("stop"),
    category: z.union([z.literal(0), z.literal(1), z.literal(2)]),
    reason: z.string().max(200),
  }),
  z.strictObject({ do: z.literal("enable") }),
  z.strictObject({ do: z.literal("reset") }),
  z.strictObject({ do: z.literal("teach"), robot: z.string().max(64), on: z.boolean() }),
  z.strictObject({ do: z.literal("startPolicy"), bundle: z.string().optional() }),
  z.strictObject({ do: z.literal("stopPolicy") }),
  z.strictObject({ do: z.literal("startRecording"), request: StartRequest.extend({ task: z.string() }) }),
  z.strictObject({ do: z.literal("stopRecording"), request: StopRequest }),
  z.strictObject({ do: z.literal("discardRecording") }),
  z.strictObject({ do: z.literal("labelEpisode"), request: LabelRequest }),
  z.strictObject({ do: z.literal("recorderStatus") }),
  z.strictObject({ do: z.literal("teleopStatus") }),
  /** A code with which one more browser, headset or program becomes a client of the gateway. */
  z.strictObject({ do: z.literal("pair"), role: Role }),
  z.strictObject({ do: z.literal("shutdown") }),
]);
export type ControlRequest = z.infer<typeof ControlRequest>;

export const ControlAnswer = z.union([
  z.strictObject({
    ok: z.literal(true),
    message: z.string(),
    status: z.record(z.string(), z.unknown()).optional(),
  }),
  z.strictObject({ ok: z.literal(false), code: z.string(), happened: z.string(), remedy: z.string() }),
]);
export type ControlAnswer = z.infer<typeof ControlAnswer>;

export const REQUEST_BYTES_MAX = 4096;
