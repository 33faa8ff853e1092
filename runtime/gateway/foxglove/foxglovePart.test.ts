import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import foxgloveWs from "@foxglove/ws-protocol";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { Role } from "../../../core/gateway/requests.js";
import { freePorts } from "../../../test/support/cell.js";
import { givenUp } from "../../../test/support/gateway/lingeringPeer.js";
import { createRing, RingWriter } from "../../recorder/ring.js";
import { GatewayConfig } from "../config.js";
import type { GatewayPart } from "../part.js";
import { partBench, pass, testSetup } from "../partTesting.js";
import { foxglovePart } from "./foxglovePart.js";

const { FoxgloveClient } = foxgloveWs;
/** Definitions as a ROS installation has them; what these tests need of them. */
const PREFIX = mkdtempSync(join(tmpdir(), "cerebellum-definitions-"));
const DEFINITIONS: Record<string, string> = {
  "std_msgs/msg/String": "string data",
  "std_msgs/msg/Header": "builtin_interfaces/Time stamp\nstring frame_id",
  "builtin_interfaces/msg/Time": "int32 sec\nuint32 nanosec",
  "sensor_msgs/msg/JointState": "std_msgs/Header header\nstring[] name\nfloat64[] position",
};
for (const [type, text] of Object.entries(DEFINITIONS)) {
  const file = join(PREFIX, "share", `${type}.msg`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${text}\n`);
}
afterAll(() => rmSync(PREFIX, { recursive: true }));
const TOPICS = [
  { topic: "/arm/joint_states", type: "sensor_msgs/msg/JointState", latched: "no" as const },
  { topic: "/arm/robot_description", type: "std_msgs/msg/String", latched: "newest" as const },
  { topic: "/strange", type: "no_such_pkg/msg/Thing", latched: "no" as const },
];

const TOKENS = new Map<string, { device: string; role: Role }>();
const parts: GatewayPart[] = [];
const sockets: WebSocket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  for (const part of parts.splice(0)) await part.close?.();
});

/** One that is refused also reports an error when it is taken down. */
function opened(socket: WebSocket): WebSocket {
  socket.on("error", () => {});
  sockets.push(socket);
  return socket;
}

async function started(ringBytes = 4 * 2 ** 20) {
  const [port] = await freePorts(1);
  const ring = createRing(ringBytes, TOPICS.length);
  const bench = partBench(
    testSetup({
      gateway: GatewayConfig.parse({ foxglove: { port } }),
      topics: TOPICS,
      ring,
      prefixes: [PREFIX],
    }),
  );
  const authenticate = (token: string) => TOKENS.get(token);
  parts.push(await foxglovePart({ ...bench.services, authenticate }));
  const connect = (protocol: string, path = "") => {
    return opened(new WebSocket(`ws://127.0.0.1:${port}${path}`, protocol));
  };
  return { ...bench, port: port!, writer: new RingWriter(ring), connect };
}

