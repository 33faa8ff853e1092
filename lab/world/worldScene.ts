/** The scene of either kind of world, drawn from its request. */

import { OBJECT_PIECES_MAX } from "./handObjects.js";
import { drawHandScene, type HandScene, type HandSceneRequest } from "./handScene.js";
import { pieceGeom } from "./propsMjcf.js";
import {
  DISTRACTORS_MAX,
  drawScene,
  type Scene,
  type SceneBox,
  type SceneOptions,
  type SceneRequest,
  type Vec3,
} from "./scene.js";

export type WorldSceneRequest = SceneRequest | HandSceneRequest;
export type WorldScene = Scene | HandScene;

export const drawWorldScene = (request: WorldSceneRequest, options: SceneOptions): WorldScene =>
  request.props === "palm" ? drawHandScene(request, options) : drawScene(request, options);

/** What a scene makes of a shape: its size as the shape's kind counts it, and its colour. */
export interface ShownThing {
  readonly sizeM: Vec3;
  readonly colour: Vec3;
}

/** Every shape that scenes change, by its name; undefined: it is not there. */
export function shownThings(scene: WorldScene): [name: string, thing: ShownThing | undefined][] {
  return scene.props === "palm" ? piecesOf(scene) : boxesOf(scene);
}

const boxesOf = ({ block, distractors }: Scene): [string, ShownThing | undefined][] => [
  ["block", shownBox(block)],
  ...Array.from({ length: DISTRACTORS_MAX }, (_, index): [string, ShownThing | undefined] => {
    const box = distractors[index];
    return [`distractor${index}`, box && shownBox(box)];
  }),
];
const shownBox = ({ halfSizeM, colour }: SceneBox): ShownThing => ({ sizeM: halfSizeM, colour });

const piecesOf = ({ object }: HandScene): [string, ShownThing | undefined][] =>
  Array.from({ length: OBJECT_PIECES_MAX }, (_, index) => object.pieces[index]).flatMap((piece, index) =>
    (["box", "capsule"] as const).map((kind): [string, ShownThing | undefined] => [
      pieceGeom(kind, index),
      piece?.kind === kind ? piece : undefined,
    ]),
  );
