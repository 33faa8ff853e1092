/**
 * The ROS adapters on real Fast DDS, with a Python client on the other side. The servo behind them is a stand-in
 * that reaches every target; images come from another process. Needs the environment of launch/setup/environment.sh.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nsToMs, sleepMs } from "../../core/clock.js";
import type { CerebellumError } from "../../core/errors.js";
import { XARM7_HOME_RAD } from "../../kinematics/xarm7.js";
import { systemClock as clock } from "../../launch/systemClock.js";
import { CameraConfig } from "../../runtime/policy/config.js";
import { armModel } from "../../runtime/ros/armModel.js";
import { subscribeCamera } from "../../runtime/ros/cameraSubscription.js";
import { type DaemonNode, startDaemonNode } from "../../runtime/ros/daemonNode.js";
import { startRobotNode } from "../../runtime/ros/robotNode.js";
import { type RosRuntime, startRos } from "../../runtime/ros/rosRuntime.js";
import { FakeServo } from "../../runtime/ros/testing.js";
import type { Supervisor } from "../../runtime/supervisor.js";

const hasRos = Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);

interface Finished {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Runs a Python script of this folder to its end. */
function python(script: string, args: readonly string[]): Promise<Finished> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn("python3", [path, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (chunk) => {
    output += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    errors += String(chunk);
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, output, errors })));
}

const cameraConfig = (topic: string) =>
  CameraConfig.parse({
    topic,
    mount: { robot: "arm", positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] },
  });

describe.skipIf(!hasRos && !process.env.CI)("ROS nodes on Fast DDS", () => {
  let ros: RosRuntime;
  let daemon: DaemonNode;
  const calls: string[] = [];
  const ended = new AbortController();
  const servo = new FakeServo(clock, XARM7_HOME_RAD);

  beforeAll(async () => {
    process.env.ROS_DOMAIN_ID = String(100 + (process.pid % 100));
    ros = await startRos();
    const answer = (call: string) => {
      calls.push(call);
      return Promise.resolve({ success: true, message: call });
    };
    const supervisor: Supervisor = {
      enable: () => answer("enable"),
      stop: (_category, reason) => answer(`stop: ${reason}`),
      reset: () => answer("reset"),
      teach: async () => ({ success: true, message: "" }),
      startPolicy: () => answer("startPolicy"),
      stopPolicy: () => answer("stopPolicy"),
      diagnostics: () => Promise.resolve([]),
    };
    daemon = startDaemonNode(ros, {
      clock,
      supervisor,
      cell: { name: "test", robots: { arm: { servo: { rateHz: 250, workspace: [0.1, 0.2] } } } },
      sources: () => arm.diagnostics(),
      onInactive: () => arm.trajectories.cancel(),
      onShutdown: () => {},
    });
    const arm = startRobotNode(daemon.node, {
      robot: "arm",
      client: servo,
      clock,
      model: armModel({ robotName: "arm", framePrefix: "", cameras: [] }, { gripper: true }),
      jointStateRateHz: 100,
      transformRateHz: 30,
      accepting: () => daemon.lifecycle() === "active",
      log: () => {},
    });
    const run = async () => {
      while (!ended.signal.aborted) {
        servo.tick();
        await sleepMs(clock, 4);
      }
    };
    void run();
  });

  afterAll(() => {
    ended.abort();
    daemon.close();
    ros.shutdown();
  });

  it("serves a Python client: topics, services, lifecycle, parameters and trajectories", async () => {
    const { code, output, errors } = await python("rosPeer.py", [
      "--camera-topic",
      "",
      "--stop-policy",
      "--enable",
    ]);
    expect(output, errors).not.toBe("");
    const result = JSON.parse(output) as { failed: string[]; checks: Record<string, { found: unknown }> };
    console.log(
      JSON.stringify({
        jointStates: result.checks["joint_states arrive"]?.found,
        jointCommand: result.checks["joint_command arrives"]?.found,
      }),
    );
    expect(result.failed, output).toEqual([]);
    expect(code).toBe(0);
    expect(calls).toEqual(expect.arrayContaining(["stopPolicy", "enable"]));
    expect(servo.commander).toBe("");
  });

  it("receives a camera's images from another process, all but a few", async () => {
    const agesMs: number[] = [];
    const troubles: CerebellumError[] = [];
    const camera = subscribeCamera(daemon.node, {
      name: "wrist",
      config: cameraConfig("/camera/wrist"),
      clock,
      ageMsMax: 150,
      onFrame: (image) => agesMs.push(nsToMs(clock.epochNs() - image.stampNs)),
      onTrouble: (trouble) => troubles.push(trouble),
    });
    const publisher = await python("rosImagePublisher.py", ["--seconds", "4"]);
    const { published } = JSON.parse(publisher.output) as { published: number };
    agesMs.sort((a, b) => a - b);
    const { counters } = camera.stream;
    const p = (share: number) => agesMs[Math.floor(share * agesMs.length)]?.toFixed(2);
    console.log(JSON.stringify({ published, ...counters, ageP50Ms: p(0.5), ageP99Ms: p(0.99) }));
    camera.close();
    expect(counters.receivedCount).toBeGreaterThan(0.9 * published);
    expect(counters).toMatchObject({ repeatedCount: 0, mismatchedCount: 0, corruptCount: 0 });
    expect(troubles.filter((trouble) => trouble.code !== "CAMERA_MISSING")).toEqual([]);
  });

  it("refuses images of another size and says what it found", async () => {
    const frames: unknown[] = [];
    const troubles: CerebellumError[] = [];
    const camera = subscribeCamera(daemon.node, {
      name: "wrist",
      config: cameraConfig("/camera/small"),
      clock,
      ageMsMax: 150,
      onFrame: (image) => frames.push(image),
      onTrouble: (trouble) => troubles.push(trouble),
    });
    await python("rosImagePublisher.py", ["--topic", "/camera/small", "--width", "320", "--seconds", "1"]);
    camera.close();
    expect(frames).toHaveLength(0);
    expect(troubles.find((trouble) => trouble.code === "CAMERA_MISMATCH")?.message).toMatch(/320x480/);
  });
});
