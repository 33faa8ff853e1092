/** What the e-stop worker and the daemon's main thread say to each other. */
import { z } from "zod";
import { EstopConfig } from "./config.js";

export const EstopSetup = z.strictObject({
  estop: EstopConfig,
  /** Robot -> socket of its servo process. */
  sockets: z.record(z.string(), z.string()),
});
export type EstopSetup = z.infer<typeof EstopSetup>;

const SourceStatus = z.strictObject({
  name: z.string(),
  required: z.boolean(),
  /** `held`: its button is down, so nothing is enabled. */
  state: z.enum(["absent", "live", "held"]),
  message: z.string(),
});
export type SourceStatus = z.infer<typeof SourceStatus>;

const StopReport = z.strictObject({
  source: z.string(),
  category: z.union([z.literal(0), z.literal(1), z.literal(2)]),
  reason: z.string(),
  /** Robots that could not be reached, each with why; empty when all stand still. */
  failures: z.array(z.string()),
});
export type StopReport = z.infer<typeof StopReport>;

export const FromEstopWorker = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("status"), sources: z.array(SourceStatus) }),
  StopReport.extend({ kind: z.literal("stop") }),
]);
export type FromEstopWorker = z.infer<typeof FromEstopWorker>;
