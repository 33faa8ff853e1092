/** The `robots.<name>.xarm7` section of a cell file. */
import { z } from "zod";

const Port = z.int().min(1).max(65535);

export const XArm7Config = z.strictObject({
  host: z.string().min(1).describe("Address of the controller box; 127.0.0.1 for the lab's emulator"),
  commandPort: Port.default(502).describe("Command port (vendor's default 502)"),
  reportPorts: z
    .strictObject({
      highRate: Port.default(30000).describe("200 or 250 Hz report, firmware 2.1.0 or newer"),
      normal: Port.default(30001).describe("5 Hz report with error, warning and motor bits"),
      rich: Port.default(30002).describe("5 Hz report with temperatures and currents"),
      realTime: Port.default(30003).describe("100 Hz report"),
    })
    .prefault({}),
  connectTimeoutMs: z.number().positive().max(10_000).default(1000),
  replyTimeoutMs: z.number().positive().max(10_000).default(2000),
  gripper: z.enum(["none", "xarm"]).default("xarm"),
  gripperSpeedRPerMin: z.int().min(1).max(5000).default(1500).describe("Vendor's speed number"),
  toolLoadKg: z
    .number()
    .min(0)
    .max(3.5)
    .default(0.82)
    .describe("Mass beyond the flange; vendor's value for its gripper"),
  toolCentreOfMassM: z
    .tuple([z.number(), z.number(), z.number()])
    .default([0, 0, 0.048])
    .describe("Flange frame"),
  toolPointM: z
    .tuple([z.number(), z.number(), z.number()])
    .default([0, 0, 0.172])
    .describe("Tool point in the flange frame"),
  collisionSensitivity: z.int().min(1).max(5).default(3).describe("Vendor scale; 0 (off) is not offered"),
  teachSensitivity: z.int().min(1).max(5).default(3),
  expectSerial: z.string().optional().describe("Refuse any other arm"),
});
export type XArm7Config = z.infer<typeof XArm7Config>;
