/** The emulated hand on its serial line: golden frames, streams, power, torques that stay, heat. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import {
  commandOfTorque,
  countsOfRad,
  encodeImu,
  encodeTemperature,
  FINGER_INDICES,
  RAD_PER_COUNT,
  requestImu,
  requestInfo,
  requestPose,
  requestSerial,
  requestTemperature,
  setPeriod,
  setTorque,
  systemOff,
  systemOn,
  torqueFrames,
  torqueMaxOf,
  zeroTorqueFrames,
} from "../../drivers/allegro/protocol/index.js";
import { slcanText } from "../../drivers/can/slcan.js";
import { HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";
import { limpTimes } from "./handLog.js";
import { OVER_TEMPERATURE_C } from "./heat.js";
import { IdealHandPlant } from "./idealPlant.js";
import { startRadOf } from "./model.js";
import { HandRig, posesOf } from "./testing.js";

const POSES = setPeriod({ jointMs: 3, imuMs: 0, temperatureMs: 0 });
const NO_STREAM = setPeriod({ jointMs: 0, imuMs: 0, temperatureMs: 0 });
const only = (joint: number, count: number): number[] =>
  Array.from({ length: HAND_JOINT_COUNT }, (_, other) => (other === joint ? count : 0));

const HOME_RAD = startRadOf("v4", "right");

describe("the adapter", () => {
  it("says nothing and takes nothing while closed", () => {
    const rig = new HandRig();
    rig.send(systemOn(), POSES, requestSerial());
    rig.run(10);
    expect(rig.text).toBe("");
    expect(rig.emulator.hand.isOn).toBe(false);
    expect(rig.emulator.adapter.framesRefused).toBe(3);
  });

  it("acknowledges nothing, whatever it is told", () => {
    const rig = new HandRig();
    rig.say("C\rS8\r\rO\rO\rM0\rZ1\rF\rN\rxyz\r\r\r");
    rig.send(systemOff(), NO_STREAM);
    rig.run(10);
    expect(rig.text).toBe("");
    expect(rig.emulator.adapter.isOpen).toBe(true);
  });

  it("takes a rate only while closed, and hears nothing at another", () => {
    const rig = new HandRig();
    rig.say("S6\rO\rS8\r");
    rig.send(systemOn(), requestSerial());
    rig.run(3);
    expect([rig.text, rig.emulator.hand.isOn]).toEqual(["", false]);
    rig.say("C\rS8\rO\r");
    rig.send(requestSerial());
    expect(rig.take()).toEqual([{ kind: "serial", text: "A080R001" }]);
  });

  it("only listens after L", () => {
    const rig = new HandRig();
    rig.open().send(POSES);
    rig.say("C\rL\r");
    rig.send(systemOn());
    expect(posesOf(rig.after(3))).toHaveLength(4);
    expect(rig.emulator.hand.isOn).toBe(false);
  });

  it("stays open for a program that comes after a killed one, half a line and all", () => {
    const rig = new HandRig();
    rig.open().send(POSES, systemOn());
    rig.say("t18080");
    expect(posesOf(rig.after(3))).toHaveLength(4);
    rig.say("\r\rC\rS8\rO\r");
    rig.send(systemOff());
    expect(rig.emulator.hand.isOn).toBe(false);
  });

  it("tells its version, in pieces or whole", () => {
    const rig = new HandRig();
    for (const byte of "\rV\r") rig.say(byte);
    expect(rig.text).toMatch(/^CANable.*\r$/);
  });
});

interface GoldenFrame {
  readonly name: string;
  readonly hand: "right" | "left";
  readonly version: "v4" | "v5";
  readonly dir: "tx" | "rx";
  readonly slcan: string;
  readonly counts?: readonly number[];
  readonly rad?: readonly number[];
  readonly finger?: string;
  readonly tag: string;
}
const golden = JSON.parse(
  readFileSync(new URL("../../drivers/allegro/vectors/frames.json", import.meta.url), "utf8"),
) as { frames: GoldenFrame[] };
const FINGER_NAMES = ["index", "middle", "ring", "thumb"];

describe("what it says equals the golden frames", () => {
  const poses = golden.frames.filter(({ dir, rad }) => dir === "rx" && rad !== undefined);
  it.each(poses)("$name ($version $hand, $tag)", ({ hand, version, rad, finger, slcan }) => {
    const index = FINGER_NAMES.indexOf(finger!);
    // The ideal joints have stops well inside of what counts can say.
    const positionRad = new Float64Array(HAND_JOINT_COUNT);
    const plant = new IdealHandPlant(positionRad);
    plant.positionRad.set(rad!, 4 * index);
    const rig = new HandRig({ model: version === "v4" ? "v4" : "v5a", side: hand, plant });
    rig.open().send(requestPose(FINGER_INDICES[index]!));
    expect(rig.text).toBe(slcan);
  });

  const goldenText = (name: string) => golden.frames.find((frame) => frame.name === name)!.slcan;

  it("info, serial, temperature, IMU and error", () => {
    const rig = new HandRig({ imuWords: [0x0102, 0xfffe, 0x8000] });
    rig.open().send(systemOn());
    rig.emulator.inject({ heats: { fingers: ["index"], celsius: 35 } });
    rig.send(requestInfo());
    rig.send(requestSerial());
    rig.emulator.inject({ heats: { fingers: ["ring"], celsius: 41 } });
    rig.send(requestTemperature(2), requestImu());
    const v5 = new HandRig({ model: "v5a" }).open();
    v5.emulator.inject({ motorError: { motor: 5, bits: 0x24 } });
    expect(rig.text + v5.text).toBe(
      ["info_right", "serial_right", "temperature_2", "imu", "v5_error"].map(goldenText).join(""),
    );
  });

  const requests = golden.frames.filter(({ dir }) => dir === "tx");
  it.each(requests)("takes $name ($tag)", ({ version, hand, slcan }) => {
    const rig = new HandRig({ model: version === "v4" ? "v4" : "v5b", side: hand }).open();
    rig.say(slcan);
    expect(rig.emulator.hand.log.records).toHaveLength(1);
    const { malformed, unknown, neverSent, torqueBeyondLimit } = rig.emulator.hand.counters;
    expect([malformed, unknown, neverSent, torqueBeyondLimit]).toEqual([0, 0, 0, 0]);
  });
});

describe("streams", () => {
  it("has each in its own period, on a grid, poses of all fingers in wire order", () => {
    const rig = new HandRig({ imuWords: [1, 2, 3] });
    rig.open().send(setPeriod({ jointMs: 3, imuMs: 20, temperatureMs: 50 }));
    rig.run(300);
    const times = (text: string) =>
      rig.arrivals.filter(({ frame }) => slcanText(frame).startsWith(text)).map(({ atMs }) => atMs);
    for (const [finger, id] of ["t080", "t084", "t088", "t08C"].entries())
      expect(times(id), `finger ${finger}`).toEqual(Array.from({ length: 100 }, (_, k) => 3 * (k + 1)));
    expect(times("t0C0")).toEqual(Array.from({ length: 15 }, (_, k) => 20 * (k + 1)));
    expect(times("t0E8")).toEqual([50, 100, 150, 200, 250, 300]);
    expect(rig.arrivals.slice(0, 4).map(({ frame }) => frame.id)).toEqual([0x80, 0x84, 0x88, 0x8c]);
    expect(slcanText(encodeImu([1, 2, 3]))).toBe(
      slcanText(rig.arrivals.find(({ frame }) => frame.id === 0xc0)!.frame),
    );
  });

  it("end with period 0, and begin anew with another", () => {
    const rig = new HandRig();
    rig.open().send(POSES);
    expect(posesOf(rig.after(30))).toHaveLength(40);
    rig.send(NO_STREAM);
    expect(rig.after(30)).toEqual([]);
    rig.send(setPeriod({ jointMs: 10, imuMs: 0, temperatureMs: 0 }));
    expect(posesOf(rig.after(30))).toHaveLength(12);
  });

  it("of positions wait for the servo where the hand streams only while on; requests are answered", () => {
    const rig = new HandRig({ streamsWhileOff: false });
    rig.open().send(POSES, requestPose(0));
    expect(posesOf(rig.take())).toHaveLength(1);
    expect(rig.after(30)).toEqual([]);
    rig.send(systemOn());
    expect(posesOf(rig.after(3))).toHaveLength(4);
  });

  it("a program that was not run for long gets the newest 20 ms, and the rest is counted", () => {
    const rig = new HandRig();
    rig.open().send(POSES);
    rig.emulator.step(1);
    expect(posesOf(rig.take(), 0).length).toBeLessThanOrEqual(7);
    expect(rig.emulator.hand.counters.skippedPeriods).toBeGreaterThan(300);
    expect(posesOf(rig.after(30), 0)).toHaveLength(10);
  });

  it("a geared V5 streams its fingertips' pressure too", () => {
    const rig = new HandRig({ model: "v5b" });
    rig.open().send(POSES);
    expect(rig.after(3, "v5b").map(({ kind }) => kind)).toEqual([
      "pose",
      "pose",
      "pose",
      "pose",
      "pressure",
      "pressure",
    ]);
  });
});

describe("torques", () => {
  it("act only while the servo is on, and one that came before acts from then on", () => {
    const rig = new HandRig();
    rig.open().send(setTorque(0, [100, 0, 0, 0]));
    rig.run(100);
    expect(rig.plant.positionRad[0]).toBe(HOME_RAD[0]);
    expect(rig.emulator.hand.counters.torqueWhileOff).toBe(1);
    rig.send(systemOn());
    rig.run(100);
    expect(rig.plant.positionRad[0]).toBeGreaterThan(HOME_RAD[0]! + 0.05);
  });

  it("the last one stays when commands stop: the hand has no watchdog", () => {
    const rig = new HandRig();
    rig.open().send(systemOn(), setTorque(0, [60, 0, 0, 0]));
    rig.run(1000);
    const speed = rig.plant.velocityRadPerS[0]!;
    expect(speed).toBeGreaterThan(0.5);
    expect(rig.emulator.hand.isLimp).toBe(false);
    // The program's port is closed and nobody says anything: it goes on.
    rig.say("C\r");
    rig.run(500);
    expect(rig.plant.torqueNm[0]).toBeCloseTo(60 / 1200, 12);
  });

  it("end with OFF, and are back with the next ON unless zero was told", () => {
    const rig = new HandRig();
    rig.open().send(systemOn(), ...torqueFrames(only(5, 200)));
    expect(rig.plant.torqueNm[5]).toBeGreaterThan(0);
    rig.send(systemOff());
    expect([...rig.plant.torqueNm]).toEqual(new Array(HAND_JOINT_COUNT).fill(0));
    rig.send(systemOn());
    expect(rig.plant.torqueNm[5]).toBeGreaterThan(0);
    rig.send(systemOff(), ...zeroTorqueFrames(), systemOn());
    expect([...rig.plant.torqueNm]).toEqual(new Array(HAND_JOINT_COUNT).fill(0));
  });

  it.each(["v4", "v5a", "v5b"] as const)("have the scale of their model (%s)", (model) => {
    const rig = new HandRig({ model });
    const command = new Int16Array(HAND_JOINT_COUNT);
    const torqueNm = Array.from({ length: HAND_JOINT_COUNT }, (_, joint) => 0.1 - 0.01 * joint);
    commandOfTorque(model, torqueNm, command);
    rig.open().send(systemOn(), ...torqueFrames(command));
    rig.plant.torqueNm.forEach((nm, joint) => {
      expect(Math.abs(nm - torqueNm[joint]!)).toBeLessThan(2 / (model === "v4" ? 1200 : 715));
    });
    const other = new HandRig({ model }).open();
    other.send(requestPose(0));
    expect(posesOf(other.take(model))[0]!.counts[2]).toBe(countsOfRad(model, HOME_RAD[2]!));
    expect(RAD_PER_COUNT[model]).toBeLessThan(0.002);
  });

  it("beyond a joint's limit are cut, and counted", () => {
    const rig = new HandRig();
    rig.open().send(systemOn(), setTorque(0, [32000, 0, 0, 0]));
    expect(rig.plant.torqueNm[0]).toBeCloseTo(375 / 1200, 12);
    expect(rig.emulator.hand.counters.torqueBeyondLimit).toBe(1);
  });
});

describe("who it is", () => {
  it.each([
    { model: "v4", side: "left", info: true, serial: "A080L001" },
    { model: "v5a", side: "right", info: false, serial: "AHAR0001" },
    { model: "v5b", side: "left", info: false, serial: "AHBL0001" },
  ] as const)("$model $side", ({ model, side, info, serial }) => {
    const rig = new HandRig({ model, side });
    rig.open().send(requestInfo(), requestSerial());
    const messages = rig.take(model);
    expect(messages.map(({ kind }) => kind)).toEqual(info ? ["info", "serial"] : ["serial"]);
    expect(messages.at(-1)).toEqual({ kind: "serial", text: serial });
    if (info) expect(messages[0]).toMatchObject({ side, hardware: 0x0400, servoOn: false });
  });

  it("a V5 that answers for its info says neither side nor temperature", () => {
    const rig = new HandRig({ model: "v5a", answersInfo: true });
    rig.open().send(requestInfo());
    expect(rig.take("v5a")[0]).toMatchObject({
      kind: "info",
      hardware: 0x0500,
      side: undefined,
      temperatureC: undefined,
      servoOn: true,
    });
  });
});

describe("heat", () => {
  it("rises with effort and falls without", () => {
    const rig = new HandRig();
    rig.open().send(systemOn(), ...torqueFrames(only(15, 270)));
    const thumbC = () => {
      rig.send(requestTemperature(3), requestTemperature(0));
      return rig.take().map((message) => (message.kind === "temperature" ? message.celsius : undefined));
    };
    rig.run(100);
    expect(rig.emulator.hand.heat.celsius[15]).toBeGreaterThan(28);
    rig.emulator.hand.heat.step(200, only(15, 1));
    const [warmC, indexC] = thumbC();
    expect(warmC).toBeGreaterThan(50);
    expect(indexC).toBe(28);
    rig.send(systemOff());
    rig.emulator.hand.heat.step(300, only(15, 0));
    expect(thumbC()[0]).toBeLessThan(warmC! - 10);
  });

  it("is said by a V4 in its info and its temperatures, and by a V5 in an error message once", () => {
    const v4 = new HandRig().open();
    v4.emulator.inject({ heats: { fingers: ["middle"], celsius: OVER_TEMPERATURE_C + 1 } });
    v4.run(1);
    v4.send(requestInfo());
    expect(v4.take()[0]).toMatchObject({ overTemperature: true, temperatureC: OVER_TEMPERATURE_C + 1 });
    const v5 = new HandRig({ model: "v5a" }).open();
    v5.emulator.inject({ heats: { fingers: ["middle"], celsius: OVER_TEMPERATURE_C + 1 } });
    const errors = v5.after(100, "v5a").filter(({ kind }) => kind === "error");
    expect(errors).toEqual([4, 5, 6, 7].map((motor) => ({ kind: "error", motor, bits: 4 })));
    v5.send(requestTemperature(1));
    expect(slcanText(v5.arrivals.at(-1)!.frame)).toBe(
      slcanText(encodeTemperature("v5a", 1, OVER_TEMPERATURE_C + 1)),
    );
  });
});

describe("its log", () => {
  const streams = NO_STREAM;
  it("finds the way to limp only in its right order, and for good", () => {
    const rig = new HandRig();
    rig.open().send(systemOn(), ...torqueFrames(only(3, 50)));
    rig.run(3);
    rig.send(systemOff(), ...zeroTorqueFrames(), streams);
    expect(limpTimes(rig.emulator.hand.log.records)).toBeUndefined();
    rig.run(3);
    rig.send(...zeroTorqueFrames(), systemOff(), streams);
    const at = rig.emulator.hand.atMs;
    expect(limpTimes(rig.emulator.hand.log.records)).toMatchObject({ offMs: at, periodMs: at });
    rig.send(setTorque(1, [0, 0, 0, 1]));
    expect(limpTimes(rig.emulator.hand.log.records)).toBeUndefined();
  });
});

describe("its time", () => {
  it("passes by its own loop as it does in lock-step: the same bytes", async () => {
    const clock = new SimClock();
    const [paced, stepped] = [new HandRig({ clock, lockstep: false }), new HandRig()];
    paced.emulator.start();
    for (const rig of [paced, stepped])
      rig
        .open()
        .send(
          setPeriod({ jointMs: 3, imuMs: 7, temperatureMs: 50 }),
          systemOn(),
          ...torqueFrames(only(2, 80)),
        );
    await clock.advance(300.5);
    stepped.run(300);
    expect(paced.text.length).toBeGreaterThan(400 * 22);
    expect(paced.text).toBe(stepped.text);
    await paced.emulator.close();
  });
});

describe("whatever bytes come", () => {
  const line = fc
    .tuple(fc.constantFrom(..."tTrRSOCLVZx"), fc.stringMatching(/^[0-9A-Fa-f]{0,24}$/))
    .map(([letter, digits]) => `${letter}${digits}\r`);
  it("nothing is thrown, torques stay within their limits, and it goes on", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string({ unit: "binary" })), { maxLength: 30 }), (pieces) => {
        const rig = new HandRig();
        rig.open().send(systemOn(), POSES);
        for (const piece of pieces) rig.say(piece);
        rig.run(5);
        const maxNm = torqueMaxOf("v4");
        rig.plant.torqueNm.forEach((nm, joint) => {
          expect(Math.abs(nm)).toBeLessThanOrEqual(maxNm[joint]! + 1e-12);
        });
        rig.say("\r\rC\rS8\rO\r");
        rig.send(systemOff(), NO_STREAM);
        expect(rig.emulator.hand.isLimp).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
