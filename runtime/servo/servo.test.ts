import { describe, expect, it } from "vitest";
import { addNs, msToNs } from "../../core/clock.js";
import { REASON_BITS, type ServoEvent, type ServoSnapshot } from "./api.js";
import type { BlackBox, InputAges } from "./blackBox.js";
import type { Peer } from "./link/server.js";
import { HOME, PERIOD_MS, peerOf, ServoBench, SUPERVISOR } from "./testing.js";

const policy = peerOf(1);
const AWAY = HOME.map((value) => value + 0.5);
const texts = (bench: ServoBench) => bench.events.map(({ kind, text }) => `${kind} ${text}`).join("\n");
const speedOf = (one: ServoSnapshot, other: ServoSnapshot) =>
  Math.max(...one.sentRad.map((value, joint) => Math.abs(value - other.sentRad[joint]!))) /
  (PERIOD_MS / 1000);

/** A servo whose arm moves at speed, with the lease's epoch. */
async function moving(changes = {}): Promise<{ bench: ServoBench; epoch: number }> {
  const bench = new ServoBench(changes);
  await bench.toHolding();
  const epoch = bench.lease(policy);
  bench.command(policy, epoch, AWAY);
  await bench.run(200);
  expect(bench.last.state).toBe("following");
  expect(speedOf(bench.snapshots.at(-1)!, bench.snapshots.at(-2)!)).toBeGreaterThan(0.2);
  return { bench, epoch };
}

/** From now on the arm only decelerates, within the limits, to a standstill that is sent on and on. */
async function expectBraking(bench: ServoBench, ms = 600): Promise<void> {
  const from = bench.snapshots.length - 1;
  await bench.run(ms);
  const speeds = bench.snapshots
    .slice(from)
    .flatMap((snapshot, i, all) => (i === 0 ? [] : [speedOf(snapshot, all[i - 1]!)]));
  for (let i = 1; i < speeds.length; i++) {
    expect(speeds[i]! - speeds[i - 1]!).toBeLessThan(0.02);
    expect(Math.abs(speeds[i]! - speeds[i - 1]!)).toBeLessThan(5 * (PERIOD_MS / 1000) * 1.01);
  }
  expect(speeds.at(-1)).toBe(0);
}

describe("enabling", () => {
  it("streams nothing before, then exactly the measured position", async () => {
    const bench = new ServoBench();
    await bench.servo.connect();
    await bench.run(40);
    expect(bench.driver.sent).toEqual([]);
    expect(bench.last.state).toBe("connected");
    await bench.servo.enable();
    await bench.run(40);
    expect(bench.last.state).toBe("holding");
    expect(bench.driver.sent.length).toBe(10);
    for (const { positionRad } of bench.driver.sent) expect(positionRad).toEqual([...HOME]);
    expect([...bench.last.requestedRad]).toEqual([...HOME]);
  });

  it("is refused while the joint state is old, and leaves the device", async () => {
    const bench = new ServoBench();
    await bench.servo.connect();
    await bench.run(8);
    bench.driver.reports = false;
    await bench.clock.advance(500);
    await expect(bench.servo.enable()).rejects.toMatchObject({ code: "LINK_SILENT" });
    expect(bench.driver.calls.at(-1)).toBe("deactivate 2");
    expect(bench.servo.state).toBe("connected");
  });

  it("does not complete when a stop comes in between", async () => {
    const bench = new ServoBench();
    await bench.servo.connect();
    await bench.run(8);
    let release: () => void = () => {};
    bench.driver.activation = new Promise((resolve) => {
      release = resolve;
    });
    const enabling = bench.servo.enable();
    const refused = expect(enabling).rejects.toMatchObject({ code: "COMMAND_REFUSED" });
    await bench.run(4);
    await bench.servo.stop(2, "changed my mind");
    release();
    await refused;
    await bench.run(40);
    expect(bench.servo.state).toBe("stopped");
    expect(bench.driver.sent).toEqual([]);
  });

  it("gives the device's refusal on", async () => {
    const bench = new ServoBench();
    await bench.servo.connect();
    bench.driver.failWith = new Error("collision");
    await expect(bench.servo.enable()).rejects.toThrow("collision");
    expect(bench.servo.state).toBe("connected");
  });
});

