import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { LabClient } from "../control/client.js";
import { LabSetup } from "../setup.js";
import { type GroundLab, startGroundLab } from "./groundLab.js";

let folder: string;
let lab: GroundLab;
let client: LabClient;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "ground-lab-"));
  const controlSocket = join(folder, "lab.sock");
  const setup = LabSetup.parse({
    lab: { world: "ground", clock: "lockstep", digit: { body: "ideal" } },
    digit: { ports: { command: 0, observation: 25_999, json: 0 } },
    cameras: [],
    controlSocket,
  });
  const workerUrl = new URL("file:///unused");
  lab = await startGroundLab({ setup, clock: new SimClock(), workerUrl, onFailure: () => {} });
  client = await LabClient.connect(controlSocket);
});
afterEach(async () => {
  client.close();
  await lab.close();
  rmSync(folder, { recursive: true });
});

it("in lock-step moves the robot's time on by whole milliseconds, and by nothing else", async () => {
  expect((await client.ask({ do: "step", ms: 25 })).digit).toMatchObject({
    simulatedS: 0.025,
    isUpright: true,
  });
  expect((await client.ask({ do: "digitTruth" })).digit).toMatchObject({ simulatedS: 0.025 });
  await expect(client.ask({ do: "step", ms: 0.5 })).rejects.toThrow(/no whole number of milliseconds/);
});

it("takes faults, tells what the motors got, and opens the ports that it tells", async () => {
  const { ports } = await client.ask({ do: "ports" });
  expect(ports!.command! > 0 && ports!.json! > 0).toBe(true);
  const { digit } = await client.ask({ do: "digitFault", fault: { emergencyStop: {} } });
  expect(digit).toMatchObject({ faults: ["emergencyStop"] });
  await client.ask({ do: "step", ms: 2 });
  const wire = (await client.ask({ do: "digitWire", since: 0, records: true, clear: false })).digit;
  expect(wire).toMatchObject({ records: [], spans: [{ cause: "unpowered", effect: "limp" }] });
  expect(await lab.counters()).toMatchObject({ timeouts: 0, skippedMs: 0 });
});

it("refuses what is for a lab of arms and hands, and says what it knows", async () => {
  await expect(client.ask({ do: "handStatus" })).rejects.toThrow(/handStatus is not for it/);
});

it("is refused a Digit with a camera's world, and a ground without a Digit", () => {
  const ground = { lab: { world: "ground" }, cameras: [] };
  expect(LabSetup.safeParse(ground).success).toBe(false);
  const digit = { ports: { command: 1, observation: 2, json: 3 } };
  expect(LabSetup.safeParse({ ...ground, digit }).success).toBe(true);
  expect(LabSetup.safeParse({ ...ground, digit, lab: { world: "palm" } }).success).toBe(false);
});
