import { describe, expect, it } from "vitest";
import { Random } from "../../../lab/world/random.js";
import type { Channel } from "./protocol.js";
import { FoxgloveSession, type SessionSocket, UNTAKEN_BYTES_MAX } from "./session.js";

const CHANNELS: Channel[] = [1, 2].map((id) => ({
  id,
  topic: `/t${id}`,
  type: "std_msgs/msg/String",
  definition: "string data",
}));

class FakeSocket implements SessionSocket {
  bufferedBytes = 0;
  readonly sent: (string | Uint8Array)[] = [];
  closed: string | undefined;
  send(data: string | Uint8Array): void {
    this.sent.push(data);
  }
  close(_: number, reason: string): void {
    this.closed ??= reason;
  }
  statuses(): { level: number; message: string }[] {
    return this.sent.filter((data) => typeof data === "string").map((text) => JSON.parse(text as string));
  }
}

function started() {
  const socket = new FakeSocket();
  const changes: (number | undefined)[] = [];
  let nowMs = 1000;
  const session = new FoxgloveSession({
    socket,
    channels: new Map(CHANNELS.map((channel) => [channel.id, channel])),
    nowMs: () => nowMs,
    onChanged: (channelId) => changes.push(channelId),
  });
  const say = (message: object) => session.takeText(JSON.stringify(message));
  const wait = (ms: number) => {
    nowMs += ms;
  };
  return { socket, session, changes, say, wait };
}

const message = (channelId: number, bytes = 4) => ({ channelId, logNs: 7n, payload: new Uint8Array(bytes) });

describe("a Foxglove session", () => {
  it("gets what it has subscribed to under its own number, until it unsubscribes", () => {
    const { socket, session, changes, say } = started();
    say({ op: "subscribe", subscriptions: [{ id: 77, channelId: 2 }] });
    session.offer(message(1));
    session.offer({ channelId: 2, logNs: 123_456_789_012_345n, payload: Uint8Array.of(1, 2, 3) });
    const [data] = socket.sent as Buffer[];
    expect(socket.sent.length).toBe(1);
    expect([data!.readUInt8(0), data!.readUInt32LE(1), data!.readBigUInt64LE(5)]).toEqual([
      1,
      77,
      123_456_789_012_345n,
    ]);
    expect([...data!.subarray(13)]).toEqual([1, 2, 3]);
    say({ op: "unsubscribe", subscriptionIds: [77] });
    session.offer(message(2));
    expect(socket.sent.length).toBe(1);
    expect(changes).toEqual([2, undefined]);
  });

  it("is told what is wrong with a subscription", () => {
    const { socket, say } = started();
    say({ op: "subscribe", subscriptions: [{ id: 1, channelId: 9 }] });
    say({ op: "subscribe", subscriptions: [{ id: 1, channelId: 1 }] });
    say({ op: "subscribe", subscriptions: [{ id: 1, channelId: 2 }] });
    say({ op: "subscribe", subscriptions: [{ id: 2, channelId: 1 }] });
    say({ op: "unsubscribe", subscriptionIds: [5] });
    expect(socket.statuses().map(({ message: text }) => text)).toEqual([
      "There is no channel 9",
      "Subscription 1 is in use",
      "Channel 1 has a subscription already",
      "There is no subscription 5",
    ]);
  });

  it("may write nothing: each such wish is answered, none is granted", () => {
    const { socket, session, say } = started();
    for (const op of [
      "advertise",
      "setParameters",
      "getParameters",
      "fetchAsset",
      "subscribeConnectionGraph",
    ])
      say({ op, channels: [], parameters: [] });
    session.takeBinary();
    expect(socket.statuses().every(({ message: text }) => text.includes("read-only"))).toBe(true);
    expect(socket.statuses().length).toBe(6);
  });

  it("misses what it does not take, counted and told once it reads again", () => {
    const { socket, session, say, wait } = started();
    say({ op: "subscribe", subscriptions: [{ id: 1, channelId: 1 }] });
    socket.bufferedBytes = UNTAKEN_BYTES_MAX;
    expect(session.offer(message(1, 1000))).toBe(false);
    session.missed(3);
    session.tellMissed();
    expect(socket.sent).toEqual([]);
    socket.bufferedBytes = 0;
    session.tellMissed();
    session.missed(1);
    session.tellMissed();
    expect(socket.statuses().length).toBe(1);
    expect(socket.statuses()[0]!.message).toContain("3 messages");
    wait(6000);
    session.tellMissed();
    expect(socket.statuses().length).toBe(2);
    // One that alone is larger than the bound still goes to a client that has taken everything.
    expect(session.offer(message(1, UNTAKEN_BYTES_MAX + 1))).toBe(true);
  });

  it("gets small messages although it is too slow for images", () => {
    const { socket, session, say } = started();
    say({
      op: "subscribe",
      subscriptions: [
        { id: 1, channelId: 1 },
        { id: 2, channelId: 2 },
      ],
    });
    let images = 0;
    while (session.offer(message(1, 900_000))) {
      images++;
      socket.bufferedBytes += 900_013;
    }
    expect(images).toBeGreaterThan(1);
    expect(session.offer(message(2, 200))).toBe(true);
  });

  it("stands 20,000 malformed messages without a word that is none, and cuts such a client off", () => {
    const random = new Random(20);
    const seeds = [
      { op: "subscribe", subscriptions: [{ id: 1, channelId: 1 }] },
      { op: "unsubscribe", subscriptionIds: [1] },
      { op: "advertise", channels: [{ id: 1 }] },
      [],
      null,
      { op: 5 },
    ].map((seed) => JSON.stringify(seed));
    let { socket, session, wait } = started();
    let cutOff = 0;
    for (let i = 0; i < 20_000; i++) {
      const text = [...seeds[i % seeds.length]!];
      for (let edits = 1 + (i % 3); edits > 0; edits--)
        text[Math.floor(random.uniform() * text.length)] = String.fromCharCode(
          Math.floor(random.uniform() * 127),
        );
      if (i % 50 === 49) session.takeBinary();
      session.takeText(text.join(""));
      wait(20);
      for (const data of socket.sent)
        expect(JSON.parse(data as string)).toMatchObject({ op: "status", message: expect.any(String) });
      socket.sent.length = 0;
      if (socket.closed === undefined) continue;
      cutOff++;
      ({ socket, session, wait } = started());
    }
    expect(cutOff).toBeGreaterThan(100);
  });

  it("cuts off who sends more texts than anybody needs", () => {
    const { socket, say } = started();
    for (let i = 0; i < 101; i++) say({ op: "unsubscribe", subscriptionIds: [] });
    expect(socket.closed).toBe("too many messages");
  });
});
