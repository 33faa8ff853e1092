/**
 * Who says how fast a walking robot goes. A person who holds a console's dead-man's key counts before ROS, and each counts
 * for a moment only: the policy takes what is older than its bundle's `staleMs` as zero.
 */
import { addNs, type Clock, type MonotonicNs, msToNs } from "../../core/clock.js";
import type { VelocityCommand } from "../../core/floatingBase.js";
import type { SteeringStatus } from "../../core/gateway/steering.js";
import { applyCommandRule, STANDING } from "../../policies/history/command.js";
import type { GatewayVelocity } from "../../runtime/gateway/host.js";
import type { PolicyHost } from "../../runtime/policy/host.js";

export interface SteeringDeskOptions {
  readonly clock: Clock;
  readonly policy: () => Pick<PolicyHost, "status" | "setVelocity"> | undefined;
  /** Robots that the cell's policy moves. */
  readonly robots: readonly string[];
}

/** A console that says nothing any more has let go by then, even where its gateway has died with it. */
const HAND_MS = 500;

interface Newest {
  readonly by: string;
  readonly velocity: VelocityCommand;
  readonly atNs: MonotonicNs;
}

export class SteeringDesk {
  readonly #options: SteeringDeskOptions;
  #newest: Newest | undefined;
  /** The console's, while its key is down. */
  #hand: Newest | undefined;

  constructor(options: SteeringDeskOptions) {
    this.#options = options;
  }

  /** From a console: its key is down, or was let go of. */
  takeHand({ robot, client, isHeld, velocity }: GatewayVelocity): void {
    const taken = this.#whyNot(robot) === undefined;
    const newest = { by: isHeld ? client : "", velocity: isHeld ? velocity : STANDING, atNs: this.#nowNs };
    this.#hand = isHeld && taken ? newest : undefined;
    if (taken) this.#put(newest);
  }

  /** From ROS. @returns why it does not count; undefined when it does */
  takeTopic(robot: string, velocity: VelocityCommand): string | undefined {
    const why = this.#whyNot(robot) ?? this.#whyHandFirst();
    if (why === undefined) this.#put({ by: "ROS", velocity, atNs: this.#nowNs });
    return why;
  }

  /** For the console; undefined without a policy that takes a velocity. */
  status(): SteeringStatus | undefined {
    const command = this.#options.policy()?.status().bundle?.command ?? undefined;
    const [robot] = this.#options.robots;
    if (command === undefined || robot === undefined) return undefined;
    const { cutoff, range, staleMs } = command;
    const newest =
      this.#newest !== undefined && this.#isNew(this.#newest, staleMs) ? this.#newest : undefined;
    const given = new Float64Array(3);
    applyCommandRule(newest?.velocity ?? STANDING, command, given);
    const [forwardMPerS = 0, leftMPerS = 0, yawRateRadPerS = 0] = given;
    return { robot, cutoff, range, by: newest?.by ?? "", given: { forwardMPerS, leftMPerS, yawRateRadPerS } };
  }

  #put(newest: Newest): void {
    this.#newest = newest;
    this.#options.policy()?.setVelocity(newest.velocity);
  }

  #whyNot(robot: string): string | undefined {
    const status = this.#options.policy()?.status();
    if (status?.bundle === undefined || !this.#options.robots.includes(robot))
      return `no policy that moves ${robot} is loaded`;
    const { phase, bundle } = status;
    if (bundle.command === null) return `policy ${bundle.policy} takes no velocity`;
    return phase === "running" ? undefined : `policy ${bundle.policy} is ${phase}`;
  }

  #whyHandFirst(): string | undefined {
    if (this.#hand === undefined || !this.#isNew(this.#hand, HAND_MS)) return undefined;
    return `${this.#hand.by} steers by hand`;
  }

  #isNew({ atNs }: Newest, ms: number): boolean {
    return this.#nowNs <= addNs(atNs, msToNs(ms));
  }

  get #nowNs(): MonotonicNs {
    return this.#options.clock.nowNs();
  }
}