describe("following", () => {
  it("moves towards the target and tells when its first setpoint left", async () => {
    const bench = new ServoBench();
    await bench.toHolding();
    const epoch = bench.lease(policy);
    const givenNs = bench.clock.nowNs();
    bench.command(policy, epoch, AWAY);
    await bench.run(PERIOD_MS);
    expect(bench.last).toMatchObject({ state: "following", commander: "peer1", commandSeq: 1, epoch });
    expect(Number(bench.last.commandWireNs - givenNs) / 1e6).toBeLessThanOrEqual(2 * PERIOD_MS);
    expect([...bench.last.requestedRad]).toEqual(AWAY);
    for (let step = 0; step < 8; step++) {
      bench.command(policy, epoch, AWAY);
      await bench.run(200);
    }
    for (const [joint, value] of AWAY.entries()) expect(bench.last.sentRad[joint]).toBeCloseTo(value, 6);
    expect(bench.last.reasons).toBe(0);
  });

  it("passes the gripper of the lease holder on, and nobody else's", async () => {
    const { bench, epoch } = await moving();
    const ask = (peer: Peer, openingM: number, validMs = 100) =>
      bench.servo.gripper(peer, {
        epoch,
        openingM,
        expiresNs: addNs(bench.clock.nowNs(), msToNs(validMs)),
      });
    ask(policy, 0.03);
    ask(peerOf(2), 0.01);
    expect(bench.driver.calls.filter((call) => call.startsWith("gripper"))).toEqual(["gripper 0.03"]);
    // What is no opening, or comes too late, is refused and counted, and the newest one stays.
    for (const wrong of [Number.NaN, -0.01, 1, Number.POSITIVE_INFINITY]) ask(policy, wrong);
    ask(policy, 0.02, 0);
    ask(policy, 0.02, -1);
    expect(bench.driver.calls.filter((call) => call.startsWith("gripper"))).toEqual(["gripper 0.03"]);
    expect(bench.servo.statistics().refusedCommands).toMatchObject({ noLease: 1, notFinite: 4, expired: 2 });
    await bench.run(PERIOD_MS);
    expect(bench.last.gripperCommandM).toBe(0.03);
  });

  it("shows a target that the limits had to move", async () => {
    const bench = new ServoBench();
    await bench.toHolding();
    const epoch = bench.lease(policy);
    for (let step = 0; step < 30; step++) {
      bench.command(policy, epoch, [9, ...HOME.slice(1)]);
      await bench.run(200);
    }
    expect(bench.last.reasons & REASON_BITS.positionLimit).toBeTruthy();
    expect(bench.last.requestedRad[0]).toBe(9);
    expect(bench.last.sentRad[0]).toBeCloseTo(3 - bench.config.positionMarginRad, 6);
  });
});

