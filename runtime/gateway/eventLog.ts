/** The newest events of a cell, for people: from the servos, the daemon's main thread and the gateway's own parts. */
import { type Clock, nsToMs } from "../../core/clock.js";
import type { EventLine } from "../../core/gateway/server.js";

export type EventLevel = EventLine["level"];
export type NewEvent = Omit<EventLine, "kind" | "id">;

/** Kept for a client that connects later. */
const KEPT_MAX = 100;
/** The same words again within this are the same event. */
const REPEAT_MS = 1000;

export class EventLog {
  readonly #clock: Clock;
  readonly #lines: EventLine[] = [];
  readonly #listeners = new Set<(line: EventLine) => void>();
  #nextId = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Now, from a part of the gateway. */
  add(level: EventLevel, source: string, text: string, remedy = ""): void {
    this.take({ epochMs: nsToMs(this.#clock.epochNs()), level, source, text, remedy });
  }

  /** One that happened elsewhere, at a time of its own. */
  take(event: NewEvent): void {
    const { epochMs, level, source, text } = event;
    const isRepeat = this.#lines.some(
      (line) =>
        line.text === text &&
        line.source === source &&
        line.level === level &&
        Math.abs(epochMs - line.epochMs) < REPEAT_MS,
    );
    if (isRepeat) return;
    const line: EventLine = { kind: "event", id: this.#nextId++, ...event };
    this.#lines.push(line);
    if (this.#lines.length > KEPT_MAX) this.#lines.shift();
    for (const listener of this.#listeners) listener(line);
  }

  /** Oldest first. */
  newest(): readonly EventLine[] {
    return [...this.#lines];
  }

  /** Returns its own undo. */
  onLine(listener: (line: EventLine) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
