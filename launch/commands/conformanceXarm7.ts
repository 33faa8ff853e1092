/** Vectors of the xArm7: recorded calls of the vendor's client with their replies, and report frames. */
import { z } from "zod";
import {
  checkReportVector,
  checkRequestVector,
  ReportVector,
  RequestVector,
} from "../../drivers/xarm7/protocol/vectorFile.js";
import type { DeviceVectors } from "./conformanceDevices.js";

/** Report vectors have a frame, request vectors have none. */
const AnyVector = z.looseObject({ frame_hex: z.unknown().optional() });
const VectorFile = z.looseObject({ vectors: z.array(AnyVector).min(1) });

export const xarm7Vectors: DeviceVectors = {
  needs: "Each vector needs request_hex with call and args, or frame_hex with port and decoded",
  partly: "only framing, register and parameters were checked",
  replay(content) {
    const checks = VectorFile.parse(content).vectors.map((vector, i) =>
      vector.frame_hex === undefined
        ? checkRequestVector(parseAt(i, RequestVector, vector))
        : checkReportVector(parseAt(i, ReportVector, vector)),
    );
    return { checks, partlyChecked: checks.filter((check) => !check.callKnown).map((check) => check.tag) };
  },
};

/** @throws ZodError that names the vector */
function parseAt<T>(index: number, schema: z.ZodType<T>, vector: unknown): T {
  const parsed = schema.safeParse(vector);
  if (parsed.success) return parsed.data;
  throw new z.ZodError(
    parsed.error.issues.map((issue) => ({ ...issue, path: ["vectors", index, ...issue.path] })),
  );
}
