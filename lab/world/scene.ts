/**
 * What the simulated table looks like, drawn from one seed: light, surfaces, the red block, other boxes, and how far
 * the wrist camera is from where the cell file puts it. Positions in the base frame [m]; colours are linear 0 to 1.
 * Physics and every camera draw the same scene from the same request, so only the request travels.
 */
import { Random } from "./random.js";

export type Vec3 = readonly [number, number, number];

/** What lies on the arm's table; `tables.ts` has a row for each. */
export const TABLE_NAMES = ["reach-block", "fridge", "fruit"] as const;
export type TableName = (typeof TABLE_NAMES)[number];

export interface SceneRequest {
  /** The red block among boxes when absent. */
  readonly props?: TableName | undefined;
  readonly seed: number;
  /** x, y of the red block's centre, or of whatever is there instead [m], base frame; drawn from its patch when absent. */
  readonly blockM?: readonly [number, number] | undefined;
  /** Name of the fruit, where one lies there; drawn from those that are demonstrated with when absent. */
  readonly object?: string | undefined;
  /** `changed` is light that no training scene has: lower, darker or brighter, warm or cold. */
  readonly light: "training" | "changed";
}

export interface SceneOptions {
  readonly lighting: boolean;
  readonly textures: boolean;
  readonly shadows: boolean;
  readonly cameraJitter: boolean;
  readonly noise: boolean;
  readonly distractorsMax: number;
}

export const FULL_LOOK: SceneOptions = {
  lighting: true,
  textures: true,
  shadows: true,
  cameraJitter: true,
  noise: true,
  distractorsMax: 2,
};

export interface SceneBox {
  readonly positionM: Vec3;
  readonly yawRad: number;
  readonly halfSizeM: Vec3;
  readonly colour: Vec3;
}

export type Pattern = "plain" | "checker" | "stripes" | "grain" | "speckle";

/** Two colours mixed by a repeating pattern. */
export interface Finish {
  readonly pattern: Pattern;
  readonly colourA: Vec3;
  readonly colourB: Vec3;
  /** Length of one repetition [m]. */
  readonly repeatM: number;
  readonly rotationRad: number;
  readonly offset: readonly [number, number];
}

export interface Light {
  /** Unit vector towards the light, base frame. */
  readonly direction: Vec3;
  readonly ambient: number;
  readonly diffuse: number;
  readonly tint: Vec3;
  readonly shadows: boolean;
  /** Share of the diffuse light that a shadow takes away; the rest comes from other lamps. */
  readonly shadowDepth: number;
}

export interface CameraJitter {
  /** Added to the mount: translation [m] in the flange frame, rotation vector [rad] in the optical frame. */
  readonly translationM: Vec3;
  readonly rotationRad: Vec3;
  readonly fovYDeg: number;
}

/** What every scene has, whatever lies in it. */
export interface SceneLook {
  readonly seed: number;
  readonly light: Light;
  readonly table: Finish;
  readonly floor: Finish;
  readonly wall: Vec3;
  readonly camera: CameraJitter;
  /** Whether pictures have pixel noise. */
  readonly noise: boolean;
}

export interface Scene extends SceneLook {
  readonly props: "reach-block";
  readonly block: SceneBox;
  readonly distractors: readonly SceneBox[];
}

/** Where blocks lie. */
export const PATCH_M = { x: [0.28, 0.64], y: [-0.2, 0.2] } as const;
export const BLOCK_HALF_M = 0.02;
export const DISTRACTORS_MAX = 5;
export const DISTRACTOR_HALF_MAX_M = 0.028;

const RED: Vec3 = [0.85, 0.08, 0.08];
const OTHER_COLOURS: readonly Vec3[] = [
  [0.1, 0.2, 0.85],
  [0.1, 0.65, 0.15],
  [0.9, 0.8, 0.1],
  [0.9, 0.9, 0.9],
  [0.1, 0.1, 0.1],
  [0.5, 0.2, 0.7],
  [0.1, 0.6, 0.65],
];

/** The same request and options always give the same scene; an option that is off leaves all else unchanged. */
export function drawScene(request: SceneRequest, options: SceneOptions = FULL_LOOK): Scene {
  const random = new Random(request.seed);
  const block = drawBlock(random.fork("block"), request.blockM);
  return {
    props: "reach-block",
    ...drawLook(random, request, options),
    block,
    distractors: drawDistractors(random.fork("distractors"), block, options.distractorsMax),
  };
}

export function drawLook(
  random: Random,
  { seed, light }: Pick<SceneRequest, "seed" | "light">,
  options: SceneOptions,
): SceneLook {
  return {
    seed,
    light: drawLight(random.fork("light"), light, options),
    ...drawSurfaces(random.fork("surfaces"), options.textures),
    camera: drawJitter(random.fork("camera"), options.cameraJitter),
    noise: options.noise,
  };
}

function drawBlock(random: Random, blockM: readonly [number, number] | undefined): SceneBox {
  const drawnM = [random.uniform(...PATCH_M.x), random.uniform(...PATCH_M.y)] as const;
  const [x, y] = blockM ?? drawnM;
  const brightness = random.uniform(-0.06, 0.06);
  return {
    positionM: [x, y, BLOCK_HALF_M],
    yawRad: random.uniform(0, Math.PI / 2),
    halfSizeM: [BLOCK_HALF_M, BLOCK_HALF_M, BLOCK_HALF_M],
    colour: clampColour([
      RED[0] + brightness,
      RED[1] + random.uniform(-0.06, 0.06),
      RED[2] + random.uniform(-0.06, 0.06),
    ]),
  };
}

