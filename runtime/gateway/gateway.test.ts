/** The whole gateway on real sockets: who gets in, who is turned away, and what its clients may do. */
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { asMonotonicNs } from "../../core/clock.js";
import { CLIENT_BYTES_MAX, CLOSE_CODES } from "../../core/gateway/client.js";
import { SimClock } from "../../core/simClock.js";
import type { PoseMessage } from "../../core/teleop/pose.js";
import { soon, TestGateway } from "../../test/support/gateway.js";
import { DROP_ABOVE_BYTES, done, type GatewayClient, type PartFactory, type PoseArrival } from "./part.js";
import { PART_FACTORIES } from "./parts.js";
import { HELLO_MS_MAX } from "./refusals.js";

let gateway: TestGateway | undefined;
const start = async (...options: Parameters<typeof TestGateway.start>) => {
  gateway = await TestGateway.start(...options);
  return gateway;
};
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

const pose = (seq = 0): PoseMessage => ({
  v: 1,
  source: "keyboard",
  device: "laptop",
  session: "12345678",
  seq,
  deviceTimeMs: seq,
  space: "base",
  visibility: "visible",
  head: null,
  hands: [],
});

/** What a part hears. */
class Ears {
  readonly poses: PoseArrival[] = [];
  readonly malformed: string[] = [];
  readonly clients: GatewayClient[] = [];
  readonly gone: [string, string][] = [];
  readonly factory: PartFactory = () => ({
    onClient: (client) => void this.clients.push(client),
    onClosed: (client, why) => void this.gone.push([client.name, why]),
    onPose: (arrival) => void this.poses.push(arrival),
    onMalformed: (_client, why) => void this.malformed.push(why),
  });
}

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
  });
});

