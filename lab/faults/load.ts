/** Reads fault scripts: one YAML file each, named after the file. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { repositoryRootUrl } from "../../core/entry.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { FaultScript, type NamedScript } from "./schema.js";

const ENDING = ".yaml";

/** @throws CerebellumError CONFIG_INVALID with the file and the field */
export function loadFaultScripts(device: "xarm7"): NamedScript[] {
  const folder = new URL(`lab/faults/${device}/`, repositoryRootUrl());
  return readdirSync(folder)
    .filter((file) => file.endsWith(ENDING))
    .sort()
    .map((file) => ({ name: file.slice(0, -ENDING.length), ...read(new URL(file, folder)) }));
}

function read(file: URL): FaultScript {
  try {
    return FaultScript.parse(parse(readFileSync(file, "utf8")));
  } catch (thrown) {
    const found = thrown instanceof z.ZodError ? z.prettifyError(thrown) : errorText(thrown);
    throw new CerebellumError(
      "CONFIG_INVALID",
      `${fileURLToPath(file)}: ${found}`,
      "Correct the fault script; lab/faults/schema.ts says what it may hold",
      thrown,
    );
  }
}
