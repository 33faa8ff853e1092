/** The whole simulated cell, started as a user starts it, judged by a Python client over ROS. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";

const root = fileURLToPath(new URL("../../", import.meta.url));
const launcher = join(root, "cerebellum");
const ready = existsSync(launcher) && Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);

const UP_S_MAX = 90;

interface Finished {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

function start(command: string, args: readonly string[]) {
  const child = spawn(command, [...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (chunk) => {
    output += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    errors += String(chunk);
  });
  const finished = new Promise<Finished>((resolve) =>
    child.on("close", (code) => resolve({ code, output, errors })),
  );
  return { child, finished, text: () => output + errors };
}

/** Ports that nobody listens on right now, all different. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const { port } = server.address() as { port: number };
      await new Promise((resolve) => server.close(resolve));
      return port;
    }),
  );
}

/** The lab's cell under another name, on ports of its own. */
async function cellFile(folder: string): Promise<string> {
  const cell = parse(await readFile(join(root, "launch/cells/xarm7-lab.yaml"), "utf8"));
  const [commandPort, highRate, normal, rich, realTime] = await freePorts(5);
  cell.name = `ros_test_${process.pid}`;
  Object.assign(cell.robots.arm.xarm7, { commandPort, reportPorts: { highRate, normal, rich, realTime } });
  const path = join(folder, "cell.yaml");
  await writeFile(path, stringify(cell));
  return path;
}

describe.skipIf(!ready && !process.env.CI)("a simulated cell on ROS", () => {
  let folder: string;
  let up: ReturnType<typeof start>;

  beforeAll(async () => {
    process.env.ROS_DOMAIN_ID = String(20 + (process.pid % 80));
    folder = await mkdtemp(join(tmpdir(), "cerebellum-ros-"));
    up = start(launcher, ["up", await cellFile(folder), "--no-policy"]);
  });

  afterAll(async () => {
    up.child.kill("SIGINT");
    await up.finished;
    await rm(folder, { recursive: true, force: true });
  });

  it("passes every check of an independent client, and follows its trajectory", async () => {
    const peer = fileURLToPath(new URL("rosPeer.py", import.meta.url));
    const run = await start("python3", [peer, "--enable", "--wait", String(UP_S_MAX)]).finished;
    expect(run.output, `${run.errors}\n${up.text()}`).not.toBe("");
    const result = JSON.parse(run.output) as { failed: string[]; checks: Record<string, unknown> };
    console.log(JSON.stringify(result.checks, null, 1));
    expect(result.failed, up.text()).toEqual([]);
    expect(run.code).toBe(0);
  });
});
