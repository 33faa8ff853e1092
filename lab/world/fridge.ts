/**
 * A small fridge on the arm's table: a case that stands, and a door on a hinge that somebody has left open. Its own frame
 * has its origin in the middle of the footprint, x out of the front, y to the side of the hinge, z up.
 */
import { type Pose, quatFromRpy } from "../../kinematics/pose.js";
import { CONTACT, text } from "./mjcfText.js";
import type { WorldModel } from "./model.js";
import { Random } from "./random.js";
import { drawLook, type SceneLook, type SceneOptions, type SceneRequest, type Vec3 } from "./scene.js";
import type { NamedThing, TableKind } from "./tables.js";

export interface Fridge {
  /** Middle of its footprint [m], base frame. */
  readonly placeM: readonly [number, number];
  /** Heading of its front [rad], base frame. */
  readonly yawRad: number;
  /** How far the door is open at first. */
  readonly doorRad: number;
  readonly outside: Vec3;
  readonly inside: Vec3;
  readonly handle: Vec3;
}

export interface FridgeScene extends SceneLook {
  readonly props: "fridge";
  readonly fridge: Fridge;
}

/** Outer sizes of the case, and of the door [m]. */
export const FRIDGE_M = { depth: 0.12, width: 0.17, height: 0.14, wall: 0.008, door: 0.014, gap: 0.008 };
/** Where its middle is put [m]: front and door are then where the tool reaches and the camera sees. */
export const FRIDGE_PATCH_M = { x: [0.51, 0.58], y: [-0.06, 0.09] } as const;
/** About facing the arm's foot. */
const YAW_SPREAD_RAD = 0.3;
const DOOR_RAD = [0.6, 1.65] as const;
const DOOR_MAX_RAD = 1.9;

const OUTSIDES: readonly Vec3[] = [
  [0.88, 0.88, 0.88],
  [0.85, 0.8, 0.62],
  [0.55, 0.78, 0.68],
  [0.5, 0.68, 0.85],
  [0.75, 0.2, 0.18],
  [0.42, 0.43, 0.45],
];

/** Half sizes and middles of the case's walls [m], own frame. */
const { depth, width, height, wall, door, gap } = FRIDGE_M;
const [dx, dy] = [depth / 2, width / 2];
const WALLS: readonly (readonly [name: string, halfM: Vec3, atM: Vec3, face: "outside" | "inside"])[] = [
  ["back", [wall / 2, dy, height / 2], [-dx + wall / 2, 0, height / 2], "outside"],
  ["left", [dx, wall / 2, height / 2], [0, dy - wall / 2, height / 2], "outside"],
  ["right", [dx, wall / 2, height / 2], [0, -dy + wall / 2, height / 2], "outside"],
  ["bottom", [dx, dy, wall / 2], [0, 0, wall / 2], "outside"],
  ["top", [dx, dy, wall / 2], [0, 0, height - wall / 2], "outside"],
  ["shelf", [dx - 0.01, dy - wall, 0.002], [-0.008, 0, 0.075], "inside"],
];

/** In the door's frame: origin on the hinge, y towards it from the free edge, x out of its outer side when it is shut. */
const DOOR_HALF_M: Vec3 = [door / 2, dy, (height - gap) / 2];
const DOOR_AT_M: Vec3 = [door / 2, -dy, gap + DOOR_HALF_M[2]];
const HANDLE_HALF_M: Vec3 = [0.004, 0.005, 0.03];
const HANDLE_AT_M: Vec3 = [door + HANDLE_HALF_M[0], -width + 0.014, 0.07];
const DOOR_KG = 0.25;

export function drawFridgeScene(request: SceneRequest, options: SceneOptions): FridgeScene {
  const random = new Random(request.seed);
  const place = random.fork("fridge");
  const drawnM = [place.uniform(...FRIDGE_PATCH_M.x), place.uniform(...FRIDGE_PATCH_M.y)] as const;
  const yawRad = Math.PI + place.uniform(-YAW_SPREAD_RAD, YAW_SPREAD_RAD);
  const doorRad = place.uniform(...DOOR_RAD);
  const paint = place.pick(OUTSIDES).map((share) => share + place.uniform(-0.05, 0.05));
  const light = place.uniform(0.75, 0.92);
  const dark = place.uniform(0.08, 0.3);
  return {
    props: "fridge",
    ...drawLook(random, request, options),
    fridge: {
      placeM: request.blockM ?? drawnM,
      yawRad,
      doorRad,
      outside: paint as unknown as Vec3,
      inside: [light, light, light],
      handle: [dark, dark, dark],
    },
  };
}