describe("refusals", () => {
  it.each([
    ["noLease", (bench: ServoBench, epoch: number) => bench.command(peerOf(2), epoch, AWAY)],
    ["wrongEpoch", (bench: ServoBench, epoch: number) => bench.command(policy, epoch - 1, AWAY)],
    ["wrongLength", (bench: ServoBench, epoch: number) => bench.command(policy, epoch, [1, 2])],
    [
      "notFinite",
      (bench: ServoBench, epoch: number) => bench.command(policy, epoch, [Number.NaN, ...AWAY.slice(1)]),
    ],
    ["badScale", (bench: ServoBench, epoch: number) => bench.command(policy, epoch, AWAY, 500, 1.5)],
    ["badScale", (bench: ServoBench, epoch: number) => bench.command(policy, epoch, AWAY, 500, Number.NaN)],
    ["expired", (bench: ServoBench, epoch: number) => bench.command(policy, epoch, AWAY, 0)],
    ["expiryTooLong", (bench: ServoBench, epoch: number) => bench.command(policy, epoch, AWAY, 5000)],
  ])("%s: counted, told, and without motion", async (reason, give) => {
    const bench = new ServoBench();
    await bench.toHolding();
    const epoch = bench.lease(policy);
    give(bench, epoch);
    await bench.run(40);
    expect(bench.servo.statistics().refusedCommands).toMatchObject({ [reason]: 1 });
    expect(texts(bench)).toContain(`refused ${reason}`);
    expect([...bench.last.sentRad]).toEqual([...HOME]);
  });

  it("tells a reason once a second, with the number of times", async () => {
    const bench = new ServoBench();
    await bench.toHolding();
    const epoch = bench.lease(policy);
    for (let i = 0; i < 500; i++) {
      bench.command(policy, epoch, [1]);
      await bench.run(PERIOD_MS);
    }
    const told = bench.events.filter(({ kind }) => kind === "refused");
    expect(told.length).toBe(2);
    expect(told[1]!.text).toContain("250 since");
    expect(bench.servo.statistics().refusedCommands.wrongLength).toBe(500);
  });

  it("refuses a command that is older than one it has seen", async () => {
    const { bench, epoch } = await moving();
    const stampNs = bench.clock.nowNs();
    const expiresNs = (stampNs + 100_000_000n) as typeof stampNs;
    bench.servo.command(policy, {
      epoch,
      seq: 1,
      stampNs,
      expiresNs,
      speedScale: 1,
      inputAgeMs: Number.NaN,
      positionRad: new Float64Array(7),
    });
    expect(bench.servo.statistics().refusedCommands.outOfOrder).toBe(1);
  });
});

describe("leases", () => {
  it("go to one commander at a time, only while holding", async () => {
    const bench = new ServoBench();
    await bench.servo.connect();
    await bench.run(8);
    expect(() => bench.lease(policy)).toThrow(/LEASE_REFUSED|connected/);
    await bench.servo.enable();
    expect(() => bench.servo.acquireLease(peerOf(3, "observer"), "x")).toThrow(/observer/);
    const first = bench.lease(policy);
    expect(() => bench.lease(peerOf(2))).toThrow(/peer1 holds/);
    bench.servo.releaseLease(policy, first);
    expect(bench.servo.state).toBe("holding");
    const second = bench.lease(peerOf(2));
    expect(second).toBeGreaterThan(first);
  });

  it("end with the commander's connection: brake to a hold, for the next one to take over", async () => {
    const { bench, epoch } = await moving();
    bench.servo.gone(policy);
    expect(bench.lost).toEqual([{ peerId: 1, epoch, reason: "its connection closed" }]);
    await expectBraking(bench);
    expect(bench.last).toMatchObject({ state: "holding", commander: "" });
    expect(bench.last.reasons & REASON_BITS.leaseLost).toBeTruthy();
    bench.lease(peerOf(2));
  });

  it("end with silence", async () => {
    const { bench } = await moving({ leaseSilenceMsMax: 300 });
    await bench.run(296);
    expect(bench.servo.state).toBe("holding");
    await expectBraking(bench);
    expect(bench.lost[0]!.reason).toContain("silent");
  });

  it("are not touched by one of two supervisors that leaves", async () => {
    const { bench, epoch } = await moving();
    const other = peerOf(9, "supervisor");
    bench.servo.heard(other);
    bench.servo.gone(other);
    bench.command(policy, epoch, AWAY);
    await bench.run(40);
    expect(bench.last.state).toBe("following");
  });
});

