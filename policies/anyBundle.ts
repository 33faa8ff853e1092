/** A bundle of whichever kind its manifest names. */
import { z } from "zod";
import { type Bundle, loadBundle } from "./bundle.js";
import { bundleInvalid, MANIFEST_FILE, readJson } from "./bundleFolder.js";
import { HISTORY_KINDS } from "./history/architecture.js";
import { type HistoryBundle, loadHistoryBundle } from "./history/bundle.js";

export type AnyBundle = Bundle | HistoryBundle;

const PICTURE_KIND = "bc-mlp";
const Kind = z.looseObject({ kind: z.string() });

/** @throws BUNDLE_INVALID, BUNDLE_MISMATCH */
export async function loadAnyBundle(directory: string): Promise<AnyBundle> {
  return (await takesHistory(directory)) ? loadHistoryBundle(directory) : loadBundle(directory);
}

/** Whether a bundle's policy takes a history instead of pictures; only the manifest's kind is read. @throws BUNDLE_INVALID */
export async function takesHistory(directory: string): Promise<boolean> {
  const { kind } = await readJson(directory, MANIFEST_FILE, Kind);
  if (kind === PICTURE_KIND) return false;
  if ((HISTORY_KINDS as readonly string[]).includes(kind)) return true;
  throw bundleInvalid(
    directory,
    `kind ${kind} is not known, expected one of ${[PICTURE_KIND, ...HISTORY_KINDS].join(", ")}`,
    "Export the bundle with a trainer of this version",
  );
}

export const isHistoryBundle = (bundle: AnyBundle): bundle is HistoryBundle =>
  bundle.manifest.kind !== PICTURE_KIND;
