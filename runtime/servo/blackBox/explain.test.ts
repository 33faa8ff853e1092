/** Made-up records, one for each trigger and more for what goes beyond a trigger, and what is said of them. */
import { afterEach, describe, expect, it } from "vitest";
import { REASON_BITS, type ServoStateName } from "../api.js";
import { TRIGGER_NAMES, TRIGGERS, type TriggerName, type TriggerResponse } from "../triggers.js";
import { type Asking, explain } from "./explain.js";
import { Explanation, type IncidentKind } from "./explanation.js";
import { BlackBoxBench, BOOT_EPOCH_MS, JOINTS, PERIOD_MS } from "./testing.js";
import { explanationText } from "./text.js";

const benches: BlackBoxBench[] = [];
const open = (options?: ConstructorParameters<typeof BlackBoxBench>[0]): BlackBoxBench => {
  const bench = new BlackBoxBench(options);
  benches.push(bench);
  return bench;
};
afterEach(() => {
  for (const bench of benches.splice(0)) bench.remove();
});

/** A policy leads the arm: setpoints move, targets lie ahead, one tick in four is limited. */
function follow(bench: BlackBoxBench, forMs: number): void {
  bench.snapshot.state = "following";
  bench.snapshot.commander = "policy";
  bench.run(forMs, (snapshot, sinceMs) => {
    bench.ages.commandMs = sinceMs % 200;
    bench.ages.inputMs = bench.ages.commandMs + 60;
    bench.ages.commanderMs = sinceMs % 100;
    snapshot.commandSeq = 1 + Math.floor(sinceMs / 200);
    snapshot.reasons = sinceMs % 16 === 0 ? REASON_BITS.velocity : 0;
    for (let joint = 0; joint < JOINTS; joint++) {
      snapshot.sentRad[joint]! += 0.001;
      snapshot.positionRad[joint] = snapshot.sentRad[joint]! - 0.004;
      snapshot.velocityRadPerS[joint] = 0.25;
      snapshot.requestedRad[joint] = snapshot.sentRad[joint]! + 0.1;
    }
  });
}

function nobodyCommands(bench: BlackBoxBench): void {
  bench.ages.commandMs = Number.NaN;
  bench.ages.inputMs = Number.NaN;
  bench.snapshot.reasons = 0;
}

const AFTER: Record<TriggerResponse, readonly [moving: ServoStateName, standing: ServoStateName]> = {
  hold: ["following", "following"],
  endLease: ["holding", "holding"],
  stop: ["stopping", "stopped"],
  fault: ["faulted", "faulted"],
  disconnect: ["disconnected", "disconnected"],
};
const BRAKING_MS = 100;

/** What the servo does at a trigger: brakes for `BRAKING_MS`, then stands for `forMs`. */
function act(bench: BlackBoxBench, trigger: TriggerName, forMs = 400): void {
  const [moving, standing] = AFTER[TRIGGERS[trigger].response];
  nobodyCommands(bench);
  const doubt = moving === "following" ? REASON_BITS.commandExpired : REASON_BITS.leaseLost;
  bench.snapshot.state = moving;
  if (moving !== "following") bench.snapshot.commander = "";
  bench.run(BRAKING_MS, (snapshot) => {
    snapshot.reasons = doubt;
    for (let joint = 0; joint < JOINTS; joint++) snapshot.sentRad[joint]! += 0.0005;
  });
  bench.snapshot.state = standing;
  bench.snapshot.velocityRadPerS.fill(0);
  bench.run(forMs, (snapshot) => {
    snapshot.reasons = doubt;
  });
}

function trip(bench: BlackBoxBench, trigger: TriggerName): void {
  const fault = {
    kind: "device",
    code: "XARM_C31_COLLISION_CURRENT",
    deviceCode: 31,
    severity: "stop",
    cause: "Motor currents show a collision",
    remedy: "Look for the obstacle",
  } as const;
  // Between two ticks.
  bench.nowMs += 1;
  if (trigger === "deviceFault") {
    bench.snapshot.deviceErrorCode = 31;
    bench.tell({ kind: "fault", text: "XARM_C31: collision", trigger, fault });
  } else bench.tell({ kind: "watchdog", text: `${trigger} happened`, trigger });
  act(bench, trigger);
}

