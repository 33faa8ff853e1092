/** What a cell file may say. Every default and description lives here; the editor's JSON Schema is generated from it. */
import { z } from "zod";
import { LabConfig } from "../../lab/config.js";
import { GatewayConfig } from "../../runtime/gateway/config.js";
import { CameraConfig, PolicyConfig } from "../../runtime/policy/config.js";
import { RecorderConfig } from "../../runtime/recorder/config.js";
import { TeleopConfig } from "../../runtime/teleop/config.js";
import { EstopConfig } from "../estop/config.js";
import { recordedTopics } from "./recordedTopics.js";
import { Name, RobotConfig } from "./robotConfig.js";
import { robotProblems } from "./robotRules.js";

export const CellConfig = z
  .strictObject({
    schema: z.literal("cerebellum/cell@1"),
    name: Name.describe("Name of the cell; also of its run folder and locks"),
    robots: z.record(Name, RobotConfig).describe("One servo process each; the key is the ROS namespace"),
    cameras: z.record(Name, CameraConfig).default({}),
    policy: PolicyConfig.optional(),
    recorder: z
      .union([z.literal("off"), RecorderConfig])
      .default(() => RecorderConfig.parse({}))
      .describe("Recording of episodes; off = this cell never records"),
    gateway: z
      .union([z.literal("off"), GatewayConfig])
      .default("off")
      .describe("The door for browsers, headsets and MQTT; off = neither console nor teleoperation"),
    teleop: TeleopConfig.prefault({}),
    ros: z
      .strictObject({
        domainId: z.int().min(0).max(232).optional().describe("ROS_DOMAIN_ID; the environment's when absent"),
        jointStateRateHz: z.number().positive().max(250).default(100),
        transformRateHz: z.number().positive().max(100).default(30),
      })
      .prefault({}),
    log: z
      .strictObject({
        fileMiBMax: z
          .number()
          .positive()
          .max(1000)
          .default(10)
          .describe("A log file that grows larger is put aside"),
        filesMax: z.int().min(1).max(100).default(5).describe("Kept log files, the present one included"),
      })
      .prefault({})
      .describe("The daemon's log beside its output: .cerebellum/state/<cell>/daemon.log"),
    estop: EstopConfig.optional().describe("Further sources of stops; the command line and ROS always stop"),
    metrics: z
      .strictObject({
        port: z.int().min(1).max(65535).default(9464),
        host: z.string().min(1).default("127.0.0.1").describe("Address to listen on; there is no password"),
      })
      .optional()
      .describe("Present when figures shall be served to Prometheus, at http://HOST:PORT/metrics"),
    lab: LabConfig.optional().describe("Present when `up` shall simulate the devices of this cell"),
  })
  .superRefine((cell, context) => {
    for (const { path, message } of robotProblems(cell))
      context.addIssue({ code: "custom", path: [...path], message });
    if (cell.recorder !== "off") {
      const taken = new Set(recordedTopics(cell));
      for (const [index, { topic }] of cell.recorder.topics.entries()) {
        if (taken.has(topic) || taken.has(`${topic}/compressed`))
          context.addIssue({
            code: "custom",
            path: ["recorder", "topics", index, "topic"],
            message: "is recorded already",
          });
        taken.add(topic);
      }
    }
  });
export type CellConfig = z.infer<typeof CellConfig>;