describe("turned away", () => {
  const refusedBy = async (send: (client: ReturnType<TestGateway["open"]>) => void) => {
    const client = gateway!.open();
    await client.opened;
    send(client);
    const { code } = await client.closed;
    return { code, told: client.ofKind("refused")[0] };
  };

  it("a wrong token", async () => {
    const ears = new Ears();
    await start({ factories: [ears.factory] });
    const { code, told } = await refusedBy((client) => client.hello("x".repeat(43)));
    expect(code).toBe(CLOSE_CODES.notAuthorised);
    expect(told).toMatchObject({ code: "NOT_AUTHORISED", remedy: expect.stringMatching(/cerebellum pair/) });
    expect(ears.clients).toEqual([]);
  });

  it("a token that has expired, also of a client that is connected", async () => {
    const clock = new SimClock();
    await start({ clock, gateway: { tokenDaysMax: 1 } });
    const token = await gateway!.token();
    const connected = gateway!.open();
    await connected.opened;
    connected.hello(token);
    await connected.next("welcome");
    clock.stepEpoch(25 * 3_600_000);
    await clock.advance(1000);
    expect((await connected.closed).code).toBe(CLOSE_CODES.notAuthorised);
    expect(await refusedBy((client) => client.hello(token))).toMatchObject({
      code: CLOSE_CODES.notAuthorised,
    });
  });

  it.each([
    ["something before hello", JSON.stringify({ kind: "ping", id: 1, clientTimeMs: 0 })],
    ["a stop before hello", JSON.stringify({ kind: "stop", reason: "x" })],
    [
      "a hello of another protocol",
      JSON.stringify({ kind: "hello", protocol: 2, token: "x", client: "program", name: "a" }),
    ],
    [
      "a hello with a bad name",
      JSON.stringify({ kind: "hello", protocol: 1, token: "x", client: "program", name: "A b" }),
    ],
    ["what is no JSON", "{"],
    ["nothing", ""],
    ["null", "null"],
    ["a deep nest", "[".repeat(30_000)],
  ])("%s", async (_what, text) => {
    await start();
    const { code, told } = await refusedBy((client) => client.socket.send(text));
    expect(code).toBe(CLOSE_CODES.malformed);
    expect(told?.happened.length).toBeGreaterThan(10);
    expect(gateway!.servo.stops).toEqual([]);
  });

  it("whoever says nothing within three seconds", async () => {
    const clock = new SimClock();
    await start({ clock });
    const client = gateway!.open();
    await client.opened;
    await soon(() => (gateway!.servo.clients.length > 0 ? true : undefined));
    await clock.advance(HELLO_MS_MAX - 100);
    expect(client.ofKind("refused")).toEqual([]);
    await clock.advance(600);
    expect((await client.closed).code).toBe(CLOSE_CODES.helloMissing);
  });

  it("too many who have not said who they are, while clients stay", async () => {
    await start();
    const friend = await gateway!.client();
    const strangers = Array.from({ length: 10 }, () => gateway!.open());
    const first = await Promise.race(strangers.map(({ closed }) => closed));
    expect(first.code).toBe(CLOSE_CODES.tooFast);
    expect(await friend.request({ do: "listDevices" })).toMatchObject({ kind: "answer" });
  });

  it.each([
    ["a binary message", Buffer.from([1, 2, 3])],
    ["broken JSON", "{nonsense"],
    ["an unknown kind", '{"kind":"move"}'],
    ["a second hello", '{"kind":"hello","protocol":1,"token":"x","client":"program","name":"a"}'],
    ["a known kind with something more", '{"kind":"ping","id":1,"clientTimeMs":0,"__proto__":{"x":1}}'],
  ])(
    "a client that sends %s; parts hear that it was malformed, then that it is gone",
    async (_what, data) => {
      const ears = new Ears();
      await start({ factories: [ears.factory] });
      const client = await gateway!.client();
      client.socket.send(data);
      expect((await client.closed).code).toBe(CLOSE_CODES.malformed);
      expect(ears.malformed).toHaveLength(1);
      expect(ears.gone).toHaveLength(1);
    },
  );

  it("a request that is none is refused under its number; after twenty of them the client goes", async () => {
    await start();
    const client = await gateway!.client();
    client.socket.send('{"kind":"request","id":9,"request":{"do":"moveTo"}}');
    expect(await client.next("refusal")).toMatchObject({ id: 9, code: "MESSAGE_INVALID" });
    for (let id = 10; id < 40; id++) client.socket.send(`{"kind":"request","id":${id},"request":{}}`);
    expect((await client.closed).code).toBe(CLOSE_CODES.malformed);
  });

  it("a message that is too large: the connection ends before it is read", async () => {
    const ears = new Ears();
    await start({ factories: [ears.factory] });
    const client = await gateway!.client();
    client.socket.send(`{"kind":"stop","reason":"${"x".repeat(CLIENT_BYTES_MAX)}"}`);
    expect((await client.closed).code).toBe(1009);
    await soon(() => ears.gone[0]);
    expect(gateway!.servo.stops).toEqual([]);
  });

  it("a message that is too large in many small fragments", async () => {
    await start();
    const client = await gateway!.client();
    for (let fragment = 0; fragment < 80; fragment++) client.socket.send("x".repeat(1000), { fin: false });
    expect((await client.closed).code).toBe(1009);
  });

  it("a flood; the others are served meanwhile", async () => {
    await start();
    const [client, other] = [await gateway!.client(), await gateway!.client("operator", "other")];
    const text = JSON.stringify({ kind: "pose", pose: pose() });
    for (let count = 0; count < 3000; count++) client.socket.send(text);
    expect((await client.closed).code).toBe(CLOSE_CODES.tooFast);
    expect(await other.request({ do: "enable" })).toMatchObject({ kind: "answer" });
  });

  it("more than fifty requests at once are refused one by one, and not asked of the daemon", async () => {
    const clock = new SimClock();
    await start({ clock });
    const client = await gateway!.client();
    for (let id = 0; id < 80; id++) client.send({ kind: "request", id, request: { do: "listDevices" } });
    await soon(() =>
      client.ofKind("answer").length + client.ofKind("refusal").length === 80 ? true : undefined,
    );
    expect(client.ofKind("answer").length).toBeLessThanOrEqual(50);
    expect(client.ofKind("refusal").at(-1)?.happened).toMatch(/Too many messages/);
  });

  it("a client of the same name and device gives way to the newer one: a page was reloaded", async () => {
    const ears = new Ears();
    await start({ factories: [ears.factory] });
    const token = await gateway!.token();
    const [first, second] = [gateway!.open(), gateway!.open()];
    await Promise.all([first.opened, second.opened]);
    first.hello(token);
    await first.next("welcome");
    second.hello(token);
    await second.next("welcome");
    expect((await first.closed).code).toBe(CLOSE_CODES.superseded);
    expect(ears.gone.map(([name]) => name)).toEqual(["program tester"]);
    expect(ears.clients.map(({ name }) => name)).toEqual(["program tester", "program tester"]);
  });

  it("a client of another device with the same name stays, under a name of its own", async () => {
    await start();
    const first = await gateway!.client("operator", "quest3");
    const second = gateway!.open();
    await second.opened;
    second.hello(await gateway!.token("operator", "another"), "quest3");
    expect(await second.next("welcome")).toMatchObject({ client: "program quest3 (2)" });
    expect(await first.request({ do: "enable" })).toMatchObject({ kind: "answer" });
  });

  it("a peer that has vanished without a word", async () => {
    const clock = new SimClock();
    const ears = new Ears();
    await start({ clock, factories: [ears.factory, ...PART_FACTORIES] });
    const client = await gateway!.client();
    client.socket.pause();
    for (let second = 0; second < 11; second++) {
      await clock.advance(1000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await soon(() => ears.gone[0]);
    expect(ears.gone[0]![1]).toMatch(/Nothing was heard/);
    expect(client.ofKind("refused")).toEqual([]);
  });

  it("a peer that only answers pings stays", async () => {
    const clock = new SimClock();
    await start({ clock });
    const client = await gateway!.client();
    for (let step = 0; step < 60; step++) {
      await clock.advance(500);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    expect(client.socket.readyState).toBe(client.socket.OPEN);
  });

  it("a client that takes nothing: what may be dropped is dropped, and what may not closes it", async () => {
    const ears = new Ears();
    await start({ factories: [ears.factory, ...PART_FACTORIES] });
    const client = await gateway!.client();
    client.socket.pause();
    const part = await soon(() => ears.clients[0]);
    const picture = new Uint8Array(60_000);
    let offered = 0;
    // What the kernel's buffers take is not the gateway's.
    for (; offered < 2000 && part.offer(picture); offered++)
      if (offered % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(part.offer(picture)).toBe(false);
    expect(part.bufferedBytes).toBeLessThan(DROP_ABOVE_BYTES + 21 * 60_000);
    const text = "x".repeat(100_000);
    for (let count = 0; count < 60 && !part.closed.aborted; count++)
      part.send({ kind: "event", id: count, epochMs: 0, level: "info", source: "test", text, remedy: "" });
    expect(part.closed.aborted).toBe(true);
    expect(ears.gone[0]?.[1]).toMatch(/does not take/);
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

  it("says that an address is not this computer's", async () => {
    await expect(TestGateway.start({ gateway: { host: "203.0.113.7" } })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });
});