function ask(bench: BlackBoxBench, changes: Partial<Asking> = {}, count = 1) {
  if (changes.isAlive === undefined || changes.isAlive(4242)) bench.drain();
  return Explanation.parse(
    explain(
      bench.read(),
      {
        nowMs: bench.nowMs + 500,
        epochMs: BOOT_EPOCH_MS + bench.nowMs + 500,
        bootId: "boot-1",
        folder: bench.folder,
        robot: "arm",
        isAlive: () => true,
        ...changes,
      },
      count,
    ),
  );
}
const dead = { isAlive: () => false };

const KINDS: Record<TriggerResponse, IncidentKind> = {
  hold: "hold",
  endLease: "leaseEnd",
  stop: "stop",
  fault: "fault",
  disconnect: "linkLoss",
};

describe.each(TRIGGER_NAMES)("%s", (trigger) => {
  it("is explained: cause, remedy, command, limits, timing, pose", () => {
    const bench = open();
    bench.tell({ kind: "state", text: "holding -> following: lease to policy" });
    follow(bench, 3000);
    const tripMs = bench.nowMs + 1;
    trip(bench, trigger);
    const explanation = ask(bench);
    const { incidents } = explanation;
    expect(incidents).toHaveLength(1);
    const incident = incidents[0]!;
    const { response, cause, remedy } = TRIGGERS[trigger];
    expect(incident).toMatchObject({ kind: KINDS[response], trigger, stateBefore: "following" });
    const named = cause.replace("`servo.stateAgeMsMax`", "`servo.stateAgeMsMax` (100)");
    expect(incident.cause).toBe(incident.fault === null ? named : "Motor currents show a collision");
    expect(incident.remedies.at(-1)).toBe(remedy);
    expect(incident.agoS).toBeCloseTo((bench.nowMs + 500 - tripMs) / 1000, 6);
    expect(incident.atEpochMs).toBe(BOOT_EPOCH_MS + tripMs);
    expect(incident.command).toMatchObject({ commander: "policy", seq: 15, ageMs: 196, inputAgeMs: 256 });
    expect(incident.command!.targetRad[0]! - incident.command!.sentRad[0]!).toBeCloseTo(0.1, 5);
    expect(incident.limiter).toEqual({
      tickCount: 250,
      changedTickCount: 63,
      ticksByReason: { velocity: 63 },
      missedTickCount: 0,
    });
    expect(incident.timing.firstTickMs).toBe(PERIOD_MS);
    expect(incident.timing.restMs).toBeGreaterThanOrEqual(BRAKING_MS - PERIOD_MS);
    expect(incident.timing.restMs).toBeLessThanOrEqual(BRAKING_MS + PERIOD_MS);
    expect(incident.timing.restIsMeasured).toBe(response === "fault" || response === "disconnect");
    expect(incident.pose!.positionRad).toHaveLength(JOINTS);
    expect(incident.device).toEqual({ errorCode: trigger === "deviceFault" ? 31 : 0, stateAgeMs: 4 });
    expect(incident.chain.map(({ text }) => text)).toContain("holding -> following: lease to policy");
    expect(incident.goneOnAfterMs).toBeNull();
    expect(explanation.now).toMatchObject({ process: "running", processId: 4242 });
    const text = explanationText(explanation, "UTC");
    const said = text.replace(/\s+/g, " ");
    expect(said).toContain(incident.cause.replace(/\.$/, ""));
    expect(said).toContain(remedy.replace(/\.$/, ""));
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  });
});

describe("what belongs together", () => {
  it("what follows on a stop is in its chain, not a stop of its own", () => {
    const bench = open();
    follow(bench, 1000);
    trip(bench, "deviceFault");
    bench.tell({ kind: "stop", text: "operator, too late", trigger: "stopRequested" });
    bench.run(1000);
    const { incidents } = ask(bench, {}, 5);
    expect(incidents).toHaveLength(1);
    expect(incidents[0]).toMatchObject({ kind: "fault", repeatedCount: 1 });
    expect(incidents[0]!.chain.at(-1)!.text).toBe("operator, too late");
  });

  it("two stops within one tick are one", () => {
    const bench = open();
    follow(bench, 1000);
    bench.tell({ kind: "stop", text: "first", trigger: "stopRequested" });
    bench.tell({ kind: "stop", text: "second", trigger: "loopLate" });
    act(bench, "stopRequested");
    expect(ask(bench, {}, 5).incidents.map(({ happened }) => happened)).toEqual(["first"]);
  });

  it("a stop after the arm was enabled again is a new one, and the older one went on", () => {
    const bench = open();
    follow(bench, 1000);
    trip(bench, "deviceFault");
    bench.snapshot.state = "connected";
    bench.run(200);
    bench.snapshot.state = "holding";
    bench.run(200);
    follow(bench, 1000);
    trip(bench, "stopRequested");
    const { incidents } = ask(bench, {}, 5);
    expect(incidents.map(({ trigger }) => trigger)).toEqual(["stopRequested", "deviceFault"]);
    expect(incidents[0]!.goneOnAfterMs).toBeNull();
    expect(incidents[1]!.goneOnAfterMs).toBeCloseTo(700 + PERIOD_MS, 0);
    expect(explanationText(ask(bench, {}, 5), "UTC")).toContain("Nothing: it went on 0.7 s later.");
  });

  it("a lease that ended before a stop is its own incident", () => {
    const bench = open();
    follow(bench, 1000);
    trip(bench, "commanderGone");
    trip(bench, "stopRequested");
    expect(ask(bench, {}, 5).incidents.map(({ kind }) => kind)).toEqual(["stop", "leaseEnd"]);
  });
});

