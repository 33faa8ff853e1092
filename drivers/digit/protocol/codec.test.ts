/** Chunks, descriptions and messages: the vectors as streams, every layout that a robot may have, and what is refused. */
import { describe, expect, it } from "vitest";
import { countedObservation, ObservationSource, SOME_LIMITS, vectorDatagrams } from "../testing.js";
import {
  ChunkReader,
  COMMAND_BYTES,
  CommandReader,
  CommandWriter,
  crc32c,
  createCommand,
  type Description,
  DigitObservation,
  encodeChunk,
  encodeStream,
  type FieldPlan,
  limitsOf,
  MOTOR_COUNT,
  MOTORS,
  OBSERVATION_FIELDS,
  ObservationReader,
  type StreamPlan,
  StreamReader,
} from "./index.js";

const vector = vectorDatagrams();
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** Pushes datagrams into a new reader; what it made of them. */
function readAll(datagrams: readonly Uint8Array[]) {
  const observation = new DigitObservation();
  const seen = {
    observation,
    messages: 0,
    lost: [] as string[],
    description: undefined as Description | undefined,
  };
  let reader: ObservationReader | undefined;
  const stream = new StreamReader({
    onDescription: (description) => {
      seen.description = description;
      reader = new ObservationReader(description);
    },
    onMessage: (view, start) => {
      seen.messages++;
      reader?.read(view, start, observation);
    },
    onLost: (reason) => seen.lost.push(reason),
  });
  for (const datagram of datagrams) stream.push(datagram, "10.10.1.1", 4000, 0);
  return { ...seen, stream, missing: reader?.missing ?? ["no description"] };
}

describe("chunks", () => {
  it("have the checksum of iSCSI", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe306_9283);
    expect(crc32c(Buffer.from("56789"), 0, 5, crc32c(Buffer.from("1234")))).toBe(0xe306_9283);
  });

  it("are understood with anything behind them, and at no shorter length", () => {
    const reader = new ChunkReader();
    const datagram = vector("cmd_enum");
    expect(reader.read(Buffer.concat([datagram, Buffer.from("more")]))).toBeUndefined();
    expect(reader).toMatchObject({ kind: "ENUM", dataBytes: 47, letters: "ENUM", isDescribed: true });
    for (let bytes = 0; bytes < datagram.length; bytes++)
      expect(reader.read(datagram.subarray(0, bytes))).toBe(bytes < 12 ? "short" : "cut");
  });

  it("are refused whichever single bit flips", () => {
    const reader = new ChunkReader();
    for (const name of ["cmd_strt", "cmd_enum", "cmd_dend", "cmd_udat_damping5"]) {
      const datagram = Buffer.from(vector(name));
      const accepted: number[] = [];
      for (let bit = 0; bit < 8 * datagram.length; bit++) {
        datagram[bit >> 3]! ^= 1 << (bit & 7);
        // A smaller length moves the checksum, a larger one the end.
        if (reader.read(datagram) === undefined) accepted.push(bit);
        datagram[bit >> 3]! ^= 1 << (bit & 7);
      }
      expect(accepted, name).toEqual([]);
    }
  });

  it.each([
    ["desc", "DESC", true],
    ["dEnD", "DEND", false],
    ["CMNT", "CMNT", true],
    ["XTRa", "unknown", true],
    ["XTRB", "unknown", false],
    ["XTR\u0001", "unknown", false],
  ])("%s is %s, and belongs to a description: %s", (letters, kind, isDescribed) => {
    const reader = new ChunkReader();
    expect(reader.read(encodeChunk(letters, Buffer.from([1, 2, 3])))).toBeUndefined();
    expect(reader).toMatchObject({ kind, isDescribed, letters });
  });
});

