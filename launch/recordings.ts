/** Where episodes go when nothing else is said. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { repositoryRootUrl } from "../core/entry.js";

/** CEREBELLUM_RECORDINGS, else beside this program. */
export const recordingsFolder = (env: NodeJS.ProcessEnv = process.env): string =>
  env.CEREBELLUM_RECORDINGS || join(fileURLToPath(repositoryRootUrl()), "recordings");
