/**
 * Digit in MuJoCo: motors with the damping of their drives, closed loops, contact, pushes. It neither waits nor reads
 * time: whoever owns it lets whole milliseconds pass, and the same drive at the same steps gives the same bits. State is
 * copied out of MuJoCo's memory after each call: growth of the WebAssembly heap detaches every view into it.
 */
import loadMujoco, { type MainModule, type MjData, type MjModel } from "@mujoco/mujoco";
import { CerebellumError, errorText, invariant } from "../../core/errors.js";
import { DIGIT_BASE } from "../../kinematics/digit/bodies.js";
import { DIGIT_MOTORS, DIGIT_PASSIVE_JOINTS, DIGIT_STAND } from "../../kinematics/digit/motors.js";
import type { WalkVelocity } from "../../kinematics/digit/stepping.js";
import { conjugate, type QuatXyzw, rotate } from "../../kinematics/pose.js";
import type { Vector3 } from "../../kinematics/xarm7.js";
import { createDrive, createTruth, type DigitBody, type MotorDrive } from "./body.js";
import { Carriage } from "./carriage.js";
import { type Cable, Disturbances } from "./disturbances.js";
import { BAG_JOINT, digitMjcf, footSite, GRAVITY_M_PER_S2 } from "./mjcf.js";
import { DIGIT_SCENES, type DigitScene } from "./scenes.js";
import { groundNormal, heightOverGroundM, poseOn, rodTurns, startAngles } from "./start.js";

/** A millisecond is what leaf springs and contact of a sole bear, and the slowest that the robot is commanded with. */
export const DIGIT_STEP_MS = 1;
/** Feet start so far above the ground [m]. */
const CLEARANCE_M = 0.0005;
/** A foot bears weight when more presses on its sole. */
const CONTACT_N = 5;
const BIAS_NUMBERS = 10;
const VELOCITY_BIAS = 2;

export interface MujocoDigitOptions {
  readonly scene?: DigitScene;
  /** In which it starts on level ground [rad], motors in wire order; on a slope the soles turn with the ground. */
  readonly standRad?: ArrayLike<number>;
  readonly stepMs?: number;
}

interface Views {
  readonly qpos: Float64Array;
  readonly qvel: Float64Array;
  readonly qacc: Float64Array;
  readonly ctrl: Float64Array;
  readonly motorNm: Float64Array;
  readonly bias: Float64Array;
  readonly wrench: Float64Array;
  readonly centreM: Float64Array;
  readonly sensors: Float64Array;
  readonly siteM: Float64Array;
  readonly siteRotation: Float64Array;
}

interface Address {
  readonly position: number;
  readonly velocity: number;
}

let loading: Promise<MainModule> | undefined;

export class MujocoDigit implements DigitBody {
  readonly truth = createTruth();
  readonly drive: MotorDrive = createDrive();
  readonly standRad: ArrayLike<number>;
  readonly scene: DigitScene;
  /** What presses on the soles [N]: left, right. */
  readonly footForceN = new Float64Array(2);
  /** Middles of the soles in the world [m]: left, right. */
  readonly solesM = new Float64Array(6);
  /** Share of its torque that each motor gives; 1 where nothing is weak. */
  readonly motorStrength = new Float64Array(DIGIT_MOTORS.length).fill(1);
  readonly #mujoco: MainModule;
  readonly #model: MjModel;
  readonly #data: MjData;
  readonly #stepS: number;
  readonly #base: number;
  readonly #sites: readonly number[];
  readonly #motors: readonly Address[];
  readonly #passive: readonly Address[];
  readonly #disturbances = new Disturbances();
  #taken: Views | undefined;
  /** Time asked for that made no whole step yet [s]. */
  #owedS = 0;
  /** Where the torso is taken to, while it is carried. */
  #carriage: Carriage | undefined;

  /** @throws CerebellumError CHECK_FAILED when MuJoCo refuses the model, or when no leg closes in the pose of `standRad` */
  static async load(options: MujocoDigitOptions = {}): Promise<MujocoDigit> {
    loading ??= loadMujoco();
    const mujoco = await loading;
    const scene = options.scene ?? DIGIT_SCENES.flat;
    const stepMs = options.stepMs ?? DIGIT_STEP_MS;
    let model: MjModel;
    try {
      model = mujoco.MjModel.from_xml_string(digitMjcf(scene, stepMs));
    } catch (cause) {
      throw new CerebellumError(
        "CHECK_FAILED",
        `MuJoCo refused the generated Digit: ${errorText(cause)}`,
        "This is a defect of the lab; report it with the scene",
        cause,
      );
    }
    return new MujocoDigit(mujoco, model, scene, stepMs, options.standRad ?? DIGIT_STAND.positionRad);
  }