describe("commands", () => {
  it("go out as the vendor's client sends them", () => {
    const writer = new CommandWriter();
    expect(writer.descriptionChunks.map(hex)).toEqual(
      ["cmd_strt", "cmd_enum", "cmd_desc", "cmd_dend"].map((name) => hex(vector(name))),
    );
    expect(COMMAND_BYTES).toBe(497);
    const command = createCommand();
    command.fallback = 0;
    expect(hex(writer.write(command))).toBe(hex(vector("cmd_udat_keepalive_zero")));
    Object.assign(command, { fallback: 1, apply: true });
    command.dampingNmSPerRad.fill(5);
    expect(hex(writer.write(command))).toBe(hex(vector("cmd_udat_damping5")));
    const limits = limitsOf(
      readAll([vector("obsA_strt"), vector("obsA_desc"), vector("obsA_cmnt"), vector("obsA_dend")])
        .description!,
    );
    command.torqueNm.set(limits.torqueNm);
    command.velocityRadPerS.set(limits.velocityRadPerS);
    command.dampingNmSPerRad.set(limits.dampingNmSPerRad);
    expect(hex(writer.write(command))).toBe(hex(vector("cmd_udat_limits")));
  });

  it("use the same memory each time", () => {
    const writer = new CommandWriter();
    expect(writer.write(createCommand())).toBe(writer.write(createCommand()));
  });

  it("are read by name, whatever the order of a client", () => {
    const plan: StreamPlan = {
      enumerations: [{ type: 300, scalar: "u8", labels: ["a", "b", "c"] }],
      fields: [
        { name: "apply_command", type: "bool" },
        { name: "", type: "bin", rows: 3 },
        { name: "fallback_opmode", type: 300 },
        ...[...MOTORS].reverse().map((motor): FieldPlan => ({ name: `${motor}.damping`, type: "f32" })),
        ...MOTORS.map((motor): FieldPlan => ({ name: `${motor}.torque`, type: "f64" })),
      ],
    };
    const reader = new CommandReader(encodeStream(plan).description);
    expect(reader.missing).toEqual(MOTORS.map((motor) => `${motor}.velocity`));
    const view = new DataView(new ArrayBuffer(reader.description.messageBytes));
    view.setUint8(0, 1);
    view.setUint8(4, 2);
    view.setFloat32(5, 7.5, true);
    view.setFloat64(5 + 80, -3.25, true);
    const command = createCommand();
    expect(reader.read(view, 0, command)).toBe(true);
    expect(command).toMatchObject({ apply: true, fallback: 2 });
    expect(command.dampingNmSPerRad[MOTOR_COUNT - 1]).toBe(7.5);
    expect(command.torqueNm[0]).toBe(-3.25);
    view.setUint8(4, 3);
    command.apply = false;
    expect(reader.read(view, 0, command), "3 is a mode of nobody's").toBe(false);
    expect(command.apply).toBe(false);
  });
});

describe("observations", () => {
  it("have 97 fields", () => expect(OBSERVATION_FIELDS).toHaveLength(97));

  it("of the vectors are read", () => {
    const { observation, messages, missing, lost, description, stream } = readAll(
      ["strt", "desc", "cmnt", "dend", "udat_stand", "udat_wrong_size", "dend_changed"].map((name) =>
        vector(`obsA_${name}`),
      ),
    );
    expect(missing).toEqual([]);
    expect(limitsOf(description!)).toMatchObject({ missing: [], errorShutdownDelayS: 0.5 });
    expect(messages).toBe(1);
    expect(stream.counters.wrongSize).toBe(1);
    expect(lost).toEqual(["the sender describes its messages in another way now"]);
    expect(observation).toMatchObject({ timeS: 12.345, error: false, batteryPercent: 87 });
    expect([...observation.imuLinearAccelerationMPerS2]).toEqual([9.79, -0.03, -0.05]);
    expect(observation.imuOrientationWxyz[2]).toBe(-0.7071067811865475);
    expect(observation.motorTorqueNm[MOTOR_COUNT - 1]).toBe(-12.564);
    expect(observation.jointVelocityRadPerS[9]).toBe(0.004);
  });

  /** A number between 0 and 1, the same each time. */
  const scattered = ({ name }: FieldPlan) => crc32c(Buffer.from(name)) / 2 ** 32;
  it.each<[string, ConstructorParameters<typeof ObservationSource>[0]]>([
    ["in single precision, with a battery of one byte", { float: "f32", battery: "u8" }],
    ["with a battery of eight bytes", { battery: "i64" }],
    ["in another order", { arrange: (fields) => [...fields].sort((a, b) => scattered(a) - scattered(b)) }],
    [
      "with padding",
      { arrange: (fields) => fields.flatMap((field) => [field, { name: "", type: "u8", rows: 3 }]) },
    ],
    [
      "with fields that nobody knows",
      { arrange: (fields) => [{ name: "mood", type: "u64", rows: 2, columns: 3 }, ...fields] },
    ],
    ["with an unknown chunk that counts", { others: [{ letters: "XTRa", data: Uint8Array.of(1, 2, 3) }] }],
    ["with an unknown chunk that does not", { others: [{ letters: "XTRB", data: Uint8Array.of(9) }] }],
    ["in small letters", { letters: { fields: "desc", comment: "cmnt" } }],
  ])("are read %s", (_, layout) => {
    const source = new ObservationSource(layout);
    const { observation, missing, description } = readAll([...source.stream.chunks, source.message()]);
    expect(missing).toEqual([]);
    expect(limitsOf(description!).torqueNm).toEqual(SOME_LIMITS.torqueNm);
    expect([...observation.values]).toEqual([...countedObservation().values]);
  });

  it("name what a robot does not send, or sends otherwise, and read the rest", () => {
    const change: Record<string, FieldPlan[]> = {
      "base.translation": [{ name: "base.translation", type: "f64", rows: 4 }],
      error: [{ name: "error", type: "u8" }],
      "left_knee.position": [],
      "imu.orientation.w": [
        { name: "imu.orientation.w", type: "f64" },
        { name: "imu.orientation.w", type: "f64" },
      ],
      "battery.state_of_charge": [{ name: "battery.state_of_charge", type: "f32" }],
    };
    const source = new ObservationSource({
      arrange: (fields) => fields.flatMap((field) => change[field.name] ?? [field]),
    });
    const { missing, observation } = readAll([...source.stream.chunks, source.message()]);
    expect(missing).toEqual([
      "error (1x1 u8, not 1x1 bool)",
      "base.translation (4x1 f64, not 3x1 float)",
      "imu.orientation.w (2 times)",
      "left_knee.position",
      "battery.state_of_charge (1x1 f32, not 1x1 integer)",
    ]);
    expect(observation.timeS).toBe(countedObservation().timeS);
  });

  it("name limits that are not there, not single, or no f64", () => {
    const { description } = encodeStream({
      fields: [],
      constants: MOTORS.flatMap((motor) => [
        { name: `${motor}.torque_limit`, type: motor === "left_knee" ? "f32" : "f64", values: [10] },
        { name: `${motor}.damping_limit`, type: "f64", values: motor === "right_elbow" ? [1, 2] : [10] },
      ]),
    });
    expect(limitsOf(description).missing).toEqual([
      "left_knee.torque_limit",
      "right_elbow.damping_limit",
      ...MOTORS.map((motor) => `${motor}.velocity_limit`),
    ]);
  });
});

