/** What a guardian process is told first, as one JSON line. */
import { z } from "zod";
import { CanConfig } from "../../drivers/can/config.js";

export const GuardianConfig = z.strictObject({
  robot: z.string(),
  can: CanConfig,
  silenceMsMax: z
    .number()
    .positive()
    .max(1000)
    .describe("Without a beat for longer, the driver counts as dead"),
  realtimePriority: z.int().min(0).max(98),
});
export type GuardianConfig = z.infer<typeof GuardianConfig>;
