/** `service print`: the systemd unit of a cell, with this installation's paths in it. */
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { repositoryRootUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import { loadCell } from "../cell/load.js";

/** @throws CerebellumError CONFIG_INVALID for a cell or paths that a unit cannot hold */
export function serviceUnit(cellFile: string, user: string): string {
  const template = readFileSync(new URL("launch/systemd/cerebellum.service", repositoryRootUrl()), "utf8");
  const words: Record<string, string> = {
    NAME: loadCell(cellFile).name,
    ROOT: fileURLToPath(repositoryRootUrl()).replace(/\/$/, ""),
    CELL: resolve(cellFile),
    USER: user,
  };
  for (const [word, value] of Object.entries(words)) {
    if (/[\s%"'\\$]/.test(value)) {
      throw new CerebellumError(
        "CONFIG_INVALID",
        `A systemd unit cannot hold the ${word.toLowerCase()} ${JSON.stringify(value)}: it has a space, a quote or one of % $ \\`,
        "Put it where the path has none of them",
      );
    }
  }
  return template.replace(/@([A-Z]+)@/g, (_, word: string) => words[word]!);
}

export function printService(cellFile: string, options: { user?: string }): void {
  process.stdout.write(serviceUnit(cellFile, options.user ?? userInfo().username));
}
