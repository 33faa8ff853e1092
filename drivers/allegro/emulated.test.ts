/** The driver and its SLCAN bus against the emulated hand, in simulated time: one line of text between them. */
import { afterEach, describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import type { HandModel, HandSide } from "../../kinematics/allegro/hand.js";
import { AllegroEmulator, type AllegroEmulatorOptions } from "../../lab/allegro/emulator.js";
import type { HandFault } from "../../lab/allegro/handFaults.js";
import { limpTimes } from "../../lab/allegro/handLog.js";
import { IdealHandPlant } from "../../lab/allegro/idealPlant.js";
import { EmulatedLine } from "../../test/support/allegro/emulatedLine.js";
import { openSlcanBus } from "../can/slcanBus.js";
import type { Fault } from "../contract.js";
import { AllegroConfig } from "./config.js";
import { AllegroDriver } from "./driver.js";
import { homeRadOf } from "./protocol/index.js";
import { FakeGuardian } from "./testing.js";

const PERIOD_MS = 3;
const never = new AbortController().signal;
const ending: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0)) await end();
});

class Rig {
  readonly clock = new SimClock();
  readonly emulator: AllegroEmulator;
  readonly driver: AllegroDriver;
  readonly faults: Fault[] = [];
  readonly homeRad: readonly number[];
  readonly #line = new EmulatedLine((bytes) => this.emulator.receive(bytes));

