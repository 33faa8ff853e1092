/** The driver on a simulated bus and clock: bring-up, control by the stream, every way to go limp, every fault. */
import { afterEach, describe, expect, it } from "vitest";
import { asMonotonicNs, type Clock, sleepMs } from "../../core/clock.js";
import { SimClock } from "../../core/simClock.js";
import type { CanFrame } from "../can/frame.js";
import type { Fault } from "../contract.js";
import { AllegroConfig } from "./config.js";
import { AllegroDriver } from "./driver.js";
import { allFaults } from "./faults.js";
import { LIMP, limpLines } from "./limp.js";
import type { FingerIndex } from "./protocol/index.js";
import { FakeGuardian, FakeHand, type FakeHandOptions } from "./testing.js";

const PERIOD_MS = 3;
/** Vendor's home pose of the V4, rounded [rad]. */
const HOME_RAD = [
  0, -0.17, 0.79, 0.79, 0, -0.17, 0.79, 0.79, 0.09, -0.09, 0.87, 0.79, 1.05, 0.44, 0.26, 0.79,
];
/** As third parties describe real ones. */
const V5 = { model: "v5a", hardware: 0x0500, serial: "AHAR0001", answersInfo: false } as const;
const CAN = { slcan: { path: "/dev/null" } };
const never = new AbortController().signal;
const hands: FakeHand[] = [];
const toldCodes = new Set<string>();
afterEach(() => {
  for (const hand of hands.splice(0)) hand.end();
});

/** Simulated time that can be held back from everybody, as a machine does that runs nobody. */
class StallingClock implements Clock {
  readonly sim = new SimClock();
  stalledMs = 0;
  nowNs = () => asMonotonicNs(this.sim.nowNs());
  nowMs = () => this.sim.nowMs() + this.stalledMs;
  epochNs = () => this.sim.epochNs();
  sleepUntil: Clock["sleepUntil"] = (dueNs, signal) => this.sim.sleepUntil(dueNs, signal);
}

interface Rig {
  readonly clock: StallingClock;
  readonly hand: FakeHand;
  readonly guardian: FakeGuardian;
  readonly driver: AllegroDriver;
  readonly faults: Fault[];
}

function rig(
  options: Partial<FakeHandOptions> = {},
  configured: Record<string, unknown> = {},
  whole?: AllegroConfig,
): Rig {
  const clock = new StallingClock();
  const hand = new FakeHand(clock, options);
  hand.positionRad.set(HOME_RAD);
  hands.push(hand);
  const guardian = new FakeGuardian();
  const config = whole ?? AllegroConfig.parse({ can: CAN, model: "v4", side: "right", ...configured });
  const driver = new AllegroDriver(config, { clock, openBus: hand.open, guardian });
  const faults: Fault[] = [];
  driver.onFault((fault) => {
    faults.push(fault);
    toldCodes.add(fault.code);
  });
  return { clock, hand, guardian, driver, faults };
}

/** Runs simulated time until the promise is settled. */
async function settle<T>(clock: StallingClock, promise: Promise<T>, withinMs = 5000): Promise<T> {
  let isSettled = false;
  const watched = promise.finally(() => {
    isSettled = true;
  });
  watched.catch(() => {});
  for (let ms = 0; ms < withinMs && !isSettled; ms++) await clock.sim.advance(1);
  expect(isSettled, "settles in time").toBe(true);
  return await watched;
}

async function configured(options: Partial<FakeHandOptions> = {}, config: Record<string, unknown> = {}) {
  const it = rig(options, config);
  await settle(it.clock, it.driver.configure(never));
  return it;
}

async function active(options: Partial<FakeHandOptions> = {}, config: Record<string, unknown> = {}) {
  const it = await configured(options, config);
  await settle(it.clock, it.driver.activate(never));
  return it;
}

/** Ticks at the period with `target(t)`, until the time is over; answers how often each result came. */
async function tick(
  { clock, driver }: Rig,
  durationMs: number,
  target: (timeS: number) => ArrayLike<number> = () => HOME_RAD,
): Promise<Record<string, number>> {
  const results: Record<string, number> = {};
  for (let ms = 0; ms < durationMs; ms += PERIOD_MS) {
    const result = driver.command(Float64Array.from(target(ms / 1000)));
    results[result] = (results[result] ?? 0) + 1;
    await clock.sim.advance(PERIOD_MS);
  }
  return results;
}

