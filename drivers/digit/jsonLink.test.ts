/** Privilege, mode and their loss, in simulated time, against a robot that answers as it should, otherwise, or never. */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { JSON_SILENCE_MS } from "./config.js";
import { CONTROL_STEPS } from "./control.js";
import { DigitJsonLink, JSON_POLL_MS } from "./jsonLink.js";
import type { JsonLoss } from "./links.js";
import { FakeJsonRobot } from "./testing.js";

const never = new AbortController().signal;
const MODE = "action-set-operation-mode";

let clock: SimClock;
let robot: FakeJsonRobot;
let link: DigitJsonLink;
let losses: JsonLoss[];
let streamFault: string;

beforeEach(() => {
  clock = new SimClock();
  robot = new FakeJsonRobot();
  losses = [];
  streamFault = "";
  link = new DigitJsonLink({
    clock,
    host: "10.10.1.1",
    port: 8080,
    streamFault: () => streamFault,
    openSocket: robot.open,
  });
  link.onLost((loss) => losses.push(loss));
});

/** Lets time pass until it settles; what it came to. */
async function settled<T>(promise: Promise<T>, ms = 20_000): Promise<T> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  promise.then(end, end);
  await new Promise((done) => setImmediate(done));
  for (let passedMs = 0; passedMs < ms && !isOver; passedMs += 10) await clock.advance(10);
  return promise;
}

const open = () => settled(link.open(never));
const inControl = async () => {
  await open();
  await settled(link.takeControl(never));
  robot.asked.length = 0;
};

describe("opening", () => {
  it("says who answers and in what mode", async () => {
    await open();
    expect(link).toMatchObject({ robotName: "clank", mode: "locomotion", hasPrivilege: false });
    expect(link.status).toEqual({
      mode: "locomotion",
      leftFootInContact: true,
      rightFootInContact: undefined,
    });
  });

  it("fails when nobody answers, and when the attempt is cancelled or closed", async () => {
    const mute = new DigitJsonLink({
      clock,
      host: "h",
      port: 1,
      openSocket: () => ({ send: () => {}, pong: () => {}, terminate: () => {} }),
    });
    await expect(settled(mute.open(never))).rejects.toMatchObject({
      code: "DEVICE_UNREACHABLE",
      happened: expect.stringContaining("ws://h:1/: no answer within 3000 ms"),
    });
    const cancel = new AbortController();
    const cancelled = mute.open(cancel.signal);
    cancel.abort();
    await expect(settled(cancelled)).rejects.toMatchObject({ code: "DEVICE_UNREACHABLE" });
    const closed = mute.open(never);
    await Promise.resolve();
    await mute.close();
    await expect(settled(closed)).rejects.toMatchObject({ code: "DEVICE_UNREACHABLE" });
  });

  it("fails when the socket opens and the robot says nothing", async () => {
    robot.isMute = true;
    await expect(open()).rejects.toMatchObject({
      code: "LINK_SILENT",
      happened: expect.stringContaining("no answer to get-robot-info within 1000 ms"),
    });
    expect(robot.isConnected).toBe(false);
  });

  it("keeps the connection alive: questions in turn, and pongs", async () => {
    await open();
    robot.asked.length = 0;
    await clock.advance(1000);
    expect(robot.asks).toEqual(
      Array.from({ length: 20 }, (_, turn) => (turn % 2 === 0 ? "get-robot-status" : "get-privileges")),
    );
    expect(robot.pongs).toBe(4);
  });
});

