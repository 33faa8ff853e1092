/** Enables, stops and resets the robots of a cell, and starts and stops its policy, for whoever asks. */

import type { Clock } from "../../core/clock.js";
import { nsToMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { StopCategory } from "../../drivers/contract.js";
import type { PolicyHost } from "../../runtime/policy/host.js";
import type { ServoClient, ServoStateName } from "../../runtime/servo/api.js";
import type { DiagnosticItem, DiagnosticLevel, Outcome, Supervisor } from "../../runtime/supervisor.js";

export interface CellParts {
  readonly clock: Clock;
  readonly servos: ReadonlyMap<string, ServoClient>;
  readonly policy: () => PolicyHost | undefined;
  /** Opens another bundle in place of the present policy. */
  readonly loadPolicy: (bundle: string) => Promise<PolicyHost>;
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
};
const WAYS_ON: Record<ServoStateName, string> = {
  disconnected: "the device does not answer; check its power, cable and address",
  connected: "not enabled; `./cerebellum enable` powers the arm and holds it where it is",
  holding: "holding",
  following: "following its commander",
  stopping: "decelerating",
  stopped: "stopped; `./cerebellum reset`, then `./cerebellum enable`",
  faulted: "faulted; remove the cause, then `./cerebellum reset` and `./cerebellum enable`",
};

export class CellSupervisor implements Supervisor {
  readonly #parts: CellParts;

  constructor(parts: CellParts) {
    this.#parts = parts;
  }

  enable(): Promise<Outcome> {
    return this.#each("holding", async (servo) => {
      if (servo.latest()?.state === "holding" || servo.latest()?.state === "following") return;
      await servo.enable();
    });
  }

  async stop(category: StopCategory, reason: string): Promise<Outcome> {
    const stopped = this.#each(`stopped (category ${category})`, (servo) => servo.stop(category, reason));
    await this.#parts
      .policy()
      ?.stop()
      .catch(() => {});
    return stopped;
  }

  reset(): Promise<Outcome> {
    return this.#each("reset; nothing is enabled", (servo) => servo.reset());
  }

  startPolicy(bundle?: string): Promise<Outcome> {
    return outcome("policy is on its way to the start pose", async () => {
      const policy = bundle === undefined ? this.#parts.policy() : await this.#parts.loadPolicy(bundle);
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
    return outcome("policy stopped; the arm holds", async () => this.#parts.policy()?.stop());
  }

  async diagnostics(): Promise<readonly DiagnosticItem[]> {
    const servos = await Promise.all(
      [...this.#parts.servos].map(([robot, servo]) => this.#servoItem(robot, servo)),
    );
    return [...servos, ...this.#policyItem()];
  }

  async #servoItem(robot: string, servo: ServoClient): Promise<DiagnosticItem> {
    const base = { name: `servo: ${robot}`, hardwareId: servo.info.identity?.serial ?? "" };
    const snapshot = servo.latest();
    if (servo.closed.aborted || snapshot === undefined) {
      return { ...base, level: "stale", message: "the servo process does not answer", values: {} };
    }
    const { latenessUs, missed, ticks } = await servo.statistics();
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
        latenessP99Us: round(latenessUs.p99),
        latenessMaxUs: round(latenessUs.max),
        realtimePriority: servo.info.realtimePriority,
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

  /** Does the same for every robot, and says which of them refused and why. */
  async #each(done: string, act: (servo: ServoClient) => Promise<void>): Promise<Outcome> {
    const outcomes = await Promise.all(
      [...this.#parts.servos].map(([robot, servo]) =>
        outcome(done, () => act(servo)).then((one) => ({ robot, ...one })),
      ),
    );
    return {
      success: outcomes.every(({ success }) => success),
      message: outcomes.map(({ robot, message }) => `${robot}: ${message}`).join("; "),
    };
  }
}

const round = (value: number): number => Math.round(value * 100) / 100;

async function outcome(done: string, act: () => Promise<unknown>): Promise<Outcome> {
  try {
    await act();
    return { success: true, message: done };
  } catch (thrown) {
    return { success: false, message: errorText(thrown) };
  }
}
