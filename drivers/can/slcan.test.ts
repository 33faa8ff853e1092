import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { CanFrame } from "./frame.js";
import { frameFault } from "./frameFault.js";
import {
  SLCAN_FRAME_BYTES_MAX,
  SLCAN_LINE_BYTES_MAX,
  type SlcanCommand,
  SlcanCommandReader,
  SlcanReader,
  slcanOpening,
  slcanStateText,
  slcanText,
  writeSlcan,
} from "./slcan.js";

const Vectors = z.object({
  sources: z.record(z.string(), z.string()),
  frames: z.array(
    z.strictObject({
      name: z.string(),
      id: z.int(),
      extended: z.boolean(),
      remote: z.boolean(),
      length: z.int(),
      data: z.string(),
      text: z.string(),
      source: z.string(),
    }),
  ),
});
const vectors = Vectors.parse(
  JSON.parse(readFileSync(new URL("vectors/slcan.json", import.meta.url), "utf8")),
);

const frameOf = (vector: (typeof vectors.frames)[number]): CanFrame => ({
  id: vector.id,
  isExtended: vector.extended,
  isRemote: vector.remote,
  length: vector.length,
  data: Uint8Array.from(Buffer.from(vector.data, "hex")),
});

const copyOf = ({ id, isExtended, isRemote, length, data }: CanFrame): CanFrame => ({
  id,
  isExtended,
  isRemote,
  length,
  data: data.slice(),
});

/** What a reader tells of a text: frames as objects, the rest as words. */
function read(...pieces: (string | Uint8Array)[]) {
  const heard: unknown[] = [];
  const reader = new SlcanReader({
    onFrame: (frame) => heard.push(copyOf(frame)),
    onRefused: () => heard.push("refused"),
    onErrors: (letters) => heard.push(`errors ${letters}`),
    onBusState: (...state) => heard.push(state.join(" ")),
  });
  for (const piece of pieces)
    reader.push(typeof piece === "string" ? Uint8Array.from(Buffer.from(piece, "latin1")) : piece);
  return { heard, reader };
}

const SOME: CanFrame = {
  id: 0x123,
  isExtended: false,
  isRemote: false,
  length: 2,
  data: Uint8Array.of(0xab, 1),
};
const SOME_TEXT = "t1232AB01";

describe.each(vectors.frames)("line of a frame: $name ($source)", (vector) => {
  it("is written so and read back, whole, byte by byte and in lower case", () => {
    const frame = frameOf(vector);
    expect(vectors.sources).toHaveProperty(vector.source);
    expect(slcanText(frame)).toBe(vector.text);
    expect(read(vector.text).heard).toEqual([frame]);
    expect(read(...vector.text).heard).toEqual([frame]);
    expect(read(vector.text[0] + vector.text.slice(1).toLowerCase()).heard).toEqual([frame]);
    expect(read(vector.text).reader.bytesDiscarded).toBe(0);
  });

  it("is read with a time stamp of four more digits, and with no other tail", () => {
    const stamped = slcanText(frameOf(vector), 59_999);
    expect(stamped).toBe(`${vector.text.slice(0, -1)}EA5F\r`);
    expect(read(stamped).heard).toEqual([frameOf(vector)]);
    for (const tail of ["0", "00", "000", "00000", "EA5G"])
      expect(read(`${vector.text.slice(0, -1)}${tail}\r`).heard).toEqual([]);
  });

  it("every shorter text is no frame, and says so in bytes", () => {
    for (let length = 1; length < vector.text.length - 1; length++) {
      const { heard, reader } = read(`${vector.text.slice(0, length)}\r`);
      expect(heard).toEqual([]);
      expect(reader.bytesDiscarded).toBe(length + 1);
    }
  });
});