  private constructor(
    mujoco: MainModule,
    model: MjModel,
    scene: DigitScene,
    stepMs: number,
    standRad: ArrayLike<number>,
  ) {
    this.#mujoco = mujoco;
    this.#model = model;
    this.#data = new mujoco.MjData(model);
    this.#stepS = stepMs / 1000;
    this.scene = scene;
    this.standRad = poseOn(scene.ground, standRad);
    const { mjOBJ_BODY, mjOBJ_SITE } = mujoco.mjtObj;
    this.#base = this.#id(mjOBJ_BODY.value, DIGIT_BASE);
    this.#sites = (["left", "right"] as const).map((side) => this.#id(mjOBJ_SITE.value, footSite(side)));
    this.#motors = DIGIT_MOTORS.map(({ name }) => this.#address(name));
    this.#passive = DIGIT_PASSIVE_JOINTS.map((name) => this.#address(name));
    this.reset();
  }

  /** Simulated time since the start [s]. */
  get timeS(): number {
    return this.#data.time;
  }

  /** Degrees of freedom, positions and mass as MuJoCo counts them; the load counts too. */
  get size(): { positions: number; velocities: number; massKg: number } {
    const masses: Float64Array = this.#model.body_mass;
    return {
      positions: this.#model.nq,
      velocities: this.#model.nv,
      massKg: masses.reduce((sum, kg) => sum + kg, 0),
    };
  }

  /** Contacts of the last step. */
  get contactCount(): number {
    return this.#data.ncon;
  }

  /** Every position as MuJoCo orders them: base, then joints and rods. Copied. */
  positions(): Float64Array {
    return this.#views.qpos.slice();
  }

  /** How far rods' ends are from where they belong [m]: the largest of the last step. */
  get loopErrorM(): number {
    const errors: Float64Array = this.#data.efc_pos;
    let worst = 0;
    for (let loop = 0; loop < this.#data.ne; loop += 3) {
      worst = Math.max(worst, Math.hypot(errors[loop]!, errors[loop + 1]!, errors[loop + 2]!));
    }
    return worst;
  }

  get isOnLevelGround(): boolean {
    return this.scene.ground.kind === "flat";
  }

