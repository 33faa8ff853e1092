import { describe, expect, it } from "vitest";
import { asMonotonicNs, nsToMs, toRosTime } from "../../core/clock.js";
import { SimClock } from "../../core/simClock.js";
import { XARM7_HOME_RAD, XARM7_JOINT_NAMES } from "../../kinematics/xarm7.js";
import { FakeServo } from "./testing.js";
import { planTrajectory, samplePlan, TrajectoryMessage } from "./trajectory.js";
import { TRAJECTORY_COMMANDER, TrajectoryInput } from "./trajectoryInput.js";

const now = { sec: 0, nanosec: 0 };
const rules = {
  ...new FakeServo(new SimClock(), XARM7_HOME_RAD).info.limits,
  startToleranceRad: 0.05,
  durationMaxS: 60,
};
const at = (timeS: number, offsetRad: number, joint = 0) => ({
  positions: XARM7_HOME_RAD.map((value, index) => value + (index === joint ? offsetRad : 0)),
  time_from_start: { sec: Math.floor(timeS), nanosec: Math.round((timeS % 1) * 1e9) },
});
const message = (points: unknown[], names: readonly string[] = XARM7_JOINT_NAMES) => ({
  header: { stamp: now, frame_id: "" },
  joint_names: [...names],
  points,
});
/** Lets everything run that waits for no time. */
const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};
const plan = (points: unknown[], names?: readonly string[]) =>
  planTrajectory(TrajectoryMessage.parse(message(points, names)), XARM7_HOME_RAD, rules);

