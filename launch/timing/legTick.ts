/**
 * What a tick of the servo of a robot on legs costs, and leaves on the heap: a real servo with its black box, a Digit in
 * memory and nobody connected, led by a command fifty times a second.
 */

import type { Clock } from "../../core/clock.js";
import { msToMonotonicNs } from "../../core/clock.js";
import { LatenessHistogram, type LatenessSummary } from "../../core/histogram.js";
import { RingRecorder } from "../../runtime/servo/blackBox/recorder.js";
import { Ring, WORD } from "../../runtime/servo/blackBox/ring.js";
import { LegServoConfig } from "../../runtime/servo/config.js";
import type { Peer } from "../../runtime/servo/link/server.js";
import type { Tick } from "../../runtime/servo/loop.js";
import { Servo } from "../../runtime/servo/servo.js";
import { type Garbage, measureGarbage } from "./garbage.js";
import { MemoryLegs } from "./memoryArm.js";
import { SteppedClock } from "./steppedClock.js";

const PERIOD_MS = 1;
const COMMAND_EVERY_TICKS = 20;
const COMMAND_VALID_MS = 50;
const WARM_UP_TICKS = 20_000;
const SUPERVISOR: Peer = { id: 1, name: "practice", role: "supervisor" };
const COMMANDER: Peer = { id: 2, name: "practice", role: "commander" };

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
  const legs = new LegPractice();
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

class LegPractice {
  readonly #clock = new SteppedClock();
  readonly #config = LegServoConfig.parse({});
  readonly #ring: Ring;
  readonly #servo: Servo;
  readonly #tick: Tick = { index: 0, nowMs: 0, skipped: 0, missCause: "lateWake", sendMs: 0 };
  readonly #targetRad = Float64Array.from(this.#config.stand.poseRad);
  readonly #stiffnessNmPerRad = Float64Array.from(this.#config.stand.stiffnessNmPerRad);
  readonly #dampingNmSPerRad = Float64Array.from(this.#config.stand.dampingNmSPerRad);
  #epoch = 0;
  #seq = 0;
  #isLed = false;

  constructor() {
    const { rateHz, stand } = this.#config;
    const size = { jointCount: stand.poseRad.length, rateHz };
    this.#ring = new Ring(size);
    this.#servo = new Servo({
      robot: "practice",
      device: "memory",
      config: this.#config,
      driver: new MemoryLegs(this.#clock, stand.poseRad),
      clock: this.#clock,
      realtimePriority: 0,
      processId: process.pid,
      blackBox: new RingRecorder(this.#ring, size),
    });
  }

  get state(): string {
    return this.#servo.state;
  }

  /** Connected and enabled; with a lease where it is to be led. */
  async start(isLed: boolean): Promise<void> {
    await this.#servo.connect();
    this.#hear();
    await this.#servo.enable();
    if (isLed) this.#epoch = this.#servo.acquireLease(COMMANDER, COMMANDER.name).epoch;
    this.#isLed = isLed;
  }

  /** What a tick writes into the black box is taken out at once, and goes nowhere. */
  run(ticks: number): void {
    const tick = this.#tick;
    for (let ran = 0; ran < ticks; ran++) {
      this.#clock.ms += PERIOD_MS;
      tick.index++;
      tick.nowMs = this.#clock.ms;
      if (tick.index % COMMAND_EVERY_TICKS === 1) this.#lead();
      this.#servo.tick(tick);
      this.#ring.set(WORD.rowsDrained, this.#ring.get(WORD.rowsWritten));
      this.#ring.set(WORD.noteBytesDrained, this.#ring.get(WORD.noteBytesWritten));
    }
  }

  #hear(): void {
    this.#servo.heard(SUPERVISOR);
    this.#servo.heard(COMMANDER);
  }

  #lead(): void {
    this.#hear();
    if (!this.#isLed) return;
    const { ms } = this.#clock;
    this.#targetRad[0] = this.#config.stand.poseRad[0]! + 0.01 * Math.sin(ms / 200);
    this.#servo.command(COMMANDER, {
      epoch: this.#epoch,
      seq: ++this.#seq,
      stampNs: msToMonotonicNs(ms),
      expiresNs: msToMonotonicNs(ms + COMMAND_VALID_MS),
      speedScale: 1,
      inputAgeMs: 0,
      positionRad: this.#targetRad,
      stiffnessNmPerRad: this.#stiffnessNmPerRad,
      dampingNmSPerRad: this.#dampingNmSPerRad,
    });
  }
}
