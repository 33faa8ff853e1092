/** The fingers' weight as the control law takes it, against MuJoCo's own statics of the lab's hand. */
import loadMujoco from "@mujoco/mujoco";
import { describe, expect, it } from "vitest";
import { torqueMaxOf } from "../../drivers/allegro/protocol/index.js";
import { HAND_JOINT_COUNT, type HandModel, type HandSide } from "../../kinematics/allegro/hand.js";
import { limitsOf } from "../../kinematics/allegro/limits.js";
import { FingerWeight } from "../../kinematics/allegro/weight.js";
import { type QuatXyzw, quatFromRpy } from "../../kinematics/pose.js";
import { handMjcf } from "./mjcf.js";

const HANDS: readonly (readonly [HandModel, HandSide])[] = [
  ["v4", "right"],
  ["v4", "left"],
  ["v5a", "right"],
];
const ATTITUDES: readonly QuatXyzw[] = [
  [0, 0, 0, 1],
  quatFromRpy(0, Math.PI / 2, 0),
  quatFromRpy(Math.PI, 0, 0),
  quatFromRpy(0.4, -1.1, 2.3),
];
const POSES = 12;

describe("the fingers' weight", () => {
  it.each(HANDS)("%s %s is that of MuJoCo's hand in any attitude and pose", async (model, side) => {
    const mujoco = await loadMujoco();
    const { positionMinRad, positionMaxRad } = limitsOf(model, side);
    const ours = new Float64Array(HAND_JOINT_COUNT);
    let greatestNm = 0;
    for (const quatXyzw of ATTITUDES) {
      const palm = { positionM: [0.1, 0.2, 0.3], quatXyzw } as const;
      const xml = handMjcf({ model, side, palm, torqueMaxNm: torqueMaxOf(model) }, 1);
      const world = mujoco.MjModel.from_xml_string(xml);
      const data = new mujoco.MjData(world);
      const weight = new FingerWeight(model, side, quatXyzw);
      for (let pose = 0; pose < POSES; pose++) {
        const positionRad = positionMinRad.map((minRad, joint) => {
          const share = (((pose + 1) * (joint + 3) * 0.6180339887) % 1) as number;
          return minRad + share * (positionMaxRad[joint]! - minRad);
        });
        data.qpos.set(positionRad);
        data.qvel.fill(0);
        mujoco.mj_forward(world, data);
        weight.torque(positionRad, ours);
        data.qfrc_bias.forEach((heldNm: number, joint: number) => {
          expect(ours[joint], `joint ${joint}`).toBeCloseTo(heldNm, 9);
          greatestNm = Math.max(greatestNm, Math.abs(heldNm));
        });
      }
      data.delete();
      world.delete();
    }
    expect(greatestNm).toBeGreaterThan(0.04);
  });
});
