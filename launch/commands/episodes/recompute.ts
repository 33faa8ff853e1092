/** `episodes recompute`: a recorded policy's steps computed anew and compared to the last bit; moves nothing. */
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { repositoryRootUrl } from "../../../core/entry.js";
import { CerebellumError } from "../../../core/errors.js";
import { EpisodeReader } from "../../../episodes/episodeReader.js";
import type { EpisodeStart } from "../../../episodes/format.js";
import { findEpisode } from "../../../episodes/recordings.js";
import { type AnyBundle, isHistoryBundle, loadAnyBundle } from "../../../policies/anyBundle.js";
import { replayHistoryOffline } from "../../../runtime/policy/offlineHistory.js";
import {
  type GripperDifference,
  type IdentityDifference,
  type OfflineReplay,
  replayOffline,
  type StepDifference,
} from "../../../runtime/policy/offlineReplay.js";
import { systemClock } from "../../systemClock.js";
import { printer, writeJson } from "../output.js";

export interface RecomputeOptions {
  /** In place of the bundle that the episode names. */
  readonly bundle?: string;
  readonly json?: string;
}

/** @throws CerebellumError CHECK_FAILED when a step differs or none could be compared, after the JSON was written */
export async function recomputeEpisode(
  words: string,
  recordings: string,
  options: RecomputeOptions,
): Promise<void> {
  const print = printer(options.json);
  const episode = await findEpisode(words, recordings);
  const reader = await EpisodeReader.open(episode.folder);
  try {
    const bundle =
      options.bundle === undefined
        ? await bundleThatRan(reader.start, BUNDLES)
        : await loadAnyBundle(resolve(options.bundle));
    const result = isHistoryBundle(bundle)
      ? await replayHistoryOffline(reader, bundle)
      : await replayOffline(reader, bundle, systemClock);
    for (const line of replayLines(result, bundle.directory)) print(line);
    writeJson(options.json, { episode: episode.folder, bundle: bundle.directory, ...result });
    if (!result.passed) throw failed(result);
  } finally {
    await reader.close();
  }
}

const ROOT = fileURLToPath(repositoryRootUrl());
/** Where a bundle is looked for that has moved since the episode was recorded. */
const BUNDLES = join(ROOT, "policies", "bundles");

/**
 * The bundle with the recorded checksum: where the cell had it, or anywhere in `bundles`.
 * @throws CerebellumError EPISODE_INVALID when no policy was loaded, BUNDLE_MISMATCH when its bundle is not here
 */
export async function bundleThatRan(start: EpisodeStart, bundles: string): Promise<AnyBundle> {
  if (start.bundle === null) {
    throw new CerebellumError(
      "EPISODE_INVALID",
      `${start.name} of ${start.task} was recorded without a policy`,
      "Choose an episode of a rollout",
    );
  }
  const { name, manifestSha256 } = start.bundle;
  const cellPolicy = start.cell.policy as { bundle?: unknown } | null | undefined;
  const recorded = typeof cellPolicy?.bundle === "string" ? [resolve(ROOT, cellPolicy.bundle)] : [];
  const shipped = await readdir(bundles).catch(() => []);
  for (const directory of [...recorded, ...shipped.map((entry) => join(bundles, entry))]) {
    const found = await loadAnyBundle(directory).catch(() => undefined);
    if (found?.manifestSha256 === manifestSha256) return found;
  }
  throw new CerebellumError(
    "BUNDLE_MISMATCH",
    `The bundle that ran, ${name} with manifest ${manifestSha256.slice(0, 12)}…, is not among ` +
      `${[...recorded, bundles].join(", ")}`,
    "Name its folder with --bundle, or another bundle to compare with it",
  );
}

export function replayLines(result: OfflineReplay, directory: string): string[] {
  const { policy, steps, compared, identical, skipped, identity, differences, gripperDifferences } = result;
  const skips = Object.entries(skipped).filter(([, count]) => count > 0);
  const shown = new Set(
    [...differences, ...gripperDifferences].map(({ step, stampNs }) => `${step} ${stampNs}`),
  );
  const notShown = compared - identical - shown.size;
  return [
    `${policy} from ${directory}: ${identical} of ${compared} computed steps are identical to the last bit`,
    ...(skips.length === 0
      ? []
      : [
          `  ${steps - compared} of ${steps} steps were skipped: ` +
            skips.map(([reason, count]) => `${count} ${SKIPS[reason as keyof typeof SKIPS]}`).join(", "),
        ]),
    ...differences.map(differenceLine),
    ...gripperDifferences.map(gripperLine),
    ...(notShown > 0 ? [`  and ${notShown} more steps differ`] : []),
    ...(identity.length === 0
      ? []
      : ["  What computed them was not the same:", ...identity.map((fact) => `    ${identityText(fact)}`)]),
  ];
}

const SKIPS = {
  imageMissing: "without an image in the file",
  imageLossy: "whose image was kept with loss only",
  imageUnusable: "whose image cannot be read as the policy saw it",
  historyMissing: "without all that their run saw and did before",
} as const;

const differenceLine = ({ step, field, joint, recordedRad, computedRad, differenceMaxRad }: StepDifference) =>
  `  step ${step}: ${field} of ${joint} was ${recordedRad}, now ${computedRad} ` +
  `(largest difference of the step ${differenceMaxRad.toExponential(1)} rad)`;

const gripperLine = ({ step, field, recordedM, computedM }: GripperDifference) =>
  `  step ${step}: ${field} was ${recordedM}, now ${computedM}`;

const identityText = ({ name, recorded, found }: IdentityDifference) =>
  `${name}: recorded ${recorded ?? "nothing"}, here ${found}`;

function failed({ compared, identical, skipped, identity }: OfflineReplay): CerebellumError {
  if (compared === 0) {
    return new CerebellumError(
      "CHECK_FAILED",
      `No step could be compared: ${Object.entries(skipped)
        .map(([reason, count]) => `${count} ${reason}`)
        .join(", ")}`,
      "Record images raw or as PNG, or let the recorder keep what the policy used",
    );
  }
  return new CerebellumError(
    "CHECK_FAILED",
    `${compared - identical} of ${compared} steps are computed differently now`,
    identity.length === 0
      ? "Bundle, engine and processor are the same: look for what has changed in this program"
      : `Look at what is not the same: ${identity.map(({ name }) => name).join(", ")}`,
  );
}
