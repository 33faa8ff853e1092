/** `conformance`: prints every mismatch between recorded wire vectors and a device's codec. */
import { CerebellumError } from "../../core/errors.js";
import { runConformance } from "./conformance.js";
import { printer, writeJson } from "./output.js";

/** @throws CHECK_FAILED after printing, when a vector does not match */
export async function conformance(device: string, file: string, options: { json?: string }): Promise<void> {
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
