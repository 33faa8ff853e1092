/** The control law at work: newest target and filtered position to four torque frames, once for each position set. */
import { HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";
import { FingerWeight } from "../../kinematics/allegro/weight.js";
import type { CanFrame } from "../can/frame.js";
import { type AllegroConfig, gainsOf } from "./config.js";
import type { HandState } from "./handState.js";
import { PdLaw, TORQUE_TABLES, TorqueFrames, torqueOfCommand } from "./protocol/index.js";

export class HandLoop {
  readonly targetRad = new Float64Array(HAND_JOINT_COUNT);
  /** Torque frames of the newest step. */
  readonly frames: readonly CanFrame[];
  readonly #model: AllegroConfig["model"];
  readonly #law: PdLaw;
  /** The model's limits, narrowed by the cell file. */
  readonly #commandMax: Int16Array;
  readonly #command = new Int16Array(HAND_JOINT_COUNT);
  readonly #frames = new TorqueFrames();
  readonly #weight: FingerWeight | undefined;
  readonly #weightShare: number;
  /** What holds the fingers' weight, in the vendor's unit of torque. */
  readonly #lift = new Float64Array(HAND_JOINT_COUNT);

  constructor({ model, side, gains, gravity, torqueShareMax: share }: AllegroConfig) {
    this.#model = model;
    this.#weight = gravity && new FingerWeight(model, side, gravity.palmQuatXyzw);
    this.#weightShare = gravity?.share ?? 0;
    this.#law = new PdLaw(model, gainsOf(model, gains));
    this.#commandMax = Int16Array.from(TORQUE_TABLES[model].commandMax, (max, joint) =>
      Math.trunc(max * (typeof share === "number" ? share : share[joint]!)),
    );
    this.frames = this.#frames.frames;
  }

  /** @returns whether `frames` is filled; false when the law gave no number */
  step({ filter, state }: HandState): boolean {
    const command = this.#command;
    this.#liftAt(filter.positionRad);
    if (!this.#law.command(this.targetRad, filter.positionRad, filter.velocityRadPerS, command, this.#lift))
      return false;
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      const max = this.#commandMax[joint]!;
      command[joint] = Math.min(max, Math.max(-max, command[joint]!));
    }
    torqueOfCommand(this.#model, command, state.effortNm);
    this.#frames.fill(command);
    return true;
  }

  #liftAt(positionRad: Float64Array): void {
    if (this.#weight === undefined) return;
    this.#weight.torque(positionRad, this.#lift);
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) this.#lift[joint]! *= this.#weightShare;
  }
}
