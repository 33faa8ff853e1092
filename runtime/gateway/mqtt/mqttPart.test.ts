import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { afterEach, describe, expect, it } from "vitest";
import { CalibrationStatus, DeviceList } from "../../../core/gateway/library.js";
import type { Role } from "../../../core/gateway/requests.js";
import { PoseMessage } from "../../../core/teleop/pose.js";
import { systemClock } from "../../../launch/systemClock.js";
import { freePorts } from "../../../test/support/cell.js";
import { TestGateway } from "../../../test/support/gateway.js";
import { GatewayConfig } from "../config.js";
import type { GatewayPart, PoseArrival } from "../part.js";
import { PART_FACTORIES } from "../parts.js";
import { HapticMessage, MqttInfo, MqttTelemetry, mqttTopics, StateMessage, StopAck } from "./topics.js";

const topics = mqttTopics("cerebellum", "test");
const arrivals: PoseArrival[] = [];
const malformed: string[] = [];
const cleanups: (() => Promise<void> | void)[] = [];
let mqttPort = 0;

/** Sees what reaches the parts. */
const probe: GatewayPart = {
  onPose: (arrival) => void arrivals.push(arrival),
  onMalformed: (_client, why) => void malformed.push(why),
};

async function begin(over: Record<string, unknown> = {}): Promise<TestGateway> {
  arrivals.length = 0;
  malformed.length = 0;
  [mqttPort] = (await freePorts(1)) as [number];
  const { mqtt: config } = GatewayConfig.parse({ mqtt: { port: mqttPort, telemetryHz: 10, ...over } });
  const gateway = await TestGateway.start({
    gateway: { mqtt: config },
    factories: [...PART_FACTORIES, () => probe],
  });
  cleanups.push(() => gateway.close());
  return gateway;
}
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function open(url: string, device: string, token: string, over: Partial<IClientOptions> = {}) {
  const client = mqtt.connect(url, {
    username: device,
    password: token,
    clientId: "bridge",
    reconnectPeriod: 0,
    keepalive: 30,
    ...over,
  });
  client.on("error", () => {});
  cleanups.push(() => void client.end(true));
  await new Promise<void>((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("close", () => reject(new Error("refused")));
  });
  return client;
}
const bridge = async (gateway: TestGateway, role: Role = "operator", device = "vive-1") =>
  open(`mqtt://127.0.0.1:${mqttPort}`, device, await gateway.token(role, device));

async function listen(client: MqttClient, topic: string): Promise<string[]> {
  const heard: string[] = [];
  client.on("message", (at, payload) => {
    if (at === topic) heard.push(payload.toString());
  });
  await client.subscribeAsync(topic, { qos: 1 });
  return heard;
}
const until = (look: () => unknown) => expect.poll(look, { timeout: 15_000, interval: 5 });

let seq = 0;
const poseOf = (change: Record<string, unknown> = {}, hand: Record<string, unknown> = {}): string =>
  JSON.stringify({
    v: 1,
    source: "vive",
    device: "vive-1",
    session: "session-1",
    seq: seq++,
    deviceTimeMs: 10 * seq,
    space: "openvr-standing",
    visibility: "visible",
    head: null,
    hands: [
      {
        hand: "right",
        mode: "controller",
        tracked: true,
        pose: { positionM: [0.1, 1.2, -0.3], quatXyzw: [0, 0, 0, 1] },
        clutch: 0,
        gripper: 0,
        buttons: { a: false, b: false, stick: false },
        stick: [0, 0],
        joints: null,
        ...hand,
      },
    ],
    ...change,
  });
const send = (client: MqttClient, text: string) => client.publish(topics.pose("vive-1"), text, { qos: 0 });

