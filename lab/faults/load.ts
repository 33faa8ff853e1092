/** Reads the fault scripts of a device: one YAML file each in `lab/faults/<device>`, named after the file. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { repositoryRootUrl } from "../../core/entry.js";
import { CerebellumError, errorText } from "../../core/errors.js";

const ENDING = ".yaml";

export interface FaultScriptFolder<Script extends object> {
  readonly device: "xarm7" | "allegro" | "digit";
  readonly schema: z.ZodType<Script>;
  /** File that says what a script may hold, for who must correct one. */
  readonly toldIn: string;
}
export type Named<Script extends object> = Script & { readonly name: string };

/** In the order of their names. @throws CerebellumError CONFIG_INVALID with the file and the field */
export function loadScripts<Script extends object>({
  device,
  schema,
  toldIn,
}: FaultScriptFolder<Script>): Named<Script>[] {
  const folder = new URL(`lab/faults/${device}/`, repositoryRootUrl());
  const read = (file: URL): Script => {
    try {
      return schema.parse(parse(readFileSync(file, "utf8")));
    } catch (thrown) {
      const found = thrown instanceof z.ZodError ? z.prettifyError(thrown) : errorText(thrown);
      throw new CerebellumError(
        "CONFIG_INVALID",
        `${fileURLToPath(file)}: ${found}`,
        `Correct the fault script; ${toldIn} says what it may hold`,
        thrown,
      );
    }
  };
  return readdirSync(folder)
    .filter((file) => file.endsWith(ENDING))
    .sort()
    .map((file) => ({ ...read(new URL(file, folder)), name: file.slice(0, -ENDING.length) }));
}
