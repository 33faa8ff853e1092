/** What stands and lies around the robots, as MuJoCo XML: table, a hand's stand, the object on its palm. */
import { type Pose, transformPoint } from "../../kinematics/pose.js";
import { type HandObjectPiece, OBJECT_PIECES_MAX } from "./handObjects.js";
import { CONTACT, DARK_GREY, text } from "./mjcfText.js";
import type { NamedThing } from "./tables.js";

export const FLOOR_Z_M = -0.75;
export const FLOOR_HALF_M = 6;

/** Unused boxes wait here, out of every picture, floating. */
export const parkingM = (index: number): readonly [number, number, number] => [-3 - 0.3 * index, 0, -5];

export interface Table {
  readonly centreM: readonly [number, number];
  /** Its top is at z 0. */
  readonly halfM: readonly [number, number, number];
}
/** The arm's: x from -0.15 to 0.95, y ±0.6. */
export const TABLE: Table = { centreM: [0.4, 0], halfM: [0.55, 0.6, 0.02] };
/** Of a hand alone. */
export const STAND_TABLE: Table = { centreM: [0.05, 0], halfM: [0.45, 0.45, 0.02] };

export function furnitureXml({ centreM: [x, y], halfM }: Table): string {
  const [hx, hy, hz] = halfM;
  const legHalfM = (-FLOOR_Z_M - 2 * hz) / 2;
  const legs = [-1, 1].flatMap((sx) =>
    [-1, 1].map(
      (sy) =>
        `<geom class="show" type="box" pos="${text([x + sx * (hx - 0.05), y + sy * (hy - 0.05), -2 * hz - legHalfM])}" size="${text([0.025, 0.025, legHalfM])}" rgba="${DARK_GREY}"/>`,
    ),
  );
  return [
    `<geom name="floor" type="plane" pos="0 0 ${FLOOR_Z_M}" size="${FLOOR_HALF_M} ${FLOOR_HALF_M} 0.1" rgba="0.33 0.34 0.36 1"/>`,
    `<geom name="table" type="box" pos="${text([x, y, -hz])}" size="${text(halfM)}" rgba="0.55 0.52 0.48 1" ${CONTACT}/>`,
    ...legs,
  ].join("\n");
}

/** A post from the table to the middle of the palm's back; for show. */
export function standXml(mount: Pose): string {
  const [x, y, z] = transformPoint(mount, PALM_BACK_M);
  const box = (halfM: readonly number[], heightM: number) =>
    `<geom class="show" type="box" pos="${text([x, y, heightM])}" size="${text(halfM)}" rgba="${DARK_GREY}"/>`;
  return [box([0.02, 0.03, z / 2], z / 2), box([0.07, 0.06, 0.005], 0.005)].join("\n");
}
const PALM_BACK_M = [-0.028, 0, -0.055] as const;

/** Of the object's shapes: no piece is larger while it is not set. */
const PIECE_HALF_M = 0.01;
/** Hard enough that nothing sinks in under a fingertip's push, and not to rattle at steps of a millisecond. */
const OBJECT_CONTACT = 'friction="0.9 0.01 0.0002" condim="4" solref="0.005 1" solimp="0.95 0.99 0.0005"';

/**
 * Room for any object: a box and a capsule for each piece, which the scene gives their size, place and weight. Frames of
 * body, inertia and shapes all differ, so that MuJoCo assumes of none of them that it is another's.
 */
export function objectXml(contact = OBJECT_CONTACT): string {
  const odd = (index: number) => `pos="${0.001 + 0.001 * index} 0.002 0.003" quat="0.9 0.1 0.2 0.3"`;
  const pieces = Array.from({ length: OBJECT_PIECES_MAX }, (_, index) =>
    [
      `<geom name="${pieceGeom("box", index)}" type="box" ${odd(index)} size="${PIECE_HALF_M} ${PIECE_HALF_M} ${PIECE_HALF_M}" ${contact}/>`,
      `<geom name="${pieceGeom("capsule", index)}" type="capsule" ${odd(index)} size="${PIECE_HALF_M} ${PIECE_HALF_M}" ${contact}/>`,
    ].join("\n"),
  );
  return [
    `<body name="object" pos="0 0 1"><freejoint/>`,
    `<inertial mass="0.04" pos="0.001 0.001 0.001" quat="0.8 0.3 0.2 0.1" diaginertia="1e-5 1.1e-5 1.2e-5"/>`,
    ...pieces,
    "</body>",
  ].join("\n");
}

export const pieceGeom = (kind: "box" | "capsule", index: number): string => `object${index}_${kind}`;

/** How an object's pieces look, and that its other shapes are not there. */
export const piecesShown = (pieces: readonly HandObjectPiece[]): NamedThing[] =>
  Array.from({ length: OBJECT_PIECES_MAX }, (_, index) => pieces[index]).flatMap((piece, index) =>
    (["box", "capsule"] as const).map(
      (kind): NamedThing => [pieceGeom(kind, index), piece?.kind === kind ? piece : undefined],
    ),
  );