describe("an adapter's answers", () => {
  it("acknowledgements are counted and nothing else: CR, z, Z", () => {
    const { heard, reader } = read("\rz\rZ\r\r");
    expect(heard).toEqual([]);
    expect(reader.acknowledgements).toBe(4);
    expect(reader.bytesDiscarded).toBe(0);
  });

  it("BEL alone is a refusal; after a frame it ends the line, as in Linux", () => {
    expect(read("\x07").heard).toEqual(["refused"]);
    expect(read(`\x07${SOME_TEXT}\x07\x07`).heard).toEqual(["refused", SOME, "refused"]);
  });

  it("error lines name each error, state lines both counters", () => {
    expect(read("e1a\re3bcO\r").heard).toEqual(["errors a", "errors bcO"]);
    expect(read("sb256256\rsa057033\rsw096000\rsp000128\r").heard).toEqual([
      "off 256 256",
      "active 57 33",
      "warning 96 0",
      "passive 0 128",
    ]);
    expect(read(slcanStateText("passive", 0, 128)).heard).toEqual(["passive 0 128"]);
    const wrong = ["e0", "e2a", "e1x", "e1ab", "sx000000", "sa00000", "sa0000000", "sa00000g", "e", "s"];
    for (const line of wrong) {
      const { heard, reader } = read(`${line}\r`);
      expect(heard, line).toEqual([]);
      expect(reader.bytesDiscarded, line).toBe(line.length + 1);
    }
  });

  it("answers to other programs' questions are no rubbish, a free text is", () => {
    expect(read("V1013\rN8A2B\rF00\r").reader.bytesDiscarded).toBe(0);
    expect(read("CANable 1.0 (git)\r").reader.bytesDiscarded).toBe(18);
  });

  it("a line feed after the CR is passed over", () => {
    const { heard, reader } = read(`${SOME_TEXT}\r\n${SOME_TEXT}\r\n`);
    expect(heard).toEqual([SOME, SOME]);
    expect(reader.bytesDiscarded).toBe(2);
  });

  it("rubbish costs its own line only", () => {
    const { heard, reader } = read(`\xff\x00t12\r${SOME_TEXT}\rt1239AB\r${SOME_TEXT}\r`);
    expect(heard).toEqual([SOME, SOME]);
    expect(reader.bytesDiscarded).toBe(6 + 8);
  });

  it("a line that is too long is discarded to its end and takes no memory", () => {
    const { heard, reader } = read("A".repeat(100_000), `\r${SOME_TEXT}\r`);
    expect(heard).toEqual([SOME]);
    expect(reader.bytesDiscarded).toBe(100_001);
    expect(reader.bytesHeld).toBe(0);
  });

  it("a line that has begun is forgotten when the connection is another", () => {
    const { heard, reader } = read("t1232A");
    expect(reader.bytesHeld).toBe(6);
    reader.clear();
    reader.push(Uint8Array.from(Buffer.from(`${SOME_TEXT}\r`)));
    expect(heard).toEqual([SOME]);
    expect(reader.bytesDiscarded).toBe(6);
  });

  it("identifiers, lengths and digits out of range are no frames", () => {
    for (const line of [
      "t8000",
      "tFFF0",
      "T200000000",
      "TFFFFFFFF0",
      "t12390",
      "t1G30",
      "t1232AX01",
      "t123A",
      "x1230",
    ])
      expect(read(`${line}\r`).heard, line).toEqual([]);
  });
});

describe("writing", () => {
  it("several frames lie in one buffer, one after the other", () => {
    const out = new Uint8Array(3 * SLCAN_FRAME_BYTES_MAX);
    let end = 0;
    for (const id of [0x180, 0x184, 0x188]) end = writeSlcan({ ...SOME, id }, out, end);
    expect(Buffer.from(out.subarray(0, end)).toString()).toBe("t1802AB01\rt1842AB01\rt1882AB01\r");
  });

  it("a frame that no bus could carry is not written", () => {
    const bad: Partial<CanFrame>[] = [
      { id: 0x800 },
      { id: -1 },
      { id: 1.5 },
      { id: Number.NaN },
      { isExtended: true, id: 0x2000_0000 },
      { length: 9, data: new Uint8Array(9) },
      { length: 1 },
      { isRemote: true },
    ];
    for (const change of bad) {
      expect(frameFault({ ...SOME, ...change })).toBeTypeOf("string");
      expect(slcanText({ ...SOME, ...change })).toBe("");
    }
    expect(frameFault(SOME)).toBeUndefined();
  });

  it("no line is longer than it may be", () => {
    const longest = { ...SOME, isExtended: true, id: 0x1fff_ffff, length: 8, data: new Uint8Array(8) };
    expect(slcanText(longest, 59_999)).toHaveLength(SLCAN_FRAME_BYTES_MAX);
  });

  it("a channel is opened from whatever the adapter was at", () => {
    expect(slcanOpening(1_000_000)).toBe("\r\rC\rS8\rO\r");
    expect(slcanOpening(500_000)).toBe("\r\rC\rS6\rO\r");
  });
});

