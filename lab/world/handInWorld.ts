/**
 * The hand of a simulated world and the object on its palm: joints, palm, fingertips, and the object's shape, weight and
 * pose. What the scene says of an object is written into the model; nothing is compiled anew.
 */

import { FINGERS } from "../../kinematics/allegro/hand.js";
import { compose, invert, type Pose, transformPoint } from "../../kinematics/pose.js";
import { fingertipSite } from "../allegro/mjcf.js";
import { startRadOf } from "../allegro/model.js";
import { type HandObject, type HandObjectPiece, OBJECT_PIECES_MAX } from "./handObjects.js";
import { type HandScene, objectStart } from "./handScene.js";
import { HAND_PREFIX } from "./mjcf.js";
import type { WorldModel } from "./model.js";
import { inertiaOf } from "./objectInertia.js";
import type { HandPart } from "./parts.js";
import { pieceGeom } from "./propsMjcf.js";
import type { Vec3 } from "./scene.js";

export class HandInWorld {
  /** Live views: angles [rad] and velocities [rad/s] of the sixteen joints, wire order. */
  readonly positionRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  /** What the motors exert [N m]; beyond their limits they exert these. */
  readonly torqueNm: Float64Array;
  /** What else turns the joints [N m]. */
  readonly pushNm: Float64Array;
  readonly palmBody: number;
  readonly #world: WorldModel;
  readonly #part: HandPart;
  readonly #sites: readonly number[];
  readonly #object: number;
  readonly #objectWrench: Float64Array;
  #isPushed = false;
  readonly #pieces: readonly Readonly<Record<"box" | "capsule", number>>[];

  constructor(world: WorldModel, part: HandPart) {
    const { layout, data } = world;
    const { handIndex, handJoints, handMotor } = layout;
    this.#world = world;
    this.#part = part;
    this.positionRad = world.qpos.subarray(handIndex, handIndex + handJoints);
    this.velocityRadPerS = world.qvel.subarray(handIndex, handIndex + handJoints);
    this.torqueNm = world.ctrl.subarray(handMotor, handMotor + handJoints);
    this.pushNm = data.qfrc_applied.subarray(handIndex, handIndex + handJoints);
    this.palmBody = world.bodyId(`${HAND_PREFIX}palm`);
    this.#sites = FINGERS.map((finger) => world.siteId(fingertipSite(finger, HAND_PREFIX)));
    const hasObject = world.parts.props === "palm";
    this.#object = hasObject ? world.bodyId("object") : 0;
    this.#objectWrench = data.xfrc_applied.subarray(6 * this.#object, 6 * this.#object + 6);
    this.#pieces = Array.from({ length: hasObject ? OBJECT_PIECES_MAX : 0 }, (_, index) => ({
      box: world.geomId(pieceGeom("box", index)),
      capsule: world.geomId(pieceGeom("capsule", index)),
    }));
  }

  toStart(): void {
    this.positionRad.set(startRadOf(this.#part.model, this.#part.side));
  }

  /** Of the palm's frame in the base frame, after `kinematics`. */
  palmPose(): Pose {
    return this.#world.bodyPose(this.palmBody);
  }

  /** Centres of the fingertips' balls [m], palm frame, wire order, three numbers each; after `kinematics`. */
  tipsM(out: Float64Array): void {
    const toPalm = invert(this.palmPose());
    const sites: Float64Array = this.#world.data.site_xpos;
    this.#sites.forEach((site, finger) => {
      const [x, y, z] = sites.subarray(3 * site, 3 * site + 3) as unknown as [number, number, number];
      out.set(transformPoint(toPalm, [x, y, z]), 3 * finger);
    });
  }

  /** Of the object in the palm's frame, after `kinematics`. */
  objectPose(): Pose {
    return compose(invert(this.palmPose()), this.#world.bodyPose(this.#object));
  }

  /** Puts the scene's object on the palm, wherever the palm is now. */
  placeObject(scene: HandScene): void {
    this.#shape(scene.object);
    this.#world.kinematics();
    this.#world.placeFree(0, compose(this.palmPose(), objectStart(scene)));
  }

  /** A person pushes at its centre of mass; nobody where there is no force [N, base frame]. */
  pushObject(forceN: Float64Array | undefined): void {
    if (forceN === undefined && !this.#isPushed) return;
    this.#isPushed = forceN !== undefined;
    this.#objectWrench.fill(0);
    if (forceN !== undefined) this.#objectWrench.set(forceN);
  }

  #shape(object: HandObject): void {
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
    const body = this.#object;
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
  #bound({ pieces }: HandObject, centreM: Vec3): void {
    const { model } = this.#world;
    const reachesM = pieces.map((piece) => {
      const awayM = Math.hypot(...piece.positionM.map((at, axis) => at - centreM[axis]!));
      return awayM + boundM(piece);
    });
    const halfM = Math.max(...reachesM);
    const root: number = model.body_bvhadr[this.#object];
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
