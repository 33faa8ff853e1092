/** The scene of any kind of world, drawn from its request. */

import { drawHandScene, type HandScene, type HandSceneRequest } from "./handScene.js";
import { piecesShown } from "./propsMjcf.js";
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
  scene.props === "palm" ? piecesShown(scene.object.pieces) : tableOf(scene.props).shown(scene);
