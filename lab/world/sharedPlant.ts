/** The MuJoCo arm as the emulated controller sees it: plain memory, no waiting. Values are at most one step apart. */
import type { ArmPlant } from "../plant.js";
import type { WorldMemory } from "./memory.js";

export class SharedPlant implements ArmPlant {
  readonly positionRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  readonly effortNm: Float64Array;
  readonly #memory: WorldMemory;

  constructor(memory: WorldMemory) {
    this.#memory = memory;
    this.positionRad = memory.qpos.subarray(0, memory.layout.armJoints);
    this.velocityRadPerS = memory.velocityRadPerS;
    this.effortNm = memory.effortNm;
  }

  get enabled(): boolean {
    return this.#memory.enabled;
  }

  gripperOpeningM(): number {
    return this.#memory.openingM[0]!;
  }

  setTarget(positionRad: ArrayLike<number>): void {
    this.#memory.targetRad.set(positionRad as number[]);
  }

  setEnabled(on: boolean): void {
    this.#memory.enabled = on;
  }

  setFreeDrive(on: boolean): void {
    this.#memory.freeDrive = on;
  }

  setGripper(openingM: number, speedMPerS: number): void {
    this.#memory.setGripper(openingM, speedMPerS);
  }
}
