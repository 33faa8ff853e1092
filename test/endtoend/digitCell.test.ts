/**
 * A cell with a Digit as a user runs it, judged by the emulated robot's own record: it is steered over ROS, what it did is
 * recorded and computed anew, and what leads it dies. The robot hangs from a gantry.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { PairAnswer } from "../../core/gateway/library.js";
import type { SteeringStatus } from "../../core/gateway/steering.js";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import {
  POLICY_READING_TOPIC,
  readServoTick,
  type ServoTick,
  servoTickTopic,
} from "../../episodes/messages.js";
import { findEpisode } from "../../episodes/recordings.js";
import { DIGIT_PASSIVE_JOINTS } from "../../kinematics/digit/motors.js";
import { askDaemon } from "../../launch/control/client.js";
import { runFolder } from "../../launch/runFolder.js";
import { systemClock } from "../../launch/systemClock.js";
import { safeEnd } from "../../launch/tasks/safeEnd.js";
import { readPolicyReading } from "../../runtime/policy/recordedReading.js";
import { CHROMIUM_PATH, launchBrowser, withoutWebGl } from "../support/browser.js";
import { command, freePorts, Running } from "../support/cell.js";
import { EmulatedDigit, writeDigitCell, writeSteeredStand } from "../support/digit/digitCell.js";
import { TestClient } from "../support/gateway.js";
import { until } from "../support/servoRig.js";

const ready = Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);
const UP_S_MAX = 90;
const PATIENCE_S = 20;
const TASK = "steered";
/** Of the policy's commands; as long as a bundle may ask for, because this machine may be loaded. */
const EXPIRY_MS = 200;
/** Of this machine's threads, which have no priority on whatever runs this. */
const SLACK_MS = 1000;
const OVER_ROS = { forwardMPerS: 0.5, leftMPerS: -0.05, yawRateRadPerS: 0.3 };
const ATTEMPT_MS = 4000;

/** Steers until it is interrupted, and tells then what it saw. */
function steerOverRos() {
  const { forwardMPerS, leftMPerS, yawRateRadPerS } = OVER_ROS;
  const peer = fileURLToPath(new URL("digitPeer.py", import.meta.url));
  const args = [forwardMPerS, leftMPerS, yawRateRadPerS].map(String);
  const child = spawn("python3", [peer, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += String(chunk);
  });
  return async () => {
    child.stdin.end();
    await new Promise((resolve) => child.once("close", resolve));
    return JSON.parse(text) as { joints: string[]; frames: string[]; forceMPerS2: number };
  };
}

