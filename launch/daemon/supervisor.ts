/** Enables, stops and resets the robots of a cell, and starts and stops its policy, for whoever asks. */
import type { Logger } from "pino";
import type { Clock } from "../../core/clock.js";
import { nsToMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { countBelow } from "../../core/histogram.js";
import type { StopCategory } from "../../drivers/contract.js";
import type { PolicyHost } from "../../runtime/policy/host.js";
import type { ServoStateName, ServoStatistics } from "../../runtime/servo/api.js";
import type { DiagnosticItem, DiagnosticLevel, Outcome, Supervisor } from "../../runtime/supervisor.js";
import { RESTART_RULES } from "./restartPolicy.js";
import type { ServoKeeper } from "./servoKeeper.js";

/** One robot as the supervisor sees it: its servo, and whether the process behind it runs. */
export type KeptRobot = Pick<ServoKeeper, "supervisor" | "state" | "trouble" | "restarts" | "revive">;

export interface CellParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly robots: ReadonlyMap<string, KeptRobot>;
  readonly policy: () => PolicyHost | undefined;
  /** Opens a bundle in place of the present policy: another one, or the same in a fresh worker. */
  readonly loadPolicy: (bundle: string | undefined) => Promise<PolicyHost>;
  /** Why nothing may be enabled at present, e.g. a required stop source is gone; undefined when nothing is against it. */
  readonly whyNotEnable?: () => string | undefined;
  /** Why no policy may begin at present; undefined when nothing is against it. */
  readonly whyNotStartPolicy?: () => string | undefined;
  /** Items of parts that watch over the whole cell, such as its stop sources. */
  readonly watchers?: () => readonly DiagnosticItem[];
}

/** What each servo state means to an operator. */
const LEVELS: Record<ServoStateName, DiagnosticLevel> = {
  disconnected: "error",
  connected: "warn",
  holding: "ok",
  following: "ok",
  stopping: "warn",
  stopped: "warn",
  faulted: "error",
  teaching: "warn",
};
const WAYS_ON: Record<ServoStateName, string> = {
  disconnected: "the device does not answer; check its power, cable and address",
  connected: "not enabled; `./cerebellum enable` powers it: an arm or hand holds where it is, legs stand",
  holding: "holding",
  following: "following its commander",
  stopping: "decelerating",
  stopped: "stopped; `./cerebellum why` explains it; `./cerebellum reset`, then `./cerebellum enable`",
  faulted: "faulted; `./cerebellum why` names the cause; then `./cerebellum reset` and `./cerebellum enable`",
  teaching:
    "free: it can be moved by hand; `./cerebellum teach off` while it stands still makes it hold again",
};

export class CellSupervisor implements Supervisor {
  readonly #parts: CellParts;

  constructor(parts: CellParts) {
    this.#parts = parts;
  }