const idOf = ({ id }: CanFrame) => id;
const LIMP_IDS = [0x180, 0x184, 0x188, 0x18c, 0x104, 0x204];

/** Everything that left last is LIMP, in its order, and nothing follows. */
function expectLimp({ hand, driver }: Rig): void {
  expect(hand.written.slice(-LIMP.length)).toEqual([...LIMP]);
  expect(hand.isOn).toBe(false);
  expect(hand.periodMs).toBe(0);
  expect([...hand.command]).toEqual(Array(16).fill(0));
  expect(driver.state().ready).toBe(false);
  expect(driver.command(Float64Array.from(HOME_RAD))).toBe("notReady");
}

describe("LIMP", () => {
  it("is zero torque for four fingers, servo off, streams off, in this order", () => {
    expect(LIMP.map(idOf)).toEqual(LIMP_IDS);
    for (const frame of LIMP) expect([...frame.data].every((byte) => byte === 0)).toBe(true);
  });

  it("begins, as lines, with the end of a line that a process may have been killed in", () => {
    const zeros = ["180", "184", "188", "18C"].map((id) => `t${id}8${"00".repeat(8)}\r`).join("");
    expect(Buffer.from(limpLines()).toString("latin1")).toBe(`\r${zeros}t1040\rt2046${"00".repeat(6)}\r`);
  });
});

