/** Scale, limits and rounding of torques; the PD law against its formula; counts against degrees. */
import { describe, expect, it } from "vitest";
import { HAND_MODELS, type HandModel } from "../../../kinematics/allegro/hand.js";
import { countsOfRad, RAD_PER_COUNT, radOfCounts } from "./counts.js";
import { GAIN_SETS, gainSetsOf, homeRadOf } from "./gains.js";
import { PdLaw } from "./pdLaw.js";
import { commandOfTorque, TORQUE_TABLES, torqueMaxOf, torqueOfCommand } from "./torque.js";

const commands = (model: HandModel, torque: ArrayLike<number>): number[] => {
  const out = new Int16Array(16);
  expect(commandOfTorque(model, torque, out)).toBe(true);
  return [...out];
};
const all = (value: number) => new Float64Array(16).fill(value);

describe("counts and radians", () => {
  it("a V4 turns 333.3 degrees over 16 bits, a V5 0.088 degrees a count", () => {
    expect((radOfCounts("v4", 65536) * 180) / Math.PI).toBeCloseTo(333.3, 10);
    expect((radOfCounts("v5a", 1000) * 180) / Math.PI).toBeCloseTo(88, 10);
    expect(RAD_PER_COUNT.v5b).toBe(RAD_PER_COUNT.v5a);
  });

  it.each(HAND_MODELS)("every count of a %s survives", (model) => {
    for (let counts = -32768; counts <= 32767; counts++)
      if (countsOfRad(model, radOfCounts(model, counts)) !== counts) expect.fail(`count ${counts}`);
  });

  it("angles outside of the wire are cut, and no angle is made of none", () => {
    expect(countsOfRad("v4", 100)).toBe(32767);
    expect(countsOfRad("v4", -100)).toBe(-32768);
    for (const rad of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => countsOfRad("v4", rad)).toThrow("no count");
  });

  it.each([
    ["v4", [-0.47, 0.47, -0.196, 1.61, -0.174, 1.709, -0.227, 1.618, 0.263, 1.396, 1.163, 1.644, 1.719]],
    ["v5a", [1.8, 1.78, -0.26, -1.78, 3.22, -1.85]],
  ] as const)("the limits of joints of a %s lie on the wire to half a count", (model, limits) => {
    for (const rad of limits)
      expect(Math.abs(radOfCounts(model, countsOfRad(model, rad)) - rad)).toBeLessThanOrEqual(
        RAD_PER_COUNT[model] / 2 + 1e-12,
      );
  });
});