describe("taking control", () => {
  it("goes from the stream over the privilege to the mode", async () => {
    await open();
    robot.asked.length = 0;
    await settled(link.takeControl(never));
    expect(robot.asked).toEqual([
      { type: "get-robot-status", fields: {} },
      { type: "request-privilege", fields: { privilege: "change-action-command", priority: 0 } },
      { type: MODE, fields: { mode: "low-level-api" } },
      { type: "get-robot-status", fields: {} },
    ]);
    expect(link).toMatchObject({ hasPrivilege: true, mode: "low-level-api" });
    expect(CONTROL_STEPS.map(({ name }) => name)).toHaveLength(3);
  });

  it("asks for nothing while observations do not come", async () => {
    await open();
    streamFault = "nothing from 10.10.1.1";
    await expect(settled(link.takeControl(never))).rejects.toMatchObject({ code: "LINK_SILENT" });
    expect(robot.asks).not.toContain("request-privilege");
  });

  it("fails when another client keeps the privilege", async () => {
    await open();
    robot.isTaken = true;
    await expect(settled(link.takeControl(never))).rejects.toMatchObject({ code: "DEVICE_REFUSED" });
    expect(robot.asks).not.toContain(MODE);
    expect(losses).toEqual([]);
  });

  it.each<[string, (reference: number) => void, RegExp]>([
    [
      "failure",
      (reference) =>
        robot.say("action-status-changed", { status: "failure", info: "no commands are present" }, reference),
      /refuses action-set-operation-mode: failure: no commands are present/,
    ],
    ["an error", (reference) => robot.say("error", { info: "in no mood" }, reference), /in no mood/],
    [
      "inactive",
      (reference) => robot.say("action-status-changed", { status: "inactive" }, reference),
      /: inactive/,
    ],
    ["nothing", () => {}, /no answer to action-set-operation-mode within 5000 ms/],
    [
      "that it succeeded, and its status says something else",
      (reference) => robot.say("action-status-changed", { status: "success" }, reference),
      /its mode is locomotion/,
    ],
  ])(
    "gives the privilege back and leaves the mode when the robot answers %s",
    async (_, answer, happened) => {
      await open();
      robot.handlers.set(MODE, answer);
      await expect(settled(link.takeControl(never))).rejects.toMatchObject({
        happened: expect.stringMatching(happened),
      });
      expect(
        robot.asks.filter((type) => type === MODE),
        "a robot that stands goes on standing",
      ).toHaveLength(1);
      expect(robot.hasPrivilege).toBe(false);
      expect(losses).toEqual([]);
    },
  );

  it("puts a robot that changed its mode without saying so back to where it was", async () => {
    await open();
    robot.handlers.set(MODE, (_, { mode }) => {
      robot.mode = String(mode);
    });
    await expect(settled(link.takeControl(never))).rejects.toMatchObject({ code: "LINK_SILENT" });
    expect(robot.mode).toBe("locomotion");
  });

  it("leaves it in damping where it was found in low-level control", async () => {
    robot.mode = "low-level-api";
    await open();
    robot.handlers.set(MODE, (reference, { mode }) => {
      if (mode === "low-level-api") robot.say("error", { info: "no" }, reference);
      else robot.mode = String(mode);
    });
    await expect(settled(link.takeControl(never))).rejects.toMatchObject({ code: "DEVICE_REFUSED" });
    expect(robot.mode).toBe("damping");
  });

  it("waits through warnings, which come as extra replies with the same reference", async () => {
    await open();
    robot.handlers.set(MODE, (reference, { mode }) => {
      robot.say("warning", { info: "battery low" }, reference);
      robot.mode = String(mode);
      robot.say("action-status-changed", { status: "success" }, reference);
    });
    await settled(link.takeControl(never));
    expect(link.counters.warnings).toBe(1);
    expect(link.lastNote).toBe("battery low");
  });

  it("gives everything back when it is cancelled on the way", async () => {
    await open();
    const cancel = new AbortController();
    robot.handlers.set("request-privilege", (reference) => {
      cancel.abort();
      robot.hasPrivilege = true;
      const privileges = [{ privilege: "change-action-command", has: true }];
      robot.say("privileges", { privileges }, reference);
    });
    await expect(settled(link.takeControl(cancel.signal))).rejects.toMatchObject({ code: "DEVICE_REFUSED" });
    expect(robot).toMatchObject({ hasPrivilege: false, mode: "locomotion" });
  });

  it("does not wait for an answer that never comes when it is cancelled", async () => {
    await open();
    const cancel = new AbortController();
    robot.handlers.set(MODE, (reference, { mode }) => {
      robot.mode = String(mode);
      if (mode !== "low-level-api") robot.say("action-status-changed", { status: "success" }, reference);
      cancel.abort();
    });
    const startMs = clock.nowMs();
    await expect(settled(link.takeControl(cancel.signal))).rejects.toMatchObject({
      happened: "taking control of Digit was cancelled",
    });
    expect(clock.nowMs() - startMs).toBeLessThan(100);
    expect(robot).toMatchObject({ hasPrivilege: false, mode: "locomotion" });
  });
});

describe("giving control back", () => {
  it.each(["locomotion", "damping", "disabled"] as const)("into %s, the mode first", async (mode) => {
    await inControl();
    expect(await settled(link.giveBack(mode))).toBe("");
    expect(robot.asks.filter((type) => type === MODE || type === "drop-privilege")).toEqual([
      MODE,
      "drop-privilege",
    ]);
    expect(robot).toMatchObject({ mode, hasPrivilege: false });
    await clock.advance(2000);
    expect(losses, "what was given back is not lost").toEqual([]);
  });

  it("says what could not be given back, and never rejects", async () => {
    await inControl();
    robot.isMute = true;
    const failed = settled(link.giveBack("damping"));
    expect(await failed).toMatch(
      /the operation mode low-level-api: .*; the privilege to change its action: /,
    );
    await link.close();
    expect(await link.giveBack("damping")).toBe("");
  });
});

