/** A real servo process and the emulated controller in another: what a daemon's crash, a stop or a lost link do. */

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addNs, msToNs } from "../../core/clock.js";
import { repositoryRootUrl } from "../../core/entry.js";
import type { EmulatorPorts } from "../../lab/xarm7/emulator.js";
import type { ServoClient, ServoStateName } from "../../runtime/servo/api.js";
import { HOME_RAD, JsonProcess, ServoRig, until } from "../../test/support/servoRig.js";
import { systemClock } from "../systemClock.js";

describe("the servo process", () => {
  let emulator: JsonProcess;
  let rig: ServoRig;
  let servo: JsonProcess;
  let supervisor: ServoClient;
  const others: ChildProcess[] = [];

  const connect = (role: "supervisor" | "commander" | "observer", name?: string) => rig.connect(role, name);
  const inState = (state: ServoStateName) => rig.inState(state);
  const standsStill = () => rig.standsStill();
  /** A process of its own that holds the lease and streams targets at 5 Hz. */
  const startCommander = () => {
    const client = new URL("dist/runtime/servo/link/client.js", repositoryRootUrl()).href;
    const clock = new URL("dist/launch/systemClock.js", repositoryRootUrl()).href;
    const script = `
      import { connectServo } from ${JSON.stringify(client)};
      import { systemClock as clock } from ${JSON.stringify(clock)};
      const servo = await connectServo(${JSON.stringify(rig.socketPath)}, { role: "commander", name: "victim", clock });
      const lease = await servo.acquireLease("victim");
      while (servo.latest() === undefined) await clock.sleepUntil(clock.nowNs() + 1000000n);
      const home = [...servo.latest().positionRad];
      for (let count = 1; ; count++) {
        const positionRad = home.map((value) => value + 0.02 * count);
        lease.command({ positionRad, expiresNs: clock.nowNs() + 900000000n });
        await clock.sleepUntil(clock.nowNs() + 200000000n);
      }`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "inherit" });
    others.push(child);
    return child;
  };

  beforeEach(async () => {
    emulator = new JsonProcess("xarm7EmulatorMain.js", [JSON.stringify({ positionRad: HOME_RAD })]);
    const { ports } = (await emulator.read()) as { ports: EmulatorPorts };
    rig = new ServoRig(ports);
    const { started, ready } = await rig.start();
    servo = started;
    expect(ready).toMatchObject({ ready: true, robot: "arm", socketPath: rig.socketPath });
    supervisor = await rig.connectSupervisor();
  });

  afterEach(async () => {
    for (const child of others.splice(0)) child.kill("SIGKILL");
    await rig.close();
    emulator.process.kill("SIGKILL");
  });

  it("tells who it is, and follows a commander through the vendor's wire", async () => {
    expect(supervisor.info).toMatchObject({ robot: "arm", device: "xarm7", rateHz: 250 });
    expect(supervisor.info.identity?.serial).toBeTruthy();
    expect(supervisor.info.limits.velocityMaxRadPerS).toEqual(Array(7).fill(1));
    await supervisor.enable();
    await inState("holding");
    const commander = await connect("commander");
    const lease = await commander.acquireLease("test");
    const target = [...supervisor.latest()!.positionRad].map((value) => value + 0.2);
    await until("the target", () => {
      lease.command({ positionRad: target, expiresNs: addNs(systemClock.nowNs(), msToNs(500)) });
      return target.every(
        (value, joint) => Math.abs(supervisor.latest()!.positionRad[joint]! - value) < 2e-3,
      );
    });
    const { setpointRad } = (await emulator.ask({ do: "status" })) as { setpointRad: number[] };
    for (const [joint, value] of target.entries()) expect(setpointRad[joint]).toBeCloseTo(value, 2);
    const past = supervisor.positionAt(addNs(supervisor.latest()!.stateNs, -msToNs(50)));
    expect(past?.length).toBe(7);
    lease.release();
    await inState("holding");
    const { driver, ticks, missed } = await supervisor.statistics();
    expect(driver.sent).toBeGreaterThan(50);
    const missedCount = Object.values(missed).reduce((sum, count) => sum + count, 0);
    await until("the grid's number", () => supervisor.latest()!.tick >= ticks + missedCount);
  });

  it("holds when its commander is killed, and lets the next one take over", async () => {
    await supervisor.enable();
    const victim = startCommander();
    await until("motion", () => {
      const snapshot = supervisor.latest()!;
      return snapshot.state === "following" && snapshot.commandSeq >= 4;
    });
    victim.kill("SIGKILL");
    await inState("holding");
    expect(await standsStill()).toBe(true);
    const { errorCode, enableBits } = (await emulator.ask({ do: "status" })) as Record<string, number>;
    expect(errorCode).toBe(0);
    expect(enableBits).not.toBe(0);
    const next = await connect("commander", "next");
    const lease = await next.acquireLease("next");
    lease.release();
  });

  it("refuses what was given under an older epoch, visibly", async () => {
    await supervisor.enable();
    const commander = await connect("commander");
    const lease = await commander.acquireLease("test");
    const events: string[] = [];
    supervisor.onEvent((event) => events.push(`${event.kind} ${event.text}`));
    await supervisor.stop(2, "test");
    // The client knows of the loss, so the old epoch is put on the wire by hand.
    await until("the loss", () => lease.lost.aborted);
    expect(supervisor.latest()!.epoch).toBeGreaterThan(lease.epoch);
    await expect(supervisor.enable()).rejects.toMatchObject({ code: "NOT_ENABLED" });
    await supervisor.reset();
    await supervisor.enable();
    const { createConnection } = await import("node:net");
    const { encode } = await import("../../runtime/servo/link/codec.js");
    const raw = createConnection(rig.socketPath);
    raw.on("error", () => {});
    raw.write(encode("hello", { role: "commander", name: "ghost", snapshotEveryTicks: 0 }));
    raw.write(encode("leaseRequest", { requestId: 1, name: "ghost" }));
    const stampNs = systemClock.nowNs();
    const expiresNs = addNs(stampNs, msToNs(900));
    const positionRad = supervisor.latest()!.positionRad.map((value) => value + 0.3);
    raw.write(
      encode("command", {
        epoch: lease.epoch,
        seq: 1,
        stampNs,
        expiresNs,
        speedScale: 1,
        inputAgeMs: 0,
        positionRad,
      }),
    );
    await until("the refusal", () => events.some((text) => text.startsWith("refused wrongEpoch")));
    expect((await supervisor.statistics()).refusedCommands).toMatchObject({ wrongEpoch: 1 });
    expect(await standsStill()).toBe(true);
    raw.destroy();
  });

  it("refuses to be the second one for the same arm", async () => {
    const { started, ready } = await rig.start({ socketPath: join(rig.folder, "other.sock") });
    expect(ready).toMatchObject({ error: { code: "ALREADY_RUNNING" } });
    expect((ready.error as { remedy: string }).remedy).toMatch(/Stop the other/);
    expect(await started.exited).toBe(1);
  });

  it("refuses a configuration by the name of the field", async () => {
    const config = { ...(rig.config.servo as object), rateHz: 5000 };
    const { started, ready } = await rig.start({ socketPath: join(rig.folder, "other.sock"), servo: config });
    expect(ready).toMatchObject({ error: { code: "CONFIG_INVALID" } });
    expect((ready.error as { happened: string }).happened).toContain("servo.rateHz");
    expect(await started.exited).toBe(1);
  });

  it("ends on SIGTERM in motion: exit 0, arm stopped and powered", async () => {
    await supervisor.enable();
    startCommander();
    await until("motion", () => supervisor.latest()!.commandSeq >= 3);
    servo.process.kill("SIGTERM");
    expect(await servo.exited).toBe(0);
    await until("the client's end", () => supervisor.closed.aborted);
    const { errorCode, enableBits } = (await emulator.ask({ do: "status" })) as Record<string, number>;
    expect(errorCode).toBe(0);
    expect(enableBits).not.toBe(0);
  });

  it("outlives its parent, and takes a new supervisor", async () => {
    await supervisor.enable();
    servo.process.stdin!.end();
    await supervisor.close();
    supervisor = await rig.connectSupervisor("the daemon again");
    await inState("holding");
    expect(await standsStill()).toBe(true);
    await supervisor.stop(2, "test");
    expect(supervisor.latest()).toBeDefined();
  });

  it("latches a fault of the device until it is reset", async () => {
    await supervisor.enable();
    startCommander();
    await until("motion", () => supervisor.latest()!.commandSeq >= 2);
    await emulator.ask({ do: "error", code: 31 });
    await inState("faulted");
    await expect(supervisor.enable()).rejects.toMatchObject({ code: "NOT_ENABLED" });
    await supervisor.reset();
    await inState("connected");
    await supervisor.enable();
    await inState("holding");
  });

  it("comes back to connected, not enabled, after the link was lost", async () => {
    await supervisor.enable();
    await inState("holding");
    await emulator.ask({ do: "dropClients" });
    await inState("disconnected");
    await inState("connected");
    await supervisor.enable();
    await inState("holding");
  });
});
