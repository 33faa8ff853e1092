/**
 * The servo of a Digit in simulated time, in this process: an emulated robot behind both wires, the driver that the servo
 * process has, and the servo itself. A millisecond is a tick of all of them, in the order in which they would be: the robot
 * sends what it measures, the servo ticks, the robot takes the command.
 */
import { invariant } from "../../core/errors.js";
import { DigitDriver } from "../../drivers/digit/driver.js";
import { digitBalance } from "../../kinematics/digit/balance.js";
import type { DigitBody } from "../../lab/digit/body.js";
import type { Conventions } from "../../lab/digit/digitFaults.js";
import type { ServoEvent, ServoStateName } from "../../runtime/servo/api.js";
import type { Peer } from "../../runtime/servo/link/server.js";
import { Servo } from "../../runtime/servo/servo.js";
import type { DigitRobotConfig } from "../cell/robotConfig.js";

import { SimulatedDigit } from "./simulatedDigit.js";

/** Whatever is waited for comes within this, or not at all. */
const WAIT_MS_MAX = 20_000;
const SUPERVISOR: Peer = { id: 1, name: "trials", role: "supervisor" };

export interface DigitServoOptions {
  readonly robot: DigitRobotConfig;
  readonly body: DigitBody;
  /** Frames of what the robot tells; those that the robot's section names when absent. */
  readonly conventions?: Partial<Conventions>;
  readonly seed?: number;
}

export class DigitServo {
  readonly digit: SimulatedDigit;
  readonly driver: DigitDriver;
  readonly servo: Servo;
  readonly events: ServoEvent[] = [];
  /** The servo ticks. */
  isAlive = true;
  #index = 0;

  constructor({ robot, body, conventions, seed }: DigitServoOptions) {
    this.digit = new SimulatedDigit({ body, conventions, seed });
    const { clock, udp, json } = this.digit;
    this.driver = new DigitDriver(robot.digit, { clock, udp, json });
    this.servo = new Servo({
      robot: "digit",
      device: "digit",
      config: robot.servo,
      driver: this.driver,
      balance: digitBalance,
      clock,
      realtimePriority: 0,
      processId: process.pid,
    });
    this.servo.attach({
      broadcastSnapshot: () => {},
      broadcastEvent: (event) => void this.events.push(event),
      broadcastInfo: () => {},
      leaseLost: () => {},
      snapshotsDropped: () => 0,
    });
  }

  get nowMs(): number {
    return this.digit.clock.nowMs();
  }

  get state(): ServoStateName {
    return this.servo.state;
  }

  /** @throws CerebellumError what driver and servo refuse */
  async enable(): Promise<void> {
    await this.until(this.servo.connect());
    await this.until(this.servo.enable());
  }

  /** As SIGKILL does it: nothing more is sent or read, and the system closes what was open. */
  kill(): void {
    this.isAlive = false;
    this.digit.network.isCut = true;
    void this.digit.json.close();
  }

  /** One millisecond. */
  async tick(): Promise<void> {
    await this.digit.tick();
    if (!this.isAlive) return;
    this.servo.heard(SUPERVISOR);
    this.servo.tick({ index: ++this.#index, nowMs: this.nowMs, skipped: 0, sendMs: 0 });
  }

  async run(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed++) await this.tick();
  }

  /** Moves time on until a promise is settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    promise.then(over, over);
    for (let passed = 0; !isOver; passed++) {
      invariant(passed < WAIT_MS_MAX, "what driver and servo are asked for comes to an end");
      await this.tick();
      await Promise.resolve();
    }
    return promise;
  }

  async close(): Promise<void> {
    const closing = this.servo.close();
    await this.until(closing);
    await this.digit.close();
  }
}
