/**
 * A simulated cell as a user runs it, recorded through each door: command line, keys at a terminal, ROS services. What
 * is in the file is compared with what the daemon counted, and the file is judged by the checks of any episode.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EpisodeMessage, EpisodeReader } from "../../episodes/episodeReader.js";
import {
  POLICY_STEP_TOPIC,
  policyInputTopic,
  readPolicyStep,
  readServoTick,
  servoEventTopic,
  servoTickTopic,
} from "../../episodes/messages.js";
import { verifyEpisode } from "../../episodes/verify.js";
import type { RecorderStatus } from "../../runtime/recorder/host.js";
import { command, type Finished, ROOT, Running, writeCell } from "../support/cell.js";

const ready = Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);
const UP_S_MAX = 90;
const NOTE = "/test/note";
const IMAGES = "/camera/wrist/color/image_raw/compressed";

function python(script: string, args: readonly string[]): Promise<Finished> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn("python3", [path, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += String(chunk);
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, text })));
}

const sleepS = (seconds: number) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

async function read(folder: string) {
  const reader = await EpisodeReader.open(folder);
  const messages: EpisodeMessage[] = [];
  for await (const message of reader.messages()) messages.push(message);
  await reader.close();
  const of = (topic: string) => messages.filter((message) => message.topic === topic);
  return { reader, messages, of, start: reader.start, end: reader.end };
}

describe.skipIf(!ready && !process.env.CI)("recording a simulated cell", () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-record-"));
  const recordings = join(folder, "recordings");
  let cell: string;
  let up: Running;

  const record = (...args: string[]) => command("record", ...args, "--cell", cell);
  const episodesOf = (task: string) => readdirSync(join(recordings, task)).sort();
  const ask = async <T>(...args: string[]): Promise<T> => {
    const { code, text } = await command(...args, "--cell", cell, "--json", "-");
    expect(code, text).toBe(0);
    return JSON.parse(text.slice(text.indexOf("{"))) as T;
  };
  const status = () => ask<RecorderStatus>("record", "status");
  const missedTicks = async () => {
    const { servos } = await ask<{ servos: Record<string, { missed: Record<string, number> }> }>("status");
    return Object.values(servos.arm!.missed).reduce((sum, count) => sum + count, 0);
  };

  beforeAll(async () => {
    process.env.ROS_DOMAIN_ID = String(20 + (process.pid % 80));
    cell = await writeCell(folder, (draft) => {
      draft.recorder = {
        folder: recordings,
        diskFreeMiBMin: 100,
        topics: [{ topic: NOTE, type: "std_msgs/msg/String" }],
      };
      // A busy machine must not make every image too old for the policy.
      Object.assign(draft.policy!, { autostart: false, frameAgeMsMax: 2000 });
    });
    up = new Running(["up", cell]);
    await up.until(/is up; nothing is enabled/, UP_S_MAX);
    expect((await command("enable", "--cell", cell)).code).toBe(0);
  });

  afterAll(async () => {
    await up.interrupt();
    rmSync(folder, { recursive: true, force: true });
  });

  it("by the command line: every message that was counted is in the file, ticks without a hole", async () => {
    const missedBefore = await missedTicks();
    expect((await record("start", "--task", "by-hand", "--note", "first")).text).toContain(
      "recording by-hand/episode-000001",
    );
    await sleepS(3.2);
    const running = await status();
    expect(running).toMatchObject({ state: "recording", task: "by-hand", episode: "episode-000001" });
    expect(running.seconds).toBeGreaterThan(3);
    expect((await command("status", "--cell", cell)).text).toMatch(
      /recorder: recording by-hand\/episode-000001/,
    );
    const again = await record("start", "--task", "by-hand");
    expect([again.code, again.text]).toEqual([1, expect.stringMatching(/ALREADY_RUNNING.*record stop/)]);
    const stopped = await ask<RecorderStatus>("record", "stop", "--outcome", "success");
    const missed = (await missedTicks()) - missedBefore;
    const at = join(recordings, "by-hand/episode-000001");
    const { of, start, end, reader } = await read(at);
    expect(await verifyEpisode(at)).toMatchObject({ whole: true, troubles: [] });
    console.log(
      JSON.stringify({ seconds: stopped.seconds, bytes: stopped.bytes, topics: end.topics, missed }),
    );
    expect(end).toMatchObject({ endedBecause: "stopped", outcome: "success" });
    for (const [topic, counters] of Object.entries(end.topics)) {
      expect([topic, of(topic).length]).toEqual([topic, counters.written]);
      expect([topic, counters.received - counters.written]).toEqual([topic, 0]);
    }
    const ticks = of(servoTickTopic("arm")).map((message) => readServoTick(reader.decode(message)));
    const holes = ticks.slice(1).reduce((sum, { tick }, index) => sum + tick - ticks[index]!.tick - 1, 0);
    expect(end.topics[servoTickTopic("arm")]).toMatchObject({ lostBefore: 0 });
    expect(holes).toBeLessThanOrEqual(missed);
    expect(ticks.length).toBeGreaterThan(250 * 3);
    expect(ticks.every(({ sentRad }) => sentRad.length === 7)).toBe(true);
    for (const topic of [IMAGES, "/camera/wrist/color/camera_info", "/tf"])
      expect([topic, of(topic).length > 30]).toEqual([topic, true]);
    for (const topic of ["/arm/joint_states", "/arm/joint_command"])
      expect([topic, of(topic).length > 150]).toEqual([topic, true]);
    // Published once, long before: still part of every episode.
    expect(of("/arm/robot_description")).toHaveLength(1);
    expect(of("/tf_static").length).toBeGreaterThan(0);
    expect(start).toMatchObject({
      task: "by-hand",
      note: "first",
      robots: { arm: { model: expect.stringMatching(/xarm/i), rateHz: 250 } },
      cameras: { wrist: { imageTopic: IMAGES, storage: "jpeg", widthPx: 640 } },
      bundle: { name: expect.any(String), manifestSha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      software: { node: process.version, git: expect.any(String), rosDistro: process.env.ROS_DISTRO },
      cell: { name: expect.stringMatching(/^test_/) },
    });
  });

  it("with a policy: each step, and the images that it used without loss", async () => {
    await record("start", "--task", "rollout", "--kind", "rollout");
    expect((await command("policy", "start", "--cell", cell)).code).toBe(0);
    await expect
      .poll(async () => (await status()).topics[policyInputTopic("wrist")]?.written, {
        timeout: 90_000,
        interval: 500,
      })
      .toBeGreaterThan(5);
    await command("policy", "stop", "--cell", cell);
    await record("stop");
    const { of, reader, start, end } = await read(join(recordings, "rollout/episode-000001"));
    expect(start.kind).toBe("rollout");
    const steps = of(POLICY_STEP_TOPIC).map((message) => readPolicyStep(reader.decode(message)));
    const used = steps.filter(({ outputRad }) => outputRad.length > 0);
    expect(used.length).toBeGreaterThan(5);
    expect(end.topics[policyInputTopic("wrist")]).toMatchObject({ lostBefore: 0, droppedEncode: 0 });
    const kept = new Set(of(policyInputTopic("wrist")).map(({ publishNs }) => publishNs));
    expect(used.filter(({ imageStampNs }) => !kept.has(imageStampNs))).toEqual([]);
    const events = of(servoEventTopic("arm"));
    expect(events.length).toBeGreaterThan(0);
    const again = await command("episodes", "--recordings", recordings, "recompute", "rollout/1");
    expect([again.code, again.text]).toEqual([
      0,
      expect.stringMatching(new RegExp(`: ${used.length} of ${used.length} computed steps are identical`)),
    ]);
    expect(again.text).not.toMatch(/was not the same|skipped/);
  });

  it("by ROS services, with a topic of the peer's own; refusals say why and change nothing", async () => {
    const { text } = await python("recorderPeer.py", ["--task", "by-ros", "--topic", NOTE]);
    const { answers, statuses } = JSON.parse(text) as {
      answers: Record<string, { success: boolean; message: string; episode?: string }>;
      statuses: { state: string; episode: string; messages: number }[];
    };
    expect(Object.entries(answers).map(([name, { success }]) => [name, success])).toEqual([
      ["stopNothing", false],
      ["pathTrick", false],
      ["start", true],
      ["startAgain", false],
      ["oddOutcome", false],
      ["stop", true],
      ["label", true],
      ["startOther", true],
      ["discard", true],
    ]);
    expect(answers.pathTrick!.message).toMatch(/task must be.*found "\.\.\/\.\.\/outside"/);
    expect(answers.start!.episode).toBe("episode-000001");
    expect(statuses.map(({ state }) => state)).toEqual(expect.arrayContaining(["recording", "idle"]));
    expect(Math.max(...statuses.map(({ messages }) => messages))).toBeGreaterThan(100);
    expect(episodesOf("by-ros")).toEqual(["edits.jsonl", "episode-000001"]);
    expect(existsSync(join(folder, "outside"))).toBe(false);
    const { of, start, end, reader } = await read(join(recordings, "by-ros/episode-000001"));
    expect(start.note).toBe("by a peer");
    expect(end).toMatchObject({ outcome: "success", note: "went well" });
    expect(of(NOTE).map((message) => reader.decode(message).data)).toEqual(
      Array.from({ length: 20 }, (_, number) => `message ${number}`),
    );
    expect(readFileSync(join(recordings, "by-ros/edits.jsonl"), "utf8")).toMatch(/"failure"/);
  });

  it("by keys at a terminal; a terminal that closes finishes the episode", async () => {
    const run = async (...steps: string[]) => {
      const { text } = await python("terminal.py", [
        ...steps.flatMap((step) => ["--step", step]),
        "--",
        process.execPath,
        join(ROOT, "dist/launch/main.js"),
        "record",
        "by-keys",
        "--cell",
        cell,
      ]);
      return JSON.parse(text) as { shown: string; code: number | null };
    };
    const start = ["20/space starts:", "0.5: "];
    const { shown, code } = await run(
      ...start,
      "20/· [1-9]\\.\\d s:s",
      "20/success: ",
      "20/000002 · \\d:d",
      "20/is discarded:q",
    );
    expect(shown).toMatch(/● by-keys\/episode-000001 · \d+\.\d s · \d+\.\d MB/);
    expect(shown).toMatch(/by-keys\/episode-000001: .*success/);
    expect(shown).toMatch(/by-keys\/episode-000002 is discarded/);
    expect(code).toBe(0);
    await run(...start, "20/000002 · [1-9]:close");
    await expect.poll(async () => (await status()).state, { timeout: 20_000 }).toBe("idle");
    expect(episodesOf("by-keys")).toEqual(["episode-000001", "episode-000002"]);
    expect((await read(join(recordings, "by-keys/episode-000002"))).end.endedBecause).toBe("stopped");
  });

  it("ends a running episode in order when the daemon ends", async () => {
    await record("start", "--task", "at-the-end");
    await sleepS(1);
    await up.interrupt();
    const { end } = await read(join(recordings, "at-the-end/episode-000001"));
    expect(end).toMatchObject({ endedBecause: "daemonEnded", outcome: "unlabelled" });
  });
});
