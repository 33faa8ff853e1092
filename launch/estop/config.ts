/** The `estop` section of a cell file: where else than the command line and ROS a stop may come from. */
import { z } from "zod";
import { KEY_CODES } from "./keyEvents.js";

const required = z
  .boolean()
  .default(true)
  .describe("Nothing is enabled without this source, and losing it stops the cell (category 2)");
const absolutePath = z.string().regex(/^\//, { error: "must be an absolute path" });

const MqttStop = z
  .strictObject({
    url: z
      .string()
      .regex(/^mqtts?:\/\/[^\s/]+/, { error: "must look like mqtt://host:1883 or mqtts://host:8883" }),
    topic: z
      .string()
      .min(1)
      .regex(/^[^#+\s]+$/, { error: "must be one topic, without the wildcards # and +" })
      .describe("Any message on it stops, a retained one again at every connection"),
    username: z.string().min(1).optional(),
    passwordFile: absolutePath.optional().describe("Its first line is the password"),
    keepaliveS: z
      .int()
      .min(1)
      .max(60)
      .default(2)
      .describe("A silent broker is noticed within one and a half of this"),
    required,
  })
  .refine(({ username, passwordFile }) => passwordFile === undefined || username !== undefined, {
    path: ["passwordFile"],
    error: "needs a username beside it",
  });
export type MqttStop = z.infer<typeof MqttStop>;

const InputStop = z.strictObject({
  device: absolutePath.describe("A Linux input device, best by its name below /dev/input/by-id"),
  key: z
    .union([
      z.literal("any"),
      z.enum(Object.keys(KEY_CODES) as [string, ...string[]]),
      z.int().min(1).max(767),
    ])
    .default("any")
    .describe("Name or number of linux/input-event-codes.h; pressing it stops"),
  required,
});
export type InputStop = z.infer<typeof InputStop>;

const LineStop = z
  .strictObject({
    path: absolutePath.optional().describe("Serial port, FIFO or other file to read lines from"),
    command: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe('Program whose lines stop, e.g. ["gpiomon", "--falling-edge", "gpiochip0", "17"]'),
    required,
  })
  .refine(({ path, command }) => (path === undefined) !== (command === undefined), {
    error: "needs either path or command",
  });
export type LineStop = z.infer<typeof LineStop>;

const PageStop = z.strictObject({
  port: z.int().min(1).max(65535).default(9465),
  host: z.string().min(1).default("127.0.0.1").describe("0.0.0.0 for everybody on the network"),
  required,
});
export type PageStop = z.infer<typeof PageStop>;

export const EstopConfig = z
  .strictObject({
    category: z
      .union([z.literal(0), z.literal(1)])
      .default(1)
      .describe("Of these stops. IEC 60204-1 has emergency stops of category 0 and 1 only"),
    mqtt: MqttStop.optional(),
    input: InputStop.optional().describe("A button that is a keyboard to this computer"),
    line: LineStop.optional().describe("Any line and the end of the file stop"),
    page: PageStop.optional().describe("A web page with a stop button; POST /stop"),
  })
  .refine(({ category: _category, ...sources }) => Object.values(sources).some(Boolean), {
    error: "names no source; it needs mqtt, input, line or page",
  });
export type EstopConfig = z.infer<typeof EstopConfig>;
