/** What is replayed, what is refused, and why: all before anything moves. */
import { describe, expect, it } from "vitest";
import type { ServoTick } from "../../episodes/messages.js";
import { motionTicks, nearHome, recorded, targetOf, tickOf } from "../../test/support/replay/motionTicks.js";
import { REASON_BITS } from "../servo/api.js";
import { Motion } from "../servo/motion.js";
import { planReplay } from "./plan.js";

const JOINTS = 7;
const TICKS = motionTicks();
const FIRST_MOVING = TICKS.findIndex(({ sentRad }, i) => i > 0 && sentRad[0] !== TICKS[i - 1]!.sentRad[0]);
const plan = (ticks: readonly ServoTick[], speed = 1) => planReplay(recorded(ticks), targetOf(), speed);
const setpoint = (row: Float64Array, tick: number) => [...row.subarray(tick * JOINTS, (tick + 1) * JOINTS)];
/** The same ticks with later numbers from one on: what the loop missed there. */
const missedBefore = (at: number, count: number) =>
  TICKS.map((tick, i) => (i < at ? tick : { ...tick, tick: tick.tick + count }));
const lostBefore = (at: number, count: number) => TICKS.filter((_, i) => i < at - count || i >= at);
const speeds = (row: Float64Array, periodS = 0.004) =>
  Array.from({ length: row.length - JOINTS }, (_, i) => Math.abs(row[i + JOINTS]! - row[i]!) / periodS);

