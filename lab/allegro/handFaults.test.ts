/** Every fault does on the wire what it says, for as long as it says, and nothing else. */
import { describe, expect, it } from "vitest";
import {
  decodeHandFrame,
  type HandMessage,
  requestInfo,
  requestPose,
  requestSerial,
  requestTemperature,
  setPeriod,
  setTorque,
  systemOff,
  systemOn,
} from "../../drivers/allegro/protocol/index.js";
import { slcanText } from "../../drivers/can/slcan.js";
import { CONDITION_NAMES, EVENT_NAMES, HandFault } from "./handFaults.js";
import { startRadOf } from "./model.js";
import { HandRig, posesOf } from "./testing.js";

const POSES = setPeriod({ jointMs: 3, imuMs: 0, temperatureMs: 0 });
const PULL = setTorque(0, [100, 0, 0, 0]);

const HOME_RAD = startRadOf("v4", "right");

/** A hand that streams, powered, and pulls with one joint. */
function running(options: ConstructorParameters<typeof HandRig>[0] = {}): HandRig {
  const rig = new HandRig(options);
  rig.open().send(systemOn(), POSES);
  rig.run(2);
  return rig;
}
const inject = (rig: HandRig, fault: unknown): void => rig.emulator.inject(HandFault.parse(fault));
const ask = (rig: HandRig): HandMessage[] => {
  rig.arrivals.length = 0;
  rig.send(requestInfo(), requestSerial());
  return rig.take();
};

interface Case {
  readonly fault: Record<string, unknown>;
  readonly options?: ConstructorParameters<typeof HandRig>[0];
  /** Checks what holds under the fault, which is on. */
  readonly shows: (rig: HandRig) => void;
}

