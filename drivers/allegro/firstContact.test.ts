/** The first look at a hand, in simulated time: what it finds, and that it never exerts anything. */
import { afterEach, describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { type FirstContact, lookAtHand } from "./firstContact.js";
import { LIMP } from "./limp.js";
import { encodeError, FINGER_INDICES, systemOn } from "./protocol/index.js";
import { FakeHand, type FakeHandOptions } from "./testing.js";

const HOME_RAD = [
  0, -0.17, 0.79, 0.79, 0, -0.17, 0.79, 0.79, 0.09, -0.09, 0.87, 0.79, 1.05, 0.44, 0.26, 0.79,
];
const hands: FakeHand[] = [];
afterEach(() => {
  for (const hand of hands.splice(0)) hand.end();
});

async function look(
  options: Partial<FakeHandOptions> = {},
  change: (hand: FakeHand, ms: number) => void = () => {},
): Promise<{ hand: FakeHand; contact: FirstContact; texts: string }> {
  const clock = new SimClock();
  const hand = new FakeHand(clock, options);
  hands.push(hand);
  hand.positionRad.set(HOME_RAD);
  const { signal } = new AbortController();
  let contact: FirstContact | undefined;
  const looking = lookAtHand({ open: hand.open, clock, seconds: 2, signal }).then((found) => {
    contact = found;
  });
  for (let ms = 0; ms < 6000 && contact === undefined; ms++) {
    change(hand, ms);
    await clock.advance(1);
  }
  await looking;
  const texts = contact!.findings.map(({ level, text }) => `${level}: ${text}`).join("\n");
  return { hand, contact: contact!, texts };
}

/** A person bends all fingers. */
const bend = (hand: FakeHand, ms: number) => {
  for (let joint = 0; joint < 16; joint++)
    hand.positionRad[joint] = HOME_RAD[joint]! + 0.08 * Math.sin(ms / 200);
};

describe("the first look at a hand", () => {
  it("tells who it is, that it streams and moves, and passes it", async () => {
    const { contact, texts } = await look({}, bend);
    expect(contact).toMatchObject({ model: "v4", side: "right", serial: "RH040001", passed: true });
    expect(contact.findings.every(({ level }) => level === "ok")).toBe(true);
    expect(texts).toMatch(/V4 right.*firmware 1\.2/);
    expect(texts).toMatch(/33[34] frames a second.*max 3\.00 ms/);
    expect(texts).toMatch(/every joint was seen moving/);
  });

  it("exerts nothing, switches nothing on, and leaves it limp", async () => {
    const { hand } = await look({}, bend);
    const sent = hand.written.map(({ id }) => id);
    expect(sent).not.toContain(systemOn().id);
    for (const { id, data } of hand.written.filter(({ id }) => id >= 0x180 && id < 0x190))
      expect([...data], `torque ${id}`).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(sent.slice(0, LIMP.length)).toEqual(LIMP.map(({ id }) => id));
    expect(sent.slice(-LIMP.length)).toEqual(LIMP.map(({ id }) => id));
    expect(hand.isClosed).toBe(true);
  });

  it("sends nothing at all where another program commands", async () => {
    const { hand, contact, texts } = await look({}, (it, ms) => {
      if (ms % 3 === 0) it.send(LIMP[0]!);
    });
    expect(hand.written).toEqual([]);
    expect(contact.passed).toBe(false);
    expect(texts).toMatch(/another program commands this hand: identifiers 0x180; nothing was sent/);
  });

  it("asks for positions where a hand streams only while it is on", async () => {
    const { contact, texts } = await look({ streamsWhileOff: false });
    expect(texts).toMatch(/tell their positions when asked/);
    expect(contact.passed).toBe(true);
    expect(contact.positionRad[2]).toBeCloseTo(0.79, 3);
  });

  it("knows a V5 by its serial number", async () => {
    const { contact } = await look({
      model: "v5a",
      hardware: 0x0500,
      serial: "AHBL0001",
      answersInfo: false,
    });
    expect(contact).toMatchObject({ model: "v5b", side: "left", info: undefined });
  });

  const troubles: readonly (readonly [
    string,
    RegExp,
    Partial<FakeHandOptions>,
    (hand: FakeHand, ms: number) => void,
  ])[] = [
    [
      "nobody is there",
      /nothing answers/,
      { answersInfo: false, answersSerial: false, streamsWhileOff: false },
      (it) => {
        it.sendPose = () => {};
      },
    ],
    [
      "a finger is dumb",
      /no positions of: ring/,
      {},
      (it) => {
        it.silentFingers.add(2);
        const send = FakeHand.prototype.sendPose;
        it.sendPose = (finger) => {
          if (finger !== 2) send.call(it, finger);
        };
      },
    ],
    [
      "frames are lost",
      /2\d\d frames a second/,
      {},
      (it, ms) => {
        for (const finger of FINGER_INDICES)
          if (ms % 9 < 3) it.silentFingers.add(finger);
          else it.silentFingers.delete(finger);
      },
    ],
    [
      "a joint stands where none can",
      /outside of the range: joint5/,
      {},
      (it) => void (it.positionRad[5] = 2.4),
    ],
    ["it is hot", /72 °C/, {}, (it) => void (it.sensorC[3] = 72)],
    [
      "its servo does not go off",
      /stays on after OFF/,
      {},
      (it) => {
        Object.defineProperty(it, "isOn", { get: () => true, set: () => {} });
      },
    ],
    [
      "a motor tells an error",
      /motor 3: 0x4/,
      { model: "v5a", hardware: 0x0500, serial: "AHAR0001" },
      (it, ms) => {
        if (ms === 1500) it.send(encodeError(3, 4));
      },
    ],
  ];
  it.each(troubles)("does not pass a hand when %s", async (_, found, options, change) => {
    const { contact, texts } = await look(options, change);
    expect(texts).toMatch(found);
    expect(contact.passed).toBe(false);
    for (const { level, remedy } of contact.findings) if (level === "wrong") expect(remedy).toBeDefined();
  });

  it("names joints that nobody has moved, errors and strangers, and passes it nevertheless", async () => {
    const { contact, texts } = await look({}, (it, ms) => {
      it.errors = 3;
      if (ms === 900) it.send({ ...LIMP[0]!, id: 0x7a1 });
    });
    expect(texts).toMatch(/weak: not seen moving: joint0,.*joint15/);
    expect(texts).toMatch(/weak: 3 bus errors/);
    expect(texts).toMatch(/weak: other devices send: 0x7A1/);
    expect(contact.passed).toBe(true);
  });
});
