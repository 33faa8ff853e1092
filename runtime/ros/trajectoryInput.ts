/**
 * Executes joint trajectories that arrive on a topic: takes the command lease when it is free, streams targets that
 * expire soon through the servo client, and gives the lease back at the end. The servo bounds the motion; this only
 * refuses what could not be followed, and says why.
 */
import { addNs, type Clock, fromRosTime, type MonotonicNs, msToNs, nsToMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import type { Lease, ServoClient, ServoSnapshot } from "../servo/api.js";
import type { DiagnosticItem, DiagnosticLevel } from "../supervisor.js";
import { planTrajectory, samplePlan, TrajectoryMessage, type TrajectoryPlan } from "./trajectory.js";

export const TRAJECTORY_COMMANDER = "ros:joint_trajectory";

const RATE_HZ = 25;
const PERIOD_MS = 1000 / RATE_HZ;
/** A target outlives its period by half, like every commander's default. */
const EXPIRY_MS = 2.5 * PERIOD_MS;
const START_TOLERANCE_RAD = 0.05;
const DURATION_MAX_S = 600;
/** A trajectory stamped further away than this does not mean now. */
const STAMP_TOLERANCE_MS = 1000;
/** After the last point: how near the robot must come, and how long it may take. */
const GOAL_TOLERANCE_RAD = 0.01;
const SETTLE_MS_MAX = 2000;

export interface TrajectoryInputOptions {
  readonly robot: string;
  readonly clock: Clock;
  readonly client: ServoClient;
  /** Where trajectories begin, and what has to be at their last point when they end. */
  readonly reference: (snapshot: ServoSnapshot) => Float64Array;
  /** False while the daemon's node is not active: trajectories are then refused. */
  readonly accepting: () => boolean;
  readonly log: (level: "info" | "warn", event: string, fields: Record<string, unknown>) => void;
}

interface Run {
  plan: TrajectoryPlan;
  startNs: MonotonicNs;
  readonly targetRad: Float64Array;
  cancelled: boolean;
}

export class TrajectoryInput {
  readonly #options: TrajectoryInputOptions;
  #run: Run | undefined;
  #executedCount = 0;
  #refusedCount = 0;
  #newest = "none yet";
  #level: DiagnosticLevel = "ok";

  constructor(options: TrajectoryInputOptions) {
    this.#options = options;
  }

  /** True from the acceptance of a trajectory to the release of the lease. */
  get busy(): boolean {
    return this.#run !== undefined;
  }

  /** One message from the topic; resolves when its execution has ended, or at once when it was refused or joined. */
  async accept(raw: unknown): Promise<void> {
    const { client, clock, accepting, reference } = this.#options;
    if (!accepting()) return this.#refuse("the daemon's node is not active; activate /cerebellum first");
    const parsed = TrajectoryMessage.safeParse(raw);
    if (!parsed.success) return this.#refuse(`not a JointTrajectory: ${parsed.error.issues[0]?.message}`);
    const message = parsed.data;
    const { sec, nanosec } = message.header.stamp;
    const awayMs = nsToMs(fromRosTime(sec, nanosec) - clock.epochNs());
    if ((sec !== 0 || nanosec !== 0) && Math.abs(awayMs) > STAMP_TOLERANCE_MS) {
      return this.#refuse(
        `it is stamped ${awayMs.toFixed(0)} ms from now; leave the stamp zero to start now`,
      );
    }
    const running = this.#run;
    if (message.points.length === 0) {
      if (running !== undefined) running.cancelled = true;
      this.#newest = "cancelled by an empty trajectory";
      return;
    }
    const snapshot = client.latest();
    if (snapshot === undefined) return this.#refuse("the servo has not reported the robot's position yet");
    const { limits } = client.info;
    const result = planTrajectory(message, running?.targetRad ?? reference(snapshot), {
      ...limits,
      startToleranceRad: START_TOLERANCE_RAD,
      durationMaxS: DURATION_MAX_S,
    });
    if (!result.ok) return this.#refuse(result.reason);
    if (running !== undefined) {
      running.plan = result.plan;
      running.startNs = clock.nowNs();
      return;
    }
    const run: Run = {
      plan: result.plan,
      startNs: clock.nowNs(),
      targetRad: Float64Array.from(reference(snapshot)),
      cancelled: false,
    };
    this.#run = run;
    try {
      const lease = await client.acquireLease(TRAJECTORY_COMMANDER).catch((thrown: unknown) => {
        this.#refuse(errorText(thrown));
        return undefined;
      });
      if (lease !== undefined) await this.#execute(run, lease);
    } finally {
      this.#run = undefined;
    }
  }

  cancel(): void {
    if (this.#run !== undefined) this.#run.cancelled = true;
  }

  diagnostic(): DiagnosticItem {
    return {
      name: `joint_trajectory: ${this.#options.robot}`,
      hardwareId: this.#options.robot,
      level: this.#level,
      message: this.#newest,
      values: { executedCount: this.#executedCount, refusedCount: this.#refusedCount },
    };
  }

  async #execute(run: Run, lease: Lease): Promise<void> {
    const { clock, log, robot } = this.#options;
    run.startNs = clock.nowNs();
    this.#level = "ok";
    this.#newest = `executing ${run.plan.durationS.toFixed(2)} s`;
    log("info", "trajectoryStarted", { robot, durationS: run.plan.durationS });
    let outcome = "";
    try {
      let dueNs = clock.nowNs();
      while (outcome === "") {
        const nowNs = clock.nowNs();
        const elapsedMs = nsToMs(nowNs - run.startNs);
        const overMs = elapsedMs - run.plan.durationS * 1000;
        // Aim one period ahead: the target is to be reached when the next one comes.
        samplePlan(run.plan, (elapsedMs + PERIOD_MS) / 1000, run.targetRad);
        if (lease.lost.aborted) outcome = this.#trouble("lost the command lease");
        else if (run.cancelled) outcome = "cancelled";
        else if (overMs > 0 && this.#goalDistanceRad(run) < GOAL_TOLERANCE_RAD) outcome = "reached its end";
        else if (overMs > SETTLE_MS_MAX) {
          const distanceRad = this.#goalDistanceRad(run).toFixed(3);
          outcome = this.#trouble(`ended ${distanceRad} rad from its last point`);
        } else {
          lease.command({ positionRad: run.targetRad, expiresNs: addNs(nowNs, msToNs(EXPIRY_MS)) });
          dueNs = addNs(dueNs, msToNs(PERIOD_MS));
          if (dueNs < nowNs) dueNs = nowNs;
          await clock.sleepUntil(dueNs);
        }
      }
      this.#executedCount++;
    } finally {
      lease.release();
    }
    this.#newest = outcome;
    log("info", "trajectoryEnded", { robot, outcome });
  }

  #trouble(outcome: string): string {
    this.#level = "warn";
    return outcome;
  }

  #refuse(reason: string): void {
    this.#refusedCount++;
    this.#level = "warn";
    this.#newest = `refused: ${reason}`;
    this.#options.log("warn", "trajectoryRefused", { robot: this.#options.robot, reason });
  }

  #goalDistanceRad({ plan }: Run): number {
    const newest = this.#options.client.latest();
    const thereRad = newest && this.#options.reference(newest);
    return plan.pointsRad
      .at(-1)!
      .reduce((worst, goal, joint) => Math.max(worst, Math.abs(goal - (thereRad?.[joint] ?? Number.NaN))), 0);
  }
}
