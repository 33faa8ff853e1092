/** The lab as a process: what it prints, what its control socket does, how it ends, and its camera over real ROS. */

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { entryUrl } from "../core/entry.js";
import { readImage } from "../core/rosWire.js";
import { startRos } from "../runtime/ros/rosRuntime.js";
import { LabClient } from "./control/client.js";
import { TEST_CAMERA } from "./world/testing.js";

const entry = fileURLToPath(entryUrl("../launch/processes/labMain.js", import.meta.url));
const hasRos = Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);
const DOMAIN = "83";

let folder: string;
let started: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lab-process-"));
  started = [];
});
afterEach(() => {
  for (const child of started) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

async function start(overrides: object = {}, name = "lab") {
  const controlSocket = join(folder, `${name}.sock`);
  const child = spawn(process.execPath, [entry], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...process.env, ROS_DOMAIN_ID: DOMAIN },
  });
  started.push(child);
  const config = {
    lab: {},
    arm: { ports: { command: 0, highRate: 0, normal: 0, rich: 0, realTime: 0 } },
    cameras: [TEST_CAMERA],
    controlSocket,
    ros: false,
    ...overrides,
  };
  child.stdin!.write(`${JSON.stringify(config)}\n`);
  const line = await new Promise<string>((resolve) =>
    createInterface({ input: child.stdout! }).once("line", resolve),
  );
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, ready: JSON.parse(line), controlSocket, exited };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("the lab process", () => {
  it("opens the controller's ports, tells the truth, arranges scenes and ends on SIGTERM", async () => {
    const { child, ready, controlSocket, exited } = await start();
    expect(Object.keys(ready.ports).sort()).toEqual(["command", "highRate", "normal", "realTime", "rich"]);
    const client = await LabClient.connect(controlSocket);
    const first = (await client.ask({ do: "truth" })).truth!;
    await sleep(300);
    const later = (await client.ask({ do: "truth" })).truth!;
    expect(later.simulatedS).toBeGreaterThan(first.simulatedS + 0.1);
    const { truth } = await client.ask({ do: "scene", seed: 7, blockM: [0.5, -0.1], light: "changed" });
    expect(truth!.blockM[0]).toBeCloseTo(0.5, 3);
    expect(truth!.blockM[1]).toBeCloseTo(-0.1, 3);
    const [dx, dy, dz] = truth!.blockM.map((value, axis) => value - truth!.toolM[axis]!);
    expect(truth!.distanceM).toBeCloseTo(Math.hypot(dx!, dy!, dz!), 9);
    await client.ask({ do: "pose", positionRad: [0.2, -0.2, 0, 1.5, 0, 1.7, 0] });
    await sleep(50);
    expect((await client.ask({ do: "truth" })).truth!.positionRad[3]).toBeCloseTo(1.5, 3);
    expect((await client.ask({ do: "ports" })).ports).toEqual(ready.ports);
    await expect(client.ask({ do: "step", ms: 4 })).rejects.toThrow(/keeps real time/);
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
    expect(existsSync(controlSocket)).toBe(false);
  });

  it("writes pictures and says when it cannot", async () => {
    const { controlSocket } = await start();
    const client = await LabClient.connect(controlSocket);
    for (const [camera, width, height] of [
      ["wrist", 640, 480],
      ["scene", 960, 720],
    ] as const) {
      const file = join(folder, `${camera}.png`);
      await client.ask({ do: "snapshot", camera, file });
      expect(await sharp(file).metadata()).toMatchObject({ width, height, format: "png" });
      const { channels } = await sharp(file).stats();
      expect(Math.max(...channels.map(({ stdev }) => stdev)), "something is to be seen").toBeGreaterThan(8);
    }
    const file = join(folder, "missing", "x.png");
    await expect(client.ask({ do: "snapshot", camera: "wrist", file })).rejects.toThrow(/Cannot write/);
    client.close();
  });

  it("ends when its parent is gone", async () => {
    const { child, exited } = await start();
    child.stdin!.end();
    expect(await exited).toBe(0);
  });

  it("prints why it cannot start", async () => {
    const { ready, exited } = await start({ cameras: [] });
    expect(ready.error.happened).toMatch(/cameras/);
    expect(await exited).toBe(1);
    const taken = await start();
    const ports = { ...taken.ready.ports };
    const second = await start({ arm: { ports } }, "second");
    expect(second.ready.error).toMatchObject({ code: "PORT_IN_USE" });
    expect(await second.exited).toBe(1);
  });

  it("in lock-step, stands still by itself and repeats itself exactly", async () => {
    const truths: string[] = [];
    for (const name of ["a", "b"]) {
      const { controlSocket, child, exited } = await start({ lab: { clock: "lockstep", seed: 5 } }, name);
      const client = await LabClient.connect(controlSocket);
      await client.ask({ do: "pose", positionRad: [0.1, -0.2, 0, 1.5, 0, 1.7, 0] });
      await client.ask({ do: "scene", seed: 9, light: "training" });
      await client.ask({ do: "step", ms: 400 });
      await sleep(50);
      const { truth } = await client.ask({ do: "truth" });
      expect(truth!.simulatedS).toBeCloseTo(0.4, 9);
      truths.push(JSON.stringify({ ...truth, atNs: "" }));
      await expect(client.ask({ do: "step", ms: 3 })).rejects.toThrow(/no multiple of 4 ms/);
      child.kill("SIGTERM");
      expect(await exited).toBe(0);
    }
    expect(truths[1]).toBe(truths[0]);
  });
});