  carry(velocity: WalkVelocity | undefined): void {
    if (velocity === undefined) this.#carriage = undefined;
    else if (this.#carriage !== undefined) this.#carriage.velocity = velocity;
    else {
      const [x, y, z, w] = this.truth.quatWorldBaseXyzw as Float64Array & Four;
      this.#carriage = new Carriage(velocity, this.truth.positionWorldM, [x, y, z, w]);
    }
  }

  reset(): void {
    this.#carriage = undefined;
    this.#mujoco.mj_resetData(this.#model, this.#data);
    this.#owedS = 0;
    this.#disturbances.clear();
    for (const numbers of Object.values(this.drive) as Float64Array[]) numbers.fill(0);
    this.place(this.standRad);
  }

  /**
   * Stands on its feet with the motors at these angles [rad], at rest, the torso upright.
   * @throws CerebellumError CHECK_FAILED where a leg does not close
   */
  place(motorsRad: ArrayLike<number>): void {
    const { qpos, qvel } = this.#views;
    qvel.fill(0);
    qpos.set([0, 0, 1, 1, 0, 0, 0]);
    for (const [joint, rad] of startAngles(motorsRad)) qpos[this.#address(joint).position] = rad;
    for (const [rod, [x, y, z, w]] of rodTurns(motorsRad))
      qpos.set([w, x, y, z], this.#address(rod).position);
    this.#hangBag();
    this.#mujoco.mj_kinematics(this.#model, this.#data);
    const { siteM, siteRotation } = this.#views;
    const heightM = heightOverGroundM(this.scene.ground, this.#sites, siteM, siteRotation);
    qpos[2]! -= (heightM - CLEARANCE_M) / groundNormal(this.scene.ground)[2];
    this.#mujoco.mj_forward(this.#model, this.#data);
    this.#copy();
  }

  step(dtS: number): void {
    this.#owedS += dtS;
    // Sums of steps such as 0.001 are not whole numbers of it.
    for (; this.#owedS > this.#stepS * 0.999; this.#owedS -= this.#stepS) {
      this.#actuate();
      this.#disturb();
      this.#mujoco.mj_step(this.#model, this.#data);
      this.#take();
    }
    this.#copy();
  }

  push(forceWorldN: Vector3, durationS: number): void {
    this.#disturbances.push(forceWorldN, this.timeS + durationS);
  }

  /** A rope at the torso for a while. */
  pull(cable: Cable, durationS: number): void {
    this.#disturbances.pull(cable, this.timeS + durationS);
  }

  dispose(): void {
    this.#data.delete();
    this.#model.delete();
  }

  /** The damping term is the drive's own and acts between commands too: MuJoCo integrates it with the joint. */
  #actuate(): void {
    const { ctrl, bias } = this.#views;
    const { torqueNm, velocityRadPerS, dampingNmSPerRad } = this.drive;
    for (let motor = 0; motor < this.#motors.length; motor++) {
      const strength = this.motorStrength[motor]!;
      const damping = strength * dampingNmSPerRad[motor]!;
      ctrl[motor] = strength * torqueNm[motor]! + damping * velocityRadPerS[motor]!;
      bias[BIAS_NUMBERS * motor + VELOCITY_BIAS] = -damping;
    }
  }

  /** Whatever forces have made of the torso: it is where it is carried to. */
  #take(): void {
    const carriage = this.#carriage;
    if (carriage === undefined) return;
    carriage.move(this.#stepS);
    const { qpos, qvel, qacc } = this.#views;
    const [x, y, z, w] = carriage.quatXyzw as Float64Array & Four;
    qpos.set(carriage.positionM);
    qpos.set([w, x, y, z], 3);
    qvel.set(carriage.linearMPerS);
    qvel.set(carriage.angularBaseRadPerS, 3);
    qacc.fill(0, 0, 6);
  }

  #disturb(): void {
    const { wrench, centreM } = this.#views;
    const start = 3 * this.#base;
    wrench.set(this.#disturbances.at(this.timeS, centreM.subarray(start, start + 3)), 6 * this.#base);
  }

  #copy(): void {
    const { qpos, qvel, qacc, motorNm, sensors, siteM } = this.#views;
    const { truth } = this;
    truth.positionWorldM.set(qpos.subarray(0, 3));
    const quat: QuatXyzw = [qpos[4]!, qpos[5]!, qpos[6]!, qpos[3]!];
    truth.quatWorldBaseXyzw.set(quat);
    truth.linearVelocityWorldMPerS.set(qvel.subarray(0, 3));
    truth.angularVelocityBaseRadPerS.set(qvel.subarray(3, 6));
    const felt: Vector3 = [qacc[0]!, qacc[1]!, qacc[2]! + GRAVITY_M_PER_S2];
    truth.specificForceBaseMPerS2.set(rotate(conjugate(quat), felt));
    for (let motor = 0; motor < this.#motors.length; motor++) {
      const { position, velocity } = this.#motors[motor]!;
      truth.positionRad[motor] = qpos[position]!;
      truth.velocityRadPerS[motor] = qvel[velocity]!;
      truth.torqueNm[motor] = motorNm[motor]!;
    }
    for (let joint = 0; joint < this.#passive.length; joint++) {
      const { position, velocity } = this.#passive[joint]!;
      truth.passivePositionRad[joint] = qpos[position]!;
      truth.passiveVelocityRadPerS[joint] = qvel[velocity]!;
    }
    for (let foot = 0; foot < 2; foot++) {
      this.footForceN[foot] = sensors[foot]!;
      truth.footContact[foot] = sensors[foot]! > CONTACT_N ? 1 : 0;
      const site = 3 * this.#sites[foot]!;
      this.solesM.set(siteM.subarray(site, site + 3), 3 * foot);
    }
  }

  /** Straight down, whatever way the forearm points. */
  #hangBag(): void {
    const { load } = this.scene;
    if (load?.kind !== "bag") return;
    this.#mujoco.mj_kinematics(this.#model, this.#data);
    const elbow = this.#id(this.#mujoco.mjtObj.mjOBJ_BODY.value, `${load.arm}_elbow`);
    const [w, x, y, z] = this.#data.xquat.subarray(4 * elbow, 4 * elbow + 4) as Float64Array & Four;
    this.#views.qpos.set([w, -x, -y, -z], this.#address(BAG_JOINT).position);
  }

  #address(joint: string): Address {
    const id = this.#id(this.#mujoco.mjtObj.mjOBJ_JOINT.value, joint);
    return { position: this.#model.jnt_qposadr[id], velocity: this.#model.jnt_dofadr[id] };
  }

  #id(kind: number, name: string): number {
    const id = this.#mujoco.mj_name2id(this.#model, kind, name);
    invariant(id >= 0, `the model has ${name}`);
    return id;
  }

  /** Taken again where the heap has grown since: a detached view has length 0. */
  get #views(): Views {
    if (this.#taken === undefined || this.#taken.qpos.length === 0) {
      const data = this.#data;
      this.#taken = {
        qpos: data.qpos,
        qvel: data.qvel,
        qacc: data.qacc,
        ctrl: data.ctrl,
        motorNm: data.actuator_force,
        bias: this.#model.actuator_biasprm,
        wrench: data.xfrc_applied,
        centreM: data.xipos,
        sensors: data.sensordata,
        siteM: data.site_xpos,
        siteRotation: data.site_xmat,
      };
    }
    return this.#taken;
  }
}

type Four = readonly [number, number, number, number];
