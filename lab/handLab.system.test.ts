/** The lab of a hand as a process: its serial port, its control socket, and both kinds of time. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterEach, beforeEach, expect, it } from "vitest";
import { entryUrl } from "../core/entry.js";
import { SlcanConfig } from "../drivers/can/config.js";
import { openSlcanBus } from "../drivers/can/slcanBus.js";
import { systemClock } from "../launch/systemClock.js";
import { WorldView } from "./camera/worldView.js";
import { LabConfig } from "./config.js";
import { LabClient } from "./control/client.js";
import { layoutOf } from "./world/layout.js";
import { WorldMemory } from "./world/memory.js";
import { Physics } from "./world/physics.js";
import { standWorld, TEST_OVERHEAD_CAMERA } from "./world/testing.js";
import { drawWorldScene } from "./world/worldScene.js";

const entry = fileURLToPath(entryUrl("../launch/processes/labMain.js", import.meta.url));
const FLAT_RAD = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.263, 0, 0, 0];
/** Identifiers: period, servo on, servo off, positions of the thumb. */
const [PERIOD, ON, OFF, THUMB] = [0x204, 0x100, 0x104, 0x08c];

let folder: string;
let started: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hand-lab-"));
  started = [];
});
afterEach(() => {
  for (const child of started) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

async function start(lab: object) {
  const controlSocket = join(folder, "lab.sock");
  const path = join(folder, "made", "hand");
  const child = spawn(process.execPath, [entry], { stdio: ["pipe", "pipe", "ignore"] });
  started.push(child);
  const hand = { ...standWorld().hand!, path };
  const config = {
    lab: { world: "palm", ...lab },
    hand,
    cameras: [TEST_OVERHEAD_CAMERA],
    controlSocket,
    ros: false,
  };
  child.stdin!.write(`${JSON.stringify(config)}\n`);
  const line = await new Promise<string>((resolve) =>
    createInterface({ input: child.stdout! }).once("line", resolve),
  );
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, ready: JSON.parse(line), client: await LabClient.connect(controlSocket), path, exited };
}

const frame = (id: number, data: readonly number[] = []) => ({
  id,
  isExtended: false,
  isRemote: false,
  length: data.length,
  data: Uint8Array.from(data),
});

/** A host on the port: what it hears is counted by identifier. */
async function host(path: string) {
  const heard = new Map<number, number>();
  const onFrame = ({ id }: { readonly id: number }) => void heard.set(id, (heard.get(id) ?? 0) + 1);
  const open = openSlcanBus({ ...SlcanConfig.parse({ path }), clock: systemClock });
  const bus = await open({ onFrame, onState: () => {} }, new AbortController().signal);
  const until = async (isSo: () => boolean) => {
    for (let wait = 0; wait < 400 && !isSo(); wait++) await sleep(10);
    expect(isSo()).toBe(true);
  };
  return { bus, heard, until };
}
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it("paced: streams at its port, arranges scenes, tells the truth and takes faults", async () => {
  const { child, ready, client, path, exited } = await start({});
  expect(ready).toMatchObject({ handPort: path, ports: {} });
  await client.ask({ do: "handPose", positionRad: FLAT_RAD });
  const scene = {
    do: "handScene",
    seed: 7,
    object: "red-brick",
    placeM: [-0.02, -0.045],
    light: "changed",
  } as const;
  const { handTruth } = await client.ask({ ...scene, placeM: [...scene.placeM] });
  expect(handTruth).toMatchObject({ object: "red-brick" });
  expect(handTruth!.centreM[1]).toBeCloseTo(-0.02, 3);
  expect(handTruth!.topM[0]).toBeGreaterThan(handTruth!.centreM[0] + 0.01);
  const { bus, heard, until } = await host(path);
  bus.write([frame(PERIOD, [3, 0, 0, 0, 0, 0]), frame(ON)]);
  await until(() => (heard.get(THUMB) ?? 0) > 20);
  expect((await client.ask({ do: "handStatus" })).hand).toMatchObject({ isOn: true, isAdapterOpen: true });
  await expect(client.ask({ do: "handPose", positionRad: FLAT_RAD })).rejects.toThrow(/switched on/);
  await client.ask({ do: "handFault", fault: { loses: { fingers: ["thumb"], share: 1 } } });
  await sleep(50);
  const lost = heard.get(THUMB);
  await sleep(100);
  expect(heard.get(THUMB)).toBe(lost);
  bus.write([frame(OFF)]);
  const { hand } = await client.ask({ do: "handWire", since: 0, clear: false });
  expect(JSON.stringify(hand)).toContain("systemOn");
  const file = join(folder, "overhead.png");
  await client.ask({ do: "snapshot", camera: "overhead", file });
  expect(Math.max(...(await sharp(file).stats()).channels.map(({ stdev }) => stdev))).toBeGreaterThan(8);
  await expect(client.ask({ do: "snapshot", camera: "wrist", file })).rejects.toThrow(/overhead, scene/);
  await expect(client.ask({ do: "truth" })).rejects.toThrow(/no table of an arm/);
  await expect(client.ask({ do: "armFault", errorCode: 1 })).rejects.toThrow(/no arm/);
  await bus.close();
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
  expect(existsSync(path)).toBe(false);
});

it("in lock-step, stands still by itself, and a push turns the object the same way each time", async () => {
  const truths: string[] = [];
  for (let run = 0; run < 2; run++) {
    const { child, client, exited } = await start({ clock: "lockstep", physicsStepMs: 1 });
    await client.ask({ do: "handPose", positionRad: FLAT_RAD });
    await client.ask({
      do: "handScene",
      seed: 3,
      object: "red-brick",
      placeM: [-0.02, -0.045],
      light: "training",
    });
    await client.ask({ do: "step", ms: 100 });
    const before = (await client.ask({ do: "handTruth" })).handTruth!;
    await client.ask({ do: "push", on: "object", forceN: [0, 0.8, 0], ms: 50 });
    await client.ask({ do: "step", ms: 50 });
    await sleep(30);
    const after = (await client.ask({ do: "handTruth" })).handTruth!;
    expect(after.simulatedS).toBeCloseTo(0.15, 9);
    // The world's y is against the palm's.
    expect(after.centreM[1]).toBeLessThan(before.centreM[1] - 1e-3);
    truths.push(JSON.stringify({ ...after, atNs: "" }));
    await expect(client.ask({ do: "step", ms: 0.4 })).rejects.toThrow(/no multiple of 1 ms/);
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
  }
  expect(truths[1]).toBe(truths[0]);
});

/** The overhead picture of a scene, from the same physics in this process. */
async function pictureHere(object: string, look: LabConfig["randomise"]): Promise<Uint8ClampedArray> {
  const parts = standWorld();
  const request = { seed: 9, object, placeM: [-0.02, -0.045], light: "training", ...PALM } as const;
  const physics = await Physics.load(parts, 1, new WorldMemory(layoutOf(parts)));
  physics.teleportHand(Float64Array.from(FLAT_RAD));
  physics.applyScene(request, look);
  for (let ms = 0; ms < 100; ms++) physics.step();
  physics.world.kinematics();
  const view = new WorldView(physics.world, TEST_OVERHEAD_CAMERA, TEST_OVERHEAD_CAMERA);
  view.setScene(drawWorldScene(request, look));
  view.renderCamera(view.cameraIntrinsics());
  physics.dispose();
  return view.rgb;
}
const PALM = { props: "palm", side: "right" } as const;

it.each(["yellow-drum", "cyan-ell", "white-pyramid"])("shows %s as its physics has it", async (object) => {
  const look = LabConfig.parse({ randomise: { noise: false } }).randomise;
  const { child, client, exited } = await start({ clock: "lockstep", physicsStepMs: 1, randomise: look });
  await client.ask({ do: "handPose", positionRad: FLAT_RAD });
  await client.ask({ do: "handScene", seed: 9, object, placeM: [-0.02, -0.045], light: "training" });
  await client.ask({ do: "step", ms: 100 });
  const file = join(folder, "overhead.png");
  await client.ask({ do: "snapshot", camera: "overhead", file });
  const seen = await sharp(file).removeAlpha().raw().toBuffer();
  const wanted = await pictureHere(object, look);
  expect(seen.length).toBe(wanted.length);
  // Shadows and edges of a hand that has moved by micrometres.
  const other = wanted.filter((value, index) => Math.abs(value - seen[index]!) > 20).length;
  expect(other / wanted.length).toBeLessThan(1e-3);
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
});
