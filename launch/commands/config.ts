/** `config check` and `config schema`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CerebellumError } from "../../core/errors.js";
import { loadAnyBundle } from "../../policies/anyBundle.js";
import { MANIFEST_FILE } from "../../policies/bundleFolder.js";
import { policyRobots } from "../../runtime/policy/config.js";
import { cellJsonSchema, loadCell } from "../cell/load.js";
import { addressOf } from "../cell/robotConfig.js";
import type { CellConfig } from "../cell/schema.js";
import { printer, writeJson } from "./output.js";

/** @throws CONFIG_INVALID, and what `policyLine` throws */
export async function checkConfig(file: string, options: { json?: string }): Promise<void> {
  const cell = loadCell(file);
  const print = printer(options.json);
  const robots = Object.entries(cell.robots).map(
    ([name, robot]) => `${name} (${robot.device} at ${addressOf(robot)})`,
  );
  print(`${file} is valid: cell ${cell.name}`);
  print(`  robots   ${robots.join(", ")}`);
  print(
    `  cameras  ${
      Object.entries(cell.cameras)
        .map(
          ([name, camera]) =>
            `${name} (${camera.topic}, ${camera.widthPx}x${camera.heightPx} at ${camera.rateHz} Hz)`,
        )
        .join(", ") || "none"
    }`,
  );
  print(`  policy   ${await policyLine(cell)}`);
  print(`  lab      ${cell.lab ? `${cell.lab.world}, seed ${cell.lab.seed}` : "none: real devices"}`);
  writeJson(options.json, { valid: true, cell });
}

/**
 * The cell's policy, and whether its bundle moves what the cell gives it; a bundle that is not there yet is no error here.
 * @throws CerebellumError BUNDLE_INVALID, or BUNDLE_MISMATCH for a bundle of other devices
 */
async function policyLine({ policy, robots }: CellConfig): Promise<string> {
  if (policy === undefined) return "none";
  const start = policy.autostart ? ", started by itself" : "";
  if (!existsSync(join(policy.bundle, MANIFEST_FILE)))
    return `${policy.bundle}${start}: no bundle is there yet; train or copy one, or leave the policy out with --no-policy`;
  const { manifest } = await loadAnyBundle(policy.bundle);
  const { device, joints } = manifest.robot;
  const led = policyRobots(policy);
  const devices = led.map((robot) => robots[robot]!.device).join("-");
  if (device !== devices)
    throw new CerebellumError(
      "BUNDLE_MISMATCH",
      `policy.bundle ${policy.bundle} moves ${device}, but policy.robot names ${led.join(", ")} (${devices})`,
      "Name a bundle for these robots, or the robots that it was trained for, in their order",
    );
  return `${policy.bundle}${start}: ${joints.length} joints of ${led.join(" and ")}`;
}

export function printSchema(): void {
  process.stdout.write(`${JSON.stringify(cellJsonSchema(), null, 2)}\n`);
}
