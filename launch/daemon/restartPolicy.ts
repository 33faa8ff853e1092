/**
 * What happens when a process or thread of a running cell dies, in one table: what the rest does, how often it is
 * started again, and what a person must do. Two rules hold for every row: nothing moves by itself afterwards, and
 * nothing that was asked before is done after.
 */
import { type MonotonicNs, msToNs } from "../../core/clock.js";

export interface RestartRule {
  /** What the others do at once. */
  readonly effect: string;
  /** Automatic starts within `withinS`; one more death than that and it stays down. */
  readonly restartsMax: number;
  readonly withinS: number;
  /** Wait before each of them, so that an orderly end of everything is not taken for a crash. */
  readonly delayMs: number;
  /** What a person does then. */
  readonly remedy: string;
}

const NEVER = { restartsMax: 0, withinS: 60, delayMs: 300 } as const;

export const RESTART_RULES = {
  servo: {
    effect:
      "An arm keeps its last setpoint, a hand goes limp by its guardian, a Digit damps itself after its time-out; the commander loses the lease; the process is started again, stopped",
    restartsMax: 3,
    withinS: 60,
    delayMs: 500,
    remedy: "`./cerebellum why` and the log name the cause; `./cerebellum reset`, then `./cerebellum enable`",
  },
  lab: {
    effect:
      "The simulated devices are gone with their state: the daemon stops the robots and ends with exit code 1",
    ...NEVER,
    remedy: "Read the lab's log lines, then start the cell again",
  },
  policyWorker: {
    effect:
      "Its lease ends with its connection: an arm or hand holds, a robot on legs is damped; the policy is `failed`",
    ...NEVER,
    remedy: "`./cerebellum policy start` loads the bundle into a fresh worker",
  },
  recorderWorker: {
    effect:
      "The running episode ends where it was; the thread is started again and repairs it. Robots go on, unless the cell has `recorder.required`",
    restartsMax: 3,
    withinS: 60,
    delayMs: 300,
    remedy: "`./cerebellum record status` shows what was repaired; start the next episode",
  },
  estopWorker: {
    effect:
      "Without its stop sources the cell may not move: the daemon stops the robots and ends with exit code 1",
    ...NEVER,
    remedy: "Read the log for the cause, then start the cell again",
  },
  gatewayWorker: {
    effect:
      "Pages and headsets lose their connection; what they had engaged ends, latched, in a hold. Robots and policies go on; the thread is started again",
    restartsMax: 3,
    withinS: 60,
    delayMs: 500,
    remedy:
      "The pages come back by themselves; engage again. If it stays down, read the log and start the cell again",
  },
  daemon: {
    effect:
      "The servo process holds its robot (one on legs that somebody commands is damped), waits 30 s for a daemon, then ends: an arm stays powered, a hand goes limp, legs are damped; a new daemon ends it sooner",
    ...NEVER,
    remedy:
      "Start the cell again (systemd does); it starts stopped: `./cerebellum reset`, then `./cerebellum enable`",
  },
} as const satisfies Record<string, RestartRule>;
export type ProcessKind = keyof typeof RESTART_RULES;

/** Counts the automatic starts of one process against its rule. */
export class RestartBudget {
  readonly #rule: Pick<RestartRule, "restartsMax" | "withinS">;
  #startedNs: MonotonicNs[] = [];

  constructor(rule: Pick<RestartRule, "restartsMax" | "withinS">) {
    this.#rule = rule;
  }

  /** True, and counted, when one more automatic start is within the rule. */
  take(nowNs: MonotonicNs): boolean {
    this.#startedNs = this.#startedNs.filter((at) => nowNs - at < msToNs(this.#rule.withinS * 1000));
    if (this.#startedNs.length >= this.#rule.restartsMax) return false;
    this.#startedNs.push(nowNs);
    return true;
  }

  /** A person has asked for another try. */
  clear(): void {
    this.#startedNs = [];
  }
}