export const fridgePose = ({ placeM: [x, y], yawRad }: Pick<Fridge, "placeM" | "yawRad">): Pose => ({
  positionM: [x, y, 0],
  quatXyzw: quatFromRpy(0, 0, yawRad),
});

/** Where the door is [m], seen from above in the base frame. */
export interface DoorPlace {
  readonly hingeM: readonly [number, number];
  /** Unit vectors: from the hinge along the door to its free edge, and out of its outer side. */
  readonly along: readonly [number, number];
  readonly outward: readonly [number, number];
}

export function doorPlace(
  { placeM: [x, y], yawRad }: Pick<Fridge, "placeM" | "yawRad">,
  doorRad: number,
): DoorPlace {
  const turned = (u: number, v: number) =>
    [u * Math.cos(yawRad) - v * Math.sin(yawRad), u * Math.sin(yawRad) + v * Math.cos(yawRad)] as const;
  const [hx, hy] = turned(dx, dy);
  return {
    hingeM: [x + hx, y + hy],
    along: turned(Math.sin(doorRad), -Math.cos(doorRad)),
    outward: turned(Math.cos(doorRad), Math.sin(doorRad)),
  };
}

/** Half way up the door's free edge [m], base frame. */
export function doorEdgeM(
  fridge: Pick<Fridge, "placeM" | "yawRad">,
  doorRad: number,
): [number, number, number] {
  const { hingeM, along } = doorPlace(fridge, doorRad);
  return [hingeM[0] + width * along[0], hingeM[1] + width * along[1], height / 2];
}

export const FRIDGE_TABLE: TableKind<FridgeScene> = {
  freeCount: 0,
  hingeCount: 1,
  apart: [["fridge", "fridge_door"]],
  solver: "plain",
  xml: fridgeXml,
  draw: drawFridgeScene,
  shown: shownFridge,
  placer: fridgePlacer,
};

const geomXml = (name: string, halfM: Vec3, atM: Vec3, more: string): string =>
  `<geom name="${name}" type="box" pos="${text(atM)}" size="${text(halfM)}" rgba="0.88 0.88 0.88 1" ${more}/>`;

/** The case is part of the table; a scene moves it there. The hinge is a little stiff, so that the door stays where it is left. */
function fridgeXml(): string {
  return [
    `<body name="fridge" pos="0.54 0 0" quat="0 0 0 1">`,
    ...WALLS.map(([name, halfM, atM]) => geomXml(`fridge_${name}`, halfM, atM, CONTACT)),
    `<body name="fridge_door" pos="${dx} ${dy} 0">`,
    `<joint name="fridge_hinge" type="hinge" axis="0 0 1" range="0 ${DOOR_MAX_RAD}" solreflimit="0.005 1" damping="0.06" frictionloss="0.02" armature="0.0005"/>`,
    geomXml("fridge_door", DOOR_HALF_M, DOOR_AT_M, `mass="${DOOR_KG}" ${CONTACT}`),
    geomXml("fridge_handle", HANDLE_HALF_M, HANDLE_AT_M, `mass="0.01" ${CONTACT}`),
    "</body></body>",
  ].join("\n");
}

function shownFridge({ fridge }: FridgeScene): NamedThing[] {
  return [
    ...WALLS.map(([name, sizeM, , face]): NamedThing => [`fridge_${name}`, { sizeM, colour: fridge[face] }]),
    ["fridge_door", { sizeM: DOOR_HALF_M, colour: fridge.outside }],
    ["fridge_handle", { sizeM: HANDLE_HALF_M, colour: fridge.handle }],
  ];
}

/** A body without a joint is where the model says. */
function fridgePlacer(world: WorldModel): (scene: FridgeScene) => void {
  const body = world.bodyId("fridge");
  const placesM: Float64Array = world.model.body_pos;
  const turnsWxyz: Float64Array = world.model.body_quat;
  return ({ fridge }) => {
    const { positionM, quatXyzw } = fridgePose(fridge);
    const [x, y, z, w] = quatXyzw;
    placesM.set(positionM, 3 * body);
    turnsWxyz.set([w, x, y, z], 4 * body);
    world.qpos[world.layout.hingeIndex] = fridge.doorRad;
  };
}
