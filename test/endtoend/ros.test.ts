/** The whole simulated cell, started as a user starts it, judged by a Python client over ROS. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Finished, Running, writeCell } from "../support/cell.js";

const ready = Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);
const UP_S_MAX = 90;

function runPeer(...args: string[]): Promise<Finished> {
  const child = spawn("python3", [fileURLToPath(new URL("rosPeer.py", import.meta.url)), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += String(chunk);
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, text })));
}

describe.skipIf(!ready && !process.env.CI)("a simulated cell on ROS", () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-ros-"));
  let up: Running;

  beforeAll(async () => {
    process.env.ROS_DOMAIN_ID = String(20 + (process.pid % 80));
    up = new Running(["up", await writeCell(folder), "--no-policy"]);
  });

  afterAll(async () => {
    await up.interrupt();
    rmSync(folder, { recursive: true, force: true });
  });

  it("passes every check of an independent client, and follows its trajectory", async () => {
    const { code, text } = await runPeer("--enable", "--wait", String(UP_S_MAX));
    expect(text, up.text).not.toBe("");
    const result = JSON.parse(text) as { failed: string[]; checks: Record<string, unknown> };
    console.log(JSON.stringify(result.checks, null, 1));
    expect(result.failed, up.text).toEqual([]);
    expect(code).toBe(0);
  });
});
