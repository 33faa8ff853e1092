/** Policy bundles for people: those that can be started, and those that cannot, with the reason. */
import { readdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { CerebellumError, errorText } from "../../../core/errors.js";
import type { BundleSummary } from "../../../core/gateway/library.js";
import { type AnyBundle, isHistoryBundle, loadAnyBundle } from "../../../policies/anyBundle.js";
import { MANIFEST_FILE } from "../../../policies/bundleFolder.js";
import { passesGate } from "../../../policies/variants.js";

const BUNDLES_MAX = 200;

export class BundleLibrary {
  readonly #folders: readonly string[];
  /** By directory; checking all checksums takes a second where an encoder is large. */
  readonly #known = new Map<string, { readonly stamp: string; readonly summary: BundleSummary }>();

  /** @param folders each holds bundles, one a folder, or is one itself */
  constructor(folders: readonly string[]) {
    this.#folders = [...new Set(folders.map((folder) => resolve(folder)))];
  }

  /** By name. A folder that is not there has none. */
  async list(): Promise<BundleSummary[]> {
    const directories = new Set<string>();
    for (const folder of this.#folders)
      for (const directory of [folder, ...(await foldersIn(folder))])
        if ((await stampOf(directory)) !== undefined && directories.size < BUNDLES_MAX)
          directories.add(directory);
    const bundles: BundleSummary[] = [];
    for (const directory of directories) bundles.push(await this.#summary(directory));
    return bundles.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #summary(directory: string): Promise<BundleSummary> {
    const stamp = (await stampOf(directory)) ?? "";
    const known = this.#known.get(directory);
    if (known?.stamp === stamp) return known.summary;
    const summary = await summarise(directory);
    this.#known.set(directory, { stamp, summary });
    return summary;
  }
}

async function summarise(directory: string): Promise<BundleSummary> {
  try {
    const bundle = await loadAnyBundle(directory);
    const { manifest } = bundle;
    return {
      directory,
      name: manifest.name,
      task: manifest.task,
      rateHz: manifest.rateHz,
      precision: precisionOf(bundle),
      loaded: false,
      note: `${manifest.description} ${originOf(bundle)}`.trimStart(),
    };
  } catch (thrown) {
    const note =
      thrown instanceof CerebellumError ? `${thrown.happened}. ${thrown.remedy}.` : errorText(thrown);
    return { directory, name: basename(directory), task: "", rateHz: 0, precision: "", loaded: false, note };
  }
}

function originOf(bundle: AnyBundle): string {
  if (!isHistoryBundle(bundle)) {
    const { episodes, frames } = bundle.manifest.provenance.dataset;
    return `Trained on ${episodes} episodes, ${frames} frames.`;
  }
  const { motion, motionReason } = bundle.manifest;
  return motion === "refused" ? `Refused for motion: ${motionReason}` : motionReason;
}

/** The first variant that passes its gate is the one that will be used. */
function precisionOf(bundle: AnyBundle): string {
  if (isHistoryBundle(bundle)) return "fp32";
  const { variants, gate } = bundle.manifest;
  return variants.find((variant) => passesGate(variant, gate))?.precision ?? "";
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
}

/** Of every file of a bundle: names, sizes, dates; undefined where there is no manifest. */
async function stampOf(directory: string): Promise<string | undefined> {
  const names = await readdir(directory).catch((): string[] => []);
  if (!names.includes(MANIFEST_FILE)) return undefined;
  const files = await Promise.all(
    names.sort().map(async (name) => {
      const file = await stat(join(directory, name)).catch(() => undefined);
      return `${name} ${file?.size} ${file?.mtimeMs}`;
    }),
  );
  return files.join("\n");
}
