/**
 * The MuJoCo model of the cell in this thread: views on its memory by name, the scene's things put in place, and poses
 * after kinematics. Views are taken once, after everything is allocated: growth of the WebAssembly heap would detach
 * them.
 */
import loadMujoco, { type MainModule, type MjData, type MjModel } from "@mujoco/mujoco";
import { CerebellumError, errorText, invariant } from "../../core/errors.js";
import type { Pose } from "../../kinematics/pose.js";
import { HandInWorld } from "./handInWorld.js";
import { layoutOf, type WorldLayout } from "./layout.js";
import { START_POSITION_RAD, worldMjcf } from "./mjcf.js";
import type { WorldParts } from "./parts.js";
import { type TableScene, tableOf } from "./tables.js";
import type { WorldScene } from "./worldScene.js";

let loading: Promise<MainModule> | undefined;

export class WorldModel {
  readonly layout: WorldLayout;
  readonly mujoco: MainModule;
  readonly model: MjModel;
  readonly data: MjData;
  readonly qpos: Float64Array;
  readonly qvel: Float64Array;
  readonly ctrl: Float64Array;
  readonly actuatorForce: Float64Array;
  readonly gravityEffort: Float64Array;
  readonly frictionLoss: Float64Array;
  readonly gainParameters: Float64Array;
  readonly biasParameters: Float64Array;
  readonly bodyM: Float64Array;
  readonly bodyQuatWxyz: Float64Array;
  readonly geomM: Float64Array;
  readonly geomRotation: Float64Array;
  /** Of an arm: its tool point [m], base frame; the flange where it carries no gripper. */
  readonly toolM: Float64Array;
  /** Of an arm: external force [N] and torque [N m] on the last link at its centre of mass, base frame. */
  readonly flangeWrench: Float64Array;
  readonly flangeCentreM: Float64Array;
  /** With the object on its palm. */
  readonly hand: HandInWorld | undefined;
  readonly #placeOnTable: ((scene: TableScene) => void) | undefined;

  /**
   * @throws CerebellumError CONFIG_INVALID for parts that do not go together, DEVICE_MISMATCH for a hand of unknown
   * geometry, CHECK_FAILED when MuJoCo refuses the generated model
   */
  static async load(parts: WorldParts, physicsStepMs = 2): Promise<WorldModel> {
    refuseOddParts(parts);
    const xml = worldMjcf(parts, physicsStepMs);
    loading ??= loadMujoco();
    const mujoco = await loading;
    try {
      return new WorldModel(mujoco, parts, xml);
    } catch (cause) {
      throw new CerebellumError(
        "CHECK_FAILED",
        `MuJoCo refused the generated cell: ${errorText(cause)}`,
        "This is a defect of the lab; report it with the cell file",
        cause,
      );
    }
  }

  private constructor(
    mujoco: MainModule,
    readonly parts: WorldParts,
    xml: string,
  ) {
    this.layout = layoutOf(parts);
    this.mujoco = mujoco;
    this.model = mujoco.MjModel.from_xml_string(xml);
    this.data = new mujoco.MjData(this.model);
    const { model, data } = this;
    const { positionCount, velocityCount } = this.layout;
    invariant(model.nq === positionCount && model.nv === velocityCount, `nq ${model.nq}, nv ${model.nv}`);
    this.qpos = data.qpos;
    this.qvel = data.qvel;
    this.ctrl = data.ctrl;
    this.actuatorForce = data.actuator_force;
    this.gravityEffort = data.qfrc_gravcomp;
    this.frictionLoss = model.dof_frictionloss;
    this.gainParameters = model.actuator_gainprm;
    this.biasParameters = model.actuator_biasprm;
    this.bodyM = data.xpos;
    this.bodyQuatWxyz = data.xquat;
    this.geomM = data.geom_xpos;
    this.geomRotation = data.geom_xmat;
    const hasArm = parts.arm !== undefined;
    const tool = hasArm ? this.siteId("tool") : 0;
    this.toolM = hasArm ? data.site_xpos.subarray(3 * tool, 3 * tool + 3) : new Float64Array(3);
    const flange = hasArm ? this.bodyId("link7") : 0;
    this.flangeWrench = data.xfrc_applied.subarray(6 * flange, 6 * flange + 6);
    this.flangeCentreM = data.xipos.subarray(3 * flange, 3 * flange + 3);
    this.#placeOnTable = parts.props === "palm" ? undefined : tableOf(parts.props).placer(this);
    this.hand = parts.hand === undefined ? undefined : new HandInWorld(this, parts.hand);
    this.#toStart();
  }

