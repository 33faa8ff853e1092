/** The recorder's host with its real thread, against a servo's real socket. Needs the build, and the ROS environment. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { entryUrl } from "../../core/entry.js";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import { POLICY_STEP_TOPIC, servoTickTopic } from "../../episodes/messages.js";
import { systemClock as clock } from "../../launch/systemClock.js";
import { SocketFakeServo } from "../../test/support/policy/socketFakeServo.js";
import { INPUTS, JOINTS, NOTE } from "../../test/support/recorder/rig.js";
import { RecorderHost, type RecorderHostOptions } from "./host.js";
import type { LifeState } from "./life.js";

let folder: string;
let servo: SocketFakeServo;
let host: RecorderHost;
let restartsLeft: number;
let logged: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "recorder-"));
  servo = new SocketFakeServo(clock);
  await servo.listen(join(folder, "arm.sock"));
  restartsLeft = 1;
  logged = [];
});
afterEach(async () => {
  await host.close();
  await servo.close();
  rmSync(folder, { recursive: true, force: true });
});

function launch(over: Partial<RecorderHostOptions> = {}): void {
  host = new RecorderHost({
    entry: entryUrl("../../launch/processes/recorderWorker.js", import.meta.url),
    clock,
    ringBytes: 1e6,
    strict: false,
    restart: { delayMs: 20, take: () => restartsLeft-- > 0 },
    bundle: () => ({ name: "test", task: "test", manifestSha256: "00" }),
    engine: () => ({}),
    calibration: () => ({ tracker: { sha256: "ab" } }),
    log: (_level, event, text) => logged.push(`${event}: ${text}`),
    setup: {
      inputs: [...INPUTS],
      folder: join(folder, "recordings"),
      images: "jpeg",
      jpegQuality: 92,
      diskFreeBytesMin: 1,
      episodeMsMax: 60_000,
      sockets: { arm: join(folder, "arm.sock") },
      cameras: {},
      imageTopics: {},
      policyCameras: ["wrist"],
      prefixes: (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== ""),
      cell: {},
      software: {},
    },
    ...over,
  });
  host.launch();
}

const until = (state: LifeState) =>
  expect.poll(() => host.status().state, { timeout: 15_000, interval: 10 }).toBe(state);
const request = { task: "test", kind: "other", note: "", context: {} } as const;
const end = { outcome: "success", note: "" } as const;
const text = (size: number) => Buffer.alloc(size, 1);

it("records through the real thread: ring, servo socket, file", async () => {
  launch();
  await until("idle");
  // A latched message from before the episode belongs to each one.
  host.write(NOTE, clock.nowNs(), text(20));
  host.write(JOINTS, clock.nowNs(), text(20));
  const { folder: at } = await host.start(request);
  expect(host.mapping).toBeDefined();
  for (let index = 0; index < 50; index++) host.write(JOINTS, clock.nowNs(), text(100));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const ended = await host.stop(end);
  expect(host.mapping).toBeUndefined();
  expect(ended).toMatchObject({ outcome: "success", dropped: 0, lostBefore: 0 });
  const reader = await EpisodeReader.open(at);
  await reader.close();
  expect(reader.start.calibration).toEqual({ tracker: { sha256: "ab" } });
  const counts = Object.fromEntries(reader.topics.map(({ topic, count }) => [topic, count]));
  expect(counts).toMatchObject({ [NOTE]: 1, [JOINTS]: 50 });
  expect(counts[servoTickTopic("arm")]).toBeGreaterThan(15);
});

it("refuses what cannot be meant, with what was found", async () => {
  launch();
  await until("idle");
  for (const task of ["../up", "a/b", "", ".", "..", "A", "x".repeat(65), "a b", "a\0b", "-a"])
    await expect(host.start({ ...request, task })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      happened: expect.stringMatching(/^task must be/),
    });
  await expect(host.start({ ...request, name: "../../etc" })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
  });
  await expect(
    host.label({ ...end, task: "../up", episode: "episode-000001" }, "test"),
  ).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  await expect(host.stop(end)).rejects.toMatchObject({ code: "NOT_RUNNING" });
  await expect(host.label(end, "test")).rejects.toMatchObject({ code: "NOT_RUNNING" });
  expect(host.status().state).toBe("idle");
  expect(readdirSync(folder)).toEqual(["arm.sock"]);
});

it("labels the running episode, the newest that ended, and a named one; a discarded one never", async () => {
  launch();
  await until("idle");
  await host.start(request);
  expect(await host.label({ outcome: "failure", note: "slipped" }, "test")).toBe("episode-000001");
  expect((await host.stop({ outcome: "unlabelled", note: "" })).outcome).toBe("failure");
  expect(await host.label(end, "test")).toBe("episode-000001");
  expect(await host.label({ ...end, task: "test", episode: "episode-000001" }, "test")).toBe(
    "episode-000001",
  );
  await expect(host.label({ ...end, episode: "episode-000009" }, "test")).rejects.toMatchObject({
    code: "EPISODE_INVALID",
  });
  await host.start(request);
  await host.discard();
  await expect(host.label(end, "test")).rejects.toMatchObject({ code: "NOT_RUNNING" });
});

it("a thread that dies costs the episode's end: it is started again, repairs it, and says so", async () => {
  const failures: string[] = [];
  launch({ onFailed: (what) => failures.push(what) });
  await until("idle");
  await host.start(request);
  for (let index = 0; index < 20; index++) host.write(JOINTS, clock.nowNs(), text(100));
  await new Promise((resolve) => setTimeout(resolve, 600));
  // No such step exists: only a defect of our own could write it, and the thread ends on it.
  host.write(POLICY_STEP_TOPIC, clock.nowNs(), text(8));
  await expect.poll(() => failures.length, { timeout: 10_000 }).toBe(1);
  await until("idle");
  expect(failures[0]).toMatch(/thread failed.*test\/episode-000001 ends where it was/);
  const { repairs, restarts, message } = host.status();
  expect(restarts).toBe(1);
  expect(message).toMatch(/thread failed/);
  expect(repairs).toMatchObject([{ ok: true, text: expect.stringMatching(/episode-000001: repaired/) }]);
  const reader = await EpisodeReader.open(join(folder, "recordings/test/episode-000001"));
  await reader.close();
  expect(reader.end.endedBecause).toBe("crashed");
  expect(reader.topics.find(({ topic }) => topic === JOINTS)?.count).toBe(20);
  expect((await host.start(request)).episode).toBe("episode-000002");
  await host.stop(end);
});

it("a thread that dies too often stays down, and who waits hears it", async () => {
  restartsLeft = 0;
  launch();
  await until("idle");
  await host.start(request);
  host.write(POLICY_STEP_TOPIC, clock.nowNs(), text(8));
  await expect(host.stop(end)).rejects.toMatchObject({ code: "NOT_RUNNING" });
  expect(host.status().state).toBe("down");
  await expect(host.start(request)).rejects.toMatchObject({
    code: "NOT_RUNNING",
    happened: "The recorder has failed and stays down",
  });
  // What still comes harms nothing.
  host.write(JOINTS, clock.nowNs(), text(10));
  expect(logged.some((line) => line.startsWith("recorderDown"))).toBe(true);
});

it("finishes the episode when the daemon ends, and again ends at once", async () => {
  launch();
  await until("idle");
  const { folder: at } = await host.start(request);
  await host.finishForEnd();
  expect(host.status()).toMatchObject({ state: "idle", lastEnded: { because: "daemonEnded" } });
  await host.finishForEnd();
  const reader = await EpisodeReader.open(at);
  await reader.close();
});

it("a start waits for a thread that is not ready yet", async () => {
  launch();
  expect(host.status().state).toBe("preparing");
  await expect(host.stop(end)).rejects.toMatchObject({ code: "NOT_RUNNING" });
  expect((await host.start(request)).episode).toBe("episode-000001");
  await host.stop(end);
});

it("two starts at once: one records, the other is told", async () => {
  launch();
  await until("idle");
  const [first, second] = await Promise.allSettled([host.start(request), host.start(request)]);
  expect([first.status, second.status]).toEqual(["fulfilled", "rejected"]);
  await host.stop(end);
});