describe("supervision", () => {
  it("is a condition of every lease", async () => {
    const bench = new ServoBench();
    await bench.toHolding();
    bench.servo.gone(SUPERVISOR);
    expect(() => bench.lease(policy)).toThrow(/No supervisor/);
    bench.servo.heard(SUPERVISOR);
    expect(bench.lease(policy)).toBeGreaterThan(0);
  });

  it("ends the lease when the last supervisor's connection closes", async () => {
    const { bench, epoch } = await moving();
    bench.supervised = false;
    bench.servo.gone(SUPERVISOR);
    expect(bench.lost).toEqual([{ peerId: 1, epoch, reason: "the last supervisor's connection closed" }]);
    await expectBraking(bench);
    expect(bench.last.state).toBe("holding");
    expect(bench.servo.statistics().triggers).toMatchObject({ supervisorGone: 1 });
  });

  it("ends the lease when the supervisor falls silent while the commander talks on", async () => {
    const { bench, epoch } = await moving({ supervisorSilenceMsMax: 300 });
    bench.supervised = false;
    for (let ms = 0; ms < 296; ms += PERIOD_MS) {
      bench.command(policy, epoch, AWAY);
      await bench.run(PERIOD_MS);
    }
    expect(bench.servo.state).toBe("following");
    await bench.run(8);
    expect(bench.servo.state).toBe("holding");
    expect(bench.servo.statistics().triggers).toMatchObject({ supervisorSilent: 1, leaseSilent: 0 });
    await expectBraking(bench);
  });

  it("may revoke a lease", async () => {
    const { bench } = await moving();
    bench.servo.revokeLease(SUPERVISOR, "lunch");
    await expectBraking(bench);
    expect(bench.last.state).toBe("holding");
    expect(bench.lost[0]!.reason).toBe("revoked by daemon: lunch");
    bench.servo.revokeLease(SUPERVISOR, "again");
    expect(bench.servo.statistics().triggers).toMatchObject({ leaseRevoked: 1 });
  });
});

