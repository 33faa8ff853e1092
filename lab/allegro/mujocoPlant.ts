/**
 * The hand in MuJoCo. It neither waits nor reads time: whoever owns it lets whole steps pass, and the same torques at the
 * same steps give the same bits. State is copied out of MuJoCo's memory after each call: growth of the WebAssembly heap,
 * as by a second hand, detaches every view into it.
 */
import loadMujoco, { type MainModule, type MjData, type MjModel } from "@mujoco/mujoco";
import { CerebellumError, errorText, invariant } from "../../core/errors.js";
import { torqueMaxOf } from "../../drivers/allegro/protocol/index.js";
import { FINGERS, HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";
import { fingertipSite, type HandXmlOptions, handMjcf } from "./mjcf.js";
import { startRadOf } from "./model.js";
import type { HandPlant } from "./plant.js";

/** A finger weighs little and its gains are stiff: a millisecond is what contact of its tip needs. */
export const HAND_STEP_MS = 1;

export interface MujocoHandOptions extends Pick<HandXmlOptions, "model" | "side" | "palm"> {
  readonly positionRad?: ArrayLike<number>;
  readonly stepMs?: number;
}

interface Views {
  readonly qpos: Float64Array;
  readonly qvel: Float64Array;
  readonly ctrl: Float64Array;
  readonly push: Float64Array;
  readonly siteM: Float64Array;
}

let loading: Promise<MainModule> | undefined;

export class MujocoHandPlant implements HandPlant {
  readonly positionRad = new Float64Array(HAND_JOINT_COUNT);
  readonly velocityRadPerS = new Float64Array(HAND_JOINT_COUNT);
  readonly torqueNm = new Float64Array(HAND_JOINT_COUNT);
  readonly pushNm = new Float64Array(HAND_JOINT_COUNT);
  /** Fingertips in the palm frame [m], wire order, three numbers each; up to a step behind the joints. */
  readonly tipsM = new Float64Array(3 * FINGERS.length);
  readonly #mujoco: MainModule;
  readonly #model: MjModel;
  readonly #data: MjData;
  readonly #stepS: number;
  readonly #sites: readonly number[];
  #taken: Views | undefined;
  /** Time asked for that made no whole step yet [s]. */
  #owedS = 0;

  /** @throws CerebellumError DEVICE_MISMATCH for a hand of unknown geometry, CHECK_FAILED when MuJoCo refuses it */
  static async load(options: MujocoHandOptions): Promise<MujocoHandPlant> {
    loading ??= loadMujoco();
    const mujoco = await loading;
    const stepMs = options.stepMs ?? HAND_STEP_MS;
    const xml = handMjcf({ ...options, torqueMaxNm: torqueMaxOf(options.model) }, stepMs);
    try {
      const positionRad = options.positionRad ?? startRadOf(options.model, options.side);
      return new MujocoHandPlant(mujoco, xml, stepMs, positionRad);
    } catch (cause) {
      throw new CerebellumError(
        "CHECK_FAILED",
        `MuJoCo refused the generated hand ${options.model} ${options.side}: ${errorText(cause)}`,
        "This is a defect of the lab; report it with the hand's model and side",
        cause,
      );
    }
  }

  private constructor(mujoco: MainModule, xml: string, stepMs: number, positionRad: ArrayLike<number>) {
    this.#mujoco = mujoco;
    this.#stepS = stepMs / 1000;
    this.#model = mujoco.MjModel.from_xml_string(xml);
    this.#data = new mujoco.MjData(this.#model);
    invariant(this.#model.nq === HAND_JOINT_COUNT, `nq ${this.#model.nq}`);
    this.#sites = FINGERS.map((finger) =>
      mujoco.mj_name2id(this.#model, mujoco.mjtObj.mjOBJ_SITE.value, fingertipSite(finger)),
    );
    this.place(positionRad);
  }

  /** Puts the joints at these angles [rad], at rest. */
  place(positionRad: ArrayLike<number>): void {
    this.#views.qpos.set(positionRad);
    this.#views.qvel.fill(0);
    this.#mujoco.mj_kinematics(this.#model, this.#data);
    this.#copy();
  }

  /** Contacts of the last step; none as long as the hand touches neither itself nor anything else. */
  get contactCount(): number {
    return this.#data.ncon;
  }

  step(dtS: number): void {
    this.#owedS += dtS;
    this.#views.ctrl.set(this.torqueNm);
    this.#views.push.set(this.pushNm);
    // Sums of steps such as 0.001 are not whole numbers of it.
    for (; this.#owedS > this.#stepS * 0.999; this.#owedS -= this.#stepS)
      this.#mujoco.mj_step(this.#model, this.#data);
    this.#copy();
  }

  #copy(): void {
    const { qpos, qvel, siteM } = this.#views;
    this.positionRad.set(qpos);
    this.velocityRadPerS.set(qvel);
    this.#sites.forEach((site, finger) => {
      this.tipsM.set(siteM.subarray(3 * site, 3 * site + 3), 3 * finger);
    });
  }

  /** Taken again where the heap has grown since: a detached view has length 0. */
  get #views(): Views {
    if (this.#taken === undefined || this.#taken.qpos.length === 0) {
      const { qpos, qvel, ctrl, qfrc_applied, site_xpos } = this.#data;
      this.#taken = { qpos, qvel, ctrl, push: qfrc_applied, siteM: site_xpos };
    }
    return this.#taken;
  }

  dispose(): void {
    this.#data.delete();
    this.#model.delete();
  }
}