const CASES: readonly Case[] = [
  {
    fault: { loses: { fingers: ["ring"] } },
    shows: (rig) => {
      const poses = posesOf(rig.after(30));
      expect([0, 1, 2, 3].map((finger) => posesOf(poses, finger).length)).toEqual([10, 10, 0, 10]);
    },
  },
  {
    fault: { loses: { fingers: ["index", "ring"], isInTurn: true } },
    shows: (rig) => {
      const fingers = posesOf(rig.after(30)).map(({ finger }) => finger);
      expect(fingers.length).toBe(30);
      expect(
        [fingers.slice(0, 6).join(""), fingers.slice(6, 12).join("")].map((six) => [...six].sort().join("")),
      ).toEqual(["011233", "011233"].map((six) => [...six].sort().join("")));
    },
  },
  { fault: { loses: {} }, shows: (rig) => expect(rig.after(30)).toEqual([]) },
  {
    fault: { loses: { fingers: ["thumb"], share: 0.3 } },
    shows: (rig) => {
      const poses = posesOf(rig.after(3000));
      expect(posesOf(poses, 0)).toHaveLength(1000);
      const thumb = posesOf(poses, 3).length;
      expect(thumb).toBeGreaterThan(640);
      expect(thumb).toBeLessThan(760);
    },
  },
  {
    fault: { freezes: { fingers: ["index"] } },
    shows: (rig) => {
      rig.send(PULL, setTorque(1, [100, 0, 0, 0]));
      const poses = posesOf(rig.after(300));
      expect(new Set(posesOf(poses, 0).map(({ counts }) => counts[0])).size).toBe(1);
      expect(new Set(posesOf(poses, 1).map(({ counts }) => counts[0])).size).toBeGreaterThan(50);
      expect(rig.plant.positionRad[0]).toBeGreaterThan(HOME_RAD[0]! + 0.1);
    },
  },
  {
    fault: { shortens: { fingers: ["middle"], bytes: 6 } },
    shows: (rig) => {
      const messages = rig.after(3);
      expect(messages.map(({ kind }) => kind)).toEqual(["pose", "malformed", "pose", "pose"]);
    },
  },
  {
    fault: { repeats: { times: 1 } },
    shows: (rig) =>
      expect(posesOf(rig.after(3)).map(({ finger }) => finger)).toEqual([0, 0, 1, 1, 2, 2, 3, 3]),
  },
  {
    fault: { delays: { ms: 20 } },
    shows: (rig) => {
      expect(rig.after(19)).toEqual([]);
      expect(posesOf(rig.after(30), 0)).toHaveLength(10);
    },
  },
  {
    fault: { periodIs: { jointMs: 10 } },
    shows: (rig) => expect(posesOf(rig.after(100), 0).length).toBeLessThanOrEqual(11),
  },
  {
    fault: { says: { side: "left" } },
    shows: (rig) =>
      expect(ask(rig)).toMatchObject([
        { kind: "info", side: "left" },
        { kind: "serial", text: "A080L001" },
      ]),
  },
  {
    fault: { says: { model: "v5b" } },
    shows: (rig) => expect(ask(rig)).toMatchObject([{ hardware: 0x0500 }, { text: "AHBR0001" }]),
  },
  {
    fault: { says: { serial: "A080R777", overTemperature: true, communicationFault: true, servoOff: true } },
    shows: (rig) => {
      const [info, serial] = ask(rig);
      expect(info).toMatchObject({ overTemperature: true, communicationFault: true, servoOn: false });
      expect(serial).toMatchObject({ text: "A080R777" });
      expect(rig.emulator.hand.isOn).toBe(true);
    },
  },
  {
    fault: { isMute: { to: ["info", "pose", "temperature"] } },
    shows: (rig) => {
      rig.arrivals.length = 0;
      rig.send(requestInfo(), requestSerial(), requestPose(0), requestTemperature(0));
      expect(rig.take().map(({ kind }) => kind)).toEqual(["serial"]);
    },
  },
  {
    fault: { ignores: { messages: ["systemOff", "period"] } },
    shows: (rig) => {
      rig.send(systemOff(), setPeriod({ jointMs: 0, imuMs: 0, temperatureMs: 0 }), PULL);
      expect(rig.emulator.hand.isOn).toBe(true);
      expect(posesOf(rig.after(30), 0)).toHaveLength(10);
      expect(rig.plant.torqueNm[0]).toBeGreaterThan(0);
    },
  },
  {
    fault: { busOff: {} },
    shows: (rig) => {
      rig.send(systemOff());
      expect(rig.after(30)).toEqual([]);
      expect([rig.emulator.hand.isOn, rig.busStates]).toEqual([true, []]);
    },
  },
  { fault: { busOff: { isAnnounced: true } }, shows: (rig) => expect(rig.busStates).toEqual(["off"]) },
  {
    fault: { isDeaf: {} },
    shows: (rig) => {
      rig.send(systemOff());
      expect(posesOf(rig.after(30), 0)).toHaveLength(10);
      expect(rig.emulator.hand.isOn).toBe(true);
    },
  },
  {
    fault: { isUnpowered: {} },
    shows: (rig) => {
      rig.send(requestSerial());
      expect(rig.after(30)).toEqual([]);
      expect(rig.emulator.hand.isOn).toBe(false);
    },
  },
  {
    fault: { strangers: { from: "otherDevice" } },
    shows: (rig) => {
      rig.after(3);
      rig.run(3);
      expect(rig.arrivals.map(({ frame }) => decodeHandFrame(frame, "v4")?.kind)).toEqual([
        "pose",
        "pose",
        "pose",
        "pose",
        undefined,
        undefined,
      ]);
      expect(rig.arrivals.some(({ frame }) => frame.isExtended)).toBe(true);
    },
  },
  {
    fault: { strangers: { from: "otherHand" } },
    shows: (rig) => {
      rig.run(3);
      expect(rig.arrivals.map(({ frame }) => frame.id)).toEqual(
        [0x80, 0x84, 0x88, 0x8c].concat([0x81, 0x85, 0x89, 0x8d]),
      );
    },
  },
  {
    fault: { strangers: { from: "oldHand" } },
    shows: (rig) => {
      rig.run(3);
      expect(rig.arrivals.slice(4).map(({ frame }) => frame.id)).toEqual([971, 972, 973, 974]);
    },
  },
  {
    fault: { strangers: { from: "secondHost" } },
    shows: (rig) => {
      rig.run(3);
      expect(rig.arrivals.slice(4).map(({ frame }) => slcanText(frame).slice(0, 5))).toEqual([
        "t1808",
        "t1848",
        "t1888",
        "t18C8",
      ]);
    },
  },
  {
    fault: { garbles: { bytes: 7, share: 0.5 } },
    shows: (rig) => {
      const before = rig.text.length;
      rig.run(300);
      expect(rig.text.length - before).toBeGreaterThan(400 * 22);
      expect(rig.emulator.line.damagedBytes).toBeGreaterThan(7 * 150);
      expect(rig.reader.bytesDiscarded).toBeGreaterThan(0);
      // What is not garbled arrives whole.
      expect(posesOf(rig.take()).length).toBeGreaterThan(150);
    },
  },
  {
    fault: { cuts: { characters: 12, share: 0.25 } },
    shows: (rig) => {
      const poses = posesOf(rig.after(300)).length;
      expect(poses).toBeGreaterThan(150);
      expect(poses).toBeLessThan(330);
      expect(rig.reader.bytesDiscarded).toBeGreaterThan(0);
    },
  },
  { fault: { stalls: {} }, shows: (rig) => expect(rig.after(60)).toEqual([]) },
  {
    fault: { hangs: {} },
    shows: (rig) => {
      rig.send(systemOff());
      expect(rig.after(30)).toEqual([]);
      expect(rig.emulator.hand.isOn).toBe(true);
    },
  },
  {
    fault: { isUnplugged: {} },
    shows: (rig) => {
      rig.send(systemOff());
      expect(rig.after(30)).toEqual([]);
      expect([rig.plugs, rig.emulator.hand.isOn]).toEqual([[false], true]);
    },
  },
  {
    fault: { pushes: { joint: 4, torqueNm: -0.2 } },
    shows: (rig) => {
      rig.run(100);
      expect(rig.plant.positionRad[4]).toBeLessThan(HOME_RAD[4]! - 0.1);
    },
  },
];

