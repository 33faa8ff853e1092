/** The generated hand against the vendor's kinematics, and held by the vendor's own control law. */
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { torqueMaxOf } from "../../drivers/allegro/protocol/index.js";
import { HandChain } from "../../kinematics/allegro/fingertips.js";
import { FINGERS, HAND_JOINT_COUNT, type HandSide } from "../../kinematics/allegro/hand.js";
import { limitsOf } from "../../kinematics/allegro/limits.js";
import { handMjcf } from "./mjcf.js";
import { startRadOf } from "./model.js";
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
async function load(hand: Hand, positionRad = startRadOf(hand.model, hand.side)): Promise<MujocoHandPlant> {
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

  it.each(HANDS)("touches itself neither at home nor stretched ($model $side)", async (hand) => {
    for (const positionRad of [startRadOf(hand.model, hand.side), new Array<number>(16).fill(0.1)]) {
      const plant = await load(hand, positionRad);
      plant.step(0.001);
      expect(plant.contactCount).toBe(0);
    }
  });

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
    const stretchedRad = startRadOf("v4", "right").map((rad, joint) =>
      joint === 1 ? 1.2 : joint < 4 ? 0 : rad,
    );
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