describe("Allegro driver, bring-up", () => {
  it("asks in the vendor's order and leaves the servo off", async () => {
    const { hand, driver, clock, guardian } = rig();
    expect(driver.limits.jointNames).toHaveLength(16);
    const identity = await settle(clock, driver.configure(never));
    expect(identity).toEqual({ model: "Allegro Hand V4 right", serial: "RH040001", firmware: "1.2" });
    expect(hand.written.map(idOf)).toEqual([...LIMP_IDS, 0x200, 0x220, 0x204]);
    expect(hand).toMatchObject({ isOn: false, periodMs: 3 });
    expect(guardian.words).toEqual(["watch"]);
    expect(driver.state().positionRad[2]).toBeCloseTo(0.79, 3);
    expect(driver.command(Float64Array.from(HOME_RAD))).toBe("notReady");
  });

  it("switches on without torque, and holds where the hand stands", async () => {
    const it = await configured();
    it.hand.written.length = 0;
    it.hand.positionRad[1] = 0.4;
    await settle(it.clock, it.driver.activate(never));
    expect(it.hand.isOn).toBe(true);
    const on = it.hand.written.findIndex(({ id }) => id === 0x100);
    expect(it.hand.written.slice(on - 4, on).map(idOf)).toEqual([0x180, 0x184, 0x188, 0x18c]);
    const torques = it.hand.written.filter(({ id }) => id >= 0x180 && id < 0x190);
    expect(torques.every(({ data }) => data.every((byte) => byte === 0))).toBe(true);
    const here = Float64Array.from(it.driver.state().positionRad);
    await tick(it, 300, () => here);
    expect(it.hand.positionRad[1]).toBeCloseTo(0.4, 3);
    expect(it.faults).toEqual([]);
  });

  it("powers a hand that streams only while it is on", async () => {
    const it = await active({ streamsWhileOff: false });
    expect((await tick(it, 90)).sent).toBe(30);
    expect(it.faults).toEqual([]);
  });

  it("goes on without information for a V5, and says so", async () => {
    const it = await active(V5, { model: "v5a" });
    expect(it.faults.map(({ code, severity }) => [code, severity])).toEqual([
      ["ALLEGRO_INFO_UNANSWERED", "warning"],
    ]);
    expect((await tick(it, 6000)).sent).toBe(2000);
    expect(it.faults).toHaveLength(1);
  });

  const refusals: readonly (readonly [
    what: string,
    hand: Partial<FakeHandOptions>,
    config: Record<string, unknown>,
    happened: RegExp,
  ])[] = [
    ["a V5 where the cell has a V4", { hardware: 0x0500 }, {}, /V5 .*cell file has model v4/],
    [
      "a left hand where the cell has a right one",
      { side: "left" },
      {},
      /left one, but the cell file has side right/,
    ],
    [
      "a geared V5 where the cell has another",
      { model: "v5a", hardware: 0x0500, serial: "AHBR0001" },
      { model: "v5a" },
      /that of a v5b right, but the cell file has v5a right/,
    ],
    [
      "a left V5 by its serial number",
      { model: "v5a", hardware: 0x0500, serial: "AHAL0001" },
      { model: "v5a" },
      /that of a v5a left, but/,
    ],
    ["another serial number", {}, { expectSerial: "RH049999" }, /"RH040001", but .*"RH049999"/],
    ["another firmware", {}, { expectFirmware: 0x0200 }, /firmware 1\.2, .*expects 2\.0/],
  ];
  it.each(refusals)("refuses %s", async (_, hand, config, happened) => {
    const it = rig(hand, config);
    await expect(settle(it.clock, it.driver.configure(never))).rejects.toMatchObject({
      code: "DEVICE_MISMATCH",
      happened: expect.stringMatching(happened),
    });
    expectLimp(it);
    expect(it.hand.isClosed).toBe(true);
    expect(it.guardian.words.at(-1)).toBe("dismiss");
  });

  it("says what silence looks like", async () => {
    const silent = { answersInfo: false, answersSerial: false, streamsWhileOff: false };
    const cases: readonly (readonly [(hand: FakeHand) => void, string, RegExp])[] = [
      [() => {}, "LINK_SILENT", /nothing answered/],
      [(hand) => void (hand.errors = 7), "LINK_SILENT", /7 errors/],
      [(hand) => void (hand.bytesDiscarded = 90), "LINK_SILENT", /90 bytes that belong to no frame/],
    ];
    for (const [prepare, code, happened] of cases) {
      const it = rig(silent);
      prepare(it.hand);
      await expect(settle(it.clock, it.driver.configure(never))).rejects.toMatchObject({
        code,
        happened: expect.stringMatching(happened),
      });
    }
    const it = rig(silent);
    const configuring = it.driver.configure(never);
    await it.clock.sim.advance(30);
    it.hand.send({ id: 0x14a, isExtended: false, isRemote: false, length: 1, data: Uint8Array.of(1) });
    await expect(settle(it.clock, configuring)).rejects.toMatchObject({
      code: "DEVICE_MISMATCH",
      happened: expect.stringMatching(/another device sends: identifiers 0x14A/),
    });
  });

  it("refuses a V4 that tells no information, and a hand without positions by the finger's name", async () => {
    const mute = rig({ answersInfo: false });
    await expect(settle(mute.clock, mute.driver.configure(never))).rejects.toMatchObject({
      code: "LINK_SILENT",
      happened: expect.stringMatching(/serial number but no information/),
    });
    const broken = rig();
    broken.hand.silentFingers.add(2);
    const send = broken.hand.sendPose.bind(broken.hand);
    broken.hand.sendPose = (finger) => (finger === 2 ? undefined : send(finger));
    await expect(settle(broken.clock, broken.driver.configure(never))).rejects.toMatchObject({
      code: "LINK_SILENT",
      happened: expect.stringMatching(/nothing came from: ring/),
    });
    expectLimp(broken);
  });

  it("does not power a hand that is ill or stands where it cannot", async () => {
    const cases: readonly (readonly [(hand: FakeHand) => void, string, RegExp])[] = [
      [(hand) => void (hand.temperatureC = 75), "DEVICE_FAULT", /75 °C/],
      [(hand) => void (hand.overTemperature = true), "DEVICE_FAULT", /°C/],
      [(hand) => void (hand.communicationFault = true), "DEVICE_FAULT", /communication/],
      [(hand) => void (hand.saysOff = true), "DEVICE_REFUSED", /servo is off/],
      [(hand) => void (hand.positionRad[3] = -0.9), "DEVICE_REFUSED", /joint3 stands at -0\.900/],
      [(hand) => void hand.silentFingers.add(0), "LINK_SILENT", /position sets/],
    ];
    for (const [prepare, code, happened] of cases) {
      const it = await configured();
      prepare(it.hand);
      await it.clock.sim.advance(20);
      await expect(settle(it.clock, it.driver.activate(never))).rejects.toMatchObject({
        code,
        happened: expect.stringMatching(happened),
      });
      expectLimp(it);
    }
  });

  it("refuses to power a hand that nobody guards", async () => {
    const it = await configured();
    it.guardian.failure = "it ended with SIGKILL";
    await expect(it.driver.activate(never)).rejects.toMatchObject({
      code: "DEVICE_REFUSED",
      happened: expect.stringMatching(/SIGKILL/),
    });
    expect(it.hand.isOn).toBe(false);
  });

  it("does not complete an activation that a stop overtook", async () => {
    for (const afterMs of [0, 3, 10, 20, 26]) {
      const it = await configured();
      const activation = it.driver.activate(never);
      activation.catch(() => {});
      await it.clock.sim.advance(afterMs);
      it.driver.stopNow(0);
      await expect(settle(it.clock, activation)).rejects.toMatchObject({ code: "COMMAND_REFUSED" });
      await it.clock.sim.advance(50);
      expectLimp(it);
      await settle(it.clock, it.driver.configure(never));
      await settle(it.clock, it.driver.activate(never));
      expect(it.hand.isOn).toBe(true);
    }
  });

  it("refuses what the order of things does not allow", async () => {
    const it = rig();
    await expect(it.driver.activate(never)).rejects.toMatchObject({ code: "ILLEGAL_TRANSITION" });
    expect(it.driver.stopNow(0)).toBe(false);
    await it.driver.deactivate(2);
    await settle(it.clock, it.driver.configure(never));
    await expect(it.driver.setTeachMode(true, never)).rejects.toMatchObject({ code: "COMMAND_REFUSED" });
    await settle(it.clock, it.driver.activate(never));
    await expect(it.driver.configure(never)).rejects.toMatchObject({ code: "ILLEGAL_TRANSITION" });
  });
});

