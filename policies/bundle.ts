/** Reads the bundle of a policy that sees pictures from its folder and refuses whatever differs from its manifest. */
import { join } from "node:path";
import { z } from "zod";
import { CerebellumError } from "../core/errors.js";
import {
  type BundleFolder,
  bundleInvalid,
  checkFiles,
  checkListed,
  checksum,
  MANIFEST_FILE,
  readJson,
} from "./bundleFolder.js";
import { HISTORY_KINDS } from "./history/architecture.js";
import { Goldens, outputNames, PolicyManifest } from "./manifest.js";

const Kind = z.looseObject({ kind: z.string() });

export interface Bundle extends BundleFolder {
  readonly manifest: PolicyManifest;
  readonly goldens: Goldens;
}

/** @throws BUNDLE_INVALID naming the file, what was found and what was expected; BUNDLE_MISMATCH for another kind */
export async function loadBundle(directory: string): Promise<Bundle> {
  const { kind } = await readJson(directory, MANIFEST_FILE, Kind);
  if ((HISTORY_KINDS as readonly string[]).includes(kind)) {
    throw new CerebellumError(
      "BUNDLE_MISMATCH",
      `Policy bundle ${directory} is of kind ${kind}, which sees no camera; expected bc-mlp`,
      "Name a bundle of a policy that sees pictures, or a cell whose robot stands on legs",
    );
  }
  const manifest = await readJson(directory, MANIFEST_FILE, PolicyManifest);
  const { sha256: manifestSha256 } = await checksum(join(directory, MANIFEST_FILE));
  const files = await checkFiles(directory, manifest);
  const goldens = await readJson(directory, manifest.goldens.file, Goldens);
  checkReferences(directory, manifest, goldens);
  checkLengths(directory, manifest, goldens);
  return { directory, manifest, manifestSha256, goldens, ...files };
}

function checkReferences(directory: string, manifest: PolicyManifest, goldens: Goldens): void {
  const used = [
    ...manifest.variants.flatMap(({ encoderFile, controllerFile, fusedFile }) => [
      encoderFile,
      controllerFile,
      ...(fusedFile === undefined ? [] : [fusedFile]),
    ]),
    ...goldens.cases.map((golden) => golden.image),
    manifest.goldens.file,
  ];
  checkListed(directory, manifest, used);
}

function checkLengths(directory: string, manifest: PolicyManifest, goldens: Goldens): void {
  const { resize } = manifest.image;
  const { architecture } = manifest.encoder;
  const { patchPx } = architecture;
  if (resize.widthPx % patchPx !== 0 || resize.heightPx % patchPx !== 0) {
    throw bundleInvalid(
      directory,
      `image ${resize.widthPx} x ${resize.heightPx} is no multiple of patch ${patchPx}`,
    );
  }
  if (architecture.family !== "cnn" && architecture.width % architecture.heads !== 0) {
    const { width, heads } = architecture;
    throw bundleInvalid(directory, `encoder width ${width} is no multiple of ${heads} heads`);
  }
  for (const element of manifest.proprioception) {
    if (element.source === "joint-position" && !manifest.robot.joints.includes(element.name)) {
      throw bundleInvalid(
        directory,
        `proprioception ${element.name} is no joint of the robot (${manifest.robot.joints.join(", ")})`,
      );
    }
  }
  const valuesMax = 3 * resize.widthPx * resize.heightPx;
  goldens.cases.forEach((golden, index) => {
    const where = `golden case ${index}`;
    if (golden.state.length !== manifest.proprioception.length) {
      throw bundleInvalid(
        directory,
        `${where} has ${golden.state.length} state values, expected ${manifest.proprioception.length}`,
      );
    }
    const outputCount = outputNames(manifest).length;
    if (golden.action.length !== outputCount) {
      throw bundleInvalid(
        directory,
        `${where} has ${golden.action.length} action values, expected ${outputCount}`,
      );
    }
    const { indices, values } = golden.preprocessed;
    if (indices.length !== values.length || indices.some((at) => at >= valuesMax)) {
      throw bundleInvalid(
        directory,
        `${where} has ${indices.length} indices (below ${valuesMax}) and ${values.length} values`,
      );
    }
  });
}
