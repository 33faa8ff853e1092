/** Who is turned away by a whole gateway on real sockets, and how. */
import { afterEach, describe, expect, it } from "vitest";
import { CLIENT_BYTES_MAX, CLOSE_CODES } from "../../core/gateway/client.js";
import { SimClock } from "../../core/simClock.js";
import { Ears, pose } from "../../test/support/gateway/ears.js";
import { soon, TestGateway } from "../../test/support/gateway.js";
import { DROP_ABOVE_BYTES } from "./part.js";
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