describe("the adapter's side", () => {
  function commands(text: string): SlcanCommand[] {
    const heard: SlcanCommand[] = [];
    const reader = new SlcanCommandReader((command) =>
      heard.push(command.kind === "frame" ? { kind: "frame", frame: copyOf(command.frame) } : command),
    );
    reader.push(Uint8Array.from(Buffer.from(text, "latin1")));
    return heard;
  }

  it("reads what our own opening and frames say", () => {
    expect(commands(slcanOpening(1_000_000) + slcanText(SOME))).toEqual([
      { kind: "empty" },
      { kind: "empty" },
      { kind: "close" },
      { kind: "bitrate", bitPerS: 1_000_000 },
      { kind: "open" },
      { kind: "frame", frame: SOME },
    ]);
  });

  it("reads every command that computers send, and keeps what it does not know", () => {
    expect(commands("V\rN\rF\rL\rZ1\rZ0\rS7\rS9\rM1\rtoString\rr2000\r")).toEqual([
      { kind: "version" },
      { kind: "serialNumber" },
      { kind: "flags" },
      { kind: "listen" },
      { kind: "timestamps", on: true },
      { kind: "timestamps", on: false },
      { kind: "bitrate", bitPerS: undefined },
      { kind: "bitrate", bitPerS: undefined },
      { kind: "unknown", text: "M1" },
      { kind: "unknown", text: "toString" },
      {
        kind: "frame",
        frame: { id: 0x200, isExtended: false, isRemote: true, length: 0, data: new Uint8Array() },
      },
    ]);
  });
});

describe("whatever comes", () => {
  /** xorshift: the same bytes in every run. */
  function makeRandom(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % below;
    };
  }

  const WORDS = Buffer.from("tTrRtt0123456789ABCDEFabcdef00000888\r\r\r\x07zZesVNF\n", "latin1");

  it("of 120 000 random texts none makes the reader throw, keep more than a line, or tell an impossible frame", () => {
    const random = makeRandom(20_261_128);
    let frames = 0;
    let pushed = 0;
    let heldMax = 0;
    let told = 0;
    const reader = new SlcanReader({
      onFrame: (frame) => {
        frames++;
        if (frameFault(frame) !== undefined) throw new Error(frameFault(frame));
      },
      onRefused: () => told++,
      onErrors: () => told++,
      onBusState: () => told++,
    });
    for (let round = 0; round < 120_000; round++) {
      const kind = round % 3;
      const bytes = new Uint8Array(random(48));
      for (let index = 0; index < bytes.length; index++)
        bytes[index] = kind === 0 ? random(256) : WORDS[random(WORDS.length)]!;
      if (kind === 2) {
        // A good line with one byte changed, lost or doubled.
        const line = Buffer.from(vectors.frames[random(vectors.frames.length)]!.text);
        const at = random(line.length);
        const cut = [line.subarray(0, at), line.subarray(at + random(2))];
        reader.push(Buffer.concat([cut[0]!, bytes.subarray(0, random(2)), cut[1]!]));
        pushed += cut[0]!.length + cut[1]!.length;
      }
      reader.push(bytes);
      heldMax = Math.max(heldMax, reader.bytesHeld);
    }
    expect(frames).toBeGreaterThan(1000);
    expect(told).toBeGreaterThan(100);
    expect(pushed).toBeGreaterThan(100_000);
    expect(heldMax).toBeLessThanOrEqual(SLCAN_LINE_BYTES_MAX);
    expect(reader.frames).toBe(frames);
  });

  it("a flipped bit makes another good frame or none, and the next line is whole again", () => {
    for (const vector of vectors.frames) {
      const line = Buffer.from(vector.text);
      for (let bit = 0; bit < 8 * line.length; bit++) {
        const bytes = Uint8Array.from(line);
        bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7));
        const { heard } = read(bytes, `\r${SOME_TEXT}\r`);
        expect(heard.at(-1)).toEqual(SOME);
        for (const frame of heard)
          if (typeof frame === "object") expect(frameFault(frame as CanFrame)).toBeUndefined();
      }
    }
  });
});
