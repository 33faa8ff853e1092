/** Streams of setpoints through a whole servo: what passes, what ends them, and what never runs afterwards. */
import { beforeAll, describe, expect, it } from "vitest";
import { REASON_BITS } from "./api.js";
import { Interpolator } from "./interpolator.js";
import { splineAccelerations } from "./splineAccelerations.js";
import { HOME, PERIOD_MS, peerOf, ServoBench } from "./testing.js";
import type { TriggerName } from "./triggers.js";

const JOINTS = 7;
const replay = peerOf(1);
const AWAY = HOME.map((value, joint) => value + 0.3 + 0.01 * joint);
const VALID_MS = 950;

/** What a servo has sent on its way there and back, from rest to rest. */
let sentRad: number[] = [];
let accelerationRadPerS2: Float64Array;
const ticksOf = (row: ArrayLike<number>) => row.length / JOINTS;
const part = (from: number, to: number) => ({
  positionRad: sentRad.slice(from * JOINTS, to * JOINTS),
  accelerationRadPerS2: accelerationRadPerS2.slice(from * JOINTS, to * JOINTS),
});

beforeAll(async () => {
  const bench = new ServoBench();
  await bench.toHolding();
  const epoch = bench.lease(replay);
  const from = bench.driver.sent.length - 1;
  for (const target of [AWAY, HOME]) {
    bench.command(replay, epoch, target, 900);
    await bench.run(240);
  }
  bench.command(replay, epoch, HOME, 900);
  await bench.run(880);
  sentRad = bench.driver.sent.slice(from).flatMap(({ positionRad }) => positionRad);
  const last = sentRad.slice(-JOINTS);
  for (const [joint, value] of sentRad.slice(-2 * JOINTS, -JOINTS).entries())
    expect(value).toBeCloseTo(last[joint]!, 12);
  accelerationRadPerS2 = splineAccelerations(sentRad, JOINTS, PERIOD_MS / 1000);
});

interface Streaming {
  readonly bench: ServoBench;
  readonly epoch: number;
  /** What has left for the device since the lease, tick by tick. */
  readonly left: () => number[];
}

async function leased(changes = {}): Promise<Streaming> {
  const bench = new ServoBench({ leaseSilenceMsMax: 4000, ...changes });
  await bench.toHolding();
  const epoch = bench.lease(replay);
  const from = bench.driver.sent.length;
  return {
    bench,
    epoch,
    left: () => bench.driver.sent.slice(from).flatMap(({ positionRad }) => positionRad),
  };
}

/** A stream of which `ran` ticks have left and 60 more wait: the arm moves. */
async function streaming(ran = 80, changes = {}): Promise<Streaming> {
  const all = await leased(changes);
  all.bench.setpoints(replay, all.epoch, { ...part(0, ran + 60), isLast: false, validMs: VALID_MS });
  await all.bench.run(ran * PERIOD_MS);
  expect(all.left()).toEqual(sentRad.slice(0, ran * JOINTS));
  expect(Math.abs(sentRad[ran * JOINTS]! - sentRad[(ran - 1) * JOINTS]!)).toBeGreaterThan(1e-4);
  return all;
}

/** From here on the arm brakes smoothly to rest, and nothing of the stream is ever sent. */
async function expectBraking({ bench }: Streaming, ms = 800): Promise<void> {
  const from = bench.driver.sent.length;
  await bench.run(ms);
  const { sent } = bench.driver;
  const velocities = sent
    .slice(from - 1)
    .map(({ positionRad }, i) =>
      positionRad.map(
        (value, joint) => (value - sent[from - 2 + i]!.positionRad[joint]!) / (PERIOD_MS / 1000),
      ),
    );
  const accelerations = velocities
    .slice(1)
    .map((velocity, i) =>
      velocity.map((value, joint) => (value - velocities[i]![joint]!) / (PERIOD_MS / 1000)),
    );
  for (const acceleration of accelerations)
    for (const value of acceleration) expect(Math.abs(value)).toBeLessThan(5 * 1.001);
  for (const [i, acceleration] of accelerations.slice(1).entries())
    for (const [joint, value] of acceleration.entries())
      expect(Math.abs(value - accelerations[i]![joint]!) / (PERIOD_MS / 1000)).toBeLessThan(60 * 1.01);
  expect(velocities.at(-1)).toEqual(Array(JOINTS).fill(0));
}

const triggersOf = ({ bench }: Streaming) =>
  Object.fromEntries(Object.entries(bench.servo.statistics().triggers).filter(([, count]) => count > 0));
const expectTold = (all: Streaming, trigger: TriggerName, text: RegExp) => {
  expect(triggersOf(all)).toEqual({ [trigger]: 1 });
  const told = all.bench.events.filter((event) => event.trigger === trigger);
  expect(told).toHaveLength(1);
  expect(told[0]!.text).toMatch(text);
};

