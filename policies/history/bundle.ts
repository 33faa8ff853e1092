/** Reads the bundle of a history policy from its folder and refuses whatever differs from its manifest. Runs nothing. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CerebellumError } from "../../core/errors.js";
import {
  type BundleFolder,
  bundleInvalid,
  bundlePath,
  checkFiles,
  checkListed,
  checksum,
  MANIFEST_FILE,
  readJson,
} from "../bundleFolder.js";
import { actionGap } from "./action.js";
import { BODIES } from "./bodies.js";
import { HistoryGoldens, HistoryManifest } from "./manifest.js";
import { readModelSlots } from "./modelSlots.js";
import { actionId, actionProblem, observationId, observationProblem } from "./slots.js";

export interface HistoryBundle extends BundleFolder {
  readonly manifest: HistoryManifest;
  readonly goldens: HistoryGoldens;
}

/** Paths of the network, and of the embedding where that is a file of its own. */
export const historyModelFiles = (bundle: HistoryBundle): [file: string, embedFile?: string] => {
  const { model } = bundle.manifest;
  const file = bundlePath(bundle, model.file);
  return model.inference === "full-window" ? [file] : [file, bundlePath(bundle, model.embedFile)];
};

/** @throws BUNDLE_INVALID, BUNDLE_MISMATCH naming the file or the first wrong slot, what was found and expected */
export async function loadHistoryBundle(directory: string): Promise<HistoryBundle> {
  const manifest = await readJson(directory, MANIFEST_FILE, HistoryManifest);
  const { sha256: manifestSha256 } = await checksum(join(directory, MANIFEST_FILE));
  const files = await checkFiles(directory, manifest);
  const goldens = await readJson(directory, manifest.goldens.file, HistoryGoldens);
  const bundle = { directory, manifest, manifestSha256, goldens, ...files };
  const { model } = manifest;
  checkListed(directory, manifest, [
    manifest.goldens.file,
    model.file,
    ...(model.inference === "cached-embedding" ? [model.embedFile] : []),
  ]);
  checkBody(directory, manifest);
  await checkSlots(bundle);
  checkLengths(bundle);
  return bundle;
}

const mismatch = (directory: string, happened: string, remedy: string) =>
  new CerebellumError("BUNDLE_MISMATCH", `Policy bundle ${directory}: ${happened}`, remedy);

/** Joint vectors are named as the robot names them, or legs are swapped one day. */
function checkBody(directory: string, { robot }: HistoryManifest): void {
  for (const field of ["joints", "passiveJoints"] as const) {
    const difference = firstDifference(robot[field], BODIES[robot.device][field]);
    if (difference === undefined) continue;
    const { at, found, expected } = difference;
    throw mismatch(
      directory,
      `robot.${field}[${at}] is ${found}, expected ${expected}: ${robot.device} has ${BODIES[robot.device][field].length}`,
      "Use a bundle that was trained for this robot, with joints in its own order",
    );
  }
}

/** Each slot alone, and all of them against what the network was exported with. */
async function checkSlots(bundle: HistoryBundle): Promise<void> {
  const { directory, manifest } = bundle;
  const { observation, action, robot } = manifest;
  const files = historyModelFiles(bundle);
  const notes = await Promise.all(files.map(async (file) => readModelSlots(await readFile(file!))));
  const described = notes.every((slots) => slots !== undefined) ? notes : undefined;
  if (described === undefined) {
    throw bundleInvalid(directory, "the network's file does not say which slots it was exported with");
  }
  const sides = [
    ["observation", observation.map(observationId), described.map((slots) => slots!.observation)],
    ["action", action.slots.map(actionId), described.map((slots) => slots!.action)],
  ] as const;
  for (const [side, found, exported] of sides) {
    for (const expected of exported) {
      const difference = firstDifference(found, expected);
      if (difference === undefined) continue;
      throw mismatch(
        directory,
        `${side} slot ${difference.at} is ${difference.found}, expected ${difference.expected}: ` +
          `the manifest has ${found.length} slots, the network was exported with ${expected.length}`,
        "Export network and manifest together; never edit one of them",
      );
    }
    const twice = found.findIndex((id, at) => found.indexOf(id) !== at);
    if (twice >= 0)
      throw bundleInvalid(directory, `${side} slot ${twice} (${found[twice]}) was there before`);
  }
  const problems = [
    ...observation.map((slot, at) => ["observation", at, observationProblem(slot, robot.device)] as const),
    ...action.slots.map((slot, at) => ["action", at, actionProblem(slot, robot.device)] as const),
  ];
  const problem = problems.find(([, , text]) => text !== undefined);
  if (problem !== undefined) {
    throw bundleInvalid(directory, `${problem[0]} slot ${problem[1]} ${problem[2]}`);
  }
  const gap = actionGap(manifest);
  if (gap !== undefined) throw bundleInvalid(directory, `action: ${gap}`);
  for (const [source, rule] of [
    ["clock", manifest.clock],
    ["velocity-command", manifest.command],
  ] as const) {
    const at = observation.findIndex((slot) => slot.source === source);
    if (at >= 0 && rule === undefined) {
      throw bundleInvalid(
        directory,
        `observation slot ${at} (${observationId(observation[at]!)}) has no rule`,
      );
    }
  }
}

function checkLengths({ directory, manifest, goldens }: HistoryBundle): void {
  const { robot, history, start, action, observation } = manifest;
  const [joints, passive] = [robot.joints.length, robot.passiveJoints.length];
  const lengths: [name: string, found: number, expected: number][] = [
    ["history.defaultAction", history.defaultAction.length, action.slots.length],
    ["start.positionRad", start.positionRad.length, joints],
    ["start.stiffnessNmPerRad", start.stiffnessNmPerRad.length, joints],
    ["start.dampingNmSPerRad", start.dampingNmSPerRad.length, joints],
  ];
  goldens.cases.forEach(({ steps }, index) => {
    steps.forEach((step, at) => {
      const where = `golden case ${index} step ${at}`;
      lengths.push(
        [`${where} positionRad`, step.reading.positionRad.length, joints],
        [`${where} velocityRadPerS`, step.reading.velocityRadPerS.length, joints],
        [`${where} passivePositionRad`, step.reading.passivePositionRad.length, passive],
        [`${where} passiveVelocityRadPerS`, step.reading.passiveVelocityRadPerS.length, passive],
        [`${where} observation`, step.observation.length, observation.length],
        [`${where} output`, step.output.length, action.slots.length],
        [`${where} target`, step.positionRad.length, joints],
        [`${where} stiffness`, step.stiffnessNmPerRad.length, joints],
        [`${where} damping`, step.dampingNmSPerRad.length, joints],
      );
    });
  });
  for (const [name, found, expected] of lengths) {
    if (found !== expected)
      throw bundleInvalid(directory, `${name} has ${found} values, expected ${expected}`);
  }
}

function firstDifference(
  found: readonly string[],
  expected: readonly string[],
): { at: number; found: string; expected: string } | undefined {
  for (let at = 0; at < Math.max(found.length, expected.length); at++) {
    if (found[at] !== expected[at]) {
      return { at, found: found[at] ?? "missing", expected: expected[at] ?? "nothing" };
    }
  }
  return undefined;
}
