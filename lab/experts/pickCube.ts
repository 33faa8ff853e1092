/**
 * What a person does to pick the cube up, as goals for the tool: above it with the fingers along two of its faces, down,
 * close, up, hold. Says where the tool is wanted, not how it gets there. Base frame; pure.
 */

import type { Point, ToolGoal } from "./toolGoal.js";

export interface PickScene {
  /** Centre of the cube where it lies [m]. */
  readonly cubeM: Point;
  readonly cubeYawRad: number;
  /** Centres of the other boxes [m]. */
  readonly othersM: readonly Point[];
  /** Of another thing than the cube. */
  readonly grasp?: Grasp;
}

/** How fingers take a thing. */
export interface Grasp {
  /** Tool point above the table [m]. */
  readonly heightM: number;
  /** Opening of fingers that hold it; a lesser one holds nothing, a greater one is still under way [m]. */
  readonly heldM: { readonly min: number; readonly max: number };
  /** Turned so far it is taken as well [rad]. */
  readonly symmetryRad: number;
}

export type PickPhase = "above" | "descend" | "close" | "lift" | "hold";

/** Tool point above the table [m]: the pads hold the upper part, and the fingers' shape keeps 8 mm to its margin. */
export const GRASP_HEIGHT_M = 0.025;
export const CUBE_GRASP: Grasp = {
  heightM: GRASP_HEIGHT_M,
  heldM: { min: 0.03, max: 0.0415 },
  symmetryRad: Math.PI / 2,
};
const ABOVE_M = 0.12;
/** How far the cube is lifted [m]: enough for a success with some to spare. */
export const LIFT_M = 0.14;
/** The fingers need a second for their way and some time to press. */
const CLOSE_S = 1.8;
const HOLD_S = 1.4;
const TOLERANCE_RAD = 0.06;

/** Open fingers, seen from above: reach along the closing direction and half their width [m]. */
const FINGER_REACH_M = 0.065;
const FINGER_HALF_WIDTH_M = 0.013;
/** A box's corner is at most this far from its centre [m]. */
const BOX_RADIUS_M = 0.04;

export function planPick(scene: PickScene): ToolGoal<PickPhase>[] {
  const [x, y] = scene.cubeM;
  const yawRad = graspYawRad(scene);
  const { heightM } = scene.grasp ?? CUBE_GRASP;
  const rows: [PickPhase, number, boolean, number, number, boolean][] = [
    // Phase, tool point above the table [m], fingers closed, tolerance [m], dwell [s], careful.
    ["above", heightM + ABOVE_M, false, 0.006, 0.15, false],
    ["descend", heightM, false, 0.004, 0.2, true],
    ["close", heightM, true, 0.02, CLOSE_S, true],
    ["lift", heightM + LIFT_M, true, 0.015, 0.1, true],
    ["hold", heightM + LIFT_M, true, 0.03, HOLD_S, true],
  ];
  return rows.map(([phase, zM, isGripperClosed, toleranceM, dwellS, isCareful]) => ({
    phase,
    toolM: [x, y, zM],
    yawRad,
    isGripperClosed,
    toleranceM,
    toleranceRad: TOLERANCE_RAD,
    dwellS,
    isCareful,
  }));
}

/**
 * Turn of the tool [rad] that lays the fingers along two faces of the cube: of the four equal ones the least, unless
 * another box is in the way of the fingers there and not at the next.
 */
export function graspYawRad({ cubeM, cubeYawRad, othersM, grasp = CUBE_GRASP }: PickScene): number {
  const { symmetryRad } = grasp;
  const leastRad = cubeYawRad - symmetryRad * Math.round(cubeYawRad / symmetryRad);
  const otherRad = leastRad > 0 ? leastRad - symmetryRad : leastRad + symmetryRad;
  const roomM = (yawRad: number) => fingerRoomM(cubeM, yawRad, othersM);
  return roomM(leastRad) >= 0 || roomM(leastRad) >= roomM(otherRad) ? leastRad : otherRad;
}

/** Least distance of another box from the open fingers [m]; negative when they would meet. */
function fingerRoomM(cubeM: Point, yawRad: number, othersM: readonly Point[]): number {
  // The fingers close along the flange's y axis: (sin, -cos) of the turn.
  const [alongX, alongY] = [Math.sin(yawRad), -Math.cos(yawRad)];
  return Math.min(
    Number.POSITIVE_INFINITY,
    ...othersM.map(([x, y]) => {
      const [dx, dy] = [x - cubeM[0], y - cubeM[1]];
      const alongM = Math.abs(dx * alongX + dy * alongY) - FINGER_REACH_M;
      const acrossM = Math.abs(-dx * alongY + dy * alongX) - FINGER_HALF_WIDTH_M;
      return Math.hypot(Math.max(0, alongM), Math.max(0, acrossM)) - BOX_RADIUS_M;
    }),
  );
}