  /** As it was loaded: what the solver remembers of the last step is forgotten too. */
  reset(): void {
    this.mujoco.mj_resetData(this.model, this.data);
    this.#toStart();
  }

  #toStart(): void {
    if (this.parts.arm !== undefined) this.qpos.set(START_POSITION_RAD);
    this.hand?.toStart();
    this.kinematics();
  }

  geomId(name: string): number {
    return this.#id(this.mujoco.mjtObj.mjOBJ_GEOM.value, name);
  }

  bodyId(name: string): number {
    return this.#id(this.mujoco.mjtObj.mjOBJ_BODY.value, name);
  }

  siteId(name: string): number {
    return this.#id(this.mujoco.mjtObj.mjOBJ_SITE.value, name);
  }

  #id(kind: number, name: string): number {
    const id = this.mujoco.mj_name2id(this.model, kind, name);
    invariant(id >= 0, `the model has ${name}`);
    return id;
  }

  /** Pose of a body in the base frame, after `kinematics`. */
  bodyPose(body: number): Pose {
    const [w, x, y, z] = this.bodyQuatWxyz.subarray(4 * body, 4 * body + 4) as unknown as Four;
    const [px, py, pz] = this.bodyM.subarray(3 * body, 3 * body + 3) as unknown as [number, number, number];
    return { positionM: [px, py, pz], quatXyzw: [x, y, z, w] };
  }

  /** Poses of all bodies and shapes at the present `qpos`. */
  kinematics(): void {
    this.mujoco.mj_kinematics(this.model, this.data);
  }

  step(): void {
    this.mujoco.mj_step(this.model, this.data);
  }

  /** Sets the gripper's whole linkage to a drive angle [rad]. */
  setGripper(driveRad: number): void {
    const { driveIndex, gripperJoints } = this.layout;
    this.qpos.fill(driveRad, driveIndex, driveIndex + gripperJoints);
  }

  /** Puts what the scene has where it has it, at rest; robots stay as they are. */
  placeScene(scene: WorldScene): void {
    this.qvel.fill(0, this.layout.freeIndex);
    invariant(scene.props === this.parts.props, `a scene of ${this.parts.props}, not ${scene.props}`);
    if (scene.props === "palm") this.hand?.placeObject(scene);
    else this.#placeOnTable?.(scene);
  }

  /** Puts a free thing into a pose of the base frame. */
  placeFree(slot: number, { positionM, quatXyzw: [x, y, z, w] }: Pose): void {
    this.qpos.set([...positionM, w, x, y, z], this.layout.freeIndex + 7 * slot);
  }

  dispose(): void {
    this.data.delete();
    this.model.delete();
  }
}

type Four = [number, number, number, number];

function refuseOddParts({ arm, hand, props }: WorldParts): void {
  const wrong =
    props === "palm" && hand === undefined
      ? "an object on a palm, and no hand"
      : props !== "palm" && arm === undefined
        ? "things on an arm's table, and no arm"
        : hand?.on === "flange" && arm === undefined
          ? "a hand on a flange, and no arm"
          : arm?.gripper && hand?.on === "flange"
            ? "a gripper and a hand on one flange"
            : undefined;
  if (wrong === undefined) return;
  throw new CerebellumError(
    "CONFIG_INVALID",
    `The simulated cell would have ${wrong}`,
    "Correct the cell's robots, or lab.world; launch/cells/ has examples",
  );
}