describe("a replay", () => {
  it("is the recorded setpoints from the last rest before motion to the first after it", () => {
    const { positionRad, ticks, isExact, remarks, startOpeningM, openings } = plan(TICKS);
    expect(isExact).toBe(true);
    expect(remarks).toEqual([]);
    const from = FIRST_MOVING - 2;
    expect(ticks).toBeGreaterThan(300);
    expect(ticks).toBeLessThan(TICKS.length - FIRST_MOVING);
    for (let tick = 0; tick < ticks; tick++)
      expect(setpoint(positionRad, tick)).toEqual([...TICKS[from + tick]!.sentRad]);
    expect(setpoint(positionRad, 0)).toEqual(nearHome([]));
    expect(startOpeningM).toBe(0.08);
    expect(openings).toEqual([{ tick: 30 + 150 - from, openingM: 0.03 }]);
  });

  it("leaves out what the loop missed, in motion or at rest, and says so", () => {
    const whole = plan(TICKS);
    for (const at of [FIRST_MOVING + 60, FIRST_MOVING - 5]) {
      const gapped = plan(missedBefore(at, 3));
      expect(gapped.isExact).toBe(true);
      expect(gapped.positionRad).toEqual(whole.positionRad);
      expect(gapped.remarks.join()).toMatch(/^3 ticks are not in it/);
    }
  });

  it("leaves out ticks in which the device took nothing", () => {
    const at = FIRST_MOVING + 40;
    const busy = { ...TICKS[at]!, reasons: REASON_BITS.deviceNotReady };
    const ticks = [...TICKS.slice(0, at + 1), busy, busy, ...TICKS.slice(at + 1)].map((tick, i) => ({
      ...tick,
      tick: 1000 + i,
    }));
    const { positionRad, isExact, remarks } = plan(ticks);
    expect(isExact).toBe(true);
    expect(positionRad).toEqual(plan(TICKS).positionRad);
    expect(remarks.join()).toMatch(/2 ticks left nothing/);
  });

  it("comes to rest where the arm did because nothing left for long, and says that it is another motion", () => {
    const { limits, body } = targetOf();
    const motion = new Motion(limits, body, 0.004);
    motion.startAt(Float64Array.from(nearHome([])));
    const ticks: ServoTick[] = [];
    const stoodRad: string[] = [];
    for (let tick = 0; tick < 500; tick++) {
      if (tick === 20) motion.follow(Float64Array.from(nearHome([0.4, 0.2, -0.3])), 1, 80);
      // The device takes nothing for six ticks, and the loop misses seven later on.
      const isBusy = tick >= 70 && tick < 76;
      if (tick === 70 || tick === 120) stoodRad.push([...motion.sentRad].join());
      motion.next();
      if (isBusy) motion.skip(1);
      else if (tick === 120) motion.skip(7);
      else motion.accept();
      if (tick === 120) continue;
      const reasons = isBusy ? REASON_BITS.deviceNotReady : 0;
      ticks.push({ ...tickOf(tick < 120 ? tick : tick + 6, motion.sentRad), reasons });
    }
    const { isExact, remarks, positionRad, ticks: count } = plan(ticks);
    expect(isExact).toBe(false);
    expect(remarks.join(" ")).toMatch(/7 ticks are not in it.*6 ticks left nothing.*came to rest 2 times/);
    const rows = Array.from({ length: count }, (_, tick) => setpoint(positionRad, tick).join());
    for (const stood of stoodRad) expect(rows.filter((row) => row === stood).length).toBeGreaterThan(30);
  });

  it("fills a few ticks that the file has lost, if the limits allow, and is not exact then", () => {
    const whole = plan(TICKS);
    const { positionRad, ticks, isExact, remarks } = plan(lostBefore(FIRST_MOVING + 120, 3));
    expect(ticks).toBe(whole.ticks);
    expect(isExact).toBe(false);
    expect(remarks.join()).toMatch(/3 ticks were not recorded/);
    const apart = positionRad.map((value, i) => Math.abs(value - whole.positionRad[i]!));
    expect(Math.max(...apart)).toBeGreaterThan(0);
    expect(Math.max(...apart)).toBeLessThan(1e-4);
  });

  it("refuses larger holes, and such as no arm could pass", () => {
    expect(() => plan(lostBefore(FIRST_MOVING + 120, 40))).toThrow(/40 ticks are missing.*too many to fill/);
    const jump = TICKS.map((tick, i) =>
      i < FIRST_MOVING + 100 ? tick : { ...tick, sentRad: tick.sentRad.map((value) => value + 0.02) },
    );
    expect(() => plan(jump)).toThrow(/setpoint \d+ of \d+ would not pass.*jerk.*--speed/s);
  });

  it("is slower by a factor on the same path", () => {
    const whole = plan(TICKS);
    const slow = plan(TICKS, 0.4);
    expect(slow.isExact).toBe(false);
    expect(slow.remarks.join()).toMatch(/0.4 of its speed/);
    expect((slow.ticks - 32) / whole.ticks).toBeCloseTo(2.5, 1);
    expect(Math.max(...speeds(slow.positionRad))).toBeCloseTo(
      0.4 * Math.max(...speeds(whole.positionRad)),
      2,
    );
    // Every fifth setpoint of the slow row is every second of the recorded one.
    for (let tick = 0; 5 * tick + 32 < slow.ticks && 2 * tick < whole.ticks - 1; tick += 7)
      for (let joint = 0; joint < JOINTS; joint++)
        expect(setpoint(slow.positionRad, 15 + 5 * tick)[joint]).toBeCloseTo(
          setpoint(whole.positionRad, 2 * tick)[joint]!,
          9,
        );
    expect(setpoint(slow.positionRad, slow.ticks - 1)).toEqual(setpoint(whole.positionRad, whole.ticks - 1));
    expect((slow.openings[0]!.tick - 15) / whole.openings[0]!.tick).toBeCloseTo(2.5, 1);
  });

  it("ramps what begins or ends in motion, and says so", () => {
    const cut = plan(TICKS.slice(FIRST_MOVING + 50, FIRST_MOVING + 140));
    expect(cut.isExact).toBe(false);
    expect(cut.remarks).toHaveLength(2);
    expect(cut.remarks.join()).toMatch(/begins in motion.*ends in motion/);
    const velocity = speeds(cut.positionRad);
    expect(Math.max(...velocity.slice(0, JOINTS), ...velocity.slice(-JOINTS))).toBeLessThan(1e-3);
    expect(Math.max(...velocity)).toBeGreaterThan(0.2);
    expect(setpoint(cut.positionRad, 0)).toEqual([...TICKS[FIRST_MOVING + 50]!.sentRad]);
    expect(setpoint(cut.positionRad, cut.ticks - 1)).toEqual([...TICKS[FIRST_MOVING + 139]!.sentRad]);
  });

  it("keeps only what was streamed, and no stop in the middle", () => {
    const stopped = tickOf(0, nearHome([0.3]));
    const around = [...TICKS.map((tick) => ({ ...tick }))];
    const before = { ...stopped, tick: 999, state: "connected" };
    const after = { ...stopped, tick: 9999, state: "stopped" };
    expect(plan([before, ...around, after]).positionRad).toEqual(plan(TICKS).positionRad);
    around[FIRST_MOVING + 80]!.state = "stopped";
    expect(() => plan(around)).toThrow(/the arm was stopped .* s after/);
    expect(() => plan([before, after])).toThrow(/never enabled/);
    const restarted = TICKS.map((tick, i) => (i < 200 ? tick : { ...tick, tick: i }));
    expect(() => plan(restarted)).toThrow(/no one motion/);
  });

  it.each<[string, () => unknown, string, RegExp]>([
    [
      "another model",
      () => planReplay(recorded(TICKS, { model: "xArm6" }), targetOf(), 1),
      "DEVICE_MISMATCH",
      /model xArm6/,
    ],
    [
      "other joints",
      () => planReplay(recorded(TICKS, { jointNames: ["a"] }), targetOf(), 1),
      "DEVICE_MISMATCH",
      /joints a;/,
    ],
    [
      "another rate",
      () => planReplay(recorded(TICKS, { rateHz: 200 }), targetOf(), 1),
      "DEVICE_MISMATCH",
      /200 Hz.*250 Hz/,
    ],
    ["more than its speed", () => plan(TICKS, 1.5), "CONFIG_INVALID", /1.5/],
    ["no speed", () => plan(TICKS, 0), "CONFIG_INVALID", /at 0 of/],
    ["speed that is no number", () => plan(TICKS, Number.NaN), "CONFIG_INVALID", /NaN/],
    [
      "a damaged episode",
      () =>
        planReplay(
          recorded(TICKS, {}, [{ code: "damaged", topic: "/arm/servo_tick", text: "torn" }]),
          targetOf(),
          1,
        ),
      "EPISODE_INVALID",
      /damaged \(torn\)/,
    ],
    ["an arm that never moves", () => plan(TICKS.slice(0, 25)), "EPISODE_INVALID", /neither arm nor gripper/],
    ["setpoints of fewer joints", () => plan([tickOf(1, [0, 0])]), "EPISODE_INVALID", /7 joints/],
    [
      "setpoints that are no numbers",
      () => plan([...TICKS, tickOf(9999, Array(7).fill(Number.NaN))]),
      "EPISODE_INVALID",
      /7 joints/,
    ],
    [
      "limits that are narrower now",
      () => planReplay(recorded(TICKS), targetOf("gentle"), 1),
      "EPISODE_INVALID",
      /would not pass.*--speed/,
    ],
    [
      "a start outside of the joints' limits",
      () => plan(motionTicks(nearHome([0, 0, 0, 10])).slice(0, 60)),
      "EPISODE_INVALID",
      /joint4 starts at/,
    ],
  ])("is refused for %s", (_what, make, code, text) => {
    expect(make).toThrow(expect.objectContaining({ code, message: expect.stringMatching(text) }));
  });

  it("is refused where the workspace has become smaller", () => {
    const target = targetOf();
    const { minM, maxM } = target.limits.workspace;
    const narrowed = (change: object) => ({
      ...target,
      limits: { ...target.limits, workspace: { ...target.limits.workspace, ...change } },
    });
    expect(() => planReplay(recorded(TICKS), narrowed({ maxM: [0.1, maxM[1], maxM[2]] }), 1)).toThrow(
      /its start pose is -\d+.* mm from/,
    );
    expect(() => planReplay(recorded(TICKS), narrowed({ minM: [minM[0], -0.02, minM[2]] }), 1)).toThrow(
      /would not pass.*workspace/,
    );
  });

  it("at a slower speed fits an arm with another rate or lower limits", () => {
    expect(planReplay(recorded(TICKS), targetOf("gentle"), 0.2).isExact).toBe(false);
    const atAnotherRate = planReplay(recorded(TICKS), { ...targetOf(), rateHz: 200 }, 0.5);
    expect(atAnotherRate.periodS).toBe(0.005);
    expect(Math.max(...speeds(atAnotherRate.positionRad, 0.005))).toBeLessThan(0.51);
  });
});
