/** What each round of the recorder's kill campaign does, from its seed and number alone. */
import { Random } from "../../../lab/world/random.js";

/**
 * How the recording ends: killed from outside at any moment; killing itself right before a certain call to the disk;
 * killed, and then its repair killed too; killed, and everything lost that was not synced.
 */
export const ENDINGS = ["anytime", "atCall", "inRepair", "powerCut"] as const;
export type Ending = (typeof ENDINGS)[number];
export const PHASES = ["create", "write", "finish"] as const;
export type Phase = (typeof PHASES)[number];

export interface RecorderPlan {
  readonly round: number;
  readonly ending: Ending;
  /** From the begin of the first episode to the kill [ms]. */
  readonly delayMs: number;
  /** Lengths of the episodes that follow each other [ms]; the last is repeated. */
  readonly episodeMs: readonly number[];
  /** For `atCall`: which call of which phase of which episode. */
  readonly at: { readonly episode: number; readonly phase: Phase; readonly call: number };
  /** For `inRepair`: calls at which one repair after the other dies. */
  readonly repairCalls: readonly number[];
  /** Images without compression. */
  readonly isHeavy: boolean;
  /** For `powerCut`: how much of what was not synced reached the disk all the same, 0 to 1; whether garbage did. */
  readonly keptShare: number;
  readonly hasGarbage: boolean;
}

/** Calls to the disk in each phase: some beyond the last, which then falls into the next phase. */
const CALLS: Readonly<Record<Phase, number>> = { create: 18, write: 8, finish: 11 };

export function planRound(seed: number, round: number, ending?: Ending): RecorderPlan {
  const random = new Random(seed).fork(`recorder ${round}`);
  const chosen =
    ending ?? random.pick(["anytime", "anytime", "anytime", "atCall", "atCall", "inRepair"] as const);
  const phase = random.pick(["create", "write", "finish", "finish"] as const);
  const isLong = chosen === "powerCut";
  return {
    round,
    ending: chosen,
    delayMs: random.uniform(10, isLong ? 3500 : 1300),
    episodeMs: Array.from({ length: 4 }, () => random.uniform(80, isLong ? 2500 : 700)),
    at: {
      episode: random.pick([0, 1, 1, 2]),
      phase,
      call: 1 + Math.floor(random.uniform(0, CALLS[phase])),
    },
    repairCalls: Array.from({ length: random.pick([1, 2]) }, () => 1 + Math.floor(random.uniform(0, 16))),
    isHeavy: !isLong && round % 10 === 9,
    keptShare: random.uniform(),
    hasGarbage: random.uniform() < 0.4,
  };
}
