/** The servo's news for clients: state changes, faults, refusals. What could come every tick is told once a second. */
import type { Clock } from "../../core/clock.js";
import type { Fault } from "../../drivers/contract.js";
import type { ServoEvent, ServoSnapshot } from "./api.js";
import { REFUSALS, type Refusal } from "./commandGate.js";

const TOLD_EVERY_MS = 1000;

/** Where news go; the link server in a process, a list in a test. */
export interface ServoOutput {
  broadcastSnapshot(snapshot: ServoSnapshot): void;
  broadcastEvent(event: ServoEvent): void;
  broadcastInfo(): void;
  leaseLost(peerId: number, epoch: number, reason: string): void;
  snapshotsDropped(): number;
}

export class EventDesk {
  output: ServoOutput | undefined;
  readonly refused: Record<Refusal, number> = Object.fromEntries(
    REFUSALS.map((reason) => [reason, 0]),
  ) as Record<Refusal, number>;
  readonly #clock: Clock;
  /** Per subject: when it was last told, and how often it happened since. */
  readonly #paces = new Map<string, { toldAtMs: number; untold: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  tell(kind: ServoEvent["kind"], text: string, fault?: Fault): void {
    const atNs = this.#clock.nowNs();
    this.output?.broadcastEvent(fault === undefined ? { atNs, kind, text } : { atNs, kind, text, fault });
  }

  refuse(reason: Refusal, what: string, nowMs: number): void {
    this.refused[reason]++;
    this.#tellPaced("refused", reason, what, 1, nowMs);
  }

  overrun(missedTicks: number, nowMs: number): void {
    this.#tellPaced("overrun", "ticks missed", "the loop was late", missedTicks, nowMs);
  }

  #tellPaced(kind: ServoEvent["kind"], subject: string, detail: string, count: number, nowMs: number): void {
    const pace = this.#paces.get(subject) ?? { toldAtMs: Number.NEGATIVE_INFINITY, untold: 0 };
    this.#paces.set(subject, pace);
    pace.untold += count;
    if (nowMs - pace.toldAtMs < TOLD_EVERY_MS) return;
    this.tell(kind, `${subject}: ${detail} (${pace.untold} since last told)`);
    pace.toldAtMs = nowMs;
    pace.untold = 0;
  }
}
