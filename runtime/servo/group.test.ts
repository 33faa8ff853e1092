/** Two real servos on simulated clocks, an arm and a hand, that move as one or not at all. */
import { beforeEach, describe, expect, it } from "vitest";
import { addNs, asMonotonicNs, msToNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { ServoInProcess } from "../../test/support/teleop/servoInProcess.js";
import { type Lease, SERVO_STATES, type ServoClient, type ServoEvent, type ServoSnapshot } from "./api.js";
import { servoGroup } from "./group.js";
import { inTime, joined } from "./groupMembers.js";
import { HOME, PERIOD_MS, peerOf, ServoBench, SUPERVISOR } from "./testing.js";

const JOINTS = HOME.length;
const STEP_MS = 40;
const EXPIRY_MS = 300;

type Name = "arm" | "hand";

let servos: Record<Name, ServoInProcess>;
let clients: ServoClient[];
let group: ServoClient;

const other = (name: Name): Name => (name === "arm" ? "hand" : "arm");

beforeEach(async () => {
  servos = {
    arm: new ServoInProcess(new ServoBench({}, { robot: "arm", device: "xarm7" })),
    hand: new ServoInProcess(new ServoBench({}, { robot: "hand", device: "allegro" })),
  };
  for (const { bench } of Object.values(servos)) await bench.toHolding();
  clients = [await servos.arm.connect(), await servos.hand.connect()];
  group = servoGroup(clients);
  await tick();
});

/** One tick of those that are named, of both when none is. */
async function tick(...names: Name[]): Promise<void> {
  for (const name of names.length === 0 ? (["arm", "hand"] as const) : names) await servos[name].tick();
}

const state = (name: Name) => servos[name].bench.last.state;
const sentRad = (name: Name) => [...servos[name].bench.last.sentRad];
const target = (byRad: number): number[] => [...HOME, ...HOME].map((rad) => rad + byRad);

/** Commands both to go on, as a policy does, until `ms` have passed or the lease is lost. */
async function follow(lease: Lease, ms: number, names: Name[] = [], validMs = EXPIRY_MS): Promise<void> {
  for (let atMs = 0; atMs < ms && !lease.lost.aborted; atMs += PERIOD_MS) {
    if (atMs % STEP_MS === 0) {
      const nowNs = inTime(Object.values(servos).map(({ bench }) => bench.clock.nowNs())).at(-1)!;
      const expiresNs = addNs(nowNs, msToNs(validMs));
      lease.command({ positionRad: target(1), expiresNs, speedScale: 0.2 });
    }
    await tick(...names);
  }
}

/** Nothing moves any more, and nothing that is said to the lease changes that. */
async function expectStill(lease: Lease, name: Name): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await tick(name);
  const before = sentRad(name);
  const expiresNs = addNs(servos[name].bench.clock.nowNs(), msToNs(EXPIRY_MS));
  lease.command({ positionRad: target(-1), expiresNs });
  for (let turn = 0; turn < 50; turn++) await tick(name);
  expect(sentRad(name)).toEqual(before);
}

