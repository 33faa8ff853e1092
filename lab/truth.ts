/** Ground truth as the control socket tells it, from one whole step of the world. */
import { compose, invert, type Pose } from "../kinematics/pose.js";
import type { LabHandTruth, LabTruth } from "./control/protocol.js";
import { doorEdgeM } from "./world/fridge.js";
import type { FruitScene } from "./world/fruits.js";
import { topOf } from "./world/handObjects.js";
import type { HandScene } from "./world/handScene.js";
import { boxCentreM, boxYawRad, type WorldLayout } from "./world/layout.js";
import type { WorldSnapshot } from "./world/memory.js";
import { FLOOR_Z_M } from "./world/propsMjcf.js";
import type { TableScene } from "./world/tables.js";

type Three = [number, number, number];

/**
 * Of an arm and what its scene has on the table.
 * @param targetRad setpoint of the arm's joints
 */
export function tableTruth(
  layout: WorldLayout,
  { qpos, toolM, timeS, atNs }: Pick<WorldSnapshot, "qpos" | "toolM" | "timeS" | "atNs">,
  targetRad: ArrayLike<number>,
  scene: TableScene,
): LabTruth {
  const tool: Three = [toolM[0]!, toolM[1]!, toolM[2]!];
  const positionRad = [...qpos.subarray(0, layout.armJoints)];
  const thing = thingOf(layout, qpos, scene);
  const [x, y, z] = thing.blockM;
  return {
    simulatedS: timeS,
    atNs: atNs.toString(),
    ...thing,
    toolM: tool,
    distanceM: Math.hypot(tool[0] - x, tool[1] - y, tool[2] - z),
    positionRad,
    lagRad: Math.max(...positionRad.map((angle, joint) => Math.abs(targetRad[joint]! - angle))),
  };
}

type Thing = Pick<LabTruth, "blockM" | "blockYawRad" | "othersM" | "fridge" | "fruit">;

function thingOf(layout: WorldLayout, qpos: Float64Array, scene: TableScene): Thing {
  if (scene.props === "fridge") {
    const { placeM, yawRad } = scene.fridge;
    const doorRad = qpos[layout.hingeIndex]!;
    return {
      blockM: doorEdgeM(scene.fridge, doorRad),
      blockYawRad: yawRad,
      othersM: [],
      fridge: { placeM: [...placeM], yawRad, doorRad },
    };
  }
  const slots = Array.from({ length: layout.freeCount - 1 }, (_, at) => boxCentreM(layout, qpos, at + 1));
  return {
    blockM: boxCentreM(layout, qpos, 0),
    blockYawRad: boxYawRad(layout, qpos, 0),
    // Boxes that a scene does not have are parked far below the floor.
    othersM: slots.filter(([, , zM]) => zM > FLOOR_Z_M - 1),
    ...(scene.props === "fruit" ? { fruit: fruitTruth(scene) } : {}),
  };
}

function fruitTruth({ fruit }: FruitScene): NonNullable<LabTruth["fruit"]> {
  const { name, widthM, heightM, isLong } = fruit;
  return { name, widthM, heightM, isLong };
}

/** Of a hand and the object of its scene. */
export function handTruth(layout: WorldLayout, snapshot: WorldSnapshot, { object }: HandScene): LabHandTruth {
  const { qpos, palm, tipsM, timeS, atNs } = snapshot;
  const [px, py, pz, qx, qy, qz, qw] = palm as unknown as number[];
  const posePalm: Pose = { positionM: [px!, py!, pz!], quatXyzw: [qx!, qy!, qz!, qw!] };
  const at = layout.freeIndex;
  const [x, y, z, w, i, j, k] = qpos.subarray(at, at + 7) as unknown as number[];
  const inPalm = compose(invert(posePalm), {
    positionM: [x!, y!, z!],
    quatXyzw: [i!, j!, k!, w!],
  });
  return {
    simulatedS: timeS,
    atNs: atNs.toString(),
    object: object.name,
    centreM: [...inPalm.positionM],
    topM: [...topOf(object, inPalm)],
    quatXyzw: [...inPalm.quatXyzw],
    tipsM: Array.from(
      { length: 4 },
      (_, finger): Three => [tipsM[3 * finger]!, tipsM[3 * finger + 1]!, tipsM[3 * finger + 2]!],
    ),
    positionRad: [...qpos.subarray(layout.handIndex, layout.handIndex + layout.handJoints)],
  };
}