describe("descriptions whose content is wrong although their checksum is right", () => {
  const u16 = (...values: number[]) => Buffer.from(Uint16Array.from(values).buffer);
  const field = (type: number, rows: number, name: string) =>
    Buffer.concat([u16(type, rows, 1, name.length), Buffer.from(name)]);
  it.each<[string, string, Buffer, RegExp]>([
    ["a type that was never explained", "DESC", field(257, 1, "x"), /field "x" has the unknown type 257/],
    ["a type between those of numbers and of enumerations", "DESC", field(13, 1, "x"), /unknown type 13/],
    ["a name longer than the chunk", "DESC", field(9, 1, "abc").subarray(0, -1), /ends in the middle/],
    ["half a field", "DESC", Buffer.alloc(3), /ends in the middle/],
    ["messages that fit into no datagram", "DESC", field(9, 9000, "x"), /messages of 72000 bytes/],
    ["an enumeration without room for its number", "ENUM", Buffer.from([0]), /ends in the middle/],
    ["an enumeration with the number of a scalar", "ENUM", u16(9, 2), /enumeration 9 over type 2/],
    ["an enumeration over nothing", "ENUM", u16(256, 99), /enumeration 256 over type 99/],
    [
      "a comment whose values are longer than itself",
      "CMNt",
      Buffer.from([255, 0, 0, 0]),
      /ends in the middle/,
    ],
    [
      "a comment that describes more values than it has",
      "CMNt",
      Buffer.concat([Buffer.from([4, 0, 0, 0]), Buffer.alloc(4), field(9, 1, "x")]),
      /a comment has 4 bytes and describes 8/,
    ],
  ])("are refused: %s", (_, letters, data, reason) => {
    const part = encodeChunk(letters, data);
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32LE(crc32c(part, 4, part.length - 4));
    const { lost, description, stream } = readAll([
      encodeChunk("STRT", Buffer.alloc(0)),
      part,
      encodeChunk("DEND", checksum),
    ]);
    expect(description).toBeUndefined();
    expect(lost).toEqual([expect.stringMatching(reason)]);
    expect(stream.state).toBe("describing");
    expect(stream.counters.refused).toBe(1);
  });
});
