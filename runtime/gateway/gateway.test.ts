/** The whole gateway on real sockets: who gets in, and what its clients may do. */
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { asMonotonicNs } from "../../core/clock.js";
import { CLOSE_CODES } from "../../core/gateway/client.js";
import { SimClock } from "../../core/simClock.js";
import { Ears, pose } from "../../test/support/gateway/ears.js";
import { soon, TestGateway } from "../../test/support/gateway.js";
import { done } from "./part.js";
import { PART_FACTORIES } from "./parts.js";

let gateway: TestGateway | undefined;
const start = async (...options: Parameters<typeof TestGateway.start>) => {
  gateway = await TestGateway.start(...options);
  return gateway;
};
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

describe("a client", () => {
  it("is welcomed once it has shown its token, told the cell, and answered", async () => {
    const { setup } = await start();
    const client = await gateway!.client();
    const [welcome] = client.ofKind("welcome");
    expect(welcome).toMatchObject({ role: "operator", client: "program tester", cell: setup.cell });
    expect(welcome?.robots).toEqual(setup.robots);
    expect(await client.request({ do: "enable" })).toMatchObject({ kind: "answer", message: "did enable" });
    client.send({ kind: "ping", id: 7, clientTimeMs: 5 });
    expect(await client.next("pong")).toMatchObject({ id: 7, clientTimeMs: 5 });
    expect(gateway!.ofKind("clients").at(-1)?.clients).toEqual([
      { name: "program tester", role: "operator", kind: "program" },
    ]);
  });

  it("hears why the daemon refuses, word by word", async () => {
    await start({ answer: () => ({ ok: false, code: "NOT_ENABLED" }) });
    const client = await gateway!.client();
    expect(await client.request({ do: "enable" })).toMatchObject({ kind: "refusal", code: "NOT_ENABLED" });
  });

  it("that stops: every servo at once and first, then the daemon; an observer too", async () => {
    await start();
    const client = await gateway!.client("observer", "watcher", "console");
    client.send({ kind: "stop", reason: "a hand in the way" });
    const stopped = await soon(() => gateway!.ofKind("stopped")[0]);
    expect(stopped).toMatchObject({
      category: 2,
      reason: "console watcher: a hand in the way",
      failures: [],
    });
    expect(gateway!.servo.stops).toEqual([
      { category: 2, reason: "console watcher: a hand in the way", by: "gateway" },
    ]);
    expect(await client.request({ do: "stop", category: 0 })).toMatchObject({ kind: "answer" });
    expect(gateway!.servo.stops.at(-1)).toMatchObject({ category: 0 });
    expect(gateway!.ofKind("request")).toEqual([]);
  });

  it("that stops while a servo process is gone is told so, and so is the daemon", async () => {
    await start();
    const client = await gateway!.client();
    gateway!.servo.crash();
    expect(await client.request({ do: "stop", category: 2 })).toMatchObject({
      kind: "refusal",
      happened: expect.stringMatching(/NOT STOPPED .*arm: nobody listens/),
      remedy: "Use the emergency stop",
    });
    expect(gateway!.ofKind("stopped").at(-1)?.failures).toEqual(["arm: nobody listens"]);
  });

  it("that stops with an unreadable reason stops all the same", async () => {
    await start();
    const client = await gateway!.client();
    client.socket.send(JSON.stringify({ kind: "stop", reason: 5, more: "x".repeat(300) }));
    await soon(() => gateway!.servo.stops[0]);
  });

  it("of the role observer sees and stops, and nothing else", async () => {
    const ears = new Ears();
    await start({ factories: [ears.factory, ...PART_FACTORIES] });
    const client = await gateway!.client("observer");
    for (const request of [
      { do: "enable" },
      { do: "reset" },
      { do: "startPolicy" },
      { do: "startRecording", task: "t", note: "" },
      { do: "takeTeleop", robot: "arm" },
      { do: "createPairing", role: "operator" },
      { do: "listDevices" },
      { do: "teach", robot: "arm", on: true },
    ] as const)
      expect(await client.request(request)).toMatchObject({ kind: "refusal", code: "NOT_AUTHORISED" });
    client.send({ kind: "pose", pose: pose() });
    client.send({ kind: "ping", id: 1, clientTimeMs: 0 });
    await client.next("pong");
    expect(ears.poses).toEqual([]);
    expect(gateway!.ofKind("request")).toEqual([]);
  });

  it("lists devices and revokes them; a revoked one is gone at once", async () => {
    await start();
    const [client, other] = [await gateway!.client(), await gateway!.client("observer", "tablet")];
    expect(await client.request({ do: "listDevices" })).toMatchObject({
      data: {
        devices: [
          { device: "tester", connected: true },
          { device: "tablet", connected: true },
        ],
      },
    });
    await client.request({ do: "revokeDevice", device: "tablet" });
    expect((await other.closed).code).toBe(CLOSE_CODES.notAuthorised);
    expect(other.ofKind("refused")[0]?.happened).toMatch(/revoked/);
    expect(await client.request({ do: "revokeDevice", device: "tablet" })).toMatchObject({ kind: "refusal" });
  });
});

