/** Replays a vector file of a device's wire through its codec and lists every mismatch. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { CerebellumError } from "../../core/errors.js";
import {
  checkReportVector,
  checkRequestVector,
  type Mismatch,
  ReportVector,
  RequestVector,
} from "../../drivers/xarm7/protocol/vectorFile.js";

export interface ConformanceReport {
  readonly device: string;
  readonly file: string;
  readonly vectorCount: number;
  /** Single comparisons made over all vectors. */
  readonly comparedCount: number;
  /** Tags whose call is not in our table: only framing, register and parameters were checked. */
  readonly checkedByRegisterOnly: readonly string[];
  readonly mismatches: readonly Mismatch[];
  readonly passed: boolean;
}

const DEVICES = ["xarm7"] as const;

export async function runConformance(device: string, file: string): Promise<ConformanceReport> {
  if (!DEVICES.some((known) => known === device))
    throw new CerebellumError(
      "CONFIG_INVALID",
      `no vectors are known for a device "${device}"`,
      `Name one of ${DEVICES.join(", ")}`,
    );
  const vectors = await readVectors(file);
  const mismatches: Mismatch[] = [];
  const byRegister: string[] = [];
  let comparedCount = 0;
  for (const vector of vectors) {
    const check =
      vector.kind === "report" ? checkReportVector(vector.value) : checkRequestVector(vector.value);
    mismatches.push(...check.mismatches);
    comparedCount += check.compared;
    if (!check.callKnown) byRegister.push(vector.value.tag);
  }
  return {
    device,
    file,
    vectorCount: vectors.length,
    comparedCount,
    checkedByRegisterOnly: byRegister,
    mismatches,
    passed: mismatches.length === 0,
  };
}

const AnyVector = z.looseObject({ frame_hex: z.unknown().optional() });

type Vector =
  | { readonly kind: "request"; readonly value: RequestVector }
  | { readonly kind: "report"; readonly value: ReportVector };

async function readVectors(file: string): Promise<Vector[]> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new CerebellumError(
      "FILE_UNREADABLE",
      `vector file ${file} cannot be read`,
      "Give a JSON file with a list `vectors`",
      cause,
    );
  }
  const found = z.looseObject({ vectors: z.array(AnyVector).min(1) }).safeParse(content);
  if (!found.success) throw notVectors(file, z.prettifyError(found.error), found.error);
  return found.data.vectors.map((vector, i) => {
    const refuse = (error: z.ZodError) => notVectors(file, `vector ${i}: ${z.prettifyError(error)}`, error);
    if (vector.frame_hex === undefined) {
      const parsed = RequestVector.safeParse(vector);
      if (!parsed.success) throw refuse(parsed.error);
      return { kind: "request", value: parsed.data };
    }
    const parsed = ReportVector.safeParse(vector);
    if (!parsed.success) throw refuse(parsed.error);
    return { kind: "report", value: parsed.data };
  });
}

const notVectors = (file: string, found: string, cause: unknown): CerebellumError =>
  new CerebellumError(
    "FILE_UNREADABLE",
    `${file} holds no vectors of this wire: ${found}`,
    "Each vector needs request_hex with call and args, or frame_hex with port and decoded",
    cause,
  );
