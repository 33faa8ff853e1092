/** Another broker in place of the daemon's own, played by the library that the embedded one is made of. */
import { createServer, type Server, type Socket } from "node:net";
import { Aedes } from "aedes";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../launch/systemClock.js";
import { ExternalBroker } from "./externalBroker.js";
import { mqttTopics } from "./topics.js";

const topics = mqttTopics("cerebellum", "lab");
const heard: string[] = [];
const told: string[] = [];
const logged: string[] = [];
let other: Aedes;
let server: Server;
let broker: ExternalBroker | undefined;
const sockets = new Set<Socket>();

beforeEach(async () => {
  for (const list of [heard, told, logged]) list.length = 0;
  other = await Aedes.createBroker();
  server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    other.handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  await broker?.close();
  await new Promise<void>((resolve) => other.close(() => resolve()));
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function connect(): ExternalBroker {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  broker = new ExternalBroker({
    url: `mqtt://127.0.0.1:${port}`,
    username: undefined,
    password: undefined,
    topics,
    clientId: "cerebellum-lab",
    clock: systemClock,
    listener: {
      onPeer: ({ device, isPaired }) => heard.push(`+${device}${isPaired ? " paired" : ""}`),
      onPeerGone: ({ device }, why) => heard.push(`-${device} ${why}`),
      onPose: ({ device }) => heard.push(`pose ${device}`),
      onStop: (by) => heard.push(`stop ${by}`),
    },
    log: (_level, event, text) => logged.push(`${event} ${text}`),
    event: (level, _source, text, remedy) => told.push(`${level} ${text}: ${remedy ?? ""}`),
    onConnected: () => heard.push("connected"),
    lastWords: "gone",
  });
  return broker;
}
const publish = (topic: string, over: Partial<{ retain: boolean; qos: 0 | 1 }> = {}) =>
  new Promise<void>((resolve, reject) =>
    other.publish(
      { cmd: "publish", topic, payload: "x", qos: 0, retain: false, dup: false, ...over },
      (error) => (error ? reject(error) : resolve()),
    ),
  );
const until = (look: () => unknown) => expect.poll(look, { timeout: 15_000, interval: 5 });
const subscribed = () =>
  new Promise<void>((resolve) => {
    other.on("subscribe", (subscriptions) => {
      if (subscriptions.some(({ topic }) => topic === topics.stop)) resolve();
    });
  });

describe("an external broker", () => {
  it("brings poses and stops; when it is lost every device has gone, which is said once", async () => {
    const ready = subscribed();
    connect();
    await ready;
    await publish(topics.pose("vive-1"));
    await publish(topics.stop);
    await until(() => heard).toEqual([
      "connected",
      "+vive-1",
      "pose vive-1",
      "stop somebody on the MQTT broker",
    ]);
    const again = subscribed();
    for (const socket of sockets) socket.destroy();
    await until(() => heard.at(-1)).toMatch(/^-vive-1 the MQTT broker is lost/);
    await again;
    expect(told.filter((line) => line.startsWith("warn"))).toHaveLength(1);
    await publish(topics.pose("vive-1"));
    await until(() => heard.slice(-3)).toEqual(["connected", "+vive-1", "pose vive-1"]);
  });

  it("that does not let this daemon listen is said to keep poses and stops from it", async () => {
    other.authorizeSubscribe = (_client, subscription, done) =>
      done(null, subscription.topic === topics.stop ? null : subscription);
    connect();
    await until(() => told.join("\n")).toMatch(/error .*may not subscribe.*stop.*: .*access list/);
    expect(logged.join("\n")).toMatch(/may not subscribe/);
  });

  it("does not fill the log with what it must not bring", async () => {
    for (let device = 0; device < 40; device++)
      await publish(topics.pose(`vive-${device}`), { retain: true, qos: 1 });
    await publish(topics.stop, { retain: true, qos: 1 });
    const ready = subscribed();
    connect();
    await ready;
    for (let device = 0; device < 60; device++) await publish(topics.pose(`live-${device}`));
    await until(() => heard.filter((line) => line.startsWith("pose")).length).toBe(32);
    await until(() => logged.some((line) => line.includes("retained"))).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(logged.length).toBeLessThan(30);
    expect(heard.some((line) => line.startsWith("stop"))).toBe(false);
  });
});