describe("conditions", () => {
  it("are all tried here", () => {
    const tried = new Set(CASES.flatMap(({ fault }) => Object.keys(fault)));
    expect([...tried].sort()).toEqual([...CONDITION_NAMES].sort());
  });

  it.each(CASES.map((one) => [JSON.stringify(one.fault), one] as const))(
    "%s",
    (_, { fault, options, shows }) => {
      const rig = running(options);
      inject(rig, fault);
      shows(rig);
    },
  );

  it.each(CASES.map(({ fault }) => [Object.keys(fault)[0]!, fault] as const))(
    "%s is over by itself after its time, and by word: positions come as before",
    (name, fault) => {
      for (const isByWord of [false, true]) {
        const rig = running();
        inject(rig, isByWord ? fault : { ...fault, forMs: 30 });
        rig.run(29);
        if (isByWord) inject(rig, { ends: { what: [name] } });
        rig.run(40);
        // What closes the adapter or switches the hand off is to be told anew.
        rig.open().send(POSES);
        rig.run(3);
        expect(posesOf(rig.after(30)).map(({ finger }) => finger)).toEqual(
          Array.from({ length: 40 }, (_, k) => k % 4),
        );
        const [info, serial] = ask(rig);
        expect(info).toMatchObject({ side: "right", hardware: 0x0400, overTemperature: false });
        expect(serial).toMatchObject({ text: "A080R001" });
      }
    },
  );

  it("a stalled line gives at once what it kept, in order", () => {
    const rig = running();
    inject(rig, { stalls: {}, forMs: 60 });
    expect(rig.after(59)).toEqual([]);
    const poses = posesOf(rig.after(1));
    expect(poses.length).toBeGreaterThanOrEqual(76);
    expect(poses.map(({ finger }) => finger)).toEqual(poses.map((_, k) => k % 4));
  });

  it("an adapter that is back is closed; the hand has kept its last torque all the while", () => {
    const rig = running();
    rig.send(PULL);
    inject(rig, { isUnplugged: {}, forMs: 100 });
    rig.run(150);
    expect(rig.plugs).toEqual([false, true]);
    expect(rig.emulator.adapter.isOpen).toBe(false);
    expect(rig.plant.torqueNm[0]).toBeCloseTo(100 / 1200, 12);
    expect(rig.after(30)).toEqual([]);
    rig.open();
    expect(posesOf(rig.after(3))).toHaveLength(4);
  });

  it("a hand that gets its supply back is off and streams nothing", () => {
    const rig = running();
    rig.send(PULL);
    inject(rig, { isUnpowered: {}, forMs: 50 });
    rig.run(60);
    expect([rig.emulator.hand.isOn, rig.plant.torqueNm[0]]).toEqual([false, 0]);
    expect(rig.after(30)).toEqual([]);
    rig.send(requestSerial());
    expect(rig.take()).toEqual([{ kind: "serial", text: "A080R001" }]);
  });
});

