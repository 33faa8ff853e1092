/** What every kind of policy bundle says in the same words. */
import { z } from "zod";

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
export const RelativeFile = z
  .string()
  .regex(/^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/)
  .refine((path) => !path.split("/").includes(".."), { error: "must stay inside the bundle" });

export const BundleHead = z.strictObject({
  schema: z.literal("cerebellum/policy@1"),
  name: z.string().min(1),
  task: z.string().min(1),
  description: z.string(),
  files: z.record(RelativeFile, Sha256).describe("Checksum of every other file of the bundle"),
});
