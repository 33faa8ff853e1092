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
  readonly onOutcome: (outcome: KillOutcome) => void;
}

/** A rig whose round could not be carried out is replaced; what went wrong counts as a violation of that round. */
export async function runFastCampaign(options: CampaignOptions): Promise<void> {
  const left = [...options.rounds];
  await Promise.all(
    Array.from({ length: options.rigs }, async (_, index) => {
      let rig: ArmRig | undefined;
      try {
        for (let round = left.shift(); round !== undefined; round = left.shift()) {
          const plan = planRound(options.seed, round);
          try {
            rig ??= await startRig(index);
            options.onOutcome(await runFastRound(rig, plan));
          } catch (thrown) {
            options.onOutcome({
              round,
              victim: plan.victim,
              moment: plan.moment,
              ...notCarriedOut(thrown),
            });
            await rig?.close();
            rig = undefined;
          }
        }
      } finally {
        await rig?.close();
      }
    }),
  );
}

/** Lateness of the machine must not decide: a stop by `loopLate` is safe, but another campaign's subject. */
const startRig = (index: number) =>
  ArmRig.start({
    name: `kill_${process.pid}_${index}`,
    homeRad: HOME_RAD,
    servo: { lateTicksMax: 100, stateAgeMsMax: 1000 },
  });

/** Whole daemons, one after the other: each brings ROS, policy and cameras along. */
export async function runDaemonCampaign({
  seed,
  rounds,
  onOutcome,
}: Omit<CampaignOptions, "rigs">): Promise<void> {
  let rig: DaemonRig | undefined;
  try {
    for (const round of rounds) {
      try {
        rig ??= await DaemonRig.start();
        onOutcome(await runDaemonRound(rig, seed, round));
      } catch (thrown) {
        onOutcome({ round, victim: "daemon", moment: "unknown", ...notCarriedOut(thrown) });
        await rig?.close();
        rig = undefined;
      }
    }
  } finally {
    await rig?.close();
  }
}

const notCarriedOut = (thrown: unknown) => ({
  restMs: Number.NaN,
  startDistanceRad: Number.NaN,
  interruptions: 0,
  seconds: Number.NaN,
  violations: [`the round could not be carried out: ${errorText(thrown, 2000)}`],
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
    secondsMean: seconds.reduce((sum, value) => sum + value, 0) / Math.max(1, seconds.length),
  };
}