describe("holds", () => {
  it("that passed are counted, and a stop before them is still the last stop", () => {
    const bench = open();
    follow(bench, 1000);
    trip(bench, "stopRequested");
    bench.snapshot.state = "holding";
    bench.run(100);
    for (let count = 0; count < 3; count++) {
      follow(bench, 3000);
      trip(bench, "commandExpired");
    }
    follow(bench, 100);
    const explanation = ask(bench, {}, 5);
    expect(explanation.incidents.map(({ trigger }) => trigger)).toEqual(["stopRequested"]);
    expect(explanation.passedHolds).toEqual({ count: 3, byTrigger: { commandExpired: 3 } });
    expect(explanationText(explanation, "UTC")).toContain("held and went on by itself: commandExpired 3.");
  });

  it("that last are the answer", () => {
    const bench = open();
    follow(bench, 1000);
    trip(bench, "commandExpired");
    expect(ask(bench).incidents[0]).toMatchObject({ kind: "hold", goneOnAfterMs: null });
  });

  it("that repeat are one", () => {
    const bench = open();
    for (let count = 0; count < 5; count++) {
      follow(bench, 200);
      trip(bench, "commandExpired");
    }
    expect(ask(bench, {}, 9).incidents).toMatchObject([{ kind: "hold", repeatedCount: 4 }]);
  });
});

describe("a process that is gone", () => {
  it("while the arm was enabled: died without a word, with what was commanded last", () => {
    const bench = open();
    follow(bench, 3000);
    const explanation = ask(bench, dead);
    expect(explanation.now).toMatchObject({ process: "died", state: "following" });
    expect(explanation.incidents[0]).toMatchObject({
      kind: "death",
      trigger: null,
      stateBefore: "following",
    });
    expect(explanation.incidents[0]!.command).toMatchObject({ commander: "policy" });
    expect(explanationText(explanation, "UTC")).toMatch(/^The servo process of arm ended without a word/);
  });

  it("after a stop: the stop is the answer, and the death is told beside it", () => {
    const bench = open();
    follow(bench, 1000);
    trip(bench, "stopRequested");
    const text = explanationText(ask(bench, dead), "UTC");
    expect(text).toMatch(/^arm was stopped/);
    expect(text).toContain("The servo process is gone by now: start the cell again first.");
    expect(text).toMatch(/Now: .* ended without a word .* while stopped/);
  });

  it("in order: nothing stopped it", () => {
    const bench = open();
    bench.run(500);
    bench.writer.close();
    const explanation = ask(bench, dead);
    expect(explanation.incidents).toEqual([]);
    expect(explanation.now.process).toBe("ended");
    expect(explanationText(explanation, "UTC")).toMatch(/^Nothing has stopped arm in the .* reaches back/);
  });

  it("by a defect of its own: the stop says which", () => {
    const bench = open();
    follow(bench, 1000);
    bench.recorder.processEnds("a defect: x is not a function", bench.nowMs);
    trip(bench, "processEnds");
    bench.writer.close();
    const { incidents, now } = ask(bench, dead);
    expect(incidents[0]!.happened).toBe("processEnds happened (a defect: x is not a function)");
    expect(now.process).toBe("ended");
  });

  it("and one that was started after it: chain and going on reach over both", () => {
    const first = open();
    follow(first, 2000);
    const second = open({ folder: first.folder, startMs: first.nowMs + 1500, info: { processId: 4343 } });
    second.snapshot.state = "stopped";
    second.tell({ kind: "state", text: "starts stopped: the servo process ended" });
    second.run(500);
    second.tell({ kind: "fault", text: "the cable was pulled, too", trigger: "linkLost" });
    second.run(100);
    const before = ask(second, { isAlive: (processId) => processId === 4343 });
    expect(before.incidents[0]).toMatchObject({ kind: "death", goneOnAfterMs: null });
    expect(before.incidents[0]!.chain.map(({ text }) => text).join()).toContain("starts stopped");
    // What comes while the arm is stopped is not why it stopped.
    expect(before.since).toMatchObject([{ trigger: "linkLost", happened: "the cable was pulled, too" }]);
    expect(explanationText(before, "UTC")).toContain(
      "While it was stopped, 0.6 s ago: the cable was pulled, too.",
    );
    expect(before.now).toMatchObject({ process: "running", processId: 4343, state: "stopped" });
    second.snapshot.state = "holding";
    second.run(500);
    const after = ask(second, { isAlive: (processId) => processId === 4343 });
    expect(after.incidents[0]!.goneOnAfterMs).toBeGreaterThan(2000);
  });

  it("hangs when it is there but writes no more", () => {
    const bench = open();
    bench.run(500);
    bench.drain();
    const explanation = ask(bench, {
      nowMs: bench.nowMs + 60_000,
      epochMs: BOOT_EPOCH_MS + bench.nowMs + 60_000,
    });
    expect(explanation.now.process).toBe("silent");
    expect(explanationText(explanation, "UTC")).toContain("it hangs");
  });

  it("with the computer: times of another boot go by the wall clock", () => {
    const bench = open();
    follow(bench, 1000);
    const explanation = ask(bench, {
      bootId: "boot-2",
      nowMs: 60_000,
      epochMs: BOOT_EPOCH_MS + bench.nowMs + 90_000,
    });
    expect(explanation.incidents[0]).toMatchObject({ kind: "death" });
    expect(explanation.incidents[0]!.agoS).toBeGreaterThan(89);
    expect(explanation.incidents[0]!.agoS).toBeLessThan(92);
  });
});

