import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addNs, asMonotonicNs } from "../../../core/clock.js";
import { CerebellumError } from "../../../core/errors.js";
import { SimClock } from "../../../core/simClock.js";
import type { ServoInfo } from "../api.js";
import { createSnapshot, type MutableSnapshot } from "../snapshot.js";
import { connectServo } from "./client.js";
import { type BodyOf, NO_STATISTICS } from "./schema.js";
import { type LinkHandler, LinkServer, type Peer } from "./server.js";

const seven = (value: number) => Array<number>(7).fill(value);
const INFO: ServoInfo = {
  robot: "arm",
  device: "fake",
  rateHz: 250,
  limits: {
    jointNames: ["j1", "j2", "j3", "j4", "j5", "j6", "j7"],
    positionMinRad: seven(-1),
    positionMaxRad: seven(1),
    velocityMaxRadPerS: seven(1),
    accelerationMaxRadPerS2: seven(5),
    jerkMaxRadPerS3: seven(60),
    toolSpeedMaxMPerS: 0.5,
  },
  identity: undefined,
  realtimePriority: 0,
  processId: 1,
  supervisorSilenceMsMax: 1000,
};

const snapshotAt = (tick: number, atMs: number, positionRad: number): MutableSnapshot => {
  const snapshot = createSnapshot(7);
  snapshot.tick = tick;
  snapshot.tickMs = atMs;
  snapshot.state = "holding";
  snapshot.stateMs = atMs;
  snapshot.stateSequence = tick + 1;
  snapshot.positionRad.fill(positionRad);
  return snapshot;
};

/** Grants everything, and writes down what it was asked. */
class Recorder implements LinkHandler {
  readonly heardOf: string[] = [];
  readonly commands: BodyOf<"command">[] = [];
  readonly setpointBatches: BodyOf<"setpoints">[] = [];
  readonly calls: string[] = [];
  refuse: CerebellumError | undefined;
  info = () => INFO;
  statistics = () => ({ ...NO_STATISTICS, ticks: 5 });
  heard = (peer: Peer) => void this.heardOf.push(peer.name);
  gone = (peer: Peer) => void this.calls.push(`gone ${peer.name}`);
  acquireLease = (peer: Peer, name: string) => {
    if (this.refuse) throw this.refuse;
    this.calls.push(`lease ${name} for ${peer.name}`);
    return { epoch: 4, silenceMsMax: 1000 };
  };
  releaseLease = (_peer: Peer, epoch: number) => void this.calls.push(`release ${epoch}`);
  command = (_peer: Peer, command: BodyOf<"command">) => void this.commands.push(command);
  setpoints = (_peer: Peer, batch: BodyOf<"setpoints">) => void this.setpointBatches.push(batch);
  gripper = (_peer: Peer, { openingM, expiresNs }: BodyOf<"gripper">) =>
    void this.calls.push(`gripper ${openingM} until ${expiresNs}`);
  enable = async () => void this.calls.push("enable");
  teach = async (on: boolean) => {
    this.calls.push(on ? "teach on" : "teach off");
  };
  reset = async () => {
    if (this.refuse) throw this.refuse;
  };
  stop = async (category: number, reason: string, by: string) =>
    void this.calls.push(`stop ${category} ${reason} by ${by}`);
  revokeLease = (peer: Peer, reason: string) => void this.calls.push(`revoke ${reason} by ${peer.name}`);
  troubled = (text: string) => void this.calls.push(`troubled ${text}`);
}

const until = async (condition: () => boolean) => {
  for (let turn = 0; turn < 500 && !condition(); turn++)
    await new Promise((resolve) => setTimeout(resolve, 2));
  expect(condition()).toBe(true);
};

