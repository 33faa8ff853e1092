/** The repository's own TypeScript sources, for tests that read code. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { repositoryRootUrl } from "../core/entry.js";

export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const FOLDERS = [
  "core",
  "kinematics",
  "drivers",
  "policies",
  "episodes",
  "calibration",
  "runtime",
  "launch",
  "lab",
  "console",
  "test",
];

export function readSources(): SourceFile[] {
  const root = fileURLToPath(repositoryRootUrl());
  return FOLDERS.flatMap((folder) => listFiles(join(root, folder)))
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => ({ path: relative(root, file), text: readFileSync(file, "utf8") }));
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? listFiles(join(folder, entry.name)) : [join(folder, entry.name)],
    );
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw thrown;
  }
}