describe("poses", () => {
  it("reach parts at once and in order, with the time of their arrival", async () => {
    const ears = new Ears();
    await start({ factories: [ears.factory] });
    const client = await gateway!.client();
    for (let seq = 0; seq < 50; seq++) client.send({ kind: "pose", pose: pose(seq) });
    await soon(() => (ears.poses.length === 50 ? true : undefined));
    expect(ears.poses.map(({ pose: { seq } }) => seq)).toEqual([...Array(50).keys()]);
    expect(ears.poses[0]!.receivedNs).toBeGreaterThan(0n);
  });

  it.each([
    ["that is not finite", { head: { positionM: [null, 0, 0], quatXyzw: [0, 0, 0, 1] } }],
    ["out of range", { head: { positionM: [1e9, 0, 0], quatXyzw: [0, 0, 0, 1] } }],
    ["of another version", { v: 2 }],
    ["with something more", { extra: 1 }],
    ["with a device name that is none", { device: "../x" }],
  ])("%s are malformed: parts hear that, and the client stays", async (_what, change) => {
    const ears = new Ears();
    await start({ factories: [ears.factory] });
    const client = await gateway!.client();
    client.socket.send(JSON.stringify({ kind: "pose", pose: { ...pose(), ...change } }));
    await soon(() => ears.malformed[0]);
    client.send({ kind: "pose", pose: pose(1) });
    await soon(() => ears.poses[0]);
    expect(ears.poses.map(({ pose: { seq } }) => seq)).toEqual([1]);
  });

  it("above the rate are dropped, not queued", async () => {
    const clock = new SimClock();
    const ears = new Ears();
    await start({ clock, factories: [ears.factory, ...PART_FACTORIES] });
    const client = await gateway!.client();
    for (let seq = 0; seq < 400; seq++) client.send({ kind: "pose", pose: pose(seq) });
    client.send({ kind: "ping", id: 1, clientTimeMs: 0 });
    await client.next("pong");
    expect(ears.poses.length).toBe(200);
    await clock.advance(100);
    for (let seq = 400; seq < 500; seq++) client.send({ kind: "pose", pose: pose(seq) });
    client.send({ kind: "ping", id: 2, clientTimeMs: 0 });
    await soon(() => client.ofKind("pong")[1]);
    expect(ears.poses.length).toBe(220);
    client.socket.send('{"kind":"pose","pose":{}}');
    await soon(() => ears.malformed[0]);
    await clock.advance(1000);
    await soon(() => gateway!.ofKind("alive").find(({ counts }) => counts.malformed === 1));
    expect(gateway!.ofKind("alive").at(-1)!.counts).toMatchObject({ poses: 220, droppedPoses: 280 });
  });
});