describe.skipIf(!ready && !process.env.CI)("a cell with a Digit", () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-digit-"));
  const recordings = join(folder, "recordings");
  let digit: EmulatedDigit;
  let file: string;
  let name: string;
  let bundle: string;
  let port: number;
  let up: Running;
  let page: TestClient;
  let isLoaded = false;

  const run = async (...args: string[]) => {
    const { code, text } = await command(...args);
    expect(code, `${text}\n${up.text}`).toBe(0);
    return text;
  };
  const ask = (request: Parameters<typeof askDaemon>[1]) =>
    askDaemon(runFolder(name).controlSocket, request, systemClock, 30_000);
  /** Also where this machine was so busy that the robot was let go of. */
  const stand = async () => {
    const isDone = (request: Parameters<typeof askDaemon>[1]) =>
      ask(request).then(
        () => true,
        () => false,
      );
    await until(
      "a stand",
      async () => {
        if (robotState() === "holding") return true;
        await isDone({ do: "reset" });
        return (await isDone({ do: "enable" })) && robotState() === "holding";
      },
      3000 * PATIENCE_S,
    );
  };
  const robotState = () => page.ofKind("telemetry").at(-1)?.robots.digit?.state;
  const steering = (): SteeringStatus | undefined =>
    page.ofKind("telemetry").at(-1)?.policy?.steering ?? undefined;
  const policyRuns = () => page.ofKind("telemetry").at(-1)?.policy?.phase === "running";
  /** With the policy running; where this machine was so busy that the robot was let go of, once more. */
  async function steeredBy(by: string): Promise<SteeringStatus> {
    let found: SteeringStatus | undefined;
    const look = () => {
      if (policyRuns() && steering()?.by === by) found = steering();
      return found !== undefined;
    };
    const attempt = async () => {
      if (!policyRuns()) await startPolicy().catch(() => {});
      await until("it", look, ATTEMPT_MS).catch(() => {});
      return found !== undefined;
    };
    await until(`steered by ${by}`, attempt, 3000 * PATIENCE_S);
    return found!;
  }
  const startPolicy = async () => {
    await stand();
    const loading = isLoaded ? {} : { bundle };
    isLoaded = true;
    await ask({ do: "startPolicy", ...loading });
    await until("a policy that runs", policyRuns, ATTEMPT_MS);
  };

  async function connect(): Promise<TestClient> {
    const origin = `http://localhost:${port}`;
    const code = /#pair=(\w+)/.exec(up.text)![1]!;
    const answer = await fetch(`${origin}/api/pair`, {
      method: "POST",
      headers: { "content-type": "application/json", origin },
      body: JSON.stringify({ code, name: "tester" }),
    });
    const paired = PairAnswer.parse(await answer.json());
    if (!paired.ok) throw new Error(paired.happened);
    const client = new TestClient(new WebSocket(`ws://localhost:${port}/ws`, { origin }));
    await client.opened;
    client.hello(paired.token);
    await client.next("welcome");
    client.send({ kind: "subscribe", telemetryHz: 20, teleop: false, events: true, cameras: [] });
    return client;
  }

  beforeAll(async () => {
    process.env.ROS_DOMAIN_ID = String(20 + (process.pid % 80));
    digit = await EmulatedDigit.start();
    [port] = (await freePorts(1)) as [number];
    bundle = writeSteeredStand(folder, EXPIRY_MS);
    ({ file, name } = writeDigitCell(folder, digit.ports, {
      policy: { bundle, robot: "digit" },
      gateway: { port },
      recorder: { folder: recordings, diskFreeMiBMin: 100 },
    }));
    up = new Running(["up", file, "--no-policy"]);
    await up.until(/is up; nothing is enabled/, UP_S_MAX);
    page = await connect();
    await stand();
  });

  afterAll(async () => {
    page?.socket.terminate();
    await up?.interrupt();
    await digit?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("is steered over ROS, and tells over ROS where it is", async () => {
    // An episode names the bundle that is loaded when it begins, and has its runs from their first steps.
    const isStarted = () =>
      startPolicy().then(
        () => true,
        () => false,
      );
    await until("a policy that runs", isStarted, 3000 * PATIENCE_S);
    await ask({ do: "stopPolicy" });
    await run("record", "start", "--task", TASK, "--cell", file);
    const endRos = steerOverRos();
    // What is asked for to the left is below the cut-off.
    expect((await steeredBy("ROS")).given).toEqual({ ...OVER_ROS, leftMPerS: 0 });
    const base = page.ofKind("telemetry").at(-1)!.robots.digit!.base!;
    expect(base.passiveRad).toHaveLength(DIGIT_PASSIVE_JOINTS.length);
    expect(base.positionM[2]).toBeGreaterThan(0.9);
    const { joints, frames, forceMPerS2 } = await endRos();
    expect(joints.slice(-DIGIT_PASSIVE_JOINTS.length)).toEqual([...DIGIT_PASSIVE_JOINTS]);
    expect(frames).toContain("odom base");
    expect(forceMPerS2).toBeCloseTo(9.81, 0);
    await ask({ do: "stopPolicy" });
    await run("record", "stop", "--cell", file, "--outcome", "success");
  });

  it("has left an episode with every tick and its base, which computes to the same bits", async () => {
    const episode = await findEpisode(`${TASK}/last`, recordings);
    const reader = await EpisodeReader.open(episode.folder);
    const ticks: ServoTick[] = [];
    const askedForward: number[] = [];
    const topics = [servoTickTopic("digit"), POLICY_READING_TOPIC];
    for await (const message of reader.messages({ topics })) {
      if (message.topic === POLICY_READING_TOPIC)
        askedForward.push(readPolicyReading(reader.decode(message))!.reading.command[0]!);
      else ticks.push(readServoTick(reader.decode(message)));
    }
    const { end } = reader;
    await reader.close();
    const [first, last] = [ticks[0]!, ticks.at(-1)!];
    const seconds = Number(last.stampNs - first.stampNs) / 1e9;
    expect((last.tick - first.tick) / seconds / 1000).toBeCloseTo(1, 1);
    expect(end.topics[servoTickTopic("digit")]).toMatchObject({ written: ticks.length });
    expect(last.base?.passivePositionRad).toHaveLength(DIGIT_PASSIVE_JOINTS.length);
    expect(Math.hypot(...last.base!.quatWorldBaseXyzw)).toBeCloseTo(1, 9);
    expect(askedForward).toContain(OVER_ROS.forwardMPerS);
    const computed = await run("episodes", "--recordings", recordings, "recompute", `${TASK}/last`);
    expect(computed).toMatch(/identical to the last bit/);
    const replay = ["episodes", "--recordings", recordings, "replay", `${TASK}/last`, "--cell", file];
    const { code, text } = await command(...replay);
    expect(code).toBe(1);
    expect(text).toMatch(/stands on legs/);
  });

  it.skipIf(CHROMIUM_PATH === undefined)(
    "is steered by keys that somebody holds in the console",
    async () => {
      const address = /http:\/\/localhost\S+/.exec(await run("pair", "--cell", file))![0];
      const browser = await launchBrowser();
      try {
        const tab = await browser.newPage({ viewport: { width: 1366, height: 768 } });
        await withoutWebGl(tab);
        await tab.goto(address);
        const steer = tab.getByRole("button", { name: "Steer the robot" });
        let given: SteeringStatus["given"] | undefined;
        // On a busy machine the page or the daemon lets go: then they are pressed again, as a person would.
        const attempt = async () => {
          if (!policyRuns()) await startPolicy().catch(() => {});
          await steer.click({ timeout: 1000 }).catch(() => {});
          for (const key of ["KeyW", "Shift"]) await tab.keyboard.up(key);
          for (const key of ["Shift", "KeyW"]) await tab.keyboard.down(key);
          // It is led up to what the key asks for.
          const look = () => {
            const told = steering();
            const isConsole = told?.by.startsWith("console") === true && policyRuns();
            if (isConsole && told.given.forwardMPerS > 0.69) given = told.given;
            return given !== undefined;
          };
          await until("a velocity", look, ATTEMPT_MS).catch(() => {});
          return given !== undefined;
        };
        await until("steered by the console", attempt, 3000 * PATIENCE_S);
        expect(given).toEqual({ forwardMPerS: expect.closeTo(0.7, 6), leftMPerS: 0, yawRateRadPerS: 0 });
        await tab.keyboard.up("Shift");
        await until("standing still", () => !policyRuns() || steering()?.given.forwardMPerS === 0);
      } finally {
        await browser.close();
        await ask({ do: "stopPolicy" }).catch(() => {});
      }
    },
  );

  it("is damped when the process that its policy lives in is killed", async () => {
    const isDriven = async () => policyRuns() && (await digit.effect()) === "driven";
    const attempt = () => startPolicy().then(isDriven, () => false);
    await until("motors that are driven", attempt, 3000 * PATIENCE_S);
    const { nowMs } = await digit.wire();
    up.process.kill("SIGKILL");
    await until("quiet motors", async () => (await digit.effect()) !== "driven");
    const { quietAfterMs, droveAgain, by } = safeEnd((await digit.wire()).spans, nowMs);
    expect({ droveAgain, by }).toEqual({ droveAgain: false, by: "damping" });
    expect(quietAfterMs).toBeLessThan(SLACK_MS);
  });
});
