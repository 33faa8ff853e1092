/**
 * The real driver of Digit, with its real links, and the emulated robot on a gantry behind a faulty network, in simulated
 * time: what fault scripts are run against.
 */
import type { Fault } from "../../drivers/contract.js";
import { DigitConfig } from "../../drivers/digit/config.js";
import { DigitDriver } from "../../drivers/digit/driver.js";
import { zstdDecompressor } from "../../episodes/import/zstd.js";
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import type { DigitFaultScript } from "../../lab/digit/faultScripts.js";
import { IdealBody } from "../../lab/digit/idealBody.js";
import { SimulatedDigit } from "../../launch/tasks/simulatedDigit.js";

/** The commander's movement: all joints together, slowly. */
const SWING_RAD = 0.03;
const SWING_RAD_PER_S = 2;
const FALLS_BACK_MS = 60;
const GAINS = {
  stiffnessNmPerRad: new Float64Array(DIGIT_MOTORS.length).fill(100),
  dampingNmSPerRad: new Float64Array(DIGIT_MOTORS.length).fill(5),
};

const inflate = await zstdDecompressor();

export class DigitRig {
  readonly digit: SimulatedDigit;
  readonly driver: DigitDriver;
  readonly faults: Fault[] = [];
  readonly never = new AbortController().signal;
  readonly #targetRad = new Float64Array(DIGIT_MOTORS.length);
  #centreRad: Float64Array | undefined;
  #swingMs = 0;
  answers: Record<ReturnType<DigitDriver["command"]>, number> = { sent: 0, notReady: 0, busy: 0, refused: 0 };

  constructor({ given: { frames, digit } }: DigitFaultScript) {
    this.digit = new SimulatedDigit({ body: new IdealBody(), conventions: frames, inflate });
    const config = DigitConfig.parse({
      host: "the lab",
      frames: { linearVelocity: "world", imu: "mount" },
      ...digit,
    });
    this.driver = new DigitDriver(config, this.digit);
    this.driver.onFault((fault) => {
      this.faults.push(fault);
      // As the servo does within its next tick.
      if (fault.severity !== "warning") this.driver.stopNow(1);
    });
  }

  get emulator() {
    return this.digit.emulator;
  }

  get isFollowing(): boolean {
    return this.driver.state().ready;
  }

  /** Lets simulated time pass while the commander sends its targets, whatever became of the last. */
  async run(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed++) {
      this.#command();
      await this.digit.tick();
    }
  }

  /** A commander begins its movement where the joints are now. */
  lead(): void {
    this.#centreRad = Float64Array.from(this.driver.state().positionRad);
    this.#swingMs = this.digit.clock.nowMs();
  }

  #command(): void {
    if (this.#centreRad === undefined) return;
    const phase = (SWING_RAD_PER_S * (this.digit.clock.nowMs() - this.#swingMs)) / 1000;
    for (let motor = 0; motor < this.#targetRad.length; motor++)
      this.#targetRad[motor] = this.#centreRad[motor]! + SWING_RAD * Math.sin(phase);
    this.answers[this.driver.commandImpedance(this.#targetRad, GAINS)]++;
  }

  /** Waits for something of the driver's in simulated time; answers with what it threw. */
  async settle(work: Promise<unknown>, withinMs = 15_000): Promise<unknown> {
    let thrown: unknown;
    let isDone = false;
    work.then(
      () => {
        isDone = true;
      },
      (error) => {
        isDone = true;
        thrown = error ?? new Error("rejected without a reason");
      },
    );
    for (let passed = 0; !isDone && passed < withinMs; passed++) {
      await this.digit.tick();
    }
    if (!isDone) throw new Error(`not settled within ${withinMs} ms`);
    return thrown;
  }

  async close(): Promise<void> {
    this.#centreRad = undefined;
    await this.settle(this.driver.close());
    // What becomes of a robot that nobody commands any more.
    await this.run(FALLS_BACK_MS);
    await this.digit.close();
  }
}
