/**
 * Loads rclnodejs's native part by hand and prints the loader's own words if that fails. Always done before rclnodejs is
 * imported: its own loader answers any failure by deleting the build and starting another.
 *   node loadAddon.mjs prebuilt   the file rclnodejs ships for this Ubuntu and this ROS; exit code 1 if there is none
 *   node loadAddon.mjs built      the file that set-up has built
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const packageFolder = join(import.meta.dirname, "../../node_modules/rclnodejs");

async function prebuiltFile() {
  const library = (name) => import(pathToFileURL(join(packageFolder, "lib", name)).href);
  const { getTaggedPrebuildFilename } = await library("prebuilds.js");
  const { detectUbuntuCodename } = await library("utils.js");
  const ubuntuCodename = detectUbuntuCodename();
  if (!ubuntuCodename) return undefined;
  const { arch } = process;
  const file = getTaggedPrebuildFilename({
    rosDistro: process.env.ROS_DISTRO,
    ubuntuCodename,
    arch,
    runtime: "node",
  });
  return join(packageFolder, "prebuilds", `linux-${arch}`, file);
}

const file =
  process.argv[2] === "prebuilt" ? await prebuiltFile() : join(packageFolder, "build/Release/rclnodejs.node");
if (file === undefined || !existsSync(file)) {
  console.log(`no ${process.argv[2]} native part for this machine`);
  process.exit(1);
}
try {
  createRequire(import.meta.url)(file);
  console.log(`loaded ${file}`);
  process.exit(0);
} catch (error) {
  console.error(`${file} does not load: ${error.message}`);
  process.exit(1);
}