function drawLight(random: Random, kind: SceneRequest["light"], options: SceneOptions): Light {
  const changed = kind === "changed";
  const azimuthRad = random.uniform(0, 2 * Math.PI);
  const tiltRad = changed ? random.uniform(0.8, 1.1) : random.uniform(0, 0.7);
  const ambient = changed ? random.pick([0.18, 0.6]) : random.uniform(0.3, 0.5);
  const diffuse = changed ? random.uniform(0.5, 0.9) : random.uniform(0.4, 0.75);
  const warmOrCold = random.pick<Vec3>([
    [1.12, 1, 0.82],
    [0.85, 1, 1.15],
  ]);
  const slight: Vec3 = [random.uniform(0.92, 1.08), random.uniform(0.92, 1.08), random.uniform(0.92, 1.08)];
  const shadowDepth = changed ? random.uniform(0.7, 0.95) : random.uniform(0.4, 0.8);
  if (!options.lighting && !changed) {
    return {
      direction: fromAngles(0.45, 2.2),
      ambient: 0.42,
      diffuse: 0.6,
      tint: [1, 1, 1],
      shadows: options.shadows,
      shadowDepth: 0.65,
    };
  }
  return {
    direction: fromAngles(tiltRad, azimuthRad),
    ambient,
    diffuse,
    tint: changed ? warmOrCold : slight,
    shadows: options.shadows,
    shadowDepth,
  };
}

const fromAngles = (tiltRad: number, azimuthRad: number): Vec3 => [
  Math.sin(tiltRad) * Math.cos(azimuthRad),
  Math.sin(tiltRad) * Math.sin(azimuthRad),
  Math.cos(tiltRad),
];

const PATTERNS: readonly Pattern[] = ["plain", "checker", "checker", "stripes", "grain", "grain", "speckle"];

function drawSurfaces(random: Random, textures: boolean): Pick<Scene, "table" | "floor" | "wall"> {
  const finish = (colour: Vec3, contrast: number, repeatM: number): Finish => ({
    pattern: random.pick(PATTERNS),
    colourA: clampColour(colour),
    colourB: clampColour([colour[0] * contrast, colour[1] * contrast, colour[2] * contrast]),
    repeatM,
    rotationRad: random.uniform(0, 2 * Math.PI),
    offset: [random.uniform(), random.uniform()],
  });
  const grey = random.uniform(0.3, 0.7);
  const tableColour: Vec3 = [
    grey + random.normal(0, 0.05),
    grey + random.normal(0, 0.05),
    grey + random.normal(0, 0.05),
  ];
  const table = finish(tableColour, random.uniform(0.72, 1), random.uniform(0.25, 0.5));
  const dark = random.uniform(0.2, 0.45);
  const floor = finish(
    [dark, dark + random.normal(0, 0.02), dark + random.normal(0, 0.02)],
    random.uniform(0.8, 1),
    random.uniform(0.6, 1.2),
  );
  const wallGrey = random.uniform(0.55, 0.8);
  const wall: Vec3 = [wallGrey, wallGrey + random.normal(0, 0.02), wallGrey + random.normal(0, 0.02)];
  if (textures) return { table, floor, wall: clampColour(wall) };
  const still = { rotationRad: 0, offset: [0, 0] as const, repeatM: 0.4, pattern: "plain" as const };
  return {
    table: { ...still, colourA: [0.55, 0.52, 0.48], colourB: [0.55, 0.52, 0.48] },
    floor: { ...still, colourA: [0.33, 0.34, 0.36], colourB: [0.33, 0.34, 0.36] },
    wall: [0.7, 0.71, 0.73],
  };
}

/** Distractors lie in the patch, clear of the block and of each other; one that finds no place is left out. */
function drawDistractors(random: Random, block: SceneBox, countMax: number): SceneBox[] {
  const placed: SceneBox[] = [];
  const count = random.below(Math.min(countMax, DISTRACTORS_MAX) + 1);
  for (let index = 0; index < count; index++) {
    const size = () => random.uniform(0.012, DISTRACTOR_HALF_MAX_M);
    const halfSizeM: Vec3 = [size(), size(), size()];
    const yawRad = random.uniform(0, Math.PI / 2);
    const colour = random.pick(OTHER_COLOURS);
    for (let attempt = 0; attempt < 20; attempt++) {
      const x = random.uniform(...PATCH_M.x);
      const y = random.uniform(...PATCH_M.y);
      const clear = [block, ...placed].every(
        ({ positionM }) => Math.hypot(x - positionM[0], y - positionM[1]) > 0.085,
      );
      if (!clear) continue;
      placed.push({ positionM: [x, y, halfSizeM[2]], yawRad, halfSizeM, colour });
      break;
    }
  }
  return placed;
}

function drawJitter(random: Random, on: boolean): CameraJitter {
  const triple = (deviation: number): Vec3 => [
    random.normal(0, deviation),
    random.normal(0, deviation),
    random.normal(0, deviation),
  ];
  const jitter = { translationM: triple(0.003), rotationRad: triple(0.012), fovYDeg: random.normal(0, 0.3) };
  return on ? jitter : { translationM: [0, 0, 0], rotationRad: [0, 0, 0], fovYDeg: 0 };
}

const clampColour = ([r, g, b]: Vec3): Vec3 => [clamp(r), clamp(g), clamp(b)];
const clamp = (value: number): number => Math.min(0.95, Math.max(0.02, value));
