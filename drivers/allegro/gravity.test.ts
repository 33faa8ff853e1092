/** The weight of the fingers in the control step, on the lab's hand with its palm facing up: fingers stretched out. */
import { describe, expect, it } from "vitest";
import { HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";
import { startRadOf } from "../../lab/allegro/model.js";
import { MujocoHandPlant } from "../../lab/allegro/mujocoPlant.js";
import { AllegroConfig } from "./config.js";
import { HandLoop } from "./handLoop.js";
import { HandState } from "./handState.js";
import { countsOfRad, FINGER_INDICES, torqueMaxOf } from "./protocol/index.js";

/** A palm that faces up has its x along the world's z: see the mount of `allegro-lab.yaml`. */
const PALM_UP_QUAT: [number, number, number, number] = [Math.SQRT1_2, 0, Math.SQRT1_2, 0];
const CYCLES = 700;
const BASE = { can: { slcan: { path: "/dev/null" } }, model: "v4", side: "right" } as const;

/** Holds its start pose for two seconds; errors in torque, so that stiff and soft joints compare [N m], and commands. */
async function hold(gravity?: { palmQuatXyzw: [number, number, number, number]; share?: number }) {
  const config = AllegroConfig.parse({ ...BASE, ...(gravity === undefined ? {} : { gravity }) });
  const palm = { positionM: [0, 0, 0] as const, quatXyzw: PALM_UP_QUAT };
  const plant = await MujocoHandPlant.load({ model: "v4", side: "right", palm });
  const [state, loop] = [new HandState("v4", 3), new HandLoop(config)];
  const goalRad = startRadOf("v4", "right");
  loop.targetRad.set(goalRad);
  const counts = new Int16Array(HAND_JOINT_COUNT);
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    plant.positionRad.forEach((rad, joint) => {
      counts[joint] = countsOfRad("v4", rad);
    });
    for (const finger of FINGER_INDICES) state.take(finger, counts, 3 * cycle);
    expect(loop.step(state)).toBe(true);
    plant.torqueNm.set(state.state.effortNm);
    plant.step(0.003);
  }
  const errorRad = Float64Array.from(plant.positionRad, (rad, joint) => rad - goalRad[joint]!);
  plant.dispose();
  return { errorRad, effortNm: state.state.effortNm };
}

describe("gravity in the control step", () => {
  it("leaves a hand at its target where PD alone lets the fingers sag", async () => {
    const without = await hold();
    const held = await hold({ palmQuatXyzw: PALM_UP_QUAT });
    const worst = ({ errorRad }: { errorRad: Float64Array }) => Math.max(...errorRad.map(Math.abs));
    expect(worst(without)).toBeGreaterThan(0.03);
    expect(worst(held)).toBeLessThan(0.5 * worst(without));
    // What is left is what friction holds.
    expect(worst(held)).toBeLessThan(0.02);
  });

  it("is off by default, and a share of it is a share", async () => {
    const without = await hold();
    const none = await hold({ palmQuatXyzw: PALM_UP_QUAT, share: 0 });
    expect([...none.errorRad]).toEqual([...without.errorRad]);
  });

  it("stays inside of the joints' limits", async () => {
    const { effortNm } = await hold({ palmQuatXyzw: PALM_UP_QUAT, share: 1.5 });
    const maxNm = torqueMaxOf("v4");
    for (const [joint, nm] of effortNm.entries()) expect(Math.abs(nm)).toBeLessThanOrEqual(maxNm[joint]!);
  });

  it("is refused for a hand whose geometry nobody knows, and for an attitude that is none", () => {
    const gravity = { palmQuatXyzw: [0, 0, 0, 1] };
    const refused = (change: object) =>
      AllegroConfig.safeParse({ ...BASE, gravity, ...change }).error?.issues[0];
    expect(refused({})).toBeUndefined();
    expect(refused({ model: "v5a", side: "left", positionMinRad: undefined })).toMatchObject({
      path: ["gravity"],
      message: expect.stringMatching(/left v5a is not known/),
    });
    expect(refused({ gravity: { palmQuatXyzw: [0, 0, 0, 2] } })).toMatchObject({
      path: ["gravity", "palmQuatXyzw"],
    });
  });
});
