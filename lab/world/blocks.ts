/** The red block and the boxes beside it on the arm's table: their XML, how they are shown, and where a scene puts them. */
import { quatFromRpy } from "../../kinematics/pose.js";
import { CONTACT, text } from "./mjcfText.js";
import type { WorldModel } from "./model.js";
import { parkingM } from "./propsMjcf.js";
import {
  BLOCK_HALF_M,
  DISTRACTOR_HALF_MAX_M,
  DISTRACTORS_MAX,
  drawScene,
  type Scene,
  type SceneBox,
} from "./scene.js";
import type { NamedThing, ShownThing, TableKind } from "./tables.js";

export const BLOCKS_TABLE: TableKind<Scene> = {
  freeCount: 1 + DISTRACTORS_MAX,
  hingeCount: 0,
  apart: [],
  solver: "plain",
  xml: blocksXml,
  draw: drawScene,
  shown: shownBoxes,
  placer: boxPlacer,
};

function blocksXml(): string {
  const half = DISTRACTOR_HALF_MAX_M;
  const distractors = Array.from(
    { length: DISTRACTORS_MAX },
    (_, index) =>
      `<body name="distractor${index}" pos="${text(parkingM(index))}" gravcomp="1"><freejoint/><geom name="distractor${index}" type="box" size="${half} ${half} ${half}" mass="0.05" rgba="0.1 0.2 0.85 1" ${CONTACT}/></body>`,
  );
  const size = text([BLOCK_HALF_M, BLOCK_HALF_M, BLOCK_HALF_M]);
  return [
    `<body name="block" pos="0.45 0 ${BLOCK_HALF_M}"><freejoint/><geom name="block" type="box" size="${size}" mass="0.05" rgba="0.85 0.08 0.08 1" ${CONTACT}/></body>`,
    ...distractors,
  ].join("\n");
}

function shownBoxes({ block, distractors }: Scene): NamedThing[] {
  return [
    ["block", shownBox(block)],
    ...Array.from({ length: DISTRACTORS_MAX }, (_, index): NamedThing => {
      const box = distractors[index];
      return [`distractor${index}`, box && shownBox(box)];
    }),
  ];
}
const shownBox = ({ halfSizeM, colour }: SceneBox): ShownThing => ({ sizeM: halfSizeM, colour });

/** Boxes that a scene does not have are parked, and touch nothing. */
function boxPlacer(world: WorldModel): (scene: Scene) => void {
  const names = Array.from({ length: DISTRACTORS_MAX }, (_, index) => `distractor${index}`);
  const geoms = names.map((name) => world.geomId(name));
  const bodies = names.map((name) => world.bodyId(name));
  const contypes: Int32Array = world.model.geom_contype;
  const conaffinities: Int32Array = world.model.geom_conaffinity;
  const sizes: Float64Array = world.model.geom_size;
  const compensation: Float64Array = world.model.body_gravcomp;
  const place = (slot: number, { positionM, yawRad }: Pick<SceneBox, "positionM" | "yawRad">) =>
    world.placeFree(slot, { positionM, quatXyzw: quatFromRpy(0, 0, yawRad) });
  return ({ block, distractors }) => {
    place(0, block);
    for (let index = 0; index < DISTRACTORS_MAX; index++) {
      const box = distractors[index];
      const geom = geoms[index]!;
      place(1 + index, box ?? { positionM: parkingM(index), yawRad: 0 });
      contypes[geom] = conaffinities[geom] = box === undefined ? 0 : 1;
      compensation[bodies[index]!] = box === undefined ? 1 : 0;
      if (box !== undefined) sizes.set(box.halfSizeM, 3 * geom);
    }
  };
}
