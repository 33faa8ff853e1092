/** The folder of a policy bundle of any kind: JSON against its schema, every file against its checksum. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { z } from "zod";
import { CerebellumError, errorText } from "../core/errors.js";
import { sharedCandidates } from "./sharedFiles.js";

export const MANIFEST_FILE = "policy.json";
const EXPORT_AGAIN = "Export the bundle again with the trainer, or copy it again in full";
const FILES_MAX = 1000;

export interface BundleFolder {
  readonly directory: string;
  /** Of the manifest's file; it names the checksums of all others, so this one stands for the whole bundle. */
  readonly manifestSha256: string;
  /** Size of every file but the manifest [bytes]. */
  readonly fileBytes: ReadonlyMap<string, number>;
  /** Where the files lie that this bundle lacks because another holds them. */
  readonly sharedPaths: ReadonlyMap<string, string>;
}

export const bundlePath = (bundle: Pick<BundleFolder, "directory" | "sharedPaths">, file: string): string =>
  bundle.sharedPaths.get(file) ?? join(bundle.directory, file);

export const bundleInvalid = (directory: string, happened: string, remedy = EXPORT_AGAIN, cause?: unknown) =>
  new CerebellumError("BUNDLE_INVALID", `Policy bundle ${directory}: ${happened}`, remedy, cause);

export async function readJson<S extends z.ZodType>(
  directory: string,
  file: string,
  schema: S,
): Promise<z.output<S>> {
  let text: string;
  try {
    text = await readFile(join(directory, file), "utf8");
  } catch (cause) {
    throw bundleInvalid(
      directory,
      `${file} cannot be read (${errorText(cause)})`,
      "Name the folder of a policy bundle; `policy.bundle` of the cell file is relative to the repository",
      cause,
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw bundleInvalid(directory, `${file} is not JSON (${errorText(cause)})`, EXPORT_AGAIN, cause);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw bundleInvalid(directory, `${file} does not fit its schema: ${issues.join("; ")}`);
}

/** The folder holds the files of the manifest and no other, each with its checksum; what it lacks, another bundle has. */
export async function checkFiles(
  directory: string,
  manifest: { readonly files: Readonly<Record<string, string>> },
): Promise<Pick<BundleFolder, "fileBytes" | "sharedPaths">> {
  const found = new Set(await listFiles(directory));
  found.delete(MANIFEST_FILE);
  const extra = [...found].filter((file) => !Object.hasOwn(manifest.files, file));
  if (extra.length > 0) {
    throw bundleInvalid(
      directory,
      `${extra[0]} is not listed in ${MANIFEST_FILE}`,
      "Remove it: a bundle holds nothing unchecked",
    );
  }
  const fileBytes = new Map<string, number>();
  const sharedPaths = new Map<string, string>();
  for (const [file, expected] of Object.entries(manifest.files)) {
    if (!found.has(file)) {
      const shared = await findShared(directory, expected);
      if (shared === undefined) throw fileMissing(directory, file);
      sharedPaths.set(file, shared.path);
      fileBytes.set(file, shared.byteLength);
      continue;
    }
    const { sha256, byteLength } = await checksum(join(directory, file));
    if (sha256 !== expected) {
      throw bundleInvalid(
        directory,
        `${file} has SHA-256 ${sha256} (${byteLength} bytes), expected ${expected}`,
      );
    }
    fileBytes.set(file, byteLength);
  }
  return { fileBytes, sharedPaths };
}

async function findShared(
  directory: string,
  sha256: string,
): Promise<{ path: string; byteLength: number } | undefined> {
  for (const path of await sharedCandidates(directory, MANIFEST_FILE, sha256)) {
    const found = await checksum(path);
    if (found.sha256 === sha256) return { path, byteLength: found.byteLength };
  }
  return undefined;
}

const fileMissing = (directory: string, file: string) =>
  bundleInvalid(
    directory,
    `${file} is listed but missing, and no bundle beside it or among the shipped ones holds the same content`,
    "Copy the bundle again in full, or put the bundle that shares the file beside it",
  );

async function listFiles(directory: string, below = ""): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(join(directory, below), { withFileTypes: true })) {
    const name = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) files.push(...(await listFiles(directory, name)));
    else if (entry.isFile()) files.push(name);
    else
      throw bundleInvalid(
        directory,
        `${name} is neither file nor folder`,
        "Replace links by the files themselves",
      );
    if (files.length > FILES_MAX) {
      throw bundleInvalid(directory, `more than ${FILES_MAX} files`, "Is this the folder of a bundle?");
    }
  }
  return files;
}

export async function checksum(path: string): Promise<{ sha256: string; byteLength: number }> {
  const hash = createHash("sha256");
  let byteLength = 0;
  await pipeline(
    createReadStream(path, { highWaterMark: 1 << 20 }),
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        hash.update(chunk);
        byteLength += chunk.length;
      }
    },
  );
  return { sha256: hash.digest("hex"), byteLength };
}

/** @throws BUNDLE_INVALID naming a file that is used and not listed */
export function checkListed(
  directory: string,
  manifest: { readonly files: Readonly<Record<string, string>> },
  used: readonly string[],
): void {
  for (const file of used) {
    if (!Object.hasOwn(manifest.files, file))
      throw bundleInvalid(directory, `${file} is used but not listed in files`);
  }
}
