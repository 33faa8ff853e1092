/**
 * The servo's pace: ticks on a fixed grid, origin + k periods. Before each deadline the thread sleeps, then lets queued
 * socket data in for two turns of the event loop, sleeps again, spins for the last microseconds, and ticks. Deadlines
 * that were missed are skipped and counted with their cause; they are never made up for by a burst.
 */
import { LatenessHistogram } from "./histogram.js";

/** Time for a thread that may block: numbers instead of bigints, and a sleep that holds the thread. */
export interface TickClock {
  /** CLOCK_MONOTONIC [ms], the same time as `Clock.nowNs`. */
  nowMs(): number;
  /** Holds this thread. */
  parkMs(durationMs: number): void;
  /** Returns at that moment without giving the thread away; allocates nothing. */
  spinUntilMs(dueMs: number): void;
  /** Time that garbage collection has taken so far [ms]; may become known a little later. */
  collectedMs(): number;
}

export const MISS_CAUSES = ["systemLate", "eventLoop", "tickWork", "garbageCollection"] as const;
export type MissCause = (typeof MISS_CAUSES)[number];

export interface Tick {
  /** Position on the grid; gaps are missed ticks. */
  index: number;
  nowMs: number;
  /** Ticks skipped right before this one. */
  skipped: number;
  /** Written by the tick: how long the driver took to write its frame [ms]. */
  sendMs: number;
}

/**
 * The thread wakes so long before the deadline: for the socket turns and the spin. Turns that took longer lengthen it,
 * all others shorten it a little, which settles where one tick in two hundred finds its turns too long.
 */
const WAKE_AHEAD_MS_MIN = 0.2;
const WAKE_AHEAD_MS_MAX = 1;
const LENGTHEN = 1.2;
const SHORTEN = 0.999;
/** The last of the way to the deadline is spun: about as long as the system takes to wake a thread. */
const SPIN_MS = 0.06;

export class ServoLoop {
  readonly lateness = new LatenessHistogram();
  readonly missed: Record<MissCause, number> = {
    systemLate: 0,
    eventLoop: 0,
    tickWork: 0,
    garbageCollection: 0,
  };
  readonly #clock: TickClock;
  readonly #periodMs: number;
  readonly #onTick: (tick: Tick) => void;
  readonly #tick: Tick = { index: 0, nowMs: 0, skipped: 0, sendMs: 0 };
  #originMs = 0;
  #index = 0;
  #ticks = 0;
  #running = false;
  #ended: (() => void) | undefined;
  #tickEndMs = 0;
  #wokeMs = 0;
  #askedMs = 0;
  #aheadMs = WAKE_AHEAD_MS_MIN;
  /** The newest miss, whose cause is still open to garbage collection. */
  #open = { skipped: 0, latenessMs: 0, collectedMs: 0, cause: "systemLate" as MissCause };

  constructor(clock: TickClock, rateHz: number, onTick: (tick: Tick) => void) {
    this.#clock = clock;
    this.#periodMs = 1000 / rateHz;
    this.#onTick = onTick;
  }

  /** Ticks that ran. Together with all misses, this is the number of deadlines since the start. */
  get ticks(): number {
    return this.#ticks;
  }

  start(): void {
    this.#running = true;
    this.#originMs = this.#clock.nowMs();
    this.#tickEndMs = this.#originMs;
    this.#open.collectedMs = this.#clock.collectedMs();
    this.#sleep();
  }

  /** Resolves when no tick will follow. */
  stop(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    this.#running = false;
    return new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  #sleep(): void {
    this.#index++;
    this.#askedMs = this.#originMs + this.#index * this.#periodMs - this.#aheadMs;
    const leftMs = this.#askedMs - this.#clock.nowMs();
    if (leftMs > 0) this.#clock.parkMs(leftMs);
    this.#wokeMs = this.#clock.nowMs();
    setImmediate(this.#firstTurn);
  }

  readonly #firstTurn = (): void => {
    setImmediate(this.#secondTurn);
  };

  readonly #secondTurn = (): void => {
    if (!this.#running) {
      this.#ended?.();
      return;
    }
    const dueMs = this.#originMs + this.#index * this.#periodMs;
    const drainedMs = this.#clock.nowMs();
    if (dueMs - drainedMs > SPIN_MS) this.#clock.parkMs(dueMs - drainedMs - SPIN_MS);
    this.#adapt(drainedMs - this.#wokeMs);
    this.#clock.spinUntilMs(dueMs);
    const nowMs = Math.max(dueMs, this.#clock.nowMs());
    const latenessMs = nowMs - dueMs;
    this.lateness.add(latenessMs * 1000);
    const skipped = Math.floor(latenessMs / this.#periodMs);
    this.#settleCause();
    if (skipped > 0) this.#openMiss(skipped, latenessMs, drainedMs);
    else this.#open.collectedMs = this.#clock.collectedMs();
    this.#index += skipped;
    this.#ticks++;
    this.#tick.index = this.#index;
    this.#tick.nowMs = nowMs;
    this.#tick.skipped = skipped;
    this.#onTick(this.#tick);
    this.#tickEndMs = this.#clock.nowMs();
    this.#sleep();
  };

  #adapt(turnsMs: number): void {
    const factor = turnsMs > this.#aheadMs ? LENGTHEN : SHORTEN;
    this.#aheadMs = Math.min(WAKE_AHEAD_MS_MAX, Math.max(WAKE_AHEAD_MS_MIN, this.#aheadMs * factor));
  }

  /** Which part of the time between two ticks was longest: work before the sleep, the sleep's end, the event loop. */
  #openMiss(skipped: number, latenessMs: number, drainedMs: number): void {
    const workMs = this.#tickEndMs - this.#askedMs;
    const wakeMs = this.#wokeMs - Math.max(this.#askedMs, this.#tickEndMs);
    const turnsMs = drainedMs - this.#wokeMs;
    const open = this.#open;
    open.skipped = skipped;
    open.latenessMs = latenessMs;
    open.cause =
      workMs > wakeMs && workMs > turnsMs ? "tickWork" : turnsMs > wakeMs ? "eventLoop" : "systemLate";
    this.missed[open.cause] += skipped;
  }

  /** A collection may be reported a turn late, so a miss is judged at the next tick and counted over to it then. */
  #settleCause(): void {
    const open = this.#open;
    if (open.skipped === 0) return;
    if (this.#clock.collectedMs() - open.collectedMs >= open.latenessMs / 2) {
      this.missed[open.cause] -= open.skipped;
      this.missed.garbageCollection += open.skipped;
    }
    open.skipped = 0;
    open.collectedMs = this.#clock.collectedMs();
  }
}
