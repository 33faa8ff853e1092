/**
 * The robot in three dimensions: measured pose solid, sent pose as a ghost, the wanted tool, workspace and table. Draws
 * only when something has changed, and no more often than 30 times a second.
 */
import {
  AmbientLight,
  Box3,
  Box3Helper,
  BufferAttribute,
  BufferGeometry,
  Color,
  DirectionalLight,
  GridHelper,
  Group,
  Line,
  LineBasicMaterial,
  Mesh,
  MeshBasicMaterial,
  MeshStandardMaterial,
  PerspectiveCamera,
  RingGeometry,
  Scene,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import type { RobotDescription } from "../../../core/gateway/server.js";
import type { TrackedPose } from "../../../core/teleop/pose.js";
import type { PageClock } from "../../link/pageClock.js";
import { kindOf, type RobotKind } from "../../shared/joints.js";
import { type FigurePose, RobotFigure } from "./figure.js";

export interface SceneColours {
  readonly ground: string;
  readonly line: string;
  readonly body: string;
  readonly accent: string;
}

export interface ScenePose extends FigurePose {
  readonly toolM: readonly [number, number, number] | undefined;
  readonly target: TrackedPose | null;
  /** Of the robots that it carries, by name; what is not told of stays as it was. */
  readonly carried: ReadonlyMap<string, FigurePose>;
}

/** Where the eye is and what it looks at [m], three's axes; an arm fills a table, a hand less than a page, legs a room. */
interface Standpoint {
  readonly eyeM: readonly [number, number, number];
  readonly targetM: readonly [number, number, number];
  readonly nearestM: number;
  readonly grid: { readonly sizeM: number; readonly middleM: number };
}
const STANDPOINTS: Readonly<Record<RobotKind, Standpoint>> = {
  arm: {
    eyeM: [1.35, 0.95, 1.25],
    targetM: [0.28, 0.3, 0],
    nearestM: 0.4,
    grid: { sizeM: 1.6, middleM: 0.3 },
  },
  hand: {
    eyeM: [0.3, 0.28, 0.3],
    targetM: [0, 0.02, 0],
    nearestM: 0.1,
    grid: { sizeM: 0.4, middleM: 0 },
  },
  legs: {
    eyeM: [2.3, 1.5, 2.1],
    targetM: [0, 0.78, 0],
    nearestM: 0.6,
    grid: { sizeM: 4, middleM: 0 },
  },
};
const GRID_CELLS = 16;

const FRAME_MS_MIN = 1000 / 30;
/** Where drawing is slow (no GPU) it takes at most this share of the time. */
const DRAWING_SHARE_MAX = 0.25;
/** A browser that answers so late is busy with pictures: it gets fewer and coarser ones, or keys that are held suffer. */
const LAG_MS_MAX = 60;
const COARSE_PIXEL_RATIO = 0.6;
/** What browsers call drawing without a graphics processor. */
const SOFTWARE_RENDERER = /swiftshader|llvmpipe|softpipe|software|basic render/i;
const TRAIL_POINTS = 240;
/** Closer points add nothing that can be seen [m]. */
const TRAIL_STEP_M = 0.004;
export class RobotScene {
  readonly #renderer: WebGLRenderer;
  readonly #scene = new Scene();
  /** Robots and what is around them; URDF has z up, three has y up. */
  readonly #world = new Group();
  readonly #camera = new PerspectiveCamera(38, 1, 0.05, 20);
  readonly #controls: OrbitControls;
  readonly #clock: PageClock;
  readonly #robot: RobotDescription;
  readonly #figure: RobotFigure;
  readonly #carried: ReadonlyMap<string, RobotFigure>;
  readonly #standpoint: Standpoint;
  readonly #solidMaterial = new MeshStandardMaterial({ roughness: 0.75, metalness: 0.1 });
  readonly #ghostMaterial = new MeshBasicMaterial({ transparent: true, opacity: 0.28, depthWrite: false });
  readonly #lineMaterial = new LineBasicMaterial();
  readonly #trailMaterial = new LineBasicMaterial({ transparent: true, opacity: 0.7 });
  readonly #target = new Group();
  readonly #trail = new BufferGeometry();
  readonly #trailM = new Float32Array(3 * TRAIL_POINTS);
  readonly #workspace: Box3Helper;
  #grid: GridHelper | undefined;
  /** Where a robot that walks is, on the ground of its odometry [m]. */
  #followedM: readonly [number, number] | undefined;
  #trailCount = 0;
  #isDirty = true;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #waitMs = 0;
  #askedMs = 0;
  #lagMs = 0;
  #isSlow = false;
  #isStill = false;
  #frame = 0;
  /** Pictures drawn since the start. */
  drawn = 0;

  /**
   * @param carried robots on its flange
   * @param onSlow this computer is found to draw slowly: at once, later, or never
   */
  constructor(
    canvas: HTMLCanvasElement,
    robot: RobotDescription,
    carried: readonly RobotDescription[],
    colours: SceneColours,
    clock: PageClock,
    readonly onSlow: () => void,
  ) {
    this.#clock = clock;
    this.#robot = robot;
    this.#renderer = new WebGLRenderer({ canvas, antialias: true, powerPreference: "low-power" });
    if (SOFTWARE_RENDERER.test(rendererName(this.#renderer.getContext()))) this.#slowDown();
    const materials = { solid: this.#solidMaterial, ghost: this.#ghostMaterial };
    this.#figure = new RobotFigure(robot, materials);
    this.#carried = new Map(carried.map((one) => [one.robot, new RobotFigure(one, materials)]));
    for (const one of this.#carried.values()) this.#figure.carry(one);
    this.#standpoint = STANDPOINTS[kindOf(robot)];
    const world = this.#world;
    world.rotation.x = -Math.PI / 2;
    const box = new Box3(new Vector3(...robot.workspaceMinM), new Vector3(...robot.workspaceMaxM));
    this.#workspace = new Box3Helper(box);
    this.#workspace.material = this.#lineMaterial;
    // A hand's fingers are kept by their joint limits alone, and legs walk where they are told.
    this.#workspace.visible = kindOf(robot) === "arm";
    this.#target.add(new Mesh(new RingGeometry(0.024, 0.03, 32), this.#markMaterial()), this.#axes());
    this.#target.visible = false;
    this.#trail.setAttribute("position", new BufferAttribute(this.#trailM, 3));
    const trail = new Line(this.#trail, this.#trailMaterial);
    trail.frustumCulled = false;
    world.add(this.#figure.solid, this.#figure.ghost, this.#workspace, this.#target, trail);
    const sun = new DirectionalLight(0xffffff, 2.2);
    sun.position.set(1.5, 3, 2);
    this.#scene.add(world, new AmbientLight(0xffffff, 1.1), sun);
    const heightM = robot.mount?.robot == null ? (robot.mount?.positionM[2] ?? 0) : 0;
    const { eyeM, targetM, nearestM } = this.#standpoint;
    this.#camera.position.set(eyeM[0], eyeM[1] + heightM, eyeM[2]);
    this.#controls = new OrbitControls(this.#camera, canvas);
    this.#controls.target.set(targetM[0], targetM[1] + heightM, targetM[2]);
    this.#controls.minDistance = nearestM;
    this.#controls.maxDistance = 5;
    this.#controls.addEventListener("change", () => this.#want());
    this.#controls.update();
    this.setColours(colours);
    this.#warmUp();
  }

  /**
   * Still, nothing is drawn where drawing is slow: a page that stands still for a picture lets go of the arm. Elsewhere it
   * changes nothing.
   */
  setStill(isStill: boolean): void {
    this.#isStill = isStill;
    if (!isStill && this.#isDirty) this.#want();
  }

  /** Draws everything once while nobody drives: compiling shaders makes a page stand still, and that lets go of the arm. */
  #warmUp(): void {
    this.#target.visible = true;
    this.#renderer.render(this.#scene, this.#camera);
    this.#target.visible = false;
  }

  setColours({ ground, line, body, accent }: SceneColours): void {
    this.#renderer.setClearColor(new Color(ground));
    this.#solidMaterial.color.set(body);
    this.#ghostMaterial.color.set(accent);
    this.#trailMaterial.color.set(accent);
    this.#lineMaterial.color.set(line);
    const { tableM } = this.#robot;
    this.#grid?.removeFromParent();
    this.#grid?.dispose();
    const { sizeM, middleM } = this.#standpoint.grid;
    this.#grid = new GridHelper(sizeM, GRID_CELLS, new Color(line), new Color(line));
    this.#grid.position.set(middleM, tableM, 0);
    this.#followedM = undefined;
    (this.#grid.material as LineBasicMaterial).opacity = 0.5;
    (this.#grid.material as LineBasicMaterial).transparent = true;
    this.#scene.add(this.#grid);
    this.#want();
  }

  resize(widthPx: number, heightPx: number, pixelRatio: number): void {
    if (widthPx === 0 || heightPx === 0) return;
    this.#renderer.setPixelRatio(this.#isSlow ? COARSE_PIXEL_RATIO : Math.min(2, pixelRatio));
    this.#renderer.setSize(widthPx, heightPx, false);
    this.#camera.aspect = widthPx / heightPx;
    this.#camera.updateProjectionMatrix();
    this.#want();
  }

  show(pose: ScenePose): void {
    const { toolM, target, carried } = pose;
    let hasChanged = this.#figure.show(pose);
    let isApart = this.#figure.isApart(pose);
    for (const [robot, figure] of this.#carried) {
      const its = carried.get(robot);
      if (its === undefined) continue;
      hasChanged = figure.show(its) || hasChanged;
      isApart = figure.isApart(its) || isApart;
    }
    if (pose.base !== null) hasChanged = this.#follow(pose.base.positionM) || hasChanged;
    if (this.#figure.ghost.visible !== isApart) {
      this.#figure.ghost.visible = isApart;
      hasChanged = true;
    }
    hasChanged = this.#showTarget(target) || hasChanged;
    if (toolM !== undefined) hasChanged = this.#addToTrail(toolM) || hasChanged;
    if (hasChanged) this.#want();
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    this.#controls.dispose();
    this.#renderer.dispose();
    // A browser keeps few of them, and drops the oldest for a new one: it may be one that is looked at.
    this.#renderer.forceContextLoss();
  }

  /** Whoever walks stays in the middle, and the ground goes by under it. */
  #follow([x, y]: readonly [number, number, number]): boolean {
    const before = this.#followedM;
    if (before?.[0] === x && before[1] === y) return false;
    this.#followedM = [x, y];
    this.#world.position.set(-x, 0, y);
    const { sizeM, middleM } = this.#standpoint.grid;
    const cellM = sizeM / GRID_CELLS;
    this.#grid?.position.setX(middleM - (x % cellM));
    this.#grid?.position.setZ(y % cellM);
    return true;
  }

  #showTarget(target: TrackedPose | null): boolean {
    const before = this.#target.visible;
    this.#target.visible = target !== null;
    if (target === null) return before;
    this.#target.position.set(...target.positionM);
    this.#target.quaternion.set(...target.quatXyzw);
    return true;
  }

  #addToTrail([x, y, z]: readonly [number, number, number]): boolean {
    const last = 3 * (this.#trailCount - 1);
    const at = this.#trailM;
    if (last >= 0 && Math.hypot(x - at[last]!, y - at[last + 1]!, z - at[last + 2]!) < TRAIL_STEP_M)
      return false;
    if (this.#trailCount === TRAIL_POINTS) at.copyWithin(0, 3);
    else this.#trailCount++;
    at.set([x, y, z], 3 * (this.#trailCount - 1));
    this.#trail.getAttribute("position").needsUpdate = true;
    this.#trail.setDrawRange(0, this.#trailCount);
    return true;
  }

  /** The next picture, when it is due and the page is visible: browsers call no frames of a hidden page. */
  #want(): void {
    this.#isDirty = true;
    if (this.#frame === 0 && !this.#rests) this.#ask();
  }

  #ask(): void {
    this.#askedMs = this.#clock.nowMs();
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#frame = 0;
    const nowMs = this.#clock.nowMs();
    this.#lagMs += 0.2 * (nowMs - this.#askedMs - this.#lagMs);
    if (nowMs - this.#drawnMs < this.#waitMs) {
      this.#ask();
      return;
    }
    if (!this.#isDirty || this.#rests) return;
    if (this.#lagMs > LAG_MS_MAX) this.#slowDown();
    this.#isDirty = false;
    this.#drawnMs = nowMs;
    this.#renderer.render(this.#scene, this.#camera);
    const tookMs = this.#clock.nowMs() - nowMs + (this.#lagMs > LAG_MS_MAX ? this.#lagMs : 0);
    this.#waitMs = Math.max(FRAME_MS_MIN - 2, tookMs / DRAWING_SHARE_MAX);
    this.drawn++;
  }

  get #rests(): boolean {
    return this.#isStill && this.#isSlow;
  }

  #slowDown(): void {
    if (this.#isSlow) return;
    this.#isSlow = true;
    this.#renderer.setPixelRatio(COARSE_PIXEL_RATIO);
    this.onSlow();
  }

  #markMaterial(): MeshBasicMaterial {
    return new MeshBasicMaterial({ color: this.#trailMaterial.color, side: 2 });
  }

  /** Red, green and blue would be a second meaning of red: three strokes of different length. */
  #axes(): Group {
    const axes = new Group();
    for (const [index, length] of [0.09, 0.06, 0.12].entries()) {
      const end = new Vector3().setComponent(index, length);
      axes.add(new Line(new BufferGeometry().setFromPoints([new Vector3(), end]), this.#trailMaterial));
    }
    return axes;
  }
}

/** Empty where a browser keeps it to itself. */
function rendererName(gl: WebGLRenderingContext | WebGL2RenderingContext): string {
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  return names === null ? "" : String(gl.getParameter(names.UNMASKED_RENDERER_WEBGL));
}
