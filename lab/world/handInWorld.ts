/**
 * The hand of a simulated world and the object on its palm: joints, palm, fingertips, and where the object is.
 */

import { FINGERS } from "../../kinematics/allegro/hand.js";
import { compose, invert, type Pose, transformPoint } from "../../kinematics/pose.js";
import { fingertipSite } from "../allegro/mjcf.js";
import { startRadOf } from "../allegro/model.js";
import { type HandScene, objectStart } from "./handScene.js";
import { HAND_PREFIX } from "./mjcf.js";
import type { WorldModel } from "./model.js";
import { ObjectInWorld } from "./objectInWorld.js";
import type { HandPart } from "./parts.js";

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
  /** On the palm, if anything is. */
  readonly #object: ObjectInWorld | undefined;
  readonly #objectWrench: Float64Array;
  #isPushed = false;

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
    this.#object = world.parts.props === "palm" ? new ObjectInWorld(world) : undefined;
    const body = this.#object?.body ?? 0;
    this.#objectWrench = data.xfrc_applied.subarray(6 * body, 6 * body + 6);
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
    return compose(invert(this.palmPose()), this.#world.bodyPose(this.#object!.body));
  }

  /** Puts the scene's object on the palm, wherever the palm is now. */
  placeObject(scene: HandScene): void {
    this.#object!.shape(scene.object);
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
}
