/**
 * The xArm7 and what it carries as capsules, for self-collision and for the height above the table. Positions are in
 * the frame of the link [m]; the gripper and other tools are in the flange's, which is link7's.
 *
 * Fitted by us around the vendor's visual meshes (xArm-Developer/xarm_ros2, BSD-3-Clause), which they enclose; the
 * gripper's over its whole range of opening, so that the opening need not be known. A table of points of those meshes
 * in `vectors/xarm7-surface.json` holds them to it. These are not the shapes of the lab's world in `xarm7.ts`, which
 * are slimmer so that simulated contact stays stable.
 */
import { ArmBody, type BodyCapsule, type CapsulePair } from "./armBody.js";
import { TOOL_POINT_FLANGE_M, type Vector3, XARM7_JOINTS } from "./xarm7.js";

const FLANGE_FRAME = 7;
/** A tool that nobody has described is a rod of this radius from the flange to its tool point. */
const TOOL_RADIUS_M = 0.015;

const on = (frame: number, name: string, fromM: Vector3, toM: Vector3, radiusM: number): BodyCapsule => ({
  name,
  frame,
  fromM,
  toM,
  radiusM,
});

/** Base to flange. */
export const ARM_CAPSULES: readonly BodyCapsule[] = [
  on(0, "base post", [0, 0, 0.07], [0, 0, 0.14], 0.05),
  on(0, "base foot", [-0.03, 0.006, 0.015], [0, 0, 0.01], 0.066),
  on(1, "link1 post", [0, -0.008, -0.07], [0, 0, -0.09], 0.056),
  on(1, "link1 shoulder", [0, -0.012, -0.01], [0, 0.042, 0], 0.059),
  on(2, "link2 shoulder", [0, 0, 0.086], [0, -0.06, 0.094], 0.049),
  on(2, "link2 bend", [0, -0.065, 0.09], [0, -0.11, 0.065], 0.056),
  on(2, "link2 post", [0, -0.105, 0.01], [0, -0.155, 0], 0.057),
  on(3, "link3 elbow", [0.031, 0.032, 0], [0.052, -0.03, 0], 0.057),
  on(3, "link3 post", [0.003, 0.022, -0.043], [0, 0, -0.086], 0.046),
  on(4, "link4 elbow", [0.077, -0.083, 0.079], [0, 0, 0.077], 0.044),
  on(4, "link4 forearm", [0.088, -0.077, 0.019], [0.075, -0.123, 0.005], 0.067),
  on(5, "link5 forearm", [0, 0, -0.158], [0, 0.035, -0.119], 0.047),
  on(5, "link5 wrist", [0, 0.038, 0], [0, 0.052, -0.064], 0.051),
  on(6, "link6 wrist", [0.04, 0.019, 0.025], [0.009, 0.002, 0.022], 0.054),
  on(6, "link6 hand", [0.076, 0.06, 0], [0.076, -0.012, 0], 0.039),
  on(7, "link7 flange", [0, 0, -0.014], [0, -0.013, -0.015], 0.04),
];

/** Of the vendor's gripper, at any opening. */
export const GRIPPER_CAPSULES: readonly BodyCapsule[] = [
  on(7, "gripper foot", [0, -0.022, 0.02], [0, 0.022, 0.02], 0.043),
  on(7, "gripper body", [0, -0.025, 0.07], [0, 0.025, 0.07], 0.043),
  on(7, "gripper knuckles", [0, -0.05, 0.085], [0, 0.05, 0.085], 0.049),
  on(7, "gripper fingers", [0, -0.04, 0.149], [0, 0.04, 0.149], 0.03),
];

/** Something that is fixed to the flange: a camera, a bracket. */
export interface AttachedCapsule {
  readonly name: string;
  readonly fromM: Vector3;
  readonly toM: Vector3;
  readonly radiusM: number;
}

export interface CarriedTool {
  readonly gripper: "none" | "xarm";
  /** Flange frame. */
  readonly toolPointM: Vector3;
  /** Flange frame. */
  readonly attached: readonly AttachedCapsule[];
}

/**
 * Links that joint limits keep apart although they come close, by frame: link7 is a disc of 3 cm that passes the end of
 * link5 within centimetres at every angle of joint 6. The vendor's own planning model leaves the pair out as well. What
 * the flange carries is checked against link5.
 */
const KEPT_APART: readonly (readonly [one: string, otherFrame: number])[] = [[ARM_CAPSULES.at(-1)!.name, 5]];

/**
 * Pairs to check: all but those on one link, those on neighbouring links (which touch in their common joint, and whose
 * joint limits keep the rest apart), and `KEPT_APART`.
 */
export function pairsToCheck(capsules: readonly BodyCapsule[]): CapsulePair[] {
  const isKeptApart = (one: BodyCapsule, other: BodyCapsule) =>
    KEPT_APART.some(([name, frame]) => one.name === name && other.frame === frame);
  return capsules.flatMap((one, i) =>
    capsules
      .slice(0, i)
      .flatMap((other, j): CapsulePair[] =>
        Math.abs(one.frame - other.frame) < 2 || isKeptApart(one, other) || isKeptApart(other, one)
          ? []
          : [[j, i]],
      ),
  );
}

/** The xArm7 with what it carries. */
export function xarm7Body(tool: CarriedTool): ArmBody {
  const isVendorTool = tool.toolPointM.every((value, axis) => value === TOOL_POINT_FLANGE_M[axis]);
  const capsules = [
    ...ARM_CAPSULES,
    ...(tool.gripper === "xarm" ? GRIPPER_CAPSULES : []),
    ...(tool.gripper === "xarm" && isVendorTool ? [] : [rodTo(tool.toolPointM)]),
    ...tool.attached.map(({ name, fromM, toM, radiusM }) => on(FLANGE_FRAME, name, fromM, toM, radiusM)),
  ];
  return new ArmBody(capsules, pairsToCheck(capsules), XARM7_JOINTS, tool.toolPointM);
}

/** Ends at the tool point, cap included. */
function rodTo(toolPointM: Vector3): BodyCapsule {
  const lengthM = Math.hypot(...toolPointM);
  const share = Math.max(0, 1 - TOOL_RADIUS_M / Math.max(lengthM, TOOL_RADIUS_M));
  const [x, y, z] = toolPointM;
  return on(FLANGE_FRAME, "tool", [0, 0, 0], [share * x, share * y, share * z], TOOL_RADIUS_M);
}
