/**
 * Pictures of the simulated world by z-buffer: first which surface each pixel shows and how far it is, then the light
 * on it (shader.ts). Everything is allocated once; the same scene and poses give the same bytes on every machine.
 */
import type { QuatXyzw } from "../../kinematics/pose.js";
import { rotationFromQuat } from "../../kinematics/pose.js";
import type { Intrinsics } from "../world/mount.js";
import type { Random } from "../world/random.js";
import type { SceneLook } from "../world/scene.js";
import type { ShownThing } from "../world/tables.js";
import { shownThings, type WorldScene } from "../world/worldScene.js";
import { DepthBuffer } from "./depthBuffer.js";
import { Shader } from "./shader.js";
import { ShadowMap } from "./shadowMap.js";
import {
  CORNERS_MAX,
  placeInView,
  Shape,
  type ShapePoses,
  type ShapeSource,
  transformCorners,
  type View,
} from "./shapes.js";

/** Nothing nearer than this is drawn [m]. */
const NEAR_M = 0.01;
/** Farther than this the shadow map need not reach [m]. */
const SHADOW_REACH_M = 1.6;

export interface CameraPose {
  readonly positionM: readonly [number, number, number];
  /** Rotation of the optical frame (z forward, x right, y down) in the base frame. */
  readonly quatXyzw: QuatXyzw;
}

export class Rasteriser {
  readonly #shapes: Shape[] = [];
  readonly #byName = new Map<string, Shape>();
  readonly #buffer: DepthBuffer;
  readonly #shadowMap: ShadowMap;
  readonly #shader: Shader;
  readonly #view: View = { axes: new Float64Array(9), originM: new Float64Array(3) };
  readonly #rotation = new Float64Array(9);
  readonly #frame = new Float64Array(12);
  readonly #corners = new Float64Array(3 * CORNERS_MAX);
  readonly #projected = new Float64Array(3 * CORNERS_MAX);
  readonly #clipped = new Float64Array(3 * 4);
  readonly #seenM = new Float64Array(3 * 9);
  #scene: SceneLook | undefined;

  /** @param sources in the order of the pose arrays */
  constructor(
    sources: readonly ShapeSource[],
    readonly widthPx: number,
    readonly heightPx: number,
    shadowMapPx = 512,
  ) {
    let surface = 1;
    sources.forEach((source, index) => {
      const shape = new Shape(source, index, surface);
      surface += shape.surfaceCount;
      this.#shapes.push(shape);
      this.#byName.set(source.name, shape);
    });
    // Large surfaces last: most of their pixels then fail the depth test before being written.
    this.#shapes.sort((a, b) => a.boundRadiusM - b.boundRadiusM);
    this.#buffer = new DepthBuffer(widthPx, heightPx);
    this.#shadowMap = new ShadowMap(shadowMapPx);
    this.#shader = new Shader(this.#shapes, surface);
  }

  setScene(scene: WorldScene): void {
    this.#scene = scene;
    for (const [name, thing] of shownThings(scene)) this.#show(name, thing);
    this.#shader.setScene(scene);
  }

