/**
 * A person's tracked hand leads an emulated Allegro Hand the whole way: emulated headset, gateway, session, servo
 * process, serial line, and MuJoCo behind it; and at last the emulated arm that carries it, too. Judged by where the emulated hand is, and by what the episode has kept.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import {
  readServoTick,
  readTeleopInput,
  servoTickTopic,
  TELEOP_INPUT_TOPIC,
} from "../../episodes/messages.js";
import { HandChain } from "../../kinematics/allegro/fingertips.js";
import type { EmulatorPorts } from "../../lab/xarm7/emulator.js";
import { askDaemon } from "../../launch/control/client.js";
import { EmulatedHeadset } from "../../launch/headset/emulatedHeadset.js";
import { runFolder } from "../../launch/runFolder.js";
import { systemClock } from "../../launch/systemClock.js";
import type { RecorderStatus } from "../../runtime/recorder/host.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { blend, handPose, webxrJoints } from "../support/allegro/handPoses.js";
import { command, freePorts, Running } from "../support/cell.js";
import { EmulatedHand, enableIfLatched, writeHandCell } from "../support/handCell.js";
import { HOME_RAD, JsonProcess, until } from "../support/servoRig.js";

const ready = Boolean(process.env.AMENT_PREFIX_PATH && process.env.ROS_DISTRO);
const ATTEMPTS_MAX = 12;
/** From one attitude of the hand to another [ms]: as fast as people move without hurry. */
const MOVE_MS = 500;

