/** `conformance`: prints every mismatch between recorded wire vectors and a device's codec, or looks at a hand. */
import { CerebellumError } from "../../core/errors.js";
import { runConformance } from "./conformance.js";
import { checkHand, type HandCheckOptions } from "./conformanceHand.js";
import { printer, writeJson } from "./output.js";

export type ConformanceOptions = HandCheckOptions;

/** @throws CHECK_FAILED after printing, when a vector does not match, or a hand is not as it must be */
export async function conformance(
  device: string,
  file: string | undefined,
  options: ConformanceOptions,
): Promise<void> {
  const isHand = options.device !== undefined || options.interface !== undefined;
  if (isHand !== (file === undefined) || (isHand && device !== "allegro"))
    throw new CerebellumError(
      "CONFIG_INVALID",
      "it is not clear what is to be checked",
      "Name a vector file; or, for an Allegro Hand, --device PATH or --interface NAME and no file",
    );
  if (file === undefined) return checkHand(options);
  const report = await runConformance(device, file);
  const print = printer(options.json);
  for (const mismatch of report.mismatches) print(JSON.stringify(mismatch));
  print(
    `${report.device}: ${report.vectorCount} vectors, ${report.comparedCount} comparisons, ${report.mismatches.length} mismatches`,
  );
  if (report.partlyChecked.length > 0) print(`  ${report.partly}: ${report.partlyChecked.join(", ")}`);
  writeJson(options.json, report);
  if (!report.passed) {
    throw new CerebellumError(
      "CHECK_FAILED",
      `${report.mismatches.length} mismatches with ${file}`,
      "Correct the codec, or the vector if its source says otherwise",
    );
  }
}
