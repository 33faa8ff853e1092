/**
 * What the daemon does about teleoperation: whoever takes it ends the policy, and what the daemon does by itself waits
 * until some time after it was given back.
 */
import {
  type Clock,
  type ClockMapping,
  type MonotonicNs,
  sleepMs,
  toEpochNs,
  toRosTime,
} from "../../core/clock.js";
import type { TeleopStatus } from "../../core/gateway/server.js";
import type { DiagnosticItem } from "../../runtime/supervisor.js";

/** Nobody has teleoperated for so long before the daemon moves a robot by itself again. */
export const QUIET_MS = 10_000;
const LOOK_MS = 100;

export interface TeleopSideOptions {
  readonly clock: Clock;
  /** Ends whatever moves robots by itself. */
  readonly stopPolicy: () => void;
  readonly log: (text: string) => void;
}

export class TeleopSide {
  readonly #options: TeleopSideOptions;
  #status: TeleopStatus | undefined;
  #freeSinceMs = Number.NEGATIVE_INFINITY;
  #taken = new AbortController();

  constructor(options: TeleopSideOptions) {
    this.#options = options;
  }

  /** @param status as the gateway tells it; undefined when its thread has died, and every session with it */
  take(status: TeleopStatus | undefined): void {
    const wasTaken = this.isTaken;
    const former = this.#status;
    this.#status = status;
    if (this.isTaken && !wasTaken) {
      this.#taken.abort();
      this.#options.log(`${status!.operator} has taken teleoperation of ${status!.robot}`);
      this.#options.stopPolicy();
    } else if (wasTaken && !this.isTaken) {
      this.#freeSinceMs = this.#options.clock.nowMs();
      this.#taken = new AbortController();
      this.#options.log(`${former!.operator} has given teleoperation of ${former!.robot} back`);
    } else if (status?.state === "latched" && former?.state !== "latched" && status.why !== null)
      this.#options.log(`${status.operator}: ${status.why.code}: ${status.why.happened}`);
  }

  /** Newest; undefined before anybody has taken it. */
  get status(): TeleopStatus | undefined {
    return this.#status;
  }

  get isTaken(): boolean {
    return this.#status !== undefined && this.#status.state !== "off";
  }

  /** Name of the operator; empty when there is none. */
  get operator(): string {
    return this.isTaken ? this.#status!.operator : "";
  }

  /** Aborts when it is taken next; aborted while it is. */
  get taken(): AbortSignal {
    return this.#taken.signal;
  }

  /** A line of the operator's picture; none before anybody has taken it. */
  diagnostics(): DiagnosticItem[] {
    if (this.#status === undefined) return [];
    const { state, operator, robot, source, why, latency } = this.#status;
    return [
      {
        name: "teleop",
        hardwareId: this.#status.device,
        level: state === "latched" ? "warn" : "ok",
        message: describeTeleop(this.#status),
        values: {
          state,
          operator,
          robot,
          source: source ?? "",
          why: why?.code ?? "",
          toWireP50Ms: latency.toWireP50Ms ?? Number.NaN,
          toWireP99Ms: latency.toWireP99Ms ?? Number.NaN,
        },
      },
    ];
  }

  /** Why nothing may begin to move a robot by itself; undefined when nothing is against it. */
  whyNotBegin(): string | undefined {
    if (!this.isTaken) return undefined;
    return `${this.operator} has taken teleoperation; it must be given back first`;
  }

  /** Until the daemon may move robots by itself: at once, or `QUIET_MS` after teleoperation was given back. */
  async untilFree(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted && (this.isTaken || clock.nowMs() - this.#freeSinceMs < QUIET_MS))
      await sleepMs(clock, LOOK_MS, signal);
  }
}

const ms = (value: number | null) => (value === null ? "-" : value.toFixed(0));

/** One line for people. */
export function describeTeleop(status: TeleopStatus | undefined): string {
  if (status === undefined || status.state === "off") return "nobody has taken teleoperation";
  const {
    state,
    robot,
    operator,
    source,
    device,
    why,
    rateHz,
    lost,
    limitedBy,
    warning,
    latency,
    recording,
  } = status;
  return [
    `${operator} moves ${robot}: ${state}`,
    ...(source === null ? ["no pose yet"] : [`${source} ${device} ${rateHz ?? 0} Hz, ${lost} lost`]),
    ...(why === null ? [] : [`${why.happened}; ${why.remedy}`]),
    ...(limitedBy.length === 0 ? [] : [`held back by ${limitedBy.join(", ")}`]),
    ...(warning === "" ? [] : [warning]),
    ...(latency.toWireP50Ms === null
      ? []
      : [`pose to wire p50 ${ms(latency.toWireP50Ms)} ms, p99 ${ms(latency.toWireP99Ms)} ms`]),
    ...(recording === "" ? [] : [`records ${recording}`]),
  ].join(" · ");
}

/** CDR's encapsulation header. */
const CDR_HEADER_BYTES = 4;

/**
 * Gives a message that begins with a stamp the stamp that the episode's own clock has for its arrival: the gateway's
 * thread has measured its clocks at another moment. Changes `cdr` itself.
 */
export function restamp(cdr: Uint8Array, receivedNs: MonotonicNs, mapping: ClockMapping): void {
  const { sec, nanosec } = toRosTime(toEpochNs(mapping, receivedNs));
  const view = new DataView(cdr.buffer, cdr.byteOffset, cdr.byteLength);
  view.setInt32(CDR_HEADER_BYTES, sec, true);
  view.setUint32(CDR_HEADER_BYTES + 4, nanosec, true);
}
