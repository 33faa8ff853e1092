/** Whom a receiver listens to, from when on messages count, and when they count no more. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { zstdDecompressor } from "../../../episodes/import/zstd.js";
import { ObservationSource, vectorDatagrams } from "../testing.js";
import { DescriptionCycle, encodeChunk, type Inflate, StreamReader } from "./index.js";

const vector = vectorDatagrams();
const [strt, desc, cmnt, dend] = ["strt", "desc", "cmnt", "dend"].map((name) => vector(`obsA_${name}`)) as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
];
const stand = vector("obsA_udat_stand");

let inflate: Inflate;
beforeAll(async () => {
  inflate = await zstdDecompressor();
});

let events: string[];
let nowMs: number;
let stream: StreamReader;
beforeEach(() => {
  events = [];
  nowMs = 1000;
  stream = newReader(inflate);
});

function newReader(by?: Inflate): StreamReader {
  return new StreamReader(
    {
      onDescription: ({ messageBytes }) => events.push(`described ${messageBytes}`),
      onMessage: (view, start) => events.push(`message ${view.getFloat64(start, true)}`),
      onLost: (reason) => events.push(`lost: ${reason}`),
    },
    by,
  );
}

const push = (...datagrams: readonly Buffer[]) => {
  for (const datagram of datagrams) stream.push(datagram, "10.10.1.1", 4000, nowMs);
};
/** As a link does it every 25 ms. */
const wait = (ms: number) => {
  for (const endMs = nowMs + ms; nowMs < endMs; ) {
    nowMs += 25;
    stream.expire(nowMs);
  }
};
const live = () => {
  push(strt, desc, cmnt, dend);
  events.length = 0;
};

describe("a stream", () => {
  it("counts messages from the end of the description on", () => {
    push(strt, desc, stand, cmnt, dend, stand);
    expect(events).toEqual(["described 859", "message 12.345"]);
    expect(stream).toMatchObject({ state: "live", sender: "10.10.1.1:4000" });
  });

  it.each<[string, readonly Buffer[]]>([
    ["without STRT", [desc, cmnt, dend, stand]],
    ["without the comment", [strt, desc, dend, stand]],
    ["with two parts exchanged", [strt, cmnt, desc, dend, stand]],
    ["with a part twice", [strt, desc, desc, cmnt, dend, stand]],
    ["with a damaged part", [strt, damaged(desc), cmnt, dend, stand]],
    ["whose end says nothing", [strt, desc, cmnt, encodeChunk("DEND", Buffer.alloc(0)), stand]],
  ])("gives nothing %s", (_, datagrams) => {
    push(...datagrams);
    expect(events.filter((event) => !event.startsWith("lost: description checksum"))).toEqual([]);
    push(strt, desc, cmnt, dend, stand);
    expect(events.slice(-2), "but the next whole one counts").toEqual(["described 859", "message 12.345"]);
  });

  it("is understood when one joins in the middle of its cycle, and when one part was lost", () => {
    const [...cycle] = [strt, desc, cmnt, dend];
    push(cmnt, dend, stand);
    expect(stream.state).toBe("silent");
    push(strt, stand, desc, stand, dend, stand);
    expect(stream.state, "the comment was lost").toBe("describing");
    for (const part of cycle) push(part, stand);
    expect(events.slice(1)).toEqual(["described 859", "message 12.345"]);
    expect(events[0]).toMatch(/^lost: description checksum 0x[0-9a-f]{8}, DEND says 0x23433b69$/);
  });

  it("goes on while its description is repeated", () => {
    live();
    for (const part of [strt, desc, cmnt, dend, strt, dend]) push(part, stand);
    expect(events).toEqual(Array.from({ length: 6 }, () => "message 12.345"));
  });

  it("ends when its description changes, and begins anew with the next STRT", () => {
    live();
    push(vector("obsA_dend_changed"), stand);
    expect(events).toEqual(["lost: the sender describes its messages in another way now"]);
    expect(stream).toMatchObject({ state: "silent", sender: "" });
    const other = new ObservationSource({ float: "f32" });
    push(...other.stream.chunks, other.message(), stand);
    expect(events[1]).toBe(`described ${other.stream.description.messageBytes}`);
    expect(events).toHaveLength(3);
    expect(stream.counters.wrongSize).toBe(1);
  });

  it("reads compressed messages, and throws away what is none or has another size", () => {
    live();
    push(
      vector("obsA_cdat_stand"),
      encodeChunk("CDAT", Buffer.from("nonsense")),
      vector("obsA_udat_wrong_size"),
      stand,
    );
    expect(events).toEqual(["message 12.35", "message 12.345"]);
    expect(stream.counters).toMatchObject({ messages: 2, wrongSize: 1, uncompressible: 1 });
    stream = newReader();
    live();
    push(vector("obsA_cdat_stand"));
    expect(stream.counters.uncompressible, "without a decompressor").toBe(1);
  });
});

