/** `policy verify`: replays a bundle's goldens through the real preprocessing and engine. */
import { CerebellumError } from "../../core/errors.js";
import { openPolicy } from "../../policies/verify.js";
import { printer, writeJson } from "./output.js";

/** @throws BUNDLE_INVALID, BUNDLE_MISMATCH, POLICY_OUTPUT_INVALID, after the JSON result was written */
export async function policyVerify(
  directory: string,
  options: { json?: string; intraOpThreads?: number } = {},
): Promise<void> {
  const print = printer(options.json);
  try {
    const opened = await openPolicy(directory, { intraOpThreads: options.intraOpThreads ?? 1 });
    const { manifest, variant } = opened.pipeline;
    await opened.pipeline.release();
    print(`${manifest.name}: ${opened.bundle.fileBytes.size} files match their checksums`);
    for (const { precision, reason } of opened.rejected)
      print(`  ${precision} is not usable here: ${reason}`);
    for (const golden of opened.goldens) {
      print(
        `  ${golden.image}: image off by at most ${golden.imageErrorMax.toExponential(1)} ` +
          `(tolerance ${manifest.goldens.toleranceImage}), action by ` +
          `${golden.actionErrorMaxRad.toExponential(1)} rad (tolerance ${manifest.goldens.toleranceAction})`,
      );
    }
    print(`Passed with precision ${variant.precision}`);
    writeJson(options.json, {
      passed: true,
      policy: manifest.name,
      precision: variant.precision,
      rejectedVariants: opened.rejected,
      goldens: opened.goldens,
      toleranceImage: manifest.goldens.toleranceImage,
      toleranceActionRad: manifest.goldens.toleranceAction,
    });
  } catch (thrown) {
    if (thrown instanceof CerebellumError) {
      const { code, happened, remedy } = thrown;
      writeJson(options.json, { passed: false, error: { code, happened, remedy } });
    }
    throw thrown;
  }
}
