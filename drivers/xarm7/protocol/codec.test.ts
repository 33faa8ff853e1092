/** Streams, the servo frame, feedback, gripper arithmetic and identity texts. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bytesOfFrame,
  CommandStream,
  decodeFeedback,
  decodeGripperReply,
  decodeGripperRequest,
  decodeReply,
  decodeRequest,
  encodeFeedback,
  encodeGripperReply,
  encodeGripperRequest,
  encodeReply,
  encodeRequest,
  encodeSerials,
  encodeVersion,
  firmwareAtLeast,
  GRIPPER_OPENING_MAX_M,
  type GripperRequest,
  generationOf,
  MESSAGES,
  type MessageName,
  nextTransactionId,
  openingOfPulse,
  parseSerials,
  parseVersion,
  pulseOfOpening,
  pulseToWords,
  ServoFrame,
  wordsToPulse,
} from "./index.js";

const feedback = {
  transactionId: 7,
  protocolId: 3,
  type: 2,
  register: 23,
  taskId: 9,
  code: 0,
  timeUs: 2 ** 40 + 5,
};

describe("command stream", () => {
  it("takes replies and feedback apart however the bytes are cut", () => {
    const reply = encodeReply(12, 3, "getState", 0, [2]);
    const bytes = Buffer.concat(Array.from({ length: 30 }, () => [reply, encodeFeedback(feedback)]).flat());
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 60 }), (cuts) => {
        const replies: string[] = [];
        let feedbacks = 0;
        const stream = new CommandStream(
          (...frame) => replies.push(Buffer.from(bytesOfFrame(...frame)).toString("hex")),
          () => feedbacks++,
        );
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = cuts[i % cuts.length] ?? 1;
          expect(stream.push(bytes.subarray(at, at + size))).toBe("");
          at += size;
        }
        expect(feedbacks).toBe(30);
        expect(replies).toEqual(Array.from({ length: 30 }, () => Buffer.from(reply).toString("hex")));
      }),
    );
  });

  it("is lost at a header that cannot be, and new after clear", () => {
    const stream = new CommandStream(() => expect.fail("no frame"));
    expect(stream.push(Buffer.from("47455420", "hex"))).toBe("");
    expect(stream.push(Buffer.from("2f204854", "hex"))).toContain("474554");
    stream.clear();
    expect(stream.push(Buffer.from("0001", "hex"))).toBe("");
  });

  it("stops at once when a frame's handler clears it", () => {
    let frames = 0;
    const stream: CommandStream = new CommandStream(() => {
      frames++;
      stream.clear();
    });
    const reply = encodeReply(12, 3, "getState", 0, [2]);
    expect(stream.push(Buffer.concat([reply, reply, reply]))).toBe("");
    expect(frames).toBe(1);
    expect(stream.push(reply)).toBe("");
    expect(frames).toBe(2);
  });

  it("never keeps more than two of the longest frames, and never throws, whatever comes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 5 }), (chunks) => {
        const stream = new CommandStream(() => {});
        for (const chunk of chunks) stream.push(chunk);
      }),
    );
  });
});

describe("commands", () => {
  it("carry every message both ways", () => {
    for (const name of Object.keys(MESSAGES) as MessageName[]) {
      for (const count of MESSAGES[name].request.valueCounts) {
        const values = Array.from({ length: count }, (_, i) => i % 2);
        const request = decodeRequest(encodeRequest(3, 2, name, values));
        expect(request, name).toMatchObject({ kind: "frame", value: { name, values, transactionId: 3 } });
      }
      for (const count of MESSAGES[name].reply.valueCounts) {
        const values = Array.from({ length: count }, (_, i) => i % 2);
        const reply = decodeReply(encodeReply(3, 2, name, 0x10, values));
        expect(reply, name).toMatchObject({ kind: "frame", value: { name, values, stateByte: 0x10 } });
      }
    }
  });

  it("of a wrong length are corrupt for the controller; surplus in a reply is ignored", () => {
    expect(decodeRequest(Buffer.from("000100030003130100", "hex")).kind).toBe("frame");
    expect(decodeRequest(Buffer.from("00010003000413010000", "hex")).kind).toBe("corrupt");
    expect(decodeReply(Buffer.from("0001000300050d00020000", "hex"))).toMatchObject({
      value: { values: [2] },
    });
    expect(decodeReply(Buffer.from("0001000300020d00", "hex")).kind).toBe("corrupt");
  });

  it("number transactions 1 to 65535 without 0", () => {
    expect([nextTransactionId(1), nextTransactionId(65534), nextTransactionId(65535)]).toEqual([2, 65535, 1]);
  });

  it("stream setpoints as the general encoder would", () => {
    const frame = new ServoFrame();
    const positions = [0.1, -0.2, 0.3, 0.4, -0.5, 0.6, -0.7];
    frame.fill(513, positions);
    expect(Uint8Array.from(frame.bytes)).toEqual(
      encodeRequest(513, 3, "moveServoJoint", [...positions, 0, 0, 0]),
    );
  });

  it("report the progress of moves", () => {
    const bytes = encodeFeedback(feedback);
    expect(decodeFeedback(bytes)).toMatchObject({ kind: "frame", value: feedback });
    for (let n = 0; n < bytes.length; n++)
      expect(decodeFeedback(bytes.subarray(0, n)).kind).toBe("incomplete");
  });
});

describe("gripper", () => {
  it("opens as far as the linkage of the vendor's URDF says", () => {
    // Pulse and travel in mm, worked out from the URDF's linkage apart from this code.
    for (const [pulse, mm] of [
      [0, 0],
      [200, 21.9],
      [400, 43.7],
      [600, 64.3],
      [800, 83.0],
      [850, 87.3],
    ] as const)
      expect(openingOfPulse(pulse) * 1000).toBeCloseTo(mm, 0.9);
  });

  it("finds the pulse of every opening again", () => {
    for (let pulse = 0; pulse <= 850; pulse++) expect(pulseOfOpening(openingOfPulse(pulse))).toBe(pulse);
    expect([pulseOfOpening(-1), pulseOfOpening(Number.NaN), pulseOfOpening(1)]).toEqual([0, 0, 850]);
    expect(pulseOfOpening(GRIPPER_OPENING_MAX_M)).toBe(850);
  });

  it("keeps the sign of pulses", () => {
    for (const pulse of [-10, -1, 0, 1, 850, 70_000]) expect(wordsToPulse(pulseToWords(pulse))).toBe(pulse);
  });

  const requests: GripperRequest[] = [
    { do: "read", address: 0x0702, count: 2 },
    { do: "write", address: 0x0700, words: [0, 400] },
  ];
  it.each(requests)("frames are read by the other side: $do", (request) => {
    expect(decodeGripperRequest(encodeGripperRequest(request))).toMatchObject({ value: request });
    const words = request.do === "read" ? [0, 400] : [];
    const reply = encodeGripperReply(request, words);
    expect(decodeGripperReply(request, reply)).toMatchObject({ kind: "frame", value: words });
    for (let n = 0; n < reply.length; n++)
      expect(decodeGripperReply(request, reply.slice(0, n)).kind).toBe("corrupt");
  });
});

describe("identity", () => {
  it("is read from the vendor's texts", () => {
    const version = parseVersion(encodeVersion("7,7,XS1305,AC1304,v2.7.1"));
    expect(version).toMatchObject({ axes: 7, type: 7, armModel: "XS1305", firmware: [2, 7, 1] });
    expect(parseVersion(encodeVersion("v1.2.3"))).toBeUndefined();
    expect(parseSerials(encodeSerials("XS130520231201", "AC130420231201"))).toEqual({
      arm: "XS130520231201",
      box: "AC130420231201",
    });
    expect([generationOf("XS130520231201"), generationOf("XI1200"), generationOf("")]).toEqual([
      1305, 1200, 0,
    ]);
  });

  it("compares firmware numbers, not texts", () => {
    expect(firmwareAtLeast([1, 10, 0], 1, 8, 6)).toBe(true);
    expect(firmwareAtLeast([1, 8, 5], 1, 8, 6)).toBe(false);
    expect(firmwareAtLeast([2, 0, 0], 2, 0, 0)).toBe(true);
  });
});
