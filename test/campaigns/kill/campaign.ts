/** Runs planned kills on several fast rigs side by side and adds up what the judges say. */
import { errorText } from "../../../core/errors.js";
import { ArmRig } from "../../../launch/rig/armRig.js";
import { HOME_RAD } from "../../../launch/rig/cruise.js";
import { DaemonRig } from "./daemonRig.js";
import { runDaemonRound } from "./daemonRound.js";
import { type KillOutcome, runFastRound } from "./fastRound.js";
import { planRound } from "./plan.js";

export interface CampaignOptions {
  readonly seed: number;
  readonly rounds: readonly number[];
  readonly rigs: number;
  /** Ends the campaign after the rounds that are under way; everything that was started is taken down. */
  readonly signal: AbortSignal;
  readonly onOutcome: (outcome: KillOutcome) => void;
}

export async function runFastCampaign(options: CampaignOptions): Promise<void> {
  const left = [...options.rounds];
  await Promise.all(
    Array.from({ length: options.rigs }, async (_, index) => {
      const rigs = new Replaceable(() => startRig(index));
      for (let round = left.shift(); round !== undefined && !options.signal.aborted; round = left.shift()) {
        const plan = planRound(options.seed, round);
        const outcome = await rigs.carryOut(plan, options.signal, (rig) => runFastRound(rig, plan));
        if (outcome !== undefined) options.onOutcome(outcome);
      }
      await rigs.close();
    }),
  );
}

/** Whole daemons, one after the other: each brings ROS, policy and cameras along. */
export async function runDaemonCampaign({
  seed,
  rounds,
  signal,
  onOutcome,
}: Omit<CampaignOptions, "rigs">): Promise<void> {
  const rigs = new Replaceable(() => DaemonRig.start());
  for (const round of rounds) {
    if (signal.aborted) break;
    const plan = { round, victim: "daemon", moment: "unknown" };
    const outcome = await rigs.carryOut(plan, signal, (rig) => runDaemonRound(rig, seed, round));
    if (outcome !== undefined) onOutcome(outcome);
  }
  await rigs.close();
}

const ATTEMPTS = 3;

/**
 * A rig that is replaced when a round could not be carried out on it, e.g. because an overloaded machine made the
 * servo fault or stop, which is safe. Such rounds are repeated and counted; what a judge finds is never repeated.
 */
class Replaceable<R extends { close(): Promise<void> }> {
  readonly #start: () => Promise<R>;
  #rig: R | undefined;

  constructor(start: () => Promise<R>) {
    this.#start = start;
  }

  async carryOut(
    plan: { readonly round: number; readonly victim: string; readonly moment: string },
    signal: AbortSignal,
    work: (rig: R) => Promise<KillOutcome>,
  ): Promise<KillOutcome | undefined> {
    const disturbed: string[] = [];
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      try {
        this.#rig ??= await this.#start();
        return { ...(await work(this.#rig)), disturbed };
      } catch (thrown) {
        disturbed.push(errorText(thrown, 2000));
        await this.close();
        // Whoever interrupts the campaign interrupts its processes too: that says nothing about the round.
        if (signal.aborted) return undefined;
      }
    }
    const { round, victim, moment } = plan;
    const violations = [`the round could not be carried out ${ATTEMPTS} times: ${disturbed.at(-1)}`];
    const unknown = { restMs: Number.NaN, startDistanceRad: Number.NaN, seconds: Number.NaN };
    return { round, victim, moment, ...unknown, interruptions: 0, violations, disturbed };
  }

  async close(): Promise<void> {
    const rig = this.#rig;
    this.#rig = undefined;
    await rig?.close().catch(() => {});
  }
}

/** Lateness of the machine must not decide: a stop by `loopLate` is safe, but another campaign's subject. */
const startRig = (index: number) =>
  ArmRig.start({
    name: `kill_${process.pid}_${index}`,
    homeRad: HOME_RAD,
    servo: { lateTicksMax: 100, stateAgeMsMax: 1000 },
  });

export interface CampaignTotals {
  readonly rounds: number;
  readonly byVictim: Readonly<Record<string, number>>;
  readonly byMoment: Readonly<Record<string, number>>;
  readonly violations: readonly { readonly round: number; readonly what: string }[];
  readonly restMsMax: number;
  /** Largest distance of a stream's first setpoint from the arm [mrad]. */
  readonly startDistanceMradMax: number;
  readonly interruptions: number;
  /** Attempts that an overloaded machine spoilt, all repeated. */
  readonly disturbed: number;
  readonly secondsMean: number;
}

export function addUp(outcomes: readonly KillOutcome[]): CampaignTotals {
  const count = (key: "victim" | "moment") =>
    outcomes.reduce<Record<string, number>>((sums, outcome) => {
      sums[outcome[key]] = (sums[outcome[key]] ?? 0) + 1;
      return sums;
    }, {});
  const most = (values: number[]) => Math.max(0, ...values.filter(Number.isFinite));
  const seconds = outcomes.map((outcome) => outcome.seconds).filter(Number.isFinite);
  return {
    rounds: outcomes.length,
    byVictim: count("victim"),
    byMoment: count("moment"),
    violations: outcomes.flatMap(({ round, violations }) => violations.map((what) => ({ round, what }))),
    restMsMax: most(outcomes.map(({ restMs }) => restMs)),
    startDistanceMradMax: most(outcomes.map(({ startDistanceRad }) => 1000 * startDistanceRad)),
    interruptions: outcomes.reduce((sum, { interruptions }) => sum + interruptions, 0),
    disturbed: outcomes.reduce((sum, { disturbed }) => sum + (disturbed?.length ?? 0), 0),
    secondsMean: seconds.reduce((sum, value) => sum + value, 0) / Math.max(1, seconds.length),
  };
}
