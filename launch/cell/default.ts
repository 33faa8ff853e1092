/** The cell file of commands that are given none. */
import { fileURLToPath } from "node:url";
import { repositoryRootUrl } from "../../core/entry.js";

/** The cell that commands take when none is named: the lab's. */
export const DEFAULT_CELL = fileURLToPath(new URL("launch/cells/xarm7-lab.yaml", repositoryRootUrl()));