describe("Allegro driver, in use", () => {
  it("writes four torque frames as one piece for each complete set, and none without one", async () => {
    const it = await active();
    await it.clock.sim.advance(PERIOD_MS);
    it.driver.command(Float64Array.from(HOME_RAD));
    const before = it.driver.counters().sent;
    it.hand.written.length = 0;
    await it.clock.sim.advance(10 * PERIOD_MS);
    expect(it.driver.counters().sent - before).toBe(10);
    expect(it.hand.written.map(idOf)).toEqual(Array(10).fill([0x180, 0x184, 0x188, 0x18c]).flat());
  });

  it("follows a slow sine with every joint", async () => {
    const it = await active();
    const sine = (timeS: number) =>
      HOME_RAD.map((rad) => rad + 0.05 * (1 - Math.cos(2 * Math.PI * 0.4 * timeS)));
    const results = await tick(it, 2000, sine);
    expect(Object.keys(results)).toEqual(["sent"]);
    for (const [joint, rad] of sine(2).entries())
      expect(Math.abs(it.driver.state().positionRad[joint]! - rad)).toBeLessThan(0.06);
    expect(it.driver.state().velocityRadPerS[0]).toBeLessThan(-0.05);
    expect(it.faults).toEqual([]);
  });

  it("lets no bad target through", async () => {
    const { driver, clock } = await active();
    const with1 = (value: number) => Float64Array.from(HOME_RAD.with(1, value));
    expect(driver.command(with1(0.2)), "first far from the hand").toBe("refused");
    expect(driver.command(with1(-0.15))).toBe("sent");
    expect(driver.command(with1(Number.NaN)), "not a number").toBe("refused");
    expect(driver.command(with1(1.2)), "a jump").toBe("refused");
    expect(driver.command(with1(-0.4)), "limit").toBe("refused");
    expect(driver.command(new Float64Array(7)), "seven joints").toBe("refused");
    await clock.sim.advance(PERIOD_MS);
    expect(driver.state().ready).toBe(true);
  });

  it("keeps each command inside of its share of the model's limit", async () => {
    const it = await active({}, { torqueShareMax: 0.1 });
    await tick(it, 60, () => HOME_RAD.map((rad) => rad + 0.04));
    const peak = it.hand.written
      .filter(({ id }) => id === 0x180)
      .map(({ data }) => Math.abs(new DataView(data.buffer, data.byteOffset).getInt16(0, true)));
    expect(Math.max(...peak)).toBe(37);
  });

  it("goes limp on every stop, and comes back only when told", async () => {
    for (const category of [0, 1, 2] as const)
      for (const way of ["stopNow", "deactivate", "close"] as const) {
        const it = await active();
        await tick(it, 30);
        if (way === "stopNow") expect(it.driver.stopNow(category)).toBe(true);
        else if (way === "deactivate") await settle(it.clock, it.driver.deactivate(category));
        else await settle(it.clock, it.driver.close());
        expectLimp(it);
        await it.clock.sim.advance(200);
        expectLimp(it);
        expect(it.faults).toEqual([]);
        expect(it.guardian.words.at(-1)).toBe(way === "close" ? "dismiss" : "rest");
        it.hand.isOn = false;
        await settle(it.clock, it.driver.configure(never));
        await settle(it.clock, it.driver.activate(never));
        expect(it.driver.state().ready, `${way} ${category}`).toBe(true);
      }
  });

  it("repeats LIMP until the adapter takes it, and leaves a hand that was not reached to the guardian", async () => {
    const it = await active();
    await tick(it, 30);
    it.hand.takes = false;
    expect(it.driver.stopNow(0)).toBe(false);
    expect(it.hand.isOn).toBe(true);
    it.hand.takes = true;
    await it.clock.sim.advance(2 * PERIOD_MS);
    expectLimp(it);

    const other = await active();
    other.hand.takes = false;
    await settle(other.clock, other.driver.close());
    expect(other.guardian.words).not.toContain("dismiss");
  });

  it("tells the guardian that it works, while the hand is powered", async () => {
    const it = await active();
    it.guardian.words.length = 0;
    await tick(it, 300);
    const beats = it.guardian.words.filter((word) => word === "beat").length;
    expect(beats).toBeGreaterThan(20);
    expect(beats).toBeLessThan(31);
    it.driver.stopNow(0);
    expect(it.guardian.words.at(-1)).toBe("rest");
  });

  it("takes held-up frames for late, not for missing", async () => {
    const it = await active();
    await tick(it, 30);
    it.clock.stalledMs += 40;
    const results = await tick(it, 90);
    expect(results).toEqual({ sent: 30 });
    expect(it.faults).toEqual([]);
  });
});