describe("parts", () => {
  it("that throw in a handler cost the client that caused it, not the gateway", async () => {
    const heard: string[] = [];
    await start({
      factories: [
        () => ({
          onPose: () => {
            throw new Error("a defect");
          },
          onMalformed: (_client, why) => void heard.push(why),
          requests: { enable: () => Promise.reject(new Error("another")), reset: async () => done("reset") },
        }),
      ],
    });
    const [client, other] = [
      await gateway!.client("operator", "a", "headset"),
      await gateway!.client("operator", "b"),
    ].map((one) => one) as [
      Awaited<ReturnType<TestGateway["client"]>>,
      Awaited<ReturnType<TestGateway["client"]>>,
    ];
    expect(await other.request({ do: "enable" })).toMatchObject({ kind: "refusal", code: "CHECK_FAILED" });
    client.send({ kind: "pose", pose: pose() });
    await client.closed;
    expect(heard).toEqual(["a defect"]);
    expect(await other.request({ do: "reset" })).toMatchObject({ kind: "answer" });
    expect(gateway!.ofKind("log").filter(({ event }) => event === "defect")).toHaveLength(2);
  });

  it("get poses of other doors, and news of their clients", async () => {
    const ears = new Ears();
    await start({
      factories: [
        ears.factory,
        (services) => {
          const ended = new AbortController();
          const client = services.addClient({
            name: "mqtt vive",
            role: "operator",
            kind: "mqtt",
            bufferedBytes: 0,
            closed: ended.signal,
            send: () => {},
            offer: () => true,
          });
          services.onMain((message) => {
            if (message.kind === "pose")
              services.deliverPose({
                client,
                pose: message.pose,
                receivedNs: asMonotonicNs(message.receivedNs),
              });
            if (message.kind === "malformedPose") services.deliverMalformed(client, message.why);
            if (message.kind === "event") services.removeClient(client, "gone");
          });
          return {};
        },
      ],
    });
    gateway!.post({ kind: "pose", pose: pose(3), receivedNs: 5n });
    gateway!.post({ kind: "malformedPose", device: "vive", why: "no quaternion" });
    await soon(() => ears.malformed[0]);
    expect(ears.poses[0]).toMatchObject({ pose: { seq: 3 }, client: { name: "mqtt vive" }, receivedNs: 5n });
    gateway!.post({
      kind: "event",
      event: { epochMs: 0, level: "info", source: "x", text: "x", remedy: "" },
    });
    expect(await soon(() => ears.gone[0])).toEqual(["mqtt vive", "gone"]);
  });

  it("hear of the end of every client when the gateway closes", async () => {
    const ears = new Ears();
    const { port } = await start({ factories: [ears.factory] });
    const client = await gateway!.client();
    gateway!.post({ kind: "close" });
    expect((await client.closed).code).toBe(CLOSE_CODES.shuttingDown);
    expect(client.ofKind("refused")).toEqual([]);
    await gateway!.close();
    expect(ears.gone).toHaveLength(1);
    gateway = undefined;
    const gone = await new Promise<string>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
      socket.once("connect", () => resolve("connected"));
    });
    expect(gone).toBe("ECONNREFUSED");
  });
});

describe("a gateway that cannot be", () => {
  it("says which port is in use", async () => {
    await start();
    await expect(TestGateway.start({ gateway: { port: gateway!.port } })).rejects.toMatchObject({
      code: "PORT_IN_USE",
      happened: expect.stringContaining(String(gateway!.port)),
    });
  });

  it("says what is wrong with what it was given", async () => {
    await expect(TestGateway.start({ setup: { cameras: "none" as never } })).rejects.toThrow(/cameras/);
  });

  it("says that an address is not this computer's", async () => {
    await expect(TestGateway.start({ gateway: { host: "203.0.113.7" } })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });
});
