/** Replays a vector file of a device's wire through its codec and lists every mismatch. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { CerebellumError } from "../../core/errors.js";
import type { Mismatch } from "../../core/vectorCheck.js";
import { type DeviceVectors, type Replay, VECTOR_DEVICES } from "./conformanceDevices.js";

export interface ConformanceReport {
  readonly device: string;
  readonly file: string;
  readonly vectorCount: number;
  /** Single comparisons made over all vectors. */
  readonly comparedCount: number;
  /** Tags of vectors of which only `partly` was checked. */
  readonly partlyChecked: readonly string[];
  readonly partly: string;
  readonly mismatches: readonly Mismatch[];
  readonly passed: boolean;
}

/** @throws CONFIG_INVALID for a device without vectors, FILE_UNREADABLE for a file that holds none of its vectors */
export async function runConformance(device: string, file: string): Promise<ConformanceReport> {
  const vectors = Object.hasOwn(VECTOR_DEVICES, device) ? VECTOR_DEVICES[device] : undefined;
  if (vectors === undefined)
    throw new CerebellumError(
      "CONFIG_INVALID",
      `no vectors are known for a device "${device}"`,
      `Name one of ${Object.keys(VECTOR_DEVICES).join(", ")}`,
    );
  const { checks, partlyChecked } = await replay(vectors, file, await readJson(vectors, file));
  const mismatches = checks.flatMap((check) => check.mismatches);
  return {
    device,
    file,
    vectorCount: new Set(checks.map((check) => check.tag)).size,
    comparedCount: checks.reduce((sum, check) => sum + check.compared, 0),
    partlyChecked,
    partly: vectors.partly,
    mismatches,
    passed: mismatches.length === 0,
  };
}

async function readJson(vectors: DeviceVectors, file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new CerebellumError(
      "FILE_UNREADABLE",
      `vector file ${file} cannot be read as JSON`,
      vectors.needs,
      cause,
    );
  }
}

async function replay(vectors: DeviceVectors, file: string, content: unknown): Promise<Replay> {
  try {
    return await vectors.replay(content);
  } catch (thrown) {
    if (!(thrown instanceof z.ZodError)) throw thrown;
    throw new CerebellumError(
      "FILE_UNREADABLE",
      `${file} holds no vectors of this wire: ${z.prettifyError(thrown)}`,
      vectors.needs,
      thrown,
    );
  }
}
