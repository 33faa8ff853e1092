import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { repositoryRootUrl } from "../../core/entry.js";
import { parsePose } from "../../core/teleop/pose.js";
import { DeadmanConfig } from "./config.js";
import { Deadman } from "./deadman.js";
import { DEADMAN_CODES, DEADMAN_FAILURES } from "./deadmanFailures.js";
import { POSE_MS, type PoseChanges, PoseSource, poseOf } from "./testing.js";

const config = DeadmanConfig.parse({});
let deadman: Deadman;
let source: PoseSource;
let nowMs: number;

/** The next pose of the source, a frame later. */
function pose(changes: PoseChanges = {}, laterMs = POSE_MS) {
  nowMs += laterMs;
  return deadman.receive(source.next(nowMs, changes), nowMs);
}

function press(): void {
  source.clutch = 0;
  pose();
  source.clutch = 1;
  expect(pose().action).toBe("acquire");
}

function engage(): void {
  press();
  deadman.grant();
  expect(deadman.state).toBe("engaged");
}

/** Holding on does not help; opening and pressing again does. */
function expectLatched(code: string): void {
  expect(deadman.state).toBe("latched");
  expect(deadman.why).toMatchObject({ code, happened: expect.any(String), remedy: expect.any(String) });
  for (let i = 0; i < 30; i++) expect(pose().follow).toBeUndefined();
  expect(deadman.state).toBe("latched");
  engage();
  expect(deadman.why).toBeUndefined();
}

beforeEach(() => {
  deadman = new Deadman(config, "right");
  source = new PoseSource();
  nowMs = 10_000;
  deadman.take();
});

describe("a deadman that everything is well with", () => {
  it("follows poses between press and release, and no others", () => {
    expect(pose().follow).toBeUndefined();
    engage();
    for (let i = 0; i < 100; i++) expect(pose().follow).toBeDefined();
    source.clutch = 0;
    expect(pose()).toMatchObject({ action: "letGo", follow: undefined });
    expect(deadman.state).toBe("ready");
  });

  it("moves nothing before the lease is there", () => {
    press();
    for (let i = 0; i < 10; i++) expect(pose().follow).toBeUndefined();
    expect(deadman.state).toBe("engaging");
  });

  it("asks to see the clutch open before it counts as pressed", () => {
    source.clutch = 1;
    for (let i = 0; i < 20; i++) expect(pose().action).toBe("nothing");
    expectLatched("CLUTCH_HELD");
  });

  it("takes a trembling clutch for what it was: on at 0.8, off at 0.6", () => {
    source.clutch = 0;
    pose();
    source.clutch = 0.79;
    expect(pose().action).toBe("nothing");
    source.clutch = 0.8;
    expect(pose().action).toBe("acquire");
    deadman.grant();
    for (const clutch of [0.7, 0.9, 0.61, 0.79]) {
      source.clutch = clutch;
      expect(pose().follow).toBeDefined();
    }
    source.clutch = 0.6;
    expect(pose().action).toBe("letGo");
  });

  it("hears nobody before it is taken and after it was given", () => {
    engage();
    expect(deadman.give()).toBe("letGo");
    expect(deadman.state).toBe("off");
    expect(pose()).toEqual({ isDropped: true, action: "nothing", follow: undefined });
    deadman.take();
    source.clutch = 1;
    for (let i = 0; i < 10; i++) expect(pose().action).toBe("nothing");
  });

  it("lets a source rest while nobody wants the robot, and go on with a press", () => {
    source.clutch = 0;
    pose();
    source.clutch = 1;
    expect(pose({ atM: [1, 1, 1] }, 5000).action).toBe("acquire");
  });
});

