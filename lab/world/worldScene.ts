/** The scene of any kind of world, drawn from its request. */

import { OBJECT_PIECES_MAX } from "./handObjects.js";
import { drawHandScene, type HandScene, type HandSceneRequest } from "./handScene.js";
import { pieceGeom } from "./propsMjcf.js";
import type { SceneOptions, SceneRequest } from "./scene.js";
import { type NamedThing, type TableScene, tableOf } from "./tables.js";

export type WorldSceneRequest = SceneRequest | HandSceneRequest;
export type WorldScene = TableScene | HandScene;

export const drawWorldScene = (request: WorldSceneRequest, options: SceneOptions): WorldScene =>
  request.props === "palm" ? drawHandScene(request, options) : drawTableScene(request, options);

export const drawTableScene = (request: SceneRequest, options: SceneOptions): TableScene =>
  tableOf(request.props ?? "reach-block").draw(request, options);

/** Every shape that scenes change, by its name. */
export const shownThings = (scene: WorldScene): NamedThing[] =>
  scene.props === "palm" ? piecesOf(scene) : tableOf(scene.props).shown(scene);

const piecesOf = ({ object }: HandScene): NamedThing[] =>
  Array.from({ length: OBJECT_PIECES_MAX }, (_, index) => object.pieces[index]).flatMap((piece, index) =>
    (["box", "capsule"] as const).map(
      (kind): NamedThing => [pieceGeom(kind, index), piece?.kind === kind ? piece : undefined],
    ),
  );