  #show(name: string, thing: ShownThing | undefined): void {
    const shape = this.#byName.get(name);
    if (shape === undefined) return;
    shape.hidden = thing === undefined;
    if (thing === undefined) return;
    shape.resize(thing.sizeM);
    this.#shader.setColour(shape, thing.colour);
  }

  /**
   * Draws into `rgb` (width x height x 3, rows from the top). `setScene` comes first.
   * @param noise where the pixel noise of this picture is drawn from; none without it
   */
  render(
    poses: ShapePoses,
    camera: CameraPose,
    intrinsics: Intrinsics,
    rgb: Uint8ClampedArray,
    noise?: Random,
  ): void {
    const scene = this.#scene!;
    rotationFromQuat(camera.quatXyzw, this.#rotation);
    const { axes, originM } = this.#view;
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 3; column++) axes[3 * row + column] = this.#rotation[3 * column + row]!;
    }
    originM.set(camera.positionM);
    this.#buffer.clear();
    const tableFillsView = this.#seenPoints(intrinsics, poses);
    const floor = this.#byName.get("floor");
    for (const shape of this.#shapes) {
      if (!shape.hidden && !(tableFillsView && shape === floor)) this.#draw(shape, poses, intrinsics);
    }
    if (scene.light.shadows) {
      const skipped = tableFillsView ? this.#byName.get("table") : undefined;
      this.#shadowMap.render(this.#shapes, poses, scene.light.direction, this.#seenM, skipped);
    }
    this.#shader.shade(
      this.#buffer,
      this.#view,
      intrinsics,
      poses,
      scene.light.shadows ? this.#shadowMap : undefined,
      rgb,
      noise,
    );
  }

  /** Depth of the last picture along the optical axis in millimetres; 0 where nothing is or beyond 65.535 m. */
  depthMm(out: Uint16Array): void {
    const { nearness } = this.#buffer;
    for (let pixel = 0; pixel < nearness.length; pixel++) {
      const value = nearness[pixel]!;
      const mm = value > 0 ? Math.round(1000 / value) : 0;
      out[pixel] = mm > 65535 ? 0 : mm;
    }
  }

  #draw(shape: Shape, poses: ShapePoses, intrinsics: Intrinsics): void {
    const { widthPx, heightPx, focalPx, centreXPx, centreYPx } = intrinsics;
    const frame = this.#frame;
    placeInView(this.#view, poses, shape.index, frame);
    const radiusM = shape.boundRadiusM;
    const depthM = frame[11]! + radiusM;
    if (depthM < NEAR_M) return;
    // Conservative: the bounding ball lies wholly left of, right of, above or below the picture.
    const slackPx = 1.6 * radiusM * focalPx;
    if (frame[9]! * focalPx + slackPx < -centreXPx * depthM) return;
    if (frame[9]! * focalPx - slackPx > (widthPx - centreXPx) * depthM) return;
    if (frame[10]! * focalPx + slackPx < -centreYPx * depthM) return;
    if (frame[10]! * focalPx - slackPx > (heightPx - centreYPx) * depthM) return;
    const { mesh, firstSurface } = shape;
    const corners = this.#corners;
    const projected = this.#projected;
    transformCorners(mesh, frame, corners);
    const cornerNumbers = mesh.cornersM.length;
    for (let k = 0; k < cornerNumbers; k += 3) {
      const inverse = 1 / corners[k + 2]!;
      projected[k] = centreXPx + focalPx * corners[k]! * inverse;
      projected[k + 1] = centreYPx + focalPx * corners[k + 1]! * inverse;
      projected[k + 2] = inverse;
    }
    const { triangles, faces } = mesh;
    for (let k = 0, face = 0; k < triangles.length; k += 3, face++) {
      const [a, b, c] = [3 * triangles[k]!, 3 * triangles[k + 1]!, 3 * triangles[k + 2]!];
      const surface = firstSurface + faces[face]!;
      if (corners[a + 2]! > NEAR_M && corners[b + 2]! > NEAR_M && corners[c + 2]! > NEAR_M) {
        this.#fill(projected, a, b, c, surface);
      } else {
        this.#fillClipped(a, b, c, intrinsics, surface);
      }
    }
  }

  #fill(p: Float64Array, a: number, b: number, c: number, surface: number): void {
    const [ax, ay, bx, by, cx, cy] = [p[a]!, p[a + 1]!, p[b]!, p[b + 1]!, p[c]!, p[c + 1]!];
    // Counter-clockwise from outside is clockwise here, where y points down: anything else looks away.
    if ((bx - ax) * (cy - ay) - (cx - ax) * (by - ay) >= 0) return;
    this.#buffer.fill(ax, ay, p[a + 2]!, bx, by, p[b + 2]!, cx, cy, p[c + 2]!, surface);
  }

  /** The part of a triangle beyond the near plane: none, a triangle or a quadrilateral. */
  #fillClipped(
    a: number,
    b: number,
    c: number,
    { focalPx, centreXPx, centreYPx }: Intrinsics,
    surface: number,
  ): void {
    const corners = this.#corners;
    const out = this.#clipped;
    const turn = [a, b, c];
    let count = 0;
    const push = (x: number, y: number, z: number) => {
      out[count] = centreXPx + (focalPx * x) / z;
      out[count + 1] = centreYPx + (focalPx * y) / z;
      out[count + 2] = 1 / z;
      count += 3;
    };
    for (let i = 0; i < 3; i++) {
      const [p, q] = [turn[i]!, turn[(i + 1) % 3]!];
      const [pz, qz] = [corners[p + 2]!, corners[q + 2]!];
      if (pz > NEAR_M) push(corners[p]!, corners[p + 1]!, pz);
      if (pz > NEAR_M !== qz > NEAR_M) {
        const share = (NEAR_M - pz) / (qz - pz);
        const mix = (axis: number) => corners[p + axis]! + share * (corners[q + axis]! - corners[p + axis]!);
        push(mix(0), mix(1), NEAR_M);
      }
    }
    for (let last = 6; last < count; last += 3) this.#fill(out, 0, last - 3, last, surface);
  }

  /**
   * Camera, and where its corner and edge rays meet the table's plane, or end for want of it. Returns whether all of
   * them meet the table top itself: then neither the floor nor the table's shadow can be seen.
   */
  #seenPoints({ widthPx, heightPx, focalPx, centreXPx, centreYPx }: Intrinsics, poses: ShapePoses): boolean {
    const { originM } = this.#view;
    const r = this.#rotation;
    const seen = this.#seenM;
    const table = this.#byName.get("table");
    let tableFillsView = table !== undefined;
    seen.set(originM, 0);
    RAYS.forEach(([u, v], ray) => {
      const point = 3 + 3 * ray;
      const x = (u * widthPx - centreXPx) / focalPx;
      const y = (v * heightPx - centreYPx) / focalPx;
      const dz = r[6]! * x + r[7]! * y + r[8]!;
      const toTable = dz < -1e-6 && originM[2]! > 0 ? -originM[2]! / dz : Number.POSITIVE_INFINITY;
      const reach = Math.min(SHADOW_REACH_M, toTable + 0.02);
      for (let axis = 0; axis < 3; axis++) {
        seen[point + axis] =
          originM[axis]! + reach * (r[3 * axis]! * x + r[3 * axis + 1]! * y + r[3 * axis + 2]!);
      }
      if (table === undefined) return;
      const offX = seen[point]! - poses.geomM[3 * table.index]!;
      const offY = seen[point + 1]! - poses.geomM[3 * table.index + 1]!;
      const [halfX, halfY] = table.source.sizeM;
      if (toTable > SHADOW_REACH_M || Math.abs(offX) > halfX - 0.03 || Math.abs(offY) > halfY - 0.03) {
        tableFillsView = false;
      }
    });
    return tableFillsView;
  }
}

/** Corners and edge middles of the picture, as shares of its sides. */
const RAYS = [
  [0, 0],
  [0.5, 0],
  [1, 0],
  [0, 0.5],
  [1, 0.5],
  [0, 1],
  [0.5, 1],
  [1, 1],
] as const;