describe("a stream of setpoints", () => {
  it("leaves bit for bit, and says how far it is", async () => {
    const all = await leased();
    const { bench, epoch } = all;
    const ticks = ticksOf(sentRad);
    for (let at = 0; at < ticks; at += 40) {
      bench.setpoints(replay, epoch, {
        ...part(at, at + 40),
        firstIndex: at,
        isLast: at + 40 >= ticks,
        validMs: VALID_MS,
      });
      await bench.run(40 * PERIOD_MS);
      expect(bench.last.commandSeq).toBe(Math.min(ticks, at + 40));
      expect(bench.last.reasons).toBe(0);
      expect([...bench.last.requestedRad]).toEqual([...bench.last.sentRad]);
    }
    await bench.run(40);
    expect(all.left().slice(0, sentRad.length)).toEqual(sentRad);
    expect([...bench.last.sentRad]).toEqual(sentRad.slice(-JOINTS));
    expect(triggersOf(all)).toEqual({});
    expect(bench.last.state).toBe("following");
  });

  it("waits for a device that takes nothing, and for a loop that was late", async () => {
    const all = await streaming();
    all.bench.driver.answer = "busy";
    await all.bench.run(3 * PERIOD_MS);
    expect(all.bench.last.reasons).toBe(REASON_BITS.deviceNotReady);
    expect(all.bench.last.commandSeq).toBe(80);
    all.bench.driver.answer = "sent";
    await all.bench.run(10 * PERIOD_MS);
    await all.bench.run(10 * PERIOD_MS, 4);
    expect(all.left()).toEqual(sentRad.slice(0, 100 * JOINTS));
    expect(triggersOf(all)).toEqual({});
  });

  it("is over when the arm has come to rest at a setpoint because nothing left for long", async () => {
    const all = await streaming();
    all.bench.driver.answer = "busy";
    await all.bench.run(5 * PERIOD_MS);
    all.bench.driver.answer = "sent";
    await all.bench.run(400);
    expectTold(all, "setpointRejected", /setpoint 80: jerk, the arm stood: hold/);
    expect(all.left()).toHaveLength((80 + 100) * JOINTS);
    expect(all.left().slice(-JOINTS)).toEqual(sentRad.slice(79 * JOINTS, 80 * JOINTS));
  });

  it("brakes when the queue runs dry before the announced end", async () => {
    const all = await streaming(60, {});
    await all.bench.run(60 * PERIOD_MS);
    expect(triggersOf(all)).toEqual({});
    await all.bench.run(PERIOD_MS);
    await expectBraking(all);
    expectTold(all, "setpointsRanDry", /no setpoint 120 in time/);
    expect(all.bench.last.state).toBe("following");
    expect(all.bench.last.reasons & REASON_BITS.commandExpired).toBeGreaterThan(0);
    // What was still under way is late, for good, also where it would fit.
    all.bench.setpoints(replay, all.epoch, { ...part(120, 130), firstIndex: 120 });
    await all.bench.run(40);
    expect(all.bench.servo.statistics().refusedCommands.streamEnded).toBe(1);
    expect(triggersOf(all)).toEqual({ setpointsRanDry: 1 });
    expect(all.bench.last.commandSeq).toBe(120);
  });

  it("brakes when the stream ends in motion", async () => {
    const all = await leased();
    all.bench.setpoints(replay, all.epoch, part(0, 100));
    await all.bench.run(101 * PERIOD_MS);
    await expectBraking(all);
    expect(triggersOf(all)).toEqual({});
  });

  it.each<[string, (all: Streaming) => void, TriggerName, RegExp]>([
    [
      "a gap",
      ({ bench, epoch }) => bench.setpoints(replay, epoch, { ...part(141, 150), firstIndex: 141 }),
      "commandMalformed",
      /streamGap/,
    ],
    [
      "a repeat",
      ({ bench, epoch }) => bench.setpoints(replay, epoch, { ...part(139, 150), firstIndex: 139 }),
      "commandMalformed",
      /streamGap/,
    ],
    [
      "another epoch",
      ({ bench, epoch }) => bench.setpoints(replay, epoch - 1, { ...part(140, 150), firstIndex: 140 }),
      "commandMalformed",
      /wrongEpoch/,
    ],
    [
      "more than the queue holds",
      ({ bench, epoch }) =>
        bench.setpoints(replay, epoch, {
          positionRad: new Float64Array(192 * JOINTS),
          accelerationRadPerS2: new Float64Array(192 * JOINTS),
          firstIndex: 140,
        }),
      "commandMalformed",
      /queueFull/,
    ],
    [
      "half a setpoint",
      ({ bench, epoch }) =>
        bench.setpoints(replay, epoch, {
          positionRad: [0, 1, 2],
          accelerationRadPerS2: [0, 1, 2],
          firstIndex: 140,
        }),
      "commandMalformed",
      /wrongLength/,
    ],
    [
      "accelerations that are missing",
      ({ bench, epoch }) =>
        bench.setpoints(replay, epoch, { ...part(140, 150), accelerationRadPerS2: [], firstIndex: 140 }),
      "commandMalformed",
      /wrongLength/,
    ],
    [
      "a position that is no number",
      ({ bench, epoch }) =>
        bench.setpoints(replay, epoch, {
          ...part(140, 150),
          positionRad: Array(10 * JOINTS).fill(Number.NaN),
          firstIndex: 140,
        }),
      "commandMalformed",
      /notFinite/,
    ],
    [
      "an acceleration that is no number",
      ({ bench, epoch }) =>
        bench.setpoints(replay, epoch, {
          ...part(140, 150),
          accelerationRadPerS2: Array(10 * JOINTS).fill(Number.POSITIVE_INFINITY),
          firstIndex: 140,
        }),
      "commandMalformed",
      /notFinite/,
    ],
    [
      "what has expired on its way",
      ({ bench, epoch }) =>
        bench.setpoints(replay, epoch, { ...part(140, 150), firstIndex: 140, validMs: -1 }),
      "commandExpired",
      /expired/,
    ],
    [
      "an expiry beyond what is allowed",
      ({ bench, epoch }) =>
        bench.setpoints(replay, epoch, { ...part(140, 150), firstIndex: 140, validMs: 5000 }),
      "commandMalformed",
      /expiryTooLong/,
    ],
    [
      "a beginning that is not where the arm is",
      ({ bench, epoch }) => bench.setpoints(replay, epoch, part(0, 50)),
      "setpointRejected",
      /setpoint 0: jerk/,
    ],
  ])("brakes at %s, and drops the rest of the queue", async (_what, spoil, trigger, text) => {
    const all = await streaming();
    spoil(all);
    await all.bench.run(PERIOD_MS);
    await expectBraking(all);
    expectTold(all, trigger, text);
    expect(all.bench.last.state).toBe("following");
    expect(all.bench.last.commandSeq).toBe(80);
  });

  it("brakes at the first setpoint that would leave a limit, and shows what was asked for", async () => {
    const all = await leased();
    const limits = {
      velocityMaxRadPerS: Array(JOINTS).fill(3),
      accelerationMaxRadPerS2: Array(JOINTS).fill(5),
      jerkMaxRadPerS3: Array(JOINTS).fill(60),
    };
    const faster = new Interpolator(limits, PERIOD_MS / 1000);
    faster.reset(HOME);
    const row: number[] = [...HOME];
    faster.follow(
      HOME.map((value) => value + 1.7),
      1,
      0,
    );
    for (let tick = 0; tick < 200; tick++) {
      faster.plan();
      faster.commit();
      row.push(...faster.positionRad);
    }
    all.bench.setpoints(replay, all.epoch, {
      positionRad: row,
      accelerationRadPerS2: splineAccelerations(row, JOINTS, PERIOD_MS / 1000),
    });
    await all.bench.run(PERIOD_MS);
    while (triggersOf(all).setpointRejected === undefined) await all.bench.run(PERIOD_MS);
    const passed = all.bench.last.commandSeq;
    expect(passed).toBeGreaterThan(30);
    expect(all.bench.last.reasons & REASON_BITS.velocity).toBeGreaterThan(0);
    expect([...all.bench.last.requestedRad]).toEqual(row.slice(passed * JOINTS, (passed + 1) * JOINTS));
    expect([...all.bench.last.sentRad]).not.toEqual([...all.bench.last.requestedRad]);
    await expectBraking(all);
    expectTold(all, "setpointRejected", /velocity/);
    for (const snapshot of all.bench.snapshots)
      for (const value of snapshot.sentRad) expect(value).toBeLessThan(1.7 + 1.2);
  });

  it("brakes when setpoints expire in the queue", async () => {
    const all = await leased();
    all.bench.setpoints(replay, all.epoch, { ...part(0, 200), validMs: 400 });
    await all.bench.run(408);
    await expectBraking(all);
    expectTold(all, "commandExpired", /100 setpoints expired|101 setpoints expired/);
  });

  it("is nobody's to end but its commander's", async () => {
    const all = await streaming();
    const { bench, epoch } = all;
    bench.servo.setpoints(peerOf(2), {
      epoch,
      firstIndex: 0,
      firstSeq: 500,
      stampNs: bench.clock.nowNs(),
      expiresNs: bench.clock.nowNs(),
      isLast: true,
      positionRad: new Float64Array(JOINTS),
      accelerationRadPerS2: new Float64Array(JOINTS),
    });
    await bench.run(20 * PERIOD_MS);
    expect(bench.servo.statistics().refusedCommands.noLease).toBe(1);
    expect(all.left()).toEqual(sentRad.slice(0, 100 * JOINTS));
  });

  it("gives way to a command, which goes on from its motion", async () => {
    const all = await streaming();
    all.bench.command(replay, all.epoch, AWAY, 900);
    await all.bench.run(880);
    for (const [joint, value] of AWAY.entries()) expect(all.bench.last.sentRad[joint]).toBeCloseTo(value, 9);
    expect(triggersOf(all)).toEqual({});
    all.bench.setpoints(replay, all.epoch, { ...part(140, 150), firstIndex: 140 });
    expect(all.bench.servo.statistics().refusedCommands.streamEnded).toBe(1);
  });

  it("takes a command's place, whose target is pursued no more", async () => {
    const all = await leased();
    const { bench, epoch } = all;
    bench.command(replay, epoch, HOME, 900);
    await bench.run(100);
    bench.command(replay, epoch, AWAY, 900);
    bench.setpoints(replay, epoch, part(0, 100));
    await bench.run(100 * PERIOD_MS);
    expect(all.left().slice(-100 * JOINTS)).toEqual(sentRad.slice(0, 100 * JOINTS));
    await bench.run(PERIOD_MS);
    await expectBraking(all, 1000);
    expect(bench.last.sentRad[0]).toBeLessThan(AWAY[0]! - 0.05);
    expect(triggersOf(all)).toEqual({});
  });

  it("cannot begin from a motion that it does not continue", async () => {
    const all = await leased();
    all.bench.command(replay, all.epoch, AWAY, 900);
    await all.bench.run(100);
    all.bench.setpoints(replay, all.epoch, part(0, 100));
    await all.bench.run(PERIOD_MS);
    await expectBraking(all);
    expectTold(all, "setpointRejected", /setpoint 0/);
  });

  it.each<[string, (all: Streaming) => void | Promise<void>, string]>([
    ["a stop", ({ bench }) => void bench.servo.stop(2, "test"), "stopped"],
    ["a stop of category 0", ({ bench }) => void bench.servo.stop(0, "test"), "stopped"],
    ["a fault", ({ bench }) => bench.driver.fault("FAKE_COLLISION"), "faulted"],
    [
      "a lost link",
      ({ bench }) => {
        bench.driver.failWith = new Error("unplugged");
        bench.driver.fault("FAKE_GONE", "stop", "link");
      },
      "disconnected",
    ],
    [
      "a lease that is taken away",
      ({ bench }) => bench.servo.revokeLease(peerOf(9, "supervisor"), "test"),
      "holding",
    ],
    ["a commander that is gone", ({ bench }) => bench.servo.gone(replay), "holding"],
    ["a late loop", ({ bench }) => bench.run(PERIOD_MS, 100), "stopped"],
    [
      "an arm that is not where it should be",
      ({ bench }) => {
        bench.driver.moveByHand(0.5);
        bench.driver.report();
        bench.driver.reports = false;
      },
      "stopped",
    ],
  ])("ends with %s, and nothing of it runs after that", async (_what, strike, state) => {
    const all = await streaming();
    const { bench } = all;
    await strike(all);
    await bench.run(900);
    expect(bench.last.state).toBe(state);
    bench.driver.failWith = undefined;
    bench.driver.reports = true;
    await bench.run(1200);
    if (state === "stopped" || state === "faulted") await bench.servo.reset();
    if (bench.servo.state === "connected") await bench.servo.enable();
    await bench.run(40);
    const stands = [...bench.last.sentRad];
    const epoch = bench.servo.state === "holding" ? bench.lease(replay) : all.epoch;
    bench.setpoints(replay, all.epoch, { ...part(140, 150), firstIndex: 140 });
    await bench.run(400);
    expect([...bench.last.sentRad]).toEqual(stands);
    expect(bench.last.commandSeq).toBe(0);
    expect(epoch).toBeGreaterThan(all.epoch);
  });

  it("holds on an old device state, and does not go on when it is fresh again", async () => {
    const all = await streaming(80, { trackingErrorRadMax: 1 });
    all.bench.driver.reports = false;
    await all.bench.run(50 * PERIOD_MS);
    await expectBraking(all, 300);
    expectTold(all, "deviceStateOld", /hold/);
    all.bench.driver.reports = true;
    const stands = [...all.bench.last.sentRad];
    await all.bench.run(200);
    expect([...all.bench.last.sentRad]).toEqual(stands);
  });
});
