/** `config check` and `config schema`. */
import { cellJsonSchema, loadCell } from "../cell/load.js";
import { addressOf } from "../cell/robotConfig.js";
import { printer, writeJson } from "./output.js";

export function checkConfig(file: string, options: { json?: string }): void {
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
  print(
    `  policy   ${cell.policy ? `${cell.policy.bundle}${cell.policy.autostart ? ", started by itself" : ""}` : "none"}`,
  );
  print(`  lab      ${cell.lab ? `${cell.lab.world}, seed ${cell.lab.seed}` : "none: real devices"}`);
  writeJson(options.json, { valid: true, cell });
}

export function printSchema(): void {
  process.stdout.write(`${JSON.stringify(cellJsonSchema(), null, 2)}\n`);
}
