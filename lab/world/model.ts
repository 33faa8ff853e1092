/**
 * The MuJoCo model of the cell in this thread: views on its memory by name, the scene's boxes put in place, and poses
 * after kinematics. Views are taken once, after everything is allocated: growth of the WebAssembly heap would detach
 * them.
 */
import loadMujoco, { type MainModule, type MjData, type MjModel } from "@mujoco/mujoco";
import { CerebellumError, errorText, invariant } from "../../core/errors.js";
import { BLOCK_INDEX, DRIVE_INDEX, POSITION_COUNT, VELOCITY_COUNT } from "./layout.js";
import { parkingM, START_POSITION_RAD, uprightQuat, worldMjcf } from "./mjcf.js";
import type { LabCamera } from "./mount.js";
import { DISTRACTORS_MAX, type Scene, type SceneBox } from "./scene.js";

let loading: Promise<MainModule> | undefined;

export class WorldModel {
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
  readonly toolM: Float64Array;
  /** External force [N] and torque [N m] on the last link at its centre of mass, base frame. */
  readonly flangeWrench: Float64Array;
  readonly flangeCentreM: Float64Array;
  readonly #distractorGeoms: readonly number[];
  readonly #distractorBodies: readonly number[];

  /** @throws CerebellumError CHECK_FAILED when MuJoCo refuses the generated model */
  static async load(camera: LabCamera, physicsStepMs = 2): Promise<WorldModel> {
    loading ??= loadMujoco();
    const mujoco = await loading;
    try {
      return new WorldModel(mujoco, worldMjcf(camera, physicsStepMs));
    } catch (cause) {
      throw new CerebellumError(
        "CHECK_FAILED",
        `MuJoCo refused the generated cell: ${errorText(cause)}`,
        "This is a defect of the lab; report it with the cell file",
        cause,
      );
    }
  }

  private constructor(mujoco: MainModule, xml: string) {
    this.mujoco = mujoco;
    this.model = mujoco.MjModel.from_xml_string(xml);
    this.data = new mujoco.MjData(this.model);
    const { model, data } = this;
    invariant(model.nq === POSITION_COUNT && model.nv === VELOCITY_COUNT, `nq ${model.nq}, nv ${model.nv}`);
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
    this.toolM = data.site_xpos;
    const flange = this.bodyId("link7");
    this.flangeWrench = data.xfrc_applied.subarray(6 * flange, 6 * flange + 6);
    this.flangeCentreM = data.xipos.subarray(3 * flange, 3 * flange + 3);
    const names = Array.from({ length: DISTRACTORS_MAX }, (_, index) => `distractor${index}`);
    this.#distractorGeoms = names.map((name) => this.geomId(name));
    this.#distractorBodies = names.map((name) => this.bodyId(name));
    this.qpos.set(START_POSITION_RAD);
    this.kinematics();
  }

  /** As it was loaded: what the solver remembers of the last step is forgotten too. */
  reset(): void {
    this.mujoco.mj_resetData(this.model, this.data);
    this.qpos.set(START_POSITION_RAD);
    this.kinematics();
  }

  geomId(name: string): number {
    return this.#id(this.mujoco.mjtObj.mjOBJ_GEOM.value, name);
  }

  bodyId(name: string): number {
    return this.#id(this.mujoco.mjtObj.mjOBJ_BODY.value, name);
  }

  #id(kind: number, name: string): number {
    const id = this.mujoco.mj_name2id(this.model, kind, name);
    invariant(id >= 0, `the model has ${name}`);
    return id;
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
    this.qpos.fill(driveRad, DRIVE_INDEX, BLOCK_INDEX);
  }

  /** Puts block and distractors where the scene has them, at rest; the arm stays as it is. */
  placeScene(scene: Scene): void {
    this.qvel.fill(0, BLOCK_INDEX);
    this.#place(0, scene.block);
    const contypes: Int32Array = this.model.geom_contype;
    const conaffinities: Int32Array = this.model.geom_conaffinity;
    const sizes: Float64Array = this.model.geom_size;
    const compensation: Float64Array = this.model.body_gravcomp;
    for (let index = 0; index < DISTRACTORS_MAX; index++) {
      const box = scene.distractors[index];
      const geom = this.#distractorGeoms[index]!;
      this.#place(1 + index, box ?? { positionM: parkingM(index), yawRad: 0 });
      contypes[geom] = conaffinities[geom] = box === undefined ? 0 : 1;
      compensation[this.#distractorBodies[index]!] = box === undefined ? 1 : 0;
      if (box !== undefined) sizes.set(box.halfSizeM, 3 * geom);
    }
  }

  #place(slot: number, { positionM, yawRad }: Pick<SceneBox, "positionM" | "yawRad">): void {
    const [x, y, z, w] = uprightQuat(yawRad);
    this.qpos.set([...positionM, w, x, y, z], BLOCK_INDEX + 7 * slot);
  }

  dispose(): void {
    this.data.delete();
    this.model.delete();
  }
}
