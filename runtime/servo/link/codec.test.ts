import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asMonotonicNs } from "../../../core/clock.js";
import { createSnapshot, type MutableSnapshot } from "../snapshot.js";
import { decodeFromClient, decodeFromServo, encode, FrameReader } from "./codec.js";
import { type BodyOf, FRAME_BYTES_MAX, PROTOCOL_VERSION } from "./schema.js";
import { SnapshotFrame } from "./snapshotFrame.js";

const command: BodyOf<"command"> = {
  epoch: 3,
  seq: 7,
  stampNs: asMonotonicNs(123_456_789_012_345_678n),
  expiresNs: asMonotonicNs(123_456_789_512_345_678n),
  speedScale: 0.5,
  inputAgeMs: 42,
  positionRad: Float64Array.of(0.1, -0.2, 0.3, Number.NaN, Number.POSITIVE_INFINITY, 0, 1),
};
const setpoints: BodyOf<"setpoints"> = {
  epoch: 3,
  firstIndex: 128,
  firstSeq: 140,
  stampNs: asMonotonicNs(123_456_789_012_345_678n),
  expiresNs: asMonotonicNs(123_456_789_512_345_678n),
  isLast: true,
  positionRad: Float64Array.from({ length: 64 * 7 }, (_, i) => Math.sin(i)),
  accelerationRadPerS2: Float64Array.from({ length: 64 * 7 }, (_, i) => (i === 5 ? Number.NaN : -i / 7)),
};
const snapshot: MutableSnapshot = Object.assign(createSnapshot(7), {
  tick: 2 ** 40 + 1,
  tickMs: 9_007_199_254.740992,
  state: "following",
  epoch: 4,
  commander: "policy ünit",
  stateMs: 4e-6,
  stateSequence: 99,
  reasons: 0x80000001,
  commandSeq: 12,
  commandWireMs: 3,
  deviceErrorCode: 31,
} as const);
snapshot.positionRad.fill(1);
snapshot.velocityRadPerS.fill(2);
snapshot.effortNm.fill(3);
snapshot.requestedRad.fill(4);
snapshot.sentRad.fill(5);
/** What a client gets to see of it. */
const { tickMs: _tickMs, stateMs: _stateMs, commandWireMs: _commandWireMs, ...received } = snapshot;
const fault = {
  code: "X",
  deviceCode: 31,
  kind: "device",
  severity: "stop",
  cause: "collision",
  remedy: "look",
} as const;

/** Valid frames of both directions: where mutation starts from. */
const FRAMES = [
  encode("hello", { role: "commander", name: "policy", snapshotEveryTicks: 1 }),
  encode("heartbeat", {}),
  encode("command", command),
  encode("setpoints", setpoints),
  encode("stop", { requestId: 9, category: 1, reason: "operator" }),
  encode("snapshot", snapshot),
  encode("event", { atNs: asMonotonicNs(1n), kind: "fault", text: "C31", trigger: "deviceFault", fault }),
  encode("result", { requestId: 9, ok: false, code: "NOT_ENABLED", happened: "a", remedy: "b" }),
];

