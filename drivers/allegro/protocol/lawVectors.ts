/** The rest of a vector file against our tables and laws: gains, PD law, the vendor's filter, V3's identifiers. */
import { Comparison, type VectorCheck } from "../../../core/vectorCheck.js";
import { HAND_JOINT_COUNT } from "../../../kinematics/allegro/hand.js";
import { GAIN_SETS, type GainSetName } from "./gains.js";
import { torqueFrames } from "./hostFrames.js";
import { FINGER_INDICES } from "./ids.js";
import { PdLaw } from "./pdLaw.js";
import { TORQUE_TABLES } from "./torque.js";
import {
  type FilterVector,
  type HandVectorFile,
  type PdVector,
  RELATIVE_ERROR_MAX,
  type V3Vector,
} from "./vectorFile.js";

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** The vectors' names of gain sets. */
const GAIN_SET_OF: Readonly<Record<string, GainSetName>> = {
  v4_yaml_default: "v4Shipped",
  v4_code_fallback: "v4Fallback",
};

/** Gains as counts of PWM, against ours. */
function checkGains(name: string, gains: { kp: number[]; kd: number[] }): VectorCheck {
  const comparison = new Comparison(`gains ${name}`);
  const ours = GAIN_SET_OF[name];
  comparison.equal("gain set", "known", ours === undefined ? "unknown" : "known");
  if (ours === undefined) return comparison;
  const counts = (list: readonly number[]) =>
    list.map((gain, joint) => gain * (TORQUE_TABLES.v4.countsPerTorque[joint] ?? 0));
  comparison.near("kp", gains.kp, counts(GAIN_SETS[ours].kp), RELATIVE_ERROR_MAX);
  comparison.near("kd", gains.kd, counts(GAIN_SETS[ours].kd), RELATIVE_ERROR_MAX);
  return comparison;
}

function checkPdVector(tag: string, vector: PdVector): VectorCheck {
  const comparison = new Comparison(tag);
  const set = GAIN_SET_OF[vector.gains];
  comparison.equal("gain set", "known", set === undefined ? "unknown" : "known");
  if (set === undefined) return comparison;
  comparison.guard("PD law", () => {
    const law = new PdLaw("v4", GAIN_SETS[set]);
    const [torque, command] = [new Float64Array(HAND_JOINT_COUNT), new Int16Array(HAND_JOINT_COUNT)];
    const state = [vector.q_desired, vector.q_filtered, vector.v_filtered] as const;
    law.torque(...state, torque);
    law.command(...state, command);
    comparison.near("torque", vector.torque, torque, RELATIVE_ERROR_MAX);
    comparison.equal("pwm", vector.pwm.join(" "), command.join(" "));
    for (const [finger, frame] of torqueFrames(command).entries())
      comparison.equal(
        `frame of finger ${finger}`,
        `${vector.frames[finger]?.id} ${vector.frames[finger]?.data.toLowerCase()}`,
        `${frame.id} ${hexOf(frame.data)}`,
      );
  });
  return comparison;
}

/**
 * The vendor's V4 filter, here as a fact to compare with; our own is `JointFilter`. It starts at 0, its gain is 0.99, and it
 * mixes the speed of the filtered angle with that of the raw angle one sample before.
 */
export function vendorFilter(dtS: number) {
  let angle = 0;
  let filtered = 0;
  let speedOfRaw = 0;
  let filteredSpeed = 0;
  return (rad: number) => {
    const before = filtered;
    filtered = 0.6 * filtered + 0.198 * angle + 0.198 * rad;
    filteredSpeed = 0.6 * filteredSpeed + 0.198 * speedOfRaw + (0.198 * (filtered - before)) / dtS;
    speedOfRaw = (rad - angle) / dtS;
    angle = rad;
    return { positionRad: filtered, velocityRadPerS: filteredSpeed, rawRadPerS: speedOfRaw };
  };
}

function checkFilterVector(vector: FilterVector): VectorCheck {
  const comparison = new Comparison("filter");
  const filter = vendorFilter(vector.dt);
  for (const [i, row] of vector.trace.entries()) {
    const { positionRad, velocityRadPerS, rawRadPerS } = filter(row.q);
    comparison.near(`q_filtered ${i}`, [row.q_filtered], [positionRad], RELATIVE_ERROR_MAX);
    comparison.near(`v_filtered ${i}`, [row.v_filtered], [velocityRadPerS], RELATIVE_ERROR_MAX);
    comparison.near(`v_raw ${i}`, [row.v_raw], [rawRadPerS], RELATIVE_ERROR_MAX);
  }
  comparison.near("dc_gain", [vector.dc_gain], [(2 * 0.198) / (1 - 0.6)], RELATIVE_ERROR_MAX);
  return comparison;
}

/** V2 and V3 address their boards in the identifier; this codec speaks to none of them. */
const V3 = {
  common: 1,
  host: 2,
  firstFinger: 3,
  on: 1,
  off: 2,
  period: 3,
  task: 5,
  torque: 6,
  query: 14,
  data: 15,
};

function checkV3Vector(vector: V3Vector): VectorCheck {
  const comparison = new Comparison("v3_ids");
  const id = (command: number, source = V3.host) => (command << 6) | (V3.common << 3) | source;
  const rows: readonly (readonly [what: string, expected: number[], found: number[]])[] = [
    ["system_on", [vector.system_on], [id(V3.on)]],
    ["system_off", [vector.system_off], [id(V3.off)]],
    ["set_period", [vector.set_period.id], [id(V3.period)]],
    ["task_mode", [vector.task_mode], [id(V3.task)]],
    ["query", [vector.query], [id(V3.query)]],
    ["torque_ids", vector.torque_ids, FINGER_INDICES.map((finger) => id(V3.torque + finger))],
    [
      "position_ids",
      vector.position_ids_host_dest1,
      FINGER_INDICES.map((finger) => id(V3.data, V3.firstFinger + finger)),
    ],
  ];
  for (const [what, expected, found] of rows) comparison.equal(what, expected.join(" "), found.join(" "));
  return comparison;
}

/** Whether the file has the frames that it says it has. */
function checkCounts(file: HandVectorFile): VectorCheck {
  const comparison = new Comparison("counts");
  for (const [kind, count] of Object.entries(file.counts ?? {})) {
    const found = file.frames.filter(({ version, hand, dir }) => `${version}/${hand}/${dir}` === kind);
    comparison.equal(kind, String(count), String(found.length));
  }
  return comparison;
}

/** Everything of a file but its frames. */
export function checkLaws(file: HandVectorFile): VectorCheck[] {
  return [
    ...(file.counts === undefined ? [] : [checkCounts(file)]),
    ...Object.entries(file.gains ?? {}).map(([name, gains]) => checkGains(name, gains)),
    ...(file.pd ?? []).map((vector, i) => checkPdVector(`pd ${i}`, vector)),
    ...(file.filter === undefined ? [] : [checkFilterVector(file.filter)]),
    ...(file.v3_ids === undefined ? [] : [checkV3Vector(file.v3_ids)]),
  ];
}