const until = async (isSo: () => boolean, what: string) => {
  for (let turn = 0; !isSo(); turn++) {
    if (turn > 400) throw new Error(`not within 4 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

describe("the Foxglove server", () => {
  for (const protocol of ["foxglove.sdk.v1", "foxglove.websocket.v1"])
    it(`serves Foxglove's own client over ${protocol}`, async () => {
      const { connect, writer, clock, posted } = await started();
      const client = new FoxgloveClient({ ws: connect(protocol) as never });
      const channels: { id: number; topic: string; schemaEncoding?: string; schema: string }[] = [];
      const got: { timestamp: bigint; data: Uint8Array }[] = [];
      let info: { capabilities: string[] } | undefined;
      client.on("serverInfo", (event) => {
        info = event;
      });
      client.on("advertise", (added) => channels.push(...added));
      client.on("message", ({ timestamp, data }) =>
        got.push({ timestamp, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }),
      );
      await until(() => channels.length > 0, "channels");
      expect(info!.capabilities).toEqual([]);
      // A topic whose type nobody knows is left out, and costs the others nothing.
      expect(channels.map(({ topic }) => topic)).toEqual(["/arm/joint_states", "/arm/robot_description"]);
      expect(channels[0]).toMatchObject({
        encoding: "cdr",
        schemaName: "sensor_msgs/msg/JointState",
        schemaEncoding: "ros2msg",
      });
      expect(channels[0]!.schema).toContain("MSG: std_msgs/Header");
      expect(posted).toEqual([]);
      client.subscribe(channels[0]!.id);
      await until(() => posted.length > 0, "a watch");
      expect(posted).toEqual([{ kind: "watch", topics: [0] }]);
      writer.write(0, clock.nowNs(), Uint8Array.of(0, 1, 0, 0, 9));
      await until(() => got.length > 0, "a message");
      expect([...got[0]!.data]).toEqual([0, 1, 0, 0, 9]);
      expect(got[0]!.timestamp).toBe(clock.epochNs());
      client.close();
      await until(() => posted.length > 1, "the end of the watch");
      expect(posted.at(-1)).toEqual({ kind: "watch", topics: [] });
    });

  it("gives latched messages to whoever subscribes later, the newest of one publisher", async () => {
    const { connect, writer, clock, posted } = await started();
    const subscribe = async () => {
      const client = new FoxgloveClient({ ws: connect("foxglove.sdk.v1") as never });
      const got: number[] = [];
      client.on("message", ({ data }) => got.push(new DataView(data.buffer, data.byteOffset).getUint8(4)));
      const advertised = new Promise<void>((resolve) => client.on("advertise", () => resolve()));
      await advertised;
      client.subscribe(2);
      return got;
    };
    const first = await subscribe();
    await until(() => posted.length > 0, "a watch");
    for (const value of [1, 2]) writer.write(1, clock.nowNs(), Uint8Array.of(0, 1, 0, 0, value));
    await until(() => first.length === 2, "both as they come");
    const second = await subscribe();
    await until(() => second.length > 0, "the latched one");
    expect(second).toEqual([2]);
  });

  it("lets a client that never reads cost the others nothing", async () => {
    const { connect, writer, clock, posted } = await started(2 ** 22);
    const hung = connect("foxglove.sdk.v1");
    await new Promise((resolve) => hung.once("message", resolve));
    hung.send(JSON.stringify({ op: "subscribe", subscriptions: [{ id: 1, channelId: 1 }] }));
    await until(() => posted.length > 0, "a watch");
    hung.pause();
    const well = connect("foxglove.sdk.v1");
    let count = 0;
    well.on("message", (_, isBinary) => {
      if (isBinary) count++;
    });
    await new Promise((resolve) => well.once("open", resolve));
    well.send(JSON.stringify({ op: "subscribe", subscriptions: [{ id: 5, channelId: 1 }] }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const payload = new Uint8Array(300_000);
    for (let i = 1; i <= 60; i++) {
      writer.write(0, clock.nowNs(), payload);
      await until(() => count === i, `message ${i} at the client that reads`);
    }
    const told: string[] = [];
    hung.on("message", (data: Buffer, isBinary) => {
      if (!isBinary) told.push(data.toString());
    });
    hung.resume();
    await until(() => told.some((text) => text.includes("left out")), "what it missed");
  });

  it("gives the place of a client that does not answer to another", async () => {
    const { connect, clock } = await started();
    const gone = connect("foxglove.sdk.v1");
    await new Promise((resolve) => gone.once("message", resolve));
    gone.pause();
    const well = connect("foxglove.sdk.v1");
    let isOpen = true;
    well.on("close", () => {
      isOpen = false;
    });
    await new Promise((resolve) => well.once("message", resolve));
    for (let turn = 0; turn < 3; turn++) {
      await clock.advance(30_000);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const closed = new Promise((resolve) => gone.once("close", resolve));
    gone.resume();
    await closed;
    expect(isOpen).toBe(true);
  });

  it("ends the connection of an observer whose token was revoked, and of nobody else", async () => {
    const { connect, clock, writer, posted } = await started();
    TOKENS.set("watcher", { device: "tablet", role: "observer" });
    const [watcher, local] = [connect("foxglove.sdk.v1", "/watcher"), connect("foxglove.sdk.v1")];
    const ended: string[] = [];
    watcher.on("close", (code) => ended.push(`watcher ${code}`));
    local.on("close", (code) => ended.push(`local ${code}`));
    for (const socket of [watcher, local]) {
      await new Promise((resolve) => socket.once("message", resolve));
      socket.send(JSON.stringify({ op: "subscribe", subscriptions: [{ id: 1, channelId: 1 }] }));
    }
    await until(() => posted.length > 0, "a watch");
    await pass(clock, 3000);
    expect(ended).toEqual([]);
    TOKENS.clear();
    await pass(clock, 3000);
    await until(() => ended.length > 0, "its end");
    expect(ended).toEqual(["watcher 1008"]);
    const got = new Promise((resolve) => local.once("message", resolve));
    writer.write(0, clock.nowNs(), Uint8Array.of(0, 1, 0, 0));
    await got;
  });

  it("keeps no connection of somebody who was refused and does not hang up", async () => {
    const { port } = await started();
    // Without a subprotocol.
    await givenUp(port, "/");
  });

  it("says why it lets nobody in", async () => {
    const { port, connect } = await started();
    const refused = (socket: WebSocket) =>
      new Promise<number>((resolve) =>
        socket.once("unexpected-response", (_, response) => resolve(response.statusCode ?? 0)),
      );
    expect(await refused(connect("mqtt"))).toBe(400);
    const page = opened(
      new WebSocket(`ws://127.0.0.1:${port}`, "foxglove.sdk.v1", {
        origin: "https://example.org",
      }),
    );
    expect(await refused(page)).toBe(403);
  });

  it("leaves the gateway alone when its port is taken", async () => {
    const { port, services } = await started();
    const other = partBench(
      testSetup({ gateway: GatewayConfig.parse({ foxglove: { port } }), topics: [], ring: createRing(0, 0) }),
    );
    expect(await foxglovePart(other.services)).toEqual({});
    expect(other.services.events.newest()).toMatchObject([{ level: "warn", source: "foxglove" }]);
    expect(services.events.newest()).toEqual([]);
  });
});