describe("codec", () => {
  it("gives back what was written, not-a-number included", () => {
    const decoded = decodeFromClient(encode("command", command));
    expect(decoded).toMatchObject({ kind: "frame", message: { type: "command", ...command } });
    expect(decodeFromServo(encode("snapshot", snapshot))).toMatchObject({
      kind: "frame",
      message: { type: "snapshot", ...received },
    });
    expect(
      decodeFromServo(
        encode("event", {
          atNs: asMonotonicNs(1n),
          kind: "fault",
          text: "C31",
          trigger: "deviceFault",
          fault,
        }),
      ),
    ).toMatchObject({ kind: "frame", message: { kind: "fault", fault } });
  });

  it("writes a snapshot's bytes by hand as the table does", () => {
    const frame = new SnapshotFrame();
    for (const openingM of [Number.NaN, 0.04]) {
      snapshot.gripperOpeningM = openingM;
      expect(frame.write(snapshot)).toEqual(encode("snapshot", snapshot));
    }
    const other = { ...snapshot, commander: "x".repeat(80), tickMs: 0, sentRad: new Float64Array(3) };
    expect(frame.write(other)).toEqual(encode("snapshot", { ...other, tickNs: asMonotonicNs(0n) }));
  });

  it("lays a command out as documented", () => {
    const bytes = encode("command", command);
    expect(bytes.readUInt32LE(0)).toBe(bytes.length - 4);
    expect([...bytes.subarray(4, 6)]).toEqual([PROTOCOL_VERSION, 5]);
    expect(bytes.readUInt32LE(6)).toBe(3);
    expect(bytes.readUInt32LE(10)).toBe(7);
    expect(bytes.readBigUInt64LE(14)).toBe(123_456_789_012_345_678n);
    expect(bytes.readDoubleLE(30)).toBe(0.5);
    expect(bytes.readDoubleLE(38)).toBe(42);
    expect(bytes[46]).toBe(7);
    expect(bytes.readDoubleLE(47)).toBe(0.1);
    expect(bytes.length).toBe(47 + 7 * 8);
  });

  it("gives setpoints back bit for bit, and refuses more than a message may hold", () => {
    const bytes = encode("setpoints", setpoints);
    expect(bytes.length).toBe(6 + 4 + 4 + 4 + 8 + 8 + 1 + 2 * (2 + 64 * 7 * 8));
    expect(decodeFromClient(bytes)).toEqual({
      kind: "frame",
      usedBytes: bytes.length,
      message: { type: "setpoints", ...setpoints },
    });
    const most = new Float64Array(64 * 32);
    const largest = encode("setpoints", { ...setpoints, positionRad: most, accelerationRadPerS2: most });
    expect(largest.length).toBeLessThan(FRAME_BYTES_MAX);
    expect(decodeFromClient(largest).kind).toBe("frame");
    bytes.writeUInt16LE(64 * 32 + 1, 35);
    const decoded = decodeFromClient(bytes);
    expect(decoded.kind === "corrupt" && decoded.reason).toMatch(/vector of 2049/);
    expect(() => encode("setpoints", { ...setpoints, positionRad: new Float64Array(2049) })).toThrow(/2048/);
  });

  it("cuts text that is too long when it writes", () => {
    const decoded = decodeFromClient(encode("stop", { requestId: 1, category: 2, reason: "ä".repeat(5000) }));
    expect(decoded).toMatchObject({ kind: "frame", message: { reason: "ä".repeat(1024) } });
  });

  it.each([
    [
      "another version",
      (bytes: Buffer) => bytes.writeUInt8(PROTOCOL_VERSION + 1, 4),
      new RegExp(`version ${PROTOCOL_VERSION + 1}`),
    ],
    ["an unknown type", (bytes: Buffer) => bytes.writeUInt8(200, 5), /type 200/],
    ["a huge length", (bytes: Buffer) => bytes.writeUInt32LE(FRAME_BYTES_MAX + 1, 0), /length/],
    ["a vector with too many numbers", (bytes: Buffer) => bytes.writeUInt8(255, 46), /vector of 255/],
    ["a count that does not fit its length", (bytes: Buffer) => bytes.writeUInt8(6, 46), /too many/],
  ])("refuses %s", (_name, spoil, reason) => {
    const bytes = encode("command", command);
    spoil(bytes);
    const decoded = decodeFromClient(bytes);
    expect(decoded.kind === "corrupt" && decoded.reason).toMatch(reason);
  });

  it("refuses what only the other side may send", () => {
    expect(decodeFromServo(encode("command", command)).kind).toBe("corrupt");
    expect(decodeFromClient(encode("snapshot", snapshot)).kind).toBe("corrupt");
  });

  it("waits at every shorter prefix", () => {
    const bytes = encode("command", command);
    for (let length = 0; length < bytes.length; length++)
      expect(decodeFromClient(bytes.subarray(0, length)).kind).toBe("incomplete");
  });
});

describe("FrameReader", () => {
  it("gives the same messages however the stream is cut", () => {
    const stream = Buffer.concat(
      Array.from({ length: 5 }, (_, seq) => encode("command", { ...command, seq })),
    );
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 12, maxLength: 40 }), (cuts) => {
        const reader = new FrameReader(decodeFromClient);
        const seen: number[] = [];
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          reader.push(stream.subarray(at, at + cut), (m) => m.type === "command" && seen.push(m.seq));
          at += cut;
        }
        expect(seen).toEqual([0, 1, 2, 3, 4]);
        expect(reader.pendingBytes).toBe(0);
      }),
    );
  });

  it("takes nothing after the first corrupt frame", () => {
    const reader = new FrameReader(decodeFromClient);
    let seen = 0;
    reader.push(Buffer.concat([encode("heartbeat", {}), Buffer.from([255, 255, 255, 255])]), () => seen++);
    reader.push(encode("heartbeat", {}), () => seen++);
    expect(seen).toBe(1);
    expect(reader.failure).toMatch(/length/);
    expect(reader.pendingBytes).toBe(0);
  });

  it("survives 100,000 random and damaged frames in bounded memory", () => {
    const damaged = fc
      .record({
        frame: fc.constantFrom(...FRAMES),
        at: fc.nat(1000),
        value: fc.nat(255),
        cut: fc.nat(3),
        tail: fc.uint8Array({ maxLength: 8 }),
      })
      .map(({ frame, at, value, cut, tail }) => {
        const bytes = Buffer.concat([frame.subarray(0, frame.length - (cut === 0 ? at % 8 : 0)), tail]);
        bytes[at % bytes.length] = value;
        return bytes;
      });
    const random = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    let readers = [new FrameReader(decodeFromClient), new FrameReader(decodeFromServo)];
    let corrupt = 0;
    let whole = 0;
    fc.assert(
      fc.property(fc.oneof(damaged, random), (bytes) => {
        readers = readers.map((reader, side) => {
          reader.push(bytes, () => whole++);
          expect(reader.pendingBytes).toBeLessThanOrEqual(4 + FRAME_BYTES_MAX);
          if (reader.failure === undefined) return reader;
          corrupt++;
          return new FrameReader<never>((side === 0 ? decodeFromClient : decodeFromServo) as never) as never;
        });
      }),
      { numRuns: 100_000 },
    );
    expect(corrupt).toBeGreaterThan(10_000);
    expect(whole).toBeGreaterThan(1_000);
  });
});
