/**
 * Pictures of the cell from one of its cameras or from beside it: joins the MuJoCo model's poses, the scene and the
 * rasteriser. `renderObservation` is the policy's view of one arm pose, as the runtime's preprocessing crops it.
 */
import type { CameraParent } from "../../core/cameraParent.js";
import { compose, type Pose } from "../../kinematics/pose.js";
import { XARM7_BASE_LINK, XARM7_FLANGE_LINK } from "../../kinematics/xarm7.js";
import { sceneCameraOf } from "../world/mjcf.js";
import type { WorldModel } from "../world/model.js";
import { type Intrinsics, intrinsicsOf, jittered, type LabCamera, windowOf } from "../world/mount.js";
import { Random } from "../world/random.js";
import type { Scene } from "../world/scene.js";
import type { WorldScene } from "../world/worldScene.js";
import { Rasteriser } from "./rasteriser.js";
import type { ShapeKind, ShapeSource } from "./shapes.js";

export interface ViewOptions {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly shadowMapPx?: number;
}

/** One camera's pictures at one fixed size. */
export class WorldView {
  readonly rgb: Uint8ClampedArray;
  readonly #world: WorldModel;
  readonly #rasteriser: Rasteriser;
  readonly #parentBody: number;
  #scene: WorldScene | undefined;
  #pictures = 0;

  constructor(
    world: WorldModel,
    readonly camera: LabCamera,
    { widthPx, heightPx, shadowMapPx }: ViewOptions,
  ) {
    this.#world = world;
    this.#rasteriser = new Rasteriser(shapesOf(world), widthPx, heightPx, shadowMapPx);
    this.#parentBody = bodyOf(world, camera.parentFrame);
    this.rgb = new Uint8ClampedArray(widthPx * heightPx * 3);
  }

  setScene(scene: WorldScene): void {
    this.#scene = scene;
    this.#rasteriser.setScene(scene);
    this.#pictures = 0;
  }

  /** The camera's picture at the model's present poses (after `kinematics`). */
  renderCamera(intrinsics: Intrinsics, rgb: Uint8ClampedArray = this.rgb): void {
    const { translationM, rotationRad } = this.#scene!.camera;
    const mount = jittered(this.camera, translationM, rotationRad);
    this.#render(compose(this.#world.bodyPose(this.#parentBody), mount), intrinsics, rgb);
  }

  /** The picture for people, of the whole cell. */
  renderScene(intrinsics: Intrinsics, rgb: Uint8ClampedArray = this.rgb): void {
    this.#render(sceneCameraOf(this.#world.parts), intrinsics, rgb);
  }

  /** Intrinsics of the camera in the present scene. */
  cameraIntrinsics(): Intrinsics {
    const { widthPx, heightPx, fovYDeg } = this.camera;
    return intrinsicsOf(widthPx, heightPx, fovYDeg + this.#scene!.camera.fovYDeg);
  }

  /** Depth of the last picture [mm], 0 where nothing is. */
  depthMm(out: Uint16Array): void {
    this.#rasteriser.depthMm(out);
  }

  #render(pose: Pose, intrinsics: Intrinsics, rgb: Uint8ClampedArray): void {
    const noise = new Random((this.#scene!.seed ^ Math.imul(++this.#pictures, 0x9e3779b1)) >>> 0);
    this.#rasteriser.render(this.#world, pose, intrinsics, rgb, noise);
  }
}

/** What carries a camera. The base stays where it is, so what stands beside it is as good as fixed to it. */
function bodyOf(world: WorldModel, parent: CameraParent): number {
  if (parent === "palm") return world.hand!.palmBody;
  return world.bodyId(parent === "base" ? XARM7_BASE_LINK : XARM7_FLANGE_LINK);
}

/** The model's shapes in its own order. */
function shapesOf(world: WorldModel): ShapeSource[] {
  const { mujoco, model } = world;
  const kinds = new Map<number, ShapeKind>([
    [mujoco.mjtGeom.mjGEOM_BOX.value, "box"],
    [mujoco.mjtGeom.mjGEOM_CAPSULE.value, "capsule"],
    // One of no length: MuJoCo leaves the second size of a sphere at 0.
    [mujoco.mjtGeom.mjGEOM_SPHERE.value, "capsule"],
    [mujoco.mjtGeom.mjGEOM_PLANE.value, "plane"],
  ]);
  const types: Int32Array = model.geom_type;
  const sizes: Float64Array = model.geom_size;
  const colours: Float32Array = model.geom_rgba;
  return Array.from(types, (type, geom) => ({
    name: mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_GEOM.value, geom),
    kind: kinds.get(type)!,
    sizeM: [sizes[3 * geom]!, sizes[3 * geom + 1]!, sizes[3 * geom + 2]!],
    colour: [colours[4 * geom]!, colours[4 * geom + 1]!, colours[4 * geom + 2]!],
  }));
}

/** A square part of the picture; its side is a multiple of `OBSERVATION_PX`. */
export interface ObservationWindow {
  readonly leftPx: number;
  readonly topPx: number;
  readonly widthPx: number;
  readonly heightPx: number;
}
/** Part of the 640 x 480 picture that the arm's policies see, and any part's size after averaging square blocks. */
export const OBSERVATION_WINDOW = { leftPx: 96, topPx: 32, widthPx: 448, heightPx: 448 } as const;
export const OBSERVATION_PX = 112;

/**
 * What a policy sees with the arm at `positionRad` [7, rad] in a scene: `out` is 112 x 112 x 3, rows from the top.
 * Only the window is drawn; its pixels are those of the whole picture.
 */
export function renderObservation(
  view: WorldView,
  world: WorldModel,
  scene: Scene,
  positionRad: ArrayLike<number>,
  out: Uint8Array,
): void {
  world.qpos.set(positionRad as number[]);
  renderPlaced(view, world, scene, out);
}

/** The same with the robots where they stand in `world`. @param window as large as the view's pictures */
export function renderPlaced(
  view: WorldView,
  world: WorldModel,
  scene: WorldScene,
  out: Uint8Array,
  window: ObservationWindow = OBSERVATION_WINDOW,
): void {
  world.placeScene(scene);
  world.kinematics();
  view.setScene(scene);
  view.renderCamera(windowOf(view.cameraIntrinsics(), window));
  averageBlocks(view.rgb, window.widthPx, window.widthPx / OBSERVATION_PX, out);
}

/** Mean of each block of pixels, rounded; the picture's sides are multiples of `blockPx`. */
export function averageBlocks(
  rgb: ArrayLike<number>,
  widthPx: number,
  blockPx: number,
  out: Uint8Array,
): void {
  const outPx = widthPx / blockPx;
  const share = 1 / (blockPx * blockPx);
  for (let at = 0; at < out.length; at += 3) {
    const column = (at / 3) % outPx;
    const row = (at / 3 - column) / outPx;
    let [red, green, blue] = [0, 0, 0];
    for (let y = 0; y < blockPx; y++) {
      let from = 3 * ((row * blockPx + y) * widthPx + column * blockPx);
      for (let x = 0; x < blockPx; x++, from += 3) {
        red += rgb[from]!;
        green += rgb[from + 1]!;
        blue += rgb[from + 2]!;
      }
    }
    out[at] = red * share + 0.5;
    out[at + 1] = green * share + 0.5;
    out[at + 2] = blue * share + 0.5;
  }
}