describe("a group", () => {
  it("of one is that one", () => {
    expect(servoGroup([clients[0]!])).toBe(clients[0]);
  });

  it("has the joints of its robots in turn, each with its device's name", () => {
    expect(group.info).toMatchObject({ robot: "arm+hand", device: "xarm7-allegro", rateHz: 250 });
    const { jointNames, velocityMaxRadPerS } = group.info.limits;
    expect([jointNames[0], jointNames[6], jointNames[7]]).toEqual([
      "xarm7/joint1",
      "xarm7/joint7",
      "allegro/joint1",
    ]);
    expect(jointNames).toHaveLength(2 * JOINTS);
    expect(velocityMaxRadPerS).toHaveLength(2 * JOINTS);
    expect(group.info.members?.map(({ robot }) => robot)).toEqual(["arm", "hand"]);
  });

  it("of equal devices has the robots' names before the joints", async () => {
    const left = new ServoInProcess(new ServoBench({}, { robot: "left" }));
    const right = new ServoInProcess(new ServoBench({}, { robot: "right" }));
    const { jointNames } = servoGroup([await left.connect(), await right.connect()]).info.limits;
    expect([jointNames[0], jointNames[7]]).toEqual(["left/joint1", "right/joint1"]);
  });

  it("moves both, each by its part of the vector", async () => {
    const lease = await group.acquireLease("test");
    const positionRad = target(0).map((rad, joint) => rad + 0.001 * joint);
    const expiresNs = addNs(servos.arm.bench.clock.nowNs(), msToNs(EXPIRY_MS));
    expect(lease.command({ positionRad, expiresNs, speedScale: 0.5, inputAgeMs: 7 })).toBe(1);
    for (let turn = 0; turn < 50; turn++) await tick();
    expect(servos.arm.commands[0]!.positionRad).toEqual(positionRad.slice(0, JOINTS));
    expect(servos.hand.commands[0]!.positionRad).toEqual(positionRad.slice(JOINTS));
    const snapshot = group.latest()!;
    expect(snapshot.state).toBe("following");
    const offRad = positionRad.map((rad, joint) => Math.abs(rad - snapshot.positionRad[joint]!));
    expect(Math.max(...offRad)).toBeLessThan(0.005);
  });

  it("knows a command as taken when the last robot has taken it, at that robot's time", async () => {
    const lease = await group.acquireLease("test");
    const expiresNs = addNs(servos.arm.bench.clock.nowNs(), msToNs(EXPIRY_MS));
    const seq = lease.command({ positionRad: target(0.1), expiresNs });
    await tick("arm");
    expect(group.latest()!.commandSeq).toBe(0);
    await tick("arm");
    await tick("hand");
    const snapshot = group.latest()!;
    expect(snapshot.commandSeq).toBe(seq);
    const wires = [servos.arm, servos.hand].map(({ bench }) => bench.last.commandWireNs);
    expect(wires[1]! > wires[0]!).toBe(false);
    expect(snapshot.commandWireNs).toBe(wires[0]);
  });

  it("is as old as its oldest part", async () => {
    const before = servos.hand.bench.last;
    await tick("arm");
    await tick("arm");
    expect(group.latest()).toMatchObject({ tickNs: before.tickNs, stateNs: before.stateNs });
  });

  it("remembers a moment when every robot does", async () => {
    const at = servos.arm.bench.last.stateNs;
    expect(group.positionAt(at)).toHaveLength(2 * JOINTS);
    await tick("arm");
    await tick("arm");
    const newer = servos.arm.bench.last.stateNs;
    expect(clients[0]!.positionAt(newer)).toHaveLength(JOINTS);
    expect(group.positionAt(newer)).toBeUndefined();
  });

  it("tells its snapshots in step with the slowest and everybody's events with the robot's name", async () => {
    const slow = new ServoInProcess(new ServoBench({ rateHz: 100 }, { robot: "slow" }));
    await slow.bench.toHolding();
    const mixed = servoGroup([clients[0]!, await slow.connect()]);
    let heard = 0;
    const events: ServoEvent[] = [];
    const undo = [mixed.onSnapshot(() => heard++), mixed.onEvent((event) => events.push(event))];
    await servos.arm.run(40);
    expect(heard).toBe(0);
    await slow.tick();
    expect(heard).toBe(1);
    void slow.bench.servo.stop(2, "somebody's stop");
    await slow.run(40);
    expect(events.map(({ text }) => text)).toContainEqual(expect.stringMatching(/^slow: .*somebody's stop/));
    for (const unsubscribe of undo) unsubscribe();
    await slow.tick();
    expect(heard).toBe(11);
  });

  it.each(SERVO_STATES)("with one robot %s is no readier than that", (of) => {
    const order = ["disconnected", "faulted", "stopped", "stopping", "connected", "teaching", "holding"];
    const part = (name: ServoSnapshot["state"]) => ({ ...servos.arm.bench.last, state: name });
    for (const second of SERVO_STATES) {
      const found = joined([part(of), part(second)]).state;
      expect(found).toBe(joined([part(second), part(of)]).state);
      const least = order.find((name) => name === of || name === second) ?? "following";
      expect(found).toBe(least);
    }
  });

  it("gives its opening to robots that have a gripper", async () => {
    const opening = (name: Name) => servos[name].grippersM;
    const { latest } = clients[0]!;
    clients[0]!.latest = () => ({ ...latest.call(clients[0])!, gripperOpeningM: 0.05 });
    const lease = await group.acquireLease("test");
    lease.gripper(0.03);
    expect([opening("arm"), opening("hand")]).toEqual([[0.03], []]);
    expect(group.latest()!.gripperOpeningM).toBe(0.05);
  });

  it("takes no stream of setpoints and keeps no statistics", async () => {
    const lease = await group.acquireLease("test");
    const stretch = {
      firstIndex: 0,
      jointCount: 14,
      positionRad: [],
      accelerationRadPerS2: [],
      isLast: true,
    };
    expect(() => lease.setpoints({ ...stretch, expiresNs: asMonotonicNs(1n) })).toThrow(/common stream/);
    await expect(group.statistics()).rejects.toThrow(/each of its robots/);
  });

  it("stops every robot, also when one cannot be asked, and names that one", async () => {
    clients[0]!.stop = () => Promise.reject(new CerebellumError("TIMED_OUT", "no answer", "wait"));
    const stopped = group.stop(2, "test").catch((thrown: unknown) => thrown);
    for (let turn = 0; turn < 5; turn++) await tick();
    expect(await stopped).toMatchObject({ code: "TIMED_OUT", happened: "arm: no answer" });
    expect(state("hand")).toBe("stopped");
  });

  it("is closed with the first connection that closes, and closes the others", async () => {
    servos.hand.drop();
    expect(group.closed.aborted).toBe(true);
    expect(group.closed.reason).toMatchObject({
      code: "LINK_CLOSED",
      happened: expect.stringMatching(/^hand:/),
    });
    expect(clients[0]!.closed.aborted).toBe(true);
  });

  it("of which one connection is closed already is closed from the start", async () => {
    servos.arm.drop();
    expect(servoGroup(clients).closed.aborted).toBe(true);
  });

  it("closes all", async () => {
    await group.close();
    expect(clients.map(({ closed }) => closed.aborted)).toEqual([true, true]);
  });
});

describe("a group's lease", () => {
  it.each<Name>(["arm", "hand"])(
    "that the %s refuses is held of none, and the refusal names it",
    async (name) => {
      servos[name].bench.servo.acquireLease(peerOf(77), "somebody else");
      await expect(group.acquireLease("test")).rejects.toMatchObject({
        code: "LEASE_REFUSED",
        happened: expect.stringMatching(new RegExp(`^${name}: .*holds the lease`)),
      });
      await tick();
      // Free for anybody.
      expect(servos[other(name)].bench.last.commander).toBe("");
      servos[other(name)].bench.servo.acquireLease(peerOf(78), "the next");
    },
  );

  it("that both refuse names the first", async () => {
    for (const { bench } of Object.values(servos)) void bench.servo.stop(2, "test");
    for (let turn = 0; turn < 5; turn++) await tick();
    await expect(group.acquireLease("test")).rejects.toThrow(/^arm: /);
  });

  it("is given back by all, and can be had again", async () => {
    const lease = await group.acquireLease("test");
    await follow(lease, 100);
    lease.release();
    expect(lease.lost.aborted).toBe(true);
    for (const name of ["arm", "hand"] as const) await expectStill(lease, name);
    expect([state("arm"), state("hand")]).toEqual(["holding", "holding"]);
    const again = await group.acquireLease("again");
    await follow(again, 100);
    expect([state("arm"), state("hand")]).toEqual(["following", "following"]);
    expect(group.latest()!.commandSeq).toBeGreaterThan(0);
  });

  it.each([
    ["one number short", target(0).slice(1)],
    ["not a number in the arm's part", target(0).with(2, Number.NaN)],
    ["infinite in the hand's part", target(0).with(9, Number.POSITIVE_INFINITY)],
  ])("sends a command that is %s to nobody, and is over", async (_what, positionRad) => {
    const lease = await group.acquireLease("test");
    const expiresNs = addNs(servos.arm.bench.clock.nowNs(), msToNs(EXPIRY_MS));
    lease.command({ positionRad, expiresNs });
    expect([servos.arm.commands, servos.hand.commands]).toEqual([[], []]);
    expect(lease.lost.reason).toMatchObject({ happened: expect.stringMatching(/14 finite numbers/) });
    await tick();
    expect([state("arm"), state("hand")]).toEqual(["holding", "holding"]);
  });

  /** Ways in which one robot's part ends, and what the other's commander then reads. */
  const ENDS: [what: string, end: (name: Name, lease: Lease) => Promise<void>, reason: RegExp][] = [
    [
      "loses its lease",
      async (name) => servos[name].bench.servo.revokeLease(SUPERVISOR, "a person wants it"),
      /a person wants it/,
    ],
    ["is stopped", async (name) => void servos[name].bench.servo.stop(2, "the stop button"), /stop button/],
    ["has a fault", async (name) => servos[name].bench.driver.fault("C31"), /C31|a test wants it/],
    ["ends its process, or starts it again", async (name) => servos[name].drop(), /closed/],
    [
      "refuses a command, its own state being too old",
      async (name, lease) => {
        servos[name].bench.driver.reports = false;
        await follow(lease, 400);
      },
      /refused a command \(stateStale/,
    ],
    [
      "takes no command before it expires",
      async (name, lease) => {
        servos[name].bench.servo.command = () => {};
        await follow(lease, EXPIRY_MS + 2 * STEP_MS);
      },
      /has not taken command \d+ before it expired/,
    ],
    ["is silent", async (name, lease) => follow(lease, 1100, [other(name)]), /sent no state for 100\d ms/],
  ];

  describe.each<Name>(["arm", "hand"])("whose %s", (name) => {
    it.each(ENDS)("%s is lost at once, and both hold", async (_what, end, reason) => {
      const lease = await group.acquireLease("test");
      await follow(lease, 200);
      expect([state("arm"), state("hand")]).toEqual(["following", "following"]);
      await end(name, lease);
      await tick(other(name));
      if (!lease.lost.aborted) await tick();
      expect(lease.lost.aborted).toBe(true);
      const failure = lease.lost.reason as CerebellumError;
      expect(failure).toBeInstanceOf(CerebellumError);
      expect(failure.happened).toMatch(new RegExp(`^${name}: `));
      expect(failure.happened).toMatch(reason);
      await tick(other(name));
      expect(state(other(name))).toBe("holding");
      expect(servos[other(name)].bench.last.commander).toBe("");
      await expectStill(lease, other(name));
      for (let turn = 0; turn < 100; turn++) await tick(name);
      expect(["holding", "stopped", "faulted"]).toContain(state(name));
      expect(servos[name].bench.last.commander).toBe("");
      lease.release();
    });
  });

  it("lives through a command that expires unanswered by the next one", async () => {
    const lease = await group.acquireLease("test");
    await follow(lease, 100);
    for (let turn = 0; turn < 200; turn++) await tick();
    expect(lease.lost.aborted).toBe(false);
    const before = sentRad("hand");
    await follow(lease, 100);
    expect(sentRad("hand")).not.toEqual(before);
  });

  it("lives through snapshots that come in bursts", async () => {
    const lease = await group.acquireLease("test");
    for (let burst = 0; burst < 8; burst++) {
      await follow(lease, 200, ["arm"]);
      for (let turn = 0; turn < 50; turn++) await tick("hand");
    }
    expect(lease.lost.aborted).toBe(false);
  });
});
