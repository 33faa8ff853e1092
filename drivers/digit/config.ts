/** The `robots.<name>.digit` section of a cell file. */
import { z } from "zod";

/**
 * Without any message for so long, the JSON connection is over, unless the cell says otherwise [ms]. TCP sends a segment that
 * is lost again after 200 ms at the earliest: what is much shorter lets a standing robot sink for one lost packet.
 */
export const JSON_SILENCE_MS = 500;

const Port = z.int().min(1).max(65535);

export const DigitConfig = z.strictObject({
  host: z.string().min(1).describe("Address of the robot, or of the lab"),
  commandPort: Port.default(25500).describe("UDP port on which the robot takes low-level commands"),
  observationPort: Port.default(25501).describe(
    "UDP port of this computer to which the robot sends observations",
  ),
  jsonPort: Port.default(8080).describe("TCP port of the robot's JSON interface"),
  frames: z
    .strictObject({
      linearVelocity: z
        .enum(["world", "heading", "base"])
        .describe("Frame of `base.linear_velocity` on the wire: public software disagrees, so say it"),
      angularVelocity: z
        .enum(["imu", "base", "world"])
        .default("imu")
        .describe(
          "imu = take the gyroscope's `imu.angular_velocity`; else the frame of `base.angular_velocity`",
        ),
      imu: z
        .enum(["mount", "base"])
        .describe("mount = the sensor's own axes (x up, y left, z backward), as in the vendor's model"),
    })
    .describe("Checked against gravity and motion before the robot may be enabled"),
  fallback: z
    .enum(["damping", "disabled"])
    .default("damping")
    .describe("What the robot itself does when commands stop coming for its time-out (50 ms)"),
  observationAgeMsMax: z
    .number()
    .positive()
    .max(50)
    .default(20)
    .describe("Older observations end in damping"),
  jsonSilenceMsMax: z
    .number()
    .min(250)
    .max(3000)
    .default(JSON_SILENCE_MS)
    .describe("A JSON interface that says nothing for longer ends in damping; it is asked each 50 ms"),
  tiltRadMax: z.number().positive().max(1.2).default(0.8).describe("Leaning farther is a fall: damping"),
  heightMMin: z.number().min(0).max(1).default(0.6).describe("A base nearer to its feet is a fall: damping"),
});
export type DigitConfig = z.infer<typeof DigitConfig>;
