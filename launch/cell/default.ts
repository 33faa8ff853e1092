/** Which cell file a command means: the one that it names, one of those that are shipped, or the lab's arm. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { repositoryRootUrl } from "../../core/entry.js";

const SHIPPED_FOLDER = fileURLToPath(new URL("launch/cells/", repositoryRootUrl()));
const ENDING = ".yaml";

/** The cell that commands take when none is named: the lab's. */
export const DEFAULT_CELL = join(SHIPPED_FOLDER, `xarm7-lab${ENDING}`);

/** Where the tasks of other robots are at home; all others are the arm's. */
const CELL_OF_TASK: Readonly<Record<string, string>> = {
  "finger-reach": "allegro-lab",
  "cube-flip": "allegro-lab",
  stand: "digit-lab",
};
export const cellOfTask = (task: string): string =>
  Object.hasOwn(CELL_OF_TASK, task) ? join(SHIPPED_FOLDER, CELL_OF_TASK[task]! + ENDING) : DEFAULT_CELL;

/** Names by which commands know the shipped cells, for instance `allegro-lab`. */
export const shippedCells = (): string[] =>
  readdirSync(SHIPPED_FOLDER)
    .filter((file) => file.endsWith(ENDING))
    .map((file) => file.slice(0, -ENDING.length))
    .sort();

/** A path, or the name of a shipped cell where no file has that path. What is neither is given back as it is. */
export function cellFileOf(given: string): string {
  if (existsSync(given) || given.includes("/")) return given;
  return shippedCells().includes(given) ? join(SHIPPED_FOLDER, given + ENDING) : given;
}
