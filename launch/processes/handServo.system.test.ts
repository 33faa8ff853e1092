/** A real servo process for a hand, with its guardian, against the emulated hand on a pseudo-terminal. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addNs, msToNs } from "../../core/clock.js";
import { AllegroConfig } from "../../drivers/allegro/config.js";
import { homeRadOf } from "../../drivers/allegro/protocol/index.js";
import type { ServoClient } from "../../runtime/servo/api.js";
import { HandServoConfig } from "../../runtime/servo/config.js";
import { connectServo } from "../../runtime/servo/link/client.js";
import { JsonProcess, keepOwnTime, until } from "../../test/support/servoRig.js";
import { systemClock } from "../systemClock.js";

const HOME_RAD = homeRadOf("v4", "right")!;

interface HandStatus {
  readonly isOn: boolean;
  readonly limp: unknown;
  readonly positionRad: readonly number[];
  readonly counters: Readonly<Record<string, number>>;
}

describe("the servo process of a hand", () => {
  let folder: string;
  let hand: JsonProcess;
  let servo: JsonProcess;
  let supervisor: ServoClient;
  const clients: ServoClient[] = [];

  const status = async () => (await hand.ask({ do: "status" })) as unknown as HandStatus;
  const inState = (state: string) => until(state, () => supervisor.latest()?.state === state);
  const connect = async (role: "supervisor" | "commander") => {
    const client = await connectServo(join(folder, "hand.sock"), { role, name: role, clock: systemClock });
    clients.push(client);
    return client;
  };
  const isLimp = async () => {
    // Zero torque, off, streams off, in this order, and nothing after it.
    await until("a limp hand", async () => {
      const { isOn, limp } = await status();
      return !isOn && limp !== undefined;
    });
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "hand-servo-"));
    const path = join(folder, "adapter");
    hand = new JsonProcess("allegroEmulatorMain.js", [JSON.stringify({ path, plant: "ideal" })]);
    await hand.read();
    keepOwnTime(hand);
    servo = new JsonProcess("servoMain.js");
    const ready = await servo.ask({
      robot: "hand",
      device: "allegro",
      // Slow and wide: a loaded machine must not decide whether a test passes.
      allegro: AllegroConfig.parse({
        can: { slcan: { path } },
        model: "v4",
        side: "right",
        periodMs: 20,
        stallMsMax: 200,
        silentPeriodsMax: 10,
      }),
      servo: HandServoConfig.parse({ rateHz: 100, lateTicksMax: 100, stateAgeMsMax: 1000 }),
      socketPath: join(folder, "hand.sock"),
      logLevel: "fatal",
    });
    expect(ready).toMatchObject({ ready: true, robot: "hand" });
    supervisor = await connect("supervisor");
    await until("a snapshot", () => supervisor.latest() !== undefined);
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
    servo.process.kill("SIGKILL");
    await servo.exited;
    hand.process.kill("SIGKILL");
    await hand.exited;
    rmSync(folder, { recursive: true });
  });

  it("tells of sixteen joints, follows a commander, and leaves the hand limp after a stop", async () => {
    expect(supervisor.info).toMatchObject({ robot: "hand", device: "allegro", rateHz: 100 });
    expect(supervisor.info.limits.jointNames).toHaveLength(16);
    await supervisor.enable();
    await inState("holding");
    expect((await status()).isOn).toBe(true);
    const commander = await connect("commander");
    const lease = await commander.acquireLease("test");
    const target = HOME_RAD.map((rad, joint) => rad + (joint % 4 === 0 ? 0 : 0.1));
    await until("the target", () => {
      lease.command({ positionRad: target, expiresNs: addNs(systemClock.nowNs(), msToNs(500)) });
      return target.every((rad, joint) => Math.abs(supervisor.latest()!.positionRad[joint]! - rad) < 0.03);
    });
    expect((await status()).counters).toMatchObject({ torqueBeyondLimit: 0, neverSent: 0, malformed: 0 });
    await supervisor.stop(2, "test");
    await isLimp();
    await supervisor.reset();
    await supervisor.enable();
    await inState("holding");
  });

  it("is limp when the servo process is killed", async () => {
    await supervisor.enable();
    await inState("holding");
    servo.process.kill("SIGKILL");
    await isLimp();
  });

  it("is limp when the servo process is asked to end", async () => {
    await supervisor.enable();
    await inState("holding");
    servo.process.kill("SIGTERM");
    expect(await servo.exited).toBe(0);
    await isLimp();
  });

  it("latches the fault of a finger until it is reset", async () => {
    await supervisor.enable();
    await inState("holding");
    const codes: string[] = [];
    supervisor.onEvent((event) => codes.push(event.fault?.code ?? ""));
    await hand.ask({ do: "fault", fault: { loses: { fingers: ["ring"] } } });
    await inState("faulted");
    expect(codes).toContain("ALLEGRO_FINGER_SILENT_RING");
    await isLimp();
    await hand.ask({ do: "fault", fault: { ends: { what: ["loses"] } } });
    await expect(supervisor.enable()).rejects.toMatchObject({ code: "NOT_ENABLED" });
    await supervisor.reset();
    await supervisor.enable();
    await inState("holding");
  });
});
