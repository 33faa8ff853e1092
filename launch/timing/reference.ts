/** Compiles and runs the C loop that the servo's timing is compared with. */
import { execFile } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import { repositoryRootUrl } from "../../core/entry.js";
import { CerebellumError, errorText } from "../../core/errors.js";

const run = promisify(execFile);

const ReferenceLateness = z.strictObject({
  ticks: z.int(),
  missed: z.int(),
  p50: z.number(),
  p99: z.number(),
  p999: z.number(),
  max: z.number(),
});
/** Lateness [µs] of the C loop, ticks that ran and deadlines that it skipped. */
export type ReferenceLateness = z.infer<typeof ReferenceLateness>;

/** @throws CerebellumError CHECK_FAILED when there is no C compiler */
export async function compileReference(): Promise<string> {
  const source = fileURLToPath(new URL("launch/timing/nanosleep.c", repositoryRootUrl()));
  const program = fileURLToPath(new URL(".cerebellum/timing/nanosleep", repositoryRootUrl()));
  const builtMs = statSync(program, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (builtMs > statSync(source).mtimeMs) return program;
  mkdirSync(dirname(program), { recursive: true });
  const compiler = process.env.CC ?? "cc";
  try {
    await run(compiler, ["-O2", "-o", program, source]);
  } catch (cause) {
    throw new CerebellumError(
      "CHECK_FAILED",
      `${compiler} did not compile the timing reference: ${errorText(cause)}`,
      "Install gcc or g++, or name a C compiler in CC",
      cause,
    );
  }
  return program;
}

/** Runs it for `seconds`; priority 0 is the normal class. @throws CerebellumError CHECK_FAILED */
export async function runReference(
  program: string,
  options: { rateHz: number; seconds: number; realtimePriority: number },
): Promise<ReferenceLateness> {
  const { rateHz, seconds, realtimePriority } = options;
  try {
    const { stdout } = await run(program, [rateHz, seconds, realtimePriority].map(String));
    return ReferenceLateness.parse(JSON.parse(stdout));
  } catch (cause) {
    throw new CerebellumError(
      "CHECK_FAILED",
      `The timing reference failed: ${errorText(cause)}`,
      "Real-time priority may not be permitted: `./cerebellum doctor` says how to permit it",
      cause,
    );
  }
}