describe("the words", () => {
  it("say so when there is no black box", () => {
    const explanation = explain(
      { sessions: [], filesRead: 0, filesSkipped: [], damagedChunks: 0, tornBytes: 0 },
      { nowMs: 0, epochMs: 0, bootId: "", folder: "/run/cell", robot: "arm", isAlive: () => false },
    );
    expect(explanationText(Explanation.parse(explanation))).toMatch(
      /^There is no black box of arm in \/run\/cell/,
    );
  });

  it("of a whole answer read like this", () => {
    const bench = open();
    bench.tell({ kind: "state", text: "holding -> following: lease to policy" });
    follow(bench, 3000);
    trip(bench, "deviceFault");
    expect(explanationText(ask(bench), "UTC")).toMatchInlineSnapshot(`
      "arm was stopped by a fault of its device, 1.0 s ago (18 Nov 2026, 11:23:23).

      Why         Motor currents show a collision.
                  XARM_C31_COLLISION_CURRENT, the device's code 31.
                  Before, the servo was following.
      What to do  Look for the obstacle.
                  Remove its cause, then \`./cerebellum reset\`, then \`./cerebellum enable\`.
      Commanded   Command 15 of policy, given 196 ms before, made from inputs up to 256 ms old. Joints in
                  degrees, base to tool:
                  target       48.7    48.7    48.7    48.7    48.7    48.7    48.7
                  sent         43.0    43.0    43.0    43.0    43.0    43.0    43.0
                  measured     42.7    42.7    42.7    42.7    42.7    42.7    42.7
      Limits      In the second before, limits changed 63 of 250 ticks: velocity 63.
      Device      Error 31; its newest state was 4.0 ms old.
      How fast    First tick of the stop after 4.0 ms. The measured arm was at rest after 104 ms.
      Stood at    degrees      42.7    42.7    42.7    42.7    42.7    42.7    42.7
      Events       -3.001 s  state: holding -> following: lease to policy
                   +0.000 s  fault: XARM_C31: collision

      Now: faulted."
    `);
  });

  it("never break a command in two", () => {
    const bench = open();
    follow(bench, 1000);
    for (const trigger of TRIGGER_NAMES) {
      bench.snapshot.state = "holding";
      bench.run(100);
      follow(bench, 100);
      trip(bench, trigger);
    }
    for (const line of explanationText(ask(bench, {}, 99), "UTC").split("\n"))
      expect(line.split("`").length % 2).toBe(1);
  });
});