describe.skipIf(!ready && !process.env.CI)("fingers that lead fingers", { retry: 1 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-fingers-"));
  let hand: EmulatedHand;
  let arm: JsonProcess;
  let token: string;
  let file: string;
  let name: string;
  let up: Running;
  let origin: string;
  let headset: EmulatedHeadset;
  /** Attitude of the person's hand now, and the way that it is on. */
  let shown = handPose("open");
  let way: { readonly from: Float64Array; readonly to: Float64Array; readonly sinceMs: number } | undefined;

  const control = (verb: "enable") =>
    askDaemon(runFolder(name).controlSocket, { do: verb }, systemClock, 30_000);

  async function wear(robot: string): Promise<void> {
    headset = new EmulatedHeadset({ clock: systemClock, device: "test-headset", seed: robot.length });
    headset.setHead({ positionM: [0, 1.6, 0], quatXyzw: [0, 0, 0, 1] });
    showHand();
    headset.onPose(showHand);
    await headset.connect(origin, token, { robot });
  }

  /** Called before each frame: bones keep their length on the way. */
  function showHand(): void {
    if (way !== undefined) {
      const share = Math.min(1, (systemClock.nowMs() - way.sinceMs) / MOVE_MS);
      shown = blend(way.from, way.to, share);
      if (share === 1) way = undefined;
    }
    headset.setHand("right", webxrJoints(shown, [0.2, 1.1, -0.4 - aheadM]));
    headset.setPinch("left", isPinching);
  }
  let isPinching = false;
  /** How far the person's hand has gone forward [m]. */
  let aheadM = 0;
  async function moveTo(pose: string): Promise<void> {
    way = { from: shown, to: handPose(pose), sinceMs: systemClock.nowMs() };
    await until(`the person's ${pose}`, () => way === undefined);
  }

  /** Whatever a busy machine does to a press, press again. */
  async function engage(): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      isPinching = false;
      await headset.untilStatus(({ state, why }) => state === "ready" && why === null);
      isPinching = true;
      const { state } = await headset.untilStatus(
        (one) => one.state === "engaged" || one.state === "latched",
      );
      if (state === "engaged") return;
    }
    throw new Error(`never engaged: ${JSON.stringify(headset.status)}`);
  }

  /** Until the robot's hand rests where the person's is. */
  async function leadTo(pose: string): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (headset.status?.state !== "engaged") await engage();
      await moveTo(pose);
      await atRest();
      if (headset.status?.state === "engaged") return;
    }
    throw new Error(`never led to ${pose}: ${JSON.stringify(headset.status)}`);
  }

  const positionRad = async () => (await hand.status()).positionRad;
  const indexTipM = async (): Promise<number[]> => {
    const chain = new HandChain("v4", "right");
    chain.update(await positionRad());
    return [...chain.tipsM.subarray(0, 3)];
  };
  /** Height of the index tip along the palm, where a bent finger is below a stretched one [m]. */
  const indexHeightM = async () => (await indexTipM())[2]!;
  /** The hand comes to rest, and is told where. */
  async function atRest(): Promise<readonly number[]> {
    let before = await positionRad();
    await until("a hand at rest", async () => {
      await sleep(150);
      const now = await positionRad();
      const moved = Math.max(...now.map((rad, joint) => Math.abs(rad - before[joint]!)));
      before = now;
      return moved < 2e-3;
    });
    return before;
  }
  const largest = (one: readonly number[], other: readonly number[]) =>
    Math.max(...one.map((rad, joint) => Math.abs(rad - other[joint]!)));

  beforeAll(async () => {
    process.env.ROS_DOMAIN_ID = String(20 + (process.pid % 80));
    const adapter = join(folder, "adapter");
    hand = await EmulatedHand.start(adapter, { plant: "mujoco" });
    arm = new JsonProcess("xarm7EmulatorMain.js", [JSON.stringify({ positionRad: HOME_RAD })]);
    const { ports } = (await arm.read()) as { ports: EmulatorPorts };
    const { command: commandPort, ...reportPorts } = ports;
    const [port] = await freePorts(1);
    ({ file, name } = writeHandCell(folder, adapter, (draft) => {
      draft.gateway = { port };
      // The widest that the cell file allows: this machine may be busy.
      draft.teleop = { deadman: { poseAgeMsMax: 250 } };
      draft.robots.hand!.mount = { robot: "arm" };
      draft.robots.arm = {
        device: "xarm7",
        xarm7: { host: "127.0.0.1", commandPort, reportPorts, gripper: "none" },
        servo: { lateTicksMax: 100, stateAgeMsMax: 1000 },
      };
    }));
    up = new Running(["up", file, "--no-policy"]);
    await up.until(/is up; nothing is enabled/, 90);
    await control("enable");
    origin = `http://127.0.0.1:${port}`;
    const { text } = await command("pair", "--cell", file, "--json", "-");
    const { code } = JSON.parse(text.slice(text.indexOf("{"))) as { code: string };
    const paired = await fetch(`${origin}/api/pair`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code, name: "test-headset" }),
    });
    ({ token } = (await paired.json()) as { token: string });
    await wear("hand");
  });
  afterAll(async () => {
    headset?.close();
    await up?.interrupt();
    await hand?.close();
    arm?.process.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => enableIfLatched(name));

  it("is ready without recentring, and says which hand leads and that it was not measured", async () => {
    const status = await headset.untilStatus(
      ({ state, poseAgeMs }) => state === "ready" && poseAgeMs !== null,
    );
    expect(status).toMatchObject({
      robot: "hand",
      leads: "fingers",
      hand: "right",
      alignment: "unneeded",
      why: null,
      handSize: { measuredEpochMs: null },
    });
  });

  it("the robot's index finger stretches, bends and stretches with the person's", async () => {
    await leadTo("point");
    const stretchedM = await indexHeightM();
    await leadTo("fist");
    expect(stretchedM - (await indexHeightM())).toBeGreaterThan(0.05);
    await leadTo("point");
    expect(Math.abs((await indexHeightM()) - stretchedM)).toBeLessThan(0.01);
    expect(headset.status).toMatchObject({ state: "engaged" });
    expect(headset.status!.latency.toWireMs).not.toBeNull();
  });

  it("an open hand holds the robot's, whatever the leading one does", async () => {
    if (headset.status?.state !== "engaged") await engage();
    isPinching = false;
    await headset.untilStatus(({ state }) => state === "ready");
    const stood = await atRest();
    await moveTo("open");
    await sleep(300);
    expect(largest(await atRest(), stood)).toBeLessThan(0.01);
  });

  it.each([
    [
      "a hand that is lost",
      "NOT_TRACKED",
      () => headset.setConnected("right", false),
      () => headset.setConnected("right", true),
    ],
    [
      "a clutching hand that is lost",
      "CLUTCH_HAND_GONE",
      () => headset.setConnected("left", false),
      () => headset.setConnected("left", true),
    ],
    ["a headset that sleeps", "POSE_OLD", () => headset.setAsleep(true), () => headset.setAsleep(false)],
  ])("%s holds it, latched, until the pinch was opened", async (_what, code, lose, find) => {
    await engage();
    lose();
    const { why } = await headset.untilStatus(({ state }) => state === "latched");
    expect(why?.code).toBe(code);
    const stood = await atRest();
    find();
    await headset.untilStatus(({ poseAgeMs }) => poseAgeMs !== null && poseAgeMs < 100);
    await moveTo(shown[5] === handPose("fist")[5] ? "open" : "point");
    expect(headset.status?.state).toBe("latched");
    expect(largest(await atRest(), stood)).toBeLessThan(0.01);
    await engage();
  });

  it("an episode keeps every joint of the person's hand beside the robot's", async () => {
    await engage();
    await headset.request({ do: "startRecording", task: "fingers", note: "" });
    await leadTo("fist");
    await leadTo("open");
    await headset.request({ do: "stopRecording", outcome: "success", note: "" });
    isPinching = false;
    const { code, text } = await command("record", "status", "--cell", file, "--json", "-");
    expect(code, text).toBe(0);
    const episode = JSON.parse(text.slice(text.indexOf("{"))) as RecorderStatus;
    const reader = await EpisodeReader.open(episode.folder);
    let [inputs, ticks] = [0, 0];
    for await (const message of reader.messages({ topics: [TELEOP_INPUT_TOPIC, servoTickTopic("hand")] })) {
      if (message.topic === TELEOP_INPUT_TOPIC) {
        const { joints, hand: lead, targetRad, clutch } = readTeleopInput(reader.decode(message));
        if (targetRad.length === 0) continue;
        inputs++;
        expect([joints.length, lead, targetRad.length, clutch]).toEqual([200, "right", 16, 1]);
      } else {
        ticks++;
        expect(readServoTick(reader.decode(message)).sentRad).toHaveLength(16);
      }
    }
    await reader.close();
    expect(inputs).toBeGreaterThan(20);
    expect(ticks).toBeGreaterThan(50);
  });

  it("an arm that carries the hand is taken with it by a bare hand: the wrist leads the tool", async () => {
    isPinching = false;
    headset.close();
    await wear("arm");
    await headset.untilStatus(
      ({ leads, state, why }) => leads === "toolAndFingers" && state === "ready" && why === null,
    );
    await until("a recentred headset", () => headset.recenter());
    const socket = runFolder(name).servoSocket("arm");
    const observer = await connectServo(socket, { role: "observer", name: "test", clock: systemClock });
    await until("the arm's state", () => observer.latest() !== undefined);
    const armRad = () => [...observer.latest()!.positionRad];
    const [armStood, fingersStood] = [armRad(), await atRest()];
    for (let step = 0; step < 400 && largest(armRad(), armStood) < 0.05; step++) {
      if (headset.status?.state !== "engaged") await engage();
      aheadM += 0.0005;
      await sleep(15);
    }
    expect(largest(armRad(), armStood)).toBeGreaterThan(0.05);
    await leadTo("fist");
    expect(largest(await positionRad(), fingersStood)).toBeGreaterThan(0.3);
    isPinching = false;
    await headset.untilStatus(({ state }) => state === "ready");
    await until("two robots that nobody commands", () => observer.latest()!.state === "holding");
    await observer.close();
  });
});