describe("watchdogs", () => {
  it.each([
    [
      "not finite",
      (bench: ServoBench, epoch: number) => bench.command(policy, epoch, Array(7).fill(Number.NaN)),
    ],
    ["of another length", (bench: ServoBench, epoch: number) => bench.command(policy, epoch, [1])],
    ["valid for too long", (bench: ServoBench, epoch: number) => bench.command(policy, epoch, AWAY, 60_000)],
  ])("brake on a command that is %s, and follow the next good one", async (_what, give) => {
    const { bench, epoch } = await moving();
    give(bench, epoch);
    await bench.run(PERIOD_MS);
    expect(bench.last.reasons & REASON_BITS.commandMalformed).toBeTruthy();
    expect(bench.servo.statistics().triggers).toMatchObject({ commandMalformed: 1 });
    await expectBraking(bench);
    bench.command(policy, epoch, HOME);
    await bench.run(8);
    expect(bench.last.reasons).toBe(0);
  });

  it("do not brake for what somebody without the lease sends", async () => {
    const { bench } = await moving();
    bench.command(peerOf(2), 1, Array(7).fill(Number.NaN));
    await bench.run(PERIOD_MS);
    expect(bench.last.reasons).toBe(0);
  });

  it("stop when the arm is not where its setpoints are", async () => {
    const { bench } = await moving({ trackingErrorRadMax: 0.05 });
    bench.driver.reports = false;
    bench.driver.state().positionRad[2]! += 0.2;
    await bench.run(600);
    expect(bench.servo.state).toBe("stopped");
    expect(bench.servo.statistics().triggers).toMatchObject({ trackingError: 1 });
    expect(texts(bench)).toMatch(/stop category 2, joint 3 is 0\.\d+ rad from its setpoint/);
  });

  it("stop once when the black box fails, and enable only when it works again", async () => {
    const blackBox = { tick: () => {}, event: () => {}, failure: undefined as string | undefined };
    const bench = new ServoBench({}, { blackBox });
    await bench.toHolding();
    blackBox.failure = "disk full";
    await bench.run(600);
    expect(bench.servo.state).toBe("stopped");
    expect(bench.servo.statistics().triggers).toMatchObject({ blackBoxFailed: 1 });
    await bench.servo.reset();
    await expect(bench.servo.enable()).rejects.toMatchObject({ code: "RECORDING_FAILED" });
    blackBox.failure = undefined;
    await bench.servo.enable();
    expect(bench.servo.state).toBe("holding");
  });

  it("brake when a command expires, and follow the next one", async () => {
    const { bench, epoch } = await moving({ leaseSilenceMsMax: 5000 });
    await bench.run(304);
    expect(bench.last.reasons & REASON_BITS.commandExpired).toBeTruthy();
    await expectBraking(bench);
    expect(bench.last.state).toBe("following");
    bench.command(policy, epoch, HOME);
    await bench.run(8);
    expect(bench.last.reasons).toBe(0);
    expect(speedOf(bench.snapshots.at(-1)!, bench.snapshots.at(-2)!)).toBeGreaterThan(0);
  });

  it("brake when the newest command has expired by its tick, and do not fall back on the one before", async () => {
    const { bench, epoch } = await moving();
    bench.command(policy, epoch, AWAY, 800);
    await bench.run(PERIOD_MS);
    bench.command(policy, epoch, AWAY, 1);
    await bench.run(PERIOD_MS);
    expect(bench.last.reasons & REASON_BITS.commandExpired).toBeTruthy();
    await expectBraking(bench);
  });

  it("brake on an old device state and refuse commands until it is fresh", async () => {
    const { bench, epoch } = await moving();
    bench.driver.reports = false;
    await bench.run(104);
    expect(bench.last.reasons & REASON_BITS.stateStale).toBeTruthy();
    await expectBraking(bench);
    bench.command(policy, epoch, AWAY);
    expect(bench.servo.statistics().refusedCommands.stateStale).toBe(1);
    bench.driver.reports = true;
    await bench.run(8);
    bench.command(policy, epoch, AWAY);
    await bench.run(40);
    expect(bench.last.reasons).toBe(0);
    expect(texts(bench).match(/watchdog device state/g)).toHaveLength(1);
  });

  it("stop when many ticks in a row are missed, and only then", async () => {
    const { bench } = await moving({ lateTicksMax: 10 });
    await bench.run(4, 9);
    await bench.run(4);
    expect(bench.servo.state).toBe("following");
    await bench.run(4, 10);
    expect(bench.servo.state).not.toBe("following");
    await bench.run(600);
    expect(bench.servo.state).toBe("stopped");
    expect(texts(bench)).toContain("10 ticks missed in a row");
  });

  it("start again from rest when setpoints did not leave for a while", async () => {
    const { bench, epoch } = await moving();
    bench.driver.answer = "busy";
    await bench.run(80);
    expect(bench.last.reasons & REASON_BITS.deviceNotReady).toBeTruthy();
    const stuck = bench.last.sentRad;
    bench.driver.answer = "sent";
    bench.command(policy, epoch, AWAY);
    await bench.run(4);
    expect(speedOf(bench.last, { ...bench.last, sentRad: stuck })).toBeLessThan(0.01);
    expect(bench.servo.state).toBe("following");
  });

  it("stop when the device takes no setpoints any more", async () => {
    const { bench } = await moving();
    bench.driver.answer = "notReady";
    await bench.run(200);
    expect(bench.servo.state).toBe("stopped");
    expect(bench.driver.calls).toContain("deactivate 2");
  });
});

