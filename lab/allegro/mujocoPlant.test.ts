/** The generated hand against the vendor's kinematics, and held by the vendor's own control law. */
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { radOfCounts, torqueMaxOf } from "../../drivers/allegro/protocol/index.js";
import { HandChain } from "../../kinematics/allegro/fingertips.js";
import { FINGERS, HAND_JOINT_COUNT, type HandSide } from "../../kinematics/allegro/hand.js";
import { limitsOf } from "../../kinematics/allegro/limits.js";
import { handMjcf } from "./mjcf.js";
import { HOME_RAD } from "./model.js";
import { MujocoHandPlant } from "./mujocoPlant.js";

const HANDS = [
  { model: "v4", side: "right" },
  { model: "v4", side: "left" },
  { model: "v5a", side: "right" },
] as const;
type Hand = (typeof HANDS)[number];
const [V4_RIGHT, V4_LEFT] = HANDS;
const TORQUE_MAX_NM = torqueMaxOf("v4");

/** Tips by Pinocchio on the vendor's URDFs, printed to 1e-7 m. */
const vectors = JSON.parse(
  readFileSync(new URL("../../kinematics/vectors/allegro/fk.json", import.meta.url), "utf8"),
) as {
  cases: { tag: string; hand: HandSide; q: number[]; tips: Record<string, number[]> }[];
};

const plants: MujocoHandPlant[] = [];
async function load(hand: Hand, positionRad: readonly number[] = HOME_RAD): Promise<MujocoHandPlant> {
  const plant = await MujocoHandPlant.load({ ...hand, positionRad });
  plants.push(plant);
  return plant;
}
afterEach(() => {
  for (const plant of plants.splice(0)) plant.dispose();
});

describe("the generated hand", () => {
  it.each(vectors.cases)(
    "has its fingertips where the vendor's chain has them ($tag, $hand)",
    async (vector) => {
      const plant = await load(vector.hand === "right" ? V4_RIGHT : V4_LEFT);
      plant.place(vector.q);
      FINGERS.forEach((finger, index) => {
        vector.tips[finger]!.forEach((m, axis) => {
          expect(Math.abs(plant.tipsM[3 * index + axis]! - m), finger).toBeLessThan(1e-6);
        });
      });
    },
  );

  it.each(HANDS)("agrees with the kinematic chain to a nanometre ($model $side)", async (hand) => {
    const plant = await load(hand);
    const chain = new HandChain(hand.model, hand.side);
    const { positionMinRad, positionMaxRad } = limitsOf(hand.model, hand.side);
    for (let k = 0; k < 50; k++) {
      const positionRad = positionMinRad.map(
        (min, joint) => min + (positionMaxRad[joint]! - min) * ((0.37 + 0.618 * k * (joint + 1)) % 1),
      );
      plant.place(positionRad);
      chain.update(positionRad);
      plant.tipsM.forEach((m, index) => {
        expect(Math.abs(m - chain.tipsM[index]!)).toBeLessThan(1e-9);
      });
    }
  });

  it.each(HANDS)(
    "touches itself neither at home nor in the middle of its ranges ($model $side)",
    async (hand) => {
      const { positionMinRad, positionMaxRad } = limitsOf(hand.model, hand.side);
      const middleRad = positionMinRad.map((min, joint) => (min + positionMaxRad[joint]!) / 2);
      for (const positionRad of hand.model === "v4" ? [HOME_RAD] : [middleRad]) {
        const plant = await load(hand, positionRad);
        plant.step(0.001);
        expect(plant.contactCount).toBe(0);
      }
    },
  );

  it.each(HANDS)(
    "is made of shapes that GPU engines know, without files or tensors ($model $side)",
    (hand) => {
      const xml = handMjcf({ ...hand, torqueMaxNm: TORQUE_MAX_NM }, 1);
      const shapes = new Set([...xml.matchAll(/<geom [^>]*[ ]type="(\w+)"/g)].map((match) => match[1]));
      expect([...shapes].filter((shape) => !["box", "capsule", "sphere"].includes(shape!))).toEqual([]);
      expect(xml).not.toMatch(/mesh|file=|inertial|balanceinertia/);
    },
  );

  it("stops at its joints' ranges", async () => {
    const plant = await load(V4_RIGHT);
    plant.torqueNm.set(TORQUE_MAX_NM);
    plant.step(2);
    const { positionMaxRad } = limitsOf("v4", "right");
    plant.positionRad.forEach((rad, joint) => {
      expect(rad).toBeLessThan(positionMaxRad[joint]! + 0.1);
    });
    // Bent by its motors as far as it goes, the index finger's last joint is at its end.
    expect(plant.positionRad[3]).toBeGreaterThan(1.4);
  });

  it("falls where nothing holds it: no gravity is compensated", async () => {
    const stretchedRad = HOME_RAD.map((rad, joint) => (joint === 1 ? 1.2 : joint < 4 ? 0 : rad));
    const plant = await load(V4_RIGHT, stretchedRad);
    plant.step(1);
    expect(plant.positionRad[1]! - stretchedRad[1]!).toBeGreaterThan(0.05);
  });

  it("gives the same bits for the same torques", async () => {
    const [first, second] = [await load(V4_LEFT), await load(V4_LEFT)];
    for (let step = 0; step < 300; step++) {
      for (const plant of [first, second]) {
        plant.torqueNm[step % HAND_JOINT_COUNT] = 0.2 * Math.sin(step);
        plant.step(0.003);
      }
    }
    expect([...second.positionRad]).toEqual([...first.positionRad]);
  });
});

