import { connect as connectTcp, type Socket } from "node:net";
import { duplexPair } from "node:stream";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Role } from "../../../core/gateway/requests.js";
import { systemClock } from "../../../launch/systemClock.js";
import type { BrokerListener } from "./broker.js";
import { EMBEDDED_LIMITS, EmbeddedBroker } from "./embeddedBroker.js";
import { mqttTopics } from "./topics.js";

/** Of vive-1 with its token. */
const CONNECT = Buffer.from("102000044d51545404c2001e00036964310006766976652d310007746f6b656e2d31", "hex");
const topics = mqttTopics("cerebellum", "lab");
const TOKENS = new Map<string, { device: string; role: Role }>();
const heard: string[] = [];
const poses: string[] = [];
const logged: string[] = [];
/** Tokens that the broker has asked about. */
const shown: string[] = [];
let broker: EmbeddedBroker;
const clients: MqttClient[] = [];
const sockets: Socket[] = [];

const listener: BrokerListener = {
  onPeer: ({ device, role }) => heard.push(`+${device} ${role}`),
  onPeerGone: ({ device }) => heard.push(`-${device}`),
  onPose: ({ device }, payload) => poses.push(`${device} ${Buffer.from(payload).toString()}`),
  onStop: (by, payload) => heard.push(`stop ${by} ${Buffer.from(payload).toString()}`),
};

beforeEach(async () => {
  for (const list of [heard, poses, logged, shown]) list.length = 0;
  TOKENS.set("token-1", { device: "vive-1", role: "operator" });
  TOKENS.set("token-2", { device: "vive-2", role: "operator" });
  TOKENS.set("token-o", { device: "tablet", role: "observer" });
  broker = await EmbeddedBroker.start({
    host: "127.0.0.1",
    port: 0,
    topics,
    clock: systemClock,
    authenticate: (token) => {
      shown.push(token);
      return TOKENS.get(token);
    },
    listener,
    log: (_level, event, text) => logged.push(`${event} ${text}`),
  });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true);
  for (const socket of sockets.splice(0)) socket.destroy();
  await broker.close();
});

function open(username: string, password: string, over: Partial<IClientOptions> = {}): MqttClient {
  const client = mqtt.connect(`mqtt://127.0.0.1:${broker.port}`, {
    username,
    password,
    clientId: "bridge",
    reconnectPeriod: 0,
    keepalive: 30,
    ...over,
  });
  client.on("error", () => {});
  clients.push(client);
  return client;
}
const connected = (client: MqttClient) =>
  new Promise<void>((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("error", reject);
    client.once("close", () => reject(new Error("closed")));
  });
const closed = (client: MqttClient) => new Promise<void>((resolve) => client.once("close", () => resolve()));
const until = (look: () => unknown) => expect.poll(look, { timeout: 15_000, interval: 5 });
async function device(name = "vive-1", token = "token-1", over: Partial<IClientOptions> = {}) {
  const client = open(name, token, over);
  await connected(client);
  return client;
}

