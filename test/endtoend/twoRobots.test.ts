/**
 * A cell with an arm and the hand on its flange, both emulated in processes of their own: frames on ROS, an episode of
 * both, and that what befalls the one is no matter of the other.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { addNs, msToNs } from "../../core/clock.js";
import { runFolder } from "../../launch/runFolder.js";
import { systemClock } from "../../launch/systemClock.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { command, freePorts, Running } from "../support/cell.js";
import {
  EmulatedHand,
  enableAgain,
  enableIfLatched,
  robotStates,
  wideHand,
  writeHandCell,
} from "../support/handCell.js";
import { HOME_RAD, JsonProcess, keepOwnTime, until } from "../support/servoRig.js";

const ready = Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);
const TASK = "both";

describe.skipIf(!ready && !process.env.CI)("a cell with an arm and a hand", { retry: 1 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-two-"));
  const adapter = join(folder, "adapter");
  const recordings = join(folder, "recordings");
  let hand: EmulatedHand;
  let arm: JsonProcess;
  let file: string;
  let name: string;
  let up: Running;

  const run = async (...args: string[]) => {
    const { code, text } = await command(...args);
    expect(code, text).toBe(0);
    return text;
  };
  const are = (wanted: string) =>
    until(wanted, async () => (await robotStates(name)).join(" ") === wanted, 20_000);

  beforeAll(async () => {
    process.env.ROS_DOMAIN_ID = String(20 + (process.pid % 80));
    hand = await EmulatedHand.start(adapter);
    const [command, highRate, normal, rich, realTime] = await freePorts(5);
    const ports = { command, highRate, normal, rich, realTime };
    arm = new JsonProcess("xarm7EmulatorMain.js", [JSON.stringify({ ports, positionRad: HOME_RAD })]);
    await arm.read();
    keepOwnTime(arm);
    ({ file, name } = writeHandCell(folder, adapter, (cell) => {
      const { command: commandPort, ...reportPorts } = ports;
      cell.robots = {
        arm: {
          device: "xarm7",
          xarm7: {
            host: "127.0.0.1",
            commandPort,
            reportPorts,
            gripper: "none",
            toolPointM: [0.05, 0, 0.17],
          },
          servo: { lateTicksMax: 100, stateAgeMsMax: 1000 },
        },
        hand: { ...wideHand(adapter), mount: { robot: "arm", positionM: [0, 0, 0.13] } },
      };
    }));
    up = new Running(["up", file]);
    await up.until(/is up; nothing is enabled/, 90);
    await run("enable", "--cell", file);
  });
  afterAll(async () => {
    await up?.interrupt();
    await hand?.close();
    arm?.process.kill("SIGKILL");
    await arm?.exited;
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => enableIfLatched(name));

  it("has one tree of frames, in which the hand hangs on the arm's flange", async () => {
    const peer = fileURLToPath(new URL("tfPeer.py", import.meta.url));
    const child = spawn("python3", [peer, "--seconds", "3"], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += String(chunk);
    });
    await new Promise((resolve) => child.once("close", resolve));
    const { parents, doubled } = JSON.parse(text) as {
      parents: Record<string, string>;
      doubled: string[];
    };
    expect(doubled).toEqual([]);
    expect(parents.hand_palm_link).toBe("arm_link7");
    expect(parents.arm_link1).toBe("arm_link_base");
    expect(parents.arm_link_base).toBe("world");
    expect(parents.hand_link_15_tip).toBe("hand_link_15");
    const rootOf = (frame: string): string => (frame in parents ? rootOf(parents[frame]!) : frame);
    expect(new Set(Object.keys(parents).map(rootOf))).toEqual(new Set(["world"]));
  });

  it("records both in one episode, each replayed by its name", async () => {
    const servos = await Promise.all(
      ["arm", "hand"].map((robot) =>
        connectServo(runFolder(name).servoSocket(robot), {
          role: "commander",
          name: "both",
          clock: systemClock,
        }),
      ),
    );
    await until("snapshots", () => servos.every((servo) => servo.latest() !== undefined));
    const leases = await Promise.all(servos.map((servo) => servo.acquireLease("both")));
    const from = servos.map((servo) => [...servo.latest()!.sentRad]);
    await run("record", "start", "--task", TASK, "--cell", file);
    for (let step = 1; step <= 6; step++) {
      leases.forEach((lease, robot) => {
        const joint = robot === 0 ? 6 : 2;
        const positionRad = from[robot]!.map((rad, index) => rad + (index === joint ? 0.03 * step : 0));
        lease.command({ positionRad, expiresNs: addNs(systemClock.nowNs(), msToNs(900)) });
      });
      await sleep(150);
    }
    for (const lease of leases) lease.release();
    await sleep(300);
    await run("record", "stop", "--cell", file, "--outcome", "success");
    for (const servo of servos) await servo.close();
    const episodes = ["episodes", "--recordings", recordings];
    const json = join(folder, "shown.json");
    await run(...episodes, "show", `${TASK}/last`, "--json", json);
    const shown = JSON.parse(readFileSync(json, "utf8")) as {
      robots: Record<string, { jointNames: string[] }>;
      limiterTicks: Record<string, { ticks: number }>;
    };
    expect(shown.robots.arm!.jointNames).toHaveLength(7);
    expect(shown.robots.hand!.jointNames).toHaveLength(16);
    expect(Object.values(shown.limiterTicks).every(({ ticks }) => ticks > 80)).toBe(true);
    const nameless = await command(...episodes, "replay", `${TASK}/last`, "--cell", file);
    expect(nameless.code).toBe(1);
    expect(nameless.text).toMatch(/2 of one name, expected 1.*--robot/s);
    const out = ["--rate", "10", "--include-flagged", "--out"];
    const unnamed = await command(...episodes, "export", "flat", TASK, ...out, join(folder, "none"));
    expect(unnamed.text).toMatch(/2 robots, expected one to be named/);
    for (const [robot, joints] of [
      ["arm", 7],
      ["hand", 16],
    ] as const) {
      const table = join(folder, robot);
      await run(...episodes, "export", "flat", TASK, ...out, table, "--robot", robot);
      const named = readFileSync(join(table, "README.json"), "utf8").match(/joint\d+/g) ?? [];
      expect(new Set(named).size).toBe(joints);
    }
    await run(...episodes, "replay", `${TASK}/last`, "--cell", file, "--robot", "hand");
    expect((await hand.status()).positionRad[2]! - from[1]![2]!).toBeGreaterThan(0.1);
  });

  it("the arm holds on when the hand is unplugged, and both stop on a stop", async () => {
    await are("holding holding");
    await hand.ask({ do: "fault", fault: { isUnplugged: {} } });
    await are("holding disconnected");
    await hand.ask({ do: "fault", fault: { ends: { what: ["isUnplugged"] } } });
    await hand.isLimp();
    await enableAgain(name);
    await are("holding holding");
    await run("stop", "--cell", file);
    await are("stopped stopped");
    await hand.isLimp();
  });
});
