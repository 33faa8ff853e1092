/** The lab of a Digit as a process: both of its wires with the real links at the other end, and its control socket. */
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { entryUrl } from "../core/entry.js";
import { DigitJsonLink } from "../drivers/digit/jsonLink.js";
import { createCommand } from "../drivers/digit/protocol/index.js";
import { DigitUdpLink } from "../drivers/digit/udpLink.js";
import { systemClock } from "../launch/systemClock.js";
import { LabClient } from "./control/client.js";
import { COMMAND_TIMEOUT_MS } from "./digit/specs.js";

const entry = fileURLToPath(entryUrl("../launch/processes/labMain.js", import.meta.url));
const ATTEMPTS_MAX = 20;
const host = "127.0.0.1";
const never = new AbortController().signal;

let folder: string;
let child: ChildProcess;
let client: LabClient;
let sends: boolean;
const links: { close(): Promise<void> }[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "digit-lab-"));
  sends = false;
});
afterEach(async () => {
  sends = false;
  client?.close();
  for (const link of links.splice(0)) await link.close();
  child?.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

async function freeUdpPort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, host, resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

async function start(digit: object) {
  const controlSocket = join(folder, "lab.sock");
  const observation = await freeUdpPort();
  child = spawn(process.execPath, [entry], { stdio: ["pipe", "pipe", "ignore"] });
  const config = {
    lab: { world: "ground", digit },
    digit: { host, ports: { command: 0, observation, json: 0 } },
    cameras: [],
    controlSocket,
  };
  child.stdin!.write(`${JSON.stringify(config)}\n`);
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`the lab ended with ${code}`)));
  });
  const ready = JSON.parse(line) as { digitPorts: { command: number; observation: number; json: number } };
  client = await LabClient.connect(controlSocket);
  return ready.digitPorts;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let wait = 0; wait < 1000 && !(await isSo()); wait++) await sleep(10);
  expect(await isSo()).toBe(true);
}

it("stands, gives low-level control to who asks in the right order, and damps 50 ms after the last command", async () => {
  const ports = await start({ scene: "flat" });
  const udp = new DigitUdpLink({
    clock: systemClock,
    host,
    commandPort: ports.command,
    observationPort: ports.observation,
  });
  const json = new DigitJsonLink({ clock: systemClock, host, port: ports.json });
  links.push(udp, json);
  const command = createCommand();
  await udp.open(never);
  await json.open(never);
  await expect(json.takeControl(never)).rejects.toThrow(/no low-level commands/);
  sends = true;
  const sending = (async () => {
    for (; sends; await sleep(2)) udp.send(command);
  })();
  await until(() => udp.state === "live");
  expect(udp.missing).toEqual([]);
  const { digit: standing } = await client.ask({ do: "digitTruth" });
  expect(standing).toMatchObject({ mode: "locomotion", isUpright: true });
  // On a busy machine this process may be silent for longer than the robot bears: then somebody tries again.
  command.torqueNm.fill(1);
  for (let attempt = 0; attempt < ATTEMPTS_MAX && !(await isCommanded()); attempt++) {
    command.apply = false;
    await json.takeControl(never).catch(() => {});
    command.apply = true;
    await sleep(50);
  }
  expect(await isCommanded()).toBe(true);
  sends = false;
  await sending;
  await until(async () => (await wire()).modes.at(-1)?.why === "timeout");
  const { modes, quietSinceMs, lastCommandMs } = await wire();
  const { digit: status } = await client.ask({ do: "digitStatus" });
  expect(modes.at(-1)?.mode).toBe("damping");
  // In the robot's own time, of one millisecond steps; what its process lost it has not lived through.
  const dampedMs = quietSinceMs! - lastCommandMs;
  expect(dampedMs).toBeGreaterThan(COMMAND_TIMEOUT_MS);
  expect(dampedMs).toBeLessThanOrEqual(COMMAND_TIMEOUT_MS + 1 + Number(status!.skippedMs));
  await expect(client.ask({ do: "truth" })).rejects.toThrow(/has a Digit and nothing else/);
  const { digit: elsewhere } = await client.ask({ do: "digitScene", scene: "slope-up-4" });
  expect(elsewhere).toMatchObject({ mode: "locomotion", isUpright: true });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
});

interface Wire {
  readonly spans: readonly { readonly cause: string }[];
  readonly modes: readonly { readonly mode: string; readonly why: string }[];
  readonly quietSinceMs: number | null;
  readonly lastCommandMs: number;
}

const isCommanded = async () => (await wire()).spans.some(({ cause }) => cause === "command");

async function wire(): Promise<Wire> {
  const { digit } = await client.ask({ do: "digitWire", since: 0, records: false, clear: false });
  return digit as unknown as Wire;
}
