/** Prints the folder that holds include/node of the running Node, or says what to do and exits 1. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

const candidates = [process.env.npm_config_nodedir, dirname(dirname(realpathSync(process.execPath)))].filter(
  (folder) => folder,
);

/** Headers of another Node compile, and crash later: the ABI number must be the same. */
function abiOf(folder) {
  const file = join(folder, "include/node/node_version.h");
  if (!existsSync(file)) return undefined;
  return /#define NODE_MODULE_VERSION (\d+)/.exec(readFileSync(file, "utf8"))?.[1];
}

const fitting = candidates.find((folder) => abiOf(folder) === process.versions.modules);
if (fitting !== undefined) {
  console.log(fitting);
} else {
  const found = candidates.map(
    (folder) => `${join(folder, "include/node")}: ${abiOf(folder) ? `ABI ${abiOf(folder)}` : "absent"}`,
  );
  console.error(
    `The headers of Node ${process.version} (ABI ${process.versions.modules}) were not found (${found.join("; ")}). ` +
      "Install Node from its official archive (https://nodejs.org/dist), which contains them; or, with a Node of the " +
      "distribution, its development package (libnode-dev); or set npm_config_nodedir to a folder with include/node.",
  );
  process.exit(1);
}
