/**
 * `why`: explains the last stop from the black box alone; neither daemon nor servo must run. It knows of them only what
 * the kernel says: whether the process that wrote last is still there.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { nsToMs } from "../../core/clock.js";
import { explain } from "../../runtime/servo/blackBox/explain.js";
import { Explanation } from "../../runtime/servo/blackBox/explanation.js";
import { readBlackBox, type SegmentFile } from "../../runtime/servo/blackBox/reader.js";
import { parseSegmentName } from "../../runtime/servo/blackBox/segmentName.js";
import { explanationText } from "../../runtime/servo/blackBox/text.js";
import { bootId } from "../blackBox.js";
import { loadCell } from "../cell/load.js";
import { runFolder } from "../runFolder.js";
import { systemClock } from "../systemClock.js";
import { printer, writeJson } from "./output.js";

/** A segment is about a megabyte; what is far larger is none of ours. */
const FILE_BYTES_MAX = 32 << 20;

export async function why(options: { cell: string; json?: string; last: number }): Promise<void> {
  const cell = loadCell(options.cell);
  const print = printer(options.json);
  const explanations = Object.keys(cell.robots).map((robot) =>
    explainRobot(robot, runFolder(cell.name).blackBox(robot), options.last),
  );
  for (const explanation of explanations) print(explanationText(explanation));
  writeJson(options.json, { robots: explanations });
}

export function explainRobot(robot: string, folder: string, count = 1): Explanation {
  const record = readBlackBox(readSegments(folder));
  return Explanation.parse(
    explain(
      record,
      {
        nowMs: systemClock.nowMs(),
        epochMs: nsToMs(systemClock.epochNs()),
        bootId: bootId(),
        folder,
        robot,
        isAlive: isServoProcess,
      },
      count,
    ),
  );
}

/** A folder that is not there holds nothing; a file that went away meanwhile was deleted in its turn. */
function readSegments(folder: string): SegmentFile[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .filter((name) => parseSegmentName(name) !== undefined)
    .flatMap((name) => {
      const path = join(folder, name);
      try {
        return statSync(path).size > FILE_BYTES_MAX ? [] : [{ name, bytes: readFileSync(path) }];
      } catch {
        return [];
      }
    });
}

/** Process ids are used again, so the command line must be a servo process's, too. */
function isServoProcess(processId: number): boolean {
  try {
    return readFileSync(`/proc/${processId}/cmdline`, "utf8").includes("servoMain");
  } catch {
    return false;
  }
}