describe("control is lost", () => {
  beforeEach(inControl);

  it.each<[string, JsonLoss["kind"], () => void, number]>([
    ["another client takes the privilege", "privilege", () => (robot.hasPrivilege = false), 2 * JSON_POLL_MS],
    ["the mode changes", "mode", () => (robot.mode = "damping"), 2 * JSON_POLL_MS],
    ["the mode is one that nobody knows", "mode", () => (robot.mode = "dancing"), 2 * JSON_POLL_MS],
    ["the robot stops answering", "silent", () => (robot.isMute = true), JSON_SILENCE_MS + 2 * JSON_POLL_MS],
    [
      "it says nothing that can be understood",
      "silent",
      () => {
        robot.isMute = true;
        robot.sayText("[[[");
        robot.sayText('{"robot-status": {}}');
      },
      JSON_SILENCE_MS + 2 * JSON_POLL_MS,
    ],
    ["the connection ends", "closed", () => robot.hangUp("power was cut"), 0],
  ])("when %s", async (_, kind, happen, withinMs) => {
    happen();
    await clock.advance(withinMs);
    expect(losses).toEqual([{ kind, happened: expect.any(String) }]);
    await clock.advance(3000);
    expect(losses).toHaveLength(1);
  });

  it("at once when the robot says that our action is inactive: the watch does not wait for its turn", async () => {
    robot.hasPrivilege = false;
    robot.say("action-status-changed", { status: "inactive", info: "" }, 3);
    await clock.advance(1);
    expect(losses).toEqual([expect.objectContaining({ kind: "privilege" })]);
  });

  it("not by a single answer that is lost, nor by warnings and events", async () => {
    robot.isMute = true;
    await clock.advance(JSON_SILENCE_MS - JSON_POLL_MS);
    robot.isMute = false;
    robot.say("event", { what: "a door" });
    robot.say("error", { info: "a sensor" });
    await clock.advance(2000);
    expect(losses).toEqual([]);
    expect(link.lastNote).toBe("a sensor");
  });

  it("not by time in which this process was held up", async () => {
    // Answers wait while nobody reads them.
    const late: (() => void)[] = [];
    robot.handlers.set("get-robot-status", (reference) =>
      late.push(() => robot.say("robot-status", { "operation-mode": "low-level-api" }, reference)),
    );
    robot.handlers.set("get-privileges", () => {});
    await clock.advance(JSON_SILENCE_MS - JSON_POLL_MS);
    for (const say of late.splice(0)) say();
    await clock.advance(JSON_SILENCE_MS - JSON_POLL_MS);
    expect(losses).toEqual([]);
  });

  it("so that what waits for an answer fails, and a new connection can be opened", async () => {
    robot.isMute = true;
    const waiting = link.stand();
    robot.hangUp("it was unplugged");
    await expect(waiting).rejects.toMatchObject({
      code: "LINK_CLOSED",
      happened: expect.stringContaining("it was unplugged"),
    });
    robot.isMute = false;
    await open();
    expect(link).toMatchObject({ hasPrivilege: false, mode: "low-level-api" });
    expect(robot.openedCount).toBe(2);
  });
});

describe("the vendor's own controller", () => {
  it("stands and walks, with the velocity in its order: turn, forward, left", async () => {
    await open();
    await settled(link.stand());
    await settled(link.walk({ forwardMPerS: 0.25, leftMPerS: -0.1, yawRateRadPerS: 0.5 }));
    expect(robot.asked.slice(-2)).toEqual([
      { type: "action-stand", fields: {} },
      { type: "action-move", fields: { velocity: { axy: [0.5, 0.25, -0.1] }, "mobility-parameters": {} } },
    ]);
  });

  it("may refuse", async () => {
    await open();
    robot.handlers.set("action-move", (reference) =>
      robot.say("error", { info: "privilege missing" }, reference),
    );
    await expect(
      settled(link.walk({ forwardMPerS: 0, leftMPerS: 0, yawRateRadPerS: 0 })),
    ).rejects.toMatchObject({
      code: "DEVICE_REFUSED",
      happened: "Digit refuses action-move: privilege missing",
    });
  });
});

it("whatever a robot says, nothing throws, and only what it says of privilege and mode ends control", async () => {
  const type = fc.constantFrom(
    ...["privileges", "robot-status", "action-status-changed", "robot-info", "warning", "error", "event"],
  );
  const fields = fc.dictionary(
    fc.constantFrom("privileges", "operation-mode", "status", "info", "robot-name"),
    fc.oneof(fc.jsonValue(), fc.constantFrom("inactive", "success", "low-level-api", "damping")),
  );
  const messages = fc.array(fc.tuple(type, fields, fc.option(fc.nat(20), { nil: undefined })), {
    maxLength: 8,
  });
  const said = fc.sample(messages, { seed: 7, numRuns: 60 });
  for (const each of said) {
    await inControl();
    for (const [kind, content, reference] of each) robot.say(kind, content, reference);
    await clock.advance(1);
    expect(losses.filter(({ kind }) => kind === "closed" || kind === "silent")).toEqual([]);
    if (losses.length === 0) expect(link).toMatchObject({ mode: "low-level-api", hasPrivilege: true });
    losses.length = 0;
    await link.close();
  }
});
