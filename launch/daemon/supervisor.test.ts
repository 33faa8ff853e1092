import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { SimClock } from "../../core/simClock.js";
import type { PolicyHost } from "../../runtime/policy/host.js";
import { FakeServo } from "../../runtime/ros/testing.js";
import { ServoSlot } from "../../runtime/servo/slot.js";
import { type CellParts, CellSupervisor, type KeptRobot } from "./supervisor.js";

const HOME = [0, -0.3, 0, 0.9, 0, 1.2, 0];
const never = new Promise<void>(() => {});
const turns = async () => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
};

function start(parts: Partial<CellParts> = {}) {
  const clock = new SimClock();
  const calls: string[] = [];
  const robot = (name: string): KeptRobot & { servo: FakeServo } => {
    const servo = new FakeServo(clock, HOME);
    Object.assign(servo, {
      stop: async (category: number, reason: string) => void calls.push(`${name} stop ${category} ${reason}`),
      reset: async () => void calls.push(`${name} reset`),
      teach: async (on: boolean) => void calls.push(`${name} teach ${on ? "on" : "off"}`),
      enable: async () => void calls.push(`${name} enable`),
    });
    return {
      servo,
      supervisor: new ServoSlot(servo),
      state: "up",
      trouble: undefined,
      restarts: 0,
      revive: async () => void calls.push(`${name} revive`),
    };
  };
  const robots = new Map([
    ["left", robot("left")],
    ["right", robot("right")],
  ]);
  const supervisor = new CellSupervisor({
    clock,
    log: pino({ level: "silent" }),
    robots,
    policy: () => undefined,
    loadPolicy: () => Promise.reject(new Error("not expected")),
    ...parts,
  });
  return { calls, supervisor, robots };
}

describe("a stop", () => {
  it("goes to every servo in the same turn, and does not wait for a policy that hangs", async () => {
    const policy = { stop: () => never } as unknown as PolicyHost;
    const { calls, supervisor } = start({ policy: () => policy });
    const stopped = supervisor.stop(1, "test");
    await turns();
    expect(calls).toEqual(["left stop 1 test", "right stop 1 test"]);
    expect(await stopped).toEqual({
      success: true,
      message: "left: stopped (category 1); right: stopped (category 1)",
    });
  });

  it("is not held up by a servo that does not answer", async () => {
    const { calls, supervisor, robots } = start();
    robots.get("left")!.servo.stop = () => never;
    void supervisor.stop(2, "test");
    await turns();
    expect(calls).toEqual(["right stop 2 test"]);
  });

  it("names the robot that could not be stopped, and fails", async () => {
    const { supervisor, robots } = start();
    robots.get("left")!.servo.stop = () =>
      Promise.reject(new CerebellumError("LINK_CLOSED", "The servo process does not answer", "See its log"));
    expect(await supervisor.stop(2, "test")).toEqual({
      success: false,
      message: "left: The servo process does not answer. See its log.; right: stopped (category 2)",
    });
  });

  it("succeeds although the policy's end fails", async () => {
    const policy = { stop: () => Promise.reject(new Error("worker gone")) } as unknown as PolicyHost;
    const { supervisor } = start({ policy: () => policy });
    expect((await supervisor.stop(2, "test")).success).toBe(true);
    await turns();
  });
});

describe("enable and reset", () => {
  it("enables nothing while a required stop source is missing, and says which", async () => {
    const { calls, supervisor } = start({
      whyNotEnable: () => "Nothing is enabled: stop source mqtt: refused",
    });
    expect(await supervisor.enable()).toEqual({
      success: false,
      message: "Nothing is enabled: stop source mqtt: refused",
    });
    expect(calls).toEqual([]);
  });

  it("a reset leaves alone what needs none, unless nothing does: then each says so itself", async () => {
    const { calls, supervisor, robots } = start();
    const left = robots.get("left")!.servo;
    const well = left.latest.bind(left);
    left.latest = () => ({ ...well(), state: "faulted" });
    expect(await supervisor.reset()).toEqual({
      success: true,
      message: "left: reset; nothing is enabled; right: holding, and stays so",
    });
    expect(calls).toEqual(["left revive", "left reset"]);
    left.latest = well;
    await supervisor.reset();
    expect(calls.filter((call) => call.endsWith("reset"))).toEqual([
      "left reset",
      "left reset",
      "right reset",
    ]);
  });

  it("a reset first brings back a robot that stayed down", async () => {
    const { calls, supervisor } = start();
    await supervisor.reset();
    expect(calls.filter((call) => call.startsWith("left"))).toEqual(["left revive", "left reset"]);
  });
});

describe("teach mode", () => {
  it("is refused for a hand before its servo hears of it, which would let go", async () => {
    const { calls, supervisor, robots } = start();
    Object.assign(robots.get("left")!.servo, { info: { device: "allegro" } });
    for (const on of [true, false])
      expect(await supervisor.teach("left", on)).toEqual({
        success: false,
        message: expect.stringMatching(/left is an allegro, which has no mode to be guided by hand/),
      });
    expect(calls).toEqual([]);
    expect((await supervisor.teach("right", true)).success).toBe(true);
  });
});

describe("a policy whose worker has died", () => {
  it("is loaded into a fresh worker by the next start, the same bundle", async () => {
    const started: string[] = [];
    const policyOf = (name: string, crashed: boolean) =>
      ({ crashed, start: async () => void started.push(name) }) as unknown as PolicyHost;
    const loaded: (string | undefined)[] = [];
    const { supervisor } = start({
      policy: () => policyOf("dead", true),
      loadPolicy: async (bundle) => {
        loaded.push(bundle);
        return policyOf("fresh", false);
      },
    });
    expect((await supervisor.startPolicy()).success).toBe(true);
    expect(loaded).toEqual([undefined]);
    expect(started).toEqual(["fresh"]);
  });
});

describe("diagnostics", () => {
  it("says what happens to a servo process that does not answer, and goes on", async () => {
    const { supervisor, robots } = start();
    const left = robots.get("left")!;
    Object.assign(left, {
      state: "down",
      trouble: "the servo process of left failed: it ended with signal SIGKILL",
    });
    left.servo.statistics = () => Promise.reject(new Error("closed"));
    const [item] = await supervisor.diagnostics();
    expect(item).toMatchObject({
      name: "servo: left",
      level: "error",
      message: expect.stringMatching(/SIGKILL; it stays down\. .*reset/),
    });
  });
});