describe("what comes out of order", () => {
  it("is dropped and counted: repeated and overtaken poses are never followed, and keep nothing alive", () => {
    engage();
    const old = source.next(nowMs);
    pose();
    nowMs += 1;
    expect(deadman.receive(old, nowMs)).toEqual({ isDropped: true, action: "nothing", follow: undefined });
    expect(deadman.receive(poseOf({ seq: source.seq }), nowMs).isDropped).toBe(true);
    expect(deadman.counters.dropped).toBe(2);
    const silentFromMs = nowMs;
    while (nowMs < silentFromMs + 150) {
      nowMs += 5;
      deadman.receive(old, nowMs);
      deadman.look(nowMs);
    }
    expectLatched("POSE_OLD");
  });

  it("is counted where it is missing", () => {
    engage();
    source.seq += 3;
    expect(pose().follow).toBeDefined();
    expect(deadman.counters.lost).toBe(3);
  });
});

/** What happens to an engaged hand, and what it is called. */
const FAILURES: Readonly<Record<string, { readonly code: string; readonly happens: () => void }>> = {
  "no pose for longer than the age limit": {
    code: "POSE_OLD",
    happens: () => {
      nowMs += config.poseAgeMsMax;
      expect(deadman.look(nowMs)).toBe("nothing");
      nowMs += 1;
      expect(deadman.look(nowMs)).toBe("letGo");
    },
  },
  "no pose for longer than the age limit, found out by the next": {
    code: "POSE_OLD",
    happens: () => void pose({}, config.poseAgeMsMax + 1),
  },
  "poses that come later and later": {
    code: "POSE_LATE",
    happens: () => {
      for (let lateMs = 0; lateMs <= 110; lateMs += 10) {
        nowMs += 21;
        deadman.receive(source.next(nowMs - lateMs), nowMs);
      }
    },
  },
  "a tracker that repeats its pose to the last bit": {
    code: "POSE_FROZEN",
    happens: () => {
      for (let ms = 0; ms < config.frozenMsMax + 3 * POSE_MS; ms += POSE_MS) pose({ atM: [0, 1, 0] });
    },
  },
  "a tracker that jumps": { code: "POSE_JUMP", happens: () => void pose({ atM: [0.11, 1, 0] }) },
  "a tracker that turns at once": {
    code: "POSE_JUMP",
    happens: () => void pose({ quatXyzw: [Math.sin(0.27), 0, 0, Math.cos(0.27)] }),
  },
  "tracking that is lost": { code: "NOT_TRACKED", happens: () => void pose({ hand: { tracked: false } }) },
  "a hand without a pose": { code: "NOT_TRACKED", happens: () => void pose({ hand: { pose: null } }) },
  "a controller that falls asleep": {
    code: "HAND_GONE",
    happens: () => void pose({ hands: [] } as PoseChanges),
  },
  "the other hand alone": { code: "HAND_GONE", happens: () => void pose({ hand: { hand: "left" } }) },
  "a tab that is hidden": { code: "NOT_VISIBLE", happens: () => void pose({ visibility: "hidden" }) },
  "a menu before the scene": {
    code: "NOT_VISIBLE",
    happens: () => void pose({ visibility: "visible-blurred" }),
  },
  "a page that was reloaded": {
    code: "SESSION_CHANGED",
    happens: () => {
      source.session = "session-2";
      source.seq = 0;
      pose();
    },
  },
  "another device": { code: "SOURCE_CHANGED", happens: () => void pose({ device: "vive1" }) },
  "another frame": { code: "SOURCE_CHANGED", happens: () => void pose({ space: "base" }) },
  "a hand in place of the controller": {
    code: "SOURCE_CHANGED",
    happens: () => void pose({ hand: { mode: "hand" } }),
  },
  "the other hand is to lead": { code: "SOURCE_CHANGED", happens: () => void leadAndBack() },
  "a device's clock that goes back": { code: "DEVICE_CLOCK", happens: () => void pose({ deviceTimeMs: 1 }) },
  "a device's clock that runs ahead": {
    code: "DEVICE_CLOCK",
    happens: () => void pose({ deviceTimeMs: nowMs + 60_000 }),
  },
  "a pose that is no number": {
    code: "MALFORMED",
    happens: () => void pose({ atM: [Number.NaN, 1, 0] }),
  },
  "something else that fails": {
    code: "LEASE_LOST",
    happens: () => void deadman.fail("LEASE_LOST", "a test"),
  },
};

function leadAndBack(): void {
  expect(deadman.lead("left")).toBe("letGo");
  deadman.lead("right");
}

