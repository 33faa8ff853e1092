/** The real worker thread with a real bundle and ONNX Runtime, against a servo's socket that moves as it is told. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { entryUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import { systemClock } from "../../launch/systemClock.js";
import { makeTestBundle, testPicture } from "../../test/support/onnx/testBundle.js";
import { SocketFakeServo } from "../../test/support/policy/socketFakeServo.js";
import { PolicyHost } from "./host.js";
import type { StepRecord } from "./steps.js";

const CAMERA = {
  widthPx: 640,
  heightPx: 480,
  encoding: "rgb8",
  fovYDeg: 42,
  mount: {
    parentFrame: "flange",
    positionM: [0.075, 0, 0.025],
    quatXyzw: [-0.0739128, -0.0739128, 0.7032332, 0.7032332],
  },
} as const;

let folder: string;
let servo: SocketFakeServo;
let host: PolicyHost;
let camera: NodeJS.Timeout | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "policy-"));
  servo = new SocketFakeServo(systemClock);
  await servo.listen(join(folder, "servo.sock"));
});
afterEach(async () => {
  clearInterval(camera);
  await host?.close();
  await servo.close();
  rmSync(folder, { recursive: true, force: true });
});

async function makeHost(): Promise<PolicyHost> {
  host = new PolicyHost({
    entry: entryUrl("../../launch/processes/policyWorker.js", import.meta.url),
    clock: systemClock,
    name: "test policy",
    socketPaths: [join(folder, "servo.sock")],
    bundleDirectory: join(folder, "bundle"),
    camera: CAMERA,
    frameAgeMsMax: 150,
    approachSpeedScale: 0.3,
    intraOpThreads: 1,
  });
  return host;
}

/** Writes pictures at 30 Hz that differ from each other, stamped as a camera does. */
function startCamera(): void {
  const pixels = testPicture(640, 480, 0);
  let count = 0;
  camera = setInterval(() => {
    pixels[0] = count++ % 256;
    pixels[1] = Math.floor(count / 256) % 256;
    host.frames!.write(pixels, 640 * 3, systemClock.epochNs(), systemClock.nowNs());
  }, 33);
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 1500 && !condition(); turn++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  if (!condition()) throw new Error(`never happened: ${what}`);
}

it("loads, approaches, runs, stops, runs again and ends", async () => {
  const manifest = await makeTestBundle(join(folder, "bundle"), { rateHz: 20 });
  await makeHost();
  await host.configure();
  expect(host.status()).toMatchObject({
    phase: "ready",
    bundle: { policy: "test-bundle", precision: "fp32", rateHz: 20 },
  });
  const steps: StepRecord[] = [];
  host.onStep((record) => steps.push(record));
  startCamera();
  await host.start();
  await expect(host.start()).rejects.toMatchObject({ code: "ALREADY_RUNNING" });
  await until(() => steps.filter((step) => step.commandWireNs !== undefined).length >= 10, "ten steps");
  const commanded = steps.find((step) => step.commandWireNs !== undefined)!;
  expect(commanded.targetRad).toHaveLength(7);
  expect(commanded.encodeMs).toBeGreaterThan(0);
  expect(commanded.imageToWireMs).toBeGreaterThan(0);
  const command = servo.commands.find(({ seq }) => seq === commanded.commandSeq)!;
  expect([...command.positionRad]).toEqual(commanded.targetRad);
  expect(Number(command.expiresNs - commanded.startNs) / 1e6).toBe(manifest.expiryMs);
  expect(servo.commands[0]).toMatchObject({ speedScale: 0.3 });
  expect(servo.openingsM).toEqual([0.08]);
  await host.stop();
  expect(host.status()).toMatchObject({ phase: "ready", failure: undefined });
  const sentCount = servo.commands.length;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(servo.commands).toHaveLength(sentCount);
  await host.start();
  await until(() => servo.commands.length > sentCount + 15, "steps of the second run");
  await host.close();
  expect(host.status().phase).toBe("closed");
  expect(servo.peerNames()).toEqual([]);
});

it("two workers after one another in one process both load the engine", async () => {
  await makeTestBundle(join(folder, "bundle"));
  for (let turn = 0; turn < 2; turn++) {
    await (await makeHost()).configure();
    await host.close();
  }
});

it("hands on why a bundle is refused, and can still be closed", async () => {
  await makeTestBundle(join(folder, "bundle"), { joints: ["a", "b", "c", "d", "e", "f", "g"] });
  await makeHost();
  await expect(host.configure()).rejects.toMatchObject({ code: "BUNDLE_MISMATCH" });
  expect(host.status()).toMatchObject({ phase: "failed", failure: { code: "BUNDLE_MISMATCH" } });
  await expect(host.start()).rejects.toMatchObject({ code: "NOT_RUNNING" });
});

it("reports a refused lease and a lost one, and starts again afterwards", async () => {
  await makeTestBundle(join(folder, "bundle"), { rateHz: 20 });
  await makeHost();
  await host.configure();
  startCamera();
  servo.refuse = new CerebellumError("LEASE_REFUSED", "teleop commands", "Stop it first");
  await expect(host.start()).rejects.toMatchObject({ code: "LEASE_REFUSED", happened: "teleop commands" });
  servo.refuse = undefined;
  await host.start();
  await until(() => host.status().phase === "running", "running");
  servo.revoke("an operator's stop");
  await until(() => host.status().phase === "failed", "failed");
  expect(host.status().failure?.happened).toMatch(/an operator's stop/);
  await host.start();
  await until(() => (host.status().statistics?.commands ?? 0) > 2, "commands after the failure");
});
