/**
 * One fruit on the arm's table, of those that PickFruit is demonstrated with or of others that no policy has seen. A fruit's
 * frame has its origin where fingers take it, z up as it lies, x along it where it is longer than wide.
 */
import { CerebellumError } from "../../core/errors.js";
import { quatFromRpy } from "../../kinematics/pose.js";
import type { HandObjectPiece } from "./handObjects.js";
import type { WorldModel } from "./model.js";
import { ObjectInWorld } from "./objectInWorld.js";
import { objectXml, piecesShown } from "./propsMjcf.js";
import { Random } from "./random.js";
import { drawLook, type SceneLook, type SceneOptions, type SceneRequest, type Vec3 } from "./scene.js";
import type { TableKind } from "./tables.js";

export interface Fruit {
  readonly name: string;
  /** Whether demonstrations are made with it. */
  readonly seen: boolean;
  readonly massKg: number;
  readonly pieces: readonly HandObjectPiece[];
  /** Across it where fingers take it, and how high that is above the table [m]. */
  readonly widthM: number;
  readonly heightM: number;
  /** Longer than wide: fingers close across it. */
  readonly isLong: boolean;
}

export interface FruitScene extends SceneLook {
  readonly props: "fruit";
  /** With this scene's shades of its colours. */
  readonly fruit: Fruit;
  readonly placeM: readonly [number, number];
  readonly yawRad: number;
}

/** Where fruits lie [m]. */
export const FRUIT_PATCH_M = { x: [0.3, 0.62], y: [-0.18, 0.18] } as const;
/** A long fruit's turn: the wrist follows it either way, and never has to choose. */
const YAW_SPREAD_RAD = 1.05;
const SHADE = 0.07;
/** It begins so much above the table. */
const GAP_M = 0.0005;

type Millimetres = readonly [number, number, number];
const metres = ([x, y, z]: Millimetres): Vec3 => [x / 1000, y / 1000, z / 1000];
const LYING = quatFromRpy(0, Math.PI / 2, 0);

const ball = (radiusMm: number, atMm: Millimetres, colour: Vec3): HandObjectPiece => ({
  kind: "capsule",
  sizeM: [radiusMm / 1000, 0.002, 0],
  positionM: metres(atMm),
  colour,
});
/** A lying oval: a ball drawn out along x, turned about z. @param lengthMm over all */
const oval = (
  radiusMm: number,
  lengthMm: number,
  atMm: Millimetres,
  colour: Vec3,
  turnDeg = 0,
): HandObjectPiece => ({
  kind: "capsule",
  sizeM: [radiusMm / 1000, lengthMm / 2000 - radiusMm / 1000, 0],
  positionM: metres(atMm),
  quatXyzw: turnDeg === 0 ? LYING : quatFromRpy(0, Math.PI / 2, (turnDeg * Math.PI) / 180),
  colour,
});

/** @param widthMm across its first piece, which lies on the table and is where fingers take it */
function fruit(name: string, massKg: number, widthMm: number, isLong: boolean, seen: boolean) {
  return (...pieces: readonly HandObjectPiece[]): Fruit => ({
    name,
    seen,
    massKg,
    pieces,
    widthM: widthMm / 1000,
    heightM: widthMm / 2000,
    isLong,
  });
}

const GREEN: Vec3 = [0.2, 0.45, 0.1];
const BROWN: Vec3 = [0.3, 0.2, 0.1];
const YELLOW: Vec3 = [0.9, 0.75, 0.1];
const MANGO: Vec3 = [0.85, 0.55, 0.12];
const PEAR: Vec3 = [0.68, 0.72, 0.2];
const AVOCADO: Vec3 = [0.12, 0.2, 0.08];
const FIG: Vec3 = [0.25, 0.12, 0.3];