describe("its sender", () => {
  it("is the one of the first STRT, and no other is heard", () => {
    stream.push(desc, "10.10.1.1", 3999, nowMs);
    live();
    for (const [address, port] of [
      ["10.10.1.1", 4001],
      ["10.10.1.2", 4000],
    ] as const)
      for (const datagram of [strt, stand, vector("obsA_dend_changed")])
        stream.push(datagram, address, port, nowMs);
    expect(events).toEqual([]);
    expect(stream.counters.foreign).toBe(6);
    expect(stream.state).toBe("live");
  });

  it("is forgotten after 100 ms of silence: a robot that was started again has another port", () => {
    live();
    wait(75);
    push(stand);
    wait(75);
    expect(stream.state).toBe("live");
    wait(25);
    expect(stream.state).toBe("silent");
    expect(events).toEqual(["message 12.345", "lost: no valid datagram for 100 ms"]);
    for (const datagram of [strt, desc, cmnt, dend, stand]) stream.push(datagram, "10.10.1.1", 5000, nowMs);
    expect(events.slice(2)).toEqual(["described 859", "message 12.345"]);
    expect(stream.sender).toBe("10.10.1.1:5000");
  });

  it("is not called silent for what waited while nobody looked", () => {
    live();
    wait(75);
    nowMs += 900;
    // The first look after a pause comes before what waits in the kernel is read.
    stream.expire(nowMs);
    push(stand);
    wait(75);
    expect(stream.state).toBe("live");
  });

  it("lives by any valid datagram, but not by damaged ones", () => {
    push(strt);
    for (let turn = 0; turn < 10; turn++) {
      nowMs += 60;
      push(stand);
      stream.expire(nowMs);
    }
    expect(stream.state, "data before the description keep it").toBe("describing");
    expect(stream.partsSeen).toEqual([]);
    for (let turn = 0; turn < 4; turn++) {
      push(damaged(stand));
      wait(50);
    }
    wait(100);
    expect(stream.state).toBe("silent");
    expect(stream.counters.broken.checksum).toBe(4);
  });
});

describe("the sending side's description", () => {
  it("goes out whole at first, then a chunk each 100 ms, over and over", () => {
    const cycle = new DescriptionCycle([strt, desc, cmnt, dend]);
    const sent: [number, number][] = [];
    for (let ms = 0; ms < 1000; ms += 7) {
      const due = cycle.due(ms);
      if (due.length > 0) sent.push([ms, due.length]);
    }
    expect(sent).toEqual([
      [0, 4],
      [105, 1],
      [210, 1],
      [315, 1],
      [420, 1],
      [525, 1],
      [630, 1],
      [735, 1],
      [840, 1],
      [945, 1],
    ]);
    expect(new DescriptionCycle([strt, dend]).due(5)).toEqual([strt, dend]);
    expect([1050, 1150, 1250, 1350].map((ms) => cycle.due(ms)[0])).toEqual([desc, cmnt, dend, strt]);
    cycle.restart();
    expect(cycle.due(1351)).toHaveLength(4);
  });
});

function damaged(datagram: Buffer): Buffer {
  const copy = Buffer.from(datagram);
  copy[copy.length >> 1]! ^= 4;
  return copy;
}
