/** Turns the network's numbers into joint targets and the gains to hold them by, as the manifest says. */
import { BODIES } from "./bodies.js";
import type { HistoryManifest } from "./manifest.js";
import { type ActionSlot, actionId, QUANTITIES, type Quantity } from "./slots.js";

/** One number per joint, in the device's order; updated in place. */
export interface ImpedanceTarget {
  readonly positionRad: Float64Array;
  readonly stiffnessNmPerRad: Float64Array;
  readonly dampingNmSPerRad: Float64Array;
}

export function createImpedanceTarget(jointCount: number): ImpedanceTarget {
  const vector = () => new Float64Array(jointCount);
  return { positionRad: vector(), stiffnessNmPerRad: vector(), dampingNmSPerRad: vector() };
}

const FIELD = {
  position: "positionRad",
  stiffness: "stiffnessNmPerRad",
  damping: "dampingNmSPerRad",
} as const satisfies Record<Quantity, keyof ImpedanceTarget>;
const quantities = Object.keys(QUANTITIES) as Quantity[];

/**
 * The first joint that gets no target, no gain, or two of one; undefined when every joint gets each exactly once. A slot
 * that is `overwritten` gives nothing, and needs a fixed number in its place.
 */
export function actionGap({ action, robot }: Pick<HistoryManifest, "action" | "robot">): string | undefined {
  const { joints } = BODIES[robot.device];
  const given = action.slots.filter(({ overwritten }) => !overwritten).map(actionId);
  const fixed = action.fixed.flatMap((entry) =>
    quantities
      .filter((quantity) => entry[FIELD[quantity]] !== undefined)
      .map((quantity) => actionId({ quantity, joint: entry.joint })),
  );
  for (const slot of action.slots) {
    if (slot.overwritten && !fixed.includes(actionId(slot))) {
      return `${actionId(slot)} is overwritten, and \`fixed\` has no number for it`;
    }
  }
  for (const { joint } of action.fixed) {
    if (!joints.includes(joint)) return `\`fixed\` names ${joint}, which is none of ${joints.join(", ")}`;
  }
  for (const joint of joints) {
    for (const quantity of quantities) {
      const id = actionId({ quantity, joint });
      const count = [...given, ...fixed].filter((name) => name === id).length;
      if (count !== 1) return `${id} is given ${count === 0 ? "by no slot and not fixed" : `${count} times`}`;
    }
  }
  return undefined;
}

/** Compiled from a manifest that has been checked. `decode` allocates nothing. */
export class ActionDecoder {
  readonly #slots: readonly ActionSlot[];
  readonly #joints: Int32Array;
  readonly #fixed: ImpedanceTarget;

  constructor({ action, robot }: HistoryManifest) {
    const { joints } = BODIES[robot.device];
    this.#slots = action.slots;
    this.#joints = Int32Array.from(action.slots, ({ joint }) => joints.indexOf(joint));
    this.#fixed = createImpedanceTarget(joints.length);
    for (const entry of action.fixed) {
      for (const quantity of quantities) {
        const value = entry[FIELD[quantity]];
        if (value !== undefined) this.#fixed[FIELD[quantity]][joints.indexOf(entry.joint)] = value;
      }
    }
  }

  /**
   * @param output of the network
   * @param clipped receives the output within each slot's clip
   * @returns how many numbers were clipped
   */
  decode(output: ArrayLike<number>, clipped: Float32Array, into: ImpedanceTarget): number {
    into.positionRad.set(this.#fixed.positionRad);
    into.stiffnessNmPerRad.set(this.#fixed.stiffnessNmPerRad);
    into.dampingNmSPerRad.set(this.#fixed.dampingNmSPerRad);
    let clippedCount = 0;
    for (let at = 0; at < this.#slots.length; at++) {
      const { clip, scale, offset, range, quantity, overwritten } = this.#slots[at]!;
      clipped[at] = within(output[at]!, clip);
      if (clipped[at] !== output[at]) clippedCount++;
      if (!overwritten)
        into[FIELD[quantity]][this.#joints[at]!] = within(offset + scale * clipped[at]!, range);
    }
    return clippedCount;
  }
}

const within = (value: number, [low, high]: readonly [number, number]): number =>
  Math.min(high, Math.max(low, value));
