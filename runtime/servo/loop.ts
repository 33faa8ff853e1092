/**
 * The servo's pace: ticks on a fixed grid, origin + k periods. Before each deadline the thread sleeps, then lets queued
 * socket data in for two turns of the event loop, sleeps again, spins for the last microseconds, and ticks. Deadlines
 * that were missed are skipped and counted with their cause; they are never made up for by a burst.
 *
 * A device that wants an answer to its own frames, whenever they come, has most of the first sleep in the event loop,
 * which such frames wake. The rest of it, for which an event loop's clock is too coarse, is cut into naps with a turn of
 * the event loop after each.
 *
 * The grid of a device that reports at a rate of its own may follow its reports: it is shifted by less than anybody notices
 * in a tick until each of them comes shortly after a report, instead of up to a period after it.
 */
import { LatenessHistogram } from "../../core/histogram.js";

/** Number of garbage collections, and the time that they held the thread [ms]. */
export interface Collections {
  readonly count: number;
  readonly ms: number;
}

/** Time for a thread that may block: numbers instead of bigints, and a sleep that holds the thread. */
export interface TickClock {
  /** CLOCK_MONOTONIC [ms], the same time as `Clock.nowMs`. */
  nowMs(): number;
  /** Holds this thread. */
  parkMs(durationMs: number): void;
  /** Lets the event loop wait for `REST_MS`, then calls `then`: what comes meanwhile is handled at once. */
  rest(then: () => void): void;
  /** Returns at that moment without giving the thread away; allocates nothing. */
  spinUntilMs(dueMs: number): void;
  /** What garbage collection has taken so far; may become known a little later. One object, updated in place. */
  readonly collections: Collections;
}

/**
 * Which part of the time between two ticks made the later one miss its deadline:
 *   `lateWake` the system woke the thread late, or took it away while it spun;
 *   `garbageCollection` collections took at least half of the lateness, whichever part they fell into;
 *   `driverSend` the driver's write to the device in the tick before;
 *   `socketDrain` the turns of the event loop in which sockets are read, and rests in it that did not end in time;
 *   `tickWork` the rest of the tick before.
 * The system may take the thread away within any part: that time counts for the part.
 */
export const MISS_CAUSES = [
  "lateWake",
  "garbageCollection",
  "driverSend",
  "socketDrain",
  "tickWork",
] as const;
export type MissCause = (typeof MISS_CAUSES)[number];

export interface Tick {
  /** Position on the grid; gaps are missed ticks. */
  index: number;
  nowMs: number;
  /** Ticks skipped right before this one. */
  skipped: number;
  /** Why they were, as far as it is known yet: a collection may become known later. */
  missCause?: MissCause;
  /** Written by the tick: how long the driver took to write its frame [ms]. */
  sendMs: number;
}

/** The shortest wait of an event loop [ms]. */
export const REST_MS = 1;
/** A rest ends so much later at most, unless the system is late. */
const REST_SLACK_MS = 0.25;

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

/** A grid that follows reports is shifted by at most so much of a period in a tick: far less than ticks are late. */
const SHIFT_SHARE_MAX = 0.001;
/** It is shifted by this share of what is missing, so that it rests where the reports' jitter is even. */
const SHIFT_GAIN = 0.02;
/** So long before the event loop's last turns a report should be there [ms]. */
const REPORT_MARGIN_MS = 0.1;

export interface LoopOptions {
  /** Longest time for which the thread may sleep without letting anything in [ms]. */
  readonly napMs?: number | undefined;
  /** Updated in place with each report of the device, by the tick clock's time: the grid follows them. */
  readonly reports?: { readonly receivedMs: number } | undefined;
}

/** A collection is reported some turns of the event loop later: until then a miss may still be counted over to it. */
const OPEN_TICKS = 3;

export class ServoLoop {
  readonly lateness = new LatenessHistogram();
  readonly missed: Record<MissCause, number> = {
    lateWake: 0,
    garbageCollection: 0,
    driverSend: 0,
    socketDrain: 0,
    tickWork: 0,
  };
  readonly #clock: TickClock;
  readonly #periodMs: number;
  readonly #onTick: (tick: Tick) => void;
  readonly #napMs: number;
  readonly #reports: LoopOptions["reports"];
  readonly #tick: Tick = { index: 0, nowMs: 0, skipped: 0, missCause: "lateWake", sendMs: 0 };
  #originMs = 0;
  #shiftMs = 0;
  #index = 0;
  #ticks = 0;
  #running = false;
  #ended: (() => void) | undefined;
  #tickStartMs = 0;
  #tickEndMs = 0;
  #askedMs = 0;
  #wokeMs = 0;
  #drainedMs = 0;
  #collectedMs = 0;
  /** End of the newest nap of this tick, or of a rest as it was due; by how much what followed has outlasted the sleep. */
  #nappedMs = Number.POSITIVE_INFINITY;
  #overrunMs = 0;
  #aheadMs = WAKE_AHEAD_MS_MIN;
  /** The newest miss, whose cause is still open to garbage collection for so many ticks. */
  readonly #open = { ticks: 0, skipped: 0, latenessMs: 0, collectedMs: 0, cause: "lateWake" as MissCause };

  constructor(
    clock: TickClock,
    rateHz: number,
    onTick: (tick: Tick) => void,
    { napMs = Number.POSITIVE_INFINITY, reports }: LoopOptions = {},
  ) {
    this.#clock = clock;
    this.#periodMs = 1000 / rateHz;
    this.#onTick = onTick;
    this.#napMs = napMs;
    this.#reports = reports;
  }