/** 48 to 60 mm across: fingers that come down beside them have a centimetre, and their pads reach below the middle. */
export const FRUITS: readonly Fruit[] = [
  fruit("orange", 0.08, 60, false, true)(ball(30, [0, 0, 0], [0.9, 0.42, 0.05]), ball(3, [0, 0, 29], GREEN)),
  fruit("apple", 0.07, 57, false, true)(ball(28.5, [0, 0, 0], [0.75, 0.1, 0.08]), ball(3, [0, 0, 30], BROWN)),
  fruit("plum", 0.05, 49, false, true)(ball(24.5, [0, 0, 0], [0.35, 0.1, 0.38])),
  fruit("lemon", 0.06, 50, true, true)(oval(25, 66, [0, 0, 0], YELLOW), oval(10, 84, [0, 0, 0], YELLOW)),
  fruit("kiwi", 0.06, 51, true, true)(oval(25.5, 70, [0, 0, 0], [0.38, 0.28, 0.12])),
  fruit("lime", 0.05, 48, true, true)(oval(24, 60, [0, 0, 0], [0.3, 0.55, 0.1])),
  fruit("mango", 0.09, 54, true, true)(oval(27, 84, [0, 0, 0], MANGO), oval(21, 66, [22, 0, -5], MANGO)),
  fruit("peach", 0.07, 54, false, false)(ball(27, [0, 0, 0], [0.9, 0.55, 0.4])),
  fruit(
    "pear",
    0.08,
    54,
    true,
    false,
  )(ball(27, [0, 0, 0], PEAR), oval(18, 72, [28, 0, -9], PEAR), ball(4, [66, 0, -9], BROWN)),
  fruit(
    "avocado",
    0.09,
    56,
    true,
    false,
  )(oval(28, 66, [0, 0, 0], AVOCADO), oval(20, 64, [24, 0, -8], AVOCADO)),
  fruit("fig", 0.05, 49, true, false)(ball(24.5, [0, 0, 0], FIG), oval(15, 54, [18, 0, -9], FIG)),
];

/** @throws CerebellumError LAB_REFUSED for a fruit that nobody knows */
export function fruitOf(name: string): Fruit {
  const found = FRUITS.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new CerebellumError(
    "LAB_REFUSED",
    `No fruit is called ${name}; there are ${FRUITS.map((one) => one.name).join(", ")}`,
    "Name one of them; lab/world/fruits.ts describes them",
  );
}

/** One that demonstrations are made with, unless another is asked for. */
export function drawFruitScene(request: SceneRequest, options: SceneOptions): FruitScene {
  const random = new Random(request.seed);
  const place = random.fork("fruit");
  const drawn = place.pick(FRUITS.filter(({ seen }) => seen));
  const drawnM = [place.uniform(...FRUIT_PATCH_M.x), place.uniform(...FRUIT_PATCH_M.y)] as const;
  const yawRad = place.uniform(-YAW_SPREAD_RAD, YAW_SPREAD_RAD);
  const shade: Millimetres = [0, 0, 0].map(() => place.uniform(-SHADE, SHADE)) as unknown as Millimetres;
  const chosen = request.object === undefined ? drawn : fruitOf(request.object);
  const inShade = ([r, g, b]: Vec3): Vec3 => [
    Math.max(0.02, r + shade[0]),
    Math.max(0.02, g + shade[1]),
    Math.max(0.02, b + shade[2]),
  ];
  return {
    props: "fruit",
    ...drawLook(random, request, options),
    fruit: { ...chosen, pieces: chosen.pieces.map((piece) => ({ ...piece, colour: inShade(piece.colour) })) },
    placeM: request.blockM ?? drawnM,
    yawRad,
  };
}

export const FRUIT_TABLE: TableKind<FruitScene> = {
  freeCount: 1,
  hingeCount: 0,
  apart: [],
  solver: "holding",
  // Round things stop rolling.
  xml: () => objectXml('friction="0.9 0.03 0.003" condim="6" solref="0.005 1" solimp="0.95 0.99 0.001"'),
  draw: drawFruitScene,
  shown: ({ fruit: { pieces } }) => piecesShown(pieces),
  placer: fruitPlacer,
};

function fruitPlacer(world: WorldModel): (scene: FruitScene) => void {
  const object = new ObjectInWorld(world);
  return ({ fruit: chosen, placeM: [x, y], yawRad }) => {
    object.shape(chosen);
    world.placeFree(0, { positionM: [x, y, chosen.heightM + GAP_M], quatXyzw: quatFromRpy(0, 0, yawRad) });
  };
}
