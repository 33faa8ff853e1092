/**
 * What a tick of the servo of a robot on legs costs, and leaves on the heap: a real servo with its black box, a Digit in
 * memory and nobody connected, led by a command fifty times a second.
 */

import type { Clock } from "../../core/clock.js";
import { LatenessHistogram, type LatenessSummary } from "../../core/histogram.js";
import type { Tick } from "../../runtime/servo/loop.js";
import { type Garbage, measureGarbage } from "./garbage.js";
import { LEG_COMMAND_RATE_HZ, LegPractice } from "./legPractice.js";
import { SteppedClock } from "./steppedClock.js";

const PERIOD_MS = 1;
const COMMAND_EVERY_TICKS = 1000 / (PERIOD_MS * LEG_COMMAND_RATE_HZ);
const WARM_UP_TICKS = 20_000;

export interface LegTickResult extends Garbage {
  readonly ticks: number;
  /** Of a tick, without device, sockets or clients [µs]. */
  readonly tickUs: LatenessSummary;
  readonly state: string;
}

export async function measureLegTick(options: {
  readonly clock: Clock;
  readonly ticks: number;
  /** `standing`: nobody commands; `following`: a new target, with gains, 50 times a second. */
  readonly what: "standing" | "following";
  /** A full collection of garbage. */
  readonly collect: () => void;
}): Promise<LegTickResult> {
  const { clock, ticks, what, collect } = options;
  const legs = new SteppedLegs();
  await legs.start(what === "following");
  legs.run(WARM_UP_TICKS);
  const tickUs = new LatenessHistogram();
  for (let tick = 0; tick < ticks; tick++) {
    const startMs = clock.nowMs();
    legs.run(1);
    tickUs.add(1000 * (clock.nowMs() - startMs));
  }
  const garbage = measureGarbage({ runs: ticks, run: (count) => legs.run(count), collect });
  return { ticks, tickUs: tickUs.summaryUs(), state: legs.state, ...garbage };
}

class SteppedLegs {
  readonly #clock = new SteppedClock();
  readonly #practice = new LegPractice(this.#clock);
  readonly #tick: Tick = { index: 0, nowMs: 0, skipped: 0, missCause: "lateWake", sendMs: 0 };
  #isLed = false;

  get state(): string {
    return this.#practice.servo.state;
  }

  async start(isLed: boolean): Promise<void> {
    await this.#practice.start();
    if (isLed) this.#practice.lead();
    this.#isLed = isLed;
  }

  run(ticks: number): void {
    const tick = this.#tick;
    for (let ran = 0; ran < ticks; ran++) {
      this.#clock.ms += PERIOD_MS;
      tick.index++;
      tick.nowMs = this.#clock.ms;
      if (tick.index % COMMAND_EVERY_TICKS === 1) {
        if (this.#isLed) this.#practice.command();
        else this.#practice.hear();
      }
      this.#practice.tick(tick);
    }
  }
}
