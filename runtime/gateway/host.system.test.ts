/** The daemon's side with the real thread: its life, its death, and what crosses between them. Needs the build. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { entryUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import type { PairAnswer } from "../../core/gateway/library.js";
import type { GatewayRequest } from "../../core/gateway/requests.js";
import { systemClock as clock } from "../../launch/systemClock.js";
import { freePorts } from "../../test/support/cell.js";
import { soon, TestClient } from "../../test/support/gateway.js";
import { SocketFakeServo } from "../../test/support/policy/socketFakeServo.js";
import { GatewayConfig } from "./config.js";
import { GatewayHost, type GatewayHostOptions, type StoppedByGateway } from "./host.js";
import { testSetup } from "./partTesting.js";

let folder: string;
let servo: SocketFakeServo;
let host: GatewayHost;
let port: number;
let restartsLeft: number;
let logged: string[];
let stopped: StoppedByGateway[];
let asked: [GatewayRequest, string][];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "gateway-"));
  servo = new SocketFakeServo(clock);
  await servo.listen(join(folder, "arm.sock"));
  [port] = (await freePorts(1)) as [number];
  restartsLeft = 1;
  logged = [];
  stopped = [];
  asked = [];
});
afterEach(async () => {
  await host.close();
  await servo.close();
  rmSync(folder, { recursive: true, force: true });
});

function make(over: Partial<GatewayHostOptions> = {}): GatewayHost {
  host = new GatewayHost({
    entry: entryUrl("../../launch/processes/gatewayWorker.js", import.meta.url),
    clock,
    setup: testSetup({
      gateway: GatewayConfig.parse({ port }),
      stateFolder: join(folder, "state"),
      calibrationFolder: join(folder, "state", "calibration"),
      sockets: { arm: join(folder, "arm.sock") },
    }),
    restart: { delayMs: 20, take: () => restartsLeft-- > 0 },
    log: (level, event, text) => logged.push(`${level} ${event}: ${text}`),
    answer: async (request, client) => {
      asked.push([request, client]);
      if (request.do === "reset") throw new CerebellumError("DEVICE_FAULT", "joint 3 is hot", "Let it cool");
      return "done";
    },
    onStopped: (stop) => stopped.push(stop),
    onRecord: () => {},
    onVelocity: () => {},
    ...over,
  });
  return host;
}

async function client(): Promise<TestClient> {
  const { code } = await host.pair("operator");
  const response = await fetch(`http://127.0.0.1:${port}/api/pair`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code, name: "tester" }),
  });
  const paired = (await response.json()) as PairAnswer;
  if (!paired.ok) throw new Error(paired.happened);
  const one = new TestClient(new WebSocket(`ws://127.0.0.1:${port}/ws`));
  await one.opened;
  one.hello(paired.token);
  await one.next("welcome");
  return one;
}

/** A thread that says it is ready, speaks nonsense, and dies of the first event that it is told. */
const FRAIL = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from "node:worker_threads";
    const ready = { kind: "ready", port: 1, addresses: [], fingerprint: null, certificateDaysLeft: null };
    parentPort.postMessage({ kind: "stopped", reason: 5 });
    parentPort.postMessage(null);
    parentPort.postMessage(ready);
    parentPort.postMessage({ kind: "teleop", status: { state: "engaged" } });
    parentPort.postMessage({ kind: "watch", cameras: [{ camera: "wrist", rateHz: 5 }], topics: [2] });
    parentPort.on("message", ({ kind }) => {
      if (kind === "event") throw new Error("a defect");
      if (kind === "close") parentPort.close();
    });`)}`,
);
const crash = () => host.event({ epochMs: 0, level: "info", source: "test", text: "", remedy: "" });
const until = (state: string) => soon(() => (host.status().state === state ? true : undefined), 15);

describe("the gateway's host", () => {
  it("starts a thread that lets people in, asks for them, and stops robots for them", async () => {
    await make().start();
    expect(host.status()).toMatchObject({ state: "up", port, addresses: [`http://localhost:${port}`] });
    const { urls, fingerprint } = await host.pair("observer");
    expect(urls).toEqual([expect.stringMatching(/^http:\/\/localhost:\d+\/#pair=[A-Z2-9]{8}$/)]);
    expect(fingerprint).toMatch(/^([0-9A-F]{2}:){31}/);
    const one = await client();
    expect(await one.request({ do: "enable" })).toMatchObject({ kind: "answer", message: "done" });
    expect(await one.request({ do: "reset" })).toMatchObject({
      kind: "refusal",
      code: "DEVICE_FAULT",
      happened: "joint 3 is hot",
      remedy: "Let it cool",
    });
    expect(asked).toEqual([
      [{ do: "enable" }, "program tester"],
      [{ do: "reset" }, "program tester"],
    ]);
    one.send({ kind: "stop", reason: "now" });
    await soon(() => stopped[0]);
    expect(stopped[0]).toMatchObject({ category: 2, reason: "program tester: now", failures: [] });
    const [item] = host.diagnostics();
    expect(item).toMatchObject({ name: "gateway: console", level: "ok" });
    expect(item!.values).toMatchObject({ clients: 1, operators: 1, certificateDaysLeft: 396 });
    one.socket.terminate();
    await soon(() => (host.status().clients.length === 0 ? true : undefined));
  });

  it("starts a thread that died again, within its rule, then lets it be; nothing else happens", async () => {
    await make({ entry: FRAIL }).start();
    await soon(() => (host.watchedCameras.get("wrist") === 5 ? true : undefined));
    expect([...host.watchedTopics]).toEqual([2]);
    const pairing = host.pair("operator");
    crash();
    await expect(pairing).rejects.toMatchObject({ code: "NOT_RUNNING" });
    // Nobody looks at a camera through a gateway that is gone.
    expect(host.watchedCameras.size).toBe(0);
    await soon(() => (host.status().restarts === 1 ? true : undefined), 15);
    await until("up");
    expect(logged.join("\n")).toMatch(/error gatewayDied: The gateway's thread failed: a defect/);
    crash();
    await until("down");
    expect(host.diagnostics()[0]).toMatchObject({
      level: "error",
      message: expect.stringMatching(/^down: /),
    });
    await expect(host.pair("operator")).rejects.toMatchObject({ code: "NOT_RUNNING" });
    expect([stopped, asked]).toEqual([[], []]);
  });

  it("passes over nonsense of either side: neither ends the other", async () => {
    await make({ entry: FRAIL }).start();
    await soon(() =>
      logged.filter((line) => line.includes("that is none")).length === 3 ? true : undefined,
    );
    expect(host.status().state).toBe("up");
    await host.close();
    await make().start();
    for (let count = 0; count < 50; count++) host.state({ policy: "nonsense" } as never);
    const one = await client();
    expect(await one.request({ do: "enable" })).toMatchObject({ kind: "answer" });
    expect(
      logged.filter((line) => /the daemon said a "state" that is none/.test(line)).length,
    ).toBeLessThanOrEqual(6);
    expect(host.status().restarts).toBe(0);
  });

  it("says at the start what is in the way, and does not try again", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
    await expect(make().start()).rejects.toMatchObject({
      code: "PORT_IN_USE",
      happened: expect.stringContaining(String(port)),
      remedy: expect.stringMatching(/gateway\.port/),
    });
    expect(restartsLeft).toBe(1);
    await new Promise((resolve) => other.close(resolve));
  });

  it("ends in order: clients are told, and the port is free again", async () => {
    await make().start();
    const one = await client();
    await host.close();
    expect((await one.closed).code).toBe(1001);
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    await new Promise((resolve) => server.close(resolve));
  });
});