  get collections(): Collections {
    return this.#clock.collections;
  }

  /** Ticks that ran. Together with all misses, this is the number of deadlines since the start. */
  get ticks(): number {
    return this.#ticks;
  }

  /** By how much the grid was shifted since the start, later is positive [ms]. */
  get shiftMs(): number {
    return this.#shiftMs;
  }

  start(): void {
    this.#running = true;
    this.#originMs = this.#clock.nowMs();
    this.#tickStartMs = this.#originMs;
    this.#tickEndMs = this.#originMs;
    this.#collectedMs = this.#clock.collections.ms;
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
    this.#nappedMs = Number.POSITIVE_INFINITY;
    this.#nap();
  }

  readonly #nap = (): void => {
    const nowMs = this.#clock.nowMs();
    const leftMs = this.#askedMs - nowMs;
    if (leftMs > this.#napMs) {
      if (leftMs > REST_MS + REST_SLACK_MS) {
        this.#nappedMs = nowMs + REST_MS + REST_SLACK_MS;
        this.#clock.rest(this.#nap);
        return;
      }
      this.#clock.parkMs(this.#napMs);
      this.#nappedMs = this.#clock.nowMs();
      setImmediate(this.#nap);
      return;
    }
    this.#overrunMs = Math.max(0, nowMs - Math.max(this.#askedMs, this.#nappedMs));
    if (leftMs > 0) this.#clock.parkMs(leftMs);
    this.#wokeMs = this.#clock.nowMs();
    setImmediate(this.#firstTurn);
  };

  readonly #firstTurn = (): void => {
    setImmediate(this.#secondTurn);
  };

  readonly #secondTurn = (): void => {
    if (!this.#running) {
      this.#ended?.();
      return;
    }
    const dueMs = this.#originMs + this.#index * this.#periodMs;
    this.#drainedMs = this.#clock.nowMs();
    const leftMs = dueMs - this.#drainedMs;
    if (leftMs > SPIN_MS) this.#clock.parkMs(leftMs - SPIN_MS);
    this.#adapt(this.#drainedMs - this.#wokeMs);
    this.#clock.spinUntilMs(dueMs);
    this.#run(dueMs, Math.max(dueMs, this.#clock.nowMs()));
    this.#sleep();
  };

  #run(dueMs: number, nowMs: number): void {
    const latenessMs = nowMs - dueMs;
    this.lateness.add(latenessMs * 1000);
    const skipped = Math.floor(latenessMs / this.#periodMs);
    this.#settleOpenMiss();
    const tick = this.#tick;
    if (skipped > 0) tick.missCause = this.#openMiss(skipped, dueMs, nowMs);
    this.#collectedMs = this.#clock.collections.ms;
    this.#index += skipped;
    this.#ticks++;
    tick.index = this.#index;
    tick.nowMs = nowMs;
    tick.skipped = skipped;
    tick.sendMs = 0;
    this.#tickStartMs = nowMs;
    if (this.#reports !== undefined) this.#follow(nowMs - this.#reports.receivedMs);
    this.#onTick(tick);
    this.#tickEndMs = this.#clock.nowMs();
  }

  /** @param ageMs of the newest report at this tick; a silent device, and one that never spoke, leads nobody */
  #follow(ageMs: number): void {
    if (!(ageMs >= 0 && ageMs < 2 * this.#periodMs)) return;
    const shiftMsMax = SHIFT_SHARE_MAX * this.#periodMs;
    const missingMs = this.#aheadMs + REPORT_MARGIN_MS - ageMs;
    const shiftMs = Math.max(-shiftMsMax, Math.min(shiftMsMax, SHIFT_GAIN * missingMs));
    this.#originMs += shiftMs;
    this.#shiftMs += shiftMs;
  }

  #adapt(turnsMs: number): void {
    const factor = turnsMs > this.#aheadMs ? LENGTHEN : SHORTEN;
    this.#aheadMs = Math.min(WAKE_AHEAD_MS_MAX, Math.max(WAKE_AHEAD_MS_MIN, this.#aheadMs * factor));
  }

  /** Counts a miss for the longest part of the time since the tick before began. */
  #openMiss(skipped: number, dueMs: number, nowMs: number): MissCause {
    const { sendMs } = this.#tick;
    const workMs = this.#tickEndMs - this.#tickStartMs - sendMs;
    const drainMs = this.#drainedMs - this.#wokeMs + this.#overrunMs;
    // Both sleeps count: the long one before the turns of the event loop, the short one and the spin after them.
    const wakeMs =
      this.#wokeMs -
      Math.max(this.#askedMs, this.#tickEndMs) -
      this.#overrunMs +
      nowMs -
      Math.max(dueMs, this.#drainedMs);
    const longestMs = Math.max(wakeMs, sendMs, drainMs, workMs);
    const open = this.#open;
    open.ticks = OPEN_TICKS;
    open.skipped = skipped;
    open.latenessMs = nowMs - dueMs;
    open.collectedMs = this.#collectedMs;
    open.cause =
      longestMs === wakeMs
        ? "lateWake"
        : longestMs === sendMs
          ? "driverSend"
          : longestMs === drainMs
            ? "socketDrain"
            : "tickWork";
    this.missed[open.cause] += skipped;
    return open.cause;
  }

  #settleOpenMiss(): void {
    const open = this.#open;
    if (open.ticks === 0) return;
    open.ticks--;
    if (this.#clock.collections.ms - open.collectedMs < open.latenessMs / 2) return;
    this.missed[open.cause] -= open.skipped;
    this.missed.garbageCollection += open.skipped;
    open.ticks = 0;
  }
}
