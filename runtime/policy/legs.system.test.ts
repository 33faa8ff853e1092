/** The real worker thread with the shipped policies of a robot on legs, against a servo's socket; no camera anywhere. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { entryUrl, repositoryRootUrl } from "../../core/entry.js";
import { SteeringDesk } from "../../launch/daemon/steeringDesk.js";
import { systemClock } from "../../launch/systemClock.js";
import { BODIES } from "../../policies/history/bodies.js";
import { loadHistoryBundle } from "../../policies/history/bundle.js";
import { writeSteeredStand } from "../../test/support/digit/digitCell.js";
import { soon } from "../../test/support/gateway.js";
import { SocketFakeServo } from "../../test/support/policy/socketFakeServo.js";
import { PolicyHost } from "./host.js";
import type { StepRecord } from "./steps.js";

const bundle = (name: string) => fileURLToPath(new URL(`policies/bundles/${name}`, repositoryRootUrl()));
const { joints, passiveJoints } = BODIES.digit;

let folder: string;
let servo: SocketFakeServo;
let host: PolicyHost;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "legs-"));
  const { manifest } = await loadHistoryBundle(bundle("digit-stand"));
  servo = new SocketFakeServo(systemClock, {
    device: "digit",
    rateHz: 1000,
    jointNames: joints,
    startRad: manifest.start.positionRad,
    passiveJointCount: passiveJoints.length,
  });
  await servo.listen(join(folder, "servo.sock"));
});
afterEach(async () => {
  await host?.close();
  await servo.close();
  rmSync(folder, { recursive: true, force: true });
});

async function load(bundleDirectory: string): Promise<void> {
  host = new PolicyHost({
    entry: entryUrl("../../launch/processes/policyWorker.js", import.meta.url),
    clock: systemClock,
    name: "test policy",
    socketPaths: [join(folder, "servo.sock")],
    bundleDirectory,
    frameAgeMsMax: 150,
    approachSpeedScale: 0.3,
    intraOpThreads: 1,
  });
  await host.configure();
}

it("stands a robot by targets with gains, one for every twentieth tick, and gives it back", async () => {
  await load(bundle("digit-stand"));
  const records: StepRecord[] = [];
  host.onStep((record) => records.push(record));
  await host.start();
  host.setVelocity({ forwardMPerS: 0.4, leftMPerS: 0, yawRateRadPerS: 0 });
  for (let turn = 0; turn < 500 && records.length < 25; turn++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  await host.stop();
  expect(host.status()).toMatchObject({
    phase: "ready",
    bundle: { policy: "digit-stand", precision: "fp32" },
  });
  expect(servo.commands.length).toBeGreaterThan(20);
  const command = servo.commands.at(-1)!;
  expect("stiffnessNmPerRad" in command && command.stiffnessNmPerRad).toHaveLength(joints.length);
  // Steps are as far apart as the ticks that they were made from, whatever this machine does meanwhile.
  for (const { step, reading, skippedSteps } of records.slice(1)) {
    const before = records[step - 1]!.reading!;
    expect(reading!.timeS - before.timeS).toBeCloseTo(0.02 * (1 + skippedSteps), 9);
  }
});

it("is given the velocity that somebody asks for, for a moment, and then none", async () => {
  await load(writeSteeredStand(folder, 100));
  const desk = new SteeringDesk({ clock: systemClock, robots: ["digit"], policy: () => host });
  const asked = { forwardMPerS: 0.5, leftMPerS: -0.05, yawRateRadPerS: 0.3 };
  expect(desk.takeTopic("digit", asked)).toMatch(/is ready/);
  const given: (readonly number[])[] = [];
  host.onStep(({ reading }) => {
    if (reading !== undefined && String(reading.command) !== String(given.at(-1)))
      given.push(reading.command);
  });
  await host.start();
  const seen = (count: number) => soon(() => given[count - 1], 10);
  await seen(1);
  expect(desk.takeTopic("digit", asked)).toBeUndefined();
  await seen(2);
  expect(desk.status()).toMatchObject({ by: "ROS", given: { ...asked, leftMPerS: 0 } });
  await seen(3);
  desk.takeHand({ robot: "digit", client: "page", isHeld: true, velocity: { ...asked, forwardMPerS: 0.2 } });
  await seen(4);
  expect(desk.takeTopic("digit", asked)).toMatch(/page steers/);
  desk.takeHand({ robot: "digit", client: "page", isHeld: false, velocity: asked });
  await seen(5);
  await host.stop();
  expect(given).toEqual([
    [0, 0, 0],
    [0.5, -0.05, 0.3],
    [0, 0, 0],
    [0.2, -0.05, 0.3],
    [0, 0, 0],
  ]);
});

it("computes a policy that is refused for motion, and never commands it", async () => {
  await load(bundle("digit-random"));
  await expect(host.start()).rejects.toMatchObject({
    code: "COMMAND_REFUSED",
    happened: expect.stringMatching(/digit-random is refused for motion/),
  });
  expect(servo.commands).toHaveLength(0);
});