describe("an engaged hand", () => {
  it.each(Object.entries(FAILURES))("latches: %s", (_, { code, happens }) => {
    engage();
    happens();
    expectLatched(code);
  });

  it.each(Object.entries(FAILURES))(
    "latches also while the lease is asked for: %s",
    (_, { code, happens }) => {
      press();
      happens();
      expect(deadman.grant()).toBe("letGo");
      expectLatched(code);
    },
  );
});

describe("a hand with an open clutch", () => {
  const ofPoses = Object.entries(FAILURES).filter(
    ([, { code }]) => !["POSE_OLD", "LEASE_LOST"].includes(code),
  );

  it.each(ofPoses)("keeps no doubt: %s", (what, { happens }) => {
    if (what === "the other hand is to lead") return;
    pose();
    happens();
    expect(["ready", "latched"]).toContain(deadman.state);
    // Coming back is a change again.
    pose();
    engage();
  });

  it("gives the lead to the other one, which lies elsewhere, without a doubt", () => {
    const both = (): PoseChanges => {
      const [right] = poseOf().hands;
      const left = { ...right!, hand: "left" as const, mode: "hand" as const };
      const at = (x: number) => ({ positionM: [x + source.seq * 1e-6, 1, 0] as [number, number, number] });
      return {
        hands: [
          { ...right!, pose: { ...right!.pose!, ...at(0) } },
          { ...left, pose: { ...right!.pose!, ...at(-0.4) } },
        ],
      } as PoseChanges;
    };
    pose(both());
    expect(deadman.lead("left")).toBe("nothing");
    pose(both());
    expect(deadman.why).toBeUndefined();
    expect(deadman.hand).toMatchObject({ hand: "left" });
  });

  it("whose tracking comes back with a held clutch moves nothing", () => {
    pose();
    source.clutch = 1;
    pose({ hand: { tracked: false } });
    expect(deadman.why?.code).toBe("NOT_TRACKED");
    for (let i = 0; i < 20; i++) expect(pose().action).toBe("nothing");
    expectLatched("NOT_TRACKED");
  });
});

describe("the source's clock", () => {
  it("may be hours away from this computer's, and drift by a ten-thousandth", () => {
    engage();
    const startMs = nowMs;
    for (let i = 0; i < 20_000; i++) {
      nowMs += POSE_MS;
      const drifted = source.next(3.6e6 + nowMs - 1e-4 * (nowMs - startMs), {});
      drifted.deviceTimeMs -= 3.6e6;
      expect(deadman.receive(drifted, nowMs).follow).toBeDefined();
    }
  });

  it("that starts anew while nobody wants the robot is learnt within seconds", () => {
    pose();
    nowMs += 60_000;
    const behindMs = 60_000;
    let late = 0;
    for (let i = 0; i < 400; i++) {
      nowMs += POSE_MS;
      deadman.receive(source.next(nowMs - behindMs), nowMs);
      if (deadman.why?.code === "POSE_LATE") late++;
    }
    expect(late).toBeGreaterThan(100);
    expect(deadman.why).toBeUndefined();
  });

  it("lets the jitter of a network be", () => {
    engage();
    for (let i = 0; i < 500; i++) {
      nowMs += POSE_MS;
      const delayMs = Math.min(i, 60) + ((i * 37) % 9);
      expect(deadman.receive(source.next(nowMs - delayMs), nowMs).follow).toBeDefined();
    }
  });
});

describe("a keyboard", () => {
  it("may stand still for as long as it goes on saying so", () => {
    source.changes = { source: "keyboard", space: "base", atM: [0.3, 0, 0.3] };
    engage();
    for (let i = 0; i < 1000; i++) expect(pose().follow).toBeDefined();
    nowMs += 101;
    deadman.look(nowMs);
    expectLatched("POSE_OLD");
  });
});