  enable(): Promise<Outcome> {
    const against = this.#parts.whyNotEnable?.();
    if (against !== undefined) return Promise.resolve({ success: false, message: against });
    return this.#each("holding", async ({ supervisor }) => {
      const state = supervisor.latest()?.state;
      if (state === "holding" || state === "following") return;
      await supervisor.enable();
    });
  }

  /** Every servo at once and first. A policy loses its lease by that; whether it also ends is not waited for. */
  stop(category: StopCategory, reason: string): Promise<Outcome> {
    const stopped = this.#each(`stopped (category ${category})`, ({ supervisor }) =>
      supervisor.stop(category, reason),
    );
    this.#parts
      .policy()
      ?.stop()
      .catch((thrown: unknown) =>
        this.#parts.log.warn({ event: "policyStopFailed" }, `after a stop: ${errorText(thrown)}`),
      );
    return stopped;
  }

  /** Of robots with a reason for it; where none has one, each says why it has none. */
  reset(): Promise<Outcome> {
    const isWell = ({ state, supervisor }: KeptRobot) =>
      state === "up" && WELL_STATES.includes(supervisor.latest()?.state ?? "disconnected");
    const needsNone = [...this.#parts.robots.values()].every(isWell);
    return this.#each("reset; nothing is enabled", async (robot) => {
      if (!needsNone && isWell(robot)) return `${robot.supervisor.latest()?.state}, and stays so`;
      await robot.revive();
      await robot.supervisor.reset();
      return undefined;
    });
  }

  /** Kinesthetic teaching. What may not be enabled may not be set free either. */
  teach(robot: string, on: boolean): Promise<Outcome> {
    const kept = this.#parts.robots.get(robot);
    if (kept === undefined)
      return Promise.resolve({
        success: false,
        message: `this cell has no robot "${robot}"; it has ${[...this.#parts.robots.keys()].join(", ")}`,
      });
    // Asked for it, a hand would be let go of before its driver refuses.
    const { device } = kept.supervisor.info;
    const against = GUIDED_DEVICES.has(device)
      ? on
        ? this.#parts.whyNotEnable?.()
        : undefined
      : `${robot} is an ${device}, which has no mode to be guided by hand; a person's fingers lead it through a headset`;
    if (against !== undefined) return Promise.resolve({ success: false, message: against });
    const done = on
      ? `${robot} is free: it stands by itself for a moment, then guide it by hand`
      : `${robot} is held by its controller; \`./cerebellum enable\` goes on`;
    return outcome(done, () => kept.supervisor.teach(on));
  }

  startPolicy(bundle?: string): Promise<Outcome> {
    const against = this.#parts.whyNotStartPolicy?.();
    if (against !== undefined) return Promise.resolve({ success: false, message: against });
    return outcome("policy is on its way to the start pose", async () => {
      const present = this.#parts.policy();
      const isFresh = bundle !== undefined || present?.crashed === true;
      const policy = isFresh ? await this.#parts.loadPolicy(bundle) : present;
      if (policy === undefined) {
        throw new CerebellumError(
          "NOT_RUNNING",
          "This cell has no policy",
          "Name a bundle, or add `policy` to the cell file",
        );
      }
      await policy.start();
    });
  }

  stopPolicy(): Promise<Outcome> {
    return outcome("policy stopped; the robot holds, or stands if it stood upright and slow", async () =>
      this.#parts.policy()?.stop(),
    );
  }

  async diagnostics(): Promise<readonly DiagnosticItem[]> {
    const servos = await Promise.all(
      [...this.#parts.robots].map(([robot, kept]) => this.#servoItem(robot, kept)),
    );
    return [...servos, ...this.#policyItem(), ...(this.#parts.watchers?.() ?? [])];
  }

  async #servoItem(robot: string, kept: KeptRobot): Promise<DiagnosticItem> {
    const servo = kept.supervisor;
    const base = { name: `servo: ${robot}`, hardwareId: servo.info.identity?.serial ?? "" };
    const snapshot = servo.latest();
    const statistics = await servo.statistics().catch(() => undefined);
    if (kept.state !== "up" || snapshot === undefined || statistics === undefined) {
      return { ...base, level: "error", message: describeAbsence(kept), values: { restarts: kept.restarts } };
    }
    const { latenessUs, missed, ticks, memory } = statistics;
    const state =
      snapshot.deviceErrorCode === 0
        ? WAYS_ON[snapshot.state]
        : `device error ${snapshot.deviceErrorCode}; ${WAYS_ON[snapshot.state]}`;
    return {
      ...base,
      level: LEVELS[snapshot.state],
      message: state,
      values: {
        state: snapshot.state,
        commander: snapshot.commander,
        epoch: snapshot.epoch,
        deviceErrorCode: snapshot.deviceErrorCode,
        deviceStateAgeMs: round(nsToMs(this.#parts.clock.nowNs() - snapshot.stateNs)),
        ticks,
        missedTicks: Object.values(missed).reduce((sum, count) => sum + count, 0),
        ...missedByCause(missed),
        latenessP50Us: round(latenessUs.p50),
        latenessP99Us: round(latenessUs.p99),
        latenessP999Us: round(latenessUs.p999),
        latenessMaxUs: round(latenessUs.max),
        ...latenessCounts(statistics),
        ...reportToCommand(statistics),
        memoryMiB: round(memory.rssBytes / 2 ** 20),
        collections: memory.collections,
        realtimePriority: servo.info.realtimePriority,
        restarts: kept.restarts,
      },
    };
  }

  #policyItem(): DiagnosticItem[] {
    const policy = this.#parts.policy();
    if (policy === undefined) return [];
    const { phase, bundle, statistics, failure } = policy.status();
    return [
      {
        name: "policy",
        hardwareId: bundle?.policy ?? "",
        level: failure === undefined ? "ok" : "error",
        message: failure === undefined ? phase : `${failure.happened}. ${failure.remedy}`,
        values: {
          phase,
          steps: statistics?.steps ?? 0,
          commands: statistics?.commands ?? 0,
          heldSteps: statistics === undefined ? 0 : statistics.steps - statistics.commands,
          startLatenessP99Ms: round(statistics?.parts.startLateness.p99Ms ?? 0),
          imageToWireP99Ms: round(statistics?.parts.imageToWire.p99Ms ?? 0),
        },
      },
    ];
  }

  /**
   * Does the same for every robot, and says which of them refused and why.
   * @param act returns what it did, where that is something else than `done`
   */
  async #each(done: string, act: (robot: KeptRobot) => Promise<unknown>): Promise<Outcome> {
    const outcomes = await Promise.all(
      [...this.#parts.robots].map(([robot, kept]) =>
        outcome(done, () => act(kept)).then((one) => ({ robot, ...one })),
      ),
    );
    return {
      success: outcomes.every(({ success }) => success),
      message: outcomes.map(({ robot, message }) => `${robot}: ${message}`).join("; "),
    };
  }
}

