/** Every message both ways, what is malformed, and what cannot be sent at all. */
import { describe, expect, it } from "vitest";
import { HAND_MODELS } from "../../../kinematics/allegro/hand.js";
import type { CanFrame } from "../../can/frame.js";
import { dataFrame } from "./frames.js";
import * as handFrames from "./handFrames.js";
import * as hostFrames from "./hostFrames.js";
import {
  deviceIdOf,
  FINGER_INDICES,
  FINGER_POSE_ID,
  FINGER_TORQUE_ID,
  isNeverSent,
  messageIdOf,
  NEVER_SENT,
} from "./ids.js";

const { decodeHandFrame, readPose } = handFrames;
const { decodeHostFrame } = hostFrames;

const frameOf = (id: number, hex: string, change: Partial<CanFrame> = {}): CanFrame => {
  const data = Uint8Array.from(Buffer.from(hex, "hex"));
  return { id, isExtended: false, isRemote: false, length: data.length, data, ...change };
};

describe("identifiers", () => {
  it("of poses and torques are those of the vendor's drivers", () => {
    expect(FINGER_INDICES.map((finger) => FINGER_POSE_ID(finger))).toEqual([0x80, 0x84, 0x88, 0x8c]);
    expect(FINGER_INDICES.map((finger) => FINGER_TORQUE_ID(finger))).toEqual([0x180, 0x184, 0x188, 0x18c]);
  });

  it("carry the device in two bits that the receiver drops", () => {
    for (let device = 0; device <= 3; device++) {
      const frame = handFrames.encodePose(2, [1, -2, 3, -4], device);
      expect(frame.id).toBe(FINGER_POSE_ID(2, device));
      expect(deviceIdOf(frame)).toBe(device);
      expect(decodeHandFrame(frame, "v4")).toMatchObject({ kind: "pose", finger: 2 });
    }
    expect(() => hostFrames.systemOn(4)).toThrow("device id 4");
  });

  it("with 29 bits, or outside of 11, are nobody's of ours", () => {
    for (const id of [0x80, 0x100, 0x180]) {
      expect(decodeHandFrame(frameOf(id, "00".repeat(8), { isExtended: true }), "v4")).toBeUndefined();
      expect(decodeHostFrame(frameOf(id, "", { isExtended: true }))).toBeUndefined();
    }
    for (const id of [-1, 0x80 + 0x800, 128.5, Number.NaN, 2 ** 32 + 0x80])
      expect(messageIdOf(frameOf(id, "")), `${id}`).toBe(-1);
  });
});

