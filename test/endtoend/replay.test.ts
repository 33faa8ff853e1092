/**
 * A simulated cell as a user runs it: a motion is recorded as an episode, and `episodes replay` sends it again. The
 * emulated controller's own log says what came over its wire both times.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addNs, msToNs } from "../../core/clock.js";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import { EpisodeSet } from "../../episodes/episodeSet.js";
import { LabClient } from "../../lab/control/client.js";
import { makeThisThreadEager } from "../../launch/realtime.js";
import { runFolder } from "../../launch/runFolder.js";
import { systemClock } from "../../launch/systemClock.js";
import { recordedMotion } from "../../runtime/replay/recordedMotion.js";
import { type Lease, REASON_BITS } from "../../runtime/servo/api.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { command, ROOT, Running, writeCell } from "../support/cell.js";
import { angleBytes, largestStepRad, sameStretch } from "../support/replay/wireRows.js";
import { HOME_RAD } from "../support/servoRig.js";

const ready = Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);
const UP_S_MAX = 90;
/** A machine that is too busy tears a motion or a replay apart: five ticks in a row without a setpoint. Then once more. */
const ATTEMPTS = 5;
const STILL_FRAMES = 10;
const TASK = "wave";

describe.skipIf(!ready && !process.env.CI)("an episode of a simulated cell", () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-replay-"));
  const recordings = join(folder, "recordings");
  let cell: string;
  let name: string;
  let up: Running;
  let lab: LabClient;

  const run = async (...args: string[]) => {
    const { code, text } = await command(...args);
    expect(code, text).toBe(0);
    return text;
  };
  const wire = async (clear = true) => {
    const { wire } = await lab.ask({ do: "wire", since: 0, form: "records", clear });
    expect(wire!.dropped).toBe(0);
    return angleBytes(wire!.records as Parameters<typeof angleBytes>[0]);
  };
  /** A fresh log whose first frames show the arm at rest: a motion's beginning is found by what stands before it. */
  const wireAtRest = async () => {
    await wire();
    while ((await wire(false)).length < STILL_FRAMES) await sleep(20);
  };

  beforeAll(async () => {
    process.env.ROS_DOMAIN_ID = String(20 + (process.pid % 80));
    makeThisThreadEager();
    cell = await writeCell(folder, (draft) => {
      name = draft.name;
      draft.recorder = { folder: recordings, diskFreeMiBMin: 100 };
      // Wide where a loaded machine must not decide whether a test passes.
      Object.assign(draft.robots.arm!.servo, {
        lateTicksMax: 100,
        stateAgeMsMax: 1000,
        leaseSilenceMsMax: 5000,
        supervisorSilenceMsMax: 5000,
        commandExpiryMsMax: 2000,
      });
    });
    up = new Running(["up", cell, "--no-policy"]);
    await up.until(/is up; nothing is enabled/, UP_S_MAX);
    lab = await LabClient.connect(runFolder(name).labSocket);
  });
  afterAll(async () => {
    lab?.close();
    await up?.interrupt();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Enabled, also where the machine was so busy that the servo stopped. */
  async function enabled() {
    await command("reset", "--cell", cell);
    await run("enable", "--cell", cell);
  }

  /** Targets of a commander that the limits bend, with a gripper, at a rhythm and beyond it. */
  async function wave(lease: Lease) {
    const to = (positionRad: readonly number[], validMs = 900) =>
      lease.command({ positionRad, expiresNs: addNs(systemClock.nowNs(), msToNs(validMs)) });
    to(HOME_RAD);
    await sleep(400);
    lease.gripper(0.03);
    for (let step = 1; step <= 4; step++) {
      to(HOME_RAD.map((value, joint) => value + 0.07 * step * (joint % 2 ? 1 : -1)));
      await sleep(200);
    }
    to([0.2, 0.9, 0, 0.9, 0, 1.2, 0]);
    await sleep(400);
    lease.gripper(0.06);
    to([...HOME_RAD], 300);
    await sleep(900);
  }

  /** @returns the frames of the motion as they came over the wire */
  async function record(): Promise<string[]> {
    const servo = await connectServo(runFolder(name).servoSocket("arm"), {
      role: "commander",
      name: "waver",
      clock: systemClock,
    });
    const lease = await servo.acquireLease("waver");
    await run("record", "start", "--task", TASK, "--cell", cell);
    try {
      await wireAtRest();
      await wave(lease);
      lease.release();
      await sleep(400);
    } finally {
      await run("record", "stop", "--cell", cell, "--outcome", "success");
      await servo.close();
    }
    return wire();
  }

  /** Replays the newest episode before a person who has it dropped. */
  async function prune(...more: string[]): Promise<string> {
    const main = join(ROOT, "dist/launch/main.js");
    const args = ["episodes", "--recordings", recordings, "replay", `${TASK}/last`, "--cell", cell];
    const child = spawn(process.execPath, [main, ...args, "--prune", ...more], {
      cwd: ROOT,
      stdio: ["pipe", "pipe", "inherit"],
    });
    let text = "";
    child.stdin.on("error", () => {});
    child.stdout.on("data", (chunk) => {
      text += String(chunk);
      if (/\[q\]uit\?\n$/.test(text)) child.stdin.write("d\n");
    });
    await new Promise((resolve) => child.once("close", resolve));
    return text;
  }

  it("is sent again byte for byte, from its file alone", async () => {
    const troubles: string[] = [];
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await enabled();
      const made = await record();
      const { code, text } = await command(
        ...["episodes", "--recordings", recordings, "replay", `${TASK}/last`, "--cell", cell],
      );
      const again = await wire();
      if (code !== 0 || !text.includes("byte for byte")) {
        troubles.push(text);
        continue;
      }
      expect(text).toMatch(/runs already: its robots are used as they stand/);
      const [, passed, ticks] = /(\d+) of (\d+) setpoints passed unchanged/.exec(text)!;
      expect(passed).toBe(ticks);
      expect(text).toMatch(/all with every bit as planned/);
      const place = sameStretch(made, again, Number(ticks));
      expect(place, "the recorded angle bytes, in order").toBeDefined();
      expect(largestStepRad(made.slice(place!.inWanted + Number(ticks) - 1))).toBeLessThan(1e-9);
      expect(largestStepRad(again.slice(place!.inFrames + Number(ticks) - 1))).toBeLessThan(1e-9);
      expect(new Set(made).size).toBeGreaterThan(200);

      const { folder: found } = await (await EpisodeSet.open(join(recordings, TASK))).episode("last");
      const reader = await EpisodeReader.open(found);
      const { ticks: recorded } = await recordedMotion(reader, "arm", undefined, []);
      await reader.close();
      const reasons = recorded.reduce((all, tick) => all | tick.reasons, 0);
      expect(reasons & REASON_BITS.tablePlane, "the table bent it").toBeGreaterThan(0);
      expect(new Set(recorded.map(({ gripperCommandM }) => gripperCommandM))).toEqual(
        new Set([recorded[0]!.gripperCommandM, 0.03, 0.06]),
      );
      return;
    }
    throw new Error(`not once whole in ${ATTEMPTS} attempts:\n${troubles.join("\n")}`);
  }, 300_000);

  it("is dropped by a person who has watched it, slower, and recorded as another one", async () => {
    let text = "";
    for (let attempt = 0; attempt < ATTEMPTS && !/setpoints passed unchanged/.test(text); attempt++) {
      await enabled();
      text = await prune("--speed", "0.5", "--record");
    }
    expect(text).toMatch(/played at 0.5 of its speed, so it is not byte-identical/);
    expect(text).toMatch(/setpoints passed unchanged/);
    expect(text).toMatch(/is dropped: left out of exports and training/);
    expect((await (await EpisodeSet.open(join(recordings, TASK))).episode("last")).dropped).toBe(true);
    const replay = await (await EpisodeSet.open(join(recordings, `${TASK}-replay`))).episode("last");
    expect(replay.start.kind).toBe("replay");
    expect(replay.start.context).toMatchObject({ speed: 0.5, replayOf: expect.any(String) });
  }, 120_000);

  it("is refused before anything moves where it cannot be replayed", async () => {
    await wire();
    const replay = (...args: string[]) =>
      command("episodes", "--recordings", recordings, "replay", ...args, "--cell", cell);
    for (const [args, reason] of [
      [[`${TASK}/last`, "--speed", "2"], /CONFIG_INVALID.*0.02 to 1/],
      [[`${TASK}/last`, "--robot", "leg"], /DEVICE_MISMATCH.*no robot leg/],
      [[`${TASK}/99`], /EPISODE_INVALID/],
    ] as const) {
      const { code, text } = await replay(...args);
      expect(code).not.toBe(0);
      expect(text).toMatch(reason);
    }
    const frames = await wire();
    expect(largestStepRad(frames)).toBeLessThan(1e-9);
  }, 60_000);
});