function describeAbsence({ state, trouble }: KeptRobot): string {
  const why = trouble ?? "the servo process does not answer";
  if (state === "down") return `${why}; it stays down. ${RESTART_RULES.servo.remedy}`;
  return state === "restarting" ? `${why}; it is being started again` : why;
}

const missedByCause = (missed: ServoStatistics["missed"]): Record<string, number> =>
  Object.fromEntries(
    Object.entries(missed).map(([cause, count]) => [
      `missed${cause[0]!.toUpperCase()}${cause.slice(1)}`,
      count,
    ]),
  );

/** Ticks that were late by at most so many microseconds: the histogram in a few values. */
const LATENESS_EDGES_US = [100, 250, 500, 1000, 2500, 5000, 10_000];

const latenessCounts = ({ bucketsUs, counts }: ServoStatistics): Record<string, number> =>
  Object.fromEntries(
    LATENESS_EDGES_US.map((edgeUs) => [`ticksLateUpTo${edgeUs}Us`, countBelow(bucketsUs, counts, edgeUs)]),
  );

/** Of a hand: from a complete set of positions to the torques that answer it. */
const reportToCommand = ({ reportToCommandUs: us }: ServoStatistics): Record<string, number> =>
  us === undefined
    ? {}
    : {
        reportToCommandP50Us: round(us.p50),
        reportToCommandP99Us: round(us.p99),
        reportToCommandP999Us: round(us.p999),
        reportToCommandMaxUs: round(us.max),
      };

/** Their controllers give way to a hand that guides them. */
const GUIDED_DEVICES: ReadonlySet<string> = new Set(["xarm7"]);

/** Nothing to reset in these. */
const WELL_STATES: readonly ServoStateName[] = ["connected", "holding", "following", "teaching"];

const round = (value: number): number => Math.round(value * 100) / 100;

async function outcome(done: string, act: () => Promise<unknown>): Promise<Outcome> {
  try {
    const otherwise = await act();
    return { success: true, message: typeof otherwise === "string" ? otherwise : done };
  } catch (thrown) {
    return { success: false, message: errorText(thrown) };
  }
}
