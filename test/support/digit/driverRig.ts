/** A driver before an emulated Digit in simulated time, and a servo that commands each millisecond while it is asked to. */
import type { CommandOutcome, Fault } from "../../../drivers/contract.js";
import { DigitConfig } from "../../../drivers/digit/config.js";
import { DigitDriver } from "../../../drivers/digit/driver.js";
import { DIGIT_STAND } from "../../../kinematics/digit/motors.js";
import type { DigitBody } from "../../../lab/digit/body.js";
import { type Conventions, DigitFault } from "../../../lab/digit/digitFaults.js";
import { IdealBody } from "../../../lab/digit/idealBody.js";
import type { MotorSpan } from "../../../lab/digit/motorLog.js";
import { SimulatedDigit } from "../../../launch/tasks/simulatedDigit.js";

export const WIRE_FRAMES = { linearVelocity: "world", angularVelocity: "imu", imu: "mount" } as const;
export const STAND_RAD = Float64Array.from(DIGIT_STAND.positionRad);

const KNEE = 3;
const SWING_RAD = 0.03;
const SWING_MS = 20;

export class DigitDriverRig {
  readonly digit: SimulatedDigit;
  readonly driver: DigitDriver;
  readonly faults: Fault[] = [];
  readonly outcomes: CommandOutcome[] = [];
  /** The servo commands the stand, and a knee that goes to and fro: a pose that is reached asks for no torque. */
  commands = false;
  readonly #targetRad = STAND_RAD.slice();
  #ms = 0;

  constructor(
    config: Partial<DigitConfig> = {},
    conventions: Partial<Conventions> = {},
    body: DigitBody = new IdealBody(),
  ) {
    this.digit = new SimulatedDigit({ body, conventions });
    this.driver = new DigitDriver(
      DigitConfig.parse({ host: "robot", frames: WIRE_FRAMES, ...config }),
      this.digit,
    );
    this.driver.onFault((fault) => this.faults.push(fault));
  }

  get robot() {
    return this.digit.emulator.robot;
  }

  get codes(): string[] {
    return this.faults.map(({ code }) => code);
  }

  /** What the motors get now. */
  get motors(): MotorSpan {
    return this.robot.motorLog.spans.at(-1)!;
  }

  async run(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed++) {
      await this.digit.tick();
      this.#targetRad[KNEE] = STAND_RAD[KNEE]! + SWING_RAD * Math.sin(this.#ms++ / SWING_MS);
      if (this.commands) this.outcomes.push(this.driver.command(this.#targetRad));
    }
  }

  /** Moves time on until the promise is settled. */
  async settled<T>(promise: Promise<T>): Promise<T> {
    let isOver = false;
    const over = promise.finally(() => {
      isOver = true;
    });
    over.catch(() => {});
    while (!isOver) await this.run(1);
    return over;
  }

  configure() {
    return this.settled(this.driver.configure(new AbortController().signal));
  }

  activate(signal = new AbortController().signal): Promise<void> {
    return this.settled(this.driver.activate(signal));
  }

  async enable(): Promise<void> {
    await this.configure();
    await this.activate();
    this.commands = true;
    await this.run(5);
  }

  inject(fault: unknown): void {
    this.digit.emulator.inject(DigitFault.parse(fault));
  }

  async close(): Promise<void> {
    this.commands = false;
    await this.settled(this.driver.close());
    await this.digit.close();
  }
}
