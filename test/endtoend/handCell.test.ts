/**
 * A cell with an Allegro Hand as a user runs it, judged by the emulated hand's own log: topics, an episode and its
 * replay, and where each kind of death leaves the hand. One daemon serves many cases, which build on each other.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addNs, msToNs } from "../../core/clock.js";
import { askDaemon } from "../../launch/control/client.js";
import { runFolder } from "../../launch/runFolder.js";
import { systemClock } from "../../launch/systemClock.js";
import type { ServoClient } from "../../runtime/servo/api.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { command, type Finished, Running } from "../support/cell.js";
import { EmulatedHand, writeHandCell } from "../support/handCell.js";
import { until } from "../support/servoRig.js";

const ready = Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);
const UP_S_MAX = 90;
const TASK = "flex";

function runPeer(...args: string[]): Promise<Finished> {
  const peer = fileURLToPath(new URL("rosPeer.py", import.meta.url));
  const child = spawn("python3", [peer, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += String(chunk);
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, text })));
}

describe.skipIf(!ready && !process.env.CI)("a cell with a hand", () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-hand-"));
  const adapter = join(folder, "adapter");
  const recordings = join(folder, "recordings");
  let hand: EmulatedHand;
  let file: string;
  let name: string;
  let up: Running;

  const run = async (...args: string[]) => {
    const { code, text } = await command(...args);
    expect(code, text).toBe(0);
    return text;
  };
  const ask = (verb: "reset" | "enable") =>
    askDaemon(runFolder(name).controlSocket, { do: verb }, systemClock, 30_000);
  const stateOf = async (robot: string): Promise<unknown> => {
    const { status } = await askDaemon(runFolder(name).controlSocket, { do: "status" }, systemClock);
    const { items } = status as unknown as { items: { name: string; values: Record<string, unknown> }[] };
    return items.find((item) => item.name === `servo: ${robot}`)?.values.state;
  };
  const servoPid = (): number | undefined => {
    const pidFile = join(runFolder(name).folder, "servo-hand.pid");
    return existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8")) : undefined;
  };
  const start = async () => {
    up = new Running(["up", file, "--no-policy"]);
    await up.until(/is up; nothing is enabled/, UP_S_MAX);
  };
  const commander = async (): Promise<ServoClient> => {
    const socket = runFolder(name).servoSocket("hand");
    const client = await connectServo(socket, { role: "commander", name: "test", clock: systemClock });
    await until("a snapshot", () => client.latest() !== undefined);
    return client;
  };

  beforeAll(async () => {
    process.env.ROS_DOMAIN_ID = String(20 + (process.pid % 80));
    hand = await EmulatedHand.start(adapter);
    ({ file, name } = writeHandCell(folder, adapter));
    await start();
    await ask("enable");
  });

  afterAll(async () => {
    await up?.interrupt();
    await hand?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("passes every check of an independent client on ROS, and follows its trajectory", async () => {
    const device = ["--robot", "hand", "--device", "allegro", "--joint", "joint1", "--camera-topic", ""];
    const { code, text } = await runPeer(...device, "--enable", "--seconds", "2", "--refusals", "2");
    expect(text, up.text).not.toBe("");
    const result = JSON.parse(text) as { failed: string[] };
    expect(result.failed, text).toEqual([]);
    expect(code).toBe(0);
  });

  it("its motion is recorded with sixteen joints, shown, exported and sent again", async () => {
    const servo = await commander();
    const lease = await servo.acquireLease("flexing");
    const from = [...servo.latest()!.sentRad];
    await run("record", "start", "--task", TASK, "--cell", file);
    for (let step = 1; step <= 8; step++) {
      const positionRad = from.map((rad, joint) => rad + (joint % 4 === 1 ? 0.03 * step : 0));
      lease.command({ positionRad, expiresNs: addNs(systemClock.nowNs(), msToNs(900)) });
      await sleep(150);
    }
    lease.release();
    await sleep(300);
    await run("record", "stop", "--cell", file, "--outcome", "success");
    await servo.close();
    const episodes = ["episodes", "--recordings", recordings];
    const json = join(folder, "shown.json");
    await run(...episodes, "show", `${TASK}/last`, "--json", json);
    const shown = JSON.parse(readFileSync(json, "utf8")) as {
      robots: Record<string, { jointNames: string[]; model: string }>;
      limiterTicks: Record<string, { ticks: number }>;
    };
    expect(shown.robots.hand!.jointNames).toHaveLength(16);
    expect(shown.robots.hand!.model).toMatch(/Allegro Hand V4 right/);
    expect(shown.limiterTicks.hand!.ticks).toBeGreaterThan(80);
    const table = join(folder, "table");
    await run(...episodes, "export", "flat", TASK, "--out", table, "--rate", "10", "--include-flagged");
    const written = readFileSync(join(table, "README.json"), "utf8");
    expect(written).toContain("joint15");
    const replayed = await run(...episodes, "replay", `${TASK}/last`, "--cell", file);
    expect(replayed).toMatch(/setpoints passed unchanged/);
    const moved = (await hand.status()).positionRad;
    expect(Math.abs(moved[1]! - (from[1]! + 0.24))).toBeLessThan(0.05);
  });

  it("holds what it holds when its commander dies: no stop, and no power lost", async () => {
    const servo = await commander();
    const lease = await servo.acquireLease("dies");
    lease.command({
      positionRad: [...servo.latest()!.sentRad],
      expiresNs: addNs(systemClock.nowNs(), msToNs(900)),
    });
    await servo.close();
    await until("held", async () => (await stateOf("hand")) === "holding");
    expect((await hand.status()).isOn).toBe(true);
  });

  it("goes limp on a stop, and is led back by a person only", async () => {
    await run("stop", "--cell", file);
    await hand.isLimp();
    await until("stopped", async () => (await stateOf("hand")) === "stopped");
    const refused = await command("enable", "--cell", file);
    expect(refused.code).toBe(1);
    expect(await run("why", "--cell", file)).toMatch(/hand was stopped.*Somebody asked for a stop/s);
    await ask("reset");
    await ask("enable");
    expect((await hand.status()).isOn).toBe(true);
  });

  it("goes limp by its guardian when its servo process is killed, and comes back stopped", async () => {
    const former = servoPid()!;
    process.kill(former, "SIGKILL");
    await hand.isLimp();
    await until("a new servo process", () => ![undefined, former].includes(servoPid()));
    await until("stopped", async () => (await stateOf("hand")) === "stopped", 20_000);
    expect((await hand.status()).isOn).toBe(false);
    await ask("reset");
    await ask("enable");
    await until("holding", async () => (await stateOf("hand")) === "holding");
  });

  it("goes limp when its adapter comes back from being unplugged, and waits for a reset", async () => {
    await hand.ask({ do: "fault", fault: { isUnplugged: {} } });
    await until("disconnected", async () => (await stateOf("hand")) === "disconnected");
    await hand.ask({ do: "fault", fault: { ends: { what: ["isUnplugged"] } } });
    await hand.isLimp();
    await until("a reset that is taken", () =>
      ask("reset").then(
        () => true,
        () => false,
      ),
    );
    await until("an enabled hand", () =>
      ask("enable").then(
        () => true,
        () => false,
      ),
    );
  });

  it("holds when the daemon is killed, and is limp and stopped once another one runs", async () => {
    process.kill(up.process.pid!, "SIGKILL");
    await up.finished;
    await sleep(500);
    expect((await hand.status()).isOn).toBe(true);
    await start();
    await hand.isLimp();
    expect(up.text).toMatch(/the robots start stopped/);
    expect(await stateOf("hand")).toBe("stopped");
    await ask("reset");
    await ask("enable");
  });

  it("is limp and off after the daemon has ended in order", async () => {
    expect((await hand.status()).isOn).toBe(true);
    const { code } = await up.interrupt();
    expect(code).toBe(0);
    await hand.isLimp(1000);
  });
});