describe("torque to command", () => {
  it("V4: 1200 counts of PWM, cut at each joint's limit", () => {
    const limits = [375, 675, 450, 285, 375, 675, 450, 285, 375, 675, 450, 285, 525, 405, 270, 270];
    expect(commands("v4", all(10))).toEqual(limits);
    expect(commands("v4", all(-10))).toEqual(limits.map((limit) => -limit));
    expect(commands("v4", all(0.1))).toEqual([...all(120)]);
    const max = [0.3125, 0.5625, 0.375, 0.2375];
    expect(torqueMaxOf("v4")).toEqual([...max, ...max, ...max, 0.4375, 0.3375, 0.225, 0.225]);
  });

  it("V5: 1430 mA, cut at 240; the geared joints of B take half for the same torque", () => {
    expect(commands("v5a", all(0.1))).toEqual(Array.from({ length: 16 }, () => 143));
    expect(commands("v5b", all(0.1))).toEqual(
      Array.from({ length: 16 }, (_, joint) => ([1, 5, 9].includes(joint) ? 71 : 143)),
    );
    for (const model of ["v5a", "v5b"] as const)
      expect(commands(model, all(-1))).toEqual(Array.from({ length: 16 }, () => -240));
    expect(torqueMaxOf("v5b")[1]! / torqueMaxOf("v5a")[1]!).toBeCloseTo(2, 12);
  });

  it("cuts towards zero, on both sides", () => {
    const torque = Float64Array.of(0.00099, -0.00099, 0.0016, -0.0016, ...new Array<number>(12).fill(0.0008));
    expect(commands("v4", torque).slice(0, 5)).toEqual([1, -1, 1, -1, 0]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "one torque of %s leaves the whole hand without",
    (bad) => {
      const torque = all(0.2);
      torque[9] = bad;
      const out = new Int16Array(16).fill(77);
      expect(commandOfTorque("v4", torque, out)).toBe(false);
      expect([...out]).toEqual([...new Int16Array(16)]);
    },
  );

  it.each(HAND_MODELS)(
    "the hand of model %s makes the same torque of it, to one count, and no more than its limit",
    (model) => {
      const { countsPerTorque } = TORQUE_TABLES[model];
      const torque = Float64Array.from({ length: 16 }, (_, joint) => 0.015 * (joint - 8));
      const back = new Float64Array(16);
      torqueOfCommand(model, commands(model, torque), back);
      back.forEach((value, joint) => {
        const wanted =
          Math.min(torqueMaxOf(model)[joint]!, Math.abs(torque[joint]!)) * Math.sign(torque[joint]!);
        expect(Math.abs(value - wanted)).toBeLessThan(1 / countsPerTorque[joint]!);
      });
      torqueOfCommand(model, new Int16Array(16).fill(32767), back);
      expect([...back]).toEqual(torqueMaxOf(model));
    },
  );
});

describe("PD law", () => {
  const zero = all(0);
  const torqueOf = (law: PdLaw, ...[desired, position, velocity, added]: Float64Array[]): number[] => {
    const out = new Float64Array(16);
    law.torque(desired!, position!, velocity!, out, added);
    return [...out];
  };

  it("pulls towards the desired angle and holds back against speed", () => {
    const law = new PdLaw("v4", GAIN_SETS.v4Fallback);
    expect(torqueOf(law, all(0.1), zero, zero)[0]).toBeCloseTo((600 * 0.1) / 1200, 15);
    expect(torqueOf(law, zero, zero, all(1))[12]).toBeCloseTo(-30 / 1200, 15);
    expect(torqueOf(law, zero, zero, zero, all(0.03))).toEqual([...all(0.03)]);
  });

  it("with saturated speed is the vendor's law for it", () => {
    const law = new PdLaw("v4", GAIN_SETS.v4VelocitySaturated);
    for (const errorRad of [-3, -1.2, -0.5, -1e-9, 0.2, 1.1, 1.2, 2.5])
      for (const speed of [-4, 0, 7]) {
        const towards = (1200 / 140) * errorRad;
        const share = Math.min(1, 10 / Math.abs(towards));
        const vendor = (-140 * (speed - share * towards)) / 1200;
        expect(torqueOf(law, all(errorRad), zero, all(speed))[5]).toBeCloseTo(vendor, 12);
      }
  });

  it("DIME's position error counts for 0.15 rad at most", () => {
    const law = new PdLaw("v4", GAIN_SETS.dime);
    expect(torqueOf(law, all(2), zero, zero)[1]).toBeCloseTo(2 * 0.15, 12);
    expect(torqueOf(law, all(-0.1), zero, zero)[1]).toBeCloseTo(-0.2, 12);
  });

  it.each(["desired", "position", "velocity", "feedforward"])(
    "gives zero commands where %s is not finite",
    (bad) => {
      const inputs = { desired: all(0.5), position: all(0.1), velocity: all(0.1), feedforward: all(0.01) };
      // With its limits on error and speed, which would make an ordinary number of an infinite one.
      const law = new PdLaw("v4", { ...GAIN_SETS.v4Shipped, errorMaxRad: 1, velocityMaxRadPerS: 9 });
      const out = new Int16Array(16);
      const run = ({ desired, position, velocity, feedforward }: typeof inputs) =>
        law.command(desired, position, velocity, out, feedforward);
      expect(run(inputs)).toBe(true);
      expect(out.every((command) => command > 0)).toBe(true);
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const broken = all(0.1);
        broken[3] = value;
        expect(run({ ...inputs, [bad]: broken })).toBe(false);
        expect(out.every((command) => command === 0)).toBe(true);
      }
      expect(run({ ...inputs, [bad]: new Float64Array(15) })).toBe(false);
    },
  );

  it("refuses gains that are no gains", () => {
    const { kp, kd } = GAIN_SETS.dime;
    for (const gains of [
      { kp: kp.slice(1), kd },
      { kp, kd: kd.map(() => -1) },
      { kp: kp.map(() => Number.NaN), kd },
      { kp, kd, errorMaxRad: 0 },
      { kp, kd, velocityMaxRadPerS: Number.NaN },
    ])
      expect(() => new PdLaw("v4", gains)).toThrow("Broken invariant");
  });

  it("has sets for every model, sixteen gains each, and home poses", () => {
    expect(gainSetsOf("v5b")).toEqual(["v5Probed"]);
    for (const model of HAND_MODELS)
      for (const name of gainSetsOf(model)) expect(() => new PdLaw(model, GAIN_SETS[name])).not.toThrow();
    expect(homeRadOf("v4", "left")).toEqual(homeRadOf("v4", "right"));
    expect(homeRadOf("v4", "left")?.[12]).toBeCloseTo(Math.PI / 3, 12);
    expect(homeRadOf("v5a", "right")).toHaveLength(16);
    expect(homeRadOf("v5b", "left")).toBeUndefined();
  });
});