describe("stops", () => {
  it.each([1, 2] as const)(
    "category %i decelerates within the limits, then leaves the device",
    async (category) => {
      const { bench, epoch } = await moving();
      const stopping = bench.servo.stop(category, "operator");
      expect(bench.servo.state).toBe("stopping");
      expect(bench.driver.calls).not.toContain(`deactivate ${category}`);
      // Within two periods the acceleration goes down: braking has begun on the wire.
      const gain = () => {
        const [third, second, last] = bench.snapshots.slice(-3) as [
          ServoSnapshot,
          ServoSnapshot,
          ServoSnapshot,
        ];
        return speedOf(last, second) - speedOf(second, third);
      };
      const before = gain();
      await bench.run(2 * PERIOD_MS);
      expect(gain()).toBeLessThan(before);
      await bench.run(600);
      await stopping;
      expect(bench.servo.state).toBe("stopped");
      expect(bench.driver.calls.at(-1)).toBe(`deactivate ${category}`);
      expect(bench.lost).toEqual([{ peerId: 1, epoch, reason: "stopped: operator" }]);
      const sent = bench.driver.sent.length;
      await bench.run(40);
      expect(bench.driver.sent.length).toBe(sent);
    },
  );

  it("category 0 goes to the device at once", async () => {
    const { bench } = await moving();
    const sent = bench.driver.sent.length;
    await bench.servo.stop(0, "emergency");
    expect(bench.driver.calls).toEqual(expect.arrayContaining(["stopNow 0", "deactivate 0"]));
    expect(bench.servo.state).toBe("stopped");
    await bench.run(40);
    expect(bench.driver.sent.length).toBe(sent);
  });

  it("let nothing run that was given before", async () => {
    const { bench, epoch } = await moving();
    bench.command(policy, epoch, AWAY);
    void bench.servo.stop(2, "operator");
    bench.command(policy, epoch, AWAY);
    await bench.run(600);
    await bench.servo.reset();
    await bench.servo.enable();
    await bench.run(8);
    const held = [...bench.last.sentRad];
    bench.command(policy, epoch, AWAY);
    const next = bench.lease(peerOf(2));
    expect(next).toBeGreaterThan(epoch + 1);
    bench.command(policy, epoch, AWAY);
    await bench.run(100);
    expect([...bench.last.sentRad]).toEqual(held);
    expect(bench.servo.statistics().refusedCommands.noLease).toBe(3);
  });

  it("are latched: re-arming reads the device again, is explicit, and starts from the measured pose", async () => {
    const { bench } = await moving();
    void bench.servo.stop(2, "operator");
    await bench.run(600);
    await expect(bench.servo.enable()).rejects.toMatchObject({ code: "NOT_ENABLED" });
    bench.driver.calls.length = 0;
    await bench.servo.reset();
    expect(bench.driver.calls).toEqual(["configure"]);
    expect(bench.servo.state).toBe("connected");
    // Somebody has moved the arm meanwhile.
    bench.driver.state().positionRad[0] = 1;
    bench.driver.sent.length = 0;
    await bench.servo.enable();
    bench.driver.reports = false;
    await bench.run(4);
    expect(bench.driver.sent[0]!.positionRad[0]).toBe(1);
  });

  it("work without a device, and reset then waits for one", async () => {
    const bench = new ServoBench();
    await bench.servo.stop(1, "early");
    expect(bench.servo.state).toBe("stopped");
    bench.driver.failWith = new Error("unplugged");
    await expect(bench.servo.reset()).rejects.toThrow("unplugged");
    expect(bench.servo.state).toBe("stopped");
  });
});

describe("faults", () => {
  it("end motion and lease, and need a reset", async () => {
    const { bench, epoch } = await moving();
    bench.driver.fault("FAKE_COLLISION");
    expect(bench.servo.state).toBe("faulted");
    expect(bench.servo.epoch).toBeGreaterThan(epoch);
    const sent = bench.driver.sent.length;
    await bench.run(40);
    expect(bench.driver.sent.length).toBe(sent);
    expect(bench.driver.calls.at(-1)).toBe("deactivate 2");
    expect(bench.events.find(({ kind }) => kind === "fault")?.fault?.code).toBe("FAKE_COLLISION");
    await expect(bench.servo.enable()).rejects.toMatchObject({ code: "NOT_ENABLED" });
    await bench.servo.reset();
    await bench.servo.enable();
    expect(bench.servo.state).toBe("holding");
  });

  it("of severity warning are told and change nothing", async () => {
    const { bench } = await moving();
    bench.driver.fault("FAKE_WARM", "warning");
    expect(bench.servo.state).toBe("following");
    expect(texts(bench)).toContain("fault FAKE_WARM");
  });

  it("release whoever waits for a stop", async () => {
    const { bench } = await moving();
    const stopping = bench.servo.stop(2, "operator");
    bench.driver.fault("FAKE_COLLISION");
    await stopping;
    expect(bench.servo.state).toBe("faulted");
  });

  it("of the link lead to disconnected, and back to connected without enabling", async () => {
    const { bench } = await moving();
    bench.driver.failWith = new Error("no route");
    bench.driver.fault("FAKE_GONE", "stop", "link");
    expect(bench.servo.state).toBe("disconnected");
    await bench.run(2100);
    expect(bench.servo.state).toBe("disconnected");
    expect(texts(bench).match(/does not answer: no route/g)).toHaveLength(1);
    bench.driver.failWith = undefined;
    await bench.run(1200);
    expect(bench.servo.state).toBe("connected");
    const sent = bench.driver.sent.length;
    await bench.run(40);
    expect(bench.driver.sent.length).toBe(sent);
  });
});

