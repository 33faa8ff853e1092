/** Exit code 0 when node_modules holds exactly what package-lock.json asks for, by npm's own record of what it installed. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
const installedFile = join(root, "node_modules/.package-lock.json");

const packagesOf = (file) => JSON.parse(readFileSync(file, "utf8")).packages;

function mismatches() {
  if (!existsSync(installedFile)) return ["node_modules is missing or was not finished"];
  const wanted = packagesOf(join(root, "package-lock.json"));
  const installed = packagesOf(installedFile);
  return Object.entries(wanted)
    .filter(([path]) => path !== "")
    .filter(([path, entry]) => {
      const found = installed[path];
      // Optional packages of other platforms are locked but rightly absent.
      if (found === undefined) return entry.optional !== true;
      return found.version !== entry.version || !existsSync(join(root, path, "package.json"));
    })
    .map(([path, entry]) => `${path}: ${installed[path]?.version ?? "absent"}, wanted ${entry.version}`);
}

const found = mismatches();
for (const line of found.slice(0, 5)) console.log(line);
process.exitCode = found.length === 0 ? 0 : 1;
