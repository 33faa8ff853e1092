import { beforeEach, describe, expect, it } from "vitest";
import { measureMapping, toEpochNs } from "../../core/clock.js";
import { NO_TELEOP, type TeleopStatus } from "../../core/gateway/server.js";
import { SimClock } from "../../core/simClock.js";
import { rosDefinition } from "../../episodes/definitions.js";
import { readTeleopInput, TELEOP_INPUT } from "../../episodes/messages.js";
import { rosCodec } from "../../episodes/rosCodec.js";
import { createInputRecord } from "../../runtime/teleop/inputRecord.js";
import { poseOf } from "../../runtime/teleop/testing.js";
import { describeTeleop, QUIET_MS, restamp, TeleopSide } from "./teleopSide.js";

const PREFIXES = (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== "");

const status = (state: TeleopStatus["state"], why: TeleopStatus["why"] = null): TeleopStatus => ({
  ...NO_TELEOP,
  state,
  robot: "arm",
  operator: "headset quest3",
  why,
});

let clock: SimClock;
let stops: number;
let said: string[];
let side: TeleopSide;

beforeEach(() => {
  clock = new SimClock();
  stops = 0;
  said = [];
  side = new TeleopSide({ clock, stopPolicy: () => void stops++, log: (text) => void said.push(text) });
});

/** Whether the daemon may go on by now. */
function watched(): { free: boolean } {
  const seen = { free: false };
  void side.untilFree(new AbortController().signal).then(() => {
    seen.free = true;
  });
  return seen;
}

describe("teleoperation that is taken", () => {
  it("stops the policy, once, and says who has it", () => {
    for (const state of ["ready", "engaging", "engaged", "latched", "ready"] as const)
      side.take(status(state));
    expect(stops).toBe(1);
    expect(said).toEqual(["headset quest3 has taken teleoperation of arm"]);
    expect(side.operator).toBe("headset quest3");
    expect(side.whyNotBegin()).toContain("headset quest3");
  });

  it("is described with what holds it back and what it should know", () => {
    const led = { ...status("engaged"), limitedBy: ["reach"], warning: "The elbow is turned over" };
    expect(describeTeleop(led)).toMatch(/headset quest3 moves arm: engaged.*held back by reach · The elbow/);
  });

  it("makes waits wait, and ends what has begun", async () => {
    const begun = side.taken;
    expect(begun.aborted).toBe(false);
    side.take(status("ready"));
    expect(begun.aborted).toBe(true);
    expect(side.taken.aborted).toBe(true);
    const seen = watched();
    await clock.advance(3 * QUIET_MS);
    expect(seen.free).toBe(false);
  });

  it("lets go on some time after it was given back, and not when it is taken again before", async () => {
    side.take(status("engaged"));
    side.take(status("off"));
    expect(side.taken.aborted).toBe(false);
    expect(side.whyNotBegin()).toBeUndefined();
    const seen = watched();
    await clock.advance(QUIET_MS - 1000);
    expect(seen.free).toBe(false);
    side.take(status("ready"));
    await clock.advance(5000);
    side.take(status("off"));
    await clock.advance(QUIET_MS - 1000);
    expect(seen.free).toBe(false);
    await clock.advance(1200);
    expect(seen.free).toBe(true);
  });

  it("has been given back when the gateway's thread has died", async () => {
    side.take(status("engaged"));
    side.take(undefined);
    expect(side.isTaken).toBe(false);
    const seen = watched();
    await clock.advance(QUIET_MS + 200);
    expect(seen.free).toBe(true);
  });

  it("says why it is latched, once", () => {
    side.take(status("engaged"));
    const why = { code: "POSE_OLD", happened: "No pose came for too long", remedy: "Look" };
    for (let i = 0; i < 3; i++) side.take(status("latched", why));
    expect(said.slice(1)).toEqual(["headset quest3: POSE_OLD: No pose came for too long"]);
  });
});

it("nobody waits where nobody ever took it", async () => {
  const seen = watched();
  await clock.advance(0);
  expect(seen.free).toBe(true);
});

it("a recorded pose gets its stamp by the episode's own clock", () => {
  const ours = measureMapping(clock);
  const record = createInputRecord(PREFIXES, ours);
  const receivedNs = clock.nowNs();
  const cdr = record.encode(
    { message: poseOf({ seq: 7 }), receivedNs, state: "ready", why: "", step: undefined, commandSeq: 0 },
    "headset quest3",
    "right",
  );
  clock.stepEpoch(1234.5);
  const episodes = measureMapping(clock);
  restamp(cdr, receivedNs, episodes);
  const read = readTeleopInput(rosCodec(TELEOP_INPUT, rosDefinition(TELEOP_INPUT, PREFIXES)).decode(cdr));
  expect(read.stampNs).toBe(toEpochNs(episodes, receivedNs));
  expect(read).toMatchObject({ seq: 7, device: "quest3", operatorName: "headset quest3" });
});