describe("planning a trajectory", () => {
  it("interpolates linearly from where the arm is through the points, and holds the end", () => {
    const result = plan([at(1, 0.2), at(3, -0.2)]);
    expect(result.ok).toBe(true);
    if (!result.ok) return;
    const out = new Float64Array(7);
    for (const [timeS, expected] of [
      [-1, 0],
      [0, 0],
      [0.5, 0.1],
      [1, 0.2],
      [2, 0],
      [3, -0.2],
      [9, -0.2],
    ] as const) {
      samplePlan(result.plan, timeS, out);
      expect(out[0]! - XARM7_HOME_RAD[0]!, `at ${timeS} s`).toBeCloseTo(expected, 12);
      expect(out[3]).toBeCloseTo(XARM7_HOME_RAD[3]!, 12);
    }
  });

  it("sorts joints that come in another order", () => {
    const point = at(1, 0.3, 6);
    const result = plan(
      [{ ...point, positions: point.positions.toReversed() }],
      XARM7_JOINT_NAMES.toReversed(),
    );
    expect(result.ok && result.plan.pointsRad[1]![6]).toBeCloseTo(XARM7_HOME_RAD[6]! + 0.3, 12);
  });

  it.each([
    ["other joint names", () => plan([at(1, 0.1)], ["a", "b", "c", "d", "e", "f", "g"]), /joints are \[a, b/],
    ["too few joints", () => plan([at(1, 0.1)], XARM7_JOINT_NAMES.slice(1)), /expected \[joint1/],
    ["a joint twice", () => plan([at(1, 0.1)], [...XARM7_JOINT_NAMES.slice(0, 6), "joint1"]), /joints are/],
    ["one joint too many", () => plan([at(1, 0.1)], [...XARM7_JOINT_NAMES, "drive_joint"]), /joints are/],
    ["too few positions", () => plan([{ ...at(1, 0), positions: [0, 0] }]), /point 0 has 2 positions/],
    ["NaN", () => plan([at(1, Number.NaN)]), /point 0 has joint1 at NaN/],
    ["times that do not rise", () => plan([at(1, 0.1), at(1, 0.2)]), /point 1 is at 1 s, expected after 1 s/],
    ["a negative time", () => plan([at(-1, 0.1)]), /point 0 is at -1 s/],
    ["a position beyond the limit", () => plan([at(30, 5, 3)]), /joint4 at 5\.909 rad, allowed/],
    [
      "a first point far from the arm at time 0",
      () => plan([at(0, 0.06)]),
      /0\.060 rad from where joint1 is/,
    ],
    ["a segment faster than the limit", () => plan([at(0.1, 0.2)]), /joint1 at 2\.00 rad\/s, allowed 1/],
    ["a trajectory without end", () => plan([at(61, 0.1)]), /longest accepted is 60 s/],
  ])("refuses %s", (_what, attempt, reason) => {
    const result = attempt();
    expect(result).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  });

  it("takes the positions of the ROS client's typed arrays", () => {
    const point = { ...at(1, 0.1), positions: Float64Array.from(at(1, 0.1).positions) };
    expect(plan([point]).ok).toBe(true);
  });
});

describe("executing a trajectory", () => {
  const start = (active = true) => {
    const clock = new SimClock();
    const servo = new FakeServo(clock, XARM7_HOME_RAD);
    const log: string[] = [];
    const input = new TrajectoryInput({
      robot: "arm",
      clock,
      client: servo,
      reference: ({ positionRad }) => positionRad,
      accepting: () => active,
      log: (_level, event) => log.push(event),
    });
    return { clock, servo, input, log };
  };

  it("streams targets that expire soon, holds the lease meanwhile, and releases it at the end", async () => {
    const { clock, servo, input, log } = start();
    const done = input.accept(message([at(1, 0.5)]));
    await settle();
    await clock.advance(500);
    expect(servo.commander).toBe(TRAJECTORY_COMMANDER);
    // Half way in time: half way in space, plus the period it aims ahead.
    expect(servo.positionRad[0]).toBeCloseTo(XARM7_HOME_RAD[0]! + 0.5 * 0.52, 2);
    await clock.advance(1000);
    await done;
    expect(servo.commander).toBe("");
    expect(servo.positionRad[0]).toBeCloseTo(XARM7_HOME_RAD[0]! + 0.5, 9);
    expect(servo.commands.length).toBeGreaterThan(20);
    expect(servo.commands.length).toBeLessThan(32);
    for (const { atNs, target } of servo.commands) {
      expect(nsToMs(asMonotonicNs(target.expiresNs - atNs))).toBe(100);
    }
    expect(log).toEqual(["trajectoryStarted", "trajectoryEnded"]);
    expect(input.diagnostic()).toMatchObject({ level: "ok", message: "reached its end" });
  });

  it("refuses when somebody else commands, and does not disturb them", async () => {
    const { servo, input } = start();
    await servo.acquireLease("policy");
    await input.accept(message([at(1, 0.5)]));
    expect(servo.commander).toBe("policy");
    expect(servo.commands).toHaveLength(0);
    expect(input.diagnostic()).toMatchObject({ level: "warn", message: /policy commands the arm/ });
    expect(input.busy).toBe(false);
  });

  it.each([
    ["wrong names", message([at(1, 0.1)], ["x"]), /expected \[joint1/],
    ["something else", { data: 3 }, /not a JointTrajectory/],
    ["an old stamp", { ...message([at(1, 0.1)]), header: { stamp: { sec: 5, nanosec: 0 } } }, /ms from now/],
  ])("refuses %s without taking the lease", async (_what, raw, reason) => {
    const { servo, input, log } = start();
    await input.accept(raw);
    expect(servo.commands).toHaveLength(0);
    expect(input.diagnostic().message).toMatch(reason);
    expect(log).toEqual(["trajectoryRefused"]);
  });

  it("accepts a stamp of now", async () => {
    const { clock, servo, input } = start();
    const stamped = { ...message([at(0.2, 0.1)]), header: { stamp: toRosTime(clock.epochNs()) } };
    const done = input.accept(stamped);
    await settle();
    await clock.advance(1000);
    await done;
    expect(servo.positionRad[0]).toBeCloseTo(XARM7_HOME_RAD[0]! + 0.1, 9);
  });

  it("refuses while the node is not active", async () => {
    const { servo, input } = start(false);
    await input.accept(message([at(1, 0.1)]));
    expect(servo.commands).toHaveLength(0);
    expect(input.diagnostic().message).toMatch(/not active/);
  });

  it("goes over to a newer trajectory from where it is", async () => {
    const { clock, servo, input } = start();
    const done = input.accept(message([at(2, 1)]));
    await settle();
    await clock.advance(1000);
    const before = servo.positionRad[0]!;
    await input.accept(message([at(1, 0)]));
    await clock.advance(40);
    expect(Math.abs(servo.positionRad[0]! - before)).toBeLessThan(0.06);
    await clock.advance(2000);
    await done;
    expect(servo.positionRad[0]).toBeCloseTo(XARM7_HOME_RAD[0]!, 9);
    expect(input.busy).toBe(false);
  });

  it("ends at an empty trajectory, at a lost lease, and when the arm does not arrive", async () => {
    for (const [end, expected] of [
      [(input: TrajectoryInput) => input.accept(message([])), /cancelled/],
      [(_: TrajectoryInput, servo: FakeServo) => servo.loseLease(), /lost the command lease/],
      [
        (_: TrajectoryInput, servo: FakeServo) => {
          servo.stuck = true;
        },
        /rad from its last point/,
      ],
    ] as const) {
      const { clock, servo, input } = start();
      const done = input.accept(message([at(2, 1)]));
      await settle();
      await clock.advance(300);
      await end(input, servo);
      await clock.advance(5000);
      await done;
      expect(input.diagnostic().message).toMatch(expected);
      expect(servo.commander).toBe("");
      expect(servo.positionRad[0]).toBeLessThan(0.5);
    }
  });
});
