/**
 * The one thing in a world whose shape a scene chooses: what the scene says of it is written into the model, size, place and
 * weight of each piece; nothing is compiled anew.
 */
import { type HandObject, type HandObjectPiece, OBJECT_PIECES_MAX } from "./handObjects.js";
import type { WorldModel } from "./model.js";
import { inertiaOf } from "./objectInertia.js";
import { pieceGeom } from "./propsMjcf.js";
import type { Vec3 } from "./scene.js";

export type ShapedObject = Pick<HandObject, "massKg" | "pieces">;

export class ObjectInWorld {
  readonly body: number;
  readonly #world: WorldModel;
  readonly #pieces: readonly Readonly<Record<"box" | "capsule", number>>[];

  constructor(world: WorldModel) {
    this.#world = world;
    this.body = world.bodyId("object");
    this.#pieces = Array.from({ length: OBJECT_PIECES_MAX }, (_, index) => ({
      box: world.geomId(pieceGeom("box", index)),
      capsule: world.geomId(pieceGeom("capsule", index)),
    }));
  }

  shape(object: ShapedObject): void {
    const { model, data, mujoco, qpos } = this.#world;
    const contypes: Int32Array = model.geom_contype;
    const conaffinities: Int32Array = model.geom_conaffinity;
    const [sizes, places, turns, bounds, boxes]: Float64Array[] = [
      model.geom_size,
      model.geom_pos,
      model.geom_quat,
      model.geom_rbound,
      model.geom_aabb,
    ];
    this.#pieces.forEach((geoms, index) => {
      const piece = object.pieces[index];
      for (const kind of ["box", "capsule"] as const) {
        const geom = geoms[kind];
        const isUsed = piece?.kind === kind;
        contypes[geom] = conaffinities[geom] = isUsed ? 1 : 0;
        // Also what is not there has always the same size: it takes part in the search for contacts.
        const { sizeM, positionM, quatXyzw: [x, y, z, w] = [0, 0, 0, 1] } = isUsed ? piece : UNUSED;
        sizes!.set(sizeM, 3 * geom);
        places!.set(positionM, 3 * geom);
        turns!.set([w, x, y, z], 4 * geom);
        bounds![geom] = boundM({ kind, sizeM });
        boxes!.set([0, 0, 0, ...outerHalfM({ kind, sizeM })], 6 * geom);
      }
    });
    const { centreM, quatWxyz, momentsKgM2 } = inertiaOf(object);
    const { body } = this;
    model.body_mass[body] = object.massKg;
    model.body_ipos.set(centreM, 3 * body);
    model.body_iquat.set(quatWxyz, 4 * body);
    model.body_inertia.set(momentsKgM2, 3 * body);
    this.#bound(object, centreM);
    // The solver's scales follow from masses; computing them goes through the reference pose.
    const before = qpos.slice();
    mujoco.mj_setConst(model, data);
    qpos.set(before);
  }

  /** The search for contacts begins with a box around the whole body, about its centre of mass. */
  #bound({ pieces }: ShapedObject, centreM: Vec3): void {
    const { model } = this.#world;
    const reachesM = pieces.map((piece) => {
      const awayM = Math.hypot(...piece.positionM.map((at, axis) => at - centreM[axis]!));
      return awayM + boundM(piece);
    });
    const halfM = Math.max(...reachesM);
    const root: number = model.body_bvhadr[this.body];
    model.bvh_aabb.set([0, 0, 0, halfM, halfM, halfM], 6 * root);
  }
}

/** No point of a piece is farther from its middle [m]. */
const boundM = ({ kind, sizeM }: Pick<HandObjectPiece, "kind" | "sizeM">): number =>
  kind === "box" ? Math.hypot(...sizeM) : sizeM[0] + sizeM[1];

/** Half sides of the box around a piece, along its own axes [m]. */
const outerHalfM = ({ kind, sizeM: [a, b, c] }: Pick<HandObjectPiece, "kind" | "sizeM">): Vec3 =>
  kind === "box" ? [a, b, c] : [a, a, a + b];

const UNUSED: Pick<HandObjectPiece, "sizeM" | "positionM" | "quatXyzw"> = {
  sizeM: [0.005, 0.005, 0.005],
  positionM: [0, 0, 0],
};