describe("events", () => {
  const EVENT_CASES: readonly Case[] = [
    {
      fault: { jumps: { joint: 1, counts: 5000 } },
      shows: (rig) => {
        const [before] = posesOf(rig.after(3), 0);
        inject(rig, { jumps: { joint: 1, counts: -7000 } });
        const [after] = posesOf(rig.after(3), 0);
        expect(after!.counts[1]! - before!.counts[1]!).toBe(-7000);
      },
    },
    {
      fault: { heats: { fingers: ["thumb"], celsius: 66 } },
      shows: (rig) => {
        rig.send(requestTemperature(3), requestTemperature(0));
        expect(rig.take().slice(-2)).toMatchObject([{ celsius: 66 }, { celsius: 28 }]);
      },
    },
    {
      fault: { motorError: { motor: 3, bits: 33 } },
      options: { model: "v5a" },
      shows: (rig) => expect(rig.take("v5a").at(-1)).toEqual({ kind: "error", motor: 3, bits: 33 }),
    },
    {
      fault: { wasLeft: { counts: -80 } },
      shows: (rig) => {
        expect(rig.emulator.hand.isOn).toBe(true);
        expect(rig.plant.torqueNm[5]).toBeCloseTo(-80 / 1200, 9);
      },
    },
    {
      fault: { switchesOff: {} },
      shows: (rig) => {
        expect(rig.emulator.hand.isOn).toBe(false);
        expect(posesOf(rig.after(30), 0)).toHaveLength(10);
      },
    },
  ];

  it("are all tried here", () => {
    const tried = EVENT_CASES.flatMap(({ fault }) => Object.keys(fault));
    expect([...tried, "ends"].sort()).toEqual([...EVENT_NAMES].sort());
  });

  it.each(EVENT_CASES.map((one) => [JSON.stringify(one.fault), one] as const))(
    "%s",
    (_, { fault, options, shows }) => {
      const rig = running(options);
      inject(rig, fault);
      shows(rig);
    },
  );
});

describe("a fault as data", () => {
  it.each([
    { what: "an unknown word", fault: { looses: {} } },
    { what: "two at once", fault: { loses: {}, hangs: {} } },
    { what: "none", fault: { forMs: 100 } },
    { what: "an event that lasts", fault: { switchesOff: {}, forMs: 10 } },
    { what: "a finger that there is not", fault: { loses: { fingers: ["pinky"] } } },
  ])("is refused for $what", ({ fault }) => {
    expect(HandFault.safeParse(fault).success).toBe(false);
  });

  it("has the same chance for the same seed", () => {
    const texts = [1, 1, 2].map((seed) => {
      const rig = running({ seed });
      inject(rig, { garbles: { bytes: 5, share: 0.5 } });
      rig.run(60);
      return rig.text;
    });
    expect(texts[1]).toBe(texts[0]);
    expect(texts[2]).not.toBe(texts[0]);
  });
});