describe("Allegro driver, trouble", () => {
  /** What happens, the fault that is told, and how long until the hand is limp at most. */
  const troubles: readonly (readonly [
    code: string,
    severity: Fault["severity"],
    withinMs: number,
    cause: (it: Rig) => void,
  ])[] = [
    ...["INDEX", "MIDDLE", "RING", "THUMB"].map(
      (name, finger) =>
        [
          `ALLEGRO_FINGER_SILENT_${name}`,
          "stop",
          4 * PERIOD_MS,
          ({ hand }: Rig) => void hand.silentFingers.add(finger as FingerIndex),
        ] as const,
    ),
    [
      "ALLEGRO_SETS_INCOMPLETE",
      "stop",
      7 * PERIOD_MS,
      // Ring finger and thumb are lost in turn: none of them is silent for long, and no set is ever complete.
      ({ hand }) => {
        const send = hand.sendPose.bind(hand);
        let sets = 0;
        hand.sendPose = (finger) => {
          if (finger === 0) sets++;
          if (finger !== 2 + (sets % 2)) send(finger);
        };
      },
    ],
    ["ALLEGRO_LATE", "stop", PERIOD_MS, ({ clock }) => void (clock.stalledMs += 80)],
    ["ALLEGRO_POSITION_JUMP", "stop", PERIOD_MS, ({ hand }) => void (hand.positionRad[5]! += 0.5)],
    ["ALLEGRO_SERVO_OFF", "stop", 1100, ({ hand }) => void (hand.saysOff = true)],
    ["ALLEGRO_OVER_TEMPERATURE", "stop", 1100, ({ hand }) => void (hand.overTemperature = true)],
    ["ALLEGRO_COMMUNICATION", "power", 1100, ({ hand }) => void (hand.communicationFault = true)],
    ["ALLEGRO_HOT", "stop", 1100, ({ hand }) => void (hand.sensorC[3] = 72)],
    [
      "ALLEGRO_TEMPERATURE_SILENT",
      "stop",
      6000,
      ({ hand }) => {
        // The first answers of three sensors come, then the thumb's stays away.
        const send = hand.send.bind(hand);
        let told = 0;
        hand.send = (frame) => {
          if (frame.id !== 0xec || told++ < 1) send(frame);
        };
      },
    ],
    [
      "ALLEGRO_PERIOD_SHORT",
      "stop",
      2100,
      ({ clock, hand }) => {
        // Two more sets in each of the hand's periods.
        const pace = async () => {
          while (hand.periodMs > 0) {
            await sleepMs(clock, 1);
            if (hand.periodMs > 0) for (const finger of [0, 1, 2, 3] as const) hand.sendPose(finger);
          }
        };
        void pace();
      },
    ],
    [
      "ALLEGRO_OTHER_HAND",
      "stop",
      PERIOD_MS,
      ({ hand }) => hand.send({ ...LIMP[0]!, id: 0x081, data: new Uint8Array(8) }),
    ],
    ["ALLEGRO_INFO_SILENT", "stop", 3700, ({ hand }) => void (hand.answersInfo = false)],
    ["ALLEGRO_GUARDIAN_GONE", "stop", PERIOD_MS, ({ guardian }) => void (guardian.failure = "it ended")],
    [
      "ALLEGRO_SECOND_COMMANDER",
      "stop",
      PERIOD_MS,
      ({ hand }) => hand.send({ ...LIMP[0]!, data: Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0]) }),
    ],
  ];
  it.each(troubles)(
    "%s (%s): limp within %i ms, told once, latched",
    async (code, severity, withinMs, cause) => {
      const it = await active();
      await tick(it, 60);
      cause(it);
      await tick(it, withinMs);
      expect(it.faults.map((fault) => fault.code)).toEqual([code]);
      expect(it.faults[0]).toMatchObject({ severity, kind: "device" });
      expectLimp(it);
      const { sent } = it.driver.counters();
      it.hand.silentFingers.clear();
      expect(await tick(it, 300)).toEqual({ notReady: 100 });
      expect(it.driver.counters().sent).toBe(sent);
      expect(it.faults).toHaveLength(1);
    },
  );

  it.each([
    ["ALLEGRO_M3_VOLTAGE", "power", 3, 1],
    ["ALLEGRO_M1_OVERHEAT", "stop", 1, 4],
    ["ALLEGRO_M1_ELECTRICALSHOCK", "power", 1, 16],
    ["ALLEGRO_M1_OVERLOAD", "stop", 1, 32],
    ["ALLEGRO_M2_UNKNOWN", "stop", 2, 128],
  ] as const)("%s of a V5 (%s): limp at once", async (code, severity, motor, bits) => {
    const it = await active(V5, { model: "v5a" });
    await tick(it, 30);
    it.hand.motorError(motor, bits);
    expectLimp(it);
    expect(it.faults.filter((fault) => fault.severity !== "warning")).toMatchObject([
      { code, severity, deviceCode: bits },
    ]);
  });

  it("waits longer for a finger where the cell file says so", async () => {
    const it = await active({}, { silentPeriodsMax: 5 });
    await tick(it, 30);
    it.hand.silentFingers.add(1);
    await tick(it, 4 * PERIOD_MS);
    expect(it.faults).toEqual([]);
    await tick(it, 3 * PERIOD_MS);
    expect(it.faults).toMatchObject([
      { code: "ALLEGRO_FINGER_SILENT_MIDDLE", cause: expect.stringMatching(/1[5-9]\.\d ms/) },
    ]);
    expectLimp(it);
  });

  it("stops when nobody gives targets any more", async () => {
    const it = await active();
    await tick(it, 30);
    await it.clock.sim.advance(240);
    expect(it.driver.state().ready).toBe(true);
    await it.clock.sim.advance(30);
    expect(it.faults.map((fault) => fault.code)).toEqual(["ALLEGRO_COMMANDS_SILENT"]);
    expectLimp(it);
  });

  it("stops when the adapter falls behind", async () => {
    const it = await active();
    await tick(it, 30);
    it.hand.takes = false;
    const results = await tick(it, 6 * PERIOD_MS);
    expect(results.busy).toBeGreaterThan(0);
    expect(it.faults.map((fault) => fault.code)).toEqual(["ALLEGRO_ADAPTER_BEHIND"]);
    it.hand.takes = true;
    await it.clock.sim.advance(PERIOD_MS);
    expectLimp(it);
  });

  it("stops when its law gives no number", async () => {
    // No cell file may say this: damping that overflows stands for any defect in the arithmetic.
    const kd = Array<number>(16).fill(0).with(9, 1e308);
    const config = AllegroConfig.parse({ can: CAN, model: "v4", side: "right" });
    const it = rig({}, {}, { ...config, gains: { kp: Array(16).fill(0), kd } });
    await settle(it.clock, it.driver.configure(never));
    await settle(it.clock, it.driver.activate(never));
    it.hand.positionRad[9]! += 0.1;
    await it.clock.sim.advance(PERIOD_MS);
    expect(it.faults).toMatchObject([{ code: "ALLEGRO_NOT_FINITE" }]);
    expectLimp(it);
  });

  it("warns once of warmth, of a finger that never tells its own, and of a stranger on the bus, and goes on", async () => {
    const it = await active();
    const send = it.hand.send.bind(it.hand);
    it.hand.send = (frame) => (frame.id === 0xe4 ? undefined : send(frame));
    it.hand.temperatureC = 65;
    const stranger = { id: 0x333, isExtended: false, isRemote: false, length: 0, data: new Uint8Array(0) };
    for (let turn = 0; turn < 6; turn++) {
      it.hand.send(stranger);
      await tick(it, 1000);
    }
    expect(it.faults.map(({ code, severity }) => `${code} ${severity}`).sort()).toEqual([
      "ALLEGRO_STRANGER warning",
      "ALLEGRO_TEMPERATURE_UNANSWERED warning",
      "ALLEGRO_WARM warning",
    ]);
    expect(it.driver.state().ready).toBe(true);
  });

  it.each([
    ["busOff", "ALLEGRO_BUS_OFF"],
    ["lost", "ALLEGRO_BUS_LOST"],
  ] as const)(
    "takes a bus that is %s for a lost link, makes the hand limp when it is back, and starts anew",
    async (state, code) => {
      const it = await active();
      await tick(it, 30);
      it.hand.setBus(state, "unplugged");
      expect(it.faults).toMatchObject([{ code, kind: "link", cause: expect.stringMatching(/unplugged/) }]);
      expect(it.driver.state().ready).toBe(false);
      expect(it.guardian.words.includes("letGo")).toBe(state === "lost");
      await expect(settle(it.clock, it.driver.configure(never))).rejects.toMatchObject({
        code: "LINK_CLOSED",
      });
      await it.clock.sim.advance(500);
      expect(it.hand.isOn, "the hand itself knows of nothing").toBe(true);
      it.hand.setBus("up");
      expectLimp(it);
      await settle(it.clock, it.driver.configure(never));
      await settle(it.clock, it.driver.activate(never));
      expect((await tick(it, 30)).sent).toBe(10);
      expect(it.faults).toHaveLength(1);
    },
  );

  it("tells a hand again that goes on streaming after a stop, then calls for a person", async () => {
    const it = await active();
    await tick(it, 30);
    it.hand.obeys = false;
    it.driver.stopNow(0);
    await it.clock.sim.advance(200);
    expect(it.hand.written.filter(({ id }) => id === 0x104).length).toBeGreaterThan(3);
    await it.clock.sim.advance(400);
    expect(it.faults).toMatchObject([{ code: "ALLEGRO_STOP_UNHEARD", severity: "power" }]);
  });

  it("does not take another hand for the one that was there", async () => {
    const it = await active();
    it.hand.setBus("lost", "unplugged");
    it.hand.setBus("up");
    it.hand.serial = "RH047777";
    await expect(settle(it.clock, it.driver.configure(never))).rejects.toMatchObject({
      code: "DEVICE_MISMATCH",
      happened: expect.stringMatching(/RH047777 answers where hand RH040001 was/),
    });
    expectLimp(it);
  });
});

describe("the fault table", () => {
  it("has a cause and a remedy in each row, and each was told above", () => {
    const faults = allFaults();
    expect(new Set(faults.map(({ code }) => code)).size).toBe(faults.length);
    for (const { cause, remedy } of faults) {
      expect(cause.length).toBeGreaterThan(10);
      expect(remedy.length).toBeGreaterThan(10);
      expect(`${cause}${remedy}`).not.toMatch(/\.$|\{\}/);
    }
    const names = (codes: Iterable<string>) =>
      new Set([...codes].map((code) => code.replace(/_M\d+_/, "_M_")));
    const told = names(toldCodes);
    expect([...names(faults.map(({ code }) => code))].filter((code) => !told.has(code))).toEqual([]);
  });
});