describe("servo link", () => {
  const clock = new SimClock();
  let folder: string;
  let path: string;
  let handler: Recorder;
  let server: LinkServer;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "servo-link-"));
    path = join(folder, "servo.sock");
    handler = new Recorder();
    server = new LinkServer(handler);
    await server.listen(path);
  });
  afterEach(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  it("carries requests, answers and commands", async () => {
    const supervisor = await connectServo(path, { role: "supervisor", name: "daemon", clock });
    expect(supervisor.info).toEqual(INFO);
    await supervisor.enable();
    expect((await supervisor.statistics()).ticks).toBe(5);
    const commander = await connectServo(path, { role: "commander", name: "policy", clock });
    const lease = await commander.acquireLease("rollout");
    expect(lease.epoch).toBe(4);
    const expiresNs = asMonotonicNs(clock.nowNs() + 500_000_000n);
    expect(lease.command({ positionRad: seven(0.1), expiresNs })).toBe(1);
    expect(lease.command({ positionRad: seven(0.2), expiresNs, speedScale: 0.25 })).toBe(2);
    lease.gripper(0.04);
    lease.gripper(0.03, addNs(expiresNs, 1n));
    lease.release();
    expect(lease.lost.aborted).toBe(true);
    await supervisor.stop(2, "test");
    await until(() => handler.calls.includes("release 4"));
    expect(handler.commands).toMatchObject([
      { epoch: 4, seq: 1, speedScale: 1, expiresNs, stampNs: clock.nowNs() },
      { epoch: 4, seq: 2, speedScale: 0.25 },
    ]);
    expect(handler.calls).toEqual(
      expect.arrayContaining([
        "enable",
        `gripper 0.04 until ${expiresNs}`,
        `gripper 0.03 until ${addNs(expiresNs, 1n)}`,
        "stop 2 test by daemon",
      ]),
    );
    await commander.close();
    await until(() => handler.calls.includes("gone policy"));
  });

  it("carries setpoints, and numbers them among the commands", async () => {
    const commander = await connectServo(path, { role: "commander", name: "replay", clock });
    const lease = await commander.acquireLease("replay");
    const expiresNs = asMonotonicNs(clock.nowNs() + 500_000_000n);
    const stretch = (firstIndex: number, ticks: number, isLast: boolean) => ({
      firstIndex,
      jointCount: 7,
      positionRad: Array.from({ length: 7 * ticks }, (_, i) => firstIndex + i / 3),
      accelerationRadPerS2: Array.from({ length: 7 * ticks }, (_, i) => -i),
      expiresNs,
      isLast,
    });
    expect(lease.command({ positionRad: seven(0.1), expiresNs })).toBe(1);
    expect(lease.setpoints(stretch(0, 64, false))).toBe(2);
    expect(lease.setpoints(stretch(64, 3, true))).toBe(66);
    expect(lease.command({ positionRad: seven(0.1), expiresNs })).toBe(69);
    await commander.statistics();
    expect(handler.commands.map(({ seq }) => seq)).toEqual([1, 69]);
    expect(handler.setpointBatches).toMatchObject([
      { epoch: 4, firstIndex: 0, firstSeq: 2, isLast: false, expiresNs, stampNs: clock.nowNs() },
      { epoch: 4, firstIndex: 64, firstSeq: 66, isLast: true },
    ]);
    const { positionRad, accelerationRadPerS2 } = handler.setpointBatches[1]!;
    expect([...positionRad]).toEqual(stretch(64, 3, true).positionRad);
    expect([...accelerationRadPerS2]).toEqual(stretch(64, 3, true).accelerationRadPerS2);
    lease.release();
    lease.setpoints(stretch(0, 1, true));
    await commander.statistics();
    expect(handler.setpointBatches).toHaveLength(2);
  });

  it("gives refusals back with code and remedy", async () => {
    handler.refuse = new CerebellumError("LEASE_REFUSED", "held by teleop", "wait");
    const supervisor = await connectServo(path, { role: "supervisor", name: "daemon", clock });
    const refused = { code: "LEASE_REFUSED", happened: "held by teleop", remedy: "wait" };
    await expect(supervisor.acquireLease("x")).rejects.toMatchObject(refused);
    await expect(supervisor.reset()).rejects.toMatchObject(refused);
  });

  it("lets an observer stop, but neither enable nor reset", async () => {
    const observer = await connectServo(path, { role: "observer", name: "page", clock });
    await expect(observer.enable()).rejects.toMatchObject({ code: "COMMAND_REFUSED" });
    await expect(observer.reset()).rejects.toMatchObject({ code: "COMMAND_REFUSED" });
    await observer.stop(0, "panic");
    expect(handler.calls).toEqual(["stop 0 panic by page"]);
  });

  it("tells the holder that its lease is lost", async () => {
    const commander = await connectServo(path, { role: "commander", name: "policy", clock });
    const lease = await commander.acquireLease("rollout");
    server.leaseLost(1, 4, "stopped");
    await until(() => lease.lost.aborted);
    expect(String(lease.lost.reason)).toContain("stopped");
    lease.command({ positionRad: seven(0), expiresNs: clock.nowNs() });
    await commander.statistics();
    expect(handler.commands).toEqual([]);
  });

  it("shows life while a lease is held", async () => {
    const commander = await connectServo(path, { role: "commander", name: "policy", clock });
    await commander.acquireLease("rollout");
    const before = handler.heardOf.length;
    await clock.advance(1000);
    await until(() => handler.heardOf.length >= before + 4);
  });

  it("delivers snapshots and answers for past moments", async () => {
    const all = await connectServo(path, { role: "observer", name: "all", clock });
    const some = await connectServo(path, { role: "observer", name: "some", clock, snapshotEveryTicks: 4 });
    const seen: number[] = [];
    some.onSnapshot(({ tick }) => seen.push(tick));
    for (let tick = 0; tick < 10; tick++) server.broadcastSnapshot(snapshotAt(tick, 100 + 10 * tick, tick));
    await until(() => all.latest()?.tick === 9 && seen.length === 3);
    expect(seen).toEqual([0, 4, 8]);
    expect(all.positionAt(asMonotonicNs(125_000_000n))?.[0]).toBeCloseTo(2.5, 12);
    expect(all.positionAt(asMonotonicNs(100_000_000n))?.[6]).toBe(0);
    expect(all.positionAt(asMonotonicNs(99_000_000n))).toBeUndefined();
    expect(all.positionAt(asMonotonicNs(191_000_000n))).toBeUndefined();
  });

  it("drops snapshots for a reader that does not read, and queues nothing", async () => {
    const slow = createConnection(path);
    slow.pause();
    const { encode } = await import("./codec.js");
    slow.write(encode("hello", { role: "observer", name: "slow", snapshotEveryTicks: 1 }));
    const quick = await connectServo(path, { role: "observer", name: "quick", clock });
    for (let tick = 0; tick < 20_000; tick++) {
      server.broadcastSnapshot(snapshotAt(tick, tick, 0));
      if (tick % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(server.snapshotsDropped()).toBeGreaterThan(10_000);
    await until(() => (quick.latest()?.tick ?? 0) > 0);
    slow.destroy();
  });

  it("cuts off who does not speak the protocol", async () => {
    const stranger = createConnection(path);
    stranger.write("GET / HTTP/1.1\r\n\r\n");
    await new Promise((resolve) => stranger.on("close", resolve));
    expect(handler.calls[0]).toMatch(/cut off: frame length/);
  });

  it("ends a client's requests, lease and signal when the servo goes", async () => {
    const commander = await connectServo(path, { role: "commander", name: "policy", clock });
    const lease = await commander.acquireLease("rollout");
    await server.close();
    await until(() => commander.closed.aborted && lease.lost.aborted);
    await expect(commander.statistics()).rejects.toMatchObject({ code: "LINK_CLOSED" });
    await expect(connectServo(path, { role: "observer", name: "late", clock })).rejects.toMatchObject({
      code: "LINK_CLOSED",
    });
  });
});
