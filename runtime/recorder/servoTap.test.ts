import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { MonotonicNs } from "../../core/clock.js";
import { repositoryRootUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import { createFloatingBase } from "../../core/floatingBase.js";
import { SimClock } from "../../core/simClock.js";
import { readServoTick, SERVO_TICK, writeServoTick } from "../../episodes/messages.js";
import { rosCodec } from "../../episodes/rosCodec.js";
import { TapServo, turns } from "../../test/support/recorder/tapServo.js";
import type { ServoSnapshot } from "../servo/api.js";
import { ServoTap, toRecordedEvent, toServoTick } from "./servoTap.js";

const MESSAGES = new URL("launch/interfaces/cerebellum_msgs/msg/", repositoryRootUrl());
const TIME = "int32 sec\nuint32 nanosec\n";

function start(clock = new SimClock()) {
  const servos: TapServo[] = [];
  const ticks: number[] = [];
  const links: string[] = [];
  const events: string[] = [];
  let [lost, refuse] = [0, false];
  const tap = new ServoTap({
    robot: "arm",
    clock,
    connect: async () => {
      if (refuse) throw new CerebellumError("LINK_CLOSED", "nobody listens", "Start it");
      const servo = new TapServo(clock);
      servos.push(servo);
      return servo;
    },
    onTick: ({ tick }) => ticks.push(tick),
    onEvent: ({ text }) => events.push(text),
    onLost: (count) => {
      lost += count;
    },
    onLink: (text) => links.push(text),
  });
  return {
    clock,
    tap,
    servos,
    ticks,
    links,
    events,
    lost: () => lost,
    refuse: (now: boolean) => {
      refuse = now;
    },
  };
}

describe("servo tap", () => {
  it("passes every tick and event on from the start to the end, and none later", async () => {
    const { tap, servos, ticks, events } = start();
    expect((await tap.start()).robot).toBe("arm");
    servos[0]!.tickAt(7);
    servos[0]!.tickAt(8);
    servos[0]!.tell("holding");
    await tap.close();
    servos[0]!.tickAt(9);
    servos[0]!.tell("late");
    expect([ticks, events]).toEqual([[7, 8], ["holding"]]);
    expect(servos[0]!.closed.aborted).toBe(true);
  });

  it("tells ticks that did not come from ticks that never ran", async () => {
    const { tap, servos, lost } = start();
    await tap.start();
    const servo = servos[0]!;
    servo.tickAt(1);
    // The loop missed three: the servo has counted them.
    servo.missed = 3;
    servo.tickAt(5);
    await turns();
    expect(lost()).toBe(0);
    // Five numbers are missing, of which the loop missed one.
    servo.missed = 4;
    servo.tickAt(11);
    await turns();
    expect(lost()).toBe(4);
    await tap.close();
    expect(lost()).toBe(4);
  });

  it("judges a gap that opened just before the end", async () => {
    const { tap, servos, lost } = start();
    await tap.start();
    servos[0]!.tickAt(1);
    servos[0]!.tickAt(3);
    await tap.close();
    expect(lost()).toBe(1);
  });

  it("waits at the end for the answer to a question that is under way", async () => {
    const { tap, servos, lost } = start();
    await tap.start();
    servos[0]!.tickAt(1);
    const asked = servos[0]!.hold();
    servos[0]!.tickAt(3);
    servos[0]!.tickAt(5);
    const closing = tap.close();
    asked();
    await closing;
    expect(lost()).toBe(2);
  });

  it("counts a gap as lost when the servo cannot be asked any more", async () => {
    const { tap, servos, lost } = start();
    await tap.start();
    servos[0]!.tickAt(1);
    servos[0]!.isMute = true;
    servos[0]!.tickAt(4);
    await turns();
    expect(lost()).toBe(2);
    await tap.close();
  });

  it("connects again to a servo that was started again, and takes its new numbers for what they are", async () => {
    const { clock, tap, servos, ticks, links, lost, refuse } = start();
    await tap.start();
    servos[0]!.tickAt(1000);
    refuse(true);
    await servos[0]!.close();
    await clock.advance(1000);
    expect(servos).toHaveLength(1);
    refuse(false);
    await clock.advance(300);
    expect(servos).toHaveLength(2);
    servos[1]!.tickAt(3);
    expect([ticks, lost()]).toEqual([[1000, 3], 0]);
    expect(links).toEqual([
      expect.stringMatching(/servo of arm closed/),
      "connected to the servo of arm again",
    ]);
    await tap.close();
  });

  it("does not start without its servo", async () => {
    const { tap, refuse } = start();
    refuse(true);
    await expect(tap.start()).rejects.toMatchObject({ code: "LINK_CLOSED" });
    await tap.close();
  });
});

describe("a tick in an episode", () => {
  const clock = new SimClock(5_000_000_000n, 9_000_000_000n);
  const mapping = { monotonicNs: clock.nowNs(), epochNs: clock.epochNs() };

  it("has its times on the episode's clock, and 0 where the servo has no time yet", () => {
    const snapshot = { ...new TapServo(clock).latest(), stateNs: 0n as MonotonicNs };
    const tick = toServoTick(snapshot, mapping);
    expect([tick.stampNs, tick.stateStampNs]).toEqual([9_000_000_000n, 0n]);
    expect(tick.sentRad).toEqual(snapshot.sentRad);
  });

  it("has the base of a robot on legs, and empty fields of what is fixed to something", () => {
    const base = createFloatingBase(10);
    base.translationWorldM.set([1, 2, 0.97]);
    base.passivePositionRad[9] = -0.3;
    const definition = readFileSync(new URL("ServoTick.msg", MESSAGES), "utf8");
    const codec = rosCodec(
      SERVO_TICK,
      `${definition}\n${"=".repeat(80)}\nMSG: builtin_interfaces/Time\n${TIME}`,
    );
    const written = (snapshot: ServoSnapshot) =>
      readServoTick(codec.decode(codec.encode(writeServoTick(toServoTick(snapshot, mapping)))));
    const snapshot = new TapServo(clock).latest();
    expect(written({ ...snapshot, base }).base).toEqual(base);
    expect(written(snapshot)).not.toHaveProperty("base");
    // As an older recorder wrote it.
    const older = Object.entries(writeServoTick(toServoTick(snapshot, mapping))).filter(
      ([name]) => !/^(base|passive)_/.test(name),
    );
    expect(readServoTick(Object.fromEntries(older))).not.toHaveProperty("base");
  });

  it("keeps odd device times from breaking the message", () => {
    for (const deviceTimeUs of [Number.NaN, -1, Number.POSITIVE_INFINITY])
      expect(toServoTick({ ...new TapServo(clock).latest(), deviceTimeUs }, mapping).deviceTimeUs).toBe(0);
    expect(toServoTick({ ...new TapServo(clock).latest(), deviceTimeUs: 12.6 }, mapping).deviceTimeUs).toBe(
      13,
    );
  });

  it("tells an event with its trigger and its fault's code", () => {
    const atNs = clock.nowNs();
    expect(
      toRecordedEvent("arm", { atNs, kind: "stop", text: "stopped", trigger: "commandExpired" }, mapping),
    ).toEqual({
      stampNs: 9_000_000_000n,
      source: "servo: arm",
      kind: "stop",
      trigger: "commandExpired",
      text: "stopped",
    });
    const fault = { code: "C31" } as never;
    expect(toRecordedEvent("arm", { atNs, kind: "fault", text: "collision", fault }, mapping).text).toBe(
      "C31: collision",
    );
  });
});