it("a device that a reset has found again is not looked for any more", async () => {
  const { bench } = await moving();
  bench.driver.fault("FAKE_COLLISION");
  bench.driver.fault("FAKE_GONE", "stop", "link");
  expect(bench.servo.state).toBe("faulted");
  await bench.servo.reset();
  await bench.servo.enable();
  const configured = () => bench.driver.calls.filter((call) => call === "configure").length;
  const before = configured();
  await bench.run(2100);
  expect(configured()).toBe(before);
  expect(bench.servo.state).toBe("holding");
});

describe("a latch", () => {
  it("survives the loss of the device", async () => {
    const { bench } = await moving();
    void bench.servo.stop(2, "operator");
    bench.driver.fault("FAKE_GONE", "stop", "link");
    expect(bench.servo.state).toBe("stopped");
    await bench.run(1200);
    expect(bench.servo.state).toBe("stopped");
    await expect(bench.servo.enable()).rejects.toMatchObject({ code: "NOT_ENABLED" });
    await bench.servo.reset();
    expect(bench.servo.state).toBe("connected");
  });

  it("is there from the start after a crash", async () => {
    const bench = new ServoBench({}, { startLatched: "the process was killed" });
    await bench.servo.connect();
    await bench.run(40);
    expect(bench.servo.state).toBe("stopped");
    await expect(bench.servo.enable()).rejects.toMatchObject({ code: "NOT_ENABLED" });
    await bench.servo.reset();
    await bench.servo.enable();
    expect(bench.servo.state).toBe("holding");
  });
});

describe("the black box", () => {
  it("gets every tick with the ages of its inputs, and every event", async () => {
    const ages: InputAges[] = [];
    const events: ServoEvent[] = [];
    const blackBox: BlackBox = {
      tick: (_snapshot, age) => void ages.push({ ...age }),
      event: (event) => void events.push(event),
      failure: undefined,
    };
    const bench = new ServoBench({}, { blackBox });
    await bench.toHolding();
    expect(ages.at(-1)).toMatchObject({ commandMs: Number.NaN, commanderMs: Number.NaN });
    const epoch = bench.lease(policy);
    bench.command(policy, epoch, AWAY);
    await bench.run(100);
    const { commandMs, inputMs, stateMs, supervisorMs, commanderMs } = ages.at(-1)!;
    expect(commandMs).toBeCloseTo(100, 3);
    expect(inputMs).toBeCloseTo(120, 3);
    expect(stateMs).toBeLessThan(PERIOD_MS);
    expect(supervisorMs).toBeLessThan(PERIOD_MS);
    expect(commanderMs).toBeCloseTo(100, 3);
    void bench.servo.stop(2, "lunch", "page");
    await bench.run(600);
    expect(ages.length).toBe(bench.snapshots.length);
    expect(events).toEqual(bench.events);
    expect(events.find(({ trigger }) => trigger !== undefined)).toMatchObject({
      kind: "stop",
      trigger: "stopRequested",
      text: "category 2, page: lunch",
    });
  });
});

describe("closing", () => {
  it("decelerates, leaves the arm holding, then closes", async () => {
    const { bench } = await moving();
    const closing = bench.servo.close();
    await bench.run(600);
    await closing;
    expect(bench.driver.calls.slice(-2)).toEqual(["deactivate 2", "close"]);
  });
});