describe("MQTT of the gateway", () => {
  it("brings poses over TCP and over the gateway's own port to the parts, as they are", async () => {
    const gateway = await begin();
    const token = await gateway.token("operator", "vive-1");
    for (const url of [`mqtt://127.0.0.1:${mqttPort}`, `ws://127.0.0.1:${gateway.port}/mqtt`]) {
      const client = await open(url, "vive-1", token);
      const before = arrivals.length;
      for (let i = 0; i < 30; i++) send(client, poseOf());
      await until(() => arrivals.length).toBe(before + 30);
      client.end();
    }
    for (const { client, pose, receivedNs } of arrivals) {
      expect(PoseMessage.parse(pose)).toEqual(pose);
      expect(client).toMatchObject({ name: "mqtt vive-1", kind: "mqtt", role: "operator" });
      expect(Number(systemClock.nowNs() - receivedNs)).toBeLessThan(5e9);
    }
    expect(arrivals[0]!.client.id).not.toBe(arrivals[40]!.client.id);
    await until(() => arrivals[40]!.client.closed.aborted).toBe(true);
  });

  it.each([
    ["no JSON", "hello", /not JSON/],
    ["a number that is none", poseOf().replace("1.2", "1e999"), /positionM/],
    ["another device's name", poseOf({ device: "vive-2" }), /it says vive-2, its topic says vive-1/],
    ["something unknown", poseOf({ more: 1 }), /more/],
    ["17 kB", `${poseOf()}${" ".repeat(17_000)}`, /bytes, at most 16384/],
  ])("hands %s on as the news that it was malformed, and goes on", async (_name, text, expected) => {
    const client = await bridge(await begin());
    send(client, text);
    await until(() => malformed).toHaveLength(1);
    expect(malformed[0]).toMatch(expected);
    send(client, poseOf());
    await until(() => arrivals).toHaveLength(1);
  });

  it("tells its state to whoever comes, telemetry at its rate, and presence", async () => {
    const gateway = await begin();
    const client = await bridge(gateway, "observer", "fleet");
    const states = await listen(client, topics.state);
    await until(() => states.length).toBeGreaterThan(0);
    await until(() =>
      StateMessage.parse(JSON.parse(states.at(-1)!)).clients.map(({ name }) => name),
    ).toContain("mqtt fleet");
    expect(StateMessage.parse(JSON.parse(states.at(-1)!))).toMatchObject({
      online: true,
      cell: "test",
      robots: { arm: { state: "unknown" } },
      teleop: { state: "off" },
    });
    const telemetry = await listen(client, topics.telemetry);
    await until(() => telemetry.length).toBeGreaterThan(1);
    expect(MqttTelemetry.parse(JSON.parse(telemetry[0]!)).v).toBe(1);
  });

  it("stops at once whatever the message is like, and answers", async () => {
    const gateway = await begin();
    const client = await bridge(gateway, "observer", "tablet");
    const acks = await listen(client, topics.stopAck);
    client.publish(topics.stop, '{"id":"a1","reason":"smoke"}', { qos: 1 });
    await until(() => acks).toHaveLength(1);
    expect(StopAck.parse(JSON.parse(acks[0]!))).toMatchObject({ id: "a1", by: "tablet" });
    expect(gateway.ofKind("stopped")[0]).toMatchObject({
      category: 2,
      reason: expect.stringContaining("smoke"),
    });
    for (const text of ["", "not json", '{"id":5,"reason":{}}', "null", "[]"])
      client.publish(topics.stop, text, { qos: 1 });
    await until(() => gateway.ofKind("stopped")).toHaveLength(6);
    await until(() => acks).toHaveLength(6);
  });

  it("hears nothing more of a bridge from the moment that it is revoked", async () => {
    const gateway = await begin();
    const client = await bridge(gateway);
    const page = await gateway.client("operator", "anna", "console");
    const connected = async () => {
      const answer = await page.request({ do: "listDevices" });
      return answer.kind === "answer"
        ? DeviceList.parse(answer.data).devices.map((one) => [one.device, one.connected])
        : answer;
    };
    send(client, poseOf());
    await until(() => arrivals).toHaveLength(1);
    expect(await connected()).toEqual([
      ["vive-1", true],
      ["anna", true],
    ]);
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    expect(await page.request({ do: "revokeDevice", device: "vive-1" })).toMatchObject({ kind: "answer" });
    expect(
      gateway
        .ofKind("clients")
        .at(-1)!
        .clients.map(({ name }) => name),
    ).toEqual(["console anna"]);
    // A hand that still moves, and a button that would start a recording.
    send(client, poseOf());
    send(client, poseOf({}, { buttons: { a: true, b: false, stick: false } }));
    await closed;
    expect(arrivals).toHaveLength(1);
    expect(gateway.ofKind("request")).toEqual([]);
    expect(await connected()).toEqual([["anna", true]]);
  });

  it("gives a bridge that has a token what else it needs", async () => {
    const gateway = await begin();
    const token = await gateway.token("operator", "vive-1");
    const ask = (headers: Record<string, string>) => fetch(`${gateway.origin}/api/mqtt`, { headers });
    expect((await ask({})).status).toBe(401);
    const reply = await ask({ authorization: `Bearer ${token}` });
    expect(MqttInfo.parse(await reply.json())).toEqual({ v: 1, root: topics.root, path: "/mqtt" });
  });

  it("records, discards and recentres by the buttons of a device, answers in the hand, and only on a press", async () => {
    const gateway = await begin();
    const client = await bridge(gateway);
    const pulses = await listen(client, topics.haptic("vive-1"));
    const press = (buttons: Record<string, boolean>, hand: Record<string, unknown> = {}) =>
      send(client, poseOf({}, { buttons: { a: false, b: false, stick: false, ...buttons }, ...hand }));
    const asked = () => gateway.ofKind("request").map(({ request }) => request.do);
    press({ a: true });
    press({});
    // Held for the buttons, not yet for teleoperation.
    press({ a: true }, { clutch: 0.7 });
    press({});
    press({ stick: true });
    press({});
    press({ a: true });
    press({ a: true });
    await until(asked).toEqual(["startRecording"]);
    await until(() => pulses).toHaveLength(1);
    expect(HapticMessage.parse(JSON.parse(pulses[0]!))).toMatchObject({ hand: "right", strength: 0.6 });
    gateway.post({
      kind: "state",
      policy: null,
      activity: "",
      cameras: {},
      recorder: {
        state: "recording",
        task: "t",
        episode: "episode-000001",
        seconds: 1,
        bytes: 1,
        dropped: 0,
        lostBefore: 0,
        diskFreeBytes: 1,
        message: "",
        lastOutcome: "",
        lastFlags: [],
      },
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    press({});
    press({ a: true });
    await until(asked).toEqual(["startRecording", "stopRecording"]);
    press({});
    await until(() => pulses).toHaveLength(2);
    press({ stick: true });
    await until(asked).toEqual(["startRecording", "stopRecording", "discardRecording"]);
    press({});
    await until(() => pulses).toHaveLength(3);
    press({ b: true });
    await until(() => pulses).toHaveLength(4);
    expect(HapticMessage.parse(JSON.parse(pulses[3]!))).toMatchObject({
      strength: 1,
      why: expect.stringContaining("Nobody has taken teleoperation"),
    });
  });

  it("calibrates a tracker over the whole way: its poses by MQTT, the person's page by WebSocket", async () => {
    const gateway = await begin();
    const client = await bridge(gateway);
    const page = await gateway.client("operator", "anna", "console");
    const ask = async (request: Parameters<typeof page.request>[0]) => {
      const answer = await page.request(request);
      if (answer.kind === "refusal") throw new Error(answer.happened);
      return CalibrationStatus.parse(answer.data);
    };
    await ask({ do: "calibrationStart", device: "vive-1" });
    await expect(ask({ do: "calibrationStroke", phase: "begin" })).rejects.toThrow("No poses come");
    let at = [0, 1, 0];
    const go = async (to: readonly number[], hand: Record<string, unknown> = {}) => {
      const from = at;
      const before = arrivals.length;
      for (let i = 1; i <= 25; i++) {
        at = from.map((value, axis) => value + ((to[axis]! - value) * i) / 25);
        send(client, poseOf({}, { pose: { positionM: at, quatXyzw: [0, 0, 0, 1] }, ...hand }));
      }
      await until(() => arrivals.length).toBe(before + 25);
    };
    await go([0, 1, 0], { clutch: 1 });
    await expect(ask({ do: "calibrationStroke", phase: "begin" })).rejects.toThrow(
      "clutch of vive-1 is held",
    );
    for (const [x, y, z] of [
      [0, 1, -0.3],
      [-0.3, 1, -0.3],
      [-0.3, 1.3, -0.3],
    ] as const) {
      await go(at);
      await ask({ do: "calibrationStroke", phase: "begin" });
      await go([x, y, z]);
      await ask({ do: "calibrationStroke", phase: "end" });
    }
    const other = await gateway.client("operator", "ben", "console");
    expect(await other.request({ do: "calibrationFinish", keep: true })).toMatchObject({
      code: "NOT_RUNNING",
    });
    const status = await ask({ do: "calibrationFinish", keep: true });
    expect(status.running).toBeNull();
    expect(status.known).toMatchObject([{ device: "vive-1", space: "openvr-standing" }]);
    expect(status.known[0]!.residualDeg).toBeLessThan(0.1);
  });

  it("refuses a port that is taken", async () => {
    await begin();
    const { mqtt: config } = GatewayConfig.parse({ mqtt: { port: mqttPort } });
    await expect(TestGateway.start({ gateway: { mqtt: config } })).rejects.toMatchObject({
      code: "PORT_IN_USE",
    });
  });

  it("takes no password in a broker's address: the cell file is shown and recorded", () => {
    const parse = (broker: string) => GatewayConfig.safeParse({ mqtt: { broker } }).success;
    expect(["mqtt://broker:1883", "mqtts://broker", "wss://broker/mqtt", "embedded"].map(parse)).toEqual(
      Array(4).fill(true),
    );
    expect(
      ["mqtt://me:secret@broker", "wss://me@broker/mqtt", "http://broker", "broker:1883"].map(parse),
    ).toEqual(Array(4).fill(false));
  });

  it("refuses a password's file that cannot be read or is empty", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cerebellum-mqtt-"));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "password");
    const start = () => {
      const { mqtt: config } = GatewayConfig.parse({
        mqtt: { broker: "mqtt://127.0.0.1:1", passwordFile: file },
      });
      return TestGateway.start({ gateway: { mqtt: config } });
    };
    await expect(start()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    writeFileSync(file, "\n");
    await expect(start()).rejects.toThrow(/first line .* is empty/);
  });
});