describe("the words of failures", () => {
  it("end without a full stop and say how to go on", () => {
    for (const code of DEADMAN_CODES) {
      const { happened, remedy } = DEADMAN_FAILURES[code];
      expect(happened).not.toMatch(/\.$/);
      expect(remedy).toMatch(/[Rr]elease the clutch and press it again$/);
    }
  });

  it("are given for everything that poses can do wrong, and every pose of this test is one that passes the door", () => {
    const found = new Set(Object.values(FAILURES).map(({ code }) => code));
    const ofOthers = [
      "CLUTCH_HELD",
      "LEASE_REFUSED",
      "ROBOT_NOT_READY",
      "ROBOT_MOVES",
      "SERVO_GONE",
      "SERVO_SILENT",
      "NOT_ALIGNED",
      "MAPPING_FAILED",
    ];
    // fingerJudge.test.ts finds these by name.
    const ofFingers = DEADMAN_CODES.filter((code) => code.startsWith("FINGERS_"));
    expect(ofFingers).toHaveLength(7);
    expect([...found, ...ofOthers, ...ofFingers, "CLUTCH_HAND_GONE"].sort()).toEqual(
      [...DEADMAN_CODES].sort(),
    );
    expect(parsePose(JSON.stringify(source.next(nowMs))).ok).toBe(true);
    expect(parsePose(JSON.stringify(poseOf({ atM: [Number.NaN, 0, 0] }))).ok).toBe(false);
    // Milliseconds of an epoch are a clock; nanoseconds in their place are none: so large a number has no milliseconds.
    expect(parsePose(JSON.stringify(poseOf({ deviceTimeMs: 1.8e12 }))).ok).toBe(true);
    expect(parsePose(JSON.stringify(poseOf({ deviceTimeMs: 1.8e18 }))).ok).toBe(false);
  });
});

it("the decision's table has every code", () => {
  const page = readFileSync(
    fileURLToPath(new URL("docs/decisions/0022-deadman-in-the-daemon.md", repositoryRootUrl())),
    "utf8",
  );
  const rows = page.split("\n").flatMap((line) => /^\| ([A-Z_]+) \|/.exec(line)?.[1] ?? []);
  expect(rows.sort()).toEqual([...DEADMAN_CODES].sort());
});

describe("whatever poses come", () => {
  const change = fc.constantFrom<PoseChanges>(
    {},
    {},
    {},
    {},
    { hand: { tracked: false } },
    { hand: { pose: null } },
    { visibility: "hidden" },
    { session: "session-9" },
    { atM: [0.5, 1, 0] },
    { deviceTimeMs: 0 },
    { device: "other" },
    { seq: 0 },
  );
  const step = fc.record({
    change,
    clutch: fc.constantFrom(0, 0.7, 1, 1, 1),
    laterMs: fc.constantFrom(1, 11, 11, 11, 60, 130),
    grants: fc.boolean(),
    looks: fc.boolean(),
  });

  it("nothing is followed unless the clutch was seen open, pressed and held ever since without a doubt", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        deadman = new Deadman(config, "right");
        source = new PoseSource();
        deadman.take();
        let acquired = false;
        for (const [index, { change: changed, clutch, laterMs, grants, looks }] of steps.entries()) {
          const changes =
            changed.session === undefined ? changed : { ...changed, session: `${changed.session}-${index}` };
          source.clutch = clutch;
          const before = deadman.state;
          if (looks) deadman.look(nowMs + laterMs);
          const { action, follow } = pose(changes, laterMs);
          if (action === "acquire") {
            expect(clutch).toBe(1);
            expect(before).toBe("ready");
            acquired = true;
          }
          // The others are wrong only as a change.
          const isClean =
            !("hand" in changes || "visibility" in changes || "session" in changes) &&
            laterMs <= config.poseAgeMsMax;
          if (follow !== undefined) {
            expect(acquired).toBe(true);
            expect(isClean).toBe(true);
            expect(clutch).toBeGreaterThan(config.clutchOff);
          }
          if (before === "ready" && action !== "acquire")
            expect(["ready", "latched"]).toContain(deadman.state);
          if (deadman.state === "ready" || deadman.state === "latched" || deadman.state === "off")
            acquired = false;
          if (grants && deadman.state === "engaging") deadman.grant();
        }
      }),
      { numRuns: 3000, seed: 20261127 },
    );
  });
});
