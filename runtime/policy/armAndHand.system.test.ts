/** One policy of 23 joints on two real servo processes, against the emulated arm and the emulated hand. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { entryUrl } from "../../core/entry.js";
import { AllegroConfig } from "../../drivers/allegro/config.js";
import { homeRadOf } from "../../drivers/allegro/protocol/index.js";
import type { EmulatorPorts } from "../../lab/xarm7/emulator.js";
import { systemClock } from "../../launch/systemClock.js";
import { makeTestBundle, testPicture } from "../../test/support/onnx/testBundle.js";
import { HOME_RAD, JsonProcess, keepOwnTime, ServoRig, until } from "../../test/support/servoRig.js";
import type { ServoClient } from "../servo/api.js";
import { HandServoConfig } from "../servo/config.js";
import { connectServo } from "../servo/link/client.js";
import { PolicyHost } from "./host.js";
import type { StepRecord } from "./steps.js";

const HAND_RAD = homeRadOf("v4", "right")!;
const JOINTS = [
  ...Array.from({ length: 7 }, (_, joint) => `xarm7/joint${joint + 1}`),
  ...Array.from({ length: 16 }, (_, joint) => `allegro/joint${joint}`),
];

let folder: string;
let armEmulator: JsonProcess;
let handEmulator: JsonProcess;
let arm: ServoRig;
let handServo: JsonProcess;
let hand: ServoClient;
let host: PolicyHost;
let camera: NodeJS.Timeout;

const handSocket = () => join(folder, "hand.sock");

async function startHand(): Promise<void> {
  handServo = new JsonProcess("servoMain.js");
  const ready = await handServo.ask({
    robot: "hand",
    device: "allegro",
    // Slow and wide: a loaded machine must not decide whether a test passes.
    allegro: AllegroConfig.parse({
      can: { slcan: { path: join(folder, "adapter") } },
      model: "v4",
      side: "right",
      periodMs: 20,
      stallMsMax: 200,
      silentPeriodsMax: 10,
    }),
    servo: HandServoConfig.parse({ rateHz: 100, lateTicksMax: 100, stateAgeMsMax: 1000 }),
    socketPath: handSocket(),
    logLevel: "fatal",
  });
  expect(ready).toMatchObject({ ready: true });
  hand = await connectServo(handSocket(), { role: "supervisor", name: "hands", clock: systemClock });
  await until("the hand's state", () => hand.latest() !== undefined);
  await hand.enable();
}

/** Pictures at 30 Hz that differ from each other, stamped as a camera does. */
function startCamera(): void {
  const pixels = testPicture(640, 480, 0);
  let count = 0;
  camera = setInterval(() => {
    pixels[0] = count++ % 256;
    pixels[1] = Math.floor(count / 256) % 256;
    host.frames!.write(pixels, 640 * 3, systemClock.epochNs(), systemClock.nowNs());
  }, 33);
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "arm-and-hand-"));
  armEmulator = new JsonProcess("xarm7EmulatorMain.js", [JSON.stringify({ positionRad: HOME_RAD })]);
  handEmulator = new JsonProcess("allegroEmulatorMain.js", [
    JSON.stringify({ path: join(folder, "adapter"), plant: "ideal" }),
  ]);
  const { ports } = (await armEmulator.read()) as { ports: EmulatorPorts };
  await handEmulator.read();
  keepOwnTime(handEmulator);
  arm = new ServoRig(ports);
  await arm.start();
  await (await arm.connectSupervisor()).enable();
  await startHand();
  await makeTestBundle(join(folder, "bundle"), {
    device: "xarm7-allegro",
    joints: JOINTS,
    startRad: [...HOME_RAD, ...HAND_RAD],
    rateHz: 10,
  });
  host = new PolicyHost({
    entry: entryUrl("../../launch/processes/policyWorker.js", import.meta.url),
    clock: systemClock,
    name: "both",
    socketPaths: [arm.socketPath, handSocket()],
    bundleDirectory: join(folder, "bundle"),
    camera: {
      widthPx: 640,
      heightPx: 480,
      encoding: "rgb8",
      fovYDeg: 42,
      mount: {
        parentFrame: "flange",
        positionM: [0.075, 0, 0.025],
        quatXyzw: [-0.0739128, -0.0739128, 0.7032332, 0.7032332],
      },
    },
    frameAgeMsMax: 500,
    approachSpeedScale: 0.5,
    intraOpThreads: 1,
  });
  startCamera();
});

afterEach(async () => {
  clearInterval(camera);
  await host.close();
  await hand.close();
  await arm.close();
  handServo.process.kill("SIGTERM");
  await handServo.exited;
  for (const { process, exited } of [handEmulator, armEmulator]) {
    process.kill("SIGKILL");
    await exited;
  }
  rmSync(folder, { recursive: true, force: true });
});

it("moves both by one vector; when one's process dies the other holds, and both can start again", async () => {
  await host.configure();
  const steps: StepRecord[] = [];
  host.onStep((record) => steps.push(record));
  const taken = () => steps.findLast((step) => step.commandWireNs !== undefined);
  await host.start();
  await until("steps", () => steps.filter((step) => step.commandWireNs !== undefined).length >= 5, 20_000);
  const { targetRad } = taken()!;
  expect(targetRad).toHaveLength(23);
  expect([arm.supervisor.latest()!.commander, hand.latest()!.commander]).toEqual(["both", "both"]);
  // The newest command in both robots is of one step.
  await until("one step in both", () => {
    const parts = [arm.supervisor.latest()!.requestedRad, hand.latest()!.requestedRad];
    const asked = parts.flatMap((part) => [...part]);
    return steps.some((step) => step.targetRad?.every((rad, joint) => rad === asked[joint]) === true);
  });

  handServo.process.kill("SIGKILL");
  await until("failed", () => host.status().phase === "failed");
  expect(host.status().failure).toMatchObject({
    code: "LINK_CLOSED",
    happened: expect.stringMatching(/^hand: /),
  });
  await arm.inState("holding");
  expect(await arm.standsStill()).toBe(true);

  await handServo.exited;
  await startHand();
  steps.length = 0;
  await host.start();
  await until("steps of the second run", () => taken() !== undefined, 20_000);

  await arm.supervisor.stop(2, "somebody's stop");
  await until("failed again", () => host.status().phase === "failed");
  expect(host.status().failure?.happened).toMatch(/^arm: .*somebody's stop/);
  await until("a holding hand", () => hand.latest()?.state === "holding");
  expect(hand.latest()!.commander).toBe("");
});

it("refuses to start while one of the robots is not ready, and moves none", async () => {
  await host.configure();
  await hand.stop(2, "not yet");
  await expect(host.start()).rejects.toMatchObject({ happened: expect.stringMatching(/^hand: /) });
  await until("an arm that nobody leads", () => {
    const { state, commander } = arm.supervisor.latest()!;
    return state === "holding" && commander === "";
  });
  expect(await arm.standsStill()).toBe(true);
});