describe.runIf(hasRos)("the camera over ROS", () => {
  it("sends fresh pictures at its rate, and freezes, drops and stops on request", async () => {
    process.env.ROS_DOMAIN_ID = DOMAIN;
    const ros = await startRos();
    const frames: { stampNs: bigint; hash: string }[] = [];
    ros
      .createNode("lab_test")
      .subscribeRaw("sensor_msgs/msg/Image", "/camera/wrist/color/image_raw", "sensor", (bytes) => {
        const image = readImage(bytes);
        if (!image.ok) throw new Error(image.reason);
        frames.push({
          stampNs: image.value.stampNs,
          hash: createHash("sha1").update(image.value.data).digest("hex"),
        });
      });
    const { controlSocket, child, exited } = await start({ ros: true });
    const client = await LabClient.connect(controlSocket);
    const collect = async (ms: number) => {
      await sleep(200);
      frames.length = 0;
      await sleep(ms);
      return [...frames];
    };
    for (let wait = 0; wait < 100 && frames.length < 5; wait++) await sleep(100);
    const running = await collect(1000);
    expect(running.length).toBeGreaterThan(10);
    expect(new Set(running.map(({ hash }) => hash)).size, "noise differs").toBe(running.length);
    expect(running.every(({ stampNs }, i) => i === 0 || stampNs > running[i - 1]!.stampNs)).toBe(true);
    const ageMs = (Date.now() * 1e6 - Number(running.at(-1)!.stampNs)) / 1e6;
    expect(ageMs).toBeLessThan(1500);
    await client.ask({ do: "camera", action: "freeze" });
    const frozen = await collect(600);
    expect(frozen.length).toBeGreaterThan(5);
    expect(new Set(frozen.map(({ hash }) => hash)).size).toBe(1);
    expect(new Set(frozen.map(({ stampNs }) => stampNs)).size).toBe(frozen.length);
    await client.ask({ do: "camera", action: "drop" });
    const dropped = await collect(1000);
    expect(dropped.length).toBeGreaterThan(1);
    expect(dropped.length).toBeLessThan(running.length / 2);
    await client.ask({ do: "camera", action: "stop" });
    expect(await collect(500)).toEqual([]);
    await client.ask({ do: "camera", action: "run" });
    expect((await collect(600)).length).toBeGreaterThan(5);
    client.close();
    ros.shutdown();
    // By force it would leave its shared memory behind.
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
  });
});
