/** The `gateway` section of a cell file: the one door for browsers, headsets and MQTT. */
import { z } from "zod";

const Port = z.int().min(1).max(65_535);

/** The cell file is shown to clients and kept in episodes: no place for a password. */
const BrokerUrl = z.url({ protocol: /^(mqtts?|wss?)$/ }).refine((url) => !/^\w+:\/\/[^/]*@/.test(url), {
  error: "must not have a user name or password in it: use username and passwordFile",
});

export const GatewayConfig = z.strictObject({
  host: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .describe(
      "Address to listen on; 0.0.0.0 = every network of this computer, with a certificate of its own",
    ),
  port: Port.default(8443).describe(
    "HTTPS and wss; from this computer itself, also over `adb reverse`, plain HTTP is answered too",
  ),
  hostnames: z
    .array(z.string().min(1).max(253))
    .max(8)
    .default([])
    .describe("Further names of this computer, for the certificate and the Host check"),
  tokenDaysMax: z
    .number()
    .positive()
    .max(3650)
    .default(365)
    .describe("A paired device must pair again after"),
  camera: z
    .strictObject({
      rateHzMax: z.number().positive().max(30).default(10).describe("Pictures a second for each camera"),
      widthPxMax: z
        .int()
        .min(64)
        .max(1920)
        .default(640)
        .describe("Wider pictures are made smaller, which costs as much as sending them"),
      jpegQuality: z.int().min(20).max(95).default(70),
    })
    .prefault({})
    .describe("Pictures for people; policies and recordings have their own"),
  mqtt: z
    .union([
      z.literal("off"),
      z.strictObject({
        broker: z
          .union([z.literal("embedded"), BrokerUrl])
          .default("embedded")
          .describe("embedded = this daemon is the broker; else the address of an external one"),
        host: z.string().min(1).default("127.0.0.1").describe("Of the embedded broker"),
        port: Port.default(1884).describe(
          "Of the embedded broker; MQTT over WebSocket is at /mqtt of the gateway",
        ),
        username: z.string().max(200).optional().describe("For an external broker"),
        passwordFile: z.string().min(1).optional().describe("For an external broker; first line counts"),
        prefix: z
          .string()
          .regex(/^[a-z0-9_-]+(\/[a-z0-9_-]+)*$/)
          .default("cerebellum")
          .describe("Topics are PREFIX/CELL/..."),
        telemetryHz: z.number().min(0).max(10).default(1),
      }),
    ])
    .default("off"),
  foxglove: z
    .union([
      z.literal("off"),
      z.strictObject({
        host: z.string().min(1).default("127.0.0.1"),
        port: Port.default(8765),
      }),
    ])
    .default("off")
    .describe("A read-only Foxglove WebSocket server"),
});
export type GatewayConfig = z.infer<typeof GatewayConfig>;