/** kp [PWM counts/rad] and kd [counts s/rad] as the vendor ships them and as its code falls back to; 1200 counts are 1 N m. */
const GAINS = {
  shipped: {
    kp: new Array<number>(HAND_JOINT_COUNT).fill(4000),
    kd: [150, 200, 150, 150, 150, 200, 150, 150, 150, 200, 150, 150, 300, 200, 200, 150],
  },
  fallback: {
    kp: [600, 600, 600, 1000, 600, 600, 600, 1000, 600, 600, 600, 1000, 1000, 1000, 1000, 600],
    kd: [15, 20, 15, 15, 15, 20, 15, 15, 15, 20, 15, 15, 30, 20, 20, 15],
  },
};
const COUNT_RAD = radOfCounts("v4", 1);
const CONTROL_S = 0.003;

describe("held by the vendor's gains at 333 Hz", () => {
  it.each([
    { gains: "shipped", offRadMax: 0.03 },
    { gains: "fallback", offRadMax: 0.15 },
  ] as const)("$gains: goes to a pose and stands there without buzzing", async ({ gains, offRadMax }) => {
    const plant = await load(V4_RIGHT);
    const { kp, kd } = GAINS[gains];
    const goalRad = HOME_RAD.map((rad, joint) => rad + (joint % 4 === 0 ? 0.1 : 0.25));
    const held = new Float64Array(HAND_JOINT_COUNT);
    const filtered = Float64Array.from(plant.positionRad);
    const speed = new Float64Array(HAND_JOINT_COUNT);
    const [last, lastSpeed] = [Float64Array.from(plant.positionRad), new Float64Array(HAND_JOINT_COUNT)];
    let fastestRadPerS = 0;
    const [leastNm, mostNm] = [held.map(() => Infinity), held.map(() => -Infinity)];
    for (let cycle = 0; cycle < 1000; cycle++) {
      for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
        // The vendor's low pass with the fork's gain of one, and its velocity from filtered positions.
        const q = Math.round(plant.positionRad[joint]! / COUNT_RAD) * COUNT_RAD;
        const next = 0.6 * filtered[joint]! + 0.2 * last[joint]! + 0.2 * q;
        const raw = (q - last[joint]!) / CONTROL_S;
        speed[joint] = 0.6 * speed[joint]! + 0.2 * lastSpeed[joint]! + 0.2 * raw;
        [filtered[joint], last[joint], lastSpeed[joint]] = [next, q, raw];
        const counts = kp[joint]! * (goalRad[joint]! - next) - kd[joint]! * speed[joint]!;
        const torqueNm = Math.max(
          -TORQUE_MAX_NM[joint]!,
          Math.min(TORQUE_MAX_NM[joint]!, Math.trunc(counts) / 1200),
        );
        held[joint] = torqueNm;
      }
      plant.torqueNm.set(held);
      plant.step(CONTROL_S);
      if (cycle < 700) continue;
      fastestRadPerS = Math.max(fastestRadPerS, ...plant.velocityRadPerS.map(Math.abs));
      held.forEach((nm, joint) => {
        leastNm[joint] = Math.min(leastNm[joint]!, nm);
        mostNm[joint] = Math.max(mostNm[joint]!, nm);
      });
    }
    plant.positionRad.forEach((rad, joint) => {
      expect(Math.abs(rad - goalRad[joint]!), `joint ${joint}`).toBeLessThan(offRadMax);
    });
    expect(fastestRadPerS).toBeLessThan(0.02);
    // One count of the encoder is 0.3 mN m of the shipped kp, and 37 mN m of its kd within one cycle.
    mostNm.forEach((nm, joint) => {
      expect(nm - leastNm[joint]!, `joint ${joint}`).toBeLessThan(0.02);
    });
  });
});
