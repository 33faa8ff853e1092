/**
 * Files that several bundles have in common, such as a frozen encoder under many controllers, need to be kept once.
 * A bundle may lack a file that its manifest lists when another bundle holds the same content: one beside it, or one
 * of those that come with the software. The checksum decides, never the name.
 */
import type { Dirent } from "node:fs";
import { lstat, readdir, readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { repositoryRootUrl } from "../core/entry.js";

const SHIPPED = fileURLToPath(new URL("policies/bundles", repositoryRootUrl()));
/** Folders looked at beside a bundle, so that one in a crowded place does not cost its start. */
const NEIGHBOURS_MAX = 200;
const MANIFEST_BYTES_MAX = 1 << 20;
const FilesOnly = z.object({ files: z.record(z.string(), z.string()) });

/**
 * Paths at which other bundles say they hold a content, nearest first. What lies there is not checked.
 *
 * @param directory bundle that lacks it
 * @param sha256 of the content, 64 hexadecimal digits
 */
export async function sharedCandidates(
  directory: string,
  manifestFile: string,
  sha256: string,
): Promise<string[]> {
  const own = resolve(directory);
  const found = new Set<string>();
  for (const folder of new Set([dirname(own), SHIPPED])) {
    const neighbours = (await foldersIn(folder)).slice(0, NEIGHBOURS_MAX);
    for (const neighbour of neighbours.map((name) => join(folder, name))) {
      if (neighbour === own) continue;
      const files = await filesOf(join(neighbour, manifestFile));
      for (const [file, listed] of Object.entries(files)) {
        const path = resolve(neighbour, file);
        if (listed === sha256 && path.startsWith(`${neighbour}/`) && (await isFile(path))) found.add(path);
      }
    }
  }
  return [...found];
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((): Dirent[] => []);
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/** Of a manifest that may be damaged, or of a folder that is no bundle: then nothing. */
async function filesOf(manifest: string): Promise<Record<string, string>> {
  try {
    if ((await lstat(manifest)).size > MANIFEST_BYTES_MAX) return {};
    return FilesOnly.parse(JSON.parse(await readFile(manifest, "utf8"))).files;
  } catch {
    return {};
  }
}

const isFile = (path: string): Promise<boolean> =>
  lstat(path).then(
    (found) => found.isFile(),
    () => false,
  );
