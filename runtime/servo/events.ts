/** The servo's news for clients: state changes, faults, refusals. What could come every tick is told once a second. */
import type { Clock } from "../../core/clock.js";
import type { Fault } from "../../drivers/contract.js";
import type { ServoEvent } from "./api.js";
import type { BlackBox } from "./blackBox.js";
import { MALFORMED, REFUSALS, type Refusal } from "./commandGate.js";
import type { MutableSnapshot } from "./snapshot.js";
import { TRIGGER_NAMES, type TriggerName } from "./triggers.js";

const TOLD_EVERY_MS = 1000;

/** Where news go; the link server in a process, a list in a test. */
export interface ServoOutput {
  broadcastSnapshot(snapshot: MutableSnapshot): void;
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
  readonly triggers: Record<TriggerName, number> = Object.fromEntries(
    TRIGGER_NAMES.map((name) => [name, 0]),
  ) as Record<TriggerName, number>;
  readonly #clock: Clock;
  readonly #blackBox: BlackBox | undefined;
  /** Per subject: when it was last told, and how often it happened since. */
  readonly #paces = new Map<string, { toldAtMs: number; untold: number }>();

  constructor(clock: Clock, blackBox: BlackBox | undefined) {
    this.#clock = clock;
    this.#blackBox = blackBox;
  }

  tell(kind: ServoEvent["kind"], text: string): void {
    this.#send({ atNs: this.#clock.nowNs(), kind, text });
  }

  /** Something of `TRIGGERS` has acted. */
  triggered(trigger: TriggerName, kind: ServoEvent["kind"], text: string, fault?: Fault): void {
    this.triggers[trigger]++;
    const event = { atNs: this.#clock.nowNs(), kind, text, trigger };
    this.#send(fault === undefined ? event : { ...event, fault });
  }

  /** The device reports trouble that changes nothing. */
  warned(fault: Fault): void {
    const text = `${fault.code}: ${fault.cause}`;
    this.#send({ atNs: this.#clock.nowNs(), kind: "fault", text, fault });
  }

  /** @param trigger what the refusal sets off; null for nothing */
  refuse(
    reason: Refusal,
    what: string,
    nowMs: number,
    trigger: TriggerName | null = MALFORMED.has(reason) ? "commandMalformed" : null,
  ): void {
    this.refused[reason]++;
    if (trigger !== null) this.triggers[trigger]++;
    this.#tellPaced("refused", reason, what, 1, nowMs, trigger ?? undefined);
  }

  overrun(missedTicks: number, cause: string | undefined, nowMs: number): void {
    this.#tellPaced("overrun", "ticks missed", cause ?? "the loop was late", missedTicks, nowMs);
  }

  /** A client that the link had to cut off; one that tries again and again must not fill the black box. */
  clientTrouble(text: string, nowMs: number): void {
    this.#tellPaced("refused", "client trouble", text, 1, nowMs);
  }

  #tellPaced(
    kind: ServoEvent["kind"],
    subject: string,
    detail: string,
    count: number,
    nowMs: number,
    trigger?: TriggerName,
  ): void {
    const pace = this.#paces.get(subject) ?? { toldAtMs: Number.NEGATIVE_INFINITY, untold: 0 };
    this.#paces.set(subject, pace);
    pace.untold += count;
    if (nowMs - pace.toldAtMs < TOLD_EVERY_MS) return;
    const text = `${subject}: ${detail} (${pace.untold} since last told)`;
    const event = { atNs: this.#clock.nowNs(), kind, text };
    this.#send(trigger === undefined ? event : { ...event, trigger });
    pace.toldAtMs = nowMs;
    pace.untold = 0;
  }

  #send(event: ServoEvent): void {
    this.#blackBox?.event(event);
    this.output?.broadcastEvent(event);
  }
}
