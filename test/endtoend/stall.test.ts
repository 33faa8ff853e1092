/** A daemon whose event loop stands still, with a commander in another process that goes on: the sharper half of a kill. */
import { afterEach, expect, it } from "vitest";
import { sleepMs } from "../../core/clock.js";
import { ArmRig } from "../../launch/rig/armRig.js";
import { HOME_RAD, toCruise } from "../../launch/rig/cruise.js";
import { RIG_SERVO } from "../../launch/rig/stopTriggers.js";
import { stepRad } from "../../launch/rig/wire.js";
import { systemClock } from "../../launch/systemClock.js";
import type { ServoEvent } from "../../runtime/servo/api.js";

/** Braking from the cruise, with room for a loaded machine. */
const REST_MS = 1500;
let rig: ArmRig | undefined;

afterEach(() => rig?.close());

it("holds when nobody could stop the arm any more, and moves again only by a new lease", async () => {
  rig = await ArmRig.start({
    name: `stall_${process.pid}`,
    homeRad: HOME_RAD,
    // Wide where a loaded machine must not decide whether a test passes.
    servo: { ...RIG_SERVO, stateAgeMsMax: 1000, lateTicksMax: 100, leaseSilenceMsMax: 3000 },
  });
  const observer = await toCruise(rig, { validMs: 900, everyMs: 25, extraMs: 0 });
  const events: ServoEvent[] = [];
  observer.onEvent((event) => events.push(event));
  expect(observer.latest()!.state).toBe("following");

  const supervisor = rig.client("supervisor")!;
  supervisor.kill("SIGSTOP");
  await rig.until("a hold", () => rig!.state === "holding");
  expect(events.map(({ trigger }) => trigger)).toContain("supervisorSilent");
  await sleepMs(systemClock, REST_MS);
  const { nextIndex } = await rig.emulator.ask({ do: "log", form: "times" });

  // The commander lives and goes on commanding: it moves nothing, neither before nor after the daemon comes to.
  await sleepMs(systemClock, 200);
  supervisor.kill("SIGCONT");
  await sleepMs(systemClock, 200);
  const frames = await rig.frames(Number(nextIndex));
  expect(frames.length).toBeGreaterThan(10);
  expect(Math.max(...frames.map((frame) => stepRad(frames[0]!, frame)))).toBeLessThan(1e-6);
  expect((await observer.statistics()).refusedCommands.noLease).toBeGreaterThan(0);
  expect(rig.state).toBe("holding");

  await rig.client("commander")!.ask({ do: "lease" });
  await rig.until("the lease", () => rig!.state === "following");
});