describe("from the host", () => {
  it.each([
    ["systemOn", hostFrames.systemOn(), { kind: "systemOn" }],
    ["systemOff", hostFrames.systemOff(), { kind: "systemOff" }],
    ["requestInfo", hostFrames.requestInfo(), { kind: "requestInfo" }],
    ["requestSerial", hostFrames.requestSerial(), { kind: "requestSerial" }],
    ["requestImu", hostFrames.requestImu(), { kind: "requestImu" }],
    ["requestPose", hostFrames.requestPose(3), { kind: "requestPose", finger: 3 }],
    ["requestTemperature", hostFrames.requestTemperature(1), { kind: "requestTemperature", sensor: 1 }],
    [
      "setPeriod",
      hostFrames.setPeriod({ jointMs: 3, imuMs: 100, temperatureMs: 1000 }),
      { kind: "period", jointMs: 3, imuMs: 100, temperatureMs: 1000 },
    ],
    [
      "setTorque",
      hostFrames.setTorque(1, [-32768, 32767, -1, 256]),
      { kind: "torque", finger: 1, command: Int16Array.of(-32768, 32767, -1, 256) },
    ],
  ])("%s comes back as what it was", (_, frame, message) => {
    expect(decodeHostFrame(frame)).toEqual(message);
    expect(frame.isRemote).toBe(/^request/.test(message.kind));
    if (frame.isRemote) expect([frame.length, frame.data.length]).toEqual([0, 0]);
  });

  it("torques of the hand are four frames, filled in place", () => {
    const command = Int16Array.from({ length: 16 }, (_, joint) => 100 * joint - 700);
    const frames = new hostFrames.TorqueFrames();
    expect(frames.frames).toEqual(hostFrames.zeroTorqueFrames());
    const filled = frames.fill(command);
    expect(filled).toEqual(
      FINGER_INDICES.map((f) => hostFrames.setTorque(f, command.subarray(4 * f, 4 * f + 4))),
    );
    expect(filled).toEqual(hostFrames.torqueFrames(command));
    const bytes = filled.map((frame) => frame.data);
    expect(frames.fill(new Int16Array(16)).map((frame) => frame.data)).toEqual(
      Array.from({ length: 4 }, () => new Uint8Array(8)),
    );
    expect(frames.frames.every((frame, i) => frame.data === bytes[i])).toBe(true);
  });

  it.each([40_000, -32_769, 0.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "a torque of %s is refused, never wrapped",
    (bad) => {
      expect(() => hostFrames.setTorque(0, [0, 0, bad, 0])).toThrow("no 16-bit integer");
      expect(() => hostFrames.torqueFrames(Array.from({ length: 16 }, () => bad))).toThrow(
        "no 16-bit integer",
      );
      expect(() => hostFrames.setPeriod({ jointMs: bad, imuMs: 0, temperatureMs: 0 })).toThrow();
      const frames = new hostFrames.TorqueFrames();
      const command = Array.from({ length: 16 }, (_, joint) => (joint === 15 ? bad : 100));
      expect(() => frames.fill(command)).toThrow("no 16-bit integer");
      expect(frames.frames).toEqual(hostFrames.zeroTorqueFrames());
    },
  );

  it("refuses wrong counts of joints and fingers", () => {
    expect(() => hostFrames.setTorque(0, [0, 0, 0])).toThrow("3 torques");
    expect(() => hostFrames.torqueFrames(new Int16Array(15))).toThrow("15 torques");
    expect(() => hostFrames.requestPose(4 as 3)).toThrow("finger 4");
  });
});

describe("what is never sent", () => {
  const period = { jointMs: 1, imuMs: 2, temperatureMs: 3 };
  /** Every function that makes frames of the host, over all its arguments but numbers that only fill data. */
  const MAKERS: Readonly<Record<string, (device: number) => readonly CanFrame[]>> = {
    systemOn: (device) => [hostFrames.systemOn(device)],
    systemOff: (device) => [hostFrames.systemOff(device)],
    setTorque: (device) => FINGER_INDICES.map((f) => hostFrames.setTorque(f, [1, 2, 3, 4], device)),
    torqueFrames: (device) => hostFrames.torqueFrames(new Int16Array(16).fill(-1), device),
    zeroTorqueFrames: (device) => hostFrames.zeroTorqueFrames(device),
    TorqueFrames: (device) => new hostFrames.TorqueFrames(device).frames,
    setPeriod: (device) => [hostFrames.setPeriod(period, device)],
    requestInfo: (device) => [hostFrames.requestInfo(device)],
    requestSerial: (device) => [hostFrames.requestSerial(device)],
    requestImu: (device) => [hostFrames.requestImu(device)],
    requestPose: (device) => FINGER_INDICES.map((f) => hostFrames.requestPose(f, device)),
    requestTemperature: (device) => FINGER_INDICES.map((f) => hostFrames.requestTemperature(f, device)),
  };

  it("the persistent config message, and the rest of that list, cannot be encoded", () => {
    const makers = Object.keys(hostFrames).filter(
      (name) => !["decodeHostFrame", "JOINT_PERIOD_MS"].includes(name),
    );
    expect(Object.keys(MAKERS).sort()).toEqual(makers.sort());
    const ids = [0, 1, 2, 3].flatMap((device) =>
      Object.values(MAKERS).flatMap((make) => make(device).map(messageIdOf)),
    );
    expect(new Set(ids)).toEqual(
      new Set([
        0x40, 0x41, 0x60, 0x61, 0x62, 0x63, 0x81, 0x80, 0x88, 0x30, 0x20, 0x21, 0x22, 0x23, 0x38, 0x39, 0x3a,
        0x3b,
      ]),
    );
    expect(NEVER_SENT.get(0x68)).toBe("config");
    expect(ids.filter((id) => NEVER_SENT.has(id))).toEqual([]);
  });

  it("cannot be made by its number either", () => {
    for (const [messageId, what] of NEVER_SENT) expect(() => dataFrame(messageId)).toThrow(what);
  });

  it("a finger out of range does not reach another message", () => {
    // setTorque + 8 would be config.
    expect(() => hostFrames.setTorque(8 as 0, [0, 0, 0, 0])).toThrow("finger 8");
    expect(() => hostFrames.requestPose(0x48 as 0)).toThrow("finger 72");
  });

  it("is recognised when somebody else sends it", () => {
    for (const [messageId, what] of NEVER_SENT)
      for (let device = 0; device <= 3; device++) {
        const frame = frameOf((messageId << 2) | device, "82");
        expect(decodeHostFrame(frame)).toEqual({ kind: "neverSent", what });
        expect(isNeverSent(frame)).toBe(true);
        expect(decodeHandFrame(frame, "v5b")).toBeUndefined();
      }
    expect(isNeverSent(hostFrames.systemOn())).toBe(false);
  });
});

describe("from the hand", () => {
  const info = {
    hardware: 0x0400,
    firmware: 0x0203,
    side: "left",
    temperatureC: 41,
    servoOn: true,
    overTemperature: false,
    communicationFault: true,
  } as const;

  it.each([
    [
      "pose",
      "v4",
      handFrames.encodePose(3, [1, -1, 32767, -32768]),
      { kind: "pose", finger: 3, counts: Int16Array.of(1, -1, 32767, -32768) },
    ],
    ["info", "v4", handFrames.encodeInfo(info), { kind: "info", ...info }],
    ["serial", "v4", handFrames.encodeSerial("A080R001"), { kind: "serial", text: "A080R001" }],
    [
      "imu",
      "v4",
      handFrames.encodeImu([0x0102, 0xfffe, 0x8000]),
      { kind: "imu", words: [0x0102, 0xfffe, 0x8000] },
    ],
    [
      "temperature",
      "v4",
      handFrames.encodeTemperature("v4", 2, -7),
      { kind: "temperature", sensor: 2, celsius: -7, jointCelsius: [] },
    ],
    [
      "temperature",
      "v5b",
      handFrames.encodeTemperature("v5b", 1, [30, 61, 40, 39]),
      { kind: "temperature", sensor: 1, celsius: 61, jointCelsius: [30, 61, 40, 39] },
    ],
    [
      "temperature of one",
      "v5a",
      handFrames.encodeTemperature("v5a", 1, 33),
      { kind: "temperature", sensor: 1, celsius: 33, jointCelsius: [33, 33, 33, 33] },
    ],
    [
      "pressure",
      "v5a",
      handFrames.encodePressure(2, [0, 5000]),
      { kind: "pressure", fingers: [2, 3], pressurePa: [0, 5000] },
    ],
    ["error", "v5b", handFrames.encodeError(5, 0x24), { kind: "error", motor: 5, bits: 0x24 }],
  ] as const)("%s of %s comes back as what it was", (_, model, frame, message) => {
    expect(decodeHandFrame(frame, model)).toEqual(message);
    expect(decodeHostFrame(frame)).toBeUndefined();
  });

  it("pressure comes under the manual's numbers too, and is 0 outside of what a sensor can say", () => {
    const hex = "8913000088130000";
    for (const [id, fingers] of [
      [0x3c0, [0, 1]],
      [0x3c8, [2, 3]],
      [0x140, [0, 1]],
      [0x148, [2, 3]],
    ] as const)
      expect(decodeHandFrame(frameOf(id, hex), "v5b")).toEqual({
        kind: "pressure",
        fingers,
        pressurePa: [0, 5000],
      });
    expect(decodeHandFrame(frameOf(0x3c0, "ffffffff01000000"), "v5b")).toMatchObject({ pressurePa: [0, 1] });
  });

  it("what only a V5 has is not a V4's", () => {
    expect(decodeHandFrame(handFrames.encodeError(1, 1), "v4")).toBeUndefined();
    expect(decodeHandFrame(handFrames.encodePressure(0, [1, 2]), "v4")).toBeUndefined();
  });

  it("a V5's info that says nothing of side and temperature is not taken for a right hand at 0 degrees", () => {
    const frame = frameOf(0x200, "00050100000001");
    expect(decodeHandFrame(frame, "v5b")).toMatchObject({
      side: undefined,
      temperatureC: undefined,
      servoOn: true,
    });
    expect(decodeHandFrame(frame, "v4")).toMatchObject({ side: "right", temperatureC: 0 });
    expect(decodeHandFrame(frameOf(0x200, "00050100010001"), "v5a")).toMatchObject({ side: "left" });
    expect(decodeHandFrame(frameOf(0x200, "00040100020001"), "v4")).toMatchObject({ kind: "malformed" });
    expect(handFrames.generationOf({ hardware: 0x0500 })).toBe(5);
  });

  it("a serial number is cut at its end and stays printable", () => {
    expect(decodeHandFrame(handFrames.encodeSerial("AB"), "v4")).toEqual({ kind: "serial", text: "AB" });
    expect(decodeHandFrame(frameOf(0x220, "41ff0a4200434343"), "v4")).toEqual({
      kind: "serial",
      text: "A??B",
    });
    expect(() => handFrames.encodeSerial("123456789")).toThrow("longer than 8");
    expect(handFrames.identityOfV5Serial("50BL0123")).toEqual({ model: "v5b", side: "left" });
    expect(handFrames.identityOfV5Serial("50AR0123")).toEqual({ model: "v5a", side: "right" });
    expect(handFrames.identityOfV5Serial("A080R001")).toBeUndefined();
  });

  it("names the bits of an error", () => {
    expect(handFrames.motorErrorsOf(0x24)).toEqual(["overheat", "overload"]);
    expect(handFrames.motorErrorsOf(0x11)).toEqual(["voltage", "electricalShock"]);
    expect(handFrames.motorErrorsOf(0xca)).toEqual([]);
  });

  it("a pose goes to its place without a message in between", () => {
    const counts = new Int16Array(16).fill(99);
    expect(readPose(handFrames.encodePose(1, [5, -6, 7, -8]), counts)).toBe(1);
    expect([...counts.subarray(3, 9)]).toEqual([99, 5, -6, 7, -8, 99]);
    const before = counts.slice();
    for (const frame of [
      hostFrames.requestPose(1),
      frameOf(0x84, "00".repeat(7)),
      frameOf(0x84, "00".repeat(3), { length: 8 }),
      frameOf(0x84, "00".repeat(8), { isExtended: true }),
      frameOf(0x90, "00".repeat(8)),
      handFrames.encodeSerial("12345678"),
    ])
      expect(readPose(frame, counts)).toBeUndefined();
    expect(counts).toEqual(before);
  });
});

describe("malformed", () => {
  const HAND_LENGTHS: readonly (readonly [id: number, length: number])[] = [
    ...[0x80, 0x84, 0x88, 0x8c, 0x220, 0x3c0, 0x3c8, 0x140, 0x148].map((id) => [id, 8] as const),
    [0x200, 7],
    [0x0c0, 6],
    ...[0xe0, 0xe4, 0xe8, 0xec].map((id) => [id, 4] as const),
    [0x3b8, 2],
  ];
  const HOST_LENGTHS: readonly (readonly [id: number, length: number])[] = [
    [0x100, 0],
    [0x104, 0],
    [0x204, 6],
    ...[0x180, 0x184, 0x188, 0x18c].map((id) => [id, 8] as const),
  ];

  it.each(HAND_LENGTHS)("identifier %i of the hand with any length but %i", (id, length) => {
    for (let n = 0; n <= 8; n++) {
      const kind = decodeHandFrame(frameOf(id, "00".repeat(n)), "v5a")?.kind;
      if (n === length) expect(kind).not.toBe("malformed");
      else expect(kind, `length ${n}`).toBe("malformed");
    }
    expect(decodeHandFrame(frameOf(id, "", { isRemote: true, length }), "v5a")).toMatchObject({
      kind: "malformed",
      why: expect.stringContaining("remote"),
    });
    expect(decodeHandFrame(frameOf(id, "", { length }), "v5a")?.kind).toBe("malformed");
  });

  it.each(HOST_LENGTHS)("identifier %i of the host with any length but %i", (id, length) => {
    for (let n = 0; n <= 8; n++) {
      const kind = decodeHostFrame(frameOf(id, "00".repeat(n)))?.kind;
      if (n === length) expect(kind).not.toBe("malformed");
      else expect(kind, `length ${n}`).toBe("malformed");
    }
    expect(decodeHostFrame(frameOf(id, "", { isRemote: true, length }))?.kind).toBe("malformed");
  });

  it("requests that ask for a length, and negative periods", () => {
    for (const id of [0x080, 0x08c, 0x0c0, 0x0e0, 0x200, 0x220])
      expect(decodeHostFrame(frameOf(id, "", { isRemote: true, length: 8 }))?.kind).toBe("malformed");
    expect(decodeHostFrame(frameOf(0x204, "ffff00000000"))?.kind).toBe("malformed");
  });

  it("says what was found and what was expected, for every model", () => {
    for (const model of HAND_MODELS)
      expect(decodeHandFrame(frameOf(0x200, "00"), model)).toEqual({
        kind: "malformed",
        why: "info: length 1 with 1 bytes, expected 7",
      });
  });
});
