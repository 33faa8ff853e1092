/** What software this is, for recordings: looked up once, so that an episode can be traced to what made it. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { release } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { repositoryRootUrl } from "../core/entry.js";

const PACKAGES = ["onnxruntime-node", "rclnodejs", "sharp", "@mcap/core"] as const;
const GIT_MS_MAX = 5000;

/** Never rejects: what cannot be found out is "unknown". */
export async function softwareIdentity(
  env: NodeJS.ProcessEnv = process.env,
): Promise<Record<string, string>> {
  const [own, git, ...packages] = await Promise.all([
    packageVersion("package.json"),
    gitDescribe(),
    ...PACKAGES.map((name) => packageVersion(`node_modules/${name}/package.json`)),
  ]);
  return {
    cerebellum: own,
    git,
    node: process.version,
    kernel: release(),
    rosDistro: env.ROS_DISTRO ?? "unknown",
    rmw: env.RMW_IMPLEMENTATION ?? "default",
    ...Object.fromEntries(PACKAGES.map((name, index) => [name, packages[index]!])),
  };
}

async function packageVersion(path: string): Promise<string> {
  try {
    const text = await readFile(new URL(path, repositoryRootUrl()), "utf8");
    return String((JSON.parse(text) as { version?: string }).version ?? "unknown");
  } catch {
    return "unknown";
  }
}

async function gitDescribe(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)("git", ["describe", "--always", "--dirty", "--tags"], {
      cwd: fileURLToPath(repositoryRootUrl()),
      timeout: GIT_MS_MAX,
    });
    return stdout.trim();
  } catch {
    return "unknown";
  }
}