  constructor(
    model: HandModel = "v4",
    side: HandSide = "right",
    emulated: Partial<AllegroEmulatorOptions> = {},
    configured: Record<string, unknown> = {},
  ) {
    this.homeRad = homeRadOf(model, side)!;
    this.emulator = new AllegroEmulator({
      model,
      side,
      plant: new IdealHandPlant(this.homeRad),
      clock: this.clock,
      send: (bytes) => this.#line.send(bytes),
      onPlug: (isPlugged) => this.#line.plug(isPlugged),
      ...emulated,
    });
    this.emulator.start();
    const config = AllegroConfig.parse({ can: { slcan: { path: "/dev/hand" } }, model, side, ...configured });
    const openBus = openSlcanBus({ ...config.can.slcan!, clock: this.clock, openLine: this.#line.open });
    this.driver = new AllegroDriver(config, { clock: this.clock, openBus, guardian: new FakeGuardian() });
    this.driver.onFault((fault) => this.faults.push(fault));
    ending.push(async () => {
      const ended = Promise.all([this.driver.close(), this.emulator.close()]);
      await this.clock.advance(500);
      await ended;
    });
  }

  async settle<T>(promise: Promise<T>, withinMs = 5000): Promise<T> {
    let isSettled = false;
    const watched = promise.finally(() => {
      isSettled = true;
    });
    watched.catch(() => {});
    for (let ms = 0; ms < withinMs && !isSettled; ms++) await this.clock.advance(1);
    expect(isSettled, "settles in time").toBe(true);
    return await watched;
  }

  async start(): Promise<void> {
    await this.settle(this.driver.configure(never));
    await this.settle(this.driver.activate(never));
  }

  async tick(durationMs: number, target: (timeS: number) => readonly number[] = () => this.homeRad) {
    const results = new Set<string>();
    for (let ms = 0; ms < durationMs; ms += PERIOD_MS) {
      results.add(this.driver.command(Float64Array.from(target(ms / 1000))));
      await this.clock.advance(PERIOD_MS);
    }
    return [...results];
  }

  expectLimp(): void {
    const { hand } = this.emulator;
    expect(hand.isLimp).toBe(true);
    expect(limpTimes(hand.log.records), "zero torque, off, streams off, in this order").toBeDefined();
  }
}

const hands = [
  ["v4", "right"],
  ["v4", "left"],
  ["v5a", "right"],
] as const;

describe.each(hands)("an emulated %s %s", (model, side) => {
  it("is brought up, holds, follows a small sine, and goes limp", async () => {
    const rig = new Rig(model, side);
    await rig.start();
    await rig.tick(300);
    for (const [joint, rad] of rig.homeRad.entries())
      expect(Math.abs(rig.driver.state().positionRad[joint]! - rad), `joint ${joint}`).toBeLessThan(0.02);
    const sine = (timeS: number) =>
      rig.homeRad.map((rad) => rad + 0.1 * (1 - Math.cos(Math.PI * timeS)) * (rad > 0.9 ? -1 : 1));
    expect(await rig.tick(1500, sine)).toEqual(["sent"]);
    const lagged = sine(1.3);
    for (const [joint, rad] of lagged.entries())
      expect(Math.abs(rig.driver.state().positionRad[joint]! - rad), `joint ${joint}`).toBeLessThan(0.12);
    await rig.settle(rig.driver.deactivate(2));
    await rig.clock.advance(50);
    rig.expectLimp();
    expect(rig.emulator.hand.counters).toMatchObject({
      torqueBeyondLimit: 0,
      neverSent: 0,
      malformed: 0,
      unknown: 0,
      torqueWhileOff: expect.any(Number),
    });
    expect(rig.faults.filter(({ severity }) => severity !== "warning")).toEqual([]);
    expect(rig.driver.counters().corrupt).toBe(0);
  });
});

describe("an emulated hand in trouble", () => {
  const stops: readonly (readonly [code: string, withinMs: number, fault: HandFault])[] = [
    ["ALLEGRO_FINGER_SILENT_RING", 30, { loses: { fingers: ["ring"], share: 1 } }],
    ["ALLEGRO_FINGER_SILENT_THUMB", 30, { shortens: { fingers: ["thumb"], bytes: 4 } }],
    ["ALLEGRO_FINGER_SILENT_INDEX", 60, { isUnpowered: {} }],
    ["ALLEGRO_FINGER_SILENT_INDEX", 60, { busOff: { isAnnounced: false } }],
    ["ALLEGRO_FINGER_SILENT_INDEX", 60, { stalls: {} }],
    ["ALLEGRO_FINGER_SILENT_INDEX", 60, { periodIs: { jointMs: 20 } }],
    ["ALLEGRO_BUS_OFF", 30, { busOff: { isAnnounced: true } }],
    ["ALLEGRO_BUS_LOST", 30, { isUnplugged: {} }],
    ["ALLEGRO_SECOND_COMMANDER", 30, { strangers: { from: "secondHost" } }],
    ["ALLEGRO_POSITION_JUMP", 30, { jumps: { joint: 6, counts: 6000 } }],
    ["ALLEGRO_HOT", 1200, { heats: { fingers: ["middle"], celsius: 64 } }],
    ["ALLEGRO_SERVO_OFF", 1200, { switchesOff: {} }],
    ["ALLEGRO_OVER_TEMPERATURE", 1200, { says: { overTemperature: true } }],
    ["ALLEGRO_COMMUNICATION", 1200, { says: { communicationFault: true } }],
    ["ALLEGRO_INFO_SILENT", 4000, { isMute: { to: ["info"] } }],
  ];
  it.each(stops)("%s, within %i ms of %j", async (code, withinMs, fault) => {
    const rig = new Rig("v4", "right", {}, { temperatureWarnC: 55, temperatureStopC: 60 });
    await rig.start();
    await rig.tick(60);
    rig.emulator.inject(fault);
    await rig.tick(withinMs);
    expect(rig.faults.filter(({ severity }) => severity !== "warning").map((told) => told.code)).toEqual([
      code,
    ]);
    expect(rig.driver.state().ready).toBe(false);
    // What could not reach the hand does so as soon as the way is free again.
    for (const what of ["isUnplugged", "busOff", "stalls"] as const)
      if (fault[what] !== undefined) rig.emulator.inject({ ends: { what: [what] } });
    await rig.clock.advance(3000);
    if (fault.isUnpowered === undefined) rig.expectLimp();
    expect(rig.emulator.hand.isOn).toBe(false);
  });

  it.each([
    { garbles: { bytes: 20, share: 0.02 }, forMs: 100 },
    { strangers: { from: "otherDevice" } },
    { repeats: { times: 2 }, forMs: 100 },
    { pushes: { joint: 2, torqueNm: 0.1 }, forMs: 100 },
  ] as HandFault[])("goes on in spite of %j", async (fault) => {
    const rig = new Rig();
    await rig.start();
    await rig.tick(60);
    rig.emulator.inject(fault);
    expect(await rig.tick(600)).toEqual(["sent"]);
    expect(rig.faults.filter(({ severity }) => severity !== "warning")).toEqual([]);
  });

  it.each([
    [{ says: { model: "v5a" } }, "DEVICE_MISMATCH", /V5 .*cell file has model v4/],
    [{ says: { side: "left" } }, "DEVICE_MISMATCH", /left one/],
    [{ isUnpowered: {} }, "LINK_SILENT", /nothing answered/],
    [{ isMute: { to: ["info"] } }, "LINK_SILENT", /no information/],
    [{ loses: { fingers: ["middle"], share: 1 } }, "LINK_SILENT", /middle/],
  ] as [HandFault, string, RegExp][])("is not brought up with %j", async (fault, code, happened) => {
    const rig = new Rig();
    rig.emulator.inject(fault);
    await expect(rig.settle(rig.driver.configure(never))).rejects.toMatchObject({
      code,
      happened: expect.stringMatching(happened),
    });
    expect(rig.emulator.hand.isOn).toBe(false);
  });

  it("is powered again after the adapter was unplugged, when told to", async () => {
    const rig = new Rig();
    await rig.start();
    await rig.tick(60);
    rig.emulator.inject({ isUnplugged: {}, forMs: 400 });
    await rig.tick(300);
    expect(rig.faults.map(({ code }) => code)).toEqual(["ALLEGRO_BUS_LOST"]);
    await rig.clock.advance(3000);
    rig.expectLimp();
    await rig.start();
    expect(await rig.tick(60)).toEqual(["sent"]);
  });
});
