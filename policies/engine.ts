/** What decides the last bits of a policy's outputs beside its bundle: recorded, and compared when they differ. */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { env } from "onnxruntime-node";
import type { Variant } from "./variants.js";

/** Instruction sets that the engine's kernels are chosen by, as Linux names them. */
const CHOOSING =
  /^(sse4_1|avx|avx2|fma|f16c|avx_vnni|avx512\w*|amx_\w+|asimd|asimdhp|asimddp|i8mm|bf16|sve2?|sme)$/;
const CPU_FACTS = "/proc/cpuinfo";

/** Names and values as they stand in an episode's `software`. */
export function engineIdentity(
  precision: Variant["precision"],
  intraOpThreads: number,
): Record<string, string> {
  return {
    onnxruntime: env.versions.node ?? env.versions.common,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cpuFeatures: cpuFeatures(),
    policyPrecision: precision,
    policyThreads: String(intraOpThreads),
  };
}

function cpuFeatures(): string {
  try {
    const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync(CPU_FACTS, "utf8"))?.[1] ?? "";
    return line
      .split(/\s+/)
      .filter((word) => CHOOSING.test(word))
      .sort()
      .join(" ");
  } catch {
    return "unknown";
  }
}