describe("the embedded broker", () => {
  it("takes poses of a paired device from its own topic, at once and as they are", async () => {
    const client = await device();
    for (let seq = 0; seq < 20; seq++) client.publish(topics.pose("vive-1"), `pose ${seq}`, { qos: 0 });
    await until(() => poses.length).toBe(20);
    expect(poses[19]).toBe("vive-1 pose 19");
    expect(heard).toEqual(["+vive-1 operator"]);
    client.end();
    await until(() => heard).toEqual(["+vive-1 operator", "-vive-1"]);
  });

  it.each([
    ["an unknown token", "vive-1", "nonsense", {}, /do not belong together/],
    ["another device's token", "vive-1", "token-2", {}, /do not belong together/],
    ["no password", "vive-1", undefined, {}, /missing/],
    ["protocol 5", "vive-1", "token-1", { protocolVersion: 5 }, /MQTT 5; this broker speaks 3.1.1/],
    ["no keepalive", "vive-1", "token-1", { keepalive: 0 }, /keepalive of 0 s/],
    ["a keepalive of an hour", "vive-1", "token-1", { keepalive: 3600 }, /keepalive of 3600 s/],
    [
      "a pose as last will",
      "vive-1",
      "token-1",
      { will: { topic: topics.pose("vive-1"), payload: Buffer.from("x"), qos: 0, retain: false } },
      /last will/,
    ],
    [
      "a will in another device's name",
      "vive-1",
      "token-1",
      { will: { topic: topics.presence("vive-2"), payload: Buffer.from("x"), qos: 1, retain: true } },
      /presence\/vive-2 is not a topic/,
    ],
  ] as const)("refuses %s, and the log says why", async (_name, username, password, over, expected) => {
    const client = open(username, password as string, over as Partial<IClientOptions>);
    await expect(connected(client)).rejects.toThrow();
    await until(() => logged.join("\n")).toMatch(expected);
    expect(heard).toEqual([]);
  });

  it.each([
    ["a pose in another device's name", topics.pose("vive-2"), { qos: 0, retain: false }],
    ["a retained pose", topics.pose("vive-1"), { qos: 0, retain: true }],
    ["a pose with QoS 1", topics.pose("vive-1"), { qos: 1, retain: false }],
    ["state", topics.state, { qos: 0, retain: true }],
    ["a stop's answer", topics.stopAck, { qos: 1, retain: false }],
    ["another cell's topic", "cerebellum/other/stop", { qos: 0, retain: false }],
  ] as const)(
    "ends the connection of who publishes %s, and nothing comes of it",
    async (_name, topic, how) => {
      const client = await device();
      client.publish(topic, "x", how);
      await closed(client);
      expect(poses).toEqual([]);
      expect(heard.some((line) => line.startsWith("stop"))).toBe(false);
      await until(() => logged.join("\n")).toContain("mqttRefused");
    },
  );

  it.each([
    ["a token in the place of its name", "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyMTI"],
    ["a name of thirty kilobytes", "x".repeat(30_000)],
  ])("keeps %s out of the log", async (_what, username) => {
    const client = open(username, "nonsense");
    await expect(connected(client)).rejects.toThrow();
    await until(() => logged.join("\n")).toMatch(/do not belong together/);
    expect(logged.join("\n")).not.toContain(username);
    expect(logged.join("\n").length).toBeLessThan(1000);
  });

  it.each([
    ["with QoS 0", { qos: 0, retain: false }],
    ["with QoS 2", { qos: 2, retain: false }],
    ["retained", { qos: 1, retain: true }],
  ] as const)("hears a stop that is said %s, and keeps it for nobody", async (_how, how) => {
    const client = await device();
    client.publish(topics.stop, "now", how);
    await until(() => heard).toContain("stop vive-1 now");
    const stops = () => heard.filter((line) => line.startsWith("stop")).length;
    client.end(true);
    const again = await device();
    await again.subscribeAsync(topics.state);
    expect(stops()).toBe(1);
  });

  it("keeps nothing of a device that has gone before it was answered", async () => {
    for (let count = 0; count < 10; count++) {
      const [here, there] = duplexPair();
      broker.accept(here, "a flaky network");
      const ended = new Promise((resolve) => here.once("close", resolve));
      there.resume().end(CONNECT);
      await ended;
    }
    await until(() => shown).toContain("token-1");
    await new Promise((resolve) => setTimeout(resolve, 20));
    shown.length = 0;
    broker.dropUnauthorised();
    expect(shown).toEqual([]);
  });

  it("gives one computer's strangers only a few places: everybody else still gets in", async () => {
    let turnedAway = 0;
    for (let count = 0; count < EMBEDDED_LIMITS.connectionsMax; count++) {
      const socket = connectTcp({ port: broker.port, host: "127.0.0.1", localAddress: "127.0.0.2" });
      sockets.push(socket);
      socket.on("error", () => {});
      socket.resume();
      socket.once("close", () => turnedAway++);
    }
    await until(() => turnedAway).toBeGreaterThan(0);
    await device();
    expect(turnedAway).toBe(EMBEDDED_LIMITS.connectionsMax - EMBEDDED_LIMITS.strangersPerAddressMax);
  });

  it("takes nobody once it is closed", async () => {
    await broker.close();
    const [here] = duplexPair();
    broker.accept(here, "somebody");
    expect(here.destroyed).toBe(true);
  });

  it("refuses poses of an observer, and takes its stop", async () => {
    const client = await device("tablet", "token-o");
    client.publish(topics.stop, '{"id":"7"}', { qos: 1 });
    await until(() => heard).toContain('stop tablet {"id":"7"}');
    client.publish(topics.pose("tablet"), "x");
    await closed(client);
    expect(poses).toEqual([]);
  });

  it("gives the own haptic topic and refuses that of others", async () => {
    const client = await device();
    const granted = await client.subscribeAsync([topics.haptic("vive-1"), topics.state]);
    expect(granted.map(({ qos }) => qos)).toEqual([0, 0]);
    await expect(client.subscribeAsync(topics.haptic("vive-2"))).rejects.toThrow();
    await expect(client.subscribeAsync(`${topics.root}#`)).rejects.toThrow();
    const pulses: string[] = [];
    client.on("message", (topic, payload) => pulses.push(`${topic} ${payload.toString()}`));
    broker.publish(topics.haptic("vive-1"), "buzz", { qos: 0, retain: false });
    await until(() => pulses).toEqual([`${topics.haptic("vive-1")} buzz`]);
  });

  it("tells the presence of a device that vanished by its will, retained, after its poses have ended", async () => {
    const will = {
      topic: topics.presence("vive-1"),
      payload: Buffer.from("offline"),
      qos: 1,
      retain: true,
    } as const;
    const client = await device("vive-1", "token-1", { will });
    await client.publishAsync(topics.presence("vive-1"), "online", { qos: 1, retain: true });
    client.stream.destroy();
    await until(() => heard).toContain("-vive-1");
    const watcher = await device("tablet", "token-o");
    const presence: string[] = [];
    watcher.on("message", (_topic, payload) => presence.push(payload.toString()));
    await watcher.subscribeAsync(`${topics.root}presence/+`, { qos: 1 });
    await until(() => presence).toEqual(["offline"]);
  });

  it("lets the same device take its own place, and nobody else", async () => {
    const first = await device();
    const stranger = await device("vive-2", "token-2");
    stranger.publish(topics.pose("vive-2"), "still here");
    await until(() => poses).toContain("vive-2 still here");
    expect(first.connected).toBe(true);
    const again = open("vive-1", "token-1");
    await Promise.all([closed(first), connected(again)]);
    await until(() => heard).toEqual(["+vive-1 operator", "+vive-2 operator", "-vive-1", "+vive-1 operator"]);
  });

  it("keeps nothing for a device that is away, even when it asks for that", async () => {
    const first = await device("vive-1", "token-1", { clean: false });
    await first.subscribeAsync(topics.stopAck, { qos: 1 });
    first.end(true);
    await until(() => heard).toContain("-vive-1");
    broker.publish(topics.stopAck, "missed", { qos: 1, retain: false });
    const again = open("vive-1", "token-1", { clean: false });
    const late: string[] = [];
    again.on("message", (_topic, payload) => late.push(payload.toString()));
    const sessionPresent = await new Promise((resolve) =>
      again.once("connect", (packet) => resolve(packet.sessionPresent)),
    );
    expect(sessionPresent).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(late).toEqual([]);
  });

  it("drops a device whose token was revoked", async () => {
    const client = await device();
    broker.dropUnauthorised();
    expect(client.connected).toBe(true);
    TOKENS.delete("token-1");
    broker.dropUnauthorised();
    await closed(client);
  });

  it("ends a flood", async () => {
    const client = await device();
    for (let i = 0; i < EMBEDDED_LIMITS.packetsBurst + 200; i++) client.publish(topics.pose("vive-1"), "x");
    await closed(client);
    expect(poses.length).toBeLessThanOrEqual(EMBEDDED_LIMITS.packetsBurst + 200);
    expect(logged.join("\n")).toMatch(/more than 400 messages a second/);
  });

  it("ends who announces a huge packet, talks nonsense or says nothing", async () => {
    for (const bytes of [
      Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3]),
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      Buffer.alloc(64, 0xff),
    ]) {
      const socket = connectTcp(broker.port, "127.0.0.1");
      sockets.push(socket);
      socket.on("error", () => {});
      socket.resume();
      const ended = new Promise((resolve) => socket.once("close", resolve));
      socket.write(bytes);
      await ended;
    }
    expect(heard).toEqual([]);
  });

  it("survives 500 random byte streams, and still serves", async () => {
    let state = 12345;
    const next = () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) / 2 ** 32;
    const atOnce = EMBEDDED_LIMITS.strangersPerAddressMax;
    for (let round = 0; round < 500; round += atOnce) {
      await Promise.all(
        Array.from({ length: atOnce }, async (_, i) => {
          const socket = connectTcp(broker.port, "127.0.0.1");
          sockets.push(socket);
          socket.on("error", () => {});
          socket.resume();
          const ended = new Promise((resolve) => socket.once("close", resolve));
          const noise = Buffer.from(Array.from({ length: 80 }, () => Math.floor(256 * next())));
          const flipped = Buffer.from(CONNECT);
          flipped[Math.floor(CONNECT.length * next())]! ^= 1 << Math.floor(8 * next());
          socket.write(i % 2 === 0 ? noise : Buffer.concat([flipped, noise]));
          socket.end();
          await ended;
        }),
      );
    }
    const client = await device("vive-2", "token-2");
    client.publish(topics.pose("vive-2"), "alive");
    await until(() => poses).toContain("vive-2 alive");
  });

  it("refuses a port that is taken, with the remedy", async () => {
    await expect(
      EmbeddedBroker.start({
        host: "127.0.0.1",
        port: broker.port,
        topics,
        clock: systemClock,
        authenticate: () => undefined,
        listener,
        log: () => {},
      }),
    ).rejects.toMatchObject({ code: "PORT_IN_USE", remedy: expect.stringContaining("gateway.mqtt.port") });
  });
});
