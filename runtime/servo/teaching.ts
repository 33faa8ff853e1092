/**
 * Watches an arm that a person moves by hand. It must stand by itself before anybody takes hold of it, never move faster
 * than a hand should, and be seen and supervised all the time; it is held again only where it stands still.
 */
import type { ArmState } from "../../drivers/contract.js";
import type { ServoConfig } from "./config.js";
import type { TriggerName } from "./triggers.js";

/** The arm has stood still for so long when teaching may end. */
const STILL_MS_MIN = 200;

export interface TeachVerdict {
  readonly trigger: TriggerName;
  readonly reason: string;
}

export class Teaching {
  readonly #config: Pick<ServoConfig, "teach" | "stateAgeMsMax" | "supervisorSilenceMsMax">;
  readonly #startRad: Float64Array;
  #startMs = 0;
  #movedMs = 0;

  constructor(
    config: Pick<ServoConfig, "teach" | "stateAgeMsMax" | "supervisorSilenceMsMax">,
    jointCount: number,
  ) {
    this.#config = config;
    this.#startRad = new Float64Array(jointCount);
  }

  /** The arm is free from now on. */
  begin(positionRad: ArrayLike<number>, nowMs: number): void {
    this.#startRad.set(positionRad);
    this.#startMs = nowMs;
    this.#movedMs = nowMs;
  }

  /**
   * Once a tick.
   * @param supervisorSilentMs since somebody was heard who could stop the arm; infinite when nobody is there
   * @returns what ends teaching at once; undefined while nothing is wrong
   */
  watch(state: ArmState, supervisorSilentMs: number, nowMs: number): TeachVerdict | undefined {
    const { teach, stateAgeMsMax, supervisorSilenceMsMax } = this.#config;
    const ageMs = nowMs - state.receivedMs;
    if (!(ageMs <= stateAgeMsMax))
      return { trigger: "teachBlind", reason: `the state of the free arm is ${ageMs.toFixed(0)} ms old` };
    if (!(supervisorSilentMs <= supervisorSilenceMsMax))
      return {
        trigger: "teachUnsupervised",
        reason: `no supervisor was heard for ${supervisorSilenceMsMax} ms`,
      };
    const settles = nowMs - this.#startMs < teach.settleMs;
    for (let joint = 0; joint < this.#startRad.length; joint++) {
      const speedRadPerS = Math.abs(state.velocityRadPerS[joint]!);
      if (!(speedRadPerS <= teach.velocityMaxRadPerS))
        return {
          trigger: "teachTooFast",
          reason: `joint ${joint + 1} moves with ${speedRadPerS.toFixed(2)} rad/s (limit ${teach.velocityMaxRadPerS})`,
        };
      const movedRad = Math.abs(state.positionRad[joint]! - this.#startRad[joint]!);
      if (settles && !(movedRad <= teach.settleRadMax))
        return {
          trigger: "teachSank",
          reason: `joint ${joint + 1} moved ${movedRad.toFixed(3)} rad within ${teach.settleMs} ms of being set free`,
        };
      if (speedRadPerS > teach.stillRadPerS) this.#movedMs = nowMs;
    }
    return undefined;
  }

  /** Whether the arm has stood still long enough to be held. */
  isStill(nowMs: number): boolean {
    return nowMs - this.#movedMs >= STILL_MS_MIN;
  }
}
