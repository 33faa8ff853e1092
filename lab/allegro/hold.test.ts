/**
 * The lab's hand under the control law at 333 Hz, with counts and commands as whole numbers: each set of gains moves it to
 * a pose and holds it there without buzzing. What is measured here is the lab, not the hand: see `MOTOR`.
 */
import { describe, expect, it } from "vitest";
import {
  countsOfRad,
  GAIN_SETS,
  gainSetsOf,
  JointFilter,
  PdLaw,
  radOfCounts,
  TORQUE_TABLES,
  torqueMaxOf,
  torqueOfCommand,
} from "../../drivers/allegro/protocol/index.js";
import { HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";
import { startRadOf } from "./model.js";
import { MujocoHandPlant } from "./mujocoPlant.js";

const CONTROL_S = 0.003;
const MOVE_CYCLES = 400;
const HOLD_CYCLES = 200;
const FINGER_STEP_RAD = [0.1, 0.25, 0.25, 0.25];
/** What friction and weight leave, in N m, and what a held joint may still do. */
const LEFT_NM = 0.06;
const BUZZ_RAD_PER_S = 0.03;
/** Peak to peak, as a share of the joint's limit, besides what one count of the encoder makes (V5's are 17 times coarser). */
const BUZZ_SHARE = 0.06;
/** Of the torque that damping makes of one count within one cycle, the filter leaves less than this. */
const FILTER_SHARE = 0.4;

const CASES = (["v4", "v5a"] as const).flatMap((model) =>
  gainSetsOf(model).map((gains) => ({ model, gains })),
);

describe("the lab's hand under PD at 333 Hz", () => {
  it.each(CASES)("$model with $gains goes to a pose and stands there", async ({ model, gains }) => {
    const plant = await MujocoHandPlant.load({ model, side: "right" });
    const [law, filter] = [new PdLaw(model, GAIN_SETS[gains]), new JointFilter()];
    const startRad = startRadOf(model, "right");
    const goalRad = startRad.map((rad, joint) => rad + (joint < 12 ? FINGER_STEP_RAD[joint % 4]! : 0.1));
    const measuredRad = new Float64Array(HAND_JOINT_COUNT);
    const command = new Int16Array(HAND_JOINT_COUNT);
    const [least, most] = [new Int16Array(HAND_JOINT_COUNT), new Int16Array(HAND_JOINT_COUNT)];
    let fastestRadPerS = 0;
    for (let cycle = 0; cycle < MOVE_CYCLES + HOLD_CYCLES; cycle++) {
      for (let joint = 0; joint < HAND_JOINT_COUNT; joint++)
        measuredRad[joint] = radOfCounts(model, countsOfRad(model, plant.positionRad[joint]!));
      filter.update(measuredRad, CONTROL_S);
      expect(law.command(goalRad, filter.positionRad, filter.velocityRadPerS, command)).toBe(true);
      torqueOfCommand(model, command, plant.torqueNm);
      plant.step(CONTROL_S);
      if (cycle === MOVE_CYCLES) for (const edge of [least, most]) edge.set(command);
      if (cycle <= MOVE_CYCLES) continue;
      fastestRadPerS = Math.max(fastestRadPerS, ...plant.velocityRadPerS.map(Math.abs));
      command.forEach((count, joint) => {
        least[joint] = Math.min(least[joint]!, count);
        most[joint] = Math.max(most[joint]!, count);
      });
    }
    const maxNm = torqueMaxOf(model);
    const { commandMax } = TORQUE_TABLES[model];
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      const offRad = Math.abs(plant.positionRad[joint]! - goalRad[joint]!);
      expect(offRad * GAIN_SETS[gains].kp[joint]!, `joint ${joint}`).toBeLessThan(LEFT_NM);
      const countNm = (GAIN_SETS[gains].kd[joint]! * radOfCounts(model, 1)) / CONTROL_S;
      const buzzMax = BUZZ_SHARE + (FILTER_SHARE * countNm) / maxNm[joint]!;
      expect((most[joint]! - least[joint]!) / commandMax[joint]!, `joint ${joint}`).toBeLessThan(buzzMax);
    }
    expect(fastestRadPerS).toBeLessThan(BUZZ_RAD_PER_S);
    expect(plant.contactCount).toBe(0);
    plant.dispose();
  });
});
