/** Ground truth as the control socket tells it, from one whole step of the world. */
import { compose, invert, type Pose } from "../kinematics/pose.js";
import type { LabHandTruth, LabTruth } from "./control/protocol.js";
import { topOf } from "./world/handObjects.js";
import type { HandScene } from "./world/handScene.js";
import { boxCentreM, boxYawRad, type WorldLayout } from "./world/layout.js";
import type { WorldSnapshot } from "./world/memory.js";
import { FLOOR_Z_M } from "./world/propsMjcf.js";
import { DISTRACTORS_MAX } from "./world/scene.js";

type Three = [number, number, number];

/** Of an arm among blocks. */
export function blockTruth(layout: WorldLayout, snapshot: WorldSnapshot): LabTruth {
  const { qpos, toolM, timeS, atNs } = snapshot;
  const blockM = boxCentreM(layout, qpos, 0);
  const tool: Three = [toolM[0]!, toolM[1]!, toolM[2]!];
  return {
    simulatedS: timeS,
    atNs: atNs.toString(),
    blockM,
    blockYawRad: boxYawRad(layout, qpos, 0),
    othersM: Array.from({ length: DISTRACTORS_MAX }, (_, index) =>
      boxCentreM(layout, qpos, 1 + index),
    ).filter(([, , zM]) => zM > FLOOR_Z_M - 1),
    toolM: tool,
    distanceM: Math.hypot(tool[0] - blockM[0], tool[1] - blockM[1], tool[2] - blockM[2]),
    positionRad: [...qpos.subarray(0, layout.armJoints)],
  };
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
