/**
 * Teleoperation of a simulated cell as a user runs it: an emulated headset takes the robot from the demonstration of `up`,
 * moves it, loses it in the ways that a person meets, and gives it back; the episode keeps what the hand did.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TeleopStatus } from "../../core/gateway/server.js";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import {
  readServoTick,
  readTeleopInput,
  servoTickTopic,
  TELEOP_INPUT_TOPIC,
} from "../../episodes/messages.js";
import { EmulatedHeadset } from "../../launch/headset/emulatedHeadset.js";
import { systemClock } from "../../launch/systemClock.js";
import type { RecorderStatus } from "../../runtime/recorder/host.js";
import { command, freePorts, Running, writeCell } from "../support/cell.js";
import { until } from "../support/servoRig.js";

const ready = Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);
const HAND = "right";
const ATTEMPTS_MAX = 12;

describe.skipIf(!ready && !process.env.CI)("teleoperation of a simulated cell", () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-teleop-"));
  let cell: string;
  let up: Running;
  let origin: string;
  let token: string;
  let headset: EmulatedHeadset;
  /** Each has names of its own for its sessions, as pages have. */
  let worns = 0;

  const ask = async <T>(...args: string[]): Promise<T> => {
    const { code, text } = await command(...args, "--cell", cell, "--json", "-");
    expect(code, text).toBe(0);
    return JSON.parse(text.slice(text.indexOf("{"))) as T;
  };
  const shown = async () => (await ask<{ teleop: TeleopStatus | null }>("teleop")).teleop;
  const servoState = async () => {
    const { items } = await ask<{ items: { name: string; values: Record<string, unknown> }[] }>("status");
    return items.find(({ name }) => name === "servo: arm")!.values;
  };

  async function wear(): Promise<EmulatedHeadset> {
    const worn = new EmulatedHeadset({ clock: systemClock, device: "test-headset", seed: ++worns });
    worn.setHead({ positionM: [0, 1.6, 0], quatXyzw: [0, 0, 0, 1] });
    hold(worn, 0);
    await worn.connect(origin, token, { robot: "arm" });
    // Its open clutch has been seen.
    await worn.untilStatus(({ state, poseAgeMs }) => state === "ready" && poseAgeMs !== null);
    return worn;
  }
  const hold = (worn: EmulatedHeadset, x: number) =>
    worn.setController(HAND, { positionM: [0.2, 1.1, -0.4 - x], quatXyzw: [0, 0, 0, 1] });

  /** Whatever a busy machine does to a press, press again. */
  async function engage(): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      headset.setButtons(HAND, { squeeze: 0 });
      await headset.untilStatus(({ state }) => state === "ready");
      headset.setButtons(HAND, { squeeze: 1 });
      const { state } = await headset.untilStatus(
        (one) => one.state === "engaged" || one.state === "latched",
      );
      if (state === "engaged") return;
    }
    throw new Error(`never engaged: ${JSON.stringify(headset.status)}`);
  }

  beforeAll(async () => {
    process.env.ROS_DOMAIN_ID = String(20 + (process.pid % 80));
    const [port] = await freePorts(1);
    cell = await writeCell(folder, (draft) => {
      draft.gateway = { port };
      draft.recorder = { folder: join(folder, "recordings"), diskFreeMiBMin: 100 };
      draft.policy!.frameAgeMsMax = 2000;
      // The widest that the cell file allows: this machine may be busy.
      draft.teleop = {
        deadman: { poseAgeMsMax: 250 },
        rosSources: [{ device: "wand", poseTopic: "/wand/pose", joyTopic: "/wand/joy" }],
      };
    });
    up = new Running(["up", cell]);
    await up.until(/console: \S+#pair=\S+/, 90);
    await up.until(/goes to one red block/, 90);
    origin = `http://127.0.0.1:${port}`;
    const [, code] = /#pair=(\S+)/.exec(up.text)!;
    const paired = await fetch(`${origin}/api/pair`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code, name: "test-headset" }),
    });
    ({ token } = (await paired.json()) as { token: string });
  });
  afterAll(async () => {
    headset?.close();
    await up?.interrupt();
    rmSync(folder, { recursive: true, force: true });
  });

  it("takes the robot from what the daemon does by itself, which waits", async () => {
    expect(await shown()).toBeNull();
    headset = await wear();
    expect(headset.isMine).toBe(true);
    await up.until(/has taken teleoperation; the demonstration goes on 10 s after it is given back/, 30);
    await until("nobody commands the arm", async () => (await servoState()).state === "holding", 20_000);
    expect(await shown()).toMatchObject({ state: "ready", robot: "arm", operator: headset.status!.operator });
    const started = await command("policy", "start", "--cell", cell);
    expect(started.code).not.toBe(0);
    expect(started.text).toContain("has taken teleoperation");
  });

  it("refuses a press before anybody knows which way the operator faces", async () => {
    headset.setButtons(HAND, { squeeze: 1 });
    const { why } = await headset.untilStatus(
      ({ state, why: reason }) => state === "latched" && reason?.code === "NOT_ALIGNED",
    );
    expect(why!.remedy).toContain("recentre");
    headset.setButtons(HAND, { squeeze: 0 });
    await headset.untilStatus(({ state }) => state === "ready");
    expect(await headset.recenter()).toBe(true);
  });

  it("moves the arm with the hand, and an episode keeps the hand beside the ticks", async () => {
    await headset.request({ do: "startRecording", task: "by-hand", note: "" });
    // Steps of 10 ms while it is engaged; whatever a busy machine does to it, press again.
    for (let step = 0; step < 250; step++) {
      if (headset.status?.state !== "engaged") await engage();
      hold(headset, 0.04 * Math.sin(step / 50));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    headset.setButtons(HAND, { squeeze: 0 });
    await headset.untilStatus(({ state }) => state === "ready");
    await headset.request({ do: "stopRecording", outcome: "success", note: "" });
    const { folder: episode } = await ask<RecorderStatus>("record", "status");
    const reader = await EpisodeReader.open(episode);
    const inputs = [];
    const commanders = new Set<string>();
    const commanded = new Set<number>();
    for await (const message of reader.messages({ topics: [TELEOP_INPUT_TOPIC, servoTickTopic("arm")] })) {
      if (message.topic === TELEOP_INPUT_TOPIC) inputs.push(readTeleopInput(reader.decode(message)));
      else {
        const { commander, commandSeq } = readServoTick(reader.decode(message));
        commanders.add(commander);
        commanded.add(commandSeq);
      }
    }
    await reader.close();
    expect(reader.start.kind).toBe("demonstration");
    const engaged = inputs.filter(({ state, commandSeq }) => state === "engaged" && commandSeq > 0);
    expect(engaged.length).toBeGreaterThan(20);
    expect(engaged[0]!.targetRad).toHaveLength(7);
    expect(commanders.has(`teleop ${headset.status!.operator}`)).toBe(true);
    expect(engaged.filter(({ commandSeq }) => commanded.has(commandSeq)).length).toBeGreaterThan(10);
    expect(reader.end.flags.filter(({ topic }) => topic === TELEOP_INPUT_TOPIC)).toEqual([]);
  });

  it("holds when frames end without a word, and says so", async () => {
    await engage();
    headset.setAsleep(true);
    await headset.untilStatus(({ state, why }) => state === "latched" && why?.code === "POSE_OLD");
    headset.setAsleep(false);
    await until("it holds", async () => (await servoState()).commander === "", 10_000);
  });

  it("holds when the page is reloaded in mid-motion; the next one takes and presses again", async () => {
    await engage();
    headset.close();
    await until("nobody has it", async () => (await shown())?.state === "off", 10_000);
    expect(await servoState()).toMatchObject({ state: "holding", commander: "" });
    headset = await wear();
    headset.setButtons(HAND, { squeeze: 1 });
    await headset.untilStatus(({ why }) => why?.code === "NOT_ALIGNED");
    headset.setButtons(HAND, { squeeze: 0 });
    await headset.untilStatus(({ state }) => state === "ready");
    expect(await headset.recenter()).toBe(true);
    await engage();
  });

  it("holds after a stop, and moves again only once the robot was reset and enabled and the clutch pressed", async () => {
    expect((await command("stop", "--cell", cell)).code).toBe(0);
    await headset.untilStatus(({ why }) => why?.code === "LEASE_LOST");
    headset.setButtons(HAND, { squeeze: 0 });
    await headset.untilStatus(({ state }) => state === "ready");
    headset.setButtons(HAND, { squeeze: 1 });
    await headset.untilStatus(({ why }) => why?.code === "ROBOT_NOT_READY");
    await headset.request({ do: "reset" });
    await headset.request({ do: "enable" });
    await engage();
  });

  it("hears a tracker over ROS, which takes the robot by its clutch and moves nothing before it is aligned", async () => {
    headset.close();
    await until("nobody has it", async () => (await shown())?.state === "off", 10_000);
    const script = fileURLToPath(new URL("rosTracker.py", import.meta.url));
    const tracker = spawn("python3", [script], { stdio: ["ignore", "ignore", "inherit"] });
    try {
      await until("it has it", async () => (await shown())?.operator === "ros wand", 60_000);
      await until("it asks for its frame", async () => (await shown())?.why?.code === "NOT_ALIGNED", 20_000);
      expect(await shown()).toMatchObject({ source: "ros", device: "wand", state: "latched" });
    } finally {
      tracker.kill("SIGKILL");
    }
    await until("its silence has given it back", async () => (await shown())?.state === "off", 20_000);
  });

  it("the demonstration goes on ten seconds after the robot was given back", async () => {
    const since = up.text.length;
    await until("the policy runs", () => /"phase":"running"/.test(up.text.slice(since)), 90_000);
  });
});
